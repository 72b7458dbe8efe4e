"""Equations to the program that every kernel runs: which state is solved how, and in which order.

The one thing to know: the states form a cascade. Each equation is linear in its own state, x' = a - b x, and most
states depend only on states before them. Three shapes are looked for, strongest first:

- an *exact* block: linear with constant coefficients, fed by doses alone or by first-order depots. Its modes are
  exponentials, so it is solved in closed form over any step (this is the pharmacokinetics of the drug itself);
- *modes*: a linear block with constant coefficients fed by anything else (a metabolite with a peripheral
  compartment). Each of its modes is one x' = a - b x;
- a *state* x' = a - b x, or a *loop* of them: the states of a loop that stand first in the order see the value that
  the last ones had before, and the loop is swept again (the slow feedback of the model).

What fits none of these is solved by the general stiff solver; `Program.general` then names the equation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from regrow.engine.expression import Graph, Node
from regrow.engine.text import Equations
from regrow.refusal import Refusal

Item = dict[str, Any]


@dataclass(frozen=True)
class Program:
    """A lowered model: plain lists and numbers, so that it can be cached as JSON.

    `nodes` is the expression graph with assignments written in; every other field refers to places in it.
    `items` are solved in order; each is a dict with `kind` exact | modes | state | loop, `states` (names) and
    exact, modes: `matrix` (rows of coefficients), `rest` (what feeds each state besides the block),
    exact also: `depots` [[row, depot state, coefficient]]; state, loop: `a` and `b` by state; loop: `cut` (names).
    """

    nodes: tuple[Node, ...]
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    initial: dict[str, int]
    rates: dict[str, int]
    outputs: dict[str, int]
    items: tuple[Item, ...]
    general: str | None = None
    frozen: dict[str, tuple[str, ...]] = field(default_factory=dict)  # parameter -> what is computed from it once


def lower(equations: Equations) -> Program:
    """The program of checked equations. Raises Refusal MODEL-CIRCULAR for assignments that need themselves."""
    graph = Graph()
    resolve = _Resolver(equations, graph)
    states = tuple(equations.rates)
    rates = {s: resolve(e) for s, e in equations.rates.items()}
    outputs = {s: graph.symbol(s) for s in states} | {y: resolve(e) for y, e in equations.assignments.items()}
    starting = _Resolver(equations, graph, at_start=True)
    initial = {s: starting(equations.initial[s]) for s in states}
    once = {name: resolve(e) for name, e in equations.initial.items() if name not in equations.rates}
    outputs |= once
    frozen: dict[str, list[str]] = {}
    for name, e in once.items():
        for parameter in graph.symbols(e):
            frozen.setdefault(parameter, []).append(name)
    known = set(equations.parameters) | set(states) | {"time"}
    for e in (*rates.values(), *outputs.values(), *initial.values()):
        for name in graph.symbols(e) - known:
            raise Refusal("MODEL-UNKNOWN-NAME", f"the model text uses '{name}' but never says what it is", field=name)
    items: list[Item] = []
    general = None
    for group in _groups(graph, rates, states):
        item = _item(graph, rates, states, group, items)
        if isinstance(item, str):
            general = general or item
        else:
            items.append(item)
    return Program(
        nodes=tuple(graph.nodes),
        states=states,
        parameters=tuple(equations.parameters),
        initial=initial,
        rates=rates,
        outputs=outputs,
        items=() if general else tuple(items),
        general=general,
        frozen={name: tuple(v) for name, v in frozen.items()},
    )


class _Resolver:
    """Writes assignments into an expression; at the start of a course also the states' initial values."""

    def __init__(self, equations: Equations, graph: Graph, *, at_start: bool = False) -> None:
        self.source = equations.graph
        self.graph = graph
        self.named = dict(equations.assignments)
        for name, e in equations.initial.items():
            if at_start or name not in equations.rates:
                self.named[name] = e
        self.done: dict[int, int] = {}
        self.busy: list[str] = []

    def __call__(self, e: int) -> int:
        if e in self.done:
            return self.done[e]
        node = self.source.nodes[e]
        if node[0] == "num":
            out = self.graph.number(node[1])
        elif node[0] == "sym":
            name = node[1]
            if name in self.busy:
                raise Refusal(
                    "MODEL-CIRCULAR",
                    f"'{name}' is defined through itself: {' <- '.join([*self.busy, name])}",
                    field=name,
                )
            if name in self.named:
                self.busy.append(name)
                out = self(self.named[name])
                self.busy.pop()
            else:
                out = self.graph.symbol(name)
        else:
            out = self.graph.op(node[0], *(self(k) for k in node[1:]))
        self.done[e] = out
        return out


