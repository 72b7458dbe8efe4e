"""A treatment course simulated from dose to mood: course x people -> read-outs over time.

The one thing to know: a course is solved in legs. A leg ends where a visit decides on a score (weekly *until
remission*); there the people part into groups by what their score says, and people with the same future go on
together. Person 17 is the same person in every run: all chance is keyed by (seed, person, purpose).
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow import mechanism, processes
from regrow.assembly import Assembly
from regrow.catalog import drugs, models, structures
from regrow.dosing import Session
from regrow.engine import solve
from regrow.engine.run import TARGET
from regrow.people import Population, normal
from regrow.readouts import READOUTS, Own, Readout, table
from regrow.refusal import Refusal
from regrow.regimen import Course, Progress, advance, opening, revise

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import xarray

LARGE = 20_000  # above so many people a run takes the wide grid and mixed precision, and says so
# What a large population's error may be, as a share of each output's largest value: the score and the synapses as in
# any run, what lies before them looser.
_LARGE_TARGET, _LARGE_KEEPS = 2e-3, {"D": 1e-4, "density": 1e-4}
RATING_SD = 3.0  # points of MADRS between two ratings of the same state (mechanism notes 8.3; assumed)
MOST_TIMES = 100_000  # outputs a person; every minute for ten weeks
CHUNK = 4096  # people solved at a time: memory stays flat, results do not depend on it

# Minutes from a session's start at which its course is sampled, besides the ends of its doses.
_IN_SESSION_MIN = (
    0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 105, 120, 150, 180, 220, 240, 300, 360, 480, 720,
)  # fmt: skip
_PEAKS = {  # peak of a session: read-out, and whether the rise over the session's start counts rather than the level
    "ketamine_arterial": False,
    "ketamine_venous": False,
    "norketamine": False,
    "cadss": False,
    "sbp": True,
    "dbp": True,
    "hr": True,
}
_PEAK_WINDOW_H = 12.0


@dataclass(frozen=True)
class Held:
    """One session as it was given: to whom, how much, and its peaks.

    `mg` (n,) is mg of base, NaN for people who had no session on that day; `peaks` maps a read-out to (n,) values,
    for pressure and pulse the rise above the session's start.
    """

    session: Session
    mg: np.ndarray
    peaks: Mapping[str, np.ndarray]

    @property
    def key(self) -> tuple[float, str]:
        """Which session of the protocol it is, whoever has it: its day and its phase."""
        return self.session.day, self.session.phase


@dataclass(frozen=True)
class Result:
    """What one run gave. `values` maps a read-out to (people, times); `missing` says why a read-out is absent; `own` is
    what equations other than the house's brought."""

    course: Course
    people: Population
    times: np.ndarray
    values: Mapping[str, np.ndarray]
    missing: Mapping[str, str]
    sessions: tuple[Held, ...]
    error: Mapping[str, float]
    cautions: tuple[str, ...]
    models: tuple[models.Model, ...]
    own: Own | None = None

    @property
    def n(self) -> int:
        """How many people; under several models each stands once per model in `people` and in the values."""
        return self.people.n // len(self.models)

    @property
    def crowd(self) -> Population:
        """The people, each once."""
        return self.people[: self.n]

    def at(self, readout: str, time_h: float) -> np.ndarray:
        """The read-out of every person (n,) at `time_h`, linear between the solved times."""
        column = np.searchsorted(self.times, time_h)
        if column < len(self.times) and self.times[column] == time_h:
            return self.values[readout][:, column]
        left, right = self.times[column - 1], self.times[column]
        share = (time_h - left) / (right - left)
        return (1 - share) * self.values[readout][:, column - 1] + share * self.values[readout][:, column]

    def rated(self, time_h: float) -> np.ndarray:
        """MADRS as a rater would write it at `time_h` (n,): whole points, 0 to 60, with the noise of rating.

        The typical person is rated without noise.
        """
        return rate(self.at("madrs", time_h), self.people, time_h)


