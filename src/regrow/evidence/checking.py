"""The model held against studies: every figure of every file predicted, judged and reported, hits and misses alike.

The one thing to know: a figure never fails silently. What cannot be predicted keeps its place with `within` and
`covered` null and a sentence `why`, and counts as a miss; figures of use "check" are shown and never counted.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from regrow.catalog import evidence
from regrow.catalog.evidence import Arm, Contrast, Figure, Study
from regrow.catalog.notation import when
from regrow.evidence import measure, verdict
from regrow.evidence.simulated import Simulated, Unpredictable
from regrow.evidence.verdict import Estimate, Sample
from regrow.refusal import Refusal

PEOPLE = 1000
USES = ("calibration", "validation", "check")

Predictor = Callable[[Study, Arm, tuple[Figure, ...], int, int], Simulated]
"""Study, arm, the figures wanted of it, people to simulate, seed -> what was simulated."""


@dataclass(frozen=True)
class Row:
    """One figure with its prediction and its verdict. None where the model cannot predict it; `why` then says so."""

    study: str
    arm: str
    figure: Figure
    use: str
    confidence: str
    observed: Estimate
    n: int | None
    predicted: Estimate | None = None
    z: float | None = None
    within: bool | None = None
    covered: bool | None = None
    why: str = ""
    note: str = ""
    condition: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The row in the contract's form."""
        predicted = self.predicted
        row = {
            "study": self.study,
            "arm": self.arm,
            "what": self.figure.what,
            "of": self.figure.of,
            "at": self.figure.at,
            "observed": self.observed.value,
            "observed_ci95": _pair(self.observed.ci95),
            "predicted": None if predicted is None else _rounded(predicted.value),
            "predicted_ci95": None if predicted is None else _pair(predicted.ci95),
            "z": None if self.z is None else _rounded(self.z),
            "within": self.within,
            "covered": self.covered,
            "use": self.use,
            "n": self.n,
            "unit": unit_of(self.figure),
            "confidence": self.confidence,
            "status": self.figure.status,
        }
        return row | ({"why": self.why} if self.why else {}) | ({"note": self.note} if self.note else {})


@dataclass(frozen=True)
class Tally:
    """Counts of one use: figures, and studies with the average of each study's share."""

    n: int
    within: int
    covered: int
    studies: int
    within_percent: float | None
    covered_percent: float | None
    within_percent_by_study: float | None
    covered_percent_by_study: float | None


# What the targets of the evidence count as a figure of depression.
DEPRESSION = (
    "MADRS", "HDRS", "HDRS-6", "HDRS-17", "HDRS-21", "HDRS-24", "HDRS-25", "HDRS-28", "QIDS-SR-16", "QIDS-C-16",
    "PHQ-9", "BDI",
)  # fmt: skip


@dataclass(frozen=True)
class Sharpness:
    """Mean width of the predicted intervals and mean absolute error, of one kind of figure; None without any."""

    n: int
    mean_width: float | None
    mean_absolute_error: float | None


@dataclass(frozen=True)
class Report:
    """All rows of one check, in the order of the files."""

    rows: tuple[Row, ...]
    people: int
    seed: int

    def tally(self, use: str, keep: Callable[[Row], bool] = lambda row: True) -> Tally:
        """The count of one use, of the rows that `keep` keeps."""
        return tally([row for row in self.rows if row.use == use and keep(row)])

    def to_dict(self) -> dict[str, Any]:
        """The contract's object: figures and summary."""
        summary: dict[str, Any] = {use: vars(self.tally(use)) for use in USES}
        summary["depression"] = {use: vars(self.tally(use, is_depression)) for use in USES}
        summary["sharpness"] = {
            kind: {use: vars(self.sharpness(kind, use)) for use in USES} for kind in ("points", "share", "contrast")
        }
        return {"figures": [row.to_dict() for row in self.rows], "summary": summary}

    def sharpness(self, kind: Literal["points", "share", "contrast"], use: str) -> Sharpness:
        """Width and error of one kind of depression figure: an arm's MADRS points, its per cent, a MADRS contrast."""
        found = [r for r in self.rows if r.use == use and r.predicted is not None and _kind(r) == kind]
        widths = [r.predicted.ci95[1] - r.predicted.ci95[0] for r in found if r.predicted and r.predicted.ci95]
        errors = [abs(r.predicted.value - r.observed.value) for r in found if r.predicted]
        return Sharpness(
            len(found),
            _rounded(sum(widths) / len(widths)) if widths else None,
            _rounded(sum(errors) / len(errors)) if errors else None,
        )

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)

    def as_text(self) -> str:
        """The rows as a table, study by study, and the summary."""
        from regrow.evidence.text import as_text

        return as_text(self)


