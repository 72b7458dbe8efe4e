"""From people and events to the arrays that a kernel runs on: constants, starting state, actions, grid.

The one thing to know: a course is cut into epochs where a parameter changes (or a whole block jumps); within an
epoch everything that depends on parameters alone is constant, is computed here once per person, and is the same for
every printer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regrow.engine.events import Bolus, Change, Event, Infusion, Jump
from regrow.engine.expression import Graph
from regrow.engine.grid import Grid, Pace, Places, build
from regrow.engine.lower import Program
from regrow.engine.modes import Modes, decompose
from regrow.engine.sections import Layout

People = Mapping[str, float | np.ndarray]

_EVALUATE = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "pow": np.power,
    "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "min": np.minimum, "max": np.maximum, "abs": np.absolute,
    "lt": np.less, "le": np.less_equal, "eq": np.equal, "and": np.logical_and, "or": np.logical_or,
    "not": np.logical_not, "select": np.where,
}  # fmt: skip


class Evaluator:
    """Values of expressions over people, from the values of the names in them."""

    def __init__(self, program: Program, names: Mapping[str, float | np.ndarray], n: int) -> None:
        self.nodes = program.nodes
        self.names = names
        self.n = n
        self.known: dict[int, np.ndarray] = {}

    def __call__(self, e: int) -> np.ndarray:
        """The value of expression `e`, shape (n,)."""
        value = self._value(e)
        return value if value.ndim and value.shape[-1] == self.n else np.broadcast_to(value, (self.n,))

    def _value(self, e: int) -> np.ndarray:
        if e not in self.known:
            node = self.nodes[e]
            if node[0] == "num":
                value = np.float64(node[1])
            elif node[0] == "sym":
                value = np.asarray(self.names[node[1]])
            else:
                value = _EVALUATE[node[0]](*(self._value(k) for k in node[1:]))
            self.known[e] = np.asarray(value)
        return self.known[e]


@dataclass(frozen=True)
class Epoch:
    """A stretch of time with constant parameters: events at `begin` happen in it, those at `end` only if `last`."""

    begin: float
    end: float
    last: bool
    events: tuple[Event, ...]
    changes: tuple[Change, ...]  # all that hold in this epoch, in order
    jumps: tuple[Jump, ...]  # of whole blocks, done to the state at `begin`, before the other events


def epochs(program: Program, events: Sequence[Event], begin: float, end: float) -> list[Epoch]:
    """The stretches of a course from `begin` to `end`."""
    blocks = {s for item in program.items if item["kind"] in ("exact", "modes") and len(item["states"]) > 1
              for s in item["states"]}  # fmt: skip
    whole = [e for e in events if isinstance(e, Jump) and e.state in blocks]
    cuts = {e.time for e in events if isinstance(e, Change)} | {e.time for e in whole}
    edges = [begin, *sorted(t for t in cuts if begin < t <= end)]
    out = []
    for k, left in enumerate(edges):
        last = k == len(edges) - 1
        right = end if last else edges[k + 1]
        inside = []
        for event in events:
            if isinstance(event, Change) or any(event is jump for jump in whole):
                continue
            if isinstance(event, Infusion):
                if event.time < right and event.time + event.duration > left:
                    inside.append(event)
            elif left <= event.time < right or (last and event.time == right):
                inside.append(event)
        changes = tuple(e for e in events if isinstance(e, Change) and e.time <= left)
        jumps = tuple(e for e in whole if e.time == left)
        out.append(Epoch(left, right, last, tuple(inside), changes, jumps))
    return out


def breaks(epoch: Epoch) -> list[float]:
    """The times in an epoch at which something begins, ends or jumps, its own begin among them."""
    out = {epoch.begin}
    for event in epoch.events:
        edges = [event.time] if not isinstance(event, Infusion) else [event.time, event.time + event.duration]
        out |= {t for t in edges if epoch.begin <= t <= epoch.end}
    return sorted(out)


def _eased(epoch: Epoch) -> set[float]:
    """The times at which infusions end and nothing else happens."""
    ends = {event.time + event.duration for event in epoch.events if isinstance(event, Infusion)}
    return ends - {epoch.begin, *(event.time for event in epoch.events)}


@dataclass(frozen=True)
class Clock:
    """The steps of an epoch, which of the times asked for fall into it, and the times of windows, in order."""

    grid: Grid
    inside: np.ndarray
    outs: Places
    marks: Places
    window: np.ndarray


def clock(epoch: Epoch, times: np.ndarray, windows: Sequence[np.ndarray], pace: Pace) -> Clock:
    """The clock of an epoch for output `times` and the times of each window."""

    def within(t: np.ndarray) -> np.ndarray:
        return (t >= epoch.begin) & ((t <= epoch.end) if epoch.last else (t < epoch.end))

    grid = build(breaks(epoch), epoch.end, pace, _eased(epoch))
    marks = np.concatenate([np.empty(0), *windows])
    window = np.repeat(np.arange(len(windows)), [len(w) for w in windows]).astype(np.int64)
    order = np.argsort(marks, kind="stable")
    order = order[within(marks[order])]
    inside = within(times)
    return Clock(grid, inside, grid.places(times[inside]), grid.places(marks[order]), window[order])


@dataclass(frozen=True)
class Blocks:
    """The modes of every linear block of the program for these people, and of the depots that feed them."""

    modes: dict[int, Modes]
    rest: dict[int, np.ndarray]
    evaluate: Evaluator

    @staticmethod
    def of(program: Program, evaluate: Evaluator, needed: Sequence[int]) -> Blocks:
        modes, rest = {}, {}
        for k in needed:
            item = program.items[k]
            if item["kind"] in ("exact", "modes"):
                modes[k] = decompose(np.array([[evaluate(e) for e in row] for row in item["matrix"]]))
            if item["kind"] == "exact":
                rest[k] = np.array([evaluate(e) for e in item["rest"]])
        return Blocks(modes, rest, evaluate)

    def without_modes(self) -> list[int]:
        """Items that have no real modes for somebody here: equations that oscillate, or equal ones in a chain."""
        return [k for k, modes in self.modes.items() if (modes.bad & np.isfinite(modes.poles).all(axis=0)).any()]

    def constants(self, program: Program, layout: Layout) -> np.ndarray:
        """The kernel's array `const`, shape (rows, n)."""
        out = np.empty((len(layout.const), self.evaluate.n))
        for key, row in layout.const.items():
            match key:
                case ("expr", e):
                    out[row] = self.evaluate(e)
                case ("over", e):
                    out[row] = 1.0 / self.evaluate(e)
                case ("pole", k, i):
                    out[row] = self.modes[k].poles[i]
                case ("right", k, s, i):
                    out[row] = self.modes[k].right[s, i]
                case ("left", k, i, s):
                    out[row] = self.modes[k].left[i, s]
                case ("feed", k, i, depot):
                    out[row] = 0.0
                    for s, state, e in program.items[k]["depots"]:
                        if state == program.items[depot]["states"][0]:
                            out[row] += self.modes[k].left[i, s] * self.evaluate(e)
                case ("gain", k, i):
                    pole = self.modes[k].poles[i]
                    out[row] = np.divide(1.0, pole, out=np.zeros_like(pole), where=pole != 0)
        return out


