"""The kernel as LLVM vector code: a lane is a person, made and loaded at run time.

The one thing to know: no optimisation passes run (measured: slower code and twice the compile time); the only
liberty given to the code generator is to fuse a multiplication with an addition. What is not a number must stay
so: the comparisons below are chosen to let NaN through, never to swallow it.

Memory lies in blocks of `lanes` people: [block][row][lane], so that one block's rows stand side by side. In *mixed*
precision only the rows that `sections` calls precise hold double numbers (the drug's own plasma level); all others hold
single ones, in the first half of a row of the same width. A single and a double number meet as single ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from llvmlite import ir

from regrow.engine.kernel import FIRST, INTEGERS, NUMBERS, POINTERS, ROWS, STRIDE

_F64, _F32, _I64, _I32 = ir.DoubleType(), ir.FloatType(), ir.IntType(64), ir.IntType(32)
_FLAGS = ("contract",)


class _Kind(NamedTuple):
    """A kind of number: its LLVM type, the whole numbers of the same width, and what exp and log need."""

    real: Any
    whole: Any
    mantissa: int
    magic: float  # adding it rounds to a whole number, which then stands in the low bits
    magic_bits: int
    half_root: int  # the bits of sqrt(1/2)
    ln2: tuple[float, float]  # ln 2 in two parts, the first with few enough bits to be multiplied exactly
    lowest: float  # exp of less is 0
    highest: float  # exp of more is infinite
    smallest: float  # the smallest normal number
    terms: int  # of the series of exp
    log: tuple[float, ...]  # log(1 + f) by s = f / (2 + f): coefficients of Sun's fdlibm e_log.c


_LOG = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
_DOUBLE = _Kind(
    _F64, _I64, 52, 1.5 * 2.0**52, 0x4338000000000000, 0x3FE6A09E667F3BCD,
    (6.93147180369123816490e-01, 1.90821492927058770002e-10), -708.0, 709.0, 2.2250738585072014e-308, 13, _LOG,
)  # fmt: skip
_SINGLE = _Kind(
    _F32, _I32, 23, 1.5 * 2.0**23, 0x4B400000, 0x3F3504F3, (0.693359375, -2.12194440054690583e-4), -87.0, 88.0,
    1.1754943508222875e-38, 7, _LOG[:4],
)  # fmt: skip


@dataclass(frozen=True)
class _Number:
    """A number of the text, or a number of the grid that all people share: of no kind until it meets a value."""

    value: Any  # float, or an LLVM double


class LlvmPrinter:
    """Builds one function, kernel(pointers..., numbers...), over blocks [first, last); see `sections.Printer`."""

    def __init__(self, lanes: int, *, mixed: bool = False, precise_slots: int = 0) -> None:
        self.lanes = lanes
        self.usual = _SINGLE if mixed else _DOUBLE
        self.precise_slots = precise_slots
        self.module = ir.Module(name="regrow")
        pointers = [(_I64 if name in INTEGERS else _F64).as_pointer() for name in POINTERS]
        kind = ir.FunctionType(ir.VoidType(), [*pointers, *([_I64] * len(NUMBERS))])
        self.function = ir.Function(self.module, kind, name="kernel")
        self.arg: dict[str, Any] = {}
        for name, argument in zip((*POINTERS, *NUMBERS), self.function.args, strict=True):
            argument.name = name
            self.arg[name] = argument
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.table_rows = 0  # how many usual rows the table has for one length of step
        self._table: dict[int, int] = {}  # the first of them by slot
        self._made: dict[tuple, Any] = {}  # numbers turned into a kind, by block of code
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
        if over in FIRST:
            edges = self.arg[FIRST[over]]
            low = self._element(edges, index)
            high = self._element(edges, self.b.add(index, _I64(1)))
        else:
            low, high = _I64(0), self.arg[f"n_{over}"]
        opened = self._open(low, high)
        yield opened[0]
        self._close(opened)

    # -- memory -------------------------------------------------------------------------------------------------

    def _element(self, pointer: Any, index: Any) -> Any:
        return self.b.load(self.b.gep(pointer, [index]))

    def _vector(self, kind: _Kind) -> Any:
        return ir.VectorType(kind.real, self.lanes)

    def _place(self, array: str, row: Any, kind: _Kind) -> Any:
        """The address of one row of this block's part of an array. Every row is as wide as a double one, except in
        the table and in what is given back: there rows stand close, which the processor's cache is the larger for."""
        b = self.b
        if array in ROWS:  # the tables are the thread's own: one block at a time
            row = b.add(b.mul(self.block, self.arg[ROWS[array]]), row)
        base = self.arg[array]
        if array in ("table", "out", "peak"):
            base = b.bitcast(base, self.usual.real.as_pointer())
        return b.bitcast(b.gep(base, [b.mul(row, _I64(self.lanes))]), self._vector(kind).as_pointer())

    def _row(self, array: str, slot: int, index: Any) -> Any:
        if index is None:
            return _I64(slot)
        return self.b.add(self.b.mul(index, self.arg[STRIDE[array]]), _I64(slot))

    def _rows(self, array: str, slot: int, kind: _Kind, *, wide: bool) -> list[int]:
        """The rows of a value: in the table counted in usual ones, of which a double one may take two."""
        count = 3 if wide else 1
        if array != "table":
            return [count * slot + j for j in range(count)]
        size = 1 if kind is self.usual else 2
        if slot not in self._table:  # a value is stored before it is loaded
            self._table[slot] = self.table_rows
            self.table_rows += count * size
        return [self._table[slot] + size * j for j in range(count)]

    def _load(self, place: Any) -> Any:
        return self.b.load(place, align=4)

    def load(self, array: str, slot: int, index: Any = None, *, wide: bool = False, precise: bool = False) -> Any:
        kind = _DOUBLE if precise else self.usual
        rows = self._rows(array, slot, kind, wide=wide)
        found = tuple(self._load(self._place(array, self._row(array, row, index), kind)) for row in rows)
        return found if wide else found[0]

    def store(
        self, array: str, slot: int, value: Any, index: Any = None, *, wide: bool = False, precise: bool = False
    ) -> None:
        kind = _DOUBLE if precise else self.usual
        for j, row in enumerate(self._rows(array, slot, kind, wide=wide)):
            place = self._place(array, self._row(array, row, index), kind)
            self.b.store(self._as(self.pick(value, j), kind), place, align=4)

    def raise_to(self, array: str, slot: int, value: Any, index: Any) -> None:
        place = self._place(array, self._row(array, slot, index), self.usual)
        self.b.store(self._one("max", self._load(place), self._as(value, self.usual)), place, align=4)

    def act(self, index: Any) -> None:
        slot = self._element(self.arg["slot_of"], index)
        if self.usual is _DOUBLE:
            self._act(index, slot, _DOUBLE)
            return
        with self.b.if_else(self.b.icmp_signed("<", slot, _I64(self.precise_slots))) as (precise, other):
            with precise:
                self._act(index, slot, _DOUBLE)
            with other:
                self._act(index, slot, self.usual)

    def _act(self, index: Any, slot: Any, kind: _Kind) -> None:
        place = self._place("state", slot, kind)
        keep, add = (self._as(self._load(self._place(a, index, _DOUBLE)), kind) for a in ("keep", "add"))
        self.b.store(self._two("add", self._two("mul", keep, self._load(place)), add), place, align=4)

    # -- values -------------------------------------------------------------------------------------------------

    def number(self, value: float) -> Any:
        return _Number(float(value))

    def scalar(self, array: str, index: Any) -> Any:
        element = self._element(self.arg[array], index)
        return element if array in INTEGERS else _Number(element)

    def _as(self, value: Any, kind: _Kind) -> Any:
        """A value as a vector of one kind of number."""
        vector = self._vector(kind)
        if not isinstance(value, _Number) and value.type == vector:
            return value
        key = (kind.real, self.b.block, value)
        if key not in self._made:
            self._made[key] = self._turn(value, kind, vector)
        return self._made[key]

    def _turn(self, value: Any, kind: _Kind, vector: Any) -> Any:
        b = self.b
        if not isinstance(value, _Number):
            return b.fptrunc(value, vector) if kind is _SINGLE else b.fpext(value, vector)
        if isinstance(value.value, float):
            return self._splat(value.value, kind)
        element = value.value if kind is _DOUBLE else b.fptrunc(value.value, _F32)
        one = b.insert_element(ir.Constant(vector, ir.Undefined), element, _I32(0))
        mask = ir.Constant(ir.VectorType(_I32, self.lanes), [0] * self.lanes)
        return b.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)

    def _splat(self, value: float, kind: _Kind) -> Any:
        return ir.Constant(self._vector(kind), [ir.Constant(kind.real, value)] * self.lanes)

    def _wholes(self, value: int, kind: _Kind) -> Any:
        return ir.Constant(ir.VectorType(kind.whole, self.lanes), [ir.Constant(kind.whole, value)] * self.lanes)

    def _kind_of(self, value: Any) -> _Kind:
        return _SINGLE if value.type.element == _F32 else _DOUBLE

    def _alike(self, values: Iterable[Any]) -> list[Any]:
        """The values as one kind: single where one of them is, since no more digits are to be had."""
        values = list(values)
        kinds = {self._kind_of(v) for v in values if not isinstance(v, _Number)}
        kind = _SINGLE if _SINGLE in kinds else _DOUBLE
        return [self._as(v, kind) for v in values]

    def pick(self, value: Any, node: int) -> Any:
        return value[node] if isinstance(value, tuple) else value

    def join(self, values: Iterable[Any]) -> Any:
        return tuple(values)

    def op(self, kind: str, *arguments: Any) -> Any:
        if any(isinstance(a, tuple) for a in arguments):
            return tuple(self._one(kind, *(self.pick(a, j) for a in arguments)) for j in range(3))
        return self._one(kind, *arguments)

    def _one(self, kind: str, *arguments: Any) -> Any:
        b = self.b
        if kind in ("and", "or", "not"):
            return {"and": b.and_, "or": b.or_, "not": b.not_}[kind](*arguments)
        if kind == "select":
            return b.select(arguments[0], *self._alike(arguments[1:]))
        plain = isinstance(arguments[-1], _Number) and isinstance(arguments[-1].value, float)
        a = self._alike(arguments)
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
                of = self._kind_of(a[0])
                raised = self._exp(self._two("mul", a[1], self._log(a[0])))
                return b.select(b.fcmp_ordered("==", a[1], self._splat(0.0, of)), self._splat(1.0, of), raised)
            case "sqrt" | "abs":
                return b.call(self._intrinsic("sqrt" if kind == "sqrt" else "fabs", self._kind_of(a[0])), a)
            case "min" | "max":
                best = b.select(b.fcmp_unordered("<" if kind == "min" else ">", a[0], a[1]), a[0], a[1])
                return best if plain else b.select(b.fcmp_unordered("uno", a[1], a[1]), a[1], best)
            case "lt" | "le" | "eq":
                return b.fcmp_ordered({"lt": "<", "le": "<=", "eq": "=="}[kind], a[0], a[1])
        raise AssertionError(kind)

    def _two(self, kind: str, x: Any, y: Any) -> Any:
        make: Any = {"add": self.b.fadd, "sub": self.b.fsub, "mul": self.b.fmul, "div": self.b.fdiv}[kind]
        return make(x, y, flags=_FLAGS)

    def _intrinsic(self, name: str, kind: _Kind) -> Any:
        full = f"llvm.{name}.v{self.lanes}f{64 if kind is _DOUBLE else 32}"
        if full in self.module.globals:
            return self.module.globals[full]
        vector = self._vector(kind)
        return ir.Function(self.module, ir.FunctionType(vector, [vector]), name=full)

    def _horner(self, x: Any, coefficients: Iterable[float], kind: _Kind) -> Any:
        total = None
        for c in coefficients:
            term = self._splat(c, kind)
            total = term if total is None else self._two("add", self._two("mul", total, x), term)
        return total

    def _exp(self, x: Any) -> Any:
        """exp(x): x = k ln 2 + r, a Taylor series in r (|r| < 0.35), and k added to the exponent."""
        b, kind = self.b, self._kind_of(x)
        wholes = ir.VectorType(kind.whole, self.lanes)

        def n(value: float) -> Any:
            return self._splat(value, kind)

        rounded = self._two("add", self._two("mul", x, n(1.4426950408889634)), n(kind.magic))
        k = self._two("sub", rounded, n(kind.magic))
        r = self._two("sub", x, self._two("mul", k, n(kind.ln2[0])))
        r = self._two("sub", r, self._two("mul", k, n(kind.ln2[1])))
        coefficients, factorial = [1.0], 1.0
        for m in range(1, kind.terms + 1):
            factorial *= m
            coefficients.append(1.0 / factorial)
        p = b.bitcast(self._horner(r, reversed(coefficients), kind), wholes)
        shift = b.shl(b.bitcast(rounded, wholes), self._wholes(kind.mantissa, kind))
        out = b.bitcast(b.add(p, shift), self._vector(kind))
        out = b.select(b.fcmp_ordered("<", x, n(kind.lowest)), n(0.0), out)
        out = b.select(b.fcmp_ordered(">", x, n(kind.highest)), n(float("inf")), out)
        return b.select(b.fcmp_unordered("uno", x, x), x, out)

    def _log(self, x: Any) -> Any:
        """log(x); NaN below zero and for NaN, minus infinity at zero."""
        b, kind = self.b, self._kind_of(x)
        wholes, vector = ir.VectorType(kind.whole, self.lanes), self._vector(kind)

        def n(value: float) -> Any:
            return self._splat(value, kind)

        bits = b.bitcast(x, wholes)
        above = b.sub(bits, self._wholes(kind.half_root, kind))  # the mantissa comes to lie around 1
        power = b.ashr(above, self._wholes(kind.mantissa, kind))
        m = b.bitcast(b.sub(bits, b.shl(power, self._wholes(kind.mantissa, kind))), vector)
        e = b.bitcast(b.add(power, self._wholes(kind.magic_bits, kind)), vector)
        e = self._two("sub", e, n(kind.magic))
        f = self._two("sub", m, n(1.0))
        s = self._two("div", f, self._two("add", n(2.0), f))
        z = self._two("mul", s, s)
        rest = self._two("mul", z, self._horner(z, reversed(kind.log), kind))
        half = self._two("mul", n(0.5), self._two("mul", f, f))
        low = self._two("add", self._two("mul", s, self._two("add", half, rest)), self._two("mul", e, n(kind.ln2[1])))
        inner = self._two("sub", self._two("sub", half, low), f)
        out = self._two("sub", self._two("mul", e, n(kind.ln2[0])), inner)
        out = b.select(b.fcmp_ordered("==", x, n(float("inf"))), x, out)
        out = b.select(b.fcmp_ordered("<", x, n(kind.smallest)), n(float("-inf")), out)
        out = b.select(b.fcmp_ordered("<", x, n(0.0)), n(float("nan")), out)
        return b.select(b.fcmp_unordered("uno", x, x), x, out)

    def text(self) -> str:
        """The finished module as LLVM assembly."""
        self._close(self._outer)
        self.b.ret_void()
        return str(self.module)