def rate(madrs: np.ndarray, people: Population, time_h: float) -> np.ndarray:
    """Latent MADRS (n,) as rated at `time_h`: noise keyed by person and time, rounded, within 0 to 60."""
    if people.typical:
        return madrs
    noise = RATING_SD * normal(people.seed, people.index, f"rating:{time_h:.6g}")
    return np.clip(np.round(madrs + noise), 0, 60)


def simulate(
    course: Course,
    people: Population,
    *,
    times: Sequence[float] | None = None,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
) -> xarray.Dataset:
    """The course of every person as an xarray.Dataset: dims person, time (h), session; a variable per read-out.

    `times` (h) adds to the times chosen by the house. Units and provenance are in `attrs`. Refuses what the course's
    model, drug or route does not hold for.
    """
    from regrow.results import dataset

    return dataset(run(course, people, times=times, workers=workers, progress=progress))


def run(
    course: Course,
    people: Population,
    *,
    times: Sequence[float] | None = None,
    every_h: float | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
    equations: str | None = None,
    only: tuple[str, ...] = (),
    scaled: Mapping[str, float | np.ndarray] | None = None,
    accuracy: str = "fine",
    precision: str = "double",
) -> Result:
    """As `simulate`, but as plain arrays: the quick path of the command line and of the clinic.

    `equations` is an own model text in place of everything after the plasma. Whatever it computes is a read-out, by the
    house's name where it uses the house's symbol, else by its own.
    `only` names the read-outs to give, for a run that needs few of them; all where empty.
    `scaled` multiplies parameters, to see what a run would show if they were wrong.
    `every_h` keeps outputs that often instead of closely around each session. `workers` processes, or any `executor` of
    the standard protocol (a Dask client's too), share the chunks; the numbers are the same to the bit. `accuracy` and
    `precision` as in `engine.solve`: "standard" serves large populations.
    """
    cautions = checked(course, people, equations)
    grid = output_times(course, times, every_h)
    chunks = [people[start : start + CHUNK] for start in range(0, people.n, CHUNK)]
    shared = executor is not None or (workers > 1 and len(chunks) > 1)
    how = How(equations, accuracy, precision, 1 if shared else 0, only, scaled or {})
    jobs = [(course, chunk, grid, how) for chunk in chunks]
    parts: list[_Part] = []
    with processes.pool(workers if shared else 1, executor) as place:
        for part in place.map(solve_chunk, jobs) if place else map(solve_chunk, jobs):
            parts.append(part)
            tell(progress, len(parts) / len(chunks))
    return _joined(course, people, grid, parts, cautions)


def checked(course: Course, people: Population, equations: str | None = None) -> tuple[str, ...]:
    """What to be careful with; refuses what the model, the drug or the route does not hold for, before any solving."""
    whole = Assembly(course, people, equations)
    return (*whole.cautions, *whole.switches.notes)


def tell(progress: Callable[[float], None] | None, share: float) -> None:
    if progress:
        progress(share)


def output_times(course: Course, times: Sequence[float] | None = None, every_h: float | None = None) -> np.ndarray:
    """Output times, h: fine around the sessions that are fixed from the start, every 6 h for a week, then daily.

    With `every_h` that often instead, and at what a summary asks for: the start, 24 h, 7 days, the end. `times` add to
    either.
    """
    horizon = course.hours
    wanted = {0.0, horizon, *(float(time) for time in times or ())}
    if every_h is not None:
        if not (math.isfinite(every_h) and every_h > 0):
            sentence = f'every: {every_h:g} h is not above 0; give the time between outputs, for example "1 week"'
            raise Refusal("EVERY-RANGE", sentence, field="every", value=every_h)
        if horizon / every_h > MOST_TIMES:
            ask = f"give at least {60 * horizon / MOST_TIMES:.2g} min, or a shorter --until"
            sentence = f"every: {every_h:.3g} h over {horizon:g} h is {horizon / every_h:,.0f} outputs, too many; {ask}"
            raise Refusal("EVERY-RANGE", sentence, field="every", value=every_h)
        wanted.update({24.0, 168.0}, np.arange(0.0, horizon, every_h))
        return np.array(sorted(time for time in wanted if 0 <= time <= horizon))
    fixed, _ = opening(course.protocol, horizon / 24)
    wanted.update(np.arange(0.0, min(horizon, 168.0), 6.0))
    wanted.update(np.arange(0.0, horizon, 24.0))
    for session in fixed:
        wanted.update(_session_times(session))
    return np.array(sorted(time for time in wanted if 0 <= time <= horizon))