def growing(program: Program, evaluate: Evaluator) -> dict[str, float]:
    """States that grow by themselves, with the rate (1/h) of whoever grows fastest, as a wrong sign makes them.

    Only coefficients that parameters alone give are looked at. `evaluate` knows the parameters.
    """
    graph = Graph(program.nodes)
    moving = {*program.states, "time"}
    found: dict[str, float] = {}
    with np.errstate(all="ignore"):
        for item in program.items:
            if "matrix" in item:
                K = np.array([[evaluate(e) for e in row] for row in item["matrix"]])
                apart = K * (1.0 - np.eye(len(K)))[:, :, None]
                if (apart >= 0).all() and (K.sum(axis=0) <= 1e-9 * np.abs(K).max(axis=(0, 1))).all():
                    continue  # compartments that give no more than they hold
                if np.isfinite(K).all():
                    rates = np.linalg.eigvals(np.moveaxis(K, 2, 0)).real.max(axis=1)
                    fastest = float((rates - 1e-9 * np.abs(K).max(axis=(0, 1))).max())
                    found |= {" and ".join(item["states"]): fastest} if fastest > 0 else {}
        blocks = {s for item in program.items if "matrix" in item for s in item["states"]}
        for s in [s for s in program.states if s not in blocks]:
            own = (graph.linear(program.rates[s], frozenset({s})) or {}).get(s)
            if own is not None and not graph.symbols(own) & moving and (rate := float(np.max(evaluate(own)))) > 0:
                found[s] = rate
    return found


