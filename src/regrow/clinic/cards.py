"""What the board and the session screen show of one chair: the state in words and numbers, ready for a template.

The one thing to know: nothing here ticks. Times go out as moments; the browser counts, and the server looks again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from regrow.clinic import access, facts
from regrow.clinic.actions.payloads import CARDS, CHIPS
from regrow.clinic.models import Session, Site
from regrow.clinic.session import Fact, Order, Reading, State, state
from regrow.safety import Settings, Severity

SIGNS = (("sbp", "BP"), ("hr", "HR"), ("spo2", "SpO2"), ("rr", "RR"), ("moaas", "MOAA/S"), ("dissociation", "Diss."))
ROUTES = {"iv": "IV", "im": "IM", "sc": "SC", "intranasal": "nasal", "oral": "oral", "sublingual": "sublingual"}
PHASES = {
    "booked": "booked",
    "arrived": "here, before the drug",
    "running": "drug running",
    "paused": "PAUSED",
    "recovery": "watched after the drug",
    "discharged": "left, not signed",
    "signed": "closed",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class Sign:
    """One vital sign: its last value, an arrow against the one before, and when."""

    name: str
    text: str
    trend: str


@dataclass(frozen=True)
class Card:
    """One chair for the screen."""

    session: Session
    s: State
    order_text: str
    allergies: tuple[str, ...]
    flags: tuple[str, ...]
    signs: tuple[Sign, ...]
    late_at: datetime | None
    watch_until: datetime | None
    prescribers: tuple[str, ...]
    severity: str
    missed: int
    lates: int
    sparkline: str

    @property
    def patient(self) -> Any:
        return self.session.course.patient

    @property
    def phase_text(self) -> str:
        return PHASES[self.s.phase]

    @property
    def stamp(self) -> str:
        """The signature in a word, for a page to compare."""
        return hashlib.sha256(repr(self.signature).encode()).hexdigest()[:12]

    @property
    def signature(self) -> tuple[Any, ...]:
        """Changes whenever the card must be drawn again."""
        s = self.s
        last = s.last.seq if s.last else 0
        alarms = tuple((f.rule, f.sentence) for f in s.alarms)
        return (
            self.session.pk,
            s.phase,
            s.version,
            last,
            alarms,
            s.nurse,
            s.offered_to,
            len(s.chips),
            len(s.acks),
            len(s.events),
            len(s.steps),
            self.prescribers,
            s.due,
            self.signs,
        )


def _value(reading: Reading, name: str) -> float | None:
    return getattr(reading.vitals, name)


def _signs(s: State) -> tuple[Sign, ...]:
    rows = []
    for name, title in SIGNS:
        seen = [r for r in s.readings if _value(r, name) is not None]
        if not seen:
            continue
        now, before = _value(seen[-1], name), _value(seen[-2], name) if len(seen) > 1 else None
        trend = "" if before is None or now is None else "↑" if now > before else "↓" if now < before else "→"
        text = f"{now:g}"
        if name == "sbp":
            text += f"/{seen[-1].vitals.dbp:g}" if seen[-1].vitals.dbp is not None else "/–"
        rows.append(Sign(title, text, trend))
    return tuple(rows)


def sparkline(s: State, width: int = 120, height: int = 28) -> str:
    """The path of the systolic pressure over the session, for a small picture; empty below two readings."""
    points = [(r.at.timestamp(), r.vitals.sbp) for r in s.readings if r.vitals.sbp is not None]
    if len(points) < 2:
        return ""
    (first, _), (last, _) = points[0], points[-1]
    span = max(last - first, 1.0)
    marks = [
        (2 + (t - first) / span * (width - 4), height - 2 - (min(max(v, 80), 200) - 80) / 120 * (height - 4))
        for t, v in points
    ]
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in marks)


def order_text(s: State) -> str:
    """The order in a line: ketamine 40 mg IV in 40 min."""
    o = s.order
    if o is None:
        return "dose: weigh first"
    text = f"{o.drug} {o.mg:g} mg {ROUTES.get(o.route, o.route)}"
    if o.infusion:
        return f"{text} in {o.duration_min:g} min"
    return f"{text}, {o.devices} devices" if o.devices else text


def card(session: Session, s: State, settings: Settings, prescribers: tuple[str, ...]) -> Card:
    """One chair as the screens show it."""
    patient = session.course.patient
    late_at = s.due + timedelta(minutes=settings.late_grace) if s.due else None
    until = None
    if s.order and s.started:
        begin = s.ended if s.order.watch.from_end else s.started
        until = begin + timedelta(minutes=s.order.watch.observe) if begin else None
    severity = {None: "calm", Severity.INFO: "calm", Severity.AMBER: "amber", Severity.RED: "red"}[s.severity]
    flags = tuple(n for n, on in (("PAUSED", s.phase == "paused"), ("adverse event", bool(s.events))) if on)
    return Card(
        session,
        s,
        order_text(s),
        tuple(a.substance for a in patient.allergies.all()),
        flags,
        _signs(s),
        late_at,
        until,
        prescribers,
        severity,
        sum(r.status == "missed" for r in s.rounds),
        sum(r.status == "late" for r in s.rounds),
        sparkline(s),
    )


def one(session: Session, now: datetime) -> Card:
    """The card of one session now."""
    settings = access.settings_now()
    held = access.facts_of([session])[session.pk]
    s = facts.state_of(session, held, now, settings)
    return card(session, s, settings, tuple(p.name for p in access.on_duty(session.chair.site)))


@dataclass(frozen=True)
class Place:
    """One chair of a site with whoever is or will be in it today."""

    chair: Any
    card: Card | None
    later: tuple[Card, ...]


@dataclass
class Held:
    """A site's board as last read from the database; `places` works out the picture of any moment without it."""

    chairs: list[Any]
    sessions: list[Session]
    facts: dict[int, list[Fact]]
    orders: dict[int, Order | None]
    prescribers: tuple[str, ...]
    settings: Settings

    def places(self, now: datetime) -> list[Place]:
        """Every chair of the site: the red ones first, then those whose round is due soonest, the empty ones last."""
        states = [(x, state(self.facts[x.pk], now, self.settings, self.orders[x.pk])) for x in self.sessions]
        cards = [
            card(x, s, self.settings, self.prescribers) for x, s in states if s.phase not in ("signed", "cancelled")
        ]
        found = []
        for chair in self.chairs:
            here = [c for c in cards if c.session.chair_id == chair.pk]
            live = [c for c in here if c.s.live or c.s.phase == "discharged"]
            booked = [c for c in here if c.s.phase == "booked"]
            current = next((c for c in live if c.s.live), live[0] if live else None)
            found.append(Place(chair, current, tuple(c for c in (*live, *booked) if c is not current)))
        return sorted(found, key=_urgency)


def held(site: Site, now: datetime) -> Held:
    """What the board of a site shows, read from the database."""
    sessions, settings = access.open_sessions([site.pk], now), access.settings_now()
    orders = {x.pk: facts.order_for(x, now, settings) for x in sessions}
    prescribers = tuple(p.name for p in access.on_duty(site))
    return Held(list(site.chairs.all()), sessions, access.facts_of(sessions), orders, prescribers, settings)


def _urgency(place: Place) -> tuple[Any, ...]:
    if place.card is None:
        return (3, 0.0, place.chair.pk)
    rank = {"red": 0, "amber": 1, "calm": 2}[place.card.severity]
    due = place.card.s.due.timestamp() if place.card.s.due else float("inf")
    return (rank, due, place.chair.pk)


CHIP_NAMES, EMERGENCIES = CHIPS, CARDS