def _session_times(session: Session) -> list[float]:
    offsets = {minutes / 60 for minutes in _IN_SESSION_MIN}
    offsets.update(edge for dose in session.doses for edge in (dose.offset_h, dose.end_h))
    return sorted(session.start_h + offset for offset in offsets)


# --- one chunk of people --------------------------------------------------------------------------------------------


@dataclass
class _Part:
    values: dict[str, np.ndarray]
    missing: dict[str, str]
    sessions: list[Held]
    error: dict[str, float]
    notices: list[str]
    model: models.Model
    own: Own | None = None


@dataclass(order=True)
class _Group:
    """People who go on together from `time`: the sessions they get next, and the visit that then decides."""

    time: float
    order: int
    who: np.ndarray = field(compare=False)
    state: np.ndarray | None = field(compare=False)
    sessions: tuple[Session, ...] = field(compare=False)
    then: Progress | None = field(compare=False)
    carried: Session | None = field(compare=False, default=None)


@dataclass(frozen=True)
class How:
    """How a chunk is solved: own equations or the house's, accuracy and precision as in the engine, threads; the
    read-outs wanted (all where empty) and factors on parameters."""

    equations: str | None
    accuracy: str
    precision: str
    threads: int
    only: tuple[str, ...] = ()
    scaled: Mapping[str, float | np.ndarray] = field(default_factory=dict)


def solve_chunk(job: tuple[Course, Population, np.ndarray, How]) -> _Part:
    return _Chunk(*job).solve()


