"""Who gets what when: phases that may end on a score, protocols, and how a course walks through them.

The one thing to know: a protocol is walked, never unrolled beforehand. `opening` gives every session that is fixed from
the start as one block; where a phase ends on a rule over a score, the block stops at the visit that decides, and
`advance` takes the answer (rule met or not) and gives the next block. `Progress` is a value: people with the same one
may be solved together. Everything here is pure: no chance, no clock. Days count from the first treatment (day 0).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from typing import Any

from regrow.dosing import DEFAULT_DURATION, KETAMINES, LAST_DAY, Dose, Session, check_overlap, ordered, route_named
from regrow.refusal import Refusal
from regrow.units import read

BELIEFS = ("open", "saline-blind", "active-placebo", "masked", "none")
OPEN_ENDED_DAYS, AFTERLAST_DAYS, SHORTEST_DAYS = 26 * 7.0, 28.0, 7.0


@dataclass(frozen=True)
class Rule:
    """A rule over a score that ends a phase.

    Met by a score of `at_most` points, or by a fall of `fall_percent` from baseline, at `visits` consecutive visits of
    that phase. `name` says what it stands for ("remission"). Refuses with RULE-BAD.
    """

    scale: str
    at_most: float | None = None
    fall_percent: float | None = None
    visits: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.fall_percent is None):
            raise Refusal("RULE-BAD", "rule: give either at_most or fall_percent, one of the two", field="until")
        for field, value, most in (("at_most", self.at_most, math.inf), ("fall_percent", self.fall_percent, 100)):
            if value is not None and not (math.isfinite(value) and 0 <= value <= most):
                limit = "points from 0" if field == "at_most" else "percent from 0 to 100"
                sentence = f"rule: {field} is {value:g}; give {limit}"
                raise Refusal("RULE-BAD", sentence, field=f"until.{field}", value=value)
        if self.visits < 1:
            sentence = f"rule: visits is {self.visits}, below 1; give the number of consecutive visits"
            raise Refusal("RULE-BAD", sentence, field="until.visits", value=self.visits)

    def met(self, score: Any, baseline: Any) -> Any:
        """Whether the score of a visit meets the rule: a bool, or an array of them. A score that is nan never does."""
        if self.at_most is not None:
            return score <= self.at_most
        return score <= baseline * (1 - (self.fall_percent or 0.0) / 100)

    @property
    def text(self) -> str:
        """The rule in words: "MADRS at most 10 (remission) at 2 consecutive visits"."""
        what = f"at most {self.at_most:g}" if self.at_most is not None else f"down by {self.fall_percent:g} %"
        meaning = f" ({self.name})" if self.name else ""
        return f"{self.scale} {what}{meaning} at {self.visits} consecutive visit{'s' if self.visits > 1 else ''}"


@dataclass(frozen=True)
class Phase:
    """A stretch of a protocol: sessions on stated `days`, or every so many days after the session before.

    `every_days` starts `every_days` after the last session of the phase before, or on `first_day`; it ends after
    `count` sessions, when `until` is met, or never. `doses` holds what each session gives, the last entry repeating.
    `optional` says that the source leaves it open whether this phase follows; it is run all the same.
    """

    name: str
    doses: tuple[tuple[Dose, ...], ...]
    days: tuple[float, ...] = ()
    every_days: float | None = None
    first_day: float | None = None
    count: int | None = None
    until: Rule | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        if not self.doses or not all(self.doses):
            raise self._bad("doses", self.doses, "is empty; give at least one dose for each session")
        if bool(self.days) == (self.every_days is not None):
            raise self._bad("days", self.days, "must stand alone: give either days or every_days, one of the two")
        if not all(0 <= day <= LAST_DAY for day in self.days) or list(self.days) != sorted(set(self.days)):
            raise self._bad("days", self.days, f"are not rising days from 0 to {LAST_DAY:g}; sort them, name each once")
        if self.every_days is None and (self.first_day is not None or self.count is not None):
            raise self._bad(
                "first_day", self.first_day, "and count belong to every_days; leave them out where days are given"
            )
        if self.every_days is not None and not 0 < self.every_days <= LAST_DAY:
            raise self._bad(
                "every_days", self.every_days, f"is outside 0 to {LAST_DAY:g}; give the days between sessions"
            )
        if self.count is not None and not 1 <= self.count <= LAST_DAY:
            raise self._bad("count", self.count, f"is outside 1 to {LAST_DAY:g}; give the number of sessions")
        if self.every_days is not None:
            check_overlap(tuple(self.session(place, place * self.every_days) for place in range(len(self.doses) + 2)))

    def _bad(self, key: str, value: object, sentence: str) -> Refusal:
        shown = list(value) if isinstance(value, tuple) else value
        return Refusal("PHASE-BAD", f"phase {self.name}: {key} {shown} {sentence}", field=key, value=value)

    @property
    def fixed(self) -> bool:
        """Whether its sessions are all known beforehand."""
        return self.until is None and (bool(self.days) or self.count is not None)

    def session(self, place: int, day: float) -> Session:
        """Its session number `place` (from 0), held on `day`."""
        return Session(day, self.doses[min(place, len(self.doses) - 1)], self.name)

    def day(self, place: int, before: float | None) -> float | None:
        """The day of its session number `place`, given the day of the session before; None when there is none left."""
        if self.days:
            return self.days[place] if place < len(self.days) else None
        if self.count is not None and place >= self.count:
            return None
        assert self.every_days is not None
        if place == 0 and (self.first_day is not None or before is None):
            return self.first_day or 0.0
        return (before or 0.0) + self.every_days


@dataclass(frozen=True)
class Protocol:
    """A rule that yields sessions: phases in their order, where they come from, and what the source leaves open.

    `doses` is the session to give where a schedule comes from outside (`--days`). `assumed` lists what the source does
    not state and the house filled in ("dose 0.5 mg/kg"), `choices` what the source offers besides what is written here.
    """

    id: str
    title: str
    source: str
    phases: tuple[Phase, ...]
    doses: tuple[Dose, ...]
    note: str = ""
    assumed: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for place, phase in enumerate(self.phases[1:], start=1):
            before = self.phases[place - 1]
            if not before.fixed and before.until is None:
                raise self._bad(before, "phase", "never ends, so the next never comes; give it count or until")
            if phase.days and any(earlier.until for earlier in self.phases[:place]):
                raise self._bad(phase, "days", "has fixed days behind a phase that ends on a score; use every_days")
        fixed = self._fixed_part()
        if fixed and fixed[0].day != 0:
            raise self._bad(fixed[0], "days", f"begins on day {fixed[0].day:g}; days count from the first session, 0")
        for earlier, later in pairwise(fixed):
            if later.day <= earlier.day:
                sentence = f"has day {later.day:g} behind day {earlier.day:g}; let its days rise"
                raise self._bad(later, "days", sentence)
        following = next((phase for phase in self.phases if not phase.fixed), None)
        if following and following.first_day is not None and fixed and following.first_day <= fixed[-1].day:
            raise self._bad(following, "first_day", f"begins before day {fixed[-1].day:g} is over; begin it later")
        check_overlap(fixed)

    def _bad(self, where: Phase | Session, key: str, sentence: str) -> Refusal:
        name = where.name if isinstance(where, Phase) else where.phase
        return Refusal("PHASE-BAD", f"protocol {self.id}: phase {name} {sentence}", field=key, value=name)

    def _fixed_part(self) -> list[Session]:
        leading = tuple(takewhile(lambda phase: phase.fixed, self.phases))
        return list(_block(leading, 0, 0, None, math.inf)[0])

    @property
    def days(self) -> list[float]:
        """The days of its fixed part, from the first treatment; [] when the source states none."""
        return [session.day for session in self._fixed_part()]

    @property
    def open_ended(self) -> bool:
        """Whether it goes on until the horizon or until a score says otherwise."""
        return any(not phase.fixed for phase in self.phases)

    @property
    def until_h(self) -> float:
        """How long to simulate by default, h: 26 weeks if open-ended, else 28 d after the last session."""
        if self.open_ended:
            return OPEN_ENDED_DAYS * 24
        return max(SHORTEST_DAYS, max(self.days, default=0.0) + AFTERLAST_DAYS) * 24


# --- walking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """Where a course stands at a visit that decides.

    `phase` is the phase's place in the protocol, `given` the sessions given in it, `day` the day of the deciding visit,
    `run` at how many visits in a row before it the rule was met.
    """

    phase: int
    given: int
    day: float
    run: int = 0

    def rule(self, protocol: Protocol) -> Rule:
        """The rule to put the score of this visit to."""
        until = protocol.phases[self.phase].until
        assert until is not None
        return until


def opening(protocol: Protocol, until_day: float = math.inf) -> tuple[tuple[Session, ...], Progress | None]:
    """The sessions fixed from the start, and the visit that decides what follows (the last of them), or None.

    Sessions on or after `until_day` are left out; a protocol without an end needs one. The score of the deciding visit
    is rated before its dose, and that dose is given whatever the score says. Refuses with PROTOCOL-NO-DAYS a protocol
    whose source states no schedule.
    """
    if not protocol.phases:
        sentence = (
            f'protocol: {protocol.id!r} states no schedule; give the days of the sessions, for example --days "0,3,7"'
        )
        raise Refusal("PROTOCOL-NO-DAYS", sentence, field="days", value=protocol.id)
    return _block(protocol.phases, 0, 0, None, until_day)


def advance(
    protocol: Protocol, progress: Progress, met: bool, until_day: float
) -> tuple[tuple[Session, ...], Progress | None]:
    """The next block of sessions once the visit at `progress` has been rated, and the visit that decides next, or None.

    `met` says whether that visit's score met the rule (`progress.rule(protocol).met(score, baseline)`). After the
    rule's number of visits in a row the phase is over and the next one begins.
    """
    run = progress.run + 1 if met else 0
    if run >= progress.rule(protocol).visits:
        return _block(protocol.phases, progress.phase + 1, 0, progress.day, until_day)
    sessions, then = _block(protocol.phases, progress.phase, progress.given, progress.day, until_day)
    return sessions, replace(then, run=run) if then and then.phase == progress.phase else then


def _block(
    phases: tuple[Phase, ...], place: int, count: int, before: float | None, until_day: float
) -> tuple[tuple[Session, ...], Progress | None]:
    sessions: list[Session] = []
    while place < len(phases):
        phase = phases[place]
        day = phase.day(count, before)
        if day is None:
            place, count = place + 1, 0
            continue
        if day >= until_day:
            break
        if not phase.fixed and phase.until is None and until_day == math.inf:
            sentence = f'until: phase {phase.name} has no end; give the time to simulate, for example "26 weeks"'
            raise Refusal("UNTIL-MISSING", sentence, field="until", value=phase.name)
        sessions.append(phase.session(count, day))
        count, before = count + 1, day
        if phase.until is not None:
            return tuple(sessions), Progress(place, count, day)
    return tuple(sessions), None


def walk(protocol: Protocol, until_day: float, met: Iterable[bool] = ()) -> tuple[Session, ...]:
    """All sessions up to `until_day` when the deciding visits answer as `met` says, and "no" after those run out.

    With no answers this is the projected schedule: every rule stays unmet.
    """
    answers = iter(met)
    sessions, progress = opening(protocol, until_day)
    while progress is not None:
        block, progress = advance(protocol, progress, next(answers, False), until_day)
        sessions += block
    return sessions


# --- options given at the door --------------------------------------------------------------------------------------


def read_days(text: str | Iterable[float]) -> tuple[float, ...]:
    """The session days that "0,3,7" states, sorted; refuses with DAYS-BAD what is no list of different days from 0.

    The first session is day 0: a list that begins later is refused with the same list counted from there.
    """
    try:
        parts = text.split(",") if isinstance(text, str) else list(text)
        days = tuple(sorted(float(part) for part in parts))
    except (TypeError, ValueError):
        days = ()
    if not days or not all(0 <= day <= LAST_DAY for day in days) or len(set(days)) < len(days):
        limit = f"is not a list of different days from 0 to {LAST_DAY:g}"
        raise Refusal("DAYS-BAD", f'days: {text!r} {limit}; write them like "0,3,7"', field="days", value=text)
    if days[0] != 0:
        way = ",".join(f"{day - days[0]:g}" for day in days)
        limit = f'begins on day {days[0]:g}, but days count from the first session; write "{way}"'
        raise Refusal("DAYS-BAD", f"days: {text!r} {limit}", field="days", value=text)
    return days


def revise(
    protocol: Protocol,
    *,
    drug: str | None = None,
    dose: str | None = None,
    route: str | None = None,
    duration: str | None = None,
    days: str | Iterable[float] | None = None,
) -> Protocol:
    """The protocol with what is given here in place of its own, in every session; what is not given stays.

    `dose`, `route`, `duration` and `days` are text as a clinician writes them. Refuses with DOSE-MISSING a drug whose
    dose cannot be taken over, with DOSE-SEVERAL a route or duration for sessions of several doses, and as `given` does.
    """

    def change(doses: tuple[Dose, ...]) -> tuple[Dose, ...]:
        return _revised(doses, drug, dose, route, duration) if anew else doses

    anew = not (drug is None and dose is None and route is None and duration is None)
    if not anew and days is None:
        return protocol
    if days is not None:
        first = protocol.phases[0].doses if protocol.phases else (protocol.doses,)
        phases = (Phase("given days", tuple(map(change, first)), days=read_days(days)),)
    else:
        phases = tuple(replace(phase, doses=tuple(map(change, phase.doses))) for phase in protocol.phases)
    if not anew:
        return replace(protocol, phases=phases)
    held = change(protocol.doses)
    known = {"dose": dose, "route": route, "duration": duration or route}
    assumed = [line for line in protocol.assumed if known.get(line.split()[0]) is None]
    if held[0].route == "iv" and duration is None and held[0].duration_h != protocol.doses[0].duration_h:
        assumed.append(f"duration {DEFAULT_DURATION}")
    return replace(protocol, phases=phases, doses=held, assumed=tuple(assumed))


def _revised(
    doses: tuple[Dose, ...], drug: str | None, dose: str | None, route: str | None, duration: str | None
) -> tuple[Dose, ...]:
    first = doses[0]
    drug = drug or first.drug
    route = route_named(route or first.route)
    single = len(doses) == 1 or first.device > 0
    if duration is not None:
        hours = read(duration, "h", "duration")
    elif single and route == first.route:
        hours = first.duration_h
    else:
        hours = read(DEFAULT_DURATION, "h", "duration") if route == "iv" else 0.0
    if dose is not None:
        return ordered(Dose.of(dose, drug, route, f"{hours} h"))
    if drug not in (*KETAMINES, "placebo", first.drug):
        sentence = f"drug: {drug!r} cannot take over the dose of {first.drug} ({first.text}); give its own dose"
        raise Refusal("DOSE-MISSING", sentence, field="dose", value=drug)
    if not single:
        if route != first.route or duration is not None:
            sentence = f"dose: a session holds {len(doses)} doses; a new route or duration needs one: give it too"
            raise Refusal("DOSE-SEVERAL", sentence, field="dose", value=len(doses))
        return tuple(one for each in doses for one in ordered(replace(each, drug=drug)))
    amount = sum(each.amount for each in doses)
    return ordered(replace(first, drug=drug, amount=amount, route=route, duration_h=hours, device=0))


@dataclass(frozen=True)
class Course:
    """A protocol as one run simulates it: what the people believe they get, what is switched, for how long.

    `until_h` None takes the protocol's own; `condition` None takes the default people. `effects` are ids of what
    changes the drug's way through the body in the plasma model (an interaction, kidney, liver, genotype). `about` is
    what is known of the people and their care, as parameters of the mechanism ("failed", "ward"). Refuses with
    UNKNOWN-BELIEF and UNTIL-RANGE.
    """

    protocol: Protocol
    belief: str = "open"
    switches: tuple[str, ...] = ()
    model: str = "d1"
    condition: str | None = None
    until_h: float | None = None
    about: tuple[tuple[str, float], ...] = ()
    effects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.belief not in BELIEFS:
            sentence = f"belief: {self.belief!r} is not known; use {', '.join(BELIEFS)}"
            raise Refusal("UNKNOWN-BELIEF", sentence, field="belief", value=self.belief)
        if self.until_h is not None and not 0 < self.until_h <= LAST_DAY * 24:
            sentence = f'until: {self.until_h:g} h is outside 0 to {LAST_DAY:g} d; give a time such as "26 weeks"'
            raise Refusal("UNTIL-RANGE", sentence, field="until", value=self.until_h)

    @property
    def hours(self) -> float:
        """How long it is simulated, h."""
        return self.protocol.until_h if self.until_h is None else self.until_h