def grows(found: Mapping[str, float]) -> tuple[str, ...]:
    """What is said of states that grow by themselves."""
    return tuple(
        f"equation of {state}: it grows by itself without end, by {rate:.3g} of itself per h; if that is not meant, "
        "look at the sign of a rate constant"
        for state, rate in found.items()
    )


class Actions:
    """What happens to the kernel's state memory, by step: state := keep * state + add."""

    def __init__(self, program: Program, layout: Layout, blocks: Blocks, epoch: Epoch) -> None:
        self.program, self.layout, self.blocks, self.epoch = program, layout, blocks, epoch
        self.n = blocks.evaluate.n
        self._resting: dict[tuple[int, int], np.ndarray] = {}
        self.home = {s: (k, i) for k in layout.needed for i, s in enumerate(program.items[k]["states"])}

    def start(self, x: np.ndarray) -> np.ndarray:
        """The state memory that stands for states `x` (states, n) with the infusions under way at the begin."""
        memory = np.zeros((len(self.layout.slot), self.n))
        place = {s: k for k, s in enumerate(self.program.states)}
        for key, row in self.layout.slot.items():
            if key[0] == "state":
                memory[row] = x[place[key[1]]]
            elif key[0] == "mode":
                left = self.blocks.modes[key[1]].left[key[2]]
                states = self.program.items[key[1]]["states"]
                memory[row] = sum(left[j] * x[place[s]] for j, s in enumerate(states))
        for row, value in self._sources(self.epoch.begin):
            memory[row] = value
        return memory

    def end(self, memory: np.ndarray, idle: Sequence[str] = ()) -> np.ndarray:
        """States (states, n) of the state memory; idle ones are 0, those that were not computed are NaN."""
        x = np.full((len(self.program.states), self.n), np.nan)
        for k, s in enumerate(self.program.states):
            if s not in self.home:
                x[k] = 0.0 if s in idle else np.nan
                continue
            item, i = self.home[s]
            if ("state", s) in self.layout.slot:
                x[k] = memory[self.layout.slot["state", s]]
            else:
                right = self.blocks.modes[item].right[i]
                x[k] = sum(right[j] * memory[self.layout.slot["mode", item, j]] for j in range(len(right)))
        return x

    def _running(self, time: float) -> dict[str, np.ndarray]:
        rates: dict[str, np.ndarray] = {}
        for event in self.epoch.events:
            if isinstance(event, Infusion) and event.time <= time < event.time + event.duration:
                rate = np.asarray(event.amount) / event.duration
                rates[event.state] = rates.get(event.state, 0.0) + rate
        return rates

    def _sources(self, time: float, rows: set[int] | None = None) -> list[tuple[int, np.ndarray]]:
        """Rows (of `rows`, or all) and values of everything that runs in at a constant rate from `time` on."""
        rates = self._running(time)
        out = []
        for key, row in self.layout.slot.items():
            if rows is not None and row not in rows:
                continue
            if key[0] == "rate":
                out.append((row, np.broadcast_to(rates.get(key[1], 0.0), (self.n,))))
            elif key[0] == "source":
                k, i = key[1], key[2]
                left = self.blocks.modes[k].left[i]
                states = self.program.items[k]["states"]
                value = self._at_rest(k, i)
                for j, s in enumerate(states):
                    if s in rates:
                        value = value + left[j] * rates[s]
                out.append((row, value))
        return out

    def _at_rest(self, k: int, i: int) -> np.ndarray:
        """What runs into mode `i` of item `k` without an infusion."""
        if (k, i) not in self._resting:
            left, rest = self.blocks.modes[k].left[i], self.blocks.rest[k]
            self._resting[k, i] = np.asarray(sum(left[j] * rest[j] for j in range(len(left))))
        return self._resting[k, i]

    def table(self, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(first action of each step, rows, keep (actions, n), add (actions, n))."""
        todo: list[tuple[int, int, int, float | np.ndarray, float | np.ndarray]] = []  # step, order, row, keep, add
        edges: set[tuple[float, str]] = set()
        for order, event in enumerate(self.epoch.events):
            if isinstance(event, Infusion):
                for t in (event.time, event.time + event.duration):
                    if self.epoch.begin < t <= self.epoch.end:
                        edges.add((t, event.state))
            elif not isinstance(event, Change) and event.state in self.home:
                step = grid.first_of[event.time]
                for row, keep, add in self._jump(event):
                    todo.append((step, order, row, keep, add))
        for t in sorted({t for t, _ in edges}):
            touched = {self.home[s] for at, s in edges if at == t and s in self.home}
            rows = {self.layout.slot["rate", s] for at, s in edges if ("rate", s) in self.layout.slot and at == t}
            items = {k for k, _ in touched}
            rows |= {row for key, row in self.layout.slot.items() if key[0] == "source" and key[1] in items}
            for row, value in self._sources(t, rows):
                todo.append((grid.first_of[t], len(self.epoch.events), row, 0.0, value))
        todo.sort(key=lambda action: action[:2])
        first = np.searchsorted([a[0] for a in todo], np.arange(len(grid.time) + 1)).astype(np.int64)
        keep, add = np.empty((len(todo), self.n)), np.empty((len(todo), self.n))
        for k, action in enumerate(todo):
            keep[k], add[k] = action[3], action[4]
        return first, np.array([a[2] for a in todo], dtype=np.int64), keep, add

    def _jump(self, event: Bolus | Jump) -> list[tuple[int, float | np.ndarray, float | np.ndarray]]:
        keep = event.keep if isinstance(event, Jump) else 1.0
        amount = event.add if isinstance(event, Jump) else event.amount
        k, i = self.home[event.state]
        if ("state", event.state) in self.layout.slot:
            return [(self.layout.slot["state", event.state], keep, amount)]
        left = self.blocks.modes[k].left
        return [(self.layout.slot["mode", k, j], keep, left[j, i] * amount) for j in range(len(left))]


def idle_states(program: Program, events: Sequence[Event], start: np.ndarray | None) -> tuple[str, ...]:
    """States of exact blocks that begin at zero and that nothing ever enters: routes that nobody uses."""
    touched = {event.state for event in events if not isinstance(event, Change)}
    zero = {k for k, node in enumerate(program.nodes) if node == ("num", 0.0)}
    place = {s: k for k, s in enumerate(program.states)}
    idle: list[str] = []
    for item in program.items:
        states = item["states"]
        if item["kind"] != "exact" or touched & set(states) or any(e not in zero for e in item["rest"]):
            continue
        if any(depot not in idle for _, depot, _ in item["depots"]):
            continue
        if start is None and all(program.initial[s] in zero for s in states):
            idle += states
        if start is not None and not start[[place[s] for s in states]].any():
            idle += states
    return tuple(idle)


def leap(x: np.ndarray, jumps: Sequence[Jump], states: Sequence[str]) -> np.ndarray:
    """States after jumps of whole blocks."""
    for jump in jumps:
        x = x.copy()
        k = states.index(jump.state)
        x[k] = jump.keep * x[k] + jump.add
    return x