class _Chunk:
    """The walk of one chunk of people through their course."""

    def __init__(self, course: Course, people: Population, grid: np.ndarray, how: How) -> None:
        self.course, self.people, self.grid, self.how = course, people, grid, how
        self.setup = Assembly(course, people, how.equations, how.scaled)
        self.model = self.setup.compiled
        self.readouts, self.missing = _available(self.setup)
        self.notices: list[str] = []
        self.own = _own(self.setup, self.readouts, self.missing, self.notices) if how.equations is not None else None
        self.table = table(self.own)
        self.readouts += self.own.units if self.own else ()
        self.readouts = [name for name in self.readouts if not how.only or name in how.only]
        self.outputs = sorted({name for row in self.readouts for name in self.table[row].needs})
        self.values: dict[str, np.ndarray] = {}
        self.held: dict[tuple[float, str], Held] = {}
        self.peaks = {name: READOUTS[name].needs for name in _PEAKS if name in self.readouts}
        self.error: dict[str, float] = {}

    def solve(self) -> _Part:
        horizon = self.course.hours
        sessions, then = opening(self.course.protocol, horizon / 24)
        waiting = [_Group(0.0, 0, np.arange(self.people.n), None, sessions, then)]
        made = 1
        while waiting:
            group = heapq.heappop(waiting)
            state = self._leg(group, group.then.day * 24 if group.then else horizon)
            if group.then is None:
                continue
            for next_group in self._decide(group, state, horizon):
                same = next((g for g in waiting if _same_future(g, next_group)), None)
                if same is not None and same.state is not None and next_group.state is not None:
                    same.who = np.concatenate([same.who, next_group.who])
                    same.state = np.concatenate([same.state, next_group.state], axis=1)
                else:
                    next_group.order = made
                    made += 1
                    heapq.heappush(waiting, next_group)
        order = sorted(self.held)
        return _Part(
            self.values,
            self.missing,
            [self.held[key] for key in order],
            self.error,
            list(dict.fromkeys(self.notices)),
            self.setup.model,
            self.own,
        )

    def _leg(self, group: _Group, end: float) -> np.ndarray:
        """Solves the group from its time to `end`, fills values and sessions, returns the states at `end`."""
        who, n = group.who, len(group.who)
        last = group.then is None
        # The visit that decides opens the next leg: its dose comes after its score.
        sessions = group.sessions if last else group.sessions[:-1]
        if group.carried is not None:
            sessions = (group.carried, *sessions)
        people = self.people[who]
        parameters = self.setup.of(who)
        events = [event for session in sessions for event in self.setup.events(session, who)]
        events += self.setup.changes(group.time, math.inf if last else end)
        inside = (self.grid >= group.time) & ((self.grid < end) | last)
        times = np.array(sorted({*self.grid[inside].tolist(), end}))
        # of each session two windows: its start, and all of its times
        windows = [
            moments
            for session in sessions
            for moments in ([session.start_h], [t for t in _session_times(session) if t <= self._until(session, end)])
        ] if self.peaks else []  # fmt: skip
        target = {name: _LARGE_KEEPS.get(name, _LARGE_TARGET) for name in self.outputs}
        solved = solve(
            self.model,
            parameters,
            events,
            times,
            self.outputs,
            n=n,
            peaks=tuple(self.peaks.values()) if windows else (),
            windows=windows,
            start=group.state,
            start_time=group.time,
            accuracy=self.how.accuracy,
            precision=self.how.precision,
            target=target if self.how.accuracy == "standard" else TARGET,
            whole=not self.how.only,
            threads=self.how.threads,
        )
        self.notices += [f"numbers: {notice}" for notice in solved.notices]
        for name, error in solved.error.items():
            self.error[name] = max(error, self.error.get(name, 0.0))
        found = {name: solved.values[row] for row, name in enumerate(self.outputs)}
        columns: Any = np.searchsorted(times, self.grid[inside])
        if len(columns) and len(columns) == columns[-1] - columns[0] + 1:
            columns = slice(columns[0], columns[-1] + 1)  # side by side: no copy
        for name in self.readouts:
            self._keep(name, who, inside, self.table[name].compute(found)[:, columns])
        for place, session in enumerate(sessions):
            self._hold(session, people, who, solved.peaks[:, :, 2 * place : 2 * place + 2] if windows else None)
        self._last = found["D"][:, -1] if "D" in found else np.full(n, np.nan)
        return solved.end

    def _keep(self, name: str, who: np.ndarray, inside: np.ndarray, values: np.ndarray) -> None:
        """Keeps what a leg gave of a read-out: `values` (who, times inside)."""
        dtype = np.float64 if self.people.n == 1 else np.float32
        everyone = len(who) == self.people.n
        if everyone and inside.all():
            self.values[name] = values.astype(dtype, copy=False)
            return
        if name not in self.values:
            self.values[name] = np.full((self.people.n, len(self.grid)), np.nan, dtype)
        kept = self.values[name]
        places = np.flatnonzero(inside)
        if everyone and len(places) and len(places) == places[-1] - places[0] + 1:
            kept[:, places[0] : places[-1] + 1] = values  # side by side
        else:
            kept[np.ix_(who, places)] = values

    @staticmethod
    def _until(session: Session, end: float) -> float:
        return min(session.start_h + _PEAK_WINDOW_H, end)

    def _hold(self, session: Session, people: Population, who: np.ndarray, found: np.ndarray | None) -> None:
        """Keeps a session; `found` (peaks, people, 2): the values at its start and the largest ones."""
        key = (session.day, session.phase)
        peaks = {}
        for name, values in zip(self.peaks, found if found is not None else (), strict=found is not None):
            readout = READOUTS[name]
            # the peak of a sum of outputs: the sum stands for the first of them, the others are 0
            terms = {need: values if place == 0 else 0.0 * values for place, need in enumerate(readout.needs)}
            start, top = readout.compute(terms).T
            peaks[name] = top - start if _PEAKS[name] else top
        if key not in self.held:
            blank = np.full(self.people.n, np.nan)
            self.held[key] = Held(session, blank.copy(), {name: blank.copy() for name in peaks})
        held = self.held[key]
        held.mg[who] = session.mg(people.weight_kg, people.height_cm, people.female)
        for name, values in peaks.items():
            held.peaks[name][who] = values

    def _decide(self, group: _Group, state: np.ndarray, horizon: float) -> list[_Group]:
        then, protocol = group.then, self.course.protocol
        assert then is not None
        rule = then.rule(protocol)
        if rule.scale != "MADRS":
            sentence = f"rule: {rule.scale} is not predicted visit by visit; write the rule for MADRS"
            raise Refusal("RULE-SCALE", sentence, field="scale", value=rule.scale)
        now = then.day * 24
        people = self.people[group.who]
        met = rule.met(rate(self._last, people, now), people.baseline)
        groups = []
        for answer in (False, True):
            chosen = np.flatnonzero(np.asarray(met) == answer)
            if len(chosen):
                sessions, after = advance(protocol, then, answer, horizon / 24)
                carried = group.sessions[-1]
                groups.append(_Group(now, 0, group.who[chosen], state[:, chosen], sessions, after, carried))
        return groups


