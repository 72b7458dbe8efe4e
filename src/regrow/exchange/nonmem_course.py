"""A course as a NONMEM data set with its model text, and a data set's doses back into a protocol.

The one thing to know: a data set speaks of compartments, a clinic of drugs and routes. The export writes both: dose
records into the compartments of the model text beside it (`regrow simulate --data` runs the two), and for each dose
a record of EVID 2 that says what was ordered (`DRUG`, `ROUTE`, `MG`, `HOURS`, `SESSION`), from which the import makes a
protocol that `regrow simulate` runs. A data set of others has no such columns; its AMT and RATE then count as mg of one
drug by one route, which the caller names.

A jump of a state (expectancy at each treatment) stands as the amount it adds; a parameter that changes stands as a
covariate, with a record of EVID 2 that ends the old value's interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from regrow import engine
from regrow.dosing import DEVICE_GAP_H, DEVICE_MG, route_named
from regrow.exchange import files
from regrow.exchange.records import compartments, lines, number
from regrow.exchange.unrolled import Unrolled, unroll
from regrow.people import Population
from regrow.refusal import Refusal
from regrow.regimen import Course

ORDERED = ("SESSION", "DRUG", "ROUTE", "MG", "HOURS")
_ITEMS = ("ID", "TIME", "EVID", "AMT", "RATE", "CMT", "MDV", "DV", *ORDERED)
_SAME_VISIT_H = 12.0  # doses of a foreign data set closer than this belong to one session


# --- out ------------------------------------------------------------------------------------------------------------


def export(course: Course, people: Population, out: Path, equations: str | None = None) -> tuple[str, ...]:
    """Writes the data set `out` (.csv) and beside it the model text (.ant) with the values; gives notices.

    Refuses with OUT-ENDING, OUT-FOLDER, EXPORT-JUMP (a switch that takes something out of a state), and as `simulate`.
    """
    files.check(out, (".csv",))
    text_file = files.check(out.with_suffix(".ant"), (".ant",))
    everyone = unroll(course, people, equations)
    first = everyone[0]
    varied = _varied(everyone)
    rows = [row for k, one in enumerate(everyone) for row in _rows(one, int(people.index[k]) + 1, varied)]
    header = (*_ITEMS, *varied)
    data = "\n".join(
        [",".join(header), *(",".join(row.get(name, ".") for name in header) for row in rows), ""]
    ).encode()
    text = _text(first, out, text_file).encode()
    files.publish({out: lambda s: files.put(s, data), text_file: lambda s: files.put(s, text)})
    how = f"run both with: regrow simulate --data {out.name} --model {text_file.name} --out predicted.csv"
    return (*first.cautions, f"wrote {out} and {text_file}; {how}")


def _varied(everyone: Sequence[Unrolled]) -> tuple[str, ...]:
    """The parameters that differ between people or change during a course: they become columns."""
    names = everyone[0].values
    changing = {e.parameter for one in everyone for e in one.events if isinstance(e, engine.Change)}
    return tuple(n for n in names if n in changing or len({one.values[n] for one in everyone}) > 1)


def _text(one: Unrolled, out: Path, text_file: Path) -> str:
    course = one.course
    head = [
        f"// {course.protocol.title}. Source: {course.protocol.source}.",
        f"// Plasma model {one.setup.model.id}; values of the first person; columns of the data set go before.",
        f"// regrow simulate --data {out.name} --model {text_file.name} --out predicted.csv",
        "",
    ]
    values = [f"{name} = {value!r};" for name, value in one.values.items()]
    return "\n".join([*head, one.setup.text, "", "// Values", *values, ""])


def _rows(one: Unrolled, person: int, varied: Sequence[str]) -> list[dict[str, str]]:
    """The records of one person in the order of time; at one time orders, doses, jumps, changes, what is seen then."""
    states = compartments(one.setup.text, one.model.states)
    now = {name: one.values[name] for name in varied}
    out: list[dict[str, str]] = []

    def row(time: float, evid: int, **more: str) -> None:
        seen = {"ID": str(person), "TIME": repr(float(time)), "EVID": str(evid), "MDV": "0" if evid == 0 else "1"}
        out.append({**seen, **more, **{name: repr(value) for name, value in now.items()}})

    def dose(time: float, state: str, amount: float, rate: float) -> None:
        row(time, 1, AMT=repr(amount), RATE=repr(rate), CMT=str(states.index(state) + 1))

    orders = _orders(one)
    for time in sorted({*(e.time for e in one.events), *(t for t, _ in orders), *(float(t) for t in one.times)}):
        here = [event for event in one.events if event.time == time]
        for _, order in (pair for pair in orders if pair[0] == time):
            row(time, 2, **order)
        for event in here:
            if isinstance(event, engine.Bolus) and event.amount:
                dose(time, event.state, float(event.amount), 0.0)
            elif isinstance(event, engine.Infusion) and event.amount:
                dose(time, event.state, float(event.amount), float(event.amount) / event.duration)
        for state, added in _jumped(one, time, here):
            dose(time, state, added, 0.0)
        changes = {event.parameter: float(event.value) for event in here if isinstance(event, engine.Change)}
        if changes:
            row(time, 2)
            now |= changes
        if (one.times == time).any():
            row(time, 0)
    return out


def _orders(one: Unrolled) -> list[tuple[float, dict[str, str]]]:
    """When each dose was ordered and as what: session, drug, route, mg of base, hours."""
    people = one.setup.people
    place = one.person
    height = people.height_cm[place]
    found = []
    for count, session in enumerate(one.sessions, 1):
        for dose in session.doses:
            mg = float(np.ravel(dose.mg(people.weight_kg[place], height, people.female[place]))[0])
            words = (str(count), dose.drug, dose.route, repr(mg), repr(float(dose.duration_h)))
            found.append((session.start_h + dose.offset_h, dict(zip(ORDERED, words, strict=True))))
    return found


def _jumped(one: Unrolled, time: float, here: Sequence[engine.Event]) -> list[tuple[str, float]]:
    """(state, amount added) of each jump at a time; refuses with EXPORT-JUMP one that takes something away."""
    found = []
    for state in dict.fromkeys(event.state for event in here if isinstance(event, engine.Jump)):
        earlier = [event for event in one.events if event.time < time]
        solved = engine.solve(one.model, one.values, earlier, [time], (state,), accuracy="fine", whole=False)
        level = float(solved.values[0, 0, 0])
        for event in here:
            if isinstance(event, engine.Bolus) and event.state == state:
                level += float(event.amount)
            elif isinstance(event, engine.Jump) and event.state == state:
                after = float(event.keep) * level + float(event.add)
                if after < level - 1e-12:
                    sentence = (
                        f"switches: at {time:g} h {state} falls from {level:.4g} to {after:.4g} at once, which no "
                        "record of a NONMEM data set can say; leave that switch out, or export sbml"
                    )
                    raise Refusal("EXPORT-JUMP", sentence, field="switches", value=state)
                if after > level:
                    found.append((state, after - level))
                level = after
    return found


# --- in -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    """One dose of a data set: hours from the first one, session, drug, route, mg of base, hours that it runs."""

    time: float
    session: int
    drug: str
    route: str
    mg: float
    hours: float


def protocol(path: Path, *, drug: str = "", route: str = "", person: str = "") -> tuple[str, tuple[str, ...]]:
    """(the doses of a data set as the text of a protocol file, notices).

    Doses are read from the columns that `export` writes, or else from AMT (mg of base) and RATE, as `drug` (default
    ketamine) by `route` (default iv for infusions). `person` picks an ID where a file has several.
    Refuses with DATA-FILE, DATA-HEADER, DATA-VALUE, DATA-TIME, DATA-ID and DATA-DOSE (SS, resets, modelled rates: a
    course has none), each naming record, column and value.
    """
    reader = _Log(path)
    rows = reader.of(person)
    ours = all(name in reader.column for name in ("DRUG", "ROUTE", "MG", "HOURS", "SESSION"))
    if ours and (drug or route):
        named = "drug" if drug else "route"
        sentence = f"{named}: {path} says itself what was given in its columns DRUG and ROUTE; leave --{named} out"
        raise Refusal("OPTION-UNUSED", sentence, field=named, value=drug or route)
    doses = reader.orders(rows) if ours else reader.amounts(rows, drug or "ketamine", route)
    if not doses:
        sentence = f"data: {path} gives nobody a dose; a dose is a record with EVID 1 and an AMT, or an order of regrow"
        raise Refusal("DATA-FILE", sentence, field="data", value=str(path))
    used = {"ID", "TIME", "EVID", "MDV", "DV"} | (set(ORDERED) if ours else {"AMT", "RATE", "II", "ADDL", "SS"})
    idle = [name for name in reader.column if name not in used and not (ours and name in _ITEMS)]
    notices = [f"columns not used for a protocol, which holds doses alone: {', '.join(idle)}"] if idle else []
    start = doses[0].time
    if start:
        notices.append(f"day 0 is the first dose, at {start:g} h of the data set")
    last = float(reader.number(rows[-1], "TIME")) - start
    notices.append(
        f'the records end {last:g} h after the first dose: simulate with --until "{last:g} h" to follow them'
    )
    return _toml(path, rows[0]["ID"], doses), tuple(notices)


class _Log:
    """The records of a data set as cells by column, read for their doses alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (_, header), *rows = lines(path)
        self.column = {name.upper(): k for k, name in enumerate(header)}
        for needed in ("ID", "TIME"):
            if needed not in self.column:
                sentence = f"data: {path} has no column {needed}; every record needs one, so add it"
                raise Refusal("DATA-HEADER", sentence, field=needed, value=header)
        self.rows: list[dict[str, str]] = []
        for line, cells in rows:
            if len(cells) != len(header):
                sentence = f"data: line {line} has {len(cells)} cells and the header {len(header)}; make them agree"
                raise Refusal("DATA-FILE", sentence, field="data", value=line)
            found = {name: cells[k] for name, k in self.column.items()} | {"": str(line)}
            if not found.get("C", ".").startswith("C"):
                self.rows.append(found)

    def number(self, row: dict[str, str], name: str) -> float:
        """The number of a cell; 0 where the column or the cell is empty."""
        cell = row.get(name, ".")
        value = number(cell)
        if value is None:
            raise self.bad(row, name, "and no number; write one")
        return 0.0 if np.isnan(value) else value

    def bad(self, row: dict[str, str], name: str, sentence: str, code: str = "DATA-VALUE") -> Refusal:
        return Refusal(code, f"data: line {row['']}: {name} is {row.get(name, '')!r} {sentence}", field=name)

    def of(self, person: str) -> list[dict[str, str]]:
        """The records of one person in the order of time."""
        there = list(dict.fromkeys(row["ID"] for row in self.rows))
        if person and person not in there:
            sentence = f"id: {person!r} is not in {self.path}; it has {', '.join(there[:8])}"
            raise Refusal("DATA-ID", sentence, field="id", value=person)
        if not person and len(there) > 1:
            sentence = f"id: {self.path} has {len(there)} individuals ({', '.join(there[:8])}); choose one with --id"
            raise Refusal("DATA-ID", sentence, field="id", value=there)
        own = [row for row in self.rows if row["ID"] == (person or there[0])]
        times = [self.number(row, "TIME") for row in own]
        for row, (before, after) in zip(own[1:], pairwise(times), strict=True):
            if after < before:
                raise self.bad(row, "TIME", f"and earlier than {before:g} of the record before; sort them", "DATA-TIME")
        return own

    def orders(self, rows: Sequence[dict[str, str]]) -> list[_Given]:
        """The doses as `export` wrote them down."""
        return [
            _Given(
                self.number(row, "TIME"), int(self.number(row, "SESSION")), row["DRUG"], row["ROUTE"],
                self.number(row, "MG"), self.number(row, "HOURS"),
            )
            for row in rows if row["DRUG"] != "."
        ]  # fmt: skip

    def amounts(self, rows: Sequence[dict[str, str]], drug: str, route: str) -> list[_Given]:
        """The doses of a data set of others: AMT and RATE, ADDL written out."""
        timed: list[tuple[float, float, float, dict[str, str]]] = []
        for row in rows:
            amount, rate = self.number(row, "AMT"), self.number(row, "RATE")
            evid = self.number(row, "EVID") if "EVID" in self.column else float(amount > 0)
            if evid in (3, 4):
                raise self.bad(
                    row, "EVID", ", a reset, which a treatment course does not have; leave it out", "DATA-DOSE"
                )
            if evid != 1:
                continue
            if self.number(row, "SS"):
                raise self.bad(row, "SS", ", a steady state; write the doses before it out", "DATA-DOSE")
            if rate < 0:
                raise self.bad(row, "RATE", ", a modelled one; write the rate as a number", "DATA-DOSE")
            if amount <= 0:
                raise self.bad(row, "AMT", "on a dose; give an amount above 0", "DATA-DOSE")
            if rate == 0 and not route:
                sentence = ", given at once, and nothing says by which way; name it with --route"
                raise self.bad(row, "AMT", sentence, "DATA-DOSE")
            for k in range(int(self.number(row, "ADDL")) + 1):
                time = self.number(row, "TIME") + k * self.number(row, "II")
                timed.append((time, amount, amount / rate if rate else 0.0, row))
        timed.sort(key=lambda dose: dose[0])
        found: list[_Given] = []
        session, began = 0, -np.inf
        for time, amount, hours, _ in timed:
            if time - began >= _SAME_VISIT_H:
                session, began = session + 1, time
            found.append(_Given(time, session, drug, route_named(route or "iv"), amount, hours))
        return found


