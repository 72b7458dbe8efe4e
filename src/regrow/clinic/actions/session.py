"""Writes of a session: one append-only entry at a time, checked against the state it meets.

The one thing to know: an entry is refused before it is written or it is kept for ever. The same key twice is one entry;
the same key with another content is a conflict that is shown. A stop is never refused for an old version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from regrow.clinic import access, facts
from regrow.clinic.actions import Act, action
from regrow.clinic.actions.payloads import read_payload
from regrow.clinic.models import Entry, Session, Staff
from regrow.clinic.roles import PRESCRIBER
from regrow.clinic.session import leave_findings
from regrow.clinic.states import CORRECTABLE, GUARDED, KINDS, State
from regrow.refusal import Refusal
from regrow.safety import (
    Clearance,
    Finding,
    RegisterFacts,
    Settings,
    dose_findings,
    gate,
    register_findings,
    schedule_findings,
    staffing,
)

IDEM = re.compile(r"[A-Za-z0-9_-]{8,64}")
OLDEST, FUTURE = timedelta(hours=24), timedelta(seconds=60)
UNDER_WAY = timedelta(seconds=5)  # how far two entries' ways to the server may differ
# What was seen while the person sat there is kept, though it arrives after they left.
TRUE_THEN = frozenset({"vitals", "chip", "miss", "line"})
# What may still be written when the session is closed; an adverse event may show the day after.
AFTERWARDS = frozenset({"note", "event", "strike", "correct", "rems", "decision"})
# What nobody but a prescriber may write, besides what the rules ask for.
PRESCRIBER_ONLY = frozenset({"decision"})


class Conflict(Refusal):
    """Two people changed the same thing, or one key came with two contents: shown, never merged in silence."""


@dataclass(frozen=True)
class Sent:
    """One entry as a device sends it. `made_at` and `sent_at` are the device's own clock; `expect` the version seen;
    `ahead` how far (s) the device knew its clock to be ahead when the entry was made; `by` the staff number it holds
    for the one who made it."""

    idem: str
    kind: str
    payload: Mapping[str, Any]
    made_at: datetime | None = None
    sent_at: datetime | None = None
    expect: int | None = None
    device: str = ""
    ahead: float | None = None
    by: str = ""


@dataclass(frozen=True)
class Kept:
    """What became of a sent entry: the row, and whether it was already there."""

    entry: Entry
    repeated: bool
    skew: float = 0.0


def true_time(sent: Sent, now: datetime) -> tuple[datetime, float]:
    """When the entry was made, by the server's clock, and how far the device's clock was off (s, ahead is positive).

    A device that had heard the server before says how far it was off when the entry was made; else, or when its clock
    was set in between so that the entry seems to lie ahead, it is off by what it is off now.
    """
    if sent.made_at is None:
        return now, 0.0
    skew = (sent.sent_at - now).total_seconds() if sent.sent_at else 0.0
    if sent.ahead is not None and sent.made_at - timedelta(seconds=sent.ahead) <= now + FUTURE:
        skew = sent.ahead
    return sent.made_at - timedelta(seconds=skew), skew


def _in_order(session: Session, staff: Staff, sent: Sent, at: datetime) -> datetime:
    """`at`, but not before the entry that the same person made before. Time on the way to the server counts as an error
    of the device's clock, so that an entry long under way seems younger than the next one."""
    if sent.made_at is None:
        return at
    mine = Entry.objects.filter(
        session=session, author=staff, made_at__lte=sent.made_at, made_at__gt=sent.made_at - UNDER_WAY
    )
    before = mine.order_by("made_at", "id").last()
    late = before is not None and timedelta(0) < before.measured_at - at <= UNDER_WAY
    return before.measured_at if late else at


