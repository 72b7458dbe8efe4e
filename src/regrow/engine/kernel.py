"""A kernel for one model, one set of outputs and one target: what it is called with, and how it is printed.

The one thing to know: everything that a kernel's text depends on is in its `Shape`, so kernels of the same shape are
printed once; the layout (which row holds what) comes out of the same printing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from regrow.engine.grid import Grid
from regrow.engine.model import Model
from regrow.engine.sections import Layout, Printer, Sections


@dataclass(frozen=True)
class Shape:
    """What makes a kernel: outputs, items solved (places in the program), states with infusions, states that stay
    zero throughout (depots that nobody uses), sweeps of a feedback loop."""

    outputs: tuple[str, ...]
    needed: tuple[int, ...]
    infused: tuple[str, ...]
    idle: tuple[str, ...]
    sweeps: int


@dataclass(frozen=True)
class Call:
    """All arrays of one run of a kernel: rows by slot, columns by person. `state` is moved on."""

    const: np.ndarray
    state: np.ndarray
    first_action: np.ndarray
    slot_of: np.ndarray
    keep: np.ndarray
    add: np.ndarray
    grid: Grid
    first_out: np.ndarray


@dataclass(frozen=True)
class Kernel:
    """`layout` says which row holds what; `run` moves the state on and gives the outputs (outputs, n, times)."""

    layout: Layout
    run: Callable[[Call], np.ndarray]


def write(model: Model, shape: Shape, printer: Printer) -> Layout:
    """Prints the kernel of a shape through `printer`."""
    return Sections(
        model.program,
        shape.outputs,
        shape.needed,
        frozenset(shape.infused),
        frozenset(shape.idle),
        shape.sweeps,
        printer,
    ).write()


@lru_cache(maxsize=32)
def numpy_kernel(model: Model, shape: Shape) -> Kernel:
    """The kernel as NumPy source, which every machine can run."""
    from regrow.engine.numpy_printer import NumpyPrinter, load

    printer = NumpyPrinter()
    layout = write(model, shape, printer)
    function = load(printer.source())

    def run(call: Call) -> np.ndarray:
        grid = call.grid
        out = np.empty((len(grid.step), len(shape.outputs), call.state.shape[1]))
        table = np.empty((len(grid.lengths), 3 * len(layout.table), call.state.shape[1]))
        with np.errstate(all="ignore"):
            function(
                call.const, call.state, table, out, call.keep, call.add, call.slot_of, grid.lengths, grid.h,
                grid.kind, grid.time, call.first_action, call.first_out, *spans(grid), *grid.basis,
            )  # fmt: skip
        return np.moveaxis(out, 0, 2)

    return Kernel(layout, run)


def spans(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Clock time of each output and the time since the start of its step."""
    span = grid.theta * grid.h[grid.step]
    return grid.time[grid.step] + span, span
