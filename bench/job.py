"""The benchmark's course as files that a peer can read: the shipped model, seventeen infusions over 26 weeks.

The one thing to know: everything comes from the one model text. The right-hand side is the symbolic form printed as
plain arithmetic, the SBML is the export, and the people are drawn as `regrow simulate --people` draws them. Everyone
gets the same 35 mg and nobody expects anything, so that one SBML file serves all people by its parameters alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from regrow import engine
from regrow.assembly import Assembly
from regrow.exchange import sbml
from regrow.exchange.unrolled import one_number, unroll
from regrow.order import Order, read
from regrow.readouts import READOUTS

WEEKS = 26
DAYS = (0, 3, 7, 10, 14, 17, *range(24, 24 + 7 * 11, 7))
FEW = ("D", "density", "C_S", "C_R")


@dataclass(frozen=True)
class Mode:
    """How our engine is asked: as `simulate` asks it for its read-outs, or as for large populations."""

    outputs: str
    accuracy: str
    precision: str
    name: str


MODES = (
    Mode("few", "standard", "double", "people per second and core"),
    Mode("few", "standard", "mixed", "the same, as for large populations"),
    Mode("all", "fine", "double", "people per second and core"),
)
FULL = MODES[2]


@dataclass(frozen=True)
class Work:
    """A course and its people as the engine takes them; `times` in h."""

    model: engine.Model
    parameters: dict[str, Any]
    events: tuple[engine.Event, ...]
    times: np.ndarray
    n: int

    def solve(self, outputs: tuple[str, ...], mode: Mode) -> engine.Solution:
        return engine.solve(
            self.model, self.parameters, self.events, self.times, outputs, n=self.n, accuracy=mode.accuracy,
            precision=mode.precision,
        )  # fmt: skip

    def some(self, n: int) -> Work:
        """The first `n` of the people."""
        cut = {
            k: v[:n] if isinstance(v, np.ndarray) and v.shape == (self.n,) else v for k, v in self.parameters.items()
        }
        return replace(self, parameters=cut, n=n)


def order(people: int | None, days: tuple[float, ...] = DAYS, weeks: float = WEEKS, seed: int = 1) -> Order:
    return Order(
        "single", dose="35 mg", days=",".join(map(str, days)), until=f"{weeks} weeks", people=people, belief="none",
        seed=seed,
    )  # fmt: skip


def work(people: int, days: tuple[float, ...] = DAYS, weeks: float = WEEKS, seed: int = 1) -> Work:
    """The course of `people` drawn people, with the house's output times."""
    (one,) = unroll(*read(order(None, days, weeks, seed)))
    course, crowd = read(order(people, days, weeks, seed))
    setup = Assembly(course, crowd)
    who = np.arange(people)
    sessions = course.protocol.phases[0]
    events = [e for k, day in enumerate(sessions.days) for e in setup.events(sessions.session(k, day), who)]
    plain = tuple(one_number(event) for event in events)  # the same for everyone
    return Work(setup.compiled, setup.of(who), plain, one.times, people)


def every_output(model: engine.Model) -> tuple[str, ...]:
    """All that the read-outs are made from."""
    needed = dict.fromkeys(name for row in READOUTS.values() for name in row.needs)
    return tuple(name for name in needed if name in model.outputs)


def write(folder: Path, whole: Work, people: int) -> None:
    """The job of the first `people` in `folder`: names.json, rhs.py, course.xml, course.npz."""
    few = whole.some(people)
    symbolic = few.model.symbolic()
    outputs = {"few": FEW, "all": every_output(few.model)}
    (folder / "rhs.py").write_text(_arithmetic(symbolic, outputs))
    names = {"states": symbolic.states, "parameters": symbolic.parameters, **outputs}
    (folder / "names.json").write_text(json.dumps(names))
    columns = [np.broadcast_to(few.parameters[name], (people,)) for name in symbolic.parameters]
    parameters = np.array(columns, dtype=float).T
    functions = symbolic.functions()
    start = [functions.initial(dict(zip(symbolic.parameters, row, strict=True))) for row in parameters]
    np.savez(folder / "course.npz", parameters=parameters, start=np.array(start), times=few.times, **_stretches(few))
    (one,) = unroll(*read(replace(order(1), seed=1)))
    (folder / "course.xml").write_text(sbml.to_sbml(replace(one, events=few.events)))


def _stretches(few: Work) -> dict[str, np.ndarray]:
    """Edges between events, and for each stretch what is added at its start and what runs in during it."""
    place = {s: k for k, s in enumerate(few.model.states)}
    edges = {0.0, float(few.times[-1])}
    for e in few.events:
        edges |= {e.time, e.time + e.duration} if isinstance(e, engine.Infusion) else {e.time}
    sharp = np.array(sorted(edges))
    rates, add = np.zeros((len(sharp) - 1, len(place))), np.zeros((len(sharp) - 1, len(place)))
    for k, t in enumerate(sharp[:-1]):
        for e in few.events:
            if isinstance(e, engine.Infusion) and e.time <= t < e.time + e.duration:
                rates[k, place[e.state]] += float(e.amount) / e.duration
            if isinstance(e, engine.Bolus) and e.time == t:
                add[k, place[e.state]] += float(e.amount)
    return {"edges": sharp, "rates": rates, "add": add}


def _arithmetic(symbolic: Any, outputs: Mapping[str, tuple[str, ...]]) -> str:
    """Functions of plain arithmetic, `rhs(t, u, du, p)` and `outputs_...(t, u, p, out)`, common terms taken once."""
    import sympy
    from sympy.printing.pycode import PythonCodePrinter

    class Printer(PythonCodePrinter):
        def _print_Max(self, e: Any) -> str:  # noqa: N802
            return f"max({', '.join(self._print(a) for a in e.args)})"

        def _print_Min(self, e: Any) -> str:  # noqa: N802
            return f"min({', '.join(self._print(a) for a in e.args)})"

    show = Printer({"fully_qualified_modules": True}).doprint
    known = {**symbolic.assignments, **{s: sympy.Symbol(s) for s in symbolic.states}}

    def full(e: Any) -> Any:
        for name in reversed(list(symbolic.assignments)):
            e = e.xreplace({sympy.Symbol(name): symbolic.assignments[name]})
        return e

    def function(head: str, into: str, expressions: list[Any]) -> list[str]:
        shared, short = sympy.cse([full(e) for e in expressions])
        used = set().union(*(e.free_symbols for e in [*short, *(e for _, e in shared)]))
        lines = [head]
        lines += [f"    {s} = u[{k}]" for k, s in enumerate(symbolic.states) if sympy.Symbol(s) in used]
        lines += [f"    {s} = p[{k}]" for k, s in enumerate(symbolic.parameters) if sympy.Symbol(s) in used]
        lines += [f"    {name} = {show(e)}" for name, e in shared]
        return [*lines, *(f"    {into}[{k}] = {show(e)}" for k, e in enumerate(short)), ""]

    rates = function("def rhs(time, u, du, p):", "du", [symbolic.rates[s] for s in symbolic.states])
    lines = ["import math", "", "", *rates]
    for which, names in outputs.items():
        lines += ["", *function(f"def outputs_{which}(time, u, p, out):", "out", [known[name] for name in names])]
    return "\n".join(lines)
