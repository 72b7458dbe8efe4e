"""Django's settings, made from the clinic's TOML. The one thing to know: nothing secret and no folder stands here."""

from pathlib import Path

from regrow import chart
from regrow.clinic.config import data_folder, database, read_config, secret_key

FOLDER = data_folder()
CLINIC = read_config(FOLDER)

SECRET_KEY = secret_key(FOLDER)
DEBUG = False
ALLOWED_HOSTS = list(CLINIC.hosts)
ROOT_URLCONF = "regrow.clinic.urls"
ASGI_APPLICATION = "regrow.clinic.asgi.application"
INSTALLED_APPS = [
    "servestatic",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "simple_history",
    "regrow.clinic",
]
MIDDLEWARE = [
    "regrow.clinic.logs.requests",
    "regrow.clinic.middleware.headers",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "regrow.clinic.middleware.staff_only",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "regrow.clinic.middleware.every_page",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["regrow.clinic.middleware.OwnFirst", "django.template.loaders.app_directories.Loader"],
                )
            ],
            "builtins": ["regrow.clinic.templatetags.clinic"],
        },
    }
]
DATABASES = {"default": database(CLINIC, FOLDER)}
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "clinic_cache"}}

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "regrow.clinic.middleware.NoSignup"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login_failed": "30/m/ip,5/300s/key"}
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
MFA_SUPPORTED_TYPES = ["recovery_codes", "totp", "webauthn"]
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # a key left in a tablet unlocks nothing by itself
MFA_TOTP_ISSUER = CLINIC.name
MFA_ALLOW_UNVERIFIED_EMAIL = True

LANGUAGE_CODE = "en-gb"
TIME_ZONE = CLINIC.time_zone
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATICFILES_DIRS = [("chart", str(Path(chart.__file__).parent / "sheet"))]
STATIC_ROOT = str(FOLDER / "static")
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = False

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CLINIC.tls
CSRF_COOKIE_SECURE = CLINIC.tls
CSRF_FAILURE_VIEW = "regrow.clinic.views.home.csrf_failure"
SECURE_HSTS_SECONDS = 31536000 if CLINIC.tls else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# Every logger of the process writes through logs.Lines: no message of an exception, no argument, no query.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "regrow.clinic.logs.Lines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"regrow": {"level": "INFO"}, "django.request": {"level": "CRITICAL"}, "django": {"handlers": []}},
}