@action("session.write")
def record(act: Act, session: Session, sent: Sent) -> Kept:
    """Keeps one entry and says so only when it is on disk; refuses with a code what must not be kept."""
    if not IDEM.fullmatch(sent.idem):
        raise Refusal("ENTRY-KEY", "entry: its key is missing or has another shape; reload the page.", field="key")
    if sent.kind not in KINDS:
        raise Refusal("ENTRY-KIND", f"entry: kind {sent.kind!r} is not known.", field="kind", value=sent.kind)
    if sent.by and sent.by != str(act.staff.pk):
        raise Conflict(
            "OTHER-PERSON", "entry: someone else made it on this tablet; they must sign in and send it.", field="by"
        )
    payload = read_payload(sent.kind, sent.payload)
    Session.objects.select_for_update().get(pk=session.pk)  # one writer at a time per session
    before = Entry.objects.filter(idem=sent.idem).first()
    if before is not None:
        return _again(before, session, sent, payload)
    if sent.made_at is not None and sent.sent_at is None:
        raise Refusal(
            "SENT-AT-MISSING",
            "entry: made_at came without sent_at, so the device's clock cannot be checked; send both.",
            field="sent_at",
        )
    at, skew = true_time(sent, act.now)
    at = _in_order(session, act.staff, sent, at)
    if at > act.now + FUTURE:
        raise Refusal("ENTRY-TIME", f"entry: made {at:%H:%M:%S}, after now; set the device's clock.", field="made_at")
    if at < act.now - OLDEST:
        raise Refusal(
            "ENTRY-TIME", "entry: made more than 24 h ago; write it as a note with its time.", field="made_at"
        )
    if abs(skew) > 300 and sent.kind in GUARDED:
        raise Refusal(
            "CLOCK-SKEW",
            f"device clock is off by {abs(skew) / 60:.0f} min; set it, then try again.",
            field="sent_at",
            value=skew,
        )
    settings = access.settings_now()
    held = access.facts_of([session])[session.pk]
    now_state = facts.state_of(session, held, act.now, settings)
    if sent.kind in GUARDED and sent.expect is None:
        raise Refusal(
            "EXPECT-MISSING", f"{sent.kind}: the version of the session seen is missing; reload.", field="expect"
        )
    if sent.kind in GUARDED and sent.expect != now_state.version:
        raise Conflict(
            "CHANGED-MEANWHILE",
            f"{sent.kind}: someone changed this session meanwhile (now: {now_state.phase}); look and decide again.",
            field="expect",
            value=sent.expect,
        )
    then = now_state
    if sent.kind in TRUE_THEN and now_state.phase == "discharged":
        then = facts.state_of(session, held, min(at, act.now), settings)
    payload = _checked(act, session, sent.kind, payload, then, settings, at)
    if abs(skew) > 30:
        payload = {**payload, "clock_off_s": round(skew)}
    row = Entry.objects.create(
        session=session,
        idem=sent.idem,
        kind=sent.kind,
        payload=payload,
        measured_at=min(at, act.now),
        made_at=sent.made_at,
        recorded_at=act.now,
        author=act.staff,
        device=sent.device[:40],
    )
    act.log(f"entry {sent.kind}", row, session.course.patient)
    if sent.kind in ("sign", "cancel"):
        session.closed_at = act.now
        session.save()
    return Kept(row, False, skew)


def _again(before: Entry, session: Session, sent: Sent, payload: Mapping[str, Any]) -> Kept:
    same = before.session_id == session.pk and before.kind == sent.kind
    theirs = {k: v for k, v in before.payload.items() if k in payload}
    if not same or theirs != dict(payload):
        raise Conflict(
            "KEY-REUSED", "entry: this key was already used for something else; reload the page.", field="key"
        )
    return Kept(before, True)


def _need(s: State, phases: tuple[str, ...], kind: str) -> None:
    if s.phase not in phases:
        raise Refusal(
            "PHASE", f"{kind}: the session is {s.phase}; this needs {' or '.join(phases)}.", field="kind", value=kind
        )


def _first_block(findings: list[Finding], what: str) -> None:
    if findings:
        rest = f" ({len(findings)} in all: {', '.join(f.rule for f in findings)})" if len(findings) > 1 else ""
        raise Refusal(findings[0].rule, f"{what}: {findings[0].sentence}{rest}", field=what)


def start_findings(
    act_staff: Staff, session: Session, s: State, now: datetime, settings: Settings
) -> tuple[Finding, ...]:
    """Everything that stands between this person and the drug now: gate, people, dose, place in the series."""
    course, site = session.course, session.chair.site
    order = facts.order_for(session, now, settings)
    on_duty = bool(access.on_duty(site))
    chairs = 1 + sum(1 for other in _others(session, now, settings) if other.nurse_id == s.nurse_id and s.nurse_id)
    found = [
        *gate(facts.gate_facts(session, s, now, settings), settings),
        *staffing(facts.staff_facts(act_staff, s, chairs, on_duty, now), settings),
        *schedule_findings(facts.schedule_facts(session, now), settings),
    ]
    dose = dose_findings(
        facts.course_dose_facts(course, now, order.mg if order else None, session.number == 1), settings
    )
    decisions = facts.valid_decisions(course.patient, facts.signed_evaluation(course.patient))
    signed = [record for record in course.findings if course.in_force] + [d.finding for d in decisions]
    # What was signed with the order, or decided on, is not asked again on the day unless its numbers have moved on.
    found += [f for f in dose if f.blocks or not any(f.covered_by(record) for record in signed)]
    return tuple(sorted(found, key=lambda f: (-f.severity, not f.blocks, f.rule)))


