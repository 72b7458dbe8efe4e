"""The kernel, written once: what is computed per length of step, per step and per output, for any printer.

The one thing to know: this module never touches a number. It walks the lowered program and tells a *printer*
(`numpy_printer`, `llvm_printer`, `c_printer`) to load, combine and store values; a value may be *wide*, that is
known at the three nodes of a step. The order below is the order of the kernel:

    table    once per length of step: the exponentials of the exact blocks, the solves with constant coefficients
    spans    once per time between an output and the step before it: the exponentials again
    act      at each event: state := keep * state + add
    nodes    the exact blocks at the three nodes of the step
    cascade  each further state by Radau IIA, in the order of the program; a feedback loop several times
    out      outputs inside the step, from exact formulas and the collocation polynomial
    peak     the same at the times of a window, of which only the largest is kept
    update   the values at the last node become the start of the next step
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from regrow.engine.expression import Graph
from regrow.engine.grid import NODES, PROJECTION, STEADY, SUBPOINTS, WEIGHTS
from regrow.engine.lower import Item, Program

#: operations whose slope may jump
KINKS = frozenset({"min", "max", "abs", "select"})
LOGIC = frozenset({"lt", "le", "eq", "and", "or", "not"})

Value = Any  # a printer's handle: one value per person, or wide (one per person and node)
Index = Any  # a printer's handle of a loop counter


class Printer(Protocol):
    """What a target language must be able to say. Arrays hold one row per slot and one column per person.

    `precise` marks what the drug in plasma needs (`precise_items`): double precision where all else may be in single.
    `raise_to` keeps the larger of a stored value and a new one.
    """

    def number(self, value: float) -> Value: ...
    def scalar(self, array: str, index: Index) -> Value: ...
    def load(
        self, array: str, slot: int, index: Index = None, *, wide: bool = False, precise: bool = False
    ) -> Value: ...
    def store(
        self, array: str, slot: int, value: Value, index: Index = None, *, wide: bool = False, precise: bool = False
    ) -> None: ...
    def raise_to(self, array: str, slot: int, value: Value, index: Index) -> None: ...
    def op(self, kind: str, *arguments: Value) -> Value: ...
    def pick(self, value: Value, node: int) -> Value: ...
    def join(self, values: Iterable[Value]) -> Value: ...
    def loop(self, over: str, index: Index = None) -> AbstractContextManager[Index]: ...
    def act(self, index: Index) -> None: ...


@dataclass
class Layout:
    """Which row of which array holds what; found while the kernel is written.

    Keys of `const`: ("expr", e) | ("over", e): 1 / e | ("pole", item, mode) | ("right", item, row, mode) |
    ("left", item, mode, row) | ("feed", item, mode, depot item) | ("gain", item, mode): 1 / pole. Keys of `slot`:
    ("state", name) | ("mode", item, mode) | ("source", item, mode) | ("rate", name). Items are places in
    `Program.items`. The first `precise_slots` rows of the state belong to the exact blocks of `precise_items`, and so
    do the rows of `const` in `precise_const`.
    """

    outputs: tuple[str, ...]
    peaks: tuple[tuple[str, ...], ...]
    needed: tuple[int, ...]
    const: dict[tuple, int] = field(default_factory=dict)
    slot: dict[tuple, int] = field(default_factory=dict)
    table: dict[tuple, int] = field(default_factory=dict)
    spans: dict[tuple, int] = field(default_factory=dict)
    precise_slots: int = 0
    precise_const: list[int] = field(default_factory=list)

    @staticmethod
    def row(rows: dict[tuple, int], key: tuple) -> int:
        return rows.setdefault(key, len(rows))


def needed_items(program: Program, outputs: Iterable[str]) -> tuple[int, ...]:
    """Places of the items that the outputs depend on, in order."""
    graph = Graph(program.nodes)
    home = {s: k for k, item in enumerate(program.items) for s in item["states"]}
    found: set[int] = set()
    todo = [program.outputs[name] for name in outputs]
    while todo:
        for name in graph.symbols(todo.pop()):
            if name in home and home[name] not in found:
                found.add(home[name])
                todo += [program.rates[s] for s in program.items[home[name]]["states"]]
    return tuple(sorted(found))


def precise_items(program: Program, needed: Iterable[int], infused: Iterable[str]) -> frozenset[int]:
    """Places of the exact blocks that keep double numbers: all but a lone state that no dose runs into or through."""
    exact = {k: program.items[k] for k in needed if program.items[k]["kind"] == "exact"}
    through = {depot for item in exact.values() for _, depot, _ in item["depots"]} | set(infused)
    return frozenset(
        k for k, item in exact.items() if len(item["states"]) > 1 or item["depots"] or through & set(item["states"])
    )


class Sections:
    """Writes the kernel of `program` for `outputs` through `printer`; `layout` is complete afterwards."""

    def __init__(
        self,
        program: Program,
        outputs: tuple[str, ...],
        peaks: tuple[tuple[str, ...], ...],
        needed: tuple[int, ...],
        infused: frozenset[str],
        idle: frozenset[str],
        sweeps: int,
        printer: Printer,
    ) -> None:
        self.program = program
        self.graph = Graph(program.nodes)
        self.layout = Layout(outputs, peaks, needed)
        self.infused = infused
        self.idle = idle
        self.sweeps = sweeps
        self.p = printer
        self.items: list[tuple[int, Item]] = [(k, program.items[k]) for k in needed]
        self.home = {item["states"][0]: k for k, item in self.items if item["kind"] == "exact"}
        self.moving = frozenset(program.states) | {"time"}
        self._symbols: dict[int, frozenset[str]] = {}
        self._table: dict[tuple, Value] = {}
        self._has_kink: dict[int, bool] = {}
        self.precise = precise_items(program, needed, infused)
        # state memory first, so that its rows do not depend on the outputs
        for k, item in sorted(self.items, key=lambda pair: pair[0] not in self.precise):
            self._reserve(k, item)
            if k in self.precise:
                self.layout.precise_slots = len(self.layout.slot)

    def _reserve(self, k: int, item: Item) -> None:
        for i, s in enumerate(item["states"]):
            if item["kind"] in ("exact", "modes"):
                self._slot("mode", k, i)
            else:
                self._slot("state", s)
            if item["kind"] == "exact":
                self._slot("source", k, i)
            elif s in self.infused:
                self._slot("rate", s)

    # -- small words ------------------------------------------------------------------------------------------

    def _slot(self, *key: Any) -> int:
        return Layout.row(self.layout.slot, key)

    def _const(self, *key: Any) -> Value:
        precise = key[0] not in ("expr", "over") and key[1] in self.precise
        row = Layout.row(self.layout.const, key)
        if precise and row not in self.layout.precise_const:
            self.layout.precise_const.append(row)
        return self.p.load("const", row, precise=precise)

    def _exactly(self, key: tuple) -> bool:
        """Whether a row of the state or of a table belongs to an exact block that keeps double numbers."""
        return key[0] in ("mode", "source", "decay", "fill", "cross") and key[1] in self.precise

    def _sum(self, terms: Iterable[Value | None]) -> Value:
        total = None
        for term in terms:
            if term is not None:
                total = term if total is None else self.p.op("add", total, term)
        return self.p.number(0.0) if total is None else total

    def _symbols_of(self, e: int) -> frozenset[str]:
        if e not in self._symbols:
            self._symbols[e] = self.graph.symbols(e)
        return self._symbols[e]

    def _eval(self, e: int, known: dict[Any, Value]) -> Value:
        """The value of expression `e`; `known` holds the states by name and what was computed before by number."""
        if e in known:
            return known[e]
        node = self.graph.nodes[e]
        if node[0] == "num":
            return self.p.number(node[1])
        if node[0] == "sym" and node[1] in self.idle:
            return self.p.number(0.0)
        if node[0] == "sym" and node[1] in self.moving:
            return known[node[1]]
        if not self._symbols_of(e) & self.moving:
            value = self._const("expr", e)
            if node[0] in LOGIC:  # memory holds 1 for true, 0 for false
                value = self.p.op("lt", self.p.number(0.0), value)
        elif node[0] == "div":
            value = self._divided(node[1], node[2], known)
        else:
            value = self.p.op(node[0], *(self._eval(k, known) for k in node[1:]))
        known[e] = value
        return value

    def _divided(self, above: int, below: int, known: dict[Any, Value]) -> Value:
        """above / below with as few divisions as can be: they cost ten times what a multiplication does."""
        if not self._symbols_of(below) & self.moving:
            return self.p.op("mul", self._eval(above, known), self._const("over", below))
        divisors = [below]
        while above not in known and self.graph.nodes[above][0] == "div" and self._symbols_of(above) & self.moving:
            _, above, other = self.graph.nodes[above]
            divisors.append(other)
        product = self._eval(divisors[0], known)
        for other in divisors[1:]:
            product = self.p.op("mul", product, self._eval(other, known))
        return self.p.op("div", self._eval(above, known), product)

    # -- sections ---------------------------------------------------------------------------------------------

    def write(self) -> Layout:
        """Writes the whole kernel and returns where everything lies."""
        p = self.p
        with p.loop("lengths") as k:
            h = p.scalar("lengths", k)
            for key, value in (self._exponentials(h) | self._steady(h)).items():
                row = Layout.row(self.layout.table, key)
                p.store("table", row, value, k, wide=True, precise=self._exactly(key))
        if any(self._direct(wanted) for wanted in (self._outputs(), self._peaks())):
            with p.loop("spans") as k:
                for key, value in self._exponentials(p.scalar("spans", k), wide=False).items():
                    p.store("span_table", Layout.row(self.layout.spans, key), value, k, precise=self._exactly(key))
        with p.loop("steps") as step:
            with p.loop("actions", step) as action:
                p.act(action)
            h = p.scalar("h", step)
            start, nodes = self._step(step, h)
            with p.loop("outs", step) as out:
                for row, value in enumerate(self._at("out", out, self._outputs(), start, nodes)):
                    p.store("out", row, value, out)
            if self.layout.peaks:
                with p.loop("marks", step) as mark:
                    window = p.scalar("mark_window", mark)
                    for row, value in enumerate(self._at("mark", mark, self._peaks(), start, nodes)):
                        p.raise_to("peak", row, value, window)
            for key, value in nodes.items():
                if isinstance(key, tuple):
                    p.store("state", self._slot(*key), p.pick(value, 2), precise=self._exactly(key))
        return self.layout

    def _outputs(self) -> list[list[int]]:
        return [[self.program.outputs[name]] for name in self.layout.outputs]

    def _peaks(self) -> list[list[int]]:
        return [[self.program.outputs[name] for name in names] for names in self.layout.peaks]

    def _direct(self, wanted: list[list[int]]) -> bool:
        """Whether anything wanted needs a state of an exact block."""
        exact = {s for _, item in self._exact() for s in item["states"]}
        return any(self._symbols_of(e) & exact - self.idle for terms in wanted for e in terms)

    def _exact(self) -> list[tuple[int, Item]]:
        return [(k, item) for k, item in self.items if item["kind"] == "exact"]

    def _exponentials(self, h: Value, *, wide: bool = True) -> dict[tuple, Value]:
        """What the exact blocks need of a time span: decay exp(-p t), fill (1 - decay) / p, cross of two poles.

        cross = (exp(-p t) - exp(-d t)) / (d - p) is what a depot with pole d leaves in a mode with pole p; near
        equal poles it is taken from a series, so that no digits are lost.
        """
        p = self.p
        t = p.join([p.op("mul", h, p.number(c)) for c in NODES]) if wide else h
        out: dict[tuple, Value] = {}
        for k, item in self._exact():
            for i in range(len(item["states"])):
                z = p.op("mul", self._const("pole", k, i), t)
                decay = p.op("exp", p.op("neg", z))
                out["decay", k, i] = decay
                # 1 - decay loses digits only where the fill is far below its final value 1 / p; a pole of 0 has none
                filled = p.op("mul", p.op("sub", p.number(1.0), decay), self._const("gain", k, i))
                still = p.op("eq", self._const("pole", k, i), p.number(0.0))
                out["fill", k, i] = p.op("select", still, t, filled)
            for i, depot in self._feeds(k, item):
                own, other = self._const("pole", k, i), self._const("pole", depot, 0)
                slow = p.op("lt", own, other)
                first = p.op("select", slow, out["decay", k, i], out["decay", depot, 0])
                second = p.op("select", slow, out["decay", depot, 0], out["decay", k, i])
                apart = p.op("abs", p.op("sub", own, other))
                plain = p.op("div", p.op("sub", first, second), apart)
                out["cross", k, i, depot] = self._near_zero(p.op("mul", apart, t), p.op("mul", first, t), plain)
        return out

    def _near_zero(self, z: Value, scale: Value, plain: Value) -> Value:
        """scale * (1 - exp(-z)) / z by its series for |z| < 1/4, else `plain`, which is the same written out."""
        p = self.p
        series = p.number(1.0)
        for m in range(13, 1, -1):
            series = p.op("sub", p.number(1.0), p.op("mul", p.op("mul", z, p.number(1.0 / m)), series))
        near = p.op("lt", p.op("mul", z, z), p.number(0.0625))
        return p.op("select", near, p.op("mul", scale, series), plain)

    def _feeds(self, k: int, item: Item) -> list[tuple[int, int]]:
        """Pairs (mode, depot item) of an exact block."""
        depots = sorted({self.home[d] for _, d, _ in item["depots"] if d not in self.idle})
        return [(i, d) for d in depots for i in range(len(item["states"]))]

    def _propagate(self, start: dict[Any, Value], e: dict[tuple, Value], known: dict[Any, Value]) -> None:
        """Exact blocks after the span of the exponentials `e`: modes and states into `known`."""
        p = self.p
        for k, item in self._exact():
            size = len(item["states"])
            for i in range(size):
                source = start["source", k, i]
                crossing = []
                for mode, depot in self._feeds(k, item):
                    if mode != i:
                        continue
                    feed = self._const("feed", k, i, depot)
                    level = p.op("mul", start["source", depot, 0], self._const("gain", depot, 0))
                    source = p.op("add", source, p.op("mul", feed, level))
                    above = p.op("mul", feed, p.op("sub", start["mode", depot, 0], level))
                    crossing.append(p.op("mul", above, e["cross", k, i, depot]))
                known["mode", k, i] = self._sum(
                    [
                        p.op("mul", start["mode", k, i], e["decay", k, i]),
                        p.op("mul", source, e["fill", k, i]),
                        *crossing,
                    ]
                )
            self._from_modes(k, item, known)

    def _from_modes(self, k: int, item: Item, known: dict[Any, Value]) -> None:
        size = len(item["states"])
        for row, s in enumerate(item["states"]):
            if size == 1:
                known[s] = known["mode", k, 0]
            else:
                known[s] = self._sum(
                    self.p.op("mul", self._const("right", k, row, i), known["mode", k, i]) for i in range(size)
                )

    def _step(self, step: Index, h: Value) -> tuple[dict[Any, Value], dict[Any, Value]]:
        p = self.p
        start: dict[Any, Value] = {
            key: p.load("state", row, precise=self._exactly(key)) for key, row in self.layout.slot.items()
        }
        table: dict[tuple, Value] = {}
        if self.layout.table:
            kind = p.scalar("kind", step)
            for key, row in self.layout.table.items():
                table[key] = p.load("table", row, kind, wide=True, precise=self._exactly(key))
        self._table = table
        nodes: dict[Any, Value] = {}
        if any("time" in self._symbols_of(self.program.rates[s]) for _, item in self.items for s in item["states"]):
            t = p.scalar("time", step)
            nodes["time"] = p.join([p.op("add", t, p.op("mul", h, p.number(c))) for c in NODES])
        self._propagate(start, table, nodes)
        for k, item in self.items:
            if item["kind"] == "modes":
                self._modes(k, item, h, start, nodes)
            elif item["kind"] == "state":
                (s,) = item["states"]
                self._one(s, item, h, start, nodes)
            elif item["kind"] == "loop":
                self._loop(item, h, start, nodes)
        return start, nodes

    def _modes(self, k: int, item: Item, h: Value, start: dict[Any, Value], nodes: dict[Any, Value]) -> None:
        p = self.p
        feeding = []
        for s, e in zip(item["states"], item["rest"], strict=True):
            fed = None if self.graph.value(e) == 0 else self._rate(e, nodes)
            if s in self.infused:
                fed = start["rate", s] if fed is None else p.op("add", fed, start["rate", s])
            feeding.append(fed)
        for i in range(len(item["states"])):
            a = self._sum(
                None if fed is None else p.op("mul", self._const("left", k, i, row), fed)
                for row, fed in enumerate(feeding)
            )
            nodes["mode", k, i] = self._from_table(start["mode", k, i], a, ("pole", k, i))
        self._from_modes(k, item, nodes)

    def _one(self, s: str, item: Item, h: Value, start: dict[Any, Value], nodes: dict[Any, Value]) -> None:
        a = self._rate(item["a"][s], nodes)
        if s in self.infused:
            a = self.p.op("add", a, start["rate", s])
        e = item["b"][s]
        if self._symbols_of(e) & self.moving:
            value = self._radau(h, start["state", s], a, self._rate(e, nodes))
        else:
            value = self._from_table(start["state", s], a, ("expr", e))
        nodes[s] = nodes["state", s] = value

    def _rate(self, e: int, nodes: dict[Any, Value]) -> Value:
        """The value of a rate at the nodes, with its kinks seen between them."""
        for kink in self._kinks_in(e):
            if kink not in nodes:
                nodes[kink] = self._between(kink, nodes)
        return self._eval(e, nodes)

    def _kinks_in(self, e: int) -> list[int]:
        """The highest max, min, abs or piecewise that `e` is linear in, none of them inside another.

        One that stands in a power or a divisor is left alone: there it is a guard, and only what enters linearly may
        be replaced by its mean.
        """
        node = self.graph.nodes[e]
        if not self._kinked(e):
            return []
        if node[0] in KINKS:
            return [e] if self._symbols_of(e) & self.moving else []
        if node[0] in ("add", "sub", "mul", "neg"):
            return list(dict.fromkeys(kink for k in node[1:] for kink in self._kinks_in(k)))
        return self._kinks_in(node[1]) if node[0] == "div" else []

    def _kinked(self, e: int) -> bool:
        if e not in self._has_kink:
            node = self.graph.nodes[e]
            inside = node[0] not in ("num", "sym") and any(self._kinked(k) for k in node[1:])
            self._has_kink[e] = (node[0] in KINKS or inside) and bool(self._symbols_of(e) & self.moving)
        return self._has_kink[e]

    def _between(self, e: int, nodes: dict[Any, Value]) -> Value:
        """A kinked expression at the nodes, so that its first three moments over the step are right.

        A kink between two nodes would cost the collocation its order. So what has no kink in it is interpolated to
        `SUBPOINTS`, the kinked rest is computed there, and the parabola nearest to it gives the values at the nodes.
        """
        p = self.p
        leaves: dict[int, Value] = {}

        def find(k: int) -> None:
            yes_or_no = self.graph.nodes[k][0] in LOGIC and self._symbols_of(k) & self.moving
            if self._kinked(k) or yes_or_no:
                for below in self.graph.nodes[k][1:]:
                    find(below)
            else:
                leaves[k] = self._eval(k, nodes)

        find(e)
        found = []
        for weights in SUBPOINTS:
            known = {
                k: self._sum(p.op("mul", p.number(w), p.pick(v, j)) for j, w in enumerate(weights))
                if self._symbols_of(k) & self.moving
                else v
                for k, v in leaves.items()
            }
            found.append(self._eval(e, known))
        return p.join(
            [self._sum(p.op("mul", p.number(w), v) for w, v in zip(row, found, strict=True)) for row in PROJECTION]
        )

    def _loop(self, item: Item, h: Value, start: dict[Any, Value], nodes: dict[Any, Value]) -> None:
        """The states of a loop in order, `sweeps` times; at first the cut states stand still."""
        members = set(item["states"])
        for s in item["cut"]:
            nodes[s] = start["state", s]
        for _ in range(self.sweeps):
            for s in item["states"]:
                self._one(s, item, h, start, nodes)
                for e in [e for e in nodes if isinstance(e, int) and s in self._symbols_of(e)]:
                    del nodes[e]
        for e in [e for e in nodes if isinstance(e, int) and self._symbols_of(e) & members]:
            del nodes[e]

    def _radau(self, h: Value, x: Value, a: Value, b: Value) -> Value:
        """x at the nodes for x' = a - b x: (1 + h A b) X = x + h A a, by Cramer's rule (one division a state)."""
        p = self.p
        m, n = p.op, p.number
        ha = [p.pick(p.op("mul", h, a), j) for j in range(3)]
        right = [self._sum([x, *(m("mul", n(WEIGHTS[j][k]), ha[k]) for k in range(3))]) for j in range(3)]
        cofactor, inverse = self._cofactors(h, b)
        return p.join(
            [m("mul", self._sum(m("mul", cofactor[j][k], right[j]) for j in range(3)), inverse) for k in range(3)]
        )

    def _cofactors(self, h: Value, b: Value) -> tuple[list[list[Value]], Value]:
        """Cofactors of 1 + h A b and one over its determinant."""
        p = self.p
        m, n = p.op, p.number
        hb = [p.pick(p.op("mul", h, b), j) for j in range(3)]
        M = [[m("mul", n(WEIGHTS[j][k]), hb[k]) for k in range(3)] for j in range(3)]
        for j in range(3):
            M[j][j] = m("add", n(1.0), M[j][j])
        cofactor: list[list[Value]] = [[], [], []]
        for j in range(3):
            for k in range(3):
                (j1, j2), (k1, k2) = ((j + 1) % 3, (j + 2) % 3), ((k + 1) % 3, (k + 2) % 3)
                cofactor[j].append(m("sub", m("mul", M[j1][k1], M[j2][k2]), m("mul", M[j1][k2], M[j2][k1])))
        return cofactor, m("div", n(1.0), self._sum(m("mul", M[0][k], cofactor[0][k]) for k in range(3)))

    def _steady(self, h: Value) -> dict[tuple, Value]:
        """For each constant b: X = start * x + sum(feed_k * a_k), the same solve with its matrices worked out.

        With b the same at all nodes the inverse is a polynomial in z = h b (Cayley and Hamilton): `STEADY`.
        """
        p = self.p
        m, n = p.op, p.number

        def polynomial(z: Value, coefficients: Sequence[float]) -> Value:
            total = n(coefficients[-1])
            for c in reversed(coefficients[:-1]):
                total = m("add", m("mul", total, z), n(c))
            return total

        out: dict[tuple, Value] = {}
        for key in self._constant_rates():
            z = m("mul", h, self._const(*key))
            inverse = m("div", n(1.0), polynomial(z, STEADY.below))
            out["start", *key] = p.join([m("mul", polynomial(z, row), inverse) for row in STEADY.start])
            scaled = m("mul", h, inverse)
            for other in range(3):
                column = [m("mul", polynomial(z, STEADY.feed[k][other]), scaled) for k in range(3)]
                out["feed", other, *key] = p.join(column)
        return out

    def _constant_rates(self) -> list[tuple]:
        """Keys of the constants that are the b of a state or the pole of a mode."""
        keys: dict[tuple, None] = {}
        for k, item in self.items:
            if item["kind"] == "modes":
                keys |= {("pole", k, i): None for i in range(len(item["states"]))}
            elif item["kind"] != "exact":
                keys |= {("expr", e): None for e in item["b"].values() if not self._symbols_of(e) & self.moving}
        return list(keys)

    def _from_table(self, x: Value, a: Value, key: tuple) -> Value:
        p = self.p
        feeds = [p.op("mul", self._table["feed", k, *key], p.pick(a, k)) for k in range(3)]
        return self._sum([p.op("mul", self._table["start", *key], x), *feeds])

    def _at(
        self, kind: str, index: Index, wanted: list[list[int]], start: dict[Any, Value], nodes: dict[Any, Value]
    ) -> list[Value]:
        """Values of what is wanted (sums of expressions) at one time inside the step; `kind` is out or mark."""
        p = self.p
        names = frozenset().union(*(self._symbols_of(e) for terms in wanted for e in terms)) - self.idle
        point: dict[Any, Value] = {}
        if "time" in names:
            point["time"] = p.scalar(f"{kind}_time", index)
        names &= self.moving
        if self._direct(wanted):
            span = p.scalar(f"{kind}_span", index)
            table = {
                key: p.load("span_table", row, span, precise=self._exactly(key))
                for key, row in self.layout.spans.items()
            }
            self._propagate(start, table, point)
        direct = {s for _, item in self._exact() for s in item["states"]}
        weights = [p.scalar(f"{kind}_basis{j}", index) for j in range(4)] if names - direct - {"time"} else []
        for k, item in self.items:
            if item["kind"] == "exact" or not names & set(item["states"]):
                continue
            modal = item["kind"] == "modes"
            for i, s in enumerate(item["states"]):
                key = ("mode", k, i) if modal else ("state", s)
                values = [start[key], *(p.pick(nodes[key], j) for j in range(3))]
                point[key] = self._sum(p.op("mul", w, v) for w, v in zip(weights, values, strict=True))
                if not modal:
                    point[s] = point[key]
            if modal:
                self._from_modes(k, item, point)
        return [self._sum(self._eval(e, point) for e in terms) for terms in wanted]
