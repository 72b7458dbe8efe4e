"""What a page says about a run, read from its Dataset: the only place that knows the names of variables and attrs.

The one thing to know: nothing is invented here. What the Dataset does not carry is empty or None, and the page
leaves it out or says that it is missing. Percentiles are taken over people; a person without a value does not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.dosing import KETAMINES

if TYPE_CHECKING:
    import xarray

DAY_H = 24.0
REMISSION_AT = 10.0  # MADRS points, at most; trials also use 12 (outcome notes)
WINDOW_H = 12.0  # a session's effects on the body are looked for this long after its start


@dataclass(frozen=True)
class Session:
    """One visit of the middle person: its number from 1, its place in the Dataset, its day from the first, and mg of
    base per person (NaN for those who had none on that day)."""

    number: int
    place: int
    day: float
    phase: str
    drug: str
    route: str
    minutes: float
    mg: np.ndarray

    @property
    def percent(self) -> float:
        return 100 * float(np.isfinite(self.mg).mean())


@dataclass(frozen=True)
class Citation:
    """One paper: its text, and its DOI where known."""

    text: str
    doi: str = ""


@dataclass(frozen=True)
class Spread:
    """A quantity over people: 5th, 25th, 50th, 75th and 95th percentile, numbers or curves."""

    p5: Any
    p25: Any
    median: Any
    p75: Any
    p95: Any


def spread(values: np.ndarray) -> Spread:
    """Percentiles over the first axis (people); NaN where nobody has a value."""
    values = np.asarray(values, dtype=float)
    out = np.full((5, *values.shape[1:]), np.nan)
    known = np.isfinite(values)
    if values.size and known.all():  # many times quicker than the way around NaN
        out = np.percentile(values, [5, 25, 50, 75, 95], axis=0)
    elif known.any():
        some = known.any(axis=0)
        out[:, some] = np.nanpercentile(values[:, some], [5, 25, 50, 75, 95], axis=0)
    return Spread(*(row if row.ndim else float(row) for row in out))


def _listed(value: Any) -> list[Any]:
    """A list, whether the attr holds a list, an array, JSON text or plain text."""
    if isinstance(value, str):
        if value.startswith("["):
            return list(json.loads(value))
        return [value] if value else []
    return [] if value is None else list(value)


def _mapping(value: Any) -> dict[str, Any]:
    return json.loads(value) if isinstance(value, str) else dict(value or {})


class Facts:
    """A run as a page tells it."""

    def __init__(self, dataset: xarray.Dataset) -> None:
        self.data = dataset
        attrs = dataset.attrs
        self.title = str(attrs.get("title") or attrs.get("protocol") or "A treatment course")
        self.protocol = str(attrs.get("protocol", ""))
        self.source = str(attrs.get("source", ""))
        self.notes = [str(note) for note in [*_listed(attrs.get("note")), *_listed(attrs.get("ambiguities"))]]
        self.assumed = [str(item) for item in _listed(attrs.get("assumed"))]
        self.belief = str(attrs.get("belief", ""))
        self.switches = [str(name) for name in _listed(attrs.get("switches"))]
        self.condition = str(attrs.get("condition", ""))
        self.models = [str(name) for name in _listed(attrs.get("models"))]
        self.missing = [str(item) for item in _listed(attrs.get("missing"))]
        self.cautions = [str(item) for item in _listed(attrs.get("cautions"))]
        errors = [re.search(r": ([0-9.e+-]+)$", str(item)) for item in _listed(attrs.get("error"))]
        self.error = max((float(found[1]) for found in errors if found), default=None)
        self.seed, self.version = attrs.get("seed"), str(attrs.get("version", ""))
        self.statuses = {
            name: int(attrs[f"parameters_{name}"])
            for name in ("measured", "calibrated", "assumed")
            if f"parameters_{name}" in attrs
        }
        self.citations = [
            Citation(str(item.get("text") or item.get("citation") or item.get("id", "")), str(item.get("doi") or ""))
            if isinstance(item, Mapping)
            else Citation(str(item))
            for item in _listed(attrs.get("citations"))
        ]
        self.summary = _mapping(attrs.get("summary"))
        self.times = np.asarray(dataset["time"], dtype=float)
        self.end = float(self.times[-1])
        self.curves = int(dataset.sizes["person"])
        # Under several plasma models each person stands once per model.
        self.people = self.curves // len(self.models) if "model" in dataset else self.curves

    @cached_property
    def drugs(self) -> list[str]:
        """What is given, each drug once; empty where the run does not say."""
        return list(dict.fromkeys(session.drug for session in self.sessions if session.drug))

    @property
    def ketamine(self) -> bool:
        """Whether ketamine or one of its halves is given, or the run does not say what is."""
        return not self.drugs or any(drug in KETAMINES for drug in self.drugs)

    @property
    def one(self) -> bool:
        """Whether there is a single curve, of one typical person under one model, so that there is no spread."""
        return self.curves == 1

    @property
    def middle(self) -> str:
        """What the middle of the curves is called."""
        return "typical person" if self.people == 1 else "middle person"

    @property
    def among(self) -> str:
        """What the spread between the curves is of."""
        if self.people == self.curves:
            return "9 in 10 people"
        models = f"{len(self.models)} plasma models"
        return models if self.people == 1 else f"9 in 10 people, {models}"

    @cached_property
    def sessions(self) -> list[Session]:
        """The sessions of the person whose number of sessions is the middle one; all where the run does not say."""
        data = self.data
        if "session_day" not in data:
            return []

        def texts(name: str) -> list[str]:
            return [str(text) for text in data[name].values] if name in data else [""] * data.sizes["session"]

        minutes = np.asarray(data["session_duration_min"], float) if "session_duration_min" in data else None
        mg = data["session_dose_mg"].transpose("session", "person").to_numpy().astype(float)
        words = [texts(name) for name in ("session_phase", "session_drug", "session_route")]
        columns = zip(np.asarray(data["session_day"], float), *words, strict=True)
        mine = data["session_of_middle"].to_numpy() if "session_of_middle" in data else np.ones(len(mg))
        kept = [(at, column) for at, column in enumerate(columns) if mine[at]]
        return [
            Session(
                number, at, float(day), phase, drug, route, float(minutes[at]) if minutes is not None else 0.0, mg[at]
            )
            for number, (at, (day, phase, drug, route)) in enumerate(kept, start=1)
        ]

    def has(self, name: str) -> bool:
        return name in self.data and bool(np.isfinite(self.data[name].to_numpy().astype(float)).any())

    def curve(self, name: str) -> np.ndarray:
        """The read-out of every person over time, (people, times)."""
        return self.data[name].transpose("person", "time").to_numpy().astype(float)

    def unit(self, name: str) -> str:
        from regrow.exchange.files import units

        return units(self.data).get(name, "")

    def fold(self, name: str) -> float:
        """How far the read-out's level is uncertain between studies, so many times either way; 1 where not stated."""
        return float(self.data[name].attrs.get("fold_uncertainty", 1.0))

    @property
    def scales(self) -> dict[str, str]:
        """The rating scales that the run gives: read-out and the catalog's id."""
        found = {str(name): str(variable.attrs.get("scale", "")) for name, variable in self.data.data_vars.items()}
        return {name: scale for name, scale in found.items() if scale}

    def why_missing(self, name: str) -> str:
        """Why the run has no such read-out, in the run's own words."""
        words = next((item.partition(": ")[2] for item in self.missing if item.startswith(f"{name}:")), "")
        return words or "this run does not carry it"

    def at(self, name: str, hours: float) -> np.ndarray:
        """The read-out of every person at a time, linear between the times of the run; NaN beyond its end."""
        values = self.curve(name)
        if not self.times[0] <= hours <= self.end:
            return np.full(self.curves, np.nan)
        right = int(np.searchsorted(self.times, hours))
        if self.times[right] == hours:
            return values[:, right]
        share = (hours - self.times[right - 1]) / (self.times[right] - self.times[right - 1])
        return (1 - share) * values[:, right - 1] + share * values[:, right]

    @cached_property
    def baseline(self) -> np.ndarray:
        """MADRS before treatment, per person."""
        if "baseline" in self.data and self.data["baseline"].dims == ("person",):
            return self.data["baseline"].to_numpy().astype(float)
        return self.curve("madrs")[:, 0]

    def response_percent(self, hours: float, name: str) -> float:
        """Of all people, those whose score is at most half of their own baseline. A stated summary goes first."""
        return self._percent(f"response_{name}_percent", self.at("madrs", hours) <= self.baseline / 2, hours)

    def remission_percent(self, hours: float, name: str) -> float:
        """Of all people, those whose score is at most 10 points. A stated summary goes first."""
        return self._percent(f"remission_{name}_percent", self.at("madrs", hours) <= REMISSION_AT, hours)

    def _percent(self, key: str, reached: np.ndarray, hours: float) -> float:
        if self.summary.get(key) is not None:
            return float(self.summary[key])
        return 100 * float(reached.mean()) if hours <= self.end else float("nan")

    # --- in the session ---------------------------------------------------------------------------------------------

    def window(self, session: Session, hours: float = WINDOW_H) -> np.ndarray:
        """Which of the run's times lie within a session's first `hours`."""
        start = session.day * DAY_H
        return (self.times >= start - 1e-9) & (self.times <= start + hours + 1e-9)

    def fine(self, session: Session) -> bool:
        """Whether the run was sampled closely enough in this session to say when something peaked."""
        return int(self.window(session, 2.0).sum()) >= 6

    def peak(self, name: str, session: Session, *, rise: bool = False, lowest: bool = False) -> np.ndarray | None:
        """The highest value of each person in a session, or the rise over its start, or the lowest; NaN where none."""
        stated = f"session_{name}_peak"
        if stated in self.data and not lowest:
            return self.data[stated].transpose("session", "person").to_numpy().astype(float)[session.place]
        if not self.has(name) or not self.fine(session):
            return None
        values = self.curve(name)[:, self.window(session)]
        found = values.min(axis=1) if lowest else values.max(axis=1) - (values[:, 0] if rise else 0.0)
        return np.where(np.isfinite(session.mg), found, np.nan)

    def minutes_to_peak(self, name: str, session: Session) -> np.ndarray | None:
        """Minutes from a session's start to each person's highest value; None where the run is too coarse to say."""
        if not self.has(name) or not self.fine(session):
            return None
        window = self.window(session)
        values = self.curve(name)[:, window]
        filled = np.where(np.isfinite(values), values, -np.inf)
        minutes = (self.times[window][filled.argmax(axis=1)] - session.day * DAY_H) * 60
        return np.where(np.isfinite(session.mg) & np.isfinite(values).any(axis=1), minutes, np.nan)
