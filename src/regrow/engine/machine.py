"""Machine code of a kernel: compiled by LLVM for this processor, kept in the cache, run on blocks of people.

The one thing to know: the name under which code is kept holds everything that it depends on: the model text, the
outputs, the lanes, the version of llvmlite, the processor's name and features. Code for another processor is never
loaded. Calls leave Python's lock, so threads run side by side.
"""

from __future__ import annotations

import ctypes
import json
from functools import lru_cache
from typing import Any

import numpy as np

from regrow.engine import cache
from regrow.engine.kernel import NUMBERS, POINTERS, Call, Kernel, Shape, precise_slots, write
from regrow.engine.model import Model
from regrow.engine.sections import Layout

_KEPT: list[Any] = []  # loaded code lives as long as the process


@lru_cache(maxsize=64)
def machine_kernel(model: Model, shape: Shape, lanes: int, *, mixed: bool = False) -> Kernel:
    """The compiled kernel, from the cache where this processor compiled it before; `mixed`: see `llvm_printer`."""
    import llvmlite
    import llvmlite.binding as llvm

    _start()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    name = f"kernel-{cache.key('llvm', model.key, shape, lanes, mixed, llvmlite.__version__, cpu, features)}.o"
    target = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=2, jit=True)
    kept = _split(cache.load(name))
    if kept is None:
        from regrow.engine.llvm_printer import LlvmPrinter

        printer = LlvmPrinter(lanes, mixed=mixed, precise_slots=precise_slots(model, shape))
        layout = write(model, shape, printer)
        module = llvm.parse_assembly(printer.text())
        module.verify()
        code = target.emit_object(module)
        rows = [
            [list(item) for item in rows.items()] for rows in (layout.const, layout.slot, layout.table, layout.spans)
        ]
        table_rows = printer.table_rows
        head = json.dumps([rows, layout.precise_slots, layout.precise_const, table_rows])
        cache.store(name, head.encode() + b"\n" + code)
    else:
        (*rows, table_rows), code = kept
        layout = Layout(shape.outputs, shape.peaks, shape.needed, *rows)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _KEPT.append(engine)
    address = engine.get_function_address("kernel")
    function = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * len(POINTERS)), *([ctypes.c_int64] * len(NUMBERS)))(address)
    return Kernel(layout, _runner(function, layout, table_rows, lanes, mixed=mixed))


@lru_cache(maxsize=1)
def _start() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _split(content: bytes | None) -> tuple[list[Any], bytes] | None:
    if content is None:
        return None
    head, _, code = content.partition(b"\n")
    try:
        rows, *precise = json.loads(head)
    except ValueError:
        return None
    return [*({tuple(key): row for key, row in part} for part in rows), *precise], code


def _runner(function: Any, layout: Layout, table_rows: int, lanes: int, *, mixed: bool) -> Any:
    soft = np.float32 if mixed else np.float64
    double_const, double_state = (
        (
            np.isin(np.arange(len(layout.const)), layout.precise_const),
            np.arange(len(layout.slot)) < layout.precise_slots,
        )
        if mixed
        else (None, None)
    )

    def run(call: Call) -> np.ndarray:
        n, times, outputs, peaks = call.state.shape[1], len(call.outs.time), len(layout.outputs), len(layout.peaks)
        state = _blocks(call.state, lanes, double_state)
        blocks = len(state)
        out = np.empty((blocks, times, outputs, lanes), soft)
        peak = np.full((blocks, call.windows, peaks, lanes), -np.inf, soft)
        given = call.arrays() | {
            "const": _blocks(call.const, lanes, double_const),
            "state": state,
            "table": np.empty((max(1, len(call.grid.lengths) * table_rows), lanes), soft),
            "span_table": np.empty((max(1, len(call.spans) * len(layout.spans)), lanes)),
            "out": out,
            "peak": peak,
            "keep": _blocks(call.keep, lanes),
            "add": _blocks(call.add, lanes),
        }
        sizes = call.sizes(layout) | {"n_table": table_rows, "first": 0, "last": blocks}
        arrays = [np.ascontiguousarray(given[name]) for name in POINTERS]
        function(*(a.ctypes.data for a in arrays), *(sizes[name] for name in NUMBERS))
        call.state[:] = _rows(state, double_state)[:, :n]
        # each number is moved once: the places of whole blocks are looked at as (outputs, blocks, lanes, times)
        whole = n // lanes
        call.into[:, : whole * lanes].reshape(outputs, whole, lanes, times)[:] = out[:whole].transpose(2, 0, 3, 1)
        if whole < blocks:
            call.into[:, whole * lanes :] = out[whole].transpose(1, 2, 0)[:, : n - whole * lanes]
        return peak.transpose(2, 0, 3, 1).reshape(peaks, blocks * lanes, call.windows)[:, :n]

    return run


def _blocks(rows: np.ndarray, lanes: int, double: np.ndarray | None = None) -> np.ndarray:
    """Rows (rows, n) as (blocks, rows, lanes); the last block is filled up with the last person.

    `double` (rows,) says which rows stay double; the others become single, in the first half of their place.
    """
    count, n = rows.shape
    missing = -n % lanes
    if missing:
        rows = np.concatenate([rows, np.repeat(rows[:, -1:], missing, axis=1)], axis=1)
    out = np.ascontiguousarray(np.moveaxis(rows.reshape(count, (n + missing) // lanes, lanes), 1, 0))
    if double is not None:
        single = ~double
        out.view(np.float32)[:, single, :lanes] = out[:, single].astype(np.float32)
    return out


def _rows(blocks: np.ndarray, double: np.ndarray | None) -> np.ndarray:
    """The rows (rows, people) of blocks."""
    count, lanes = blocks.shape[1:]
    if double is not None:
        single = ~double
        blocks[:, single] = blocks.view(np.float32)[:, single, :lanes].astype(float)
    return np.moveaxis(blocks, 1, 0).reshape(count, len(blocks) * lanes)