def _others(session: Session, now: datetime, settings: Settings) -> list[State]:
    rows = [x for x in access.open_sessions([session.chair.site_id], now) if x.pk != session.pk]
    held = access.facts_of(rows)
    states = [facts.state_of(x, held[x.pk], now, settings) for x in rows]
    return [x for x in states if x.live]


def _checked(
    act: Act, session: Session, kind: str, payload: dict[str, Any], s: State, settings: Settings, at: datetime
) -> dict[str, Any]:
    """The payload to keep, or a refusal. What needs no state passes through."""
    check = _CHECKS.get(kind)
    if kind not in AFTERWARDS and s.phase in ("cancelled", "signed"):
        raise Refusal("PHASE", f"{kind}: the session is {s.phase}; add a note instead.", field="kind", value=kind)
    if kind in PRESCRIBER_ONLY and act.staff.role != PRESCRIBER:
        from django.core.exceptions import PermissionDenied

        raise PermissionDenied(f"{act.staff.role} may not write {kind}")
    return check(act, session, payload, s, settings, at) if check else payload


def _arrive(
    act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime
) -> dict[str, Any]:
    _need(s, ("booked",), "arrive")
    if session.cancelled_at:
        raise Refusal("PHASE", "arrive: this booking was cancelled; book again.", field="kind")
    busy = [
        x
        for x in access.open_sessions([session.chair.site_id], act.now)
        if x.chair_id == session.chair_id and x.pk != session.pk
    ]
    held = access.facts_of(busy)
    for other in busy:
        if facts.state_of(other, held[other.pk], act.now, settings).live:
            raise Refusal(
                "CHAIR-TAKEN",
                f"{session.chair.name} holds someone else; move this booking to another chair.",
                field="chair",
            )
    return p


