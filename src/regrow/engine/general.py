"""The general stiff solver (LSODA, person by person) for models that the cascade scheme cannot take.

The one thing to know: it is slow, a hundred times and more, and a run says so. It works on the lowered rates, so
every event and output means the same as in the kernel.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.engine import plan
from regrow.engine.events import Bolus, Infusion, Jump
from regrow.refusal import Refusal

if TYPE_CHECKING:
    from regrow.engine.lower import Program
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
    """(values (outputs, times), end (states,)) of a task for one person."""
    program = task.model.program
    states = program.states
    values = np.empty((len(task.outputs), len(task.times)))
    wanted = [program.outputs[name] for name in task.outputs]
    names = {name: _one(value) for name, value in task.parameters.items()}
    if task.start is None:
        x = _evaluated(program, names, task.start_time, [program.initial[s] for s in states])
    else:
        x = task.start[:, 0].copy()
    for epoch in plan.epochs(program, task.events, task.start_time, float(task.times[-1])):
        here = names | {change.parameter: _one(change.value) for change in epoch.changes}
        x = plan.leap(x[:, None], epoch.jumps, states)[:, 0]
        edges = [*plan.breaks(epoch), epoch.end]
        for left, right in itertools.pairwise(edges):
            x = _after_events(x, epoch, left, states)
            closing = right == left or (right == epoch.end and epoch.last and edges.count(right) == 1)
            inside = (task.times >= left) & ((task.times <= right) if closing else (task.times < right))
            ask = np.unique(np.append(task.times[inside], right))
            points = _moved(program, here, epoch, x, left, right, ask)
            for k in np.flatnonzero(inside):
                point = points[:, np.searchsorted(ask, task.times[k])]
                values[:, k] = _evaluated(program, here | dict(zip(states, point, strict=True)), task.times[k], wanted)
            x = points[:, -1].copy()
    return values, x


def _one(value: Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])


def _evaluated(program: Program, names: Mapping[str, float], time: float, wanted: Sequence[int]) -> np.ndarray:
    """The values (wanted,) of expressions at one time, from the values of the names in them."""
    evaluate = plan.Evaluator(program, {**names, "time": time}, 1)
    return np.array([_one(evaluate(e)) for e in wanted])


def _after_events(x: np.ndarray, epoch: plan.Epoch, time: float, states: Sequence[str]) -> np.ndarray:
    """The states after what happens at once at `time`."""
    x = x.copy()
    for event in epoch.events:
        if event.time == time and isinstance(event, Bolus | Jump):
            keep, add = (1.0, event.amount) if isinstance(event, Bolus) else (event.keep, event.add)
            k = states.index(event.state)
            x[k] = _one(keep) * x[k] + _one(add)
    return x


def _moved(
    program: Program, here: Mapping[str, float], epoch: plan.Epoch, x: np.ndarray, left: float, right: float, ask: Any
) -> np.ndarray:
    """The states (states, ask) at the times `ask` from `left` to `right`, between which nothing happens."""
    from scipy.integrate import solve_ivp

    if right <= left:
        return np.repeat(x[:, None], len(ask), axis=1)
    states = program.states
    rates = [program.rates[s] for s in states]
    source = np.zeros(len(states))
    for event in epoch.events:
        if isinstance(event, Infusion) and event.time <= left < event.time + event.duration:
            source[states.index(event.state)] += _one(event.amount) / event.duration
    calls = itertools.count()

    def slope(t: float, x: np.ndarray) -> np.ndarray:
        if next(calls) > _MOST_CALLS or np.abs(x).max() > 1e100:
            large = states[int(np.abs(x).argmax())]
            sentence = f"the general solver stopped {t - left:g} h after {left:g} h: {large} runs away"
            raise Refusal("SOLVER", f"{sentence}; check its equation", field=large)
        return _evaluated(program, {**here, **dict(zip(states, x, strict=True))}, t, rates) + source

    with np.errstate(all="ignore"):
        done = solve_ivp(slope, (left, right), x, method="LSODA", rtol=RELATIVE, atol=ABSOLUTE, t_eval=ask)
    if not done.success:
        said = " ".join(done.message.split())
        raise Refusal("SOLVER", f"the general solver stopped between {left:g} and {right:g} h: {said}")
    return done.y
