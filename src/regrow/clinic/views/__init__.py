"""One module per screen. The one thing to know: a view reads through `access`, writes through `actions`, and shows a
refusal beside the form with its code, at the status 422."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from regrow.clinic.actions import Act
from regrow.clinic.middleware import refused, wants_json
from regrow.clinic.models import Staff
from regrow.clinic.roles import may
from regrow.refusal import Refusal


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
            try:
                return view(request, *args, **named)
            except Refusal as refusal:  # of a view that has no form to show it beside
                return refusal_page(request, refusal)

        return run

    return put


def refusal_page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """A refusal on a page of its own, or as JSON, at the status 422."""
    if wants_json(request):
        said = {"code": refusal.code, "sentence": refusal.sentence, "field": refusal.field}
        return refused(JsonResponse(said, status=422), refusal.code)
    page = {"title": refusal.code, "sentence": refusal.sentence}
    return refused(render(request, "clinic/message.html", page, status=422), refusal.code)


def writes(permission: str) -> Callable[[Any], Any]:
    """A view that only writes."""
    return allow(permission, permission, methods=())
