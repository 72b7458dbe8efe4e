"""Whole courses with tight reference answers, for the engine's accuracy: shared by a short test and `bench/accuracy`.

The one thing to know: the reference shares nothing with the kernel but the model text. LSODA (relative 1e-10) runs on
the symbolic right-hand side with its symbolic Jacobian, from event to event; what is linear with constant coefficients
(drug and metabolites in plasma) is taken from the matrix exponential instead, which is exact.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from regrow.assembly import Assembly
from regrow.dosing import Dose, Session
from regrow.engine import Bolus, Event, Infusion, Jump, Model, solve
from regrow.people import Population
from regrow.regimen import Course, Phase, Protocol, opening

RELATIVE, ABSOLUTE = 1e-10, 1e-13
PLASMA = ("C_S", "C_R", "C_NK", "C_HNK")
#: outputs held against the reference, and the largest difference allowed: "relative" to the value itself, to the
#: person's own peak, or "absolute" of full scale (1 for a share; the largest value of the population for BDNF)
BARS = {
    "D": ("relative", 1e-4),
    "density": ("relative", 1e-4),
    "C_S": ("peak", 1e-9),
    "C_R": ("peak", 1e-9),
    "C_NK": ("peak", 1e-6),
    "C_HNK": ("peak", 1e-6),
    "b_I": ("absolute", 1e-4),
    "b_S": ("absolute", 1e-4),
    "B_T": ("absolute", 1e-4),
    "B": ("full scale", 1e-4),
}
FLOORS = {"D": 1.0}  # a score below one point of sixty says no more than one of a point
ROUTES = {
    "iv": Dose("ketamine", 0.5, "mg/kg", "iv", 2 / 3),
    "iv 100 min": Dose("ketamine", 1.0, "mg/kg", "iv", 100 / 60),
    "iv bolus": Dose("ketamine", 2.0, "mg/kg", "iv", 0.0),
    "im": Dose("ketamine", 0.75, "mg/kg", "im"),
    "nasal": Dose("esketamine", 84.0, "mg", "intranasal"),
    "oral": Dose("ketamine", 2.0, "mg/kg", "oral"),
}
# 2 mg/kg in a minute, then 41 ug/kg/min for two hours
ANAESTHETIC = (
    Dose("ketamine", 2.0, "mg/kg", "iv", 1 / 60),
    Dose("ketamine", 2.46, "mg/kg/h", "iv", 2.0, offset_h=1 / 60),
)


@dataclass(frozen=True)
class Arm:
    """People who share one schedule, ready for the engine."""

    name: str
    model: Model
    parameters: dict[str, Any]
    events: tuple[Event, ...]
    times: np.ndarray
    n: int

    def solved(self, outputs: tuple[str, ...], **options: Any) -> Any:
        """The engine's solution for `outputs`."""
        return solve(self.model, self.parameters, self.events, self.times, outputs, n=self.n, **options)


def arm(routes: str, sessions: int, n: int, seed: int) -> Arm:
    """`n` drawn people with `sessions` sessions 1 to 10 days apart by a route of `ROUTES`, or by all of them in turn
    ("mixed"), or anaesthetised ("anaesthetic"), and times around each session and every 12 h until 28 days after the
    last."""
    draw = np.random.default_rng([seed, sessions, len(routes)])
    gaps = draw.choice([1.0, 2.0, 3.0, 4.0, 7.0, 10.0, 2.37], sessions - 1)
    days = tuple(np.concatenate([[0.0], np.cumsum(gaps)]).tolist())
    if routes == "mixed":  # one plasma model carries one drug at a time here: the spray gives ketamine
        kinds = [(d if d.drug == "ketamine" else Dose("ketamine", 56.0, "mg", "intranasal"),)
                 for d in ROUTES.values() if d.duration_h != 0]  # fmt: skip
    else:
        kinds = [ANAESTHETIC if routes == "anaesthetic" else (ROUTES[routes],)]
    doses = tuple(kinds[k % len(kinds)] for k in range(sessions))
    protocol = Protocol("oracle", routes, "test", (Phase("all", doses, days),), doses[0])
    course = Course(protocol, until_h=24 * (days[-1] + 28), belief=str(draw.choice(["open", "masked", "none"])))
    setup = Assembly(course, Population.draw(n, seed))
    who = np.arange(n)
    found, _ = opening(protocol, course.hours / 24)
    events = tuple(event for session in found for event in setup.events(session, who))
    return Arm(f"{routes}, {sessions} sessions", setup.compiled, setup.of(who), events, _clock(found, course.hours), n)


