"""A kernel for one model, one set of outputs and one target: what it is called with, and how it is printed.

The one thing to know: everything that a kernel's text depends on is in its `Shape`, so kernels of the same shape are
printed once; the layout (which row holds what) comes out of the same printing. Every printer writes a function of the
same POINTERS and NUMBERS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from regrow.engine.grid import Grid, Places
from regrow.engine.model import Model
from regrow.engine.sections import Layout, Printer, Sections, precise_items

#: the arrays that a kernel takes, in order, and then the numbers; of the arrays these hold whole numbers
POINTERS = (
    "const", "state", "table", "span_table", "out", "peak", "keep", "add", "slot_of", "lengths", "h", "kind", "time",
    "first_action", "spans", "first_out", "out_time", "out_span", "out_basis0", "out_basis1", "out_basis2",
    "out_basis3", "first_mark", "mark_time", "mark_span", "mark_basis0", "mark_basis1", "mark_basis2", "mark_basis3",
    "mark_window",
)  # fmt: skip
NUMBERS = (
    "n_lengths", "n_steps", "n_spans", "n_const", "n_state", "n_table", "n_span_table", "n_out", "n_peak", "n_actions",
    "n_outs", "n_peaks", "first", "last",
)  # fmt: skip
INTEGERS = {"slot_of", "kind", "first_action", "first_out", "out_span", "first_mark", "mark_span", "mark_window"}
#: arrays that hold a part for each person (or block of people) -> how many rows that part has
ROWS = {"const": "n_const", "state": "n_state", "out": "n_outs", "peak": "n_peaks", "keep": "n_actions",
        "add": "n_actions"}  # fmt: skip
#: arrays with several rows for each length, span, time or window -> how many
STRIDE = {"table": "n_table", "span_table": "n_span_table", "out": "n_out", "peak": "n_peak"}
#: loops over what belongs to one step -> where each step's part begins
FIRST = {"actions": "first_action", "outs": "first_out", "marks": "first_mark"}


@dataclass(frozen=True)
class Shape:
    """What makes a kernel: outputs, sums of outputs whose peaks are wanted, items solved (places in the program),
    states with infusions, states that stay zero throughout (depots that nobody uses), sweeps of a feedback loop."""

    outputs: tuple[str, ...]
    peaks: tuple[tuple[str, ...], ...]
    needed: tuple[int, ...]
    infused: tuple[str, ...]
    idle: tuple[str, ...]
    sweeps: int


@dataclass(frozen=True)
class Call:
    """All arrays of one run of a kernel: rows by slot, columns by person. `state` is moved on.

    `marks` are the times of all windows in one row, `window` (marks) the one that each belongs to, of `windows`. `into`
    (outputs, n, times) is where the outputs go.
    """

    const: np.ndarray
    state: np.ndarray
    first_action: np.ndarray
    slot_of: np.ndarray
    keep: np.ndarray
    add: np.ndarray
    grid: Grid
    outs: Places
    marks: Places
    window: np.ndarray
    windows: int
    into: np.ndarray

    @cached_property
    def spans(self) -> np.ndarray:
        """The spans of outputs, then those of marks: `outs.span` and, behind them, `marks.span` are places in it."""
        return np.concatenate([self.outs.spans, self.marks.spans])

    def arrays(self) -> dict[str, np.ndarray]:
        """What is given to a kernel, by the names of POINTERS: all but its working memory and what it gives back."""
        grid, outs, marks = self.grid, self.outs, self.marks
        return {
            "const": self.const, "state": self.state, "keep": self.keep, "add": self.add, "slot_of": self.slot_of,
            "lengths": grid.lengths, "h": grid.h, "kind": grid.kind, "time": grid.time,
            "first_action": self.first_action, "spans": self.spans, "first_out": outs.first, "out_time": outs.time,
            "out_span": outs.span, **{f"out_basis{j}": row for j, row in enumerate(outs.basis)},
            "first_mark": marks.first, "mark_time": marks.time, "mark_span": marks.span + len(outs.spans),
            **{f"mark_basis{j}": row for j, row in enumerate(marks.basis)}, "mark_window": self.window,
        }  # fmt: skip

    def sizes(self, layout: Layout) -> dict[str, int]:
        """The numbers of NUMBERS for one lane and a whole table; the people, `first` to `last`, are the caller's."""
        outputs, peaks = len(layout.outputs), len(layout.peaks)
        return {
            "n_lengths": len(self.grid.lengths), "n_steps": len(self.grid.h), "n_spans": len(self.spans),
            "n_const": len(self.const), "n_state": len(self.state), "n_table": 3 * len(layout.table),
            "n_span_table": len(layout.spans), "n_out": outputs, "n_peak": peaks, "n_actions": len(self.keep),
            "n_outs": len(self.outs.time) * outputs, "n_peaks": self.windows * peaks,
        }  # fmt: skip


@dataclass(frozen=True)
class Kernel:
    """`layout` says which row holds what; `run` moves the state on, writes the outputs and gives the largest values
    (peaks, n, windows), minus infinity where a window had no time here."""

    layout: Layout
    run: Callable[[Call], np.ndarray]


def write(model: Model, shape: Shape, printer: Printer) -> Layout:
    """Prints the kernel of a shape through `printer`."""
    return Sections(
        model.program,
        shape.outputs,
        shape.peaks,
        shape.needed,
        frozenset(shape.infused),
        frozenset(shape.idle),
        shape.sweeps,
        printer,
    ).write()


def precise_slots(model: Model, shape: Shape) -> int:
    """How many rows of the state hold double numbers in any precision: two for each state of the precise items."""
    items = model.program.items
    return sum(2 * len(items[k]["states"]) for k in precise_items(model.program, shape.needed, shape.infused))


@lru_cache(maxsize=32)
def numpy_kernel(model: Model, shape: Shape) -> Kernel:
    """The kernel as NumPy source, which every machine can run."""
    from regrow.engine.numpy_printer import NumpyPrinter, load

    printer = NumpyPrinter()
    layout = write(model, shape, printer)
    function = load(printer.source())

    def run(call: Call) -> np.ndarray:
        n = call.state.shape[1]
        out = np.empty((len(call.outs.time), len(shape.outputs), n))
        peak = np.full((call.windows, len(shape.peaks), n), -np.inf)
        table = np.empty((len(call.grid.lengths), 3 * len(layout.table), n))
        span_table = np.empty((len(call.spans), len(layout.spans), n))
        with np.errstate(all="ignore"):
            function(**call.arrays(), table=table, span_table=span_table, out=out, peak=peak)
        call.into[:] = np.moveaxis(out, 0, 2)
        return np.moveaxis(peak, 0, 2)

    return Kernel(layout, run)
