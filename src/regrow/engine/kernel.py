"""A kernel for one model, one set of outputs and one target, printed once and kept.

The one thing to know: what is kept is the layout (which row holds what) and the printed text or machine code; both
come from `sections`, so a kernel from the cache and a fresh one are the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from regrow.engine import cache
from regrow.engine.grid import Grid
from regrow.engine.model import Model
from regrow.engine.sections import Layout, Sections, needed_items


@dataclass(frozen=True)
class Kernel:
    """`run` fills outputs and moves the state memory on; see `Call`."""

    layout: Layout
    run: Callable[[Call], None]


@dataclass(frozen=True)
class Call:
    """All arrays of one run of a kernel: rows by slot, columns by person."""

    const: np.ndarray
    state: np.ndarray
    first_action: np.ndarray
    slot_of: np.ndarray
    keep: np.ndarray
    add: np.ndarray
    grid: Grid
    first_out: np.ndarray
    out: np.ndarray


def numpy_kernel(model: Model, outputs: tuple[str, ...], infused: frozenset[str], sweeps: int, whole: bool) -> Kernel:
    """The NumPy kernel, from the cache where it was printed before."""
    return _numpy(model, outputs, infused, sweeps, whole)


@lru_cache(maxsize=32)
def _numpy(model: Model, outputs: tuple[str, ...], infused: frozenset[str], sweeps: int, whole: bool) -> Kernel:
    from regrow.engine.numpy_printer import NumpyPrinter, load

    printer = NumpyPrinter()
    layout = write(model, outputs, infused, sweeps, whole, printer)
    function = load(printer.source())

    def run(call: Call) -> None:
        grid = call.grid
        table = np.empty((len(grid.lengths), 3 * len(layout.table), call.state.shape[1]))
        with np.errstate(all="ignore"):
            function(
                call.const, call.state, table, call.out, call.keep, call.add, call.slot_of, grid.lengths, grid.h,
                grid.kind, grid.time, call.first_action, call.first_out, *spans(grid), *grid.basis,
            )  # fmt: skip

    return Kernel(layout, run)


def write(model: Model, outputs: tuple[str, ...], infused: frozenset[str], sweeps: int, whole: bool, printer) -> Layout:
    """Prints the kernel through `printer`; `whole` keeps states that feed no output."""
    program = model.program
    needed = tuple(range(len(program.items))) if whole else needed_items(program, outputs)
    return Sections(program, outputs, needed, infused, sweeps, printer).write()


def spans(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Clock time of each output and the time since the start of its step."""
    span = grid.theta * grid.h[grid.step]
    return grid.time[grid.step] + span, span


def kernel_key(model: Model, outputs: tuple[str, ...], infused: frozenset[str], sweeps: int, whole: bool) -> str:
    """A name for the kernel's content."""
    return cache.key("kernel", model.key, json.dumps([outputs, sorted(infused), sweeps, whole]))
