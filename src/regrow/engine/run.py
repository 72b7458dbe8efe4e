"""Solve a model over people: check what came in, run the kernel epoch by epoch, measure the error.

The one thing to know: every run solves a sample of its people again on the fine grid, and `Solution.error` is what
that showed. Above the target the whole run is done again on the fine grid, and a notice says so; nothing is
returned with an unknown error.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.engine import plan
from regrow.engine.events import Change, Event, Infusion, check, per_person
from regrow.engine.grid import FINE, STANDARD, Grid, Pace
from regrow.engine.kernel import Call, Kernel, Shape, numpy_kernel
from regrow.engine.sections import needed_items
from regrow.refusal import Refusal

if TYPE_CHECKING:
    from regrow.engine.model import Model

#: largest difference from the fine grid, as a share of an output's largest value, that a run may show
TARGET = 1e-4
_SHARE, _FEWEST, _MOST = 0.03, 4, 256  # of the people, how many are solved again
_PEOPLE_AT_ONCE = 1024  # so that the arrays of a run stay in the processor's cache


@dataclass(frozen=True)
class Solution:
    """What a run gives.

    `values` (outputs, n, times); `end` (states, n) at the last time, after its events, for `start` of a later run;
    `error` by output: the largest difference from the fine grid seen in a sample, relative to the output's largest
    value; `notices` say what was done differently from what was asked.
    """

    values: np.ndarray
    end: np.ndarray
    error: dict[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Task:
    model: Model
    parameters: dict[str, float | np.ndarray]
    events: tuple[Event, ...]
    times: np.ndarray
    outputs: tuple[str, ...]
    n: int
    start: np.ndarray | None
    start_time: float
    whole: bool
    printer: str
    lanes: int  # of the whole run: its samples use the same machine code

    def some(self, who: np.ndarray | slice) -> _Task:
        """The same task for some of the people."""
        n = len(range(self.n)[who]) if isinstance(who, slice) else len(who)

        def cut(value: Any) -> Any:
            return value[who] if isinstance(value, np.ndarray) and value.shape == (self.n,) else value

        def cut_event(event: Event) -> Event:
            names = ("amount", "keep", "add", "value")
            return replace(event, **{name: cut(getattr(event, name)) for name in names if hasattr(event, name)})

        return replace(
            self,
            parameters={name: cut(value) for name, value in self.parameters.items()},
            events=tuple(cut_event(event) for event in self.events),
            n=n,
            start=None if self.start is None else self.start[:, who],
        )


def solve(
    model: Model,
    parameters: Mapping[str, float | np.ndarray],
    events: Sequence[Event],
    times: np.ndarray | Sequence[float],
    outputs: Sequence[str],
    *,
    n: int = 1,
    start: np.ndarray | None = None,
    start_time: float = 0.0,
    accuracy: str = "standard",
    whole: bool = True,
    printer: str = "llvm",
) -> Solution:
    """The outputs of `n` people at `times` (h, ascending, from `start_time`), shape (outputs, n, times).

    `parameters`: one number for all or an array (n,) each. `start`: states (states, n) to go on from instead of the
    initial values; then give only events from `start_time` on, except infusions still running and changes, which
    hold on. `accuracy`: "standard", or "fine" for the fine grid throughout. `whole=False` leaves out states that
    feed no output (their rows of `end` are NaN). `printer`: "llvm"
    makes machine code, "numpy" runs the same kernel as NumPy source (slower; also used where LLVM is missing).
    Raises Refusal for everything that cannot be used.
    """
    task = _checked(model, parameters, events, times, outputs, n, start, start_time, whole, printer)
    if accuracy not in ("standard", "fine"):
        raise Refusal("ACCURACY", f"accuracy is '{accuracy}'; give standard or fine", field="accuracy", value=accuracy)
    if model.general is not None:
        from regrow.engine.general import solve_general

        values, end = solve_general(task)
        notice = f"{model.general}; the general stiff solver was used"
        return Solution(values, end, dict.fromkeys(outputs, 1e-7), (notice,))
    notices: list[str] = []
    pace = STANDARD if accuracy == "standard" else FINE
    values, end = _run(task, pace)
    error = _error(task, values, pace)
    if accuracy == "standard" and max(error.values(), default=0.0) > TARGET:
        worst = max(error, key=lambda name: error[name])
        notices.append(f"{worst} differed by {error[worst]:.1g} from the fine grid, so the fine grid was used for all")
        pace = FINE
        values, end = _run(task, pace)
        error = _error(task, values, pace)
    return Solution(values, end, error, tuple(notices))


def _run(task: _Task, pace: Pace) -> tuple[np.ndarray, np.ndarray]:
    """Values and end states, chunk by chunk of people, the chunks side by side on this machine's cores."""
    values = np.empty((len(task.outputs), task.n, len(task.times)))
    end = np.empty((len(task.model.states), task.n))
    shape = _shape(task, pace)
    kernel = _kernel(task, shape)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    size = min(_PEOPLE_AT_ONCE, max(16, -(-task.n // cores // 16) * 16))
    parts = [slice(first, min(first + size, task.n)) for first in range(0, task.n, size)]

    stretches = plan.epochs(task.model.program, task.events, task.start_time, float(task.times[-1]))
    grids = {epoch.begin: plan.grid_of(epoch, task.times, pace) for epoch in stretches}

    def part(who: slice) -> None:
        values[:, who], end[:, who] = _chunk(task.some(who), grids, kernel, shape)

    if len(parts) == 1 or cores == 1 or task.printer == "numpy":
        for who in parts:
            part(who)
    else:
        with ThreadPoolExecutor(cores) as pool:
            for _ in pool.map(part, parts):
                pass
    return values, end


def _shape(task: _Task, pace: Pace) -> Shape:
    program = task.model.program
    infused = tuple(sorted({e.state for e in task.events if isinstance(e, Infusion)}))
    idle = plan.idle_states(program, task.events, task.start)
    needed = range(len(program.items)) if task.whole else needed_items(program, task.outputs)
    used = tuple(k for k in needed if program.items[k]["states"][0] not in idle)
    return Shape(task.outputs, used, infused, idle, pace.sweeps)


def _kernel(task: _Task, shape: Shape) -> Kernel:
    """Machine code where it can be made, else the same kernel in NumPy."""
    if task.printer == "llvm":
        try:
            from regrow.engine.machine import machine_kernel
        except ImportError:
            return numpy_kernel(task.model, shape)
        return machine_kernel(task.model, shape, task.lanes)
    return numpy_kernel(task.model, shape)


def _chunk(
    task: _Task, grids: Mapping[float, tuple[Grid, np.ndarray]], kernel: Kernel, shape: Shape
) -> tuple[np.ndarray, np.ndarray]:
    program = task.model.program
    out = np.empty((len(task.outputs), task.n, len(task.times)))
    x = task.start
    for epoch in plan.epochs(program, task.events, task.start_time, float(task.times[-1])):
        names = dict(task.parameters)
        with np.errstate(all="ignore"):
            if x is None:
                first = plan.Evaluator(program, names | {"time": task.start_time}, task.n)
                x = np.array([first(program.initial[s]) for s in program.states])
            for change in epoch.changes:
                names[change.parameter] = change.value
            x = plan.leap(x, epoch.jumps, program.states)
            blocks = plan.Blocks.of(program, plan.Evaluator(program, names, task.n), kernel.layout.needed)
            const = blocks.constants(program, kernel.layout)
            actions = plan.Actions(program, kernel.layout, blocks, epoch)
            state = actions.start(x)
            grid, inside = grids[epoch.begin]
            first_action, slot_of, keep, add = actions.table(grid)
        first_out = np.searchsorted(grid.step, np.arange(len(grid.time) + 1)).astype(np.int64)
        out[:, :, inside] = kernel.run(Call(const, state, first_action, slot_of, keep, add, grid, first_out))
        x = actions.end(state, shape.idle)
    assert x is not None
    return out, x


def _error(task: _Task, values: np.ndarray, pace: Pace) -> dict[str, float]:
    """The largest relative difference from a finer solution, by output, over a sample spread over the people."""
    count = min(task.n, max(_FEWEST, min(_MOST, round(_SHARE * task.n))))
    who = np.unique(np.linspace(0, task.n - 1, count).round().astype(int))
    finer = FINE if pace is STANDARD else pace.finer()
    reference, _ = _run(task.some(who), finer)
    with np.errstate(all="ignore"):
        scale = np.nanmax(np.abs(reference), axis=(1, 2), initial=0.0)
        apart = np.nanmax(np.abs(values[:, who] - reference), axis=(1, 2), initial=0.0)
        share = np.where(scale > 0, apart / scale, apart)
    return {name: float(e) for name, e in zip(task.outputs, share, strict=True)}


def _checked(
    model: Model,
    parameters: Mapping[str, Any],
    events: Sequence[Event],
    times: Any,
    outputs: Sequence[str],
    n: int,
    start: np.ndarray | None,
    start_time: float,
    whole: bool,
    printer: str,
) -> _Task:
    if printer not in ("llvm", "numpy"):
        raise Refusal("PRINTER", f"printer is '{printer}'; give llvm or numpy", field="printer", value=printer)
    if n < 1:
        raise Refusal("PEOPLE", f"n is {n}; give at least one person", field="n", value=n)
    for name in outputs:
        if name not in model.program.outputs:
            near = difflib.get_close_matches(name, model.outputs, 3)
            hint = f"; perhaps {' or '.join(near)}" if near else ""
            raise Refusal("OUTPUT-UNKNOWN", f"'{name}' is no output of the model{hint}", field="outputs", value=name)
    clock = np.asarray(times, dtype=float)
    if clock.ndim != 1 or not len(clock) or not np.isfinite(clock).all() or (np.diff(clock) < 0).any():
        raise Refusal("TIMES", "times must be one or more finite hours in ascending order", field="times", value=times)
    if not np.isfinite(start_time) or clock[0] < start_time:
        raise Refusal(
            "TIMES",
            f"the first time, {clock[0]:g} h, lies before the start at {start_time:g} h; start earlier or ask later",
            field="times",
            value=float(clock[0]),
        )
    given: dict[str, float | np.ndarray] = dict(model.defaults)
    for name, value in parameters.items():
        if name not in model.parameters:
            near = difflib.get_close_matches(name, model.parameters, 3)
            hint = f"; perhaps {' or '.join(near)}" if near else ""
            raise Refusal("PARAMETER-UNKNOWN", f"'{name}' is no parameter of the model{hint}", field=name, value=value)
        given[name] = per_person(value, n, f"parameter {name}", "PARAMETER-VALUE")
    needed = set(model.parameters) if whole else model.needs(outputs)
    changed = {e.parameter for e in events if isinstance(e, Change) and e.time <= start_time}
    missing = sorted(needed - set(given) - changed)
    if missing:
        raise Refusal(
            "PARAMETER-MISSING", f"the model needs a value for {', '.join(missing)}", field=missing[0], value=None
        )
    if start is not None:
        start = np.array(start, dtype=float)
        if start.shape != (len(model.states), n):
            raise Refusal(
                "START",
                f"start has shape {start.shape}; give ({len(model.states)}, {n}), one row for each state",
                field="start",
            )
    return _Task(
        model,
        given,
        check(events, model, n, start_time),
        clock,
        tuple(outputs),
        n,
        start,
        float(start_time),
        whole,
        printer,
        16 if n >= 100 else 8,
    )