def is_depression(row: Row) -> bool:
    """Whether a row is a figure of depression: a depression scale, and no relapse ratio or standardised size."""
    return row.figure.of in DEPRESSION


def _kind(row: Row) -> str:
    figure = row.figure
    if not is_depression(row) or figure.what not in ("score", "change", "response", "remission"):
        return ""
    if isinstance(figure, Contrast):
        return "contrast" if figure.of == "MADRS" and not figure.is_share and figure.unit in (None, "points") else ""
    return (
        "share" if figure.is_share else ("points" if figure.of == "MADRS" and figure.unit in (None, "points") else "")
    )


def tally(rows: Iterable[Row]) -> Tally:
    """How many of these figures are within and covered; a figure that cannot be predicted counts as a miss."""
    found = list(rows)
    by_study: dict[str, list[Row]] = {}
    for row in found:
        by_study.setdefault(row.study, []).append(row)

    def percent(hits: Iterable[bool | None]) -> float | None:
        seen = [bool(hit) for hit in hits]
        return _rounded(100 * sum(seen) / len(seen)) if seen else None

    def average(key: str) -> float | None:
        shares = [sum(bool(getattr(r, key)) for r in rows) / len(rows) for rows in by_study.values()]
        return _rounded(100 * sum(shares) / len(shares)) if shares else None

    return Tally(
        n=len(found),
        within=sum(bool(row.within) for row in found),
        covered=sum(bool(row.covered) for row in found),
        studies=len(by_study),
        within_percent=percent(row.within for row in found),
        covered_percent=percent(row.covered for row in found),
        within_percent_by_study=average("within"),
        covered_percent_by_study=average("covered"),
    )


