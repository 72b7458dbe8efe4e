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
from regrow.engine.kernel import Call, Kernel, Shape, spans, write
from regrow.engine.model import Model
from regrow.engine.sections import Layout

_KEPT: list[Any] = []  # loaded code lives as long as the process


@lru_cache(maxsize=64)
def machine_kernel(model: Model, shape: Shape, lanes: int) -> Kernel:
    """The compiled kernel, from the cache where this processor compiled it before."""
    import llvmlite
    import llvmlite.binding as llvm

    _start()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    name = f"kernel-{cache.key('llvm', model.key, shape, lanes, llvmlite.__version__, cpu, features)}.o"
    target = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=2, jit=True)
    kept = _split(cache.load(name))
    if kept is None:
        from regrow.engine.llvm_printer import LlvmPrinter

        printer = LlvmPrinter(lanes)
        layout = write(model, shape, printer)
        module = llvm.parse_assembly(printer.text())
        module.verify()
        code = target.emit_object(module)
        head = json.dumps([[list(item) for item in rows.items()] for rows in (layout.const, layout.slot, layout.table)])
        cache.store(name, head.encode() + b"\n" + code)
    else:
        rows, code = kept
        layout = Layout(shape.outputs, shape.needed, *rows)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _KEPT.append(engine)
    address = engine.get_function_address("kernel")
    function = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * 19), *([ctypes.c_int64] * 10))(address)
    return Kernel(layout, _runner(function, layout, lanes))


@lru_cache(maxsize=1)
def _start() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _split(content: bytes | None) -> tuple[list[dict[tuple, int]], bytes] | None:
    if content is None:
        return None
    head, _, code = content.partition(b"\n")
    try:
        parts = json.loads(head)
    except ValueError:
        return None
    return [{tuple(key): row for key, row in part} for part in parts], code


def _runner(function: Any, layout: Layout, lanes: int) -> Any:
    def run(call: Call) -> np.ndarray:
        grid = call.grid
        n = call.state.shape[1]
        state = _blocks(call.state, lanes)
        blocks = len(state)
        n_table = 3 * len(layout.table)
        times, outputs = len(grid.step), len(layout.outputs)
        out = np.empty((blocks, times, outputs, lanes))
        table = np.empty((max(1, len(grid.lengths) * n_table), lanes))
        arrays = [
            _blocks(call.const, lanes), state, table, out, _blocks(call.keep, lanes), _blocks(call.add, lanes),
            call.slot_of, grid.lengths, grid.h, grid.kind, grid.time, call.first_action, call.first_out, *spans(grid),
            *grid.basis,
        ]  # fmt: skip
        arrays = [np.ascontiguousarray(a, dtype=np.int64 if a.dtype.kind == "i" else np.float64) for a in arrays]
        function(
            *(a.ctypes.data for a in arrays), len(grid.lengths), len(grid.h), len(call.const), len(call.state), n_table,
            outputs, len(call.keep), times * outputs, 0, blocks,
        )  # fmt: skip
        call.state[:] = np.moveaxis(state, 1, 0).reshape(len(call.state), blocks * lanes)[:, :n]
        return out.transpose(2, 0, 3, 1).reshape(outputs, blocks * lanes, times)[:, :n]

    return run


def _blocks(rows: np.ndarray, lanes: int) -> np.ndarray:
    """Rows (rows, n) as (blocks, rows, lanes); the last block is filled up with the last person."""
    count, n = rows.shape
    missing = -n % lanes
    if missing:
        rows = np.concatenate([rows, np.repeat(rows[:, -1:], missing, axis=1)], axis=1)
    return np.ascontiguousarray(np.moveaxis(rows.reshape(count, (n + missing) // lanes, lanes), 1, 0))
