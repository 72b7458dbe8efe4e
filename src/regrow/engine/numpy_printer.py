"""The kernel as Python source over NumPy arrays of people: fallback, teaching, oracle of the other printers.

The one thing to know: a wide value is an array of shape (3, people), any other of shape (people,), and NumPy's
broadcasting does the rest; `Kernel.source` can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from regrow.engine.kernel import POINTERS


class Term(NamedTuple):
    """A Python expression and whether it has a node axis."""

    text: str
    wide: bool


_WORDS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "pow": "power({}, {})",
    "sqrt": "sqrt({})", "exp": "exp({})", "log": "log({})", "min": "minimum({}, {})", "max": "maximum({}, {})",
    "abs": "absolute({})", "lt": "{} < {}", "le": "{} <= {}", "eq": "{} == {}", "and": "{} & {}", "or": "{} | {}",
    "not": "~({})", "select": "where({}, {}, {})",
}  # fmt: skip
_LOOPS = {
    "lengths": "range(len(lengths))",
    "steps": "range(len(h))",
    "actions": "range(first_action[{0}], first_action[{0} + 1])",
    "spans": "range(len(spans))",
    "outs": "range(first_out[{0}], first_out[{0} + 1])",
    "marks": "range(first_mark[{0}], first_mark[{0} + 1])",
}


class NumpyPrinter:
    """Collects the lines of one Python function; see `sections.Printer`."""

    def __init__(self) -> None:
        self.lines = [f"def kernel({', '.join(POINTERS)}):"]
        self.depth = 1
        self.count = 0

    def _write(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def _name(self, expression: str, wide: bool) -> Term:
        self.count += 1
        name = f"v{self.count}"
        self._write(f"{name} = {expression}")
        return Term(name, wide)

    def number(self, value: float) -> Term:
        return Term(repr(value) if value >= 0 else f"({value!r})", False)

    def scalar(self, array: str, index: Any) -> Term:
        return Term(f"{array}[{index}]", False)

    def load(
        self, array: str, slot: int, index: Any = None, *, wide: bool = False, precise: bool = False
    ) -> Term:  # everything is precise here
        place = "" if index is None else f"{index.text if isinstance(index, Term) else index}, "
        rows = f"{3 * slot}:{3 * slot + 3}" if wide else f"{slot}"
        return self._name(f"{array}[{place}{rows}]", wide)

    def store(
        self, array: str, slot: int, value: Term, index: Any = None, *, wide: bool = False, precise: bool = False
    ) -> None:
        place = "" if index is None else f"{index}, "
        rows = f"{3 * slot}:{3 * slot + 3}" if wide else f"{slot}"
        self._write(f"{array}[{place}{rows}] = {value.text}")

    def raise_to(self, array: str, slot: int, value: Term, index: Any) -> None:
        place = f"{array}[{index.text}, {slot}]"
        self._write(f"{place} = maximum({place}, {value.text})")

    def op(self, kind: str, *arguments: Term) -> Term:
        return self._name(_WORDS[kind].format(*(a.text for a in arguments)), any(a.wide for a in arguments))

    def pick(self, value: Term, node: int) -> Term:
        return Term(f"{value.text}[{node}]", False) if value.wide else value

    def join(self, values: Iterable[Term]) -> Term:
        term = self._name("empty((3, state.shape[1]))", True)
        for j, value in enumerate(values):
            self._write(f"{term.text}[{j}] = {value.text}")
        return term

    @contextmanager
    def loop(self, over: str, index: Any = None) -> Iterator[str]:
        self.count += 1
        counter = f"i{self.count}"
        self._write(f"for {counter} in {_LOOPS[over].format(index)}:")
        self.depth += 1
        mark = len(self.lines)
        yield counter
        if len(self.lines) == mark:
            self._write("pass")
        self.depth -= 1

    def act(self, index: str) -> None:
        self._write(f"state[slot_of[{index}]] = keep[{index}] * state[slot_of[{index}]] + add[{index}]")

    def source(self) -> str:
        return "\n".join([*self.lines, ""])


def load(source: str) -> Callable[..., None]:
    """The function that a printed source defines."""
    names = ("power", "sqrt", "exp", "log", "minimum", "maximum", "absolute", "where", "empty")
    space: dict[str, Any] = {name: getattr(np, name) for name in names}
    exec(compile(source, "<regrow kernel>", "exec"), space)  # noqa: S102 (our own text, never a user's)
    return space["kernel"]