def _same_future(one: _Group, other: _Group) -> bool:
    return (one.time, one.sessions, one.then, one.carried) == (other.time, other.sessions, other.then, other.carried)


def _available(setup: Assembly) -> tuple[list[str], dict[str, str]]:
    """The read-outs that the model gives, and for each other one why it does not."""
    outputs, model = set(setup.compiled.outputs), setup.model
    lacks = {
        "norketamine": ("norketamine",),
        "hnk": ("hnk",),
        "arterial": ("ketamine_arterial",),
        "venous": ("ketamine_venous",),
    }
    why = {name: f"there is no number for it under {drug.title}" for drug in setup.drugs for name in drug.unknown}
    for analyte in model.missing:
        for readout in lacks.get(analyte, ()):
            why.setdefault(readout, f"model {model.id} has no {analyte} concentration; choose another with --model")
    asked = setup.condition.readouts if setup.condition else ()
    if "pain_nrs" not in asked:
        why["pain_nrs"] = "nobody here is in pain; name a condition such as crps with --condition"
    if model.site != "arterial":
        why.setdefault("ketamine_arterial", f"model {model.id} was made from {model.site} samples, not arterial ones")
    for name, row in READOUTS.items():
        if absent := [need for need in row.needs if need not in outputs]:
            why.setdefault(name, f"the model text does not define {', '.join(absent)}")
        elif setup.equations is not None and "D" not in outputs and len(row.needs[0]) == 1:
            why.setdefault(name, f"the equations given have no score D, so their {row.needs[0]} is taken as their own")
    offered = [name for name, row in READOUTS.items() if not row.on_request or name in asked]
    return [name for name in offered if name not in why], {name: why[name] for name in why if name in offered}


def _own(setup: Assembly, shown: Sequence[str], missing: dict[str, str], notices: list[str]) -> Own:
    """What own equations bring beside the read-outs `shown`. Says which of their names were taken for the house's."""
    model = setup.compiled
    known = _words(mechanism.text(structures.get(setup.model.structure).text, modules=()))
    taken: dict[str, Readout] = {}
    for name in shown:
        for need in READOUTS[name].needs:
            taken.setdefault(need, READOUTS[name])
    taken = {need: row for need, row in taken.items() if need not in known}
    if "D" in taken:  # the house's mechanism with changes: what it has inside is no news
        known |= _words(mechanism.text())
    if taken:
        listed = ", ".join(f"{need} ({row.title}, {row.unit})" for need, row in taken.items())
        notices.append(f"mechanism: read as the house means them: {listed}; rename what is something else")
    units = {name: model.units.get(name, "") for name in model.outputs if name not in known and name not in taken}
    for name in units:
        missing.pop(name, None)
    return Own(units, frozenset(model.parameters))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"(//|#).*", "", text)))


