"""The kernel as LLVM vector code: a lane is a person, made and loaded at run time.

The one thing to know: no optimisation passes run (measured: slower code and twice the compile time); the only
liberty given to the code generator is to fuse a multiplication with an addition. What is not a number must stay
so: the comparisons below are chosen to let NaN through, never to swallow it.

Memory lies in blocks of `lanes` people: [block][row][lane], so that one block's rows stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

_F64, _I64 = ir.DoubleType(), ir.IntType(64)
_FLAGS = ("contract",)
#: pointers and numbers that the kernel takes, in order
POINTERS = (
    "const", "state", "table", "out", "keep", "add", "slot_of", "lengths", "h", "kind", "time", "first_action",
    "first_out", "out_time", "out_span", "basis0", "basis1", "basis2", "basis3",
)  # fmt: skip
NUMBERS = ("n_lengths", "n_steps", "n_const", "n_state", "n_table", "n_out", "n_actions", "n_outs", "first", "last")
_INTEGERS = {"slot_of", "kind", "first_action", "first_out"}

_MAGIC = 1.5 * 2.0**52  # adding it rounds to a whole number, which then stands in the low bits
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# log(1 + f) by s = f / (2 + f): coefficients of Sun's fdlibm e_log.c, error below one unit in the last place
_LOG = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip


class LlvmPrinter:
    """Builds one function, kernel(pointers..., numbers...), over blocks [first, last); see `sections.Printer`."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.vector = ir.VectorType(_F64, lanes)
        self.integers = ir.VectorType(_I64, lanes)
        self.module = ir.Module(name="regrow")
        pointers = [(_I64 if name in _INTEGERS else _F64).as_pointer() for name in POINTERS]
        kind = ir.FunctionType(ir.VoidType(), [*pointers, *([_I64] * len(NUMBERS))])
        self.function = ir.Function(self.module, kind, name="kernel")
        self.arg: dict[str, Any] = {}
        for name, argument in zip((*POINTERS, *NUMBERS), self.function.args, strict=True):
            argument.name = name
            self.arg[name] = argument
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self._splats: dict[float, Any] = {}
        self._outer = self._open(self.arg["first"], self.arg["last"])
        self.block = self._outer[0]

    # -- loops --------------------------------------------------------------------------------------------------

    def _open(self, low: Any, high: Any) -> tuple[Any, Any, Any]:
        before = self.b.block
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "body", "after"))
        self.b.branch(head)
        self.b.position_at_end(head)
        counter = self.b.phi(_I64)
        counter.add_incoming(low, before)
        self.b.cbranch(self.b.icmp_signed("<", counter, high), body, after)
        self.b.position_at_end(body)
        return counter, head, after

    def _close(self, loop: tuple[Any, Any, Any]) -> None:
        counter, head, after = loop
        counter.add_incoming(self.b.add(counter, _I64(1)), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(after)

    @contextmanager
    def loop(self, over: str, index: Any = None) -> Iterator[Any]:
        if over in ("lengths", "steps"):
            low, high = _I64(0), self.arg[f"n_{over}"]
        else:
            edges = self.arg["first_action" if over == "actions" else "first_out"]
            low = self._element(edges, index)
            high = self._element(edges, self.b.add(index, _I64(1)))
        opened = self._open(low, high)
        yield opened[0]
        self._close(opened)

    # -- memory -------------------------------------------------------------------------------------------------

    def _element(self, pointer: Any, index: Any) -> Any:
        return self.b.load(self.b.gep(pointer, [index]))

    def _place(self, array: str, row: Any) -> Any:
        """The address of one row of this block's part of an array."""
        b = self.b
        if array != "table":  # the table is the thread's own: one block at a time
            rows = {"const": "n_const", "state": "n_state", "out": "n_outs", "keep": "n_actions", "add": "n_actions"}
            row = b.add(b.mul(self.block, self.arg[rows[array]]), row)
        return b.bitcast(b.gep(self.arg[array], [b.mul(row, _I64(self.lanes))]), self.vector.as_pointer())

    def _row(self, array: str, slot: int, index: Any) -> Any:
        if index is None:
            return _I64(slot)
        stride = self.arg["n_table" if array == "table" else "n_out"]
        return self.b.add(self.b.mul(index, stride), _I64(slot))

    def load(self, array: str, slot: int, index: Any = None, *, wide: bool = False) -> Any:
        if wide:
            return tuple(self._load(self._place(array, self._row(array, 3 * slot + j, index))) for j in range(3))
        return self._load(self._place(array, self._row(array, slot, index)))

    def _load(self, place: Any) -> Any:
        return self.b.load(place, align=8)

    def store(self, array: str, slot: int, value: Any, index: Any = None, *, wide: bool = False) -> None:
        for j in range(3) if wide else (0,):
            row = self._row(array, 3 * slot + j if wide else slot, index)
            self.b.store(self.pick(value, j), self._place(array, row), align=8)

    def act(self, index: Any) -> None:
        place = self._place("state", self._element(self.arg["slot_of"], index))
        keep, add = self._load(self._place("keep", index)), self._load(self._place("add", index))
        self.b.store(self._two("add", self._two("mul", keep, self._load(place)), add), place, align=8)

    # -- values -------------------------------------------------------------------------------------------------

    def number(self, value: float) -> Any:
        return ir.Constant(self.vector, [ir.Constant(_F64, float(value))] * self.lanes)

    def _whole(self, value: int) -> Any:
        return ir.Constant(self.integers, [ir.Constant(_I64, value)] * self.lanes)

    def scalar(self, array: str, index: Any) -> Any:
        element = self._element(self.arg[array], index)
        if array in _INTEGERS:
            return element
        one = self.b.insert_element(ir.Constant(self.vector, ir.Undefined), element, ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask)

    def pick(self, value: Any, node: int) -> Any:
        return value[node] if isinstance(value, tuple) else value

    def join(self, values: Iterable[Any]) -> Any:
        return tuple(values)

    def op(self, kind: str, *arguments: Any) -> Any:
        if any(isinstance(a, tuple) for a in arguments):
            return tuple(self._one(kind, *(self.pick(a, j) for a in arguments)) for j in range(3))
        return self._one(kind, *arguments)

    def _one(self, kind: str, *a: Any) -> Any:
        b = self.b
        match kind:
            case "add" | "sub" | "mul" | "div":
                return self._two(kind, *a)
            case "neg":
                return b.fneg(a[0])
            case "exp":
                return self._exp(a[0])
            case "log":
                return self._log(a[0])
            case "pow":
                raised = self._exp(self._two("mul", a[1], self._log(a[0])))
                return b.select(b.fcmp_ordered("==", a[1], self.number(0.0)), self.number(1.0), raised)
            case "sqrt" | "abs":
                return b.call(self._intrinsic("sqrt" if kind == "sqrt" else "fabs"), a)
            case "min" | "max":
                best = b.select(b.fcmp_unordered("<" if kind == "min" else ">", a[0], a[1]), a[0], a[1])
                if isinstance(a[1], ir.Constant):
                    return best
                return b.select(b.fcmp_unordered("uno", a[1], a[1]), a[1], best)
            case "lt" | "le" | "eq":
                return b.fcmp_ordered({"lt": "<", "le": "<=", "eq": "=="}[kind], a[0], a[1])
            case "and":
                return b.and_(*a)
            case "or":
                return b.or_(*a)
            case "not":
                return b.not_(a[0])
            case "select":
                return b.select(*a)
        raise AssertionError(kind)

    def _two(self, kind: str, x: Any, y: Any) -> Any:
        make: Any = {"add": self.b.fadd, "sub": self.b.fsub, "mul": self.b.fmul, "div": self.b.fdiv}[kind]
        return make(x, y, flags=_FLAGS)

    def _intrinsic(self, name: str) -> Any:
        full = f"llvm.{name}.v{self.lanes}f64"
        if full in self.module.globals:
            return self.module.globals[full]
        return ir.Function(self.module, ir.FunctionType(self.vector, [self.vector]), name=full)

    def _horner(self, x: Any, coefficients: Iterable[float]) -> Any:
        total = None
        for c in coefficients:
            total = self.number(c) if total is None else self._two("add", self._two("mul", total, x), self.number(c))
        return total

    def _exp(self, x: Any) -> Any:
        """exp(x): x = k ln 2 + r, a Taylor series of degree 13 in r (|r| < 0.35), and k added to the exponent."""
        b, n = self.b, self.number
        rounded = self._two("add", self._two("mul", x, n(1.4426950408889634)), n(_MAGIC))
        k = self._two("sub", rounded, n(_MAGIC))
        r = self._two("sub", x, self._two("mul", k, n(_LN2_HIGH)))
        r = self._two("sub", r, self._two("mul", k, n(_LN2_LOW)))
        coefficients, factorial = [1.0], 1.0
        for m in range(1, 14):
            factorial *= m
            coefficients.append(1.0 / factorial)
        p = b.bitcast(self._horner(r, reversed(coefficients)), self.integers)
        shift = b.shl(b.bitcast(rounded, self.integers), self._whole(52))
        out = b.bitcast(b.add(p, shift), self.vector)
        out = b.select(b.fcmp_ordered("<", x, n(-708.0)), n(0.0), out)
        out = b.select(b.fcmp_ordered(">", x, n(709.0)), n(float("inf")), out)
        return b.select(b.fcmp_unordered("uno", x, x), x, out)

    def _log(self, x: Any) -> Any:
        """log(x); NaN below zero and for NaN, minus infinity at zero."""
        b, n = self.b, self.number
        bits = b.bitcast(x, self.integers)
        above = b.sub(bits, self._whole(0x3FE6A09E667F3BCD))  # sqrt(1/2): the mantissa comes to lie around 1
        power = b.ashr(above, self._whole(52))
        m = b.bitcast(b.sub(bits, b.shl(power, self._whole(52))), self.vector)
        e = b.bitcast(b.add(power, b.bitcast(n(_MAGIC), self.integers)), self.vector)
        e = self._two("sub", e, n(_MAGIC))
        f = self._two("sub", m, n(1.0))
        s = self._two("div", f, self._two("add", n(2.0), f))
        z = self._two("mul", s, s)
        rest = self._two("mul", z, self._horner(z, reversed(_LOG)))
        half = self._two("mul", n(0.5), self._two("mul", f, f))
        low = self._two("add", self._two("mul", s, self._two("add", half, rest)), self._two("mul", e, n(_LN2_LOW)))
        inner = self._two("sub", self._two("sub", half, low), f)
        out = self._two("sub", self._two("mul", e, n(_LN2_HIGH)), inner)
        out = b.select(b.fcmp_ordered("==", x, n(float("inf"))), x, out)
        out = b.select(b.fcmp_ordered("<", x, n(2.2250738585072014e-308)), n(float("-inf")), out)
        out = b.select(b.fcmp_ordered("<", x, n(0.0)), n(float("nan")), out)
        return b.select(b.fcmp_unordered("uno", x, x), x, out)

    def text(self) -> str:
        """The finished module as LLVM assembly."""
        self._close(self._outer)
        self.b.ret_void()
        return str(self.module)
