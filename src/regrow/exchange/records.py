"""A NONMEM data set as checked records: what each row says, and which column feeds which parameter.

The one thing to know: every column is accounted for. A column is one of NONMEM's own (ID, TIME, EVID, ...), feeds the
parameter of the model text that has its name (as NONMEM's own may, too), is a reserved `lag_`, `f_`, `dur_` or `rate_`
of a compartment, is known bookkeeping (then a notice names it), or is refused by name. Nothing is skipped in silence.

Names of columns are compared without regard to case. `.`, `NA` and an empty cell are "no value": zero in a dosing
column, as in NONMEM, and refused where a parameter needs a number (NONMEM would take zero there, which is never
meant). Rows whose column `C` begins with C are comments, as with NONMEM's IGNORE=C; so are lines that begin with #.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from regrow.refusal import Refusal

#: what a compartment's absorption may be given by, as a column or a name in the text, and its value if it is not
RESERVED = {"lag": 0.0, "f": 1.0, "dur": np.nan, "rate": np.nan}
_ITEMS = ("id", "time", "evid", "amt", "rate", "ss", "ii", "addl", "cmt", "mdv", "dv", "c")
# Columns that data sets carry for their readers; a model text that wants one of them just names a parameter so.
_BOOKKEEPING = frozenset(
    {"num", "n", "line", "row", "rec", "recno", "seq", "seqno", "study", "studyid", "site", "siteid", "subj", "subjid"}
    | {"usubjid", "part", "period", "arm", "group", "cohort", "trt", "treat", "occ", "visit", "visitnum", "day", "week"}
    | {"tad", "tafd", "taft", "ntime", "nomtime", "mode", "dvid", "blq", "bql", "cens", "lloq", "uloq", "limit", "flag"}
    | {"type", "comment", "comments", "note", "notes", "descr", "description", "label", "ldv", "lndv", "unit"}
    | {"session", "drug", "route", "mg", "hours"}  # what regrow's own export says of each dose
)
# items of NONMEM that are not carried out, and what to do instead
_NOT_CARRIED_OUT = {
    **dict[str, str].fromkeys(("date", "dat1", "dat2", "dat3"), "count TIME in hours from a fixed moment and drop it"),
    **dict[str, str].fromkeys(("call", "cont", "l1", "l2"), "drop it"),
    "pcmt": "every record gets every output of the text, so drop it",
}
_IN_PK = {"alag": "lag", "f": "f", "d": "dur", "r": "rate"}  # NONMEM's names in $PK, which data sets also carry
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_NOTHING = ("", ".", "NA", "na", "N/A", "NaN", "nan")


@dataclass(frozen=True)
class Names:
    """The names a model text offers to a data set."""

    states: tuple[str, ...]  # in the order of their numbers
    parameters: tuple[str, ...]
    derived: tuple[str, ...]  # every other name that the text computes

    def compartment(self, suffix: str) -> str | None:
        """The state that `suffix` names, by its name (without regard to case) or its number from 1; else None."""
        if suffix.isdigit() and 1 <= int(suffix) <= len(self.states):
            return self.states[int(suffix) - 1]
        return next((s for s in self.states if s.lower() == suffix.lower()), None)


@dataclass(frozen=True)
class Record:
    """One row: `number` counts the records of the file from 1; `compartment` is the state that a dose goes into.

    `steady` is SS, `interval` II (h), `additional` ADDL; `rate` as in the file: 0 bolus, -1 and -2 modelled.
    """

    number: int
    line: int
    person: str
    time: float
    evid: int
    amount: float
    rate: float
    steady: int
    interval: float
    additional: int
    compartment: str


@dataclass(frozen=True)
class Table:
    """A data set: the header and cells as they were, the records, which of them belong together, what feeds what.

    `people` are slices of `records`; `fed` holds a value per record for each parameter that a column feeds, and
    `absorption` for each (kind, state) that a reserved column gives (nan where its cell is empty).
    """

    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    records: tuple[Record, ...]
    people: tuple[slice, ...]
    fed: dict[str, np.ndarray]
    absorption: dict[tuple[str, str], np.ndarray]
    notices: tuple[str, ...] = field(default=())


def compartments(text: str, states: Sequence[str]) -> tuple[str, ...]:
    """The states of a model text as its compartments 1, 2, ...: in the order of their equations (x' = ...), wherever
    else the text may speak of them before."""
    code = re.sub(r"/\*.*?\*/|(//|#)[^\n]*", "", text, flags=re.DOTALL)
    place = {found[1]: found.start() for found in re.finditer(r"\b(\w+)\s*'\s*=", code)}
    return tuple(sorted(states, key=lambda state: place.get(state, len(code))))


def read(path: Path, names: Names) -> Table:
    """The data set at `path`, checked against the names of a model text.

    Raises Refusal DATA-FILE, DATA-HEADER, DATA-COLUMN, DATA-VALUE, DATA-TIME, DATA-ID, DATA-DOSE, each naming record,
    column and value.
    """
    return _Reader(path, names).table()


def lines(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a file with their line numbers: no empty lines, none that begin with #. Commas separate the columns;
    where the header has none, semicolons, tabs or, as NONMEM also reads, spaces."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        words = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise Refusal("DATA-FILE", f"data: {path} cannot be read: {words}", field="data", value=str(path)) from None
    out = []
    rows = text.splitlines(keepends=True)
    header = next((row for row in rows if row.strip() and not row.lstrip().startswith("#")), "")
    between = next((mark for mark in ",;\t" if mark in header), ",")
    if between not in header:
        rows = [re.sub(r"(?<=\S)[ ]+(?=\S)", ",", row) for row in rows]
    reader = csv.reader(rows, delimiter=between, skipinitialspace=True)
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells) and not cells[0].startswith("#"):
            out.append((reader.line_num, cells))
    if len(out) < 2:
        sentence = f"data: {path} has no records; give a header line and at least one record below it"
        raise Refusal("DATA-FILE", sentence, field="data", value=str(path))
    return out


def number(cell: str) -> float | None:
    """The number that a cell holds, nan for "no value", None for anything else."""
    if cell in _NOTHING:
        return np.nan
    value = float(cell.replace("d", "e").replace("D", "e")) if _NUMBER.fullmatch(cell) else None
    return value if value is not None and np.isfinite(value) else None


class _Reader:
    def __init__(self, path: Path, names: Names) -> None:
        self.path = path
        self.names = names
        self.notices: list[str] = []
        (_, header), *rows = lines(path)
        self.header: tuple[str, ...] = tuple(header)
        self.column = self._columns()
        self.rows = self._without_comments(rows)

    # --- columns ----------------------------------------------------------------------------------------------------

    def _columns(self) -> dict[str, int]:
        if len(self.header) < 2:
            sentence = f"data: the header {', '.join(self.header)!r} is one column; separate the columns by commas"
            raise Refusal("DATA-HEADER", sentence, field="data", value=list(self.header))
        column: dict[str, int] = {}
        for place, name in enumerate(self.header):
            lower = name.lower()
            if not name:
                sentence = f"data: column {place + 1} has no name in the header; name it or leave it out"
                raise Refusal("DATA-HEADER", sentence, field="data", value=place + 1)
            if number(name) is not None:
                sentence = f"data: column {place + 1} is named {name!r} in the header; give the names of the columns in"
                raise Refusal("DATA-HEADER", f"{sentence} the first line (without #)", field="data", value=name)
            if lower in column:
                first = self.header[column[lower]]
                sentence = f"data: columns {first} and {name} have the same name (case does not count); rename one"
                raise Refusal("DATA-HEADER", sentence, field=name, value=name)
            column[lower] = place
        for needed in ("id", "time"):
            if needed not in column:
                sentence = f"data: there is no column {needed.upper()}; every record needs one, so add it"
                raise Refusal("DATA-HEADER", sentence, field=needed.upper(), value=list(self.header))
        return column

    def _without_comments(self, rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
        kept, left_out = [], 0
        comment = None if self._parameter("C") else self.column.get("c")
        for line, cells in rows:
            if len(cells) != len(self.header):
                sentence = (
                    f"data: line {line} has {len(cells)} cells and the header {len(self.header)}; make them agree"
                )
                raise Refusal("DATA-FILE", sentence, field="data", value=line)
            if comment is not None and cells[comment] not in _NOTHING:
                if not cells[comment].startswith("C"):
                    sentence = (
                        f"data: line {line}: column C is {cells[comment]!r}; it marks comments: write C to leave a row "
                        "out, . to keep it"
                    )
                    raise Refusal("DATA-VALUE", sentence, field="C", value=cells[comment])
                left_out += 1
                continue
            kept.append((line, cells))
        if left_out:
            self.notices.append(f"C: {left_out} rows marked C were left out as comments")
        if not kept:
            sentence = f"data: every row of {self.path} is marked as a comment; unmark some"
            raise Refusal("DATA-FILE", sentence, field="C", value=str(self.path))
        return kept

    def _feeds(self) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
        """Which column feeds which parameter, and which gives a compartment's absorption."""
        feeds: dict[str, int] = {}
        absorption: dict[tuple[str, str], int] = {}
        ours = {name.lower() for name in (*self.names.states, *self.names.derived)}
        unknown: list[str] = []
        for lower, place in self.column.items():
            name = self.header[place]
            parameter = self._parameter(name)
            if lower in _ITEMS and parameter is None:
                if lower in ours:
                    raise self._computed(name)
                continue
            kind, _, suffix = lower.partition("_")
            state = self.names.compartment(suffix) if kind in RESERVED and suffix else None
            if parameter is not None:
                feeds[parameter] = place
            elif lower in ours:
                raise self._computed(name)
            elif state is not None:
                absorption[kind, state] = place
            elif kind in RESERVED and suffix:
                states = ", ".join(self.names.states)
                sentence = f"data: column {name} names no compartment of the text; its compartments are {states}"
                raise Refusal("DATA-COLUMN", sentence, field=name, value=name)
            else:
                unknown.append(name)
        idle = [p for p in self.names.parameters if p not in feeds]
        kept: list[str] = []
        for name in unknown:
            if do := _NOT_CARRIED_OUT.get(name.lower()):
                sentence = f"data: column {name} is an item of NONMEM that is not carried out here; {do}"
                raise Refusal("DATA-COLUMN", sentence, field=name, value=name)
            near = difflib.get_close_matches(name.lower(), [p.lower() for p in idle], 1, 0.75)
            if near or name.lower() not in _BOOKKEEPING:
                meant = next((p for p in idle if near and p.lower() == near[0]), None)
                more = f" and {len(idle) - 12} more" if len(idle) > 12 else ""
                listed = f"{', '.join(idle[:12]) or 'none'}{more}"
                hint = (
                    f"is it meant for {meant}?"
                    if meant
                    else self._in_nonmem(name) or f"the text's parameters are {listed}."
                )
                sentence = (
                    f"data: column {name} is neither an item of NONMEM nor a parameter of the model text; {hint} "
                    "Rename it, take it into the text, or leave it out"
                )
                raise Refusal("DATA-COLUMN", sentence, field=name, value=name)
            kept.append(name)
        if kept:
            why = "kept in the output and not used; the model text has no parameter of that name"
            self.notices.append(f"{', '.join(kept)}: {why}")
        if "dv" in self.column and self._parameter("DV") is None:
            self.notices.append("DV: kept in the output and not used; a simulation needs no observed values")
        return feeds, absorption

    def _in_nonmem(self, name: str) -> str:
        """What a column is called here that has NONMEM's name for a compartment's absorption, such as ALAG1."""
        found = re.fullmatch(r"(alag|f|d|r)(\d+)", name.lower())
        state = self.names.compartment(found[2]) if found else None
        return f"is it meant for {_IN_PK[found[1]]}_{state}?" if found and state else ""

    def _computed(self, name: str) -> Refusal:
        sentence = f"data: column {name} has the name of something the model text computes; rename the column"
        return Refusal("DATA-COLUMN", sentence, field=name, value=name)

    def _parameter(self, name: str) -> str | None:
        if name in self.names.parameters:
            return name
        alike = [p for p in self.names.parameters if p.lower() == name.lower()]
        if len(alike) > 1:
            sentence = f"data: column {name} could feed {' or '.join(alike)}; write it exactly like the one it feeds"
            raise Refusal("DATA-COLUMN", sentence, field=name, value=name)
        return alike[0] if alike else None

    # --- cells ------------------------------------------------------------------------------------------------------

    def _refuse(self, code: str, record: int, name: str, sentence: str) -> Refusal:
        value = self.rows[record][1][self.column[name.lower()]] if name.lower() in self.column else None
        shown = "" if value is None else f" is {value!r}"
        where = f"data: record {record + 1} (line {self.rows[record][0]}): {name}{shown}"
        joint = "" if sentence.startswith(";") else " "
        return Refusal(code, f"{where}{joint}{sentence}", field=name, value=value)

    def _numbers(self, place: int, *, empty: float | None = None) -> np.ndarray:
        """A column's numbers; `empty` stands for "no value", None refuses it."""
        name = self.header[place]
        out = np.empty(len(self.rows))
        for record, (_, cells) in enumerate(self.rows):
            value = number(cells[place])
            if value is None or (np.isnan(value) and empty is None):
                missing = " (NONMEM would take 0 there)" if value is not None else ""
                raise self._refuse("DATA-VALUE", record, name, f"and no number{missing}; write one")
            out[record] = empty if empty is not None and np.isnan(value) else value
        return out

    def _item(self, name: str) -> np.ndarray:
        place = self.column.get(name.lower())
        return np.zeros(len(self.rows)) if place is None else self._numbers(place, empty=0.0)

    def _whole(self, name: str, allowed: Sequence[int] | None, words: str) -> np.ndarray:
        values = self._item(name)
        for record, value in enumerate(values):
            if value != int(value) or (value not in allowed if allowed is not None else value < 0):
                raise self._refuse("DATA-VALUE", record, name, words)
        return values.astype(int)

    def _times(self) -> np.ndarray:
        place = self.column["time"]
        for record, (_, cells) in enumerate(self.rows):
            if re.search(r"[:/]|\d-\d", cells[place]):
                sentence = "which is a clock time or a date; give hours as a number, such as 8.5 for 8:30"
                raise self._refuse("DATA-TIME", record, self.header[place], sentence)
        return self._numbers(place)

    def _evids(self, dosing: np.ndarray) -> np.ndarray:
        mdv = self._whole("MDV", (0, 1, 100, 101), "; it is 0, 1, 100 or 101")
        if "mdv" in self.column:
            self.notices.append("MDV: kept in the output; every record gets a prediction, so it changes nothing")
        if "evid" in self.column:
            return self._whole(
                "EVID", (0, 1, 2, 3, 4), "; it is 0 observation, 1 dose, 2 other, 3 reset or 4 reset and dose"
            )
        self.notices.append("EVID: there is no such column; records with an amount or a rate were taken as doses")
        return np.where(dosing, 1, np.where(np.isin(mdv, (1, 101)), 2, 0))

    def _compartments(self, evid: np.ndarray) -> list[str]:
        place = self.column.get("cmt")
        states = self.names.states
        listed = ", ".join(f"{k} {s}" for k, s in enumerate(states, 1))
        out: list[str] = []
        silent = elsewhere = 0
        for record, (_, cells) in enumerate(self.rows):
            cell = "0" if place is None or cells[place] in _NOTHING else cells[place]
            dose = evid[record] in (1, 4)
            value = number(cell)
            if value is not None and value == 0:
                silent += int(dose)
                out.append(states[0])
                continue
            state = self.names.compartment(str(int(value)) if value is not None and value == int(value) else cell)
            if value is not None and value < 0 and evid[record] != 3:  # a reset does not look at it
                sentence = "; compartments cannot be turned off, so give a number from 1, or a name"
                raise self._refuse("DATA-VALUE", record, "CMT", sentence)
            if state is None and evid[record] != 3:
                if dose or value not in (len(states) + 1, 100, 1000):  # NONMEM's numbers of the output compartment
                    raise self._refuse("DATA-VALUE", record, "CMT", f"and no compartment of the text ({listed})")
                elsewhere += 1
            out.append(state or states[0])
        if elsewhere:
            why = "which a text does not have; they got every output of the text like all others"
            self.notices.append(f"CMT: {elsewhere} records look at NONMEM's output compartment, {why}")
        if silent and len(states) > 1:
            self.notices.append(
                f"CMT: not given for {silent} doses, which went into the first compartment, {states[0]}"
            )
        return out

    # --- records ----------------------------------------------------------------------------------------------------

    def table(self) -> Table:
        feeds, absorption = self._feeds()
        time = self._times()
        amount, rate, interval = self._item("AMT"), self._item("RATE"), self._item("II")
        steady = self._whole("SS", (0, 1, 2, 3), "; it is 0 no, 1 or 3 steady state, or 2 that on top")
        additional = self._whole("ADDL", None, "; it is a whole number from 0 of further doses")
        dosing = (amount != 0) | (rate != 0) | (steady != 0)
        evid = self._evids(dosing)
        compartments = self._compartments(evid)
        who = [self._person(record) for record in range(len(self.rows))]
        records = tuple(
            Record(
                number=k + 1,
                line=self.rows[k][0],
                person=who[k],
                time=float(time[k]),
                evid=int(evid[k]),
                amount=float(amount[k]),
                rate=float(rate[k]),
                steady=int(steady[k]),
                interval=float(interval[k]),
                additional=int(additional[k]),
                compartment=compartments[k],
            )
            for k in range(len(self.rows))
        )
        for record in records:
            self._check(record, bool(dosing[record.number - 1]))
        people = self._people(records)
        return Table(
            header=self.header,
            cells=tuple(tuple(cells) for _, cells in self.rows),
            records=records,
            people=people,
            fed={name: self._numbers(place, empty=self._if_empty(place)) for name, place in feeds.items()},
            absorption={key: self._numbers(place, empty=np.nan) for key, place in absorption.items()},
            notices=tuple(dict.fromkeys(self.notices)),
        )

    def _if_empty(self, place: int) -> float | None:
        """What an empty cell of a column that feeds a parameter says: zero in NONMEM's own items, else nothing."""
        return 0.0 if self.header[place].lower() in _ITEMS else None

    def _person(self, record: int) -> str:
        cell = self.rows[record][1][self.column["id"]]
        if cell in _NOTHING:
            raise self._refuse("DATA-ID", record, "ID", "; every record says whose it is, so give a number or a name")
        value = number(cell)
        return cell if value is None or abs(value) >= 1e15 else f"{value:.15g}"

    def _check(self, r: Record, dosing: bool) -> None:
        k = r.number - 1

        def refuse(name: str, sentence: str) -> Refusal:
            return self._refuse("DATA-DOSE", k, name, sentence)

        if r.evid not in (1, 4):
            told = {"AMT": r.amount, "RATE": r.rate, "SS": r.steady, "ADDL": r.additional, "II": r.interval}
            for name, value in told.items():
                if value:
                    sentence = f"on a record with EVID {r.evid}, which gives no dose; write 0, or EVID 1 for a dose"
                    raise refuse(name, sentence)
            return
        if r.amount < 0:
            raise refuse("AMT", "and below 0; give the amount of the dose")
        if r.rate < 0 and r.rate not in (-1, -2):
            raise refuse("RATE", "; it is 0 bolus, above 0, -1 for a modelled rate or -2 for a modelled duration")
        if r.interval < 0:
            raise refuse("II", "and below 0; give the hours between doses")
        constant = r.steady and r.amount == 0
        if constant and r.interval == 0:
            if r.rate == -2:
                raise refuse("RATE", "on a constant infusion (AMT 0), which has no duration; give a rate above 0 or -1")
            if r.additional:
                raise refuse("ADDL", "on a constant infusion (AMT 0), which cannot be repeated; write 0")
            return
        if r.amount == 0 and r.rate != 0:
            raise refuse(
                "AMT", "on an infusion; give its amount (AMT 0 stands for a constant infusion with SS 1 and II 0)"
            )
        if r.additional and r.interval == 0:
            raise refuse("II", f"with ADDL {r.additional}; give the hours between the doses, above 0")
        if r.steady and r.interval == 0:
            raise refuse("II", f"with SS {r.steady}; give the hours between the doses, above 0")
        if r.interval and not (r.additional or r.steady):
            self.notices.append("II: without ADDL or SS it has no effect")
        if not dosing:
            if self._empty(k, "AMT"):
                raise refuse("AMT", "on a dose; give its amount")
            self.notices.append("AMT: doses of 0 give nothing")

    def _empty(self, record: int, name: str) -> bool:
        place = self.column.get(name.lower())
        return place is None or self.rows[record][1][place] in _NOTHING

    def _people(self, records: tuple[Record, ...]) -> tuple[slice, ...]:
        out: list[slice] = []
        seen: set[str] = set()
        first = 0
        for k in range(1, len(records) + 1):
            if k < len(records) and records[k].person == records[first].person:
                if records[k].time < records[k - 1].time and records[k].evid not in (3, 4):
                    sentence = (
                        f"and earlier than {records[k - 1].time:g} of the record before; sort the records of each ID"
                    )
                    raise self._refuse("DATA-TIME", k, "TIME", f"{sentence} by time, or reset with EVID 3 or 4")
                continue
            if records[first].person in seen:
                self.notices.append(
                    f"ID: {records[first].person} comes again after other individuals (line {records[first].line}); as "
                    "in NONMEM, that is another individual, who begins anew"
                )
            seen.add(records[first].person)
            out.append(slice(first, k))
            first = k
        return tuple(out)
