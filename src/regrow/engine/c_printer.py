"""The kernel as plain C99: for whoever wants it in another program, and a third witness beside the other printers.

The one thing to know: the function takes what the machine code takes with one lane, person by person. What is not a
number stays so: `lower` and `upper` let NaN through, as NumPy's minimum and maximum do. `c_kernel` compiles it with the
C compiler of the machine; only tests and the curious do that.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from regrow.engine.kernel import FIRST, INTEGERS, NUMBERS, POINTERS, ROWS, STRIDE, Kernel, Shape, write
from regrow.engine.model import Model
from regrow.engine.sections import Layout
from regrow.refusal import Refusal

_WRITTEN = {"state", "table", "span_table", "out", "peak"}
_WORDS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "pow": "pow({}, {})",
    "sqrt": "sqrt({})", "exp": "exp({})", "log": "log({})", "min": "lower({}, {})", "max": "upper({}, {})",
    "abs": "fabs({})", "lt": "{} < {}", "le": "{} <= {}", "eq": "{} == {}", "and": "{} && {}", "or": "{} || {}",
    "not": "!{}", "select": "{} ? {} : {}",
}  # fmt: skip
_TRUTHS = {"lt", "le", "eq", "and", "or", "not"}
_HEAD = """\
#include <math.h>
#include <stdint.h>

static double lower(double a, double b) { return a < b || a != a ? a : b; }
static double upper(double a, double b) { return a > b || a != a ? a : b; }
"""


class Term(NamedTuple):
    """C expressions: one, or three where the value is known at the nodes of a step."""

    texts: tuple[str, ...]

    def at(self, node: int) -> str:
        return self.texts[node] if len(self.texts) == 3 else self.texts[0]


class CPrinter:
    """Collects the lines of one C function; see `sections.Printer`. Everything is double here."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 2
        self.count = 0

    def _write(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def _name(self, expression: str, kind: str = "double") -> str:
        self.count += 1
        self._write(f"const {kind} v{self.count} = {expression};")
        return f"v{self.count}"

    def number(self, value: float) -> Term:
        return Term((_number(value),))

    def scalar(self, array: str, index: Any) -> Any:
        element = f"{_c(array)}[{index}]"
        return element if array in INTEGERS else Term((element,))

    def _place(self, array: str, row: int, index: Any) -> str:
        parts = [str(row)]
        if index is not None:
            parts.insert(0, f"{index} * {STRIDE[array]}")
        if array in ROWS:
            parts.insert(0, f"person * {ROWS[array]}")
        return f"{_c(array)}[{' + '.join(parts)}]"

    def load(self, array: str, slot: int, index: Any = None, *, wide: bool = False, precise: bool = False) -> Term:
        rows = [3 * slot + node for node in range(3)] if wide else [slot]
        return Term(tuple(self._name(self._place(array, row, index)) for row in rows))

    def store(
        self, array: str, slot: int, value: Term, index: Any = None, *, wide: bool = False, precise: bool = False
    ) -> None:
        for node in range(3) if wide else (0,):
            row = 3 * slot + node if wide else slot
            self._write(f"{self._place(array, row, index)} = {value.at(node)};")

    def raise_to(self, array: str, slot: int, value: Term, index: Any) -> None:
        place = self._place(array, slot, index)
        self._write(f"{place} = upper({place}, {value.at(0)});")

    def op(self, kind: str, *arguments: Term) -> Term:
        made = "int" if kind in _TRUTHS else "double"
        nodes = range(3) if any(len(a.texts) == 3 for a in arguments) else (0,)
        return Term(tuple(self._name(_WORDS[kind].format(*(a.at(node) for a in arguments)), made) for node in nodes))

    def pick(self, value: Term, node: int) -> Term:
        return Term((value.at(node),))

    def join(self, values: Iterable[Term]) -> Term:
        return Term(tuple(value.texts[0] for value in values))

    @contextmanager
    def loop(self, over: str, index: Any = None) -> Iterator[str]:
        self.count += 1
        counter = f"i{self.count}"
        edges = FIRST.get(over)
        low, high = (f"{edges}[{index}]", f"{edges}[{index} + 1]") if edges else ("0", f"n_{over}")
        self._write(f"for (int64_t {counter} = {low}; {counter} < {high}; {counter}++) {{")
        self.depth += 1
        yield counter
        self.depth -= 1
        self._write("}")

    def act(self, index: Any) -> None:
        place = f"state[person * n_state + slot_of[{index}]]"
        row = f"[person * n_actions + {index}]"
        self._write(f"{place} = keep{row} * {place} + add{row};")

    def source(self) -> str:
        """The finished C text: one function `kernel` over people [first, last)."""
        taken = [
            f"{'' if p in _WRITTEN else 'const '}{'int64_t' if p in INTEGERS else 'double'} *{_c(p)}" for p in POINTERS
        ]
        taken += [f"int64_t {name}" for name in NUMBERS]
        head = f"void kernel(\n    {(',' + chr(10) + '    ').join(taken)})\n{{"
        loop = "    for (int64_t person = first; person < last; person++) {"
        return "\n".join([_HEAD, head, loop, *self.lines, "    }", "}", ""])


def _c(name: str) -> str:
    """The C name of an argument; `const` is a word of the language."""
    return "constants" if name == "const" else name


def _number(value: float) -> str:
    if value != value:
        return "NAN"
    if abs(value) == float("inf"):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    return repr(float(value)) if value >= 0 else f"({float(value)!r})"


def printed(model: Model, shape: Shape) -> tuple[Layout, str]:
    """(the layout, the C text) of a kernel."""
    printer = CPrinter()
    layout = write(model, shape, printer)
    return layout, printer.source()


def compiler() -> str | None:
    """The path of the machine's C compiler, or None."""
    return next((path for path in map(shutil.which, ("cc", "gcc", "clang")) if path), None)


@lru_cache(maxsize=16)
def c_kernel(model: Model, shape: Shape) -> Kernel:
    """The kernel compiled by the machine's C compiler; refuses with NO-COMPILER where there is none."""
    from regrow.engine.machine import _runner

    found = compiler()
    if found is None:
        sentence = "printer: c needs a C compiler (cc, gcc or clang) on this machine; install one, or use llvm or numpy"
        raise Refusal("NO-COMPILER", sentence, field="printer", value="c")
    layout, source = printed(model, shape)
    with tempfile.TemporaryDirectory() as folder:
        text, library = Path(folder, "kernel.c"), Path(folder, "kernel.so")
        text.write_text(source)
        command = [found, "-std=c99", "-O1", "-shared", "-fPIC", "-o", str(library), str(text), "-lm"]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (our own text and a known compiler)
        function = ctypes.CDLL(str(library)).kernel
    function.restype = None
    function.argtypes = [*([ctypes.c_void_p] * len(POINTERS)), *([ctypes.c_int64] * len(NUMBERS))]
    return Kernel(layout, _runner(function, layout, 3 * len(layout.table), 1, mixed=False))
