"""The live board: one stream of server-sent events per open board, all fed by one look at the database per site.

The one thing to know: a beat goes out each second. A board that hears none turns red within three seconds, because a
dead server must never look like calm vitals. What is written goes out at the next look, a fifth of a second later.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from regrow.clinic import access, cards
from regrow.clinic.models import Site
from regrow.clinic.roles import may

log = logging.getLogger("regrow.live")
BEAT_SECONDS, LOOK_SECONDS = 1.0, 0.2
READ_ANEW = timedelta(minutes=1)  # what is near in time changes though nobody writes
# Entries after which other sessions may be near, or this one no longer.
MOVES = frozenset({"arrive", "sign", "cancel"})
BEHIND = 500  # events a board may lag before it is let go; its browser opens the stream anew
# All looks run in one thread, which keeps its own connection to the database.
_looker = ThreadPoolExecutor(1, "regrow-look")

Event = tuple[str, str]


class Watch:
    """One site's look at the database, shared by every board of the site in this process."""

    def __init__(self, site_id: int) -> None:
        self.site_id = site_id
        self.boards: set[asyncio.Queue[Event | None]] = set()
        self.task: asyncio.Task[None] | None = None
        self.held: cards.Held | None = None
        self.read_at: datetime | None = None
        self.row = 0
        self.drawn: dict[int, tuple[object, str]] = {}

    def _read(self, now: datetime) -> bool:
        """Brings what is held up to date; True when something was written since the last look."""
        newest = access.newest_write()
        if self.held is None or self.read_at is None or now - self.read_at > READ_ANEW:
            self.held, self.read_at, self.row = cards.held(Site.objects.get(pk=self.site_id), now), now, newest
            return True
        if newest == self.row:
            return False
        entries, other = access.written_since(self.row)
        self.row = newest
        if other or any(fact.kind in MOVES for _, fact in entries):
            self.held = cards.held(Site.objects.get(pk=self.site_id), now)
            return True
        known = {fact.seq for rows in self.held.facts.values() for fact in rows}
        for session, fact in entries:
            if session in self.held.facts and fact.seq not in known:
                self.held.facts[session].append(fact)
        return bool(entries)

    def look(self, beat: bool) -> list[Event]:
        """The events since the last look: a card for each chair whose picture changed, and the beat if it is time."""
        now = timezone.now()
        if not self._read(now) and not beat:
            return []
        assert self.held is not None
        places = self.held.places(now)
        events = []
        for place in places:
            c = place.card
            picture = (c.signature if c else None, tuple(x.session.pk for x in place.later))
            if self.drawn.get(place.chair.pk, (None,))[0] == picture:
                continue
            data = {
                "chair": place.chair.pk,
                "html": render_to_string("clinic/_card_live.html", {"place": place, "card": c}),
                "phase": c.s.phase if c else "empty",
                "session": c.session.key if c else "",
                "severity": c.severity if c else "calm",
                "loud": c.loud if c else "calm",
                "version": c.acts if c else "",
                "stamp": c.stamp if c else "",
            }
            self.drawn[place.chair.pk] = picture, json.dumps(data)
            events.append(("card", self.drawn[place.chair.pk][1]))
        if beat:
            order, duty = [p.chair.pk for p in places], self.held.duty(now)
            said = {"now": int(now.timestamp() * 1000), "order": order, "duty": duty}
            events.append(("beat", json.dumps(said)))
        return events

    def _look_or_fall_silent(self, beat: bool) -> list[Event]:
        try:
            return self.look(beat)
        except Exception:
            # No beat goes out: every board turns red, which is the truth. The next look begins afresh.
            log.exception("the look at the database failed")
            self.held = None
            connections.close_all()
            return []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        beat_at = loop.time()
        while self.boards:
            beat = loop.time() >= beat_at
            if beat:
                beat_at = max(beat_at + BEAT_SECONDS, loop.time())
            events = await loop.run_in_executor(_looker, self._look_or_fall_silent, beat)
            for board in list(self.boards):
                self._send(board, events)
            await asyncio.sleep(min(LOOK_SECONDS, max(0.0, beat_at - loop.time())))
        await loop.run_in_executor(_looker, connections.close_all)

    def _send(self, board: asyncio.Queue[Event | None], events: list[Event]) -> None:
        if board.qsize() > BEHIND:
            self.boards.discard(board)
            board.put_nowait(None)
        else:
            for event in events:
                board.put_nowait(event)

    def join(self) -> asyncio.Queue[Event | None]:
        """A new board's queue, filled with the picture as it is."""
        board: asyncio.Queue[Event | None] = asyncio.Queue()
        if self.task is None or self.task.done():
            self.held, self.drawn = None, {}
            self.task = asyncio.get_running_loop().create_task(self.run())
        for _, data in self.drawn.values():
            board.put_nowait(("card", data))
        self.boards.add(board)
        return board


_watches: dict[int, Watch] = {}


async def _events(site_id: int, user_id: int) -> AsyncIterator[str]:
    watch = _watches.setdefault(site_id, Watch(site_id))
    board = watch.join()
    beats = 0
    try:
        while (event := await board.get()) is not None:
            name, data = event
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
    site_id = next((pk for pk in mine if wanted in ("", str(pk))), None)
    if site_id is None:
        return HttpResponse(status=404)
    response = StreamingHttpResponse(_events(site_id, staff.user_id), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
