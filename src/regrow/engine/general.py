"""The general stiff solver (LSODA, person by person) for models that the cascade scheme cannot take.

The one thing to know: it is slow, a hundred times and more, and a run says so. It works on the lowered rates, so
every event and output means the same as in the kernel.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.engine import plan
from regrow.engine.events import Bolus, Infusion, Jump
from regrow.refusal import Refusal

if TYPE_CHECKING:
    from regrow.engine.run import _Task

RELATIVE, ABSOLUTE = 1e-9, 1e-11
_MOST_CALLS = 400_000  # of the rates between two events: more only where a solution runs away


def solve_general(task: _Task) -> tuple[np.ndarray, np.ndarray]:
    """(values (outputs, n, times), end (states, n)) of a task. Raises Refusal SOLVER where the solver gives up."""
    values = np.empty((len(task.outputs), task.n, len(task.times)))
    end = np.empty((len(task.model.states), task.n))
    for person in range(task.n):
        values[:, person], end[:, person] = _person(task.some(np.array([person])))
    return values, end


def _person(task: _Task) -> tuple[np.ndarray, np.ndarray]:
    from scipy.integrate import solve_ivp

    program = task.model.program
    states = program.states
    values = np.empty((len(task.outputs), len(task.times)))
    rates = [program.rates[s] for s in states]
    wanted = [program.outputs[name] for name in task.outputs]

    def one(value: Any) -> float:
        return float(np.asarray(value).reshape(-1)[0])

    names = {name: one(value) for name, value in task.parameters.items()}
    start = plan.Evaluator(program, names | {"time": task.start_time}, 1)
    x = (
        task.start[:, 0].copy()
        if task.start is not None
        else np.array([one(start(program.initial[s])) for s in states])
    )
    for epoch in plan.epochs(program, task.events, task.start_time, float(task.times[-1])):
        here = names | {change.parameter: one(change.value) for change in epoch.changes}
        x = plan.leap(x[:, None], epoch.jumps, states)[:, 0]

        def values_of(t: float, x: np.ndarray, wanted: list[int], here: dict[str, float] = here) -> np.ndarray:
            evaluate = plan.Evaluator(program, here | dict(zip(states, x, strict=True)) | {"time": t}, 1)
            return np.array([one(evaluate(e)) for e in wanted])

        edges = [*plan.breaks(epoch), epoch.end]
        for left, right in itertools.pairwise(edges):
            for event in epoch.events:
                if event.time == left and isinstance(event, Bolus | Jump):
                    keep, add = (1.0, event.amount) if isinstance(event, Bolus) else (event.keep, event.add)
                    k = states.index(event.state)
                    x[k] = one(keep) * x[k] + one(add)
            source = np.zeros(len(states))
            for event in epoch.events:
                if isinstance(event, Infusion) and event.time <= left < event.time + event.duration:
                    source[states.index(event.state)] += one(event.amount) / event.duration
            closing = right == left or (right == epoch.end and epoch.last and edges.count(right) == 1)
            inside = (task.times >= left) & ((task.times <= right) if closing else (task.times < right))
            ask = np.unique(np.append(task.times[inside], right))
            if right > left:
                calls = itertools.count()

                def slope(
                    t: float, x: np.ndarray, source: np.ndarray = source, calls: Any = calls, left: float = left
                ) -> np.ndarray:
                    if next(calls) > _MOST_CALLS or np.abs(x).max() > 1e100:
                        large = states[int(np.abs(x).argmax())]
                        sentence = f"the general solver stopped {t - left:g} h after {left:g} h: {large} runs away"
                        raise Refusal("SOLVER", f"{sentence}; check its equation", field=large)
                    return values_of(t, x, rates) + source

                with np.errstate(all="ignore"):
                    done = solve_ivp(
                        slope, (left, right), x, method="LSODA", rtol=RELATIVE, atol=ABSOLUTE, t_eval=ask,
                    )  # fmt: skip
                if not done.success:
                    said = " ".join(done.message.split())
                    raise Refusal("SOLVER", f"the general solver stopped between {left:g} and {right:g} h: {said}")
                points = done.y
            else:
                points = np.repeat(x[:, None], len(ask), axis=1)
            for k in np.flatnonzero(inside):
                values[:, k] = values_of(task.times[k], points[:, np.searchsorted(ask, task.times[k])], wanted)
            x = points[:, -1].copy()
    return values, x