def _clock(sessions: tuple[Session, ...], hours: float) -> np.ndarray:
    near = np.array([0, 0.1, 0.25, 0.5, 2 / 3, 0.75, 1, 1.25, 1.5, 1.7, 2, 2.5, 3, 4, 5, 6, 8, 10, 14, 20])
    times = np.unique(np.concatenate([np.arange(0, hours, 12.0), *(s.start_h + near for s in sessions), [hours]]))
    return times[times <= hours]


def people_of(arm: Arm, person: int) -> dict[str, float]:
    return {name: _one(value, person) for name, value in arm.parameters.items()}


def _one(value: Any, person: int) -> float:
    return float(np.asarray(value).reshape(-1)[person if np.size(value) > 1 else 0])


@dataclass(frozen=True)
class System:
    """The symbolic model as plain Python: rate(t, x, p), jacobian(t, x, p), outputs(t, x, p); constant linear part."""

    states: tuple[str, ...]
    names: tuple[str, ...]
    rate: Any
    jacobian: Any
    initial: Any
    outputs: Any
    plasma: Any
    linear: tuple[int, ...]
    matrix: Any

    def slope(self, t: float, x: np.ndarray, p: list[float]) -> Any:
        """The Jacobian; a hair above zero where a power has none at zero (it only guides the solver)."""
        try:
            return self.jacobian(t, x.tolist(), p)
        except ZeroDivisionError:
            return self.jacobian(t, (x + 1e-9).tolist(), p)


@lru_cache
def system(model: Model, outputs: tuple[str, ...]) -> System:
    """The system of a model, from its symbolic form alone."""
    import sympy

    symbolic = model.symbolic()
    t, x = sympy.Symbol("time"), [sympy.Symbol(s) for s in symbolic.states]
    p = [sympy.Symbol(name) for name in symbolic.parameters]

    def full(expression: Any) -> Any:
        for name in reversed(list(symbolic.assignments)):
            expression = expression.subs(sympy.Symbol(name), symbolic.assignments[name])
        return expression

    known = dict(symbolic.assignments) | {s: sympy.Symbol(s) for s in symbolic.states}
    rates = [full(symbolic.rates[s]) for s in symbolic.states]
    initial = [full(symbolic.initial[s]).subs({sympy.Symbol(k): v for k, v in symbolic.initial.items()})
               for s in symbolic.states]  # fmt: skip
    wanted = [full(known[name]) for name in outputs]
    jacobian = [[sympy.diff(rate, s) if rate.has(s) else sympy.S.Zero for s in x] for rate in rates]

    def function(expressions: Any) -> Any:
        modules = [{"Heaviside": lambda v, _=0.5: float(v > 0), "sign": np.sign}, "math"]
        return sympy.lambdify([t, x, p], expressions, modules=modules, cse=True)

    # the largest set of states whose rates are linear in the set with constant coefficients, doses aside
    members = set(range(len(x)))
    while True:
        kept = {
            i for i in members
            if all(jacobian[i][j] == 0 or (j in members and not jacobian[i][j].has(t, *x)) for j in range(len(x)))
        }  # fmt: skip
        if kept == members:
            break
        members = kept
    linear = tuple(sorted(i for i in members if initial[i] == 0))
    return System(
        states=symbolic.states,
        names=symbolic.parameters,
        rate=function(rates),
        jacobian=function(jacobian),
        initial=function(initial),
        outputs=sympy.lambdify([t, x, p], wanted, modules="numpy", cse=True),
        plasma=sympy.lambdify([t, x, p], [full(known[name]) for name in PLASMA], modules="numpy"),
        linear=linear,
        matrix=function([[jacobian[i][j] for j in linear] for i in linear]),
    )