def _toml(path: Path, person: str, doses: Sequence[_Given]) -> str:
    """The doses as a protocol file: sessions that give the same stand together."""
    start = doses[0].time
    sessions: list[tuple[float, tuple[str, ...]]] = []
    for _, group in groupby(doses, key=lambda dose: dose.session):
        held = list(group)
        began = held[0].time
        sessions.append(((began - start) / 24, tuple(_order(dose, began) for dose in _without_devices(held))))
    stem = "".join(c if c.isalnum() else "-" for c in path.stem.lower()).strip("-") or "course"
    out = [
        f'id = "{stem}"',
        f'title = "Doses of {path.name}, individual {person}"',
        f'source = "data set {path.name}"',
        'confidence = "own"',
    ]
    for count, (given, group) in enumerate(groupby(sessions, key=lambda session: session[1]), 1):
        days = ", ".join(_short(day) for day, _ in group)
        out += ["", "[[phase]]", f'name = "part {count}"', f"days = [{days}]", "session = ["]
        out += [*(f"  {order}," for order in given), "]"]
    return "\n".join([*out, ""])


def _without_devices(held: Sequence[_Given]) -> list[_Given]:
    """The doses of a session with one order for esketamine devices that follow each other at the label's gap."""
    out: list[_Given] = []
    for dose in held:
        before = out[-1] if out else None
        nasal = (dose.drug, dose.route) == ("esketamine", "intranasal") and dose.mg == DEVICE_MG
        follows = before is not None and before.drug == dose.drug and before.route == dose.route
        if before is not None and nasal and follows and before.mg % DEVICE_MG == 0:
            gap = dose.time - before.time - before.mg / DEVICE_MG * DEVICE_GAP_H
            if abs(gap) < 1e-6:
                out[-1] = _Given(before.time, before.session, dose.drug, dose.route, before.mg + dose.mg, 0.0)
                continue
        out.append(dose)
    return out


def _order(dose: _Given, began: float) -> str:
    words = {"dose": f"{_short(dose.mg)} mg", "drug": dose.drug, "route": dose.route}
    if dose.hours:
        words["duration"] = f"{_short(dose.hours)} h"
    if dose.time > began:
        words["at"] = f"{_short(dose.time - began)} h"
    return "{ " + ", ".join(f'{key} = "{value}"' for key, value in words.items()) + " }"


def _short(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
