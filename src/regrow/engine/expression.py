"""Expressions as one shared graph, and the question the engine asks of them: are they linear in a state?

The one thing to know: equal sub-expressions are the same node, because nodes are made through a table. So common
sub-expressions are found without a pass of their own, and a number (a node's place in the list) is all that a
later stage needs to refer to an expression. Arguments always stand before their users in the list.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

Node = tuple  # ("num", value) | ("sym", name) | (operation, argument number, ...)

#: operation -> number of arguments; these are all that a printer must know
OPERATIONS: Mapping[str, int] = {
    "add": 2, "sub": 2, "mul": 2, "div": 2, "neg": 1, "pow": 2, "sqrt": 1, "exp": 1, "log": 1, "min": 2, "max": 2,
    "abs": 1, "lt": 2, "le": 2, "eq": 2, "and": 2, "or": 2, "not": 1, "select": 3,
}  # fmt: skip


class Graph:
    """A list of nodes in which equal expressions share one number."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.nodes: list[Node] = []
        self._place: dict[Node, int] = {}
        for node in nodes:
            self._add(tuple(node))

    def _add(self, node: Node) -> int:
        place = self._place.get(node)
        if place is None:
            place = self._place[node] = len(self.nodes)
            self.nodes.append(node)
        return place

    def number(self, value: float) -> int:
        return self._add(("num", float(value)))

    def symbol(self, name: str) -> int:
        return self._add(("sym", name))

    def value(self, e: int) -> float | None:
        """The number at `e`, or None where it is no plain number."""
        node = self.nodes[e]
        return node[1] if node[0] == "num" else None

    def op(self, kind: str, *arguments: int) -> int:
        """The node of `kind` over `arguments`, after the simplifications that never change a result's meaning."""
        values = [self.value(e) for e in arguments]
        a = arguments[0]
        b = arguments[1] if len(arguments) > 1 else -1
        if all(v is not None for v in values):
            folded = _fold(kind, [v for v in values if v is not None])
            if folded is not None:
                return self.number(folded)
        x, y = values[0], (values[1] if len(values) > 1 else None)
        if kind == "add":
            if x == 0:
                return b
            if y == 0:
                return a
            if self.nodes[b][0] == "neg":
                return self.op("sub", a, self.nodes[b][1])
            if self.nodes[a][0] == "neg":
                return self.op("sub", b, self.nodes[a][1])
            return self._add(("add", min(a, b), max(a, b)))
        if kind == "sub":
            if y == 0:
                return a
            if x == 0:
                return self.op("neg", b)
            if self.nodes[b][0] == "neg":
                return self.op("add", a, self.nodes[b][1])
        elif kind == "mul":
            if x == 0 or y == 0:  # a parameter is finite (inputs are checked), so nothing is hidden by this
                return self.number(0.0)
            if x == 1:
                return b
            if y == 1:
                return a
            if x == -1:
                return self.op("neg", b)
            if y == -1:
                return self.op("neg", a)
            if self.nodes[a][0] == "neg":
                return self.op("neg", self.op("mul", self.nodes[a][1], b))
            if self.nodes[b][0] == "neg":
                return self.op("neg", self.op("mul", a, self.nodes[b][1]))
            return self._add(("mul", min(a, b), max(a, b)))
        elif kind == "div":
            if x == 0:
                return a
            if y == 1:
                return a
            if y is not None and y != 0:
                return self.op("mul", a, self.number(1.0 / y)) if math.frexp(y)[0] == 0.5 else self._add(("div", a, b))
            if self.nodes[a][0] == "neg":
                return self.op("neg", self.op("div", self.nodes[a][1], b))
        elif kind == "neg" and self.nodes[a][0] == "neg":
            return self.nodes[a][1]
        elif kind == "neg" and self.nodes[a][0] == "sub":
            return self.op("sub", self.nodes[a][2], self.nodes[a][1])
        elif kind == "pow" and y is not None:
            if y == 0.5:
                return self.op("sqrt", a)
            if y == int(y) and 0 <= abs(y) <= 8:
                return self._power(a, int(y))
        return self._add((kind, *arguments))

    def _power(self, a: int, n: int) -> int:
        if n < 0:
            return self.op("div", self.number(1.0), self._power(a, -n))
        if n == 0:
            return self.number(1.0)
        half = self._power(a, n // 2) if n > 1 else -1
        if n == 1:
            return a
        square = self.op("mul", half, half)
        return self.op("mul", square, a) if n % 2 else square

    def symbols(self, e: int) -> frozenset[str]:
        """The names that expression `e` depends on."""
        seen: set[int] = set()
        names: set[str] = set()
        stack = [e]
        while stack:
            k = stack.pop()
            if k in seen:
                continue
            seen.add(k)
            node = self.nodes[k]
            if node[0] == "sym":
                names.add(node[1])
            elif node[0] != "num":
                stack.extend(node[1:])
        return frozenset(names)

    def linear(self, e: int, variables: frozenset[str]) -> dict[str, int] | None:
        """Coefficients {name: expression, "": the rest} with e = rest + sum(coefficient * name), or None.

        None means that `e` is not (visibly) linear in `variables` taken together; every coefficient is then free
        of them. "Visibly": terms are not expanded and cancelled, an equation is judged as it is written.
        """
        memo: dict[int, dict[str, int] | None] = {}

        def walk(k: int) -> dict[str, int] | None:
            if k not in memo:
                memo[k] = split(k)
            return memo[k]

        def split(k: int) -> dict[str, int] | None:
            node = self.nodes[k]
            kind = node[0]
            if kind == "num":
                return {"": k}
            if kind == "sym":
                return {node[1]: self.number(1.0)} if node[1] in variables else {"": k}
            parts = [walk(a) for a in node[1:]]
            if any(p is None for p in parts):
                return None
            known = [p for p in parts if p is not None]
            if all(set(p) <= {""} for p in known):
                return {"": k}
            if kind in ("add", "sub"):
                left, right = known
                out = dict(left)
                for name, coefficient in right.items():
                    if name in out:
                        out[name] = self.op(kind, out[name], coefficient)
                    else:
                        out[name] = coefficient if kind == "add" else self.op("neg", coefficient)
                return out
            if kind == "neg":
                return {name: self.op("neg", c) for name, c in known[0].items()}
            if kind == "mul":
                for one, other in ((0, 1), (1, 0)):
                    if set(known[one]) <= {""}:
                        factor = known[one].get("", self.number(0.0))
                        return {name: self.op("mul", factor, c) for name, c in known[other].items()}
            if kind == "div" and set(known[1]) <= {""}:
                divisor = known[1].get("", self.number(0.0))
                return {name: self.op("div", c, divisor) for name, c in known[0].items()}
            return None

        return walk(e)


def _fold(kind: str, v: list[float]) -> float | None:
    """The value of an operation over plain numbers, or None where it has none worth folding (1/0, log of -1)."""
    try:
        match kind:
            case "add":
                return v[0] + v[1]
            case "sub":
                return v[0] - v[1]
            case "mul":
                return v[0] * v[1]
            case "div":
                return v[0] / v[1]
            case "neg":
                return -v[0]
            case "pow":
                return math.pow(v[0], v[1])
            case "sqrt":
                return math.sqrt(v[0])
            case "exp":
                return math.exp(v[0])
            case "log":
                return math.log(v[0])
            case "min":
                return min(v)
            case "max":
                return max(v)
            case "abs":
                return abs(v[0])
    except (ArithmeticError, ValueError):
        return None
    return None
