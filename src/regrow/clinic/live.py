"""The live board: one stream of server-sent events per open board, fed by one look at the database a second per site.

The one thing to know: a beat goes out each second. A board that hears none for three seconds turns red, because a dead
server must never look like calm vitals.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from regrow.clinic import access, cards
from regrow.clinic.models import Site
from regrow.clinic.roles import may

log = logging.getLogger("regrow.live")
BEAT_SECONDS = 1.0


class Watch:
    """One site's look at the database, shared by every board of the site in this process."""

    def __init__(self, site_id: int) -> None:
        self.site_id = site_id
        self.boards: set[asyncio.Queue[tuple[str, str]]] = set()
        self.task: asyncio.Task[None] | None = None
        self.seen: dict[int, Any] = {}
        self.drawn: dict[int, str] = {}

    def look(self) -> list[tuple[str, str]]:
        """The events since the last look: a card for each chair whose picture changed, then the beat."""
        close_old_connections()
        now, settings = timezone.now(), access.settings_now()
        site = Site.objects.get(pk=self.site_id)
        places = cards.board(site, now, settings)
        events = []
        for place in places:
            signature = (place.card.session.pk, place.card.signature) if place.card else None
            signature = (signature, tuple(c.session.pk for c in place.later))
            if self.seen.get(place.chair.pk) != signature:
                self.seen[place.chair.pk] = signature
                html = render_to_string("clinic/_card_live.html", {"place": place, "card": place.card})
                self.drawn[place.chair.pk] = json.dumps(
                    {
                        "chair": place.chair.pk,
                        "html": html,
                        "phase": place.card.s.phase if place.card else "empty",
                        "session": place.card.session.key if place.card else "",
                        "severity": place.card.severity if place.card else "calm",
                    }
                )
                events.append(("card", self.drawn[place.chair.pk]))
        beat = {"now": int(now.timestamp() * 1000), "order": [p.chair.pk for p in places]}
        return [*events, ("beat", json.dumps(beat))]

    async def run(self) -> None:
        while self.boards:
            try:
                events = await sync_to_async(self.look)()
            except Exception:
                # No beat goes out: every board turns red, which is the truth.
                log.exception("the look at the database failed")
                events = []
            for board in list(self.boards):
                for event in events:
                    if board.qsize() < 500:
                        board.put_nowait(event)
            await asyncio.sleep(BEAT_SECONDS)
        self.task = None

    def join(self) -> asyncio.Queue[tuple[str, str]]:
        board: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        for drawn in self.drawn.values():
            board.put_nowait(("card", drawn))
        self.boards.add(board)
        if self.task is None or self.task.done():
            self.seen.clear()
            self.task = asyncio.get_running_loop().create_task(self.run())
        return board


_watches: dict[int, Watch] = {}


async def _events(site_id: int, user_id: int) -> AsyncIterator[str]:
    watch = _watches.setdefault(site_id, Watch(site_id))
    board = watch.join()
    beats = 0
    try:
        while True:
            name, data = await board.get()
            yield f"event: {name}\ndata: {data}\n\n"
            beats += name == "beat"
            if beats >= 30:  # who has left the clinic, or lost the site, stops seeing within half a minute
                beats = 0
                if not await sync_to_async(_still_allowed)(user_id, site_id):
                    return
    finally:
        watch.boards.discard(board)


def _still_allowed(user_id: int, site_id: int) -> bool:
    from regrow.clinic.models import Staff

    staff = Staff.objects.filter(user_id=user_id, active=True, sites=site_id).first()
    return staff is not None and may(staff.role, "board.read")


async def stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The stream of one site's board, for those who may see it."""
    staff = getattr(request, "staff", None)
    if staff is None or not may(staff.role, "board.read"):
        return HttpResponse(status=403)
    mine = await sync_to_async(lambda: list(access.sites(staff).values_list("pk", flat=True)))()
    wanted = request.GET.get("site", "")
    site_id = int(wanted) if wanted.isdigit() else (mine[0] if mine else 0)
    if site_id not in mine:
        return HttpResponse(status=404)
    response = StreamingHttpResponse(_events(site_id, staff.user_id), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
