"""Structured logs without patient data: one JSON object a line on stderr, for each request and each fault.

The one thing to know: nothing that a person typed gets in. A request is its method, the pattern of its route, status,
time and the number of the staff member; a fault is its kind and the lines of code it passed, never its message.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest

log = logging.getLogger("regrow.request")
QUIET = ("/static/", "/health")


class Lines(logging.Formatter):
    """A record as one line of JSON. Of an exception only the kind and the places: a message may hold a name."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.msg if isinstance(record.msg, str) else type(record.msg).__name__,
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["fault"] = record.exc_info[0].__name__
            said["places"] = places(record.exc_info[2])
        return json.dumps(said | getattr(record, "facts", {}))


def places(found: Any) -> list[str]:
    """The lines of code a fault passed, the last ones first: file:line function."""
    frames = traceback.extract_tb(found)[-8:]
    return [f"{'/'.join(f.filename.split('/')[-3:])}:{f.lineno} {f.name}" for f in reversed(frames)]


def requests(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Logs every request but those for files and health."""

    def middleware(request: HttpRequest) -> Any:
        begun = time.perf_counter()
        response = get_response(request)
        if not request.path.startswith(QUIET):
            match, staff = request.resolver_match, getattr(request, "staff", None)
            facts = {
                "method": request.method,
                "route": match.route if match else "-",
                "status": response.status_code,
                "ms": round((time.perf_counter() - begun) * 1000),
                "staff": staff.pk if staff else None,
            }
            code = response.headers.get("Regrow-Refused")
            log.info("request", extra={"facts": facts | ({"code": code} if code else {})})
        return response

    return middleware


def _fault(sender: Any, request: HttpRequest | None = None, **_: Any) -> None:
    route = request.resolver_match.route if request is not None and request.resolver_match else "-"
    logging.getLogger("regrow.fault").error("fault", exc_info=sys.exc_info(), extra={"facts": {"route": route}})


got_request_exception.connect(_fault, dispatch_uid="regrow.fault")
