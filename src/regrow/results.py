"""What leaves a run: the summary numbers, the JSON of the command line, and the xarray Dataset.

The one thing to know: one typical person gives plain numbers; a population (or several models side by side) gives
median, 5th and 95th percentile. A value that the model cannot give is null, and `missing` says why.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow import __version__, outcomes
from regrow.catalog import models, scales
from regrow.dosing import KETAMINES
from regrow.readouts import READOUTS, Readout, table

if TYPE_CHECKING:
    import xarray

    from regrow.mechanism import Parameter
    from regrow.simulate import Result

DAY_H = 24.0


def _spread(values: np.ndarray) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    median, low, high = (_plain(v) for v in np.percentile(known, [50, 5, 95])) if known.size else (None, None, None)
    return {"median": median, "p5": low, "p95": high}


def _plain(value: Any) -> float | None:
    number = float(value)
    return float(f"{number:.7g}") if math.isfinite(number) else None


def summary(result: Result) -> dict[str, Any]:
    """The numbers of interface.md: a number for one person, {median, p5, p95} for more; percentages 0 to 100.

    Times count from the first dose's start; a time beyond the horizon is null.
    """
    end = float(result.times[-1])
    baseline = result.people.baseline
    show: Callable[[np.ndarray], Any] = (lambda v: _plain(v[0])) if result.people.n == 1 else _spread

    def peak(name: str) -> np.ndarray | None:
        found = [held.peaks[name] for held in result.sessions if name in held.peaks]
        return np.fmax.reduce(found) if found else None

    def at(name: str, time: float) -> np.ndarray | None:
        return result.at(name, time) if name in result.values and time <= end else None

    def share(time: float, reached: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float | None:
        if "madrs" not in result.values or time > end:
            return None
        return _plain(100 * np.mean(reached(result.rated(time), baseline)))

    rows = {
        "ketamine_cmax_ng_ml": peak("ketamine_arterial"),
        "ketamine_venous_cmax_ng_ml": peak("ketamine_venous"),
        "norketamine_cmax_ng_ml": peak("norketamine"),
        "madrs_baseline": baseline,
        "madrs_24h": at("madrs", DAY_H),
        "madrs_7d": at("madrs", 7 * DAY_H),
        "madrs_end": at("madrs", end),
        "cadss_max": peak("cadss"),
        "sbp_rise_max_mmhg": peak("sbp"),
        "synapse_density_24h": at("synapse_density", DAY_H),
        "synapse_density_end": at("synapse_density", end),
    }
    found = {name: None if values is None else show(values) for name, values in rows.items()}
    madrs = scales.get("madrs")
    assert madrs.response_rule
    assert madrs.remission_rule
    response, remission = madrs.response_rule.met, madrs.remission_rule.met
    found["response_24h_percent"] = share(DAY_H, response)
    found["response_7d_percent"] = share(7 * DAY_H, response)
    found["response_end_percent"] = share(end, response)
    found["remission_24h_percent"] = share(DAY_H, remission)
    found["remission_7d_percent"] = share(7 * DAY_H, remission)
    found["remission_end_percent"] = share(end, remission)
    return found | _by_scale(result, show)


def _by_scale(result: Result, show: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """Score, response, remission and relapse on every scale; null where the run or the scale does not give it.

    Scales that are shown on request have their rows only where a condition asks for them.
    """
    reached = outcomes.outcomes(result)
    rows: dict[str, Any] = {}
    for name in (name for name, row in READOUTS.items() if row.scale and (name in reached or not row.on_request)):
        found = reached.get(name)
        if name != "madrs":
            rows[f"{name}_baseline"] = None if found is None else show(found.start)
            rows[f"{name}_end"] = None if found is None else show(found.end)
            rows[f"{name}_response_end_percent"] = None if found is None else _maybe(found.response)
            rows[f"{name}_remission_end_percent"] = None if found is None else _maybe(found.remission)
        key = "relapse_percent" if name == "madrs" else f"{name}_relapse_percent"
        rows[key] = None if found is None else _maybe(found.relapse)
    return rows


def _maybe(value: float | None) -> float | None:
    return None if value is None else _plain(value)


def middle_person(result: Result) -> int:
    """The place of the person whose number of sessions is the median one: whose course stands for all.

    Where a phase is ruled by a score, people part; among those with the median number, the one who comes first.
    """
    counts = np.sum([np.isfinite(held.mg) for held in result.sessions], axis=0) if result.sessions else np.zeros(1)
    return int(np.argsort(counts, kind="stable")[(len(counts) - 1) // 2])


def sessions(result: Result) -> list[dict[str, Any]]:
    """The sessions of the median person: day, dose in mg of base, route, minutes, and the percentage of people who
    have one on that day; the dose is the median of theirs."""
    rows = []
    middle = middle_person(result)
    for held in result.sessions:
        has = np.isfinite(held.mg)
        if not has[middle]:
            continue
        rows.append(
            {
                "day": _plain(held.session.day),
                "dose_mg": _plain(np.nanmedian(held.mg)),
                "drug": held.session.drug,
                "route": held.session.route,
                "duration_min": _plain(held.session.duration_h * 60),
                "phase": held.session.phase,
                "people_percent": _plain(100 * float(np.mean(has))),
            }
        )
    return rows


def as_json(result: Result) -> dict[str, Any]:
    """The whole JSON of `regrow simulate --json` (interface.md)."""
    readouts: dict[str, Any] = {}
    for name, row in table(result.own).items():
        if name in result.missing:
            readouts[name] = {"unit": row.unit, "at": [], "why": result.missing[name]}
            continue
        if name not in result.values:
            continue  # belongs to a condition that nobody named
        bands = _bands(result.values[name])
        clock = [float(f"{t:.10g}") for t in result.times]  # a second of the fiftieth day counts where an infusion runs
        points = [[t, *map(_plain, column)] for t, column in zip(clock, bands.T, strict=True)]
        readouts[name] = {"unit": row.unit, "at": points, **_fold(row)}
    return {
        "protocol": result.course.protocol.id,
        "people": result.n,
        "models": [model.id for model in result.models],
        "simulated": True,
        "sessions": sessions(result),
        "readouts": readouts,
        "summary": summary(result),
        "citations": citations(result),
        "assumed": list(result.course.protocol.assumed),
        "cautions": list(result.cautions),
        "error": {name: _plain(value) for name, value in result.error.items()},
        "seed": result.people.seed,
        "version": __version__,
    }


def _fold(row: Readout) -> dict[str, float]:
    return {"fold_uncertainty": row.fold} if row.fold > 1 else {}


def _bands(values: np.ndarray) -> np.ndarray:
    """Median, 5th and 95th percentile of (people, times), shape (3, times); who has no value does not count."""
    if len(values) == 1:
        return np.repeat(values, 3, axis=0)
    percentile = np.percentile if np.isfinite(values).all() else np.nanpercentile
    return percentile(values, [50, 5, 95], axis=0)


def citations(result: Result) -> list[str]:
    """The papers a run leaned on: its plasma models, its protocol's source, then what its equations' values rest on."""
    given = {held.session.drug for held in result.sessions}
    used = [m for m in result.models if given & set(m.drugs)]
    plasma = [f"{m.citation} (plasma model {m.id}; {m.confidence})" for m in used]
    order = {"measured": 0, "calibrated": 1}
    leaning: dict[str, list[str]] = {}
    for p in sorted(_leant_on(result), key=lambda p: order.get(p.status, 2)):
        # A source that names no year is no paper: a molar mass, or another parameter's source.
        if p.status in order and re.search(r"\b(19|20)\d\d\b", p.source):
            leaning.setdefault(f"{p.source} ({p.status}: ", []).append(p.name)
    values = [f"{source}{', '.join(names)})" for source, names in leaning.items()]
    plasma += [
        f"{effect.source} (effect {effect.id}; {effect.confidence})"
        for model in used
        for effect in models.chosen_effects(model, result.course.effects)
    ]
    return list(dict.fromkeys([*plasma, f"Schedule: {result.course.protocol.source}", *values]))


def _leant_on(result: Result) -> list[Parameter]:
    """The parameters of the mechanism that a run used: all of them, or those that own equations name."""
    from regrow import mechanism

    return [p for p in mechanism.parameters().values() if result.own is None or p.name in result.own.parameters]


def statuses(result: Result) -> Mapping[str, int]:
    """How many parameters of the mechanism that the run used are measured, calibrated, assumed."""
    return Counter(p.status for p in _leant_on(result))


def dataset(result: Result) -> xarray.Dataset:
    """The run as an xarray.Dataset: dims person, time (h), session; units in every variable's attrs.

    Provenance (protocol, models, citations, cautions, error estimate, version, seed) stands in the Dataset's attrs as
    plain text and numbers, so that it survives NetCDF and Parquet.
    """
    return arrays(result).assign_attrs(provenance(result))


def arrays(result: Result) -> xarray.Dataset:
    """The Dataset of a run without its provenance."""
    import xarray

    people = result.people
    variables: dict[str, Any] = {}
    for name, row in table(result.own).items():
        if name in result.values:
            attrs = {"units": row.unit, "long_name": row.title, "shown": row.shown, **_fold(row)}
            attrs |= {"scale": row.scale} if row.scale else {}
            variables[name] = (("person", "time"), result.values[name], attrs)
    held = result.sessions
    variables["session_day"] = (
        "session",
        np.array([h.session.day for h in held]),
        {"units": "d", "long_name": "Day of session"},
    )
    variables["session_phase"] = ("session", np.array([h.session.phase for h in held], dtype=object))
    variables["session_drug"] = ("session", np.array([h.session.drug for h in held], dtype=object))
    variables["session_route"] = ("session", np.array([h.session.route for h in held], dtype=object))
    variables["session_duration_min"] = (
        "session",
        np.array([h.session.duration_h * 60 for h in held]),
        {"units": "min"},
    )
    middle = middle_person(result)
    variables["session_of_middle"] = (
        "session",
        np.array([bool(np.isfinite(h.mg[middle])) for h in held], dtype=np.int8),
        {"long_name": "1 where the median person has this session"},
    )
    if len(result.models) > 1:
        names = np.repeat(np.array([model.id for model in result.models], dtype=object), result.n)
        variables["model"] = ("person", names, {"long_name": "Plasma model of this copy of the person"})
    mg = np.array([h.mg for h in held]).reshape(len(held), people.n)
    variables["session_dose_mg"] = (("session", "person"), mg, {"units": "mg", "long_name": "Dose, mg of base"})
    for name in dict.fromkeys(name for h in held for name in h.peaks):
        values = np.array([h.peaks[name] if name in h.peaks else np.full(people.n, np.nan) for h in held])
        attrs = {"units": READOUTS[name].unit, "long_name": f"{READOUTS[name].title}: peak of the session"}
        variables[f"session_{name}_peak"] = (("session", "person"), values, attrs)
    for name, values, unit in people.columns():
        variables[name] = ("person", values, {"units": unit})
    coords = {
        "person": people.index,
        "time": ("time", result.times, {"units": "h", "long_name": "Time since the first dose"}),
        "session": np.arange(1, len(held) + 1),
    }
    return xarray.Dataset(variables, coords=coords)


def provenance(result: Result) -> dict[str, Any]:
    """What a run is and rests on, as plain text and numbers."""
    protocol = result.course.protocol
    return {
        "title": protocol.title,
        "protocol": protocol.id,
        "source": protocol.source,
        "note": protocol.note,
        "choices": list(protocol.choices),
        "assumed": list(protocol.assumed),
        "belief": result.course.belief,
        "switches": list(result.course.switches),
        "effects": list(result.course.effects),
        "condition": result.course.condition or "",
        "models": [model.id for model in result.models],
        "missing": [f"{name}: {why}" for name, why in result.missing.items()],
        "cautions": list(result.cautions),
        "citations": citations(result),
        "error": [f"{name}: {value:.2g}" for name, value in result.error.items()],
        "simulated": "simulated, not observed; not a medical device",
        "summary": json.dumps(summary(result)),
        "seed": result.people.seed,
        "version": __version__,
        **{f"parameters_{status}": count for status, count in statuses(result).items()},
    }


def as_text(result: Result) -> str:
    """The summary in words for a terminal."""
    found = summary(result)
    rows = sessions(result)
    protocol = result.course.protocol

    def show(name: str, unit: str = "") -> str:
        value = found[name]
        middle = value["median"] if isinstance(value, dict) else value
        if middle is None:
            beyond = ("_24h" in name and end < DAY_H) or ("_7d" in name and end < 7 * DAY_H)
            return "after the end of this run" if beyond else "not given by this model"
        if isinstance(value, dict):
            return f"{middle:.3g}{unit} ({spans} {value['p5']:.3g} to {value['p95']:.3g})"
        return f"{value:.3g}{unit}"

    many = len(result.models) > 1
    who = "one typical person" if result.n == 1 else f"{result.n:,} virtual people"
    who += f" under each of {len(result.models)} plasma models" if many else ""
    spans = (
        f"{len(result.models)} models"
        if many and result.n == 1
        else "90 % of people and models"
        if many
        else "90 % of people"
    )
    end = float(result.times[-1])
    days = ", ".join(f"{row['day']:g}" for row in rows)
    counted = f"{len(rows)} session{'s' if len(rows) != 1 else ''}"
    plasma = (
        f"  peak ketamine         arterial {show('ketamine_cmax_ng_ml', ' ng/mL')}",
        f"                        venous   {show('ketamine_venous_cmax_ng_ml', ' ng/mL')}",
    )
    lines = [
        f"{protocol.title}: {counted}, {who}. Simulated, not observed; not a medical device.",
        f"  days                  {days}",
        f"  first dose            {rows[0]['dose_mg']:.3g} mg {rows[0]['drug']} {rows[0]['route']}" if rows else "",
        *(plasma if any(row["drug"] in KETAMINES for row in rows) else ()),
        f"  MADRS at start        {show('madrs_baseline')}",
        f"        after 24 h      {show('madrs_24h')}",
        f"        after 7 days    {show('madrs_7d')}",
        f"        at the end      {show('madrs_end')}",
        f"  dissociation (CADSS)  {show('cadss_max')}",
        f"  systolic rise         {show('sbp_rise_max_mmhg', ' mmHg')}",
    ]
    if result.n > 1:
        lines.append(f"  response after 24 h   {show('response_24h_percent', ' %')}")
        lines.append(f"  response at the end   {show('response_end_percent', ' %')}")
        lines.append(f"  remission at the end  {show('remission_end_percent', ' %')}")
    lines += [f"  assumed               {line}" for line in protocol.assumed]
    return "\n".join(line for line in lines if line)