def _groups(graph: Graph, rates: dict[str, int], states: tuple[str, ...]) -> list[list[str]]:
    """States in the order of the cascade; states that depend on each other stand together."""
    import networkx as nx

    place = {s: k for k, s in enumerate(states)}
    flow = nx.DiGraph()
    flow.add_nodes_from(states)
    for s in states:
        flow.add_edges_from((other, s) for other in graph.symbols(rates[s]) if other in place)
    whole = nx.condensation(flow)
    first = {c: min(place[s] for s in whole.nodes[c]["members"]) for c in whole}
    order = nx.lexicographical_topological_sort(whole, key=lambda c: first[c])
    return [sorted(whole.nodes[c]["members"], key=lambda s: place[s]) for c in order]


def _item(
    graph: Graph, rates: dict[str, int], states: tuple[str, ...], group: list[str], before: Iterable[Item]
) -> Item | str:
    every = frozenset(states)
    members = frozenset(group)
    zero = graph.number(0.0)

    def constant(e: int) -> bool:
        return not (graph.symbols(e) & every) and "time" not in graph.symbols(e)

    split = {s: graph.linear(rates[s], members) for s in group}
    rows = [split[s] for s in group]
    if all(row is not None and all(constant(c) for name, c in row.items() if name) for row in rows):
        known = [row for row in rows if row is not None]
        matrix = [[row.get(s, zero) for s in group] for row in known]
        rest = [row.get("", zero) for row in known]
        depots = {i["states"][0] for i in before if i["kind"] == "exact" and len(i["states"]) == 1 and not i["depots"]}
        fed = [graph.linear(e, frozenset(depots)) for e in rest]
        if all(f is not None and all(constant(c) for c in f.values()) for f in fed):
            feeds = [[k, d, c] for k, f in enumerate(fed) if f is not None for d, c in f.items() if d]
            source = [f.get("", zero) for f in fed if f is not None]
            return {"kind": "exact", "states": group, "matrix": matrix, "rest": source, "depots": feeds}
        if len(group) > 1:
            return {"kind": "modes", "states": group, "matrix": matrix, "rest": rest}
    a: dict[str, int] = {}
    b: dict[str, int] = {}
    for s in group:
        own = graph.linear(rates[s], frozenset({s}))
        if own is None:
            return f"the equation of {s} is not linear in {s} itself"
        a[s] = own.get("", zero)
        b[s] = graph.op("neg", own[s]) if s in own else zero
    if len(group) == 1:
        return {"kind": "state", "states": group, "a": a, "b": b}
    cut = _feedback(graph, rates, group)
    order = _after_cut(graph, rates, group, cut)
    return {"kind": "loop", "states": order, "a": a, "b": b, "cut": cut}


def _feedback(graph: Graph, rates: dict[str, int], group: list[str]) -> list[str]:
    """The fewest states whose old value opens every loop of the group; of equals, those last in the text."""
    for size in range(1, len(group)):
        for chosen in itertools.combinations(reversed(group), size):
            if _after_cut(graph, rates, group, list(chosen)):
                return list(chosen)
    return group


def _after_cut(graph: Graph, rates: dict[str, int], group: list[str], cut: list[str]) -> list[str]:
    """The group in an order in which each state needs only earlier ones and the cut; [] where there is none."""
    waiting = {s: (graph.symbols(rates[s]) & set(group)) - {s, *cut} for s in group}
    order: list[str] = []
    free = [s for s in group if s not in cut]
    while free:
        ready = next((s for s in free if waiting[s] <= set(order)), None)
        if ready is None:
            return []
        order.append(ready)
        free.remove(ready)
    return order + cut
