"""A course through the mechanism for the tests: one standard person (70 kg, MADRS 33, no expectancy) unless said.

`course` shares nothing with the engine: the text becomes SBML, SBML becomes plain Python arithmetic, and LSODA
integrates it from event to event. `course_by_engine` asks the engine for the same course.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import antimony
import libsbml
import numpy as np
from scipy.integrate import solve_ivp

from regrow import mechanism
from regrow.catalog import drugs, models, structures
from regrow.engine import Bolus, Change, Event, Infusion, Jump, compile_model, solve
from regrow.mechanism import switches

CORE = tuple(part for part in mechanism.CORE if part not in ("body", "felt"))


@dataclass(frozen=True)
class Dose:
    """mg/kg of base of a drug from `start` (h) over `duration` (h; 0 a bolus)."""

    mg_kg: float = 0.5
    start: float = 0.0
    duration: float = 2 / 3
    drug: str = "ketamine"
    route: str = "iv"


@dataclass(frozen=True)
class Run:
    """What came out: hours and, by name, each state and derived quantity at them."""

    hours: np.ndarray
    values: Mapping[str, np.ndarray]

    def at(self, name: str, hour: float) -> float:
        return float(np.interp(hour, self.hours, self.values[name]))

    def peak(self, name: str) -> float:
        return float(self.values[name].max())

    def change(self, hour: float) -> float:
        """Change of the MADRS from the start."""
        return self.at("D", hour) - float(self.values["D"][0])


@dataclass(frozen=True)
class Plan:
    """A course as a model text, values and events."""

    text: str
    values: Mapping[str, float]
    events: tuple[Event, ...]
    until: float

    def hours(self) -> np.ndarray:
        close, far = np.linspace(0.0, 12.0, 145), np.arange(12.0, self.until + 1.0, 2.0)
        hours = np.unique(np.concatenate([close, far, [event.time for event in self.events], [self.until]]))
        return hours[hours <= self.until]


def planned(
    *doses: Dose,
    until: float = 336.0,
    using: Sequence[str] = (),
    sets: Mapping[str, float] | None = None,
    later: Sequence[Change] = (),
    expectancy: Sequence[tuple[float, float]] = (),
    model: str = "d1",
) -> Plan:
    """A course of `doses` with switches `using`; `expectancy` lists (hour, u) of each perceived treatment."""
    effect = switches.combine(using)
    drug = drugs.get(doses[0].drug if doses else "ketamine")
    serving = models.serving(model, drug)
    person = models.parameters(serving, weight_kg=70.0, age_y=40.0, female=False)
    values = mechanism.values() | {name: float(value[0]) for name, value in person.items()}
    values |= drug.sets | dict(effect.sets) | dict(sets or {})
    events: list[Event] = []
    for dose in doses:
        for start, state, mg, lasts in models.inputs(
            serving, drug, dose.route, 70.0 * dose.mg_kg, dose.start, dose.duration, individual=person
        ):
            amount = float(np.atleast_1d(mg)[0])
            events.append(Infusion(start, state, amount, lasts) if lasts else Bolus(start, state, amount))
    for first in sorted({dose.start for dose in doses}):
        events += [Jump(first + jump.at, jump.state, jump.keep, jump.add) for jump in effect.jumps]
    events += [Change(change.at, change.parameter, change.value) for change in effect.changes]
    events += later
    events += [Jump(hour, "X", 1 - u, u * values["X0"]) for hour, u in expectancy]
    structure = structures.get(serving.structure).text
    text = mechanism.text(structure, modules=(*CORE, *effect.joins))
    return Plan(text, values, tuple(e for e in events if e.time < until), until)


def course_by_engine(outputs: Sequence[str], hours: np.ndarray, *doses: Dose, **options: Any) -> Run:
    """The engine's answer for `outputs` at `hours`; options as `planned`."""
    plan = planned(*doses, **options)
    model = compile_model(plan.text)
    known = {name: value for name, value in plan.values.items() if name in model.parameters}
    solution = solve(model, known, plan.events, hours, outputs)
    return Run(hours, {name: solution.values[k, 0] for k, name in enumerate(outputs)})


def course(*doses: Dose, **options: Any) -> Run:
    """What happens; options as `planned`."""
    plan = planned(*doses, **options)
    events: list[tuple[float, str, str, float, float]] = []
    for event in plan.events:
        if isinstance(event, Infusion):
            rate = float(event.amount) / event.duration
            events.append((event.time, "rate", event.state, rate, 0))
            events.append((event.time + event.duration, "rate", event.state, -rate, 0))
        elif isinstance(event, Bolus):
            events.append((event.time, "jump", event.state, 1.0, float(event.amount)))
        elif isinstance(event, Jump):
            events.append((event.time, "jump", event.state, float(event.keep), float(event.add)))
        else:
            events.append((event.time, "set", event.parameter, float(event.value), 0))
    return _solve(_program(plan.text), plan.values, events, plan.hours())


