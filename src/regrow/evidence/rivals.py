"""What a dull rival would have said of the same figures: the model without its drug, and the mean of figures like it.

The one thing to know: a model earns its keep only beside these. The no-drug fit keeps everything but the drug, and all
that is left is fitted anew to the calibration figures. The class mean knows no model at all: it says of a figure what
the calibration figures of its kind, drug class and time said on average, never from the figure's own study.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from regrow.catalog.evidence import Arm, Contrast, Figure, Study
from regrow.catalog.notation import when
from regrow.dosing import KETAMINES
from regrow.evidence import measure, verdict
from regrow.evidence.calibrate import WITHOUT_DRUG, factor
from regrow.evidence.checking import Report, Row, check_study, is_depression
from regrow.evidence.predict import population, predict_arm
from regrow.evidence.simulated import Simulated, Unpredictable

JUDGED = ("score", "change", "response", "remission")
Kind = Literal["share", "points", "contrast"]


@dataclass(frozen=True)
class Skill:
    """One predictor on the same figures: share within, and mean absolute error by kind, None where there is none."""

    name: str
    use: str
    n: int
    within_percent: float | None
    error: dict[Kind, float | None]


# --- the model without its drug -------------------------------------------------------------------------------------


def no_drug(study: Study, arm: Arm, figures: tuple[Figure, ...], people: int, seed: int) -> Simulated:
    """The arm with every ketamine taken out, by the parameters that fit best without: a Predictor.

    The same people, visits, belief and background; `no_drug.toml` holds what `regrow evidence calibrate` found.
    """
    if arm.drug in KETAMINES:
        arm = arm.model_copy(update={"drug": "placebo", "dose": "0 mg"})
        figures = tuple(figure for figure in figures if not figure.is_concentration)
    if not figures:
        raise Unpredictable("without the drug there is no level of it")
    drawn = population(study, arm, people, seed)
    scaled = {name: factor(drawn, name, **numbers) for name, numbers in _fitted().items()} | WITHOUT_DRUG
    return predict_arm(study, arm, figures, people, seed, scaled=scaled)


@cache
def _fitted() -> dict[str, dict[str, float]]:
    return tomllib.loads((Path(__file__).parent / "no_drug.toml").read_text(encoding="utf-8"))


def no_drug_rows(
    studies: Iterable[Study], *, people: int, seed: int, progress: Callable[[str], None] | None = None
) -> list[Row]:
    """The rows of every figure by the no-drug model."""
    rows: list[Row] = []
    for study in studies:
        if progress:
            progress(study.id)
        rows += check_study(study, people=people, seed=seed, predict=no_drug)
    return rows


# --- class means ----------------------------------------------------------------------------------------------------


def class_means(rows: Iterable[Row], studies: Mapping[str, Study]) -> list[Row]:
    """The rows with the mean of their class as prediction: of the calibration rows of other studies.

    Points are compared as a share of the scale. A class without figures falls back to the same kind and drug class at
    any time, then to the kind alone.
    """
    found = [(row, studies[row.study]) for row in rows if judged(row)]
    known = [pair for pair in found if pair[0].use == "calibration"]
    guessed = []
    for row, study in found:
        like = [_worth(*other) for other in _alike(row, study, known)]
        if like:
            guessed.append(_as_predicted(row, study, float(np.mean(like))))
    return guessed


def judged(row: Row) -> bool:
    """Whether a row is a depression figure that a rival can speak of: a score, a change or a share, and no ratio."""
    return is_depression(row) and row.figure.what in JUDGED and row.figure.unit in (None, "points")


def kind(row: Row) -> Kind:
    """Share, points, or the difference of two arms in points (that of two shares counts as a share)."""
    if row.figure.is_share:
        return "share"
    return "contrast" if isinstance(row.figure, Contrast) else "points"


def _alike(row: Row, study: Study, known: list[tuple[Row, Study]]) -> list[tuple[Row, Study]]:
    key = _class(row, study)
    others = [(other, _class(*other)) for other in known if other[0].study != row.study]
    for depth in (3, 2, 1):
        like = [other for other, its_class in others if its_class[:depth] == key[:depth]]
        if like:
            return like
    return []


def _class(row: Row, study: Study) -> tuple[tuple[str, bool], str, int]:
    figure = row.figure
    what = figure.what if figure.is_share else "change"
    arms = figure.arms if isinstance(figure, Contrast) else (row.arm,)
    drugs = [_drug_class(study.named(name).drug) for name in arms]
    hours = when(figure.at).from_first_dose(study.named(arms[0]).days)
    return (
        (what, isinstance(figure, Contrast)),
        " - ".join(drugs),
        int(np.searchsorted([6, 48, 9 * 24, 40 * 24], hours)),
    )


def _drug_class(drug: str) -> str:
    return "drug" if drug in KETAMINES else "control" if drug in ("placebo", "midazolam", "none") else drug


def _entry(row: Row, study: Study) -> float:
    """The mean score at entry, as a share of the scale, where the figure is a score and not a change."""
    if row.figure.what != "score" or isinstance(row.figure, Contrast):
        return 0.0
    entry = study.named(row.arm).baseline or study.population.baseline
    return (entry.mean if entry else 33.0) / measure.span_of(row.figure.of if entry else "MADRS")


def _worth(row: Row, study: Study) -> float:
    """A figure in the currency of its class: per cent as it is, points as a change in shares of the scale."""
    if row.figure.is_share:
        return row.figure.value
    return row.figure.value / measure.span_of(row.figure.of) - _entry(row, study)


def _as_predicted(row: Row, study: Study, worth: float) -> Row:
    span = measure.span_of(row.figure.of)
    value = worth if row.figure.is_share else (worth + _entry(row, study)) * span
    expected = verdict.Estimate(value, None)
    found = verdict.judge(row.figure, row.observed, expected, span)
    return replace(row, predicted=expected, z=None, within=bool(found.within), covered=None, why="", note="class mean")


# --- side by side ---------------------------------------------------------------------------------------------------


def skills(report: Report, bare: Iterable[Row], means: Iterable[Row]) -> list[Skill]:
    """The model and its rivals on the figures that all three can speak of, for calibration and validation."""
    sets = {
        "the model": _by_figure(report.rows),
        "no drug, fitted anew": _by_figure(bare),
        "mean of its class": _by_figure(means),
    }
    shared = set.intersection(*(set(found) for found in sets.values()))
    out = []
    for use in ("calibration", "validation"):
        for name, found in sets.items():
            rows = [found[key] for key in sorted(shared) if found[key].use == use]
            out.append(_skill(name, use, rows))
    return out


def _by_figure(rows: Iterable[Row]) -> dict[int, Row]:
    found = {}
    for row in rows:
        if judged(row) and row.predicted is not None:
            text = f"{row.study}\0{row.arm}\0{row.figure.model_dump_json()}"
            found[zlib.crc32(text.encode())] = row
    return found


def _skill(name: str, use: str, rows: list[Row]) -> Skill:
    error: dict[Kind, float | None] = {}
    for which in ("share", "points", "contrast"):
        # Points of other scales count as MADRS points.
        found = [
            abs(row.predicted.value - row.observed.value)
            * (1.0 if which == "share" else 60 / measure.span_of(row.figure.of))
            for row in rows
            if kind(row) == which and row.predicted
        ]
        error[which] = float(np.mean(found)) if found else None
    within = 100 * sum(bool(row.within) for row in rows) / len(rows) if rows else None
    return Skill(name, use, len(rows), within, error)