def _nurse(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    _need(s, ("arrived", "running", "paused", "recovery"), "nurse")
    if s.nurse_id is not None:
        raise Conflict(
            "NURSE-NAMED", f"{s.nurse} answers for this chair; they hand over and you accept.", field="nurse"
        )
    return p


def _offer(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    if s.nurse_id != act.staff.pk:
        raise Refusal("NOT-RESPONSIBLE", "hand-over: only the responsible nurse offers it.", field="to")
    to = access.staff_member(act.staff, p["to"])
    if to.pk == act.staff.pk or to.role not in ("nurse", PRESCRIBER) or session.chair.site not in access.sites(to):
        raise Refusal(
            "HAND-OVER", f"hand-over: {to.name} cannot take this chair; choose a nurse of this site.", field="to"
        )
    return {**p, "to": to.pk, "name": to.name}


def _accept(
    act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime
) -> dict[str, Any]:
    if s.offered_to != act.staff.pk:
        raise Refusal("HAND-OVER", "hand-over: nobody offered you this chair.", field="accept")
    return p


def _gate(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    _need(s, ("arrived",), "gate")
    if p.get("medicines_reviewed") and act.staff.role != PRESCRIBER:
        raise Refusal("R-GA-08", "medicines reviewed: a prescriber records this.", field="medicines_reviewed")
    return p


def _decision(
    act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime
) -> dict[str, Any]:
    """Freezes the finding beside the reason; refuses a rule that says nothing now or that nobody may override."""
    if s.phase == "recovery":
        found: tuple[Finding, ...] = leave_findings(s, act.now, settings)
    else:
        found = start_findings(act.staff, session, s, act.now, settings)
    match = [f for f in found if f.rule == p["rule"] and facts.subject_of(f) == p.get("subject", "")]
    if not match:
        raise Refusal("NO-FINDING", f"{p['rule']} says nothing now; reload the page.", field="rule", value=p["rule"])
    if match[0].blocks:
        raise Refusal(match[0].rule, f"{match[0].sentence} Nobody may override this.", field="rule")
    if match[0].clearance is Clearance.SECOND and act.staff.pk == session.course.signed_by_id:
        raise Refusal(
            "SECOND-SIGNATURE",
            f"{match[0].rule}: {session.course.signed_by} signed the order; another prescriber decides on this.",
            field="rule",
        )
    _licensed(act)
    return {**p, "finding": match[0].record()}


def _licensed(act: Act) -> None:
    from regrow.clinic.actions.intake import _entitled

    _entitled(act)


def _start(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    """Freezes what is given: mg, minutes, arithmetic, settings version. The gate must be open at this moment."""
    _need(s, ("arrived",), "start")
    if (act.now - at).total_seconds() > 120:
        raise Refusal(
            "START-OFFLINE", "start: it needs the server at the moment of the start; start again now.", field="start"
        )
    found = start_findings(act.staff, session, s, act.now, settings)
    blocking, open_ones = facts.decided_in_session(found, s)
    _first_block(blocking, "start")
    _first_block(open_ones, "start: a prescriber decides")
    course = session.course
    order = s.order
    if order is None:
        raise Refusal("R-DO-01", "start: no weight is recorded; weigh the person.", field="weight")
    if p.get("read_back_mg") is None or abs(float(p["read_back_mg"]) - order.mg) > 0.05 + order.mg * 0.001:
        raise Refusal(
            "READ-BACK",
            f"read back {p.get('read_back_mg')!r} mg, ordered {order.mg:.1f} mg; read the pump or the syringe again.",
            field="read_back_mg",
            value=p.get("read_back_mg"),
        )
    first = order.mg if order.infusion else 28.0 if order.devices else order.mg
    if p.get("first_mg") is not None and not order.infusion and not order.devices:
        first = float(p["first_mg"])
        if not 0 < first <= order.mg + 1e-6:
            raise Refusal(
                "FIRST-MG", f"first dose {first:g} mg is outside 0 to {order.mg:g} mg.", field="first_mg", value=first
            )
    return {
        **p,
        "mg": round(order.mg, 3),
        "first_mg": round(first, 3),
        "duration_min": order.duration_min,
        "text": facts.text_of_session(session),
        "basis": course.basis,
        "prescribers": [p.name for p in access.on_duty(session.chair.site)],
        "weight_kg": facts.body(course.patient)[0],
        "settings": settings.version,
        "findings": [f.record() for f in found],
    }


def _rate(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    _need(s, ("running",), "rate")
    if not s.order or not s.order.infusion:
        raise Refusal("PHASE", "rate: this is no infusion.", field="mg_per_h")
    ordered = s.order.mg / (s.order.duration_min / 60)
    if p["mg_per_h"] > ordered * 1.001 and act.staff.role != PRESCRIBER:
        raise Refusal(
            "RATE-ABOVE",
            f"rate {p['mg_per_h']:g} mg/h is above the ordered {ordered:g} mg/h; a prescriber enters it.",
            field="mg_per_h",
            value=p["mg_per_h"],
        )
    if p["mg_per_h"] > ordered * 2:
        raise Refusal(
            "RATE-RANGE",
            f"rate {p['mg_per_h']:g} mg/h is more than twice the ordered {ordered:g} mg/h; plan anew.",
            field="mg_per_h",
            value=p["mg_per_h"],
        )
    if p["mg_per_h"] <= 0:
        raise Refusal("RATE-RANGE", "rate 0 mg/h: pause or stop the infusion instead.", field="mg_per_h", value=0)
    weight = facts.body(session.course.patient)[0]
    if (
        s.order.use == "pain"
        and weight
        and p["mg_per_h"] / weight > max(settings.pain_rate_cap, ordered / weight) + 1e-9
    ):
        raise Refusal(
            "R-DO-05",
            f"rate {p['mg_per_h'] / weight:.2f} mg/kg/h is above {settings.pain_rate_cap:g}; "
            "plan anew with two signatures.",
            field="mg_per_h",
            value=p["mg_per_h"],
        )
    return p


def _dose(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    _need(s, ("running",), "dose")
    if not s.order or s.order.infusion:
        raise Refusal("PHASE", "dose: an infusion runs; change its rate instead.", field="mg")
    mg = 28.0 if s.order.devices else p.get("mg")
    if mg is None or mg <= 0 or sum(x for _, x in s.given_once) + mg > s.order.mg + 1e-6:
        raise Refusal(
            "DOSE-ABOVE", f"dose: {mg} mg more would be above the ordered {s.order.mg:g} mg.", field="mg", value=mg
        )
    last = s.given_once[-1][0] if s.given_once else None
    if s.order.devices and last and (at - last).total_seconds() < 295:
        raise Refusal("DEVICE-GAP", "dose: five minutes between two devices.", field="mg")
    return {**p, "mg": mg}


def _stop(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    if s.phase not in ("running", "paused"):
        raise Refusal("PHASE", f"stop: the session is {s.phase}; there is nothing to stop.", field="kind")
    given = p.get("given_mg")
    if given is not None and s.order and given > s.order.mg * 1.05 + 0.1:
        raise Refusal(
            "GIVEN-ABOVE",
            f"given {given:g} mg is above the ordered {s.order.mg:g} mg; enter what was given and "
            "record an adverse event if it was really more.",
            field="given_mg",
            value=given,
        )
    return p


def _ack(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    """Freezes the alarm as it was seen: a louder or a worse one of the same rule is heard again at once."""
    seen = [f.record() for f in s.alarms if f.rule == p["rule"]]
    return {**p, "findings": seen} if seen else p


def _in_phase(*phases: str) -> Any:
    def check(
        act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime
    ) -> dict[str, Any]:
        _need(s, phases, "entry")
        return p

    return check


def _discharge(
    act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime
) -> dict[str, Any]:
    """Refuses before the criteria hold, naming what is missing."""
    _need(s, ("recovery",), "discharge")
    found = leave_findings(s, act.now, settings)
    blocking, open_ones = facts.decided_in_session(found, s)
    _first_block(blocking, "discharge")
    _first_block(open_ones, "discharge: a prescriber decides")
    return {**p, "findings": [f.record() for f in found], "settings": settings.version}


def _sign(act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime) -> dict[str, Any]:
    _need(s, ("discharged",), "sign")
    rows = list(session.movements.all())
    if not rows:
        raise Refusal(
            "REGISTER-EMPTY", "sign: the controlled-drug register has no line for this session.", field="register"
        )
    mg = {k: sum(m.mg for m in rows if m.kind == k) for k in ("drawn", "given", "wasted")}
    closing = RegisterFacts("closed", 0, drawn=mg["drawn"], given=mg["given"], wasted=mg["wasted"], said=s.given_mg)
    found = register_findings(closing, settings)
    if found and len(p.get("reason", "")) < 5:
        raise Refusal(found[0].rule, f"sign: {found[0].sentence} Complete the register or write why.", field="register")
    return {**p, "findings": [f.record() for f in found]} if found else p


def _correct(
    act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime
) -> dict[str, Any]:
    old = Entry.objects.filter(pk=p["of"], session=session).first()
    if old is None or old.kind not in CORRECTABLE:
        raise Refusal(
            "NOT-CORRECTABLE", "correction: this entry cannot be corrected; add a note.", field="of", value=p["of"]
        )
    return {**p, "payload": read_payload(old.kind, {**old.payload, **p["payload"]})}


def _strike(
    act: Act, session: Session, p: dict[str, Any], s: State, settings: Settings, at: datetime
) -> dict[str, Any]:
    old = Entry.objects.filter(pk=p["of"], session=session).first()
    if old is None or not s.may_be_struck(old.kind):
        raise Refusal(
            "NOT-CORRECTABLE",
            f"taking back: {old.kind if old else 'this'} stands while the session is {s.phase}; add a note.",
            field="of",
            value=p["of"],
        )
    return p


_LIVE = ("arrived", "running", "paused", "recovery")
_CHECKS: dict[str, Any] = {
    "arrive": _arrive,
    "nurse": _nurse,
    "offer": _offer,
    "accept": _accept,
    "gate": _gate,
    "decision": _decision,
    "start": _start,
    "rate": _rate,
    "dose": _dose,
    "stop": _stop,
    "discharge": _discharge,
    "sign": _sign,
    "correct": _correct,
    "strike": _strike,
    "pause": _in_phase("running"),
    "resume": _in_phase("paused"),
    "vitals": _in_phase(*_LIVE),
    "chip": _in_phase(*_LIVE),
    "check": _in_phase("recovery"),
    "cancel": _in_phase("booked", "arrived"),
    "miss": _in_phase("running", "paused", "recovery"),
    "line": _in_phase(*_LIVE),
    "ack": _ack,
}


def waiting(found: tuple[Finding, ...], s: State) -> list[tuple[Finding, bool]]:
    """Each finding with whether it is settled: it needs nothing, or a prescriber decided in this session."""
    blocking, open_ones = facts.decided_in_session(found, s)
    left = {id(f) for f in (*blocking, *open_ones)}
    return [(f, id(f) not in left) for f in found]


__all__ = ["Clearance", "Conflict", "Kept", "Sent", "record", "start_findings", "waiting"]
