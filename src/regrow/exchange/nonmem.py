"""NONMEM data sets through a model text: one prediction per record.

The one thing to know: the rules for events are those of `walk.py` (the clock, doses, resets, steady states), the rules
for columns those of `records.py`. A text's parameters take their values from the columns of their names and from the
text itself; what the text computes from parameters, with = or with :=, is computed anew at every record.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from regrow.engine import Model, compile_model
from regrow.engine.expression import Graph
from regrow.engine.plan import Evaluator, growing, grows
from regrow.exchange import files, flow, records
from regrow.exchange.records import RESERVED, Names, Table
from regrow.exchange.walk import Setting, walk
from regrow.refusal import Refusal

CLOCKS = ("nocb", "locf")


def simulate(data: Path, model: Path, out: Path, *, clock: str = "nocb") -> tuple[str, ...]:
    """Writes `out`: the records of `data` in their order, their columns and every output of `model`; gives notices.

    `data` is a NONMEM data set (CSV), `model` an Antimony text; its equations x' = ... are the compartments in order.
    `clock` says over which interval a covariate holds: "nocb" the one that ends at its record (NONMEM's rule), "locf"
    the one that begins there. Raises Refusal for everything that cannot be used; then nothing is written.
    """
    files.check(out, (".csv",))
    if clock not in CLOCKS:
        sentence = f"clock: {clock!r} is not known; use nocb (NONMEM's rule) or locf"
        raise Refusal("CLOCK", sentence, field="clock", value=clock)
    try:
        text = model.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        words = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        sentence = f"model: {model} cannot be read: {words}"
        raise Refusal("MODEL-FILE", sentence, field="model", value=str(model)) from None
    compiled = compile_model(text)
    if not compiled.states:
        sentence = f"model: {model} has no compartment; write at least one equation of the form x' = ..."
        raise Refusal("MODEL-TEXT", sentence, field="model", value=str(model))
    names = names_of(compiled, text)
    table = records.read(data, names)
    values, notices = predict(table, compiled, names, clock=clock)
    files.publish({out: lambda stream: _write(stream, table, names, values)})
    return notices


def names_of(model: Model, text: str) -> Names:
    """The names that a compiled model and its text offer to a data set."""
    derived = tuple(name for name in model.outputs if name not in model.states)
    return Names(records.compartments(text, model.states), model.parameters, derived)


def predict(table: Table, model: Model, known: Names, *, clock: str = "nocb") -> tuple[np.ndarray, tuple[str, ...]]:
    """(every state and every other output of the model, as `known` has them, at every record, shape (outputs, records);
    notices)."""
    outputs = (*known.states, *known.derived)
    run = _Run(table, model, known, _values(table, model, known))
    states = np.hstack([run.individual(rows, clock == "locf") for rows in table.people])
    if not np.isfinite(states).all():
        place = int(np.flatnonzero(~np.isfinite(states).all(axis=0))[0])
        state = model.states[int(np.flatnonzero(~np.isfinite(states[:, place]))[0])]
        where = table.records[place]
        sentence = f"model: {state} is no finite number at record {where.number} (line {where.line}, {where.time:g} h)"
        raise Refusal("MODEL-VALUE", f"{sentence}; look at its equation and at the values there", field=state)
    names = run.values | dict(zip(model.states, states, strict=True)) | {"time": run.times}
    with np.errstate(all="ignore"):
        evaluate = Evaluator(model.program, names, len(table.records))
        found = np.array([evaluate(model.program.outputs[name]) for name in outputs])
    blank = [n for n, row in zip(outputs, found, strict=True) if not np.isfinite(row).all()]
    said = [f"{name}: no finite number at some of the records" for name in blank]
    return found, (*table.notices, *_idle(table), *run.notices.values(), *said)


def _idle(table: Table) -> list[str]:
    """A sentence for each reserved column that no dose of the data set looks at."""
    doses = [record for record in table.records if record.evid in (1, 4)]
    looks = {"lag": None, "f": None, "dur": -2, "rate": -1}
    found = []
    for kind, state in table.absorption:
        mode = looks[kind]
        if not any(d.compartment == state and mode in (None, d.rate) for d in doses):
            which = "no dose" if mode is None else f"no dose with RATE {mode}"
            found.append(f"{kind}_{state}: kept and not used; {which} goes into {state}")
    return found


def _values(table: Table, model: Model, known: Names) -> dict[str, float | np.ndarray]:
    """A number for each parameter, or one per record where a column feeds it."""
    values: dict[str, float | np.ndarray] = dict(model.defaults) | dict(table.fed)
    absorbed = {f"{kind}_{state}".lower() for kind, state in table.absorption}
    missing = [name for name in model.parameters if name not in values and name.lower() not in absorbed]
    needed = [name for name in missing if not _is_absorption(name, known)]
    if needed:
        sentence = f"model: {', '.join(needed)} has no value; give it in the text or as a column of the data"
        raise Refusal("PARAMETER-MISSING", sentence, field=needed[0])
    return values | dict.fromkeys(missing, np.nan)


def _is_absorption(name: str, known: Names) -> bool:
    kind, _, suffix = name.lower().partition("_")
    return kind in RESERVED and known.compartment(suffix) is not None


@dataclass
class _Run:
    table: Table
    model: Model
    names: Names
    values: dict[str, float | np.ndarray]
    notices: dict[str, str] = field(default_factory=dict)  # by what makes them one notice

    def __post_init__(self) -> None:
        self.times = np.array([record.time for record in self.table.records])
        fed = np.array([self.values[name] for name in self.table.fed]).reshape(len(self.table.fed), len(self.times))
        self.key = np.unique(fed, axis=1, return_inverse=True)[1].reshape(-1) if len(fed) else [0] * len(self.times)
        self.linear = flow.is_linear(self.model)
        self.flows: dict[int, flow.Flow] = {}
        self.absorption = {
            (kind, state): self._absorption(kind, state) for kind in RESERVED for state in self.model.states
        }

    def _absorption(self, kind: str, state: str) -> np.ndarray:
        """lag, f, dur or rate of a compartment at every record: from a column, the text, or as if not there."""
        count = len(self.times)
        known = {name.lower(): name for name in (*self.model.parameters, *self.model.outputs)}
        number = str(self.names.states.index(state) + 1)
        given = [known[n] for n in (f"{kind}_{state}".lower(), f"{kind}_{number}") if n in known]
        if len(given) + ((kind, state) in self.table.absorption) > 1:
            sentence = f"data: {kind}_{state} is given twice ({', '.join(given)}, or as a column too); keep one of them"
            raise Refusal("DATA-COLUMN", sentence, field=given[0])
        if (kind, state) in self.table.absorption:
            return self.table.absorption[kind, state]
        if not given:
            return np.full(count, RESERVED[kind])
        if given[0] in self.model.parameters:
            return np.broadcast_to(np.asarray(self.values[given[0]], dtype=float), count)
        expression = self.model.program.outputs[given[0]]
        moving = Graph(self.model.program.nodes).symbols(expression) & set(self.model.states)
        if moving:
            sentence = f"model: {given[0]} depends on {', '.join(sorted(moving))}; let it depend on parameters alone"
            raise Refusal("MODEL-ABSORPTION", sentence, field=given[0])
        with np.errstate(all="ignore"):
            return Evaluator(self.model.program, self.values | {"time": self.times}, count)(expression)

    def _at(self, record: int) -> dict[str, float]:
        return {name: float(v if np.ndim(v) == 0 else np.asarray(v)[record]) for name, v in self.values.items()}

    def _flow(self, record: int) -> flow.Flow:
        key = int(self.key[record])
        if key not in self.flows:
            values = self._at(record)
            found = grows(growing(self.model.program, Evaluator(self.model.program, values, 1)))
            self.notices |= {notice.partition(" grows")[0]: notice for notice in found}
            if self.linear:
                self.flows[key] = flow.Linear.of(self.model, values)
            else:
                self.flows[key] = flow.General(self.model, values, self.notices)
        return self.flows[key]

    def _initial(self, record: int) -> np.ndarray:
        program = self.model.program
        names: Mapping[str, float | np.ndarray] = {**self._at(record), "time": self.times[record]}
        with np.errstate(all="ignore"):
            evaluate = Evaluator(program, names, 1)
            return np.array([float(evaluate(program.initial[s])[0]) for s in program.states])

    def individual(self, rows: slice, locf: bool) -> np.ndarray:
        """The states (states, records) of the individual whose records are `rows`."""
        first = rows.start
        setting = Setting(
            states=self.model.states,
            flow=lambda place: self._flow(first + place),
            key=[int(k) for k in self.key[rows]],
            initial=lambda place: self._initial(first + place),
            absorption=lambda kind, state, place: float(self.absorption[kind, state][first + place]),
            locf=locf,
        )
        return walk(self.table.records[rows], setting)


def _write(stream: BinaryIO, table: Table, names: Names, values: np.ndarray) -> None:
    import csv

    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.header, *names.states, *names.derived])
    for cells, found in zip(table.cells, values.T, strict=True):
        writer.writerow([*cells, *(f"{value:.12g}" for value in found)])
    text.detach()
