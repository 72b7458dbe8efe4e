"""A session's state, computed from its append-only entries and the moment; pure, no database, no clock.

The one thing to know: entries are put in the order of the time they were true (`at`), so that one written offline and
sent late falls into its place; a stop always wins over whatever claims to run after it; a correction is a new entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from regrow.clinic.states import CHANGES, STATEFUL, VITALS, Fact, Order, Reading, Round, Segment, State
from regrow.safety import Finding, LeaveFacts, LiveFacts, Rounds, Settings, Severity, Vitals, alarms, discharge
from regrow.safety.alarms import PROCESS, ROUND_SIGNS, TICKS, silenced, standing, worrying_pressure
from regrow.safety.discharge import pressure_before


def corrected(facts: Iterable[Fact]) -> list[Fact]:
    """The facts that hold, in the order of their time: corrected ones with their new payload, struck ones left out."""
    held: dict[int, Fact] = {}
    for fact in sorted(facts, key=lambda f: f.seq):
        if fact.kind in ("correct", "strike"):
            old = held.get(int(fact.payload.get("of", 0)))
            if old is not None and fact.kind == "strike":
                del held[old.seq]
            elif old is not None:
                held[old.seq] = replace(old, payload={**old.payload, **fact.payload["payload"]})
        else:
            held[fact.seq] = fact
    return sorted(_timed(held.values()), key=lambda f: (f.at, f.seq))


def _timed(facts: Iterable[Fact]) -> Iterator[Fact]:
    """The facts at the times they count, in the order of writing.

    Whoever wrote an entry that changes the run saw what was written before it, so it never counts before that, however
    wrong a device's clock was: else a stop "before" its start would leave an infusion running on the board. A stop
    and a dose keep their own time after the start, because a stop that comes late was still a stop then.
    """
    floor: datetime | None = None
    begun: datetime | None = None
    for f in facts:
        if f.kind in CHANGES:
            after = begun if f.kind in ("stop", "dose") else floor
            if after is not None and f.at < after:
                f = replace(f, at=after)
            floor = f.at if floor is None else max(floor, f.at)
            begun = f.at if f.kind == "start" and begun is None else begun
        yield f


def vitals_of(payload: Mapping[str, Any], minute: float) -> Vitals:
    """A vitals payload as the rules read it."""
    numbers = {name: payload.get(name) for name in VITALS}
    flags = {name: bool(payload.get(name)) for name in ("distress", "agitated", "site_trouble")}
    return Vitals(minute, **numbers, **flags, symptoms=tuple(payload.get("symptoms", ())))


def _minutes(later: datetime, earlier: datetime) -> float:
    return (later - earlier).total_seconds() / 60


def state(
    facts: Iterable[Fact], now: datetime, settings: Settings, order: Order | None = None, *, doctor: bool = True
) -> State:
    """The state at `now`, as known from all entries. What was true only after `now` is not yet part of it.

    `doctor` says whether a prescriber is on duty.
    """
    facts = list(facts)
    version = sum(f.kind in STATEFUL for f in facts)
    newest = {f.author_id: f for f in sorted(facts, key=lambda f: f.seq)}
    s = State(version=version, order=order, newest=newest)
    for fact in corrected(facts):
        if fact.at <= now:
            s = _apply(s, fact)
    s = _given(s, now)
    s = _rounds(s, now, settings)
    s = replace(s, alarms=_alarms(s, now, settings, doctor))
    return replace(s, silent=_silent(s, now, settings), stands=_stands(s, now, settings))


def _stands(s: State, now: datetime, settings: Settings) -> tuple[Any, ...]:
    """Changes when time alone opens or closes the way: what stands before the door; before the drug, the minute."""
    if s.phase == "recovery":
        return tuple(f.rule for f in leave_findings(s, now, settings))
    return (int(now.timestamp() // 60),) if s.phase == "arrived" else ()


def _apply(s: State, f: Fact) -> State:
    step = _STEPS.get(f.kind)
    after = step(s, f) if step else s
    return replace(s, ignored=(*s.ignored, f)) if after is None else after


def _arrive(s: State, f: Fact) -> State | None:
    return replace(s, phase="arrived", nurse_lost=f.at) if s.phase == "booked" else None


def _nurse(s: State, f: Fact) -> State | None:
    if s.nurse_id is not None:
        return None
    return replace(s, nurse=f.author, nurse_id=f.author_id, nurse_since=f.at, nurse_lost=None, offered_to=None)


def _offer(s: State, f: Fact) -> State | None:
    return replace(s, offered_to=int(f.payload["to"])) if s.nurse_id == f.author_id else None


def _accept(s: State, f: Fact) -> State | None:
    if s.offered_to != f.author_id:
        return None
    return replace(s, nurse=f.author, nurse_id=f.author_id, nurse_since=f.at, offered_to=None)


def _order_of(s: State, f: Fact) -> Order | None:
    """The order as the start froze it; the watch stays that of the order given in."""
    if s.order is None:
        return None
    p = f.payload
    return replace(s.order, mg=float(p["mg"]), duration_min=float(p["duration_min"]))


def _start(s: State, f: Fact) -> State | None:
    if s.phase != "arrived":
        return None
    order = _order_of(s, f)
    s = replace(s, begun_with=f.payload)
    if order is not None and order.infusion:
        rate = order.mg / (order.duration_min / 60)
        return replace(s, phase="running", started=f.at, order=order, segments=(Segment(f.at, None, rate),))
    return _once(replace(s, phase="running", started=f.at, order=order), f.at, float(f.payload["first_mg"]))


def _once(s: State, at: datetime, mg: float) -> State:
    """A dose given at once; when it was the last of the order, watching begins."""
    s = replace(s, given_once=(*s.given_once, (at, mg)))
    whole = s.order is not None and sum(x for _, x in s.given_once) >= s.order.mg - 1e-6
    return replace(s, phase="recovery", ended=at) if whole else s


def _dose(s: State, f: Fact) -> State | None:
    if s.phase != "running" or (s.order and s.order.infusion):
        return None
    return _once(s, f.at, float(f.payload["mg"]))


def _closed(segments: tuple[Segment, ...], at: datetime) -> tuple[Segment, ...]:
    return tuple(replace(x, end=at) if x.end is None else x for x in segments)


def _rate(s: State, f: Fact) -> State | None:
    if s.phase != "running" or not s.segments:
        return None
    return replace(s, segments=(*_closed(s.segments, f.at), Segment(f.at, None, float(f.payload["mg_per_h"]))))


def _pause(s: State, f: Fact) -> State | None:
    return (
        replace(s, phase="paused", segments=_closed(s.segments, f.at)) if s.phase == "running" and s.segments else None
    )


def _resume(s: State, f: Fact) -> State | None:
    if s.phase != "paused":
        return None
    return replace(s, phase="running", segments=(*s.segments, Segment(f.at, None, s.segments[-1].mg_per_h)))


def _stop(s: State, f: Fact) -> State | None:
    if s.phase not in ("running", "paused"):
        return None
    reason = str(f.payload.get("reason", ""))
    return replace(
        s,
        phase="recovery",
        ended=f.at,
        segments=_closed(s.segments, f.at),
        stop_reason=reason,
        given_said=float(f.payload["given_mg"]) if f.payload.get("given_mg") is not None else None,
    )


def _vitals(s: State, f: Fact) -> State | None:
    minute = _minutes(f.at, s.started) if s.started else -1.0
    reading = Reading(
        f.seq,
        f.at,
        f.author,
        vitals_of(f.payload, minute),
        _minutes(f.recorded, f.at) > 2,
        str(f.payload.get("late_reason", "")),
    )
    s = replace(s, readings=(*s.readings, reading))
    return _based(s) if s.started is None else s


def _based(s: State) -> State:
    """The baseline: the newest value of each sign before the drug, and as old as the oldest of those a round needs."""
    newest = {
        name: next((r for r in reversed(s.readings) if getattr(r.vitals, name) is not None), None) for name in VITALS
    }
    values = {name: getattr(r.vitals, name) if r else None for name, r in newest.items()}
    ticks = {name: standing([r.vitals for r in s.readings], name) for name in TICKS}
    needed = [r.at for name in ROUND_SIGNS if (r := newest[name]) is not None]
    at = min(needed) if needed else s.readings[-1].at
    return replace(s, baseline=Vitals(-1.0, **values, **ticks), baseline_at=at)


def _discharge(s: State, f: Fact) -> State | None:
    if s.phase != "recovery":
        return None
    return replace(s, phase="discharged", discharged=f.at, nurse_at_end=s.nurse, nurse="", nurse_id=None)


def _sign(s: State, f: Fact) -> State | None:
    return replace(s, phase="signed", signed=f.at, signed_by=f.author) if s.phase == "discharged" else None


def _cancel(s: State, f: Fact) -> State | None:
    return replace(s, phase="cancelled", stop_reason=str(f.payload.get("reason", ""))) if s.started is None else None


_STEPS = {
    "arrive": _arrive,
    "nurse": _nurse,
    "offer": _offer,
    "accept": _accept,
    "gate": lambda s, f: replace(s, gate={**s.gate, **f.payload, "at": f.at}),
    "decision": lambda s, f: replace(s, decisions=(*s.decisions, {**f.payload, "by": f.author, "at": f.at})),
    "line": lambda s, f: replace(s, lines=(*s.lines, f)),
    "start": _start,
    "dose": _dose,
    "rate": _rate,
    "pause": _pause,
    "resume": _resume,
    "stop": _stop,
    "vitals": _vitals,
    "chip": lambda s, f: replace(s, chips=(*s.chips, (f.at, str(f.payload["what"])))),
    "event": lambda s, f: replace(s, events=(*s.events, f)),
    "step": lambda s, f: replace(s, steps=(*s.steps, f)),
    "ack": lambda s, f: replace(s, acks=(*s.acks, f)),
    "note": lambda s, f: replace(s, notes=(*s.notes, f)),
    "check": lambda s, f: replace(
        s, check={**s.check, **f.payload}, checked_at={**s.checked_at, **dict.fromkeys(f.payload, f.at)}
    ),
    "rems": lambda s, f: replace(s, rems={**s.rems, **f.payload}),
    "discharge": _discharge,
    "sign": _sign,
    "cancel": _cancel,
    "miss": lambda s, f: replace(s, missed=(*s.missed, f)),
}


def _given(s: State, now: datetime) -> State:
    """mg given up to now, and when an infusion at its present rate ends."""
    if s.started is None or s.order is None:
        return s
    once = sum(mg for _, mg in s.given_once)
    flown = sum(x.mg(now) for x in s.segments)
    if s.phase in ("running", "paused"):
        end = None
        if s.phase == "running" and s.segments and s.segments[-1].mg_per_h > 0:
            last = s.segments[-1]
            before = sum(x.mg(last.start) for x in s.segments[:-1])
            left_h = max(0.0, s.order.mg - once - before) / last.mg_per_h
            end = datetime.fromtimestamp(last.start.timestamp() + left_h * 3600, tz=last.start.tzinfo)
        return replace(s, given_mg=once + min(flown, s.order.mg), planned_end=end)
    return replace(s, given_mg=once + min(flown, s.order.mg) if s.given_said is None else s.given_said)


def _shift(at: datetime, minutes: float) -> datetime:
    return datetime.fromtimestamp(at.timestamp() + minutes * 60, tz=at.tzinfo)


def _rounds(s: State, now: datetime, settings: Settings) -> State:
    """Every due round from the start to now or to the discharge: done, late, missed with a reason, or open."""
    if s.started is None or s.order is None:
        return s
    watch, start = s.order.watch, s.started
    closings: list[tuple[datetime, Reading | None, str]] = [(r.at, r, "") for r in s.readings if r.at > start]
    closings += [(f.at, None, str(f.payload.get("reason", ""))) for f in s.missed if f.at > start]
    closings.sort(key=lambda c: c[0])
    done: list[Round] = []
    minute, worried = 0.0, False
    for at, reading, reason in closings:
        twin = s.twin(reading.seq) if reading else None
        if reading and twin and twin.at > start:  # the lower of two pressures makes the next round no later
            done.append(Round(at, "again", at, "", reading.author, reading.seq))
            worried = worried or worrying_pressure(reading.vitals, settings)
            minute = _minutes(at, start)
            continue
        due = _due(s, watch, start, minute, at, settings, worried)
        late = _minutes(at, due) >= settings.late_grace
        if reading is None:
            done.append(Round(due, "missed", at, reason))
        else:
            done.append(Round(due, "late" if late else "done", at, reading.late_reason, reading.author, reading.seq))
            if reading.vitals.sbp is not None:
                worried = worrying_pressure(reading.vitals, settings)
        minute = _minutes(at, start)
    due_at: datetime | None = None
    if s.phase in ("running", "paused", "recovery"):
        due_at = _due(s, watch, start, minute, now, settings, worried)
        done.append(Round(due_at, "open"))
    return replace(s, rounds=tuple(done), due=due_at)


def _due(
    s: State, watch: Rounds, start: datetime, minute: float, at: datetime, settings: Settings, worried: bool
) -> datetime:
    """When the round after the reading at `minute` is due. The end of an infusion lengthens only what follows."""
    ended = _minutes(s.ended, start) if s.ended else None
    running = ended is None or minute < ended
    sooner = settings.bp_recheck if worried else None
    return _shift(start, watch.due(minute, running, settings, sooner))


def _rate_per_kg(s: State) -> float | None:
    """The rate of a pain infusion that runs, mg/kg/h; None for everything else."""
    weight = s.begun_with.get("weight_kg")
    if s.phase != "running" or not s.segments or s.order is None or s.order.use != "pain" or not weight:
        return None
    return s.segments[-1].mg_per_h / weight


def _suicidal(s: State) -> bool:
    """True from an answer that tells of new suicidal thoughts, before the drug or at the door, until a prescriber has
    decided on it."""
    at_the_door = s.check.get("new_suicidal_ideation")
    told = s.gate.get("new_suicidal_ideation") if at_the_door is None else at_the_door
    asks = "R-GA-07" if at_the_door is None else "R-DC-08"
    return bool(told) and not any(d.get("rule") == asks for d in s.decisions)


def _alarms(s: State, now: datetime, settings: Settings, doctor: bool) -> tuple[Finding, ...]:
    if not s.live:
        return ()
    zero = s.started or now
    gap = (now - s.nurse_lost).total_seconds() if s.nurse_id is None and s.nurse_lost else 0.0
    minute = _minutes(now, zero)
    watch = s.order.watch if s.order and s.started else None
    # Someone who comes with a pressure of 190 is no calm chair: what was measured before the drug alarms until it.
    facts = LiveFacts(
        now=minute,
        readings=tuple(
            replace(r.vitals, minute=_minutes(r.at, zero)) for r in s.readings if s.started is None or r.at >= s.started
        ),
        baseline=s.baseline,
        due=_minutes(s.due, zero) if s.due else None,
        every=watch.interval(minute, s.ended is None) if watch else None,
        end=_minutes(s.planned_end, zero) if s.planned_end else None,
        paused=_minutes(now, s.segments[-1].end or now) if s.phase == "paused" else None,
        nurse_gap=gap,
        prescriber=doctor or s.started is None,
        mg_per_kg_h=_rate_per_kg(s),
        suicidal=_suicidal(s),
    )
    return alarms(facts, settings)


def _silent(s: State, now: datetime, settings: Settings) -> frozenset[str]:
    """The rules whose alarm someone has seen lately and that has become neither louder nor worse since."""
    seen = {f.payload.get("rule"): f for f in s.acks}  # the newest of each rule
    heard = set()
    for alarm in s.alarms:
        ack = seen.get(alarm.rule)
        records = ack.payload.get("findings", ()) if ack and silenced(_minutes(now, ack.at), settings) else ()
        if not any(alarm.covered_by(record) for record in records):
            heard.add(alarm.rule)
    return frozenset(f.rule for f in s.alarms) - heard


_NOT_AT_THE_DOOR = PROCESS | {"R-SU-11"}  # suicidal thoughts have a rule of their own there
# What is asked at the door about the state of the moment; crisis card, instructions and escort do not wear off.
_OF_THE_MOMENT = frozenset({"oriented", "walks", "nausea_controlled", "new_suicidal_ideation", "aldrete", "padss"})


def leave_facts(s: State, now: datetime, settings: Settings) -> LeaveFacts:
    """The state at the door, for the discharge rules."""
    c, watch = s.check, s.order.watch if s.order else None
    after = [r for r in s.readings if s.started and r.at > s.started]
    taken = {n: next((r for r in reversed(after) if getattr(r.vitals, n) is not None), None) for n in VITALS}
    newest = {n: getattr(r.vitals, n) if r else None for n, r in taken.items()}
    before = pressure_before([r.vitals for r in after], settings)
    # A sign never taken is named by its own rule; the others are as old as the oldest of them.
    ages = [_minutes(now, r.at) for n, r in taken.items() if r is not None and n in (*ROUND_SIGNS, "rr", "moaas")]
    answered = [_minutes(now, at) for name, at in s.checked_at.items() if name in _OF_THE_MOMENT]
    begin = (s.ended if watch and watch.from_end else s.started) or now
    observed = _minutes(now, begin) if s.started and (s.ended or not (watch and watch.from_end)) else 0.0
    scores = {n: tuple(int(v) for v in c[n]) if c.get(n) else None for n in ("aldrete", "padss")}
    return LeaveFacts(
        drug=s.order.drug if s.order else "",
        route=s.order.route if s.order else "",
        drug_running=s.phase in ("running", "paused"),
        observed=observed,
        observe=watch.observe if watch else 0.0,
        moaas=newest["moaas"],
        oriented=c.get("oriented"),
        aldrete=scores["aldrete"],
        padss=scores["padss"],
        sbp=newest["sbp"],
        dbp=newest["dbp"],
        base_sbp=s.baseline.sbp if s.baseline else None,
        base_dbp=s.baseline.dbp if s.baseline else None,
        before_sbp=before.sbp if before else None,
        before_dbp=before.dbp if before else None,
        vitals_minutes=max(ages, default=None),
        answers_minutes=max(answered, default=None),
        alarms=tuple(f.sentence for f in s.alarms if f.severity is Severity.RED and f.rule not in _NOT_AT_THE_DOOR),
        spo2=newest["spo2"],
        base_spo2=s.baseline.spo2 if s.baseline else None,
        rr=newest["rr"],
        walks=c.get("walks"),
        nausea_controlled=c.get("nausea_controlled"),
        dissociation=newest["dissociation"],
        new_suicidal_ideation=c.get("new_suicidal_ideation"),
        crisis_card=c.get("crisis_card"),
        line_removed=s.line_out,
        escort_name=str(c.get("escort_name") or s.gate.get("escort_name") or ""),
        escort_present=c.get("escort_present"),
        instructions_read_back=c.get("instructions_read_back"),
        no_driving_acknowledged=c.get("no_driving_acknowledged"),
        bp_at_40=any(r.vitals.sbp is not None and abs(r.vitals.minute - 40) <= settings.anchor_window for r in after),
        slots_unexplained=sum(
            r.status == "late" and r.at is not None and _minutes(r.at, r.due) > 15 and not r.reason for r in s.rounds
        ),
    )


def leave_findings(s: State, now: datetime, settings: Settings) -> tuple[Finding, ...]:
    """What still stands between this person and the door."""
    return discharge(leave_facts(s, now, settings), settings)