def reference(arm: Arm, person: int, outputs: tuple[str, ...]) -> np.ndarray:
    """The outputs of one person, shape (outputs, times); values at an event's time are those just after it."""
    from scipy.integrate import odeint
    from scipy.linalg import expm

    f = system(arm.model, outputs)
    p = [people_of(arm, person)[name] for name in f.names]
    place = {s: k for k, s in enumerate(f.states)}
    x = np.array(f.initial(0.0, [0.0] * len(f.states), p), dtype=float)
    exact = np.zeros(len(f.linear))
    K = np.array(f.matrix(0.0, list(x), p), dtype=float)
    steps: dict[float, np.ndarray] = {}
    end = float(arm.times[-1])
    points = np.empty((len(arm.times), len(f.states)))
    exacts = np.zeros_like(points)

    def advance(state: np.ndarray, u: np.ndarray, span: float) -> np.ndarray:
        span = float(f"{span:.13g}")
        if span not in steps:
            size = len(K)
            wide = np.zeros((2 * size, 2 * size))
            wide[:size, :size], wide[:size, size:] = K, np.eye(size)
            steps[span] = expm(wide * span)[:size]
        return steps[span] @ np.concatenate([state, u])

    edges = {0.0, end}
    for e in arm.events:
        edges |= {e.time, e.time + e.duration} if isinstance(e, Infusion) else {e.time}
    for a, b in itertools.pairwise(sorted(t for t in edges if t <= end)):
        u = np.zeros(len(x))
        for e in arm.events:
            if isinstance(e, Infusion):
                # a hair's breadth of tolerance: two sums of the same times may differ in the last bit
                if e.time <= a < e.time + e.duration - 1e-9:
                    u[place[e.state]] += _one(e.amount, person) / e.duration
            elif e.time == a:
                keep, add = (1.0, e.amount) if isinstance(e, Bolus) else (e.keep, e.add)
                assert isinstance(e, Bolus | Jump)
                x[place[e.state]] = _one(keep, person) * x[place[e.state]] + _one(add, person)
                if place[e.state] in f.linear:
                    exact[f.linear.index(place[e.state])] += _one(add, person)
        inside = np.flatnonzero((arm.times >= a) & ((arm.times < b) if b < end else (arm.times <= b)))
        ask = np.unique(np.concatenate([[a], arm.times[inside], [b]]))
        if b - a > 1e-9:
            solved = odeint(
                lambda t, y, u=u: np.add(f.rate(t, y.tolist(), p), u), x, ask, tfirst=True,
                Dfun=lambda t, y: f.slope(t, y, p), rtol=RELATIVE, atol=ABSOLUTE, mxstep=200_000,
                tcrit=[b],
            )  # fmt: skip
        else:
            solved = np.repeat(x[None], len(ask), axis=0)
        points[inside] = solved[np.searchsorted(ask, arm.times[inside])]
        x = solved[-1].copy()
        at = a
        for t in ask:
            exact = advance(exact, u[list(f.linear)], t - at) if t > at else exact
            at = t
            for k in np.flatnonzero(arm.times[inside] == t):
                exacts[inside[k], list(f.linear)] = exact
    found = np.array([np.broadcast_to(v, len(arm.times)) for v in f.outputs(arm.times, list(points.T), p)])
    plasma = f.plasma(arm.times, list(exacts.T), p)
    for name, values in zip(PLASMA, plasma, strict=True):
        if name in outputs:
            found[outputs.index(name)] = values
    return found


def misses(outputs: tuple[str, ...], mine: np.ndarray, wanted: np.ndarray) -> dict[str, np.ndarray]:
    """The largest difference of each person (n,) by output, in the measure of `BARS`; shapes (outputs, n, times)."""
    found = {}
    for k, name in enumerate(outputs):
        kind = BARS.get(name, ("peak", math.inf))[0]
        apart = np.abs(mine[k] - wanted[k])
        if kind == "relative":
            scale = np.maximum(np.abs(wanted[k]), FLOORS.get(name, 0.0))
        elif kind == "peak":
            scale = np.abs(wanted[k]).max(axis=1, keepdims=True)
        elif kind == "full scale":
            scale = np.abs(wanted[k]).max()
        else:
            scale = np.float64(1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[name] = np.where(apart == 0, 0.0, apart / scale).max(axis=1)
    return found