def check(
    paths: Iterable[str | Path],
    *,
    people: int = PEOPLE,
    seed: int = 1,
    predict: Predictor | None = None,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """The report on evidence files: each figure predicted for the people stated, and judged.

    `people` are simulated for each arm with `seed`; `predict` replaces the simulation (tests). Refuses with
    EVIDENCE-FILE when a file cannot be read or breaks the form; whatever the verdicts, the report comes.
    """
    studies = [evidence.read(path) for path in paths]
    if predict is None:
        from regrow.evidence.predict import predict_arm

        predict = predict_arm
    rows: list[Row] = []
    for study in studies:
        if progress:
            progress(study.id)
        rows += check_study(study, people=people, seed=seed, predict=predict)
    return Report(tuple(rows), people, seed)


def check_study(study: Study, *, people: int, seed: int, predict: Predictor) -> list[Row]:
    """The rows of one study: its arms' figures, then its contrasts."""
    arms: dict[str, Simulated | str] = {}
    for arm in study.arm:
        wanted = arm.observed + tuple(c for c in study.contrast if arm.name in c.arms)
        if wanted:
            arms[arm.name] = _simulated(study, arm, wanted, people, seed, predict)
    rows = []
    for arm in study.arm:
        for figure in arm.observed:
            n = figure.n or arm.n or study.population.n
            rows.append(_judged(study, arm.name, figure, n, lambda a=arm, f=figure, k=n: _one(study, a, f, k, arms)))
    for contrast in study.contrast:
        one, two = (study.named(name) for name in contrast.arms)
        n = (one.n or study.population.n, two.n or study.population.n)
        rows.append(
            _judged(
                study, " - ".join(contrast.arms), contrast, n, lambda c=contrast, k=n: _difference(study, c, k, arms)
            )
        )
    return rows


def _simulated(
    study: Study, arm: Arm, wanted: tuple[Figure, ...], people: int, seed: int, predict: Predictor
) -> Simulated | str:
    try:
        return predict(study, arm, wanted, people, seed)
    except (Unpredictable, Refusal) as why:
        return why.sentence if isinstance(why, Refusal) else str(why)


def _sample(study: Study, arm: Arm, figure: Figure, arms: Mapping[str, Simulated | str]) -> Sample:
    sim = arms[arm.name]
    if isinstance(sim, str):
        raise Unpredictable(sim)
    return measure.sample(sim, study, arm, figure)


def _seed(study: Study, name: str, figure: Figure) -> int:
    text = f"{study.id}\0{name}\0{figure.what}\0{figure.of}\0{figure.at}\0{figure.rule}"
    return zlib.crc32(text.encode())


def _one(
    study: Study, arm: Arm, figure: Figure, n: int, arms: Mapping[str, Simulated | str]
) -> tuple[Estimate, float, str]:
    found = _sample(study, arm, figure, arms)
    note = _notes(found, arms[arm.name])
    return verdict.predicted(found, n, _seed(study, arm.name, figure)), found.span, note


def _difference(
    study: Study, contrast: Contrast, n: tuple[int, int], arms: Mapping[str, Simulated | str]
) -> tuple[Estimate, float, str]:
    one, two = (study.named(name) for name in contrast.arms)
    first, second = (_sample(study, arm, contrast.of_each_arm, arms) for arm in (one, two))
    seed = _seed(study, " - ".join(contrast.arms), contrast)
    note = _notes(first, arms[one.name])
    if first.statistic == "standardised" and verdict.standardised(contrast):
        return verdict.predicted_effect(first, second, n, seed), first.span, note
    return verdict.predicted_contrast(first, second, n, seed, contrast.unit), first.span, note


def _notes(sample: Sample, arm: Simulated | str) -> str:
    own = () if isinstance(arm, str) else arm.notes
    return "; ".join(note for note in (sample.note, *own) if note)


def _judged(
    study: Study,
    arm: str,
    figure: Figure,
    n: int | tuple[int, int],
    predict: Callable[[], tuple[Estimate, float, str]],
) -> Row:
    seen = verdict.observed(figure, n)
    fixed: dict[str, Any] = {
        "study": study.id,
        "arm": arm,
        "figure": figure,
        "use": study.use,
        "confidence": study.confidence,
        "observed": seen,
        "n": None if isinstance(n, tuple) else n,
        "condition": study.population.condition,
    }
    try:
        when(figure.at)
        expected, span, note = predict()
    except (Unpredictable, Refusal) as why:
        return Row(**fixed, why=why.sentence if isinstance(why, Refusal) else str(why))
    if not math.isfinite(expected.value):
        return Row(**fixed, why="the simulated people give no number for this figure")
    found = verdict.judge(figure, seen, expected, span)
    return Row(
        **fixed, predicted=expected, z=found.z, within=bool(found.within), covered=bool(found.covered), note=note
    )


def unit_of(figure: Figure) -> str:
    """The unit of a figure as shown: its own, or the contract's default."""
    if figure.unit:
        return figure.unit
    if figure.is_share:
        return "percentage points" if isinstance(figure, Contrast) else "%"
    defaults = {"concentration": "ng/mL", "cmax": "ng/mL", "auc": "ng h/mL", "tmax": "h"}
    if figure.what in defaults:
        return defaults[figure.what]
    if figure.of in ("SBP", "DBP", "MAP"):
        return "mmHg"
    if figure.of == "HR":
        return "1/min"
    return "SD" if figure.what == "effect" else "points"


def _pair(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [_rounded(pair[0]), _rounded(pair[1])]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