def rat(mg_kg: float, until: float = 24.0, **sets: float) -> Run:
    """A rat given `mg_kg` at once: one compartment, half-life 30 min, 0.09 umol/L free per mg/kg (both assumed)."""
    standard = mechanism.values()
    volume = 70.0 * standard["f_uKp"] / (0.09 * standard["mw_K"])
    clearance = volume * math.log(2) / 0.5
    animal = {"V1": volume, "CL_S": clearance, "CL_R": clearance, "Q2": 0.0, "Q3": 0.0, "w_NK": 0.0}
    return course(Dose(mg_kg, duration=0.0), until=until, sets=animal | sets)


@dataclass(frozen=True)
class Program:
    """The text as Python: names of the states, and functions made for given values."""

    states: tuple[str, ...]
    parameters: tuple[str, ...]
    make: Callable[[Mapping[str, float]], tuple[Callable, list[float], Callable]]


@cache
def _program(text: str) -> Program:
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(text) >= 0, antimony.getLastError()
    model = libsbml.readSBMLFromString(antimony.getSBMLString(antimony.getMainModuleName())).getModel()
    rates = {r.getVariable(): _python(r) for r in model.getListOfRules() if r.isRate()}
    derived = {r.getVariable(): _python(r) for r in model.getListOfRules() if not r.isRate()}
    starts = {p.getId(): repr(p.getValue()) for p in model.getListOfParameters() if p.getId() in rates}
    starts |= {a.getSymbol(): _python(a) for a in model.getListOfInitialAssignments()}
    ordered: list[str] = []

    def place(name: str) -> None:
        if name in derived and name not in ordered:
            for needed in _names(derived[name]):
                place(needed)
            ordered.append(name)

    for name in derived:
        place(name)
    used = set().union(*(_names(e) for e in [*rates.values(), *derived.values(), *(starts[s] for s in rates)]))
    parameters = tuple(sorted(used - set(rates) - set(derived) - {"max", "min", "ln", "exp"}))
    lines = ["def make(p):", *(f"  {name} = p['{name}']" for name in parameters)]
    body = [f"    {', '.join(rates)}, = y", *(f"    {name} = {derived[name]}" for name in ordered)]
    lines += ["  def rhs(t, y):", *body, f"    return [{', '.join(rates.values())}]"]
    outputs = ", ".join(f"{name}={name}" for name in [*rates, *ordered])
    arrays = [re.sub(r"\b(max|min|ln|exp)\(", r"np_\1(", line) for line in body]
    lines += ["  def outputs(y):", *arrays, f"    return dict({outputs})"]
    lines += [f"  return rhs, [{', '.join(starts[s] for s in rates)}], outputs"]
    scope = {"ln": math.log, "exp": math.exp, "np_max": np.maximum, "np_min": np.minimum}
    scope |= {"np_ln": np.log, "np_exp": np.exp}
    exec("\n".join(lines), scope)
    return Program(tuple(rates), parameters, scope["make"])


def _python(element: libsbml.SBase) -> str:
    return libsbml.formulaToL3String(element.getMath()).replace("^", "**")


def _names(expression: str) -> set[str]:
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", expression))


def _solve(program: Program, values: Mapping[str, float], events: list, hours: np.ndarray) -> Run:
    missing = set(program.parameters) - set(values)
    assert not missing, f"no value for {sorted(missing)}"
    p = dict(values)
    until = float(hours[-1])
    stops = sorted({0.0, until, *(e[0] for e in events if e[0] < until)})
    y = np.array(program.make(p)[1], float)
    flow = np.zeros(len(program.states))
    pieces = []
    for begin, end in pairwise(stops):
        for _, kind, name, a, b in (e for e in events if e[0] == begin):
            if kind == "set":
                p[name] = a
            else:
                k = program.states.index(name)
                if kind == "rate":
                    flow[k] += a
                else:
                    y[k] = a * y[k] + b
        rhs, _, outputs = program.make(p)
        last = end == until
        wanted = hours[(hours >= begin) & (hours <= end if last else hours < end)]
        grid = wanted if last else np.append(wanted, end)
        solved = solve_ivp(
            lambda t, x, rhs=rhs: rhs(t, x) + flow, (begin, end), y, "LSODA", grid, rtol=1e-6, atol=1e-9, max_step=24.0
        )
        assert solved.success, solved.message
        y = solved.y[:, -1]
        kept = solved.y[:, : len(wanted)]
        pieces.append({n: np.broadcast_to(v, len(wanted)) for n, v in outputs(kept).items()})
    return Run(hours, {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]})
