"""What a study saw over time, laid over what the model expects: mood, shares of people, signs, plasma.

The one thing to know: the inner band is the figure as studies of this size would see it (95 %, with the spread between
studies); the outer one holds nine in ten simulated people. A dot is what was observed, with the study's interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from regrow.catalog.evidence import Arm, Figure, Study
from regrow.catalog.notation import when
from regrow.chart import Band, Chart, Layer, Line, Marks
from regrow.evidence import measure, verdict
from regrow.evidence.checking import Row, unit_of
from regrow.evidence.simulated import Simulated, Unpredictable

POINTS = 24  # at which a curve is taken
IN_TIME = ("score", "change", "response", "remission", "concentration")


@dataclass(frozen=True)
class _Curve:
    times: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    people_low: np.ndarray
    people_high: np.ndarray


def overlays(study: Study, arm: Arm, sim: Simulated, rows: Sequence[Row]) -> list[Chart]:
    """One chart for each quantity that the arm reports at one time or more; none where the model gives no curve."""
    charts = []
    for figures in _alike(arm.observed):
        seen = [row for row in rows if row.arm == arm.name and row.figure in figures]
        try:
            curve = _curve(sim, study, arm, figures, seen[0].n or study.population.n)
        except Unpredictable:
            continue
        charts.append(_chart(arm, figures[0], seen, curve))
    return charts


def _alike(figures: Iterable[Figure]) -> list[list[Figure]]:
    groups: dict[tuple[object, ...], list[Figure]] = {}
    for figure in figures:
        if figure.what in IN_TIME and not figure.ever and not figure.sustained:
            key = (figure.what, figure.of, figure.rule, figure.unit, figure.site, figure.is_share)
            groups.setdefault(key, []).append(figure)
    return list(groups.values())


def _curve(sim: Simulated, study: Study, arm: Arm, figures: Sequence[Figure], n: int) -> _Curve:
    end = max(when(figure.at).from_first_dose(arm.days) for figure in figures)
    solved = sim.times[(sim.times > 0) & (sim.times <= end + 1e-9)]
    own = [when(figure.at).from_first_dose(arm.days) for figure in figures]
    picked = solved[np.unique(np.linspace(0, len(solved) - 1, POINTS).astype(int))]
    times = np.unique(np.concatenate([picked, own]))
    columns = []
    for hours in times:
        asked = figures[0].model_copy(update={"at": f"{hours:.8g} h"})
        sample = measure.sample(sim, study, arm, asked)
        expected = verdict.predicted(sample, n, 1)
        values = np.asarray(sample.values, float)
        outer = np.percentile(values, [5, 95]) if sample.statistic in ("mean", "median") else (np.nan, np.nan)
        columns.append((expected.value, *(expected.ci95 or (np.nan, np.nan)), *outer))
    return _Curve(times, *np.array(columns).T)


def _chart(arm: Arm, figure: Figure, seen: Sequence[Row], curve: _Curve) -> Chart:
    level = figure.is_concentration
    floor = 0.5 * min(row.observed.value for row in seen) if level else None
    layers: list[Layer] = []
    if np.isfinite(curve.people_low).all():
        layers.append(Band(curve.times, curve.people_low, curve.people_high, "9 in 10 people", faint=True))
    layers.append(Band(curve.times, curve.low, curve.high, "95 % of such studies"))
    layers.append(Line(curve.times, curve.value, "predicted"))
    layers += [_interval(row, arm) for row in seen if row.observed.ci95 is not None]
    hours = [when(row.figure.at).from_first_dose(arm.days) for row in seen]
    layers.append(Marks(hours, [row.observed.value for row in seen], "observed", tone="2"))
    unit = unit_of(figure)
    what = figure.of if level else f"{figure.what} {figure.of}" + (f" {figure.rule}" if figure.rule else "")
    return Chart(
        f"{arm.name}: {what}",
        tuple(layers),
        unit=unit,
        description=f"Observed {what} of the arm {arm.name} over the prediction.",
        x_range=(0.0, float(curve.times[-1]) * 1.04),
        y_range=(0.0, 100.0) if figure.is_share else (floor, floor * 4) if level and floor else None,
        log=level,
        width=340,
        height=230,
    )


def _interval(row: Row, arm: Arm) -> Line:
    hours = when(row.figure.at).from_first_dose(arm.days)
    assert row.observed.ci95 is not None
    low, high = row.observed.ci95
    # Two points a hair apart: a line stands upright only so.
    return Line([hours, hours * (1 + 1e-9) + 1e-9], [low, high], tone="2")