def _joined(
    course: Course, people: Population, grid: np.ndarray, parts: Sequence[_Part], cautions: tuple[str, ...]
) -> Result:
    """The chunks as one result; a session that only some chunks had stands as NaN for the others."""
    first = parts[0]
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in first.values}
    starts = np.cumsum([0, *(len(next(iter(part.values.values()))) for part in parts)])
    sessions: dict[tuple[float, str], Held] = {}
    for start, part in zip(starts, parts, strict=False):
        for held in part.sessions:
            if held.key not in sessions:
                blank = {name: np.full(people.n, np.nan) for name in held.peaks}
                sessions[held.key] = replace(held, mg=np.full(people.n, np.nan), peaks=blank)
            place = slice(start, start + len(held.mg))
            sessions[held.key].mg[place] = held.mg
            for name, peak in held.peaks.items():
                sessions[held.key].peaks[name][place] = peak
    error: dict[str, float] = {}
    for part in parts:
        for name, value in part.error.items():
            error[name] = max(value, error.get(name, 0.0))
    ordered = tuple(sessions[key] for key in sorted(sessions))
    said = tuple(dict.fromkeys([*cautions, *(notice for part in parts for notice in part.notices)]))
    return Result(course, people, grid, values, first.missing, ordered, error, said, (first.model,), first.own)


def without_drug(course: Course, people: Population, *, workers: int = 1) -> Result:
    """MADRS of the same people, by the same seed, at the same protocol's visits with nothing given: expectancy, the
    course of time and what is added by switches, without the drug. The other read-outs are left out. What is taken at
    home has a tablet without a drug in its place, for that is no visit."""
    at_home = all(
        drugs.route(dose.drug, dose.route).at_home
        for phase in course.protocol.phases
        for doses in phase.doses
        for dose in doses
    )
    nothing = {"drug": "pill", "dose": "0 mg", "route": "oral"} if at_home else {"drug": "placebo"}
    bare = replace(course, protocol=revise(course.protocol, **nothing), model=models.DEFAULT, effects=())
    return run(bare, people, workers=workers, only=("madrs",))


def side_by_side(
    course: Course,
    people: Population,
    *,
    every_h: float | None = None,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """The same course and people under every model of the shelf that holds for its drug and route, as one band.

    People repeat, once per model; `models` of the result lists the models in that order. A read-out that only some
    models give is NaN for the others. Refuses with MODEL-ROUTE when no model holds.
    """
    dose = course.protocol.doses[0]
    ids = models.band(dose.drug, dose.route)
    if not ids:
        sentence = f"model: no model of the shelf holds for {dose.drug} by route {dose.route}; choose another route"
        raise Refusal("MODEL-ROUTE", sentence, field="model", value="all")
    parts: list[_Part] = []
    cautions: list[str] = []
    grid = output_times(course, every_h=every_h)
    for place, name in enumerate(ids):
        result = run(replace(course, model=name), people, every_h=every_h, workers=workers)
        parts.append(
            _Part(
                dict(result.values),
                dict(result.missing),
                list(result.sessions),
                dict(result.error),
                [],
                result.models[0],
            )
        )
        cautions += result.cautions
        tell(progress, (place + 1) / len(ids))
    every = dict.fromkeys(name for part in parts for name in part.values)
    for part in parts:
        for name in every:
            part.values.setdefault(name, np.full((people.n, len(grid)), np.nan, np.float32))
    crowd = people[np.tile(np.arange(people.n), len(ids))]
    joined = _joined(course, crowd, grid, parts, tuple(dict.fromkeys(cautions)))
    missing = {name: why for name, why in parts[0].missing.items() if name not in every}
    return replace(joined, missing=missing, models=tuple(part.model for part in parts))
