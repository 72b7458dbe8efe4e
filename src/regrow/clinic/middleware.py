"""What every request passes: security headers, the idle lock, the second factor; and what every page shows.

The one thing to know: being idle locks writing, never the picture: a board stays visible and alarming.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loaders.filesystem import Loader

CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# Open to anyone: signing in, being told that the server lives, and files that hold no data.
SIGN_IN = ("/accounts/login/", "/accounts/2fa/authenticate/")
OPEN = (*SIGN_IN, "/enter/", "/health", "/static/", "/sw.js")
# One's own account. What else allauth offers (signing up, e-mail, resetting by e-mail) does not exist here.
OWN = (
    "/accounts/logout/",
    "/accounts/reauthenticate/",
    "/accounts/password/change/",
    "/accounts/password/set/",
    "/accounts/2fa/",
)
WHILE_LOCKED = ("/unlock", "/sign-out", "/accounts/logout/", "/accounts/reauthenticate/")
UNLOCK, LAST = "/unlock", "last_active"
NOT_ACTIVITY = ("/board/stream", "/board/beat", "/health", "/sw.js")


class NoSignup(DefaultAccountAdapter):
    """Nobody makes an account for themselves; the administrator invites."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class OwnFirst(Loader):
    """Our own templates come before those of the packages, so that every page looks alike."""

    def get_dirs(self) -> list[Path]:
        return [Path(__file__).parent / "templates"]


def headers(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        response["Content-Security-Policy"] = CSP
        response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        response["Cross-Origin-Opener-Policy"] = "same-origin"
        if not request.path.startswith("/static/"):
            response.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def staff_only(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Signed-in staff only; a second factor where the clinic asks for it; writing locked after a while of idleness."""

    def middleware(request: HttpRequest) -> Any:
        from regrow.clinic import access

        request.staff = None  # type: ignore[attr-defined]
        if request.path.startswith("/static/"):
            return get_response(request)
        staff = access.staff_of(request.user)
        request.staff = staff  # type: ignore[attr-defined]
        own = request.path.startswith(OWN)
        if request.path.startswith("/accounts/") and not own and request.path not in SIGN_IN:
            raise Http404
        if request.path.startswith(OPEN):
            return get_response(request)
        if staff is None:
            if request.user.is_authenticated:
                from django.contrib.auth import logout

                logout(request)
            return _to_sign_in(request)
        if settings.CLINIC.require_mfa and not settings.CLINIC.demo and not own:
            from allauth.mfa.utils import is_mfa_enabled

            if not is_mfa_enabled(request.user):
                return redirect("mfa_activate_totp")
        if locked(request) and request.method not in ("GET", "HEAD") and request.path not in WHILE_LOCKED:
            return _locked(request)
        automatic = request.path in NOT_ACTIVITY or (request.method == "GET" and "X-Automatic" in request.headers)
        if not automatic and not locked(request):
            _active(request)
        return get_response(request)

    return middleware


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"code": "SIGNED-OUT", "sentence": "You are signed out; sign in again."}, status=401)
    from urllib.parse import urlencode

    where = "?" + urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
    return redirect("/accounts/login/" + where)


def wants_json(request: HttpRequest) -> bool:
    """True for the tablet's queue and other programs, which read JSON."""
    return "application/json" in request.headers.get("Accept", "")


def refused(response: HttpResponse, code: str) -> HttpResponse:
    """The answer marked with its code, by which the tablet's queue tells a refusal from a fault on the way."""
    response["Regrow-Refused"] = code
    return response


def locked(request: HttpRequest) -> bool:
    last = request.session.get(LAST)
    return last is not None and time.time() - last > settings.CLINIC.idle_minutes * 60


def _active(request: HttpRequest) -> None:
    now = time.time()
    if now - request.session.get(LAST, 0) > 20:
        request.session[LAST] = now


def unlock(request: HttpRequest) -> None:
    request.session[LAST] = time.time()


def passkey(request: HttpRequest) -> dict[str, Any] | None:
    """What a browser needs to unlock with a passkey of the person signed in; None where they have none."""
    from allauth.mfa.webauthn.internal import auth

    if not auth.get_credentials(request.user):  # type: ignore[arg-type]
        return None
    return {"request_options": auth.begin_authentication(request.user)}  # type: ignore[arg-type]


def _locked(request: HttpRequest) -> HttpResponse:
    sentence = "Locked after a while without use. Unlock with your PIN or password; nothing was written."
    if wants_json(request):
        return refused(JsonResponse({"code": "LOCKED", "sentence": sentence}, status=423), "LOCKED")
    back = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "/"
    said = {"sentence": sentence, "next": back, "passkey": passkey(request)}
    response = render(request, "clinic/unlock.html", said, status=423)
    if request.headers.get("HX-Request"):
        response["HX-Redirect"] = UNLOCK
    return refused(response, "LOCKED")


def every_page(request: HttpRequest) -> dict[str, Any]:
    """What every template may use: the clinic, the person, whether this is a demo."""
    from regrow.clinic.roles import ALLOWED

    staff = getattr(request, "staff", None)
    allowed = {a.replace(".", "_") for a, roles in ALLOWED.items() if staff and staff.role in roles}
    return {
        "clinic": settings.CLINIC,
        "staff": staff,
        "can": dict.fromkeys(allowed, True),
        "locked": bool(staff) and locked(request),
    }
