"""A kernel for one model, one set of outputs and one target: what it is called with, and how it is printed.

The one thing to know: everything that a kernel's text depends on is in its `Shape`, so kernels of the same shape are
printed once; the layout (which row holds what) comes out of the same printing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from regrow.engine.grid import Grid, Places
from regrow.engine.model import Model
from regrow.engine.sections import Layout, Printer, Sections, precise_items


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

    def spans(self) -> np.ndarray:
        """The spans of outputs, then those of marks: the places in it are `outs.span` and `mark_span`."""
        return np.concatenate([self.outs.spans, self.marks.spans])

    @property
    def mark_span(self) -> np.ndarray:
        return self.marks.span + len(self.outs.spans)


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
        grid, outs, marks, n = call.grid, call.outs, call.marks, call.state.shape[1]
        spans = call.spans()
        out = np.empty((len(outs.time), len(shape.outputs), n))
        peak = np.full((call.windows, len(shape.peaks), n), -np.inf)
        table = np.empty((len(grid.lengths), 3 * len(layout.table), n))
        span_table = np.empty((len(spans), len(layout.spans), n))
        with np.errstate(all="ignore"):
            function(
                call.const, call.state, table, span_table, out, peak, call.keep, call.add, call.slot_of, grid.lengths,
                grid.h, grid.kind, grid.time, call.first_action, spans, outs.first, outs.time, outs.span, *outs.basis,
                marks.first, marks.time, call.mark_span, *marks.basis, call.window,
            )  # fmt: skip
        call.into[:] = np.moveaxis(out, 0, 2)
        return np.moveaxis(peak, 0, 2)

    return Kernel(layout, run)
