"""Solve a model over people: check what came in, run the kernel epoch by epoch, measure the error.

The one thing to know: every run solves a sample of its people again on a finer grid in double precision, and
`Solution.error` is what that showed. Above the target the whole run is done again, finer and in double precision, and a
notice says so; nothing is returned with an unknown error.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.engine import plan
from regrow.engine.events import Change, Event, Infusion, check, per_person
from regrow.engine.grid import FINE, STANDARD, Pace
from regrow.engine.kernel import Call, Kernel, Shape, numpy_kernel
from regrow.engine.sections import needed_items
from regrow.refusal import Refusal

if TYPE_CHECKING:
    from regrow.engine.model import Model

#: largest difference from a finer grid, as a share of an output's largest value, that a run may show
TARGET = 1e-4
ACCURACIES = {"standard": STANDARD, "fine": FINE}
_SHARE, _FEWEST, _MOST = 0.03, 4, 64  # of the people, how many are solved again
_MOST_BY_GENERAL = 2000  # people whom the general solver, a hundred times slower, is let loose on
_FINER = 3  # how often a grid is halved before the general solver has its turn
_PEOPLE_AT_ONCE = 2560  # so few that the arrays of a run stay near the processor, so many that words about them are few


@dataclass(frozen=True)
class Solution:
    """What a run gives.

    `values` (outputs, n, times); `peaks` (peaks, n, windows); `end` (states, n) at the last time, after its events, for
    `start` of a later run; `error` by output: the largest difference from a finer grid seen in a sample, relative to
    the output's largest value; `notices` say what was done differently from what was asked.
    """

    values: np.ndarray
    end: np.ndarray
    peaks: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0)))
    error: dict[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Task:
    model: Model
    parameters: dict[str, float | np.ndarray]
    events: tuple[Event, ...]
    times: np.ndarray
    outputs: tuple[str, ...]
    peaks: tuple[tuple[str, ...], ...]
    windows: tuple[np.ndarray, ...]
    n: int
    start: np.ndarray | None
    start_time: float
    whole: bool
    printer: str
    lanes: int
    mixed: bool
    threads: int

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
    peaks: Sequence[Sequence[str]] = (),
    windows: Sequence[np.ndarray | Sequence[float]] = (),
    start: np.ndarray | None = None,
    start_time: float = 0.0,
    accuracy: str = "fine",
    precision: str = "double",
    target: float | Mapping[str, float] = TARGET,
    whole: bool = True,
    printer: str = "llvm",
    threads: int = 0,
) -> Solution:
    """The outputs of `n` people at `times` (h, ascending, from `start_time`), shape (outputs, n, times).

    `parameters`: one number for all or an array (n,) each. `peaks`: sums of outputs, each a row of names, of which the
    largest value over the times of each of the `windows` is wanted, without a course of values being kept. `start`:
    states (states, n) to go on from instead of the initial values; then give only events from `start_time` on, except
    infusions still running and changes, which hold on. `accuracy`: "fine" (every output within 1e-4) or "standard"
    (a third of the steps, for large populations). `precision`: "double", or "mixed", where only linear blocks that
    doses enter keep double numbers. `target`: the error above which the run is done again, for all outputs or by name
    (1e-4 where a name is missing). `whole=False` leaves out states that feed no output (their rows of `end` are NaN).
    `printer`: "llvm" makes machine code, "numpy" runs the same kernel as NumPy source (slower; also used where LLVM is
    missing), "c" has this machine's C compiler make it. `threads`: how many cores to use, 0 for all. Raises Refusal for
    everything that cannot be used.
    """
    task = _checked(
        model, parameters, events, times, outputs, n, peaks, windows, start, start_time, whole, printer, precision,
        threads,
    )  # fmt: skip
    if accuracy not in ACCURACIES:
        raise Refusal("ACCURACY", f"accuracy is '{accuracy}'; give standard or fine", field="accuracy", value=accuracy)
    limits = _limits(target, task.outputs)
    said = _check_start(task)
    if model.general is not None:
        solution = _generally(task, model.general)
    else:
        try:
            solution = _by_kernel(task, accuracy, limits)
        except _Oscillates as why:
            solution = _generally(task, str(why))
    return replace(solution, notices=(*said, *solution.notices))


class _Oscillates(Exception):
    """A linear block has no real modes, so the kernel cannot take it."""


def _by_kernel(task: _Task, accuracy: str, limits: dict[str, float]) -> Solution:
    """The task solved by the kernel, finer where its error is above the limits, by the general solver as a last way."""
    notices: list[str] = []
    pace = ACCURACIES[accuracy]
    values, highest, end = _run(task, pace)
    error = _error(task, values, pace)
    worst = max(error, key=lambda name: error[name] / limits[name], default=None)
    if worst is not None and error[worst] > limits[worst]:
        why = f"{worst} differed by {error[worst]:.1g} from a finer grid, above {limits[worst]:.1g}"
        for again in range(_FINER):
            pace = FINE if not again and (accuracy == "standard" or task.mixed) else pace.finer()
            task = replace(task, mixed=False)
            before = error
            values, highest, end = _run(task, pace)
            error = _error(task, values, pace)
            worst = max(error, key=lambda name: error[name] / limits[name])
            # a smooth course gains fivefold by half the steps; a jump inside them does not, and is not well told either
            if error[worst] <= limits[worst] or (again and error[worst] > before[worst] / 3):
                break
        notices.append(f"{why}, so a finer grid was used for all")
        if error[worst] > limits[worst]:
            why = f"{worst} still differed by {error[worst]:.1g} on the finest grid"
            if error[worst] > 3 * limits[worst]:
                return _generally(task, f"{why} (a loop too fast for it, or a jump that no step begins at)")
            notices.append(why)
    return Solution(values, end, highest, error, tuple(notices))


def _check_start(task: _Task) -> tuple[str, ...]:
    """Refuses, with MODEL-VALUE, equations that give no finite number at the start, such as a division by zero there.

    The scheme's nodes lie behind the start and would not meet it. Gives notices of what grows by itself. A sample of
    the people is looked at.
    """
    if task.start is not None or not task.whole:
        return ()
    program = task.model.program
    some = task.some(np.unique(np.linspace(0, task.n - 1, min(task.n, _MOST)).round().astype(int)))
    names = dict(some.parameters) | {e.parameter: e.value for e in some.events
                                     if isinstance(e, Change) and e.time <= task.start_time}  # fmt: skip
    names |= {"time": task.start_time}
    with np.errstate(all="ignore"):
        first = plan.Evaluator(program, names, some.n)
        initial = {s: first(program.initial[s]) for s in program.states}
        rates = plan.Evaluator(program, names | initial, some.n)
        for state in program.states:
            what, value = "rate of change", rates(program.rates[state])
            if not np.isfinite(initial[state]).all():
                what, value = "value", initial[state]
            if not np.isfinite(value).all():
                bad = np.asarray(value).reshape(-1)[~np.isfinite(np.asarray(value).reshape(-1))][0]
                sentence = (
                    f"equation of {state}: its {what} at the start ({task.start_time:g} h) is {bad:g}; look for a "
                    "division by zero, or a root or logarithm of what is zero or less there"
                )
                raise Refusal("MODEL-VALUE", sentence, field=state)
    return plan.grows(plan.growing(program, plan.Evaluator(program, names, some.n)))


def _limits(target: float | Mapping[str, float], outputs: Sequence[str]) -> dict[str, float]:
    given = dict.fromkeys(outputs, target) if isinstance(target, int | float) else dict(target)
    for name, limit in given.items():
        if name not in outputs:
            sentence = f"target names '{name}', which is not among the outputs; leave it out"
            raise Refusal("TARGET", sentence, field="target", value=name)
        if not limit > 0:
            raise Refusal("TARGET", f"target is {limit} for {name}; give more than 0", field="target", value=limit)
    return dict.fromkeys(outputs, TARGET) | given


def _generally(task: _Task, why: str) -> Solution:
    """The task solved by the general stiff solver. Raises Refusal ACCURACY-MISSED for too many people."""
    if task.n > _MOST_BY_GENERAL:
        sentence = (
            f"{why}; the general solver would take hours for {task.n} people: give at most {_MOST_BY_GENERAL}, or "
            "write the equation linear in its own state"
        )
        raise Refusal("ACCURACY-MISSED", sentence, field="n", value=task.n)
    from regrow.engine.general import RELATIVE, solve_general

    whole = replace(task, outputs=tuple(dict.fromkeys([*task.outputs, *(name for row in task.peaks for name in row)])))
    clock = np.unique(np.concatenate([task.times, *task.windows]))
    found, end = solve_general(replace(whole, times=clock))
    row = {name: found[k] for k, name in enumerate(whole.outputs)}
    values = np.array([row[name] for name in task.outputs])[:, :, np.searchsorted(clock, task.times)]
    highest = np.full((len(task.peaks), task.n, len(task.windows)), -np.inf)
    for k, names in enumerate(task.peaks):
        total = np.sum([row[name] for name in names], axis=0)
        for j, window in enumerate(task.windows):
            if len(window):
                highest[k, :, j] = np.max(total[:, np.searchsorted(clock, window)], axis=1)
    return Solution(
        values, end, highest, dict.fromkeys(task.outputs, 100 * RELATIVE),
        (f"{why}; the general stiff solver was used",),
    )  # fmt: skip


def _run(task: _Task, pace: Pace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, peaks and end states, chunk by chunk of people, the chunks side by side on this machine's cores."""
    kind = np.float32 if task.mixed else np.float64
    values = np.empty((len(task.outputs), task.n, len(task.times)), kind)
    highest = np.empty((len(task.peaks), task.n, len(task.windows)), kind)
    end = np.empty((len(task.model.states), task.n))
    shape = _shape(task, pace)
    kernel = _kernel(task, shape)
    cores = task.threads or _cores()
    size = min(_PEOPLE_AT_ONCE, max(task.lanes, -(-task.n // cores // task.lanes) * task.lanes))
    parts = [slice(first, min(first + size, task.n)) for first in range(0, task.n, size)]
    stretches = plan.epochs(task.model.program, task.events, task.start_time, float(task.times[-1]))
    clocks = [plan.clock(epoch, task.times, task.windows, pace) for epoch in stretches]

    def part(who: slice) -> None:
        some = task if len(parts) == 1 else task.some(who)
        highest[:, who], end[:, who] = _chunk(some, clocks, kernel, shape, values[:, who])

    if len(parts) == 1 or cores == 1 or task.printer == "numpy":
        for who in parts:
            part(who)
    else:
        with threads(cores) as pool:
            for _ in pool.map(part, parts):
                pass
    return values, highest, end


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that a run left by an error or by Ctrl-C does not wait for: what they still work out goes to nobody."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shape(task: _Task, pace: Pace) -> Shape:
    program = task.model.program
    infused = tuple(sorted({e.state for e in task.events if isinstance(e, Infusion)}))
    idle = plan.idle_states(program, task.events, task.start)
    wanted = dict.fromkeys([*task.outputs, *(name for row in task.peaks for name in row)])
    needed = range(len(program.items)) if task.whole else needed_items(program, wanted)
    used = tuple(k for k in needed if program.items[k]["states"][0] not in idle)
    return Shape(task.outputs, task.peaks, used, infused, idle, pace.sweeps)


def _kernel(task: _Task, shape: Shape) -> Kernel:
    """Machine code where it can be made, else the same kernel in NumPy."""
    if task.printer == "llvm":
        try:
            from regrow.engine.machine import machine_kernel
        except ImportError:
            return numpy_kernel(task.model, shape)
        return machine_kernel(task.model, shape, task.lanes, mixed=task.mixed)
    if task.printer == "c":
        from regrow.engine.c_printer import c_kernel

        return c_kernel(task.model, shape)
    return numpy_kernel(task.model, shape)


def _chunk(
    task: _Task, clocks: Sequence[plan.Clock], kernel: Kernel, shape: Shape, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Peaks and end states of a chunk of people; their values are written to `out`."""
    program = task.model.program
    highest = np.full((len(task.peaks), task.n, len(task.windows)), -np.inf, out.dtype)
    x = task.start
    stretches = plan.epochs(program, task.events, task.start_time, float(task.times[-1]))
    for epoch, clock in zip(stretches, clocks, strict=True):
        names = dict(task.parameters)
        with np.errstate(all="ignore"):
            if x is None:
                first = plan.Evaluator(program, names | {"time": task.start_time}, task.n)
                x = np.array([first(program.initial[s]) for s in program.states])
            for change in epoch.changes:
                names[change.parameter] = change.value
            x = plan.leap(x, epoch.jumps, program.states)
            blocks = plan.Blocks.of(program, plan.Evaluator(program, names, task.n), kernel.layout.needed)
            if strange := blocks.without_modes():
                states = " and ".join(program.items[strange[0]]["states"])
                raise _Oscillates(f"the equations of {states} oscillate or fall together for these values")
            const = blocks.constants(program, kernel.layout)
            actions = plan.Actions(program, kernel.layout, blocks, epoch)
            state = actions.start(x)
            first_action, slot_of, keep, add = actions.table(clock.grid)
        whole = bool(clock.inside.all())
        into = out if whole else np.empty((*out.shape[:2], len(clock.outs.time)), out.dtype)
        peaks = kernel.run(
            Call(
                const, state, first_action, slot_of, keep, add, clock.grid, clock.outs, clock.marks, clock.window,
                len(task.windows), into,
            )
        )  # fmt: skip
        if not whole:
            out[:, :, clock.inside] = into
        np.maximum(highest, peaks, out=highest)
        x = actions.end(state, shape.idle)
    assert x is not None
    return highest, x


def _error(task: _Task, values: np.ndarray, pace: Pace) -> dict[str, float]:
    """The largest relative difference from a finer solution, by output, over a sample spread over the people."""
    count = min(task.n, max(_FEWEST, min(_MOST, round(_SHARE * task.n))))
    who = np.unique(np.linspace(0, task.n - 1, count).round().astype(int))
    finer = FINE if pace is STANDARD else pace.finer()
    # an output's largest value may lie between the times asked for, so the sample is also looked at on the way
    stretches = plan.epochs(task.model.program, task.events, task.start_time, float(task.times[-1]))
    way = [plan.clock(epoch, task.times, (), finer).grid.time[::4] for epoch in stretches]
    times = np.unique(np.concatenate([task.times, *way]))
    # peaks stay in, though they are not looked at: without them it would be another kernel to compile
    some = replace(task.some(who), mixed=False, lanes=8, times=times)
    reference, _, _ = _run(some, finer)
    asked = reference[:, :, np.searchsorted(times, task.times)]
    with np.errstate(all="ignore"):
        scale = np.nanmax(np.abs(reference), axis=(1, 2), initial=0.0)
        off = np.where(np.isnan(values[:, who]) == np.isnan(asked), np.abs(values[:, who] - asked), np.inf)
        apart = np.nanmax(off, axis=(1, 2), initial=0.0)
        share = np.where(scale > 0, apart / scale, apart)
    # what order-one terms leave where they cancel is no value: two grids leave other remains of it
    share[apart <= np.finfo(float).eps * scale[np.isfinite(scale)].max(initial=0.0)] = 0.0
    return {name: float(e) for name, e in zip(task.outputs, share, strict=True)}


def _checked(
    model: Model,
    parameters: Mapping[str, Any],
    events: Sequence[Event],
    times: Any,
    outputs: Sequence[str],
    n: int,
    peaks: Sequence[Sequence[str]],
    windows: Sequence[Any],
    start: np.ndarray | None,
    start_time: float,
    whole: bool,
    printer: str,
    precision: str,
    threads: int,
) -> _Task:
    """What `solve` was given, as a task, once every part of it was found good."""
    _check_how(printer, precision, threads)
    if n < 1:
        raise Refusal("PEOPLE", f"n is {n}; give at least one person", field="n", value=n)
    asked = (*outputs, *(name for row in peaks for name in row))
    for name in asked:
        if name not in model.program.outputs:
            hint = _nearest(name, model.outputs)
            raise Refusal("OUTPUT-UNKNOWN", f"'{name}' is no output of the model{hint}", field="outputs", value=name)
    clock = _clock(times, start_time)
    spans = _windows(peaks, windows, start_time, clock[-1])
    given = _values(model, parameters, n)
    needed = set(model.parameters) if whole else model.needs(asked)
    changed = {e.parameter for e in events if isinstance(e, Change) and e.time <= start_time}
    if missing := sorted(needed - set(given) - changed):
        raise Refusal("PARAMETER-MISSING", f"the model needs a value for {', '.join(missing)}", field=missing[0])
    if start is not None:
        start = np.array(start, dtype=float)
        if start.shape != (len(model.states), n):
            wanted = f"give ({len(model.states)}, {n}), one row for each state"
            raise Refusal("START", f"start has shape {start.shape}; {wanted}", field="start")
    return _Task(
        model=model,
        parameters=given,
        events=check(events, model, n, start_time),
        times=clock,
        outputs=tuple(outputs),
        peaks=tuple(tuple(row) for row in peaks),
        windows=spans,
        n=n,
        start=start,
        start_time=float(start_time),
        whole=whole,
        printer=printer,
        lanes=16 if precision == "mixed" else 8,
        mixed=precision == "mixed" and model.general is None,
        threads=threads,
    )


def _check_how(printer: str, precision: str, threads: int) -> None:
    if printer not in ("llvm", "numpy", "c"):
        raise Refusal("PRINTER", f"printer is '{printer}'; give llvm, numpy or c", field="printer", value=printer)
    if precision not in ("double", "mixed"):
        sentence = f"precision is '{precision}'; give double or mixed"
        raise Refusal("PRECISION", sentence, field="precision", value=precision)
    if precision == "mixed" and printer != "llvm":
        sentence = f"precision is mixed, which only machine code has, but printer is '{printer}'; use double"
        raise Refusal("PRECISION", sentence, field="precision", value=precision)
    if not 0 <= threads <= 1024:
        sentence = f"threads is {threads}; give 1 to 1024, or 0 for every core"
        raise Refusal("THREADS", sentence, field="threads", value=threads)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 3)
    return f"; perhaps {' or '.join(near)}" if near else ""


def _clock(times: Any, start_time: float) -> np.ndarray:
    """The output times (h), ascending, none before the start."""
    clock = np.asarray(times, dtype=float)
    if clock.ndim != 1 or not len(clock) or not np.isfinite(clock).all() or (np.diff(clock) < 0).any():
        raise Refusal("TIMES", "times must be one or more finite hours in ascending order", field="times", value=times)
    if not np.isfinite(start_time) or clock[0] < start_time:
        sentence = (
            f"the first time, {clock[0]:g} h, lies before the start at {start_time:g} h; start earlier or ask later"
        )
        raise Refusal("TIMES", sentence, field="times", value=float(clock[0]))
    return clock


def _windows(
    peaks: Sequence[Sequence[str]], windows: Sequence[Any], start_time: float, last: float
) -> tuple[np.ndarray, ...]:
    """The times of each window, which belong to peaks and lie within the run."""
    if bool(peaks) != bool(windows):
        lacks = "windows" if peaks else "peaks"
        sentence = f"peaks and windows belong together, but {lacks} are missing; give both or neither"
        raise Refusal("WINDOWS", sentence, field=lacks)
    spans = tuple(np.asarray(window, dtype=float).reshape(-1) for window in windows)
    for window in spans:
        if not len(window) or not ((window >= start_time) & (window <= last)).all():
            sentence = f"each window needs times from {start_time:g} h to {last:g} h, the last of times"
            raise Refusal("WINDOWS", sentence, field="windows", value=window.tolist())
    return spans


def _values(model: Model, parameters: Mapping[str, Any], n: int) -> dict[str, float | np.ndarray]:
    """The text's own values with those of the run over them, each one number or an array (n,)."""
    given: dict[str, float | np.ndarray] = dict(model.defaults)
    for name, value in parameters.items():
        if name not in model.parameters:
            hint = _nearest(name, model.parameters)
            raise Refusal("PARAMETER-UNKNOWN", f"'{name}' is no parameter of the model{hint}", field=name, value=value)
        given[name] = per_person(value, n, f"parameter {name}", "PARAMETER-VALUE")
    return given
