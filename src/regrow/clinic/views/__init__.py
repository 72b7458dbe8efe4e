"""One module per screen. The one thing to know: a view reads through `access`, writes through `actions`, and shows a
refusal beside the form with its code, at the status 422."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils import timezone

from regrow.clinic.actions import Act
from regrow.clinic.models import Staff
from regrow.clinic.roles import may


def who(request: HttpRequest) -> Staff:
    """The staff member of the request; the middleware has let nobody else in."""
    staff = getattr(request, "staff", None)
    if staff is None:
        raise PermissionDenied
    return staff


def act_of(request: HttpRequest) -> Act:
    return Act(who(request), timezone.now(), request.headers.get("X-Device", "")[:40])


def allow(read: str, write: str | None = None, methods: tuple[str, ...] = ("GET", "HEAD")) -> Callable[[Any], Any]:
    """Asks the role before the view runs: `read` for looking, `write` for all else; other methods are refused."""
    known = (*methods, "POST") if write else methods

    def put(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
            if request.method not in known:
                return HttpResponseNotAllowed(known)
            needed = read if request.method in ("GET", "HEAD") else write or read
            if not may(who(request).role, needed):
                raise PermissionDenied(f"{who(request).role} may not {needed}")
            return view(request, *args, **named)

        return run

    return put


def writes(permission: str) -> Callable[[Any], Any]:
    """A view that only writes."""
    return allow(permission, permission, methods=())
