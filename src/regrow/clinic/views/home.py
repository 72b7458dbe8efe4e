"""The doors: start page, health, one-time links, unlocking, signing out, and what is said when a door stays shut."""

from __future__ import annotations

import hashlib
import json
from functools import cache as cache_once
from pathlib import Path
from typing import Any

from django.contrib.auth import login, logout
from django.contrib.auth.hashers import check_password
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from regrow import __version__
from regrow.clinic.actions import Act
from regrow.clinic.actions import staff as staff_actions
from regrow.clinic.middleware import passkey, refused, unlock, wants_json
from regrow.clinic.roles import ADMINISTRATOR, FRONT_DESK
from regrow.clinic.views import who
from regrow.refusal import Refusal

HOME = {FRONT_DESK: "diary", ADMINISTRATOR: "staff"}
UNLOCK_TRIES, UNLOCK_SECONDS = 5, 300
# What a tablet needs to show the board without network; the service worker itself comes first.
TABLET_FILES = (
    "clinic/sw.js",
    "clinic/site.css",
    "clinic/theme.js",
    "chart/chart.css",
    "clinic/clinic.js",
    "clinic/queue.js",
    "clinic/board.js",
    "clinic/beat.js",
    "django_htmx/htmx-4.min.js",
)


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    return redirect(HOME.get(who(request).role, "board"))


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """200 while the server and its database answer; says nothing else to a stranger."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok", "version": __version__})


@require_safe
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Signs a person in by a one-time link, under a new session id."""
    user = staff_actions.use_link(token, timezone.now())
    if user is None:
        return render(
            request,
            "clinic/message.html",
            {
                "title": "This link no longer works",
                "sentence": "It was used, is too old, or was never made. Ask the administrator for a new one.",
            },
            status=403,
        )
    logout(request)
    login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
    unlock(request)
    return redirect("home")


@require_http_methods(["GET", "HEAD", "POST"])
def unlock_page(request: HttpRequest) -> HttpResponse:
    """Unlocks writing with one's PIN, password or passkey; five wrong tries lock it for five minutes."""
    staff, back = who(request), _back(request)
    sentence = "Writing is locked. The board stays visible."
    context: dict[str, Any] = {"next": back, "sentence": sentence}
    if request.method != "POST":
        return render(request, "clinic/unlock.html", {**context, "passkey": passkey(request)})
    tries = f"unlock:{staff.pk}"
    count = cache.get(tries, 0)
    if count >= UNLOCK_TRIES:
        context["sentence"] = "Too many wrong tries; wait five minutes or sign in again."
        return render(request, "clinic/unlock.html", context, status=429)
    if _is_them(request, staff):
        cache.delete(tries)
        unlock(request)
        return redirect(back)
    cache.set(tries, count + 1, UNLOCK_SECONDS)
    context["sentence"] = "That is not your PIN, password or passkey."
    return render(request, "clinic/unlock.html", {**context, "passkey": passkey(request)}, status=422)


def _is_them(request: HttpRequest, staff: Any) -> bool:
    """Whether the PIN, the password or the passkey sent is the signed-in person's own."""
    from allauth.mfa.webauthn.forms import ReauthenticateWebAuthnForm
    from cryptography.exceptions import InvalidSignature

    if "credential" in request.POST:
        form = ReauthenticateWebAuthnForm(request.POST, user=request.user)
        try:
            good = form.is_valid()
        except (KeyError, InvalidSignature):  # the library lets a mangled answer and a forged signature through
            return False
        if good:
            form.save()
        return good
    secret = request.POST.get("secret", "")
    return bool(staff.pin and check_password(secret, staff.pin)) or request.user.check_password(secret)  # type: ignore[union-attr]


def _back(request: HttpRequest) -> str:
    """Where to go on after unlocking: a page of this clinic."""
    said = request.POST.get("next") or request.GET.get("next") or "/"
    return said if url_has_allowed_host_and_scheme(said, {request.get_host()}) else "/"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("account_login")


@require_http_methods(["GET", "HEAD", "POST"])
def pin(request: HttpRequest) -> HttpResponse:
    """Sets one's own PIN."""
    problem = None
    if request.method == "POST":
        try:
            staff_actions.set_pin(Act(who(request), timezone.now()), request.POST.get("pin", ""))
            return redirect("home")
        except Refusal as refusal:
            problem = refusal
    return render(request, "clinic/pin.html", {"problem": problem}, status=422 if problem else 200)


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker, served from the root so that it may answer for every page."""
    return HttpResponse(_service_worker(), content_type="text/javascript")


@cache_once
def _service_worker() -> str:
    """The worker's text, with the files it keeps and a version that changes with any of them."""
    contents = [Path(str(finders.find(name))).read_bytes() for name in TABLET_FILES]
    version = hashlib.sha256(b"".join(contents)).hexdigest()[:12]
    files = json.dumps([static(name) for name in TABLET_FILES])
    return f'const VERSION = "{version}", FILES = {files};\n' + contents[0].decode()


def _message(request: HttpRequest, status: int, code: str, title: str, sentence: str) -> HttpResponse:
    if wants_json(request):
        return refused(JsonResponse({"code": code, "sentence": sentence}, status=status), code)
    return refused(render(request, "clinic/message.html", {"title": title, "sentence": sentence}, status=status), code)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _message(
        request,
        403,
        "FORBIDDEN",
        "Not for your role",
        "Your role may not do this. Ask someone who may, or the administrator.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _message(request, 404, "NOT-FOUND", "Nothing here", "This does not exist, or not at your site.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _message(
        request, 403, "CSRF", "The form is too old", "Reload the page and enter it again; nothing was written."
    )
