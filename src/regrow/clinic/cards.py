"""What the board and the session screen show of one chair: the state in words and numbers, ready for a template.

The one thing to know: nothing here ticks. Times go out as moments; the browser counts, and the server looks again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from regrow.clinic import access, facts, forecast
from regrow.clinic.actions.payloads import CARDS, CHIPS
from regrow.clinic.models import Session, Site
from regrow.clinic.session import state
from regrow.clinic.states import Fact, Order, Reading, State
from regrow.safety import Settings, Severity
from regrow.safety.alarms import SYMPTOMS

SIGNS = (("sbp", "BP"), ("hr", "HR"), ("spo2", "SpO2"), ("rr", "RR"), ("moaas", "MOAA/S"), ("dissociation", "Diss."))
DEVICE_GAP = timedelta(minutes=5)
MOAAS = (("5", "awake"), ("4", "lethargic"), ("3", "loud call"), ("2", "shaking"), ("1", "pain"), ("0", "none"))
# What a nurse may say with one tap; another word may be typed.
PAUSE_WHY = ("pressure", "oxygen or breathing", "distress", "nausea", "line or pump", "the person asks")
STOP_WHY = ("end of the dose", "pressure", "oxygen or breathing", "distress", "line or pump", "the person asks")
SEEN_WHY = ("seen, checking now", "prescriber told", "known and accepted")
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
class Rate:
    """What flows now and since when, so that a screen may count on: mg given, mg/h, and mL where the bag is known."""

    at: datetime
    mg: float
    mg_per_h: float
    top: float
    ml_per_h: float | None = None
    ml_left: float | None = None


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
    window: forecast.Window | None = None
    rate: Rate | None = None
    next_device: datetime | None = None
    anchors: tuple[tuple[str, bool], ...] = ()

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
            tuple(sorted((author, f.seq) for author, f in s.newest.items())),  # whatever was written
            self.prescribers,
            s.due,
            self.signs,
            tuple(sorted(s.silent)),
            self.window is None,
            self.anchors,
            self.order_text,
            self.allergies,
            s.stands,
        )

    @property
    def acts(self) -> str:
        """Changes whenever something else may be tapped at this chair: its version, the alarms nobody has seen, who
        answers for it."""
        s = self.s
        return f"{s.version} {s.nurse_id} {s.offered_to} {' '.join(f.rule for f in s.alarms if f.rule not in s.silent)}"

    @property
    def loud(self) -> str:
        """What is to be heard: red, amber or calm; an alarm that someone has seen is silent for a while."""
        return TONES[self.s.loud]

    @property
    def felt(self) -> tuple[datetime, datetime] | None:
        """From when to when nine of ten simulated people feel this dose; None before the start."""
        if self.window is None or self.s.started is None:
            return None
        begin = self.s.started
        return begin + timedelta(minutes=self.window.begins), begin + timedelta(minutes=self.window.over)


TONES = {None: "calm", Severity.INFO: "calm", Severity.AMBER: "amber", Severity.RED: "red"}


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


def _rate(s: State) -> Rate | None:
    """What flows through the line now; None where nothing does."""
    if s.phase != "running" or not s.segments or s.order is None:
        return None
    last = s.segments[-1]
    given = sum(mg for _, mg in s.given_once) + sum(x.mg(last.start) for x in s.segments[:-1])
    bag = s.begun_with.get("bag_ml")
    ml = bag / s.order.mg if bag and s.order.mg else None
    left = (s.order.mg - given) * ml if ml else None
    return Rate(last.start, given, last.mg_per_h, s.order.mg, last.mg_per_h * ml if ml else None, left)


def _anchors(s: State, settings: Settings) -> tuple[tuple[str, bool], ...]:
    """The pressures that nasal esketamine asks for, and whether each was taken: before, at 40 min, at the end."""
    if s.order is None or not s.order.devices or s.started is None:
        return ()
    after = [r.vitals for r in s.readings if r.vitals.sbp is not None and r.at >= s.started]
    forty = any(abs(v.minute - 40) <= settings.anchor_window for v in after)
    return (("before", s.baseline is not None), ("40 min", forty), ("end", any(v.minute >= 115 for v in after)))


def card(session: Session, s: State, settings: Settings, prescribers: tuple[str, ...]) -> Card:
    """One chair as the screens show it."""
    patient = session.course.patient
    late_at = s.due + timedelta(minutes=settings.late_grace) if s.due else None
    until = None
    if s.order and s.started:
        begin = s.ended if s.order.watch.from_end else s.started
        until = begin + timedelta(minutes=s.order.watch.observe) if begin else None
    next_device = None
    if s.phase == "running" and s.order and s.order.devices and s.given_once:
        next_device = s.given_once[-1][0] + DEVICE_GAP
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
        TONES[s.severity],
        sum(r.status == "missed" for r in s.rounds),
        sum(r.status == "late" for r in s.rounds),
        sparkline(s),
        forecast.window_beside(s.order),
        _rate(s),
        next_device,
        _anchors(s, settings),
    )


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
    duties: tuple[tuple[str, datetime], ...]
    settings: Settings

    def prescribers(self, now: datetime) -> tuple[str, ...]:
        """Who is on duty at this moment: a word said long ago ends by itself."""
        return tuple(name for name, until in self.duties if now < until)

    def duty(self, now: datetime) -> list[dict[str, str]]:
        """Who is on duty at this moment and until when that word counts, by the clinic's clock."""
        return [
            {"name": name, "until": timezone.localtime(until).strftime("%H:%M")}
            for name, until in self.duties
            if now < until
        ]

    def places(self, now: datetime) -> list[Place]:
        """Every chair of the site: the red ones first, then those whose round is due soonest, the empty ones last."""
        prescribers = self.prescribers(now)
        states = [
            (x, state(self.facts[x.pk], now, self.settings, self.orders[x.pk], doctor=bool(prescribers)))
            for x in self.sessions
        ]
        cards = [card(x, s, self.settings, prescribers) for x, s in states if s.phase not in ("signed", "cancelled")]
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
    duties = tuple((p.name, until) for p, until in access.duties(site))
    return Held(list(site.chairs.all()), sessions, access.facts_of(sessions), orders, duties, settings)


def _urgency(place: Place) -> tuple[Any, ...]:
    if place.card is None:
        return (3, 0.0, place.chair.pk)
    rank = {"red": 0, "amber": 1, "calm": 2}[place.card.severity]
    due = place.card.s.due.timestamp() if place.card.s.due else float("inf")
    return (rank, due, place.chair.pk)


def place(chair: Any, now: datetime) -> Place:
    """One chair with whoever is or will be in it today."""
    return next(p for p in held(chair.site, now).places(now) if p.chair.pk == chair.pk)


def words() -> dict[str, Any]:
    """What every card offers to tap, the same on the board and on the session's own screen."""
    return {
        "chips": CHIPS,
        "emergencies": CARDS,
        "pause_why": PAUSE_WHY,
        "stop_why": STOP_WHY,
        "seen_why": SEEN_WHY,
        "moaas": MOAAS,
        "moaas_help": "5 answers to the name, 4 lethargic, 3 only to loud calls, 2 to shaking, 1 to pain, 0 not at all",
        "tenths": [str(n) for n in range(11)],
        "symptoms": SYMPTOMS,
    }
