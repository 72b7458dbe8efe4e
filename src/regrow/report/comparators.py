"""Ketamine beside what else is given for depression: how soon, how much, how long, as published and as simulated.

The one thing to know: dots are published figures, each from its own trial with its own people; lines are the model for
one and the same people. They are drawn together to show shapes, not to be read off against each other.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from regrow.catalog import evidence
from regrow.catalog.evidence import Arm, Figure, Study
from regrow.catalog.notation import when
from regrow.chart import Chart, Layer, Line, Marks, svg
from regrow.evidence import measure
from regrow.evidence.checking import Predictor
from regrow.evidence.simulated import Simulated, Unpredictable

What = Literal["response", "remission", "relapse"]
WEEK = 168.0
DAYS_AFTER = (7, 14, 21, 28, 42, 56, 84, 126, 182)  # at which relapse is counted after the last session
LATEST = 38 * WEEK


@dataclass(frozen=True)
class Treatment:
    """One treatment: its colour, the arm that is simulated (None: no equations), and where its figures stand."""

    name: str
    tone: str
    arm: Arm | None
    published: tuple[tuple[str, str], ...]
    dashed: bool


@dataclass(frozen=True)
class Curves:
    """The simulated treatments by name."""

    study: Study
    found: dict[str, Simulated]


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    return tomllib.loads(files("regrow.report").joinpath("comparators.toml").read_text(encoding="utf-8"))


def treatments() -> tuple[Treatment, ...]:
    """The treatments, in the order of the file."""
    return tuple(
        Treatment(
            row["name"],
            row["tone"],
            Arm.model_validate({"name": row["name"], **row["arm"]}) if "arm" in row else None,
            tuple((study, arm) for study, arm in row["published"]),
            row.get("dashed", False),
        )
        for row in _file()["treatment"]
    )


def simulated(predict: Predictor, people: int, seed: int) -> Curves:
    """Every treatment that has equations, simulated for the same people over nine months."""
    study = Study.model_validate(
        {
            "id": "comparators",
            "citation": "people of the comparison, not a study",
            "confidence": "secondary",
            "use": "check",
            "population": _file()["population"],
            "arm": [{"name": "none", "drug": "none", "days": [0], "belief": "none"}],
        }
    )
    wanted = (
        Figure(what="response", of="MADRS", at=f"{LATEST:g} h", percent=50, visits=200, ever=True),
        Figure(what="response", of="MADRS", at="72 h", percent=50, visits=36, ever=True),
    )
    found = {t.name: predict(study, t.arm, wanted, people, seed) for t in treatments() if t.arm is not None}
    return Curves(study, found)


def onset(curves: Curves) -> Chart:
    """Response in the first three days."""
    hours = np.concatenate([np.arange(2, 25, 2), np.arange(28, 73, 4)])
    return _chart("How soon: response in the first three days", "response", curves, hours, 72, "h")


def size(curves: Curves, what: What = "response") -> Chart:
    """Response or remission over twelve weeks."""
    hours = np.concatenate([[24], np.arange(72, 14 * WEEK + 1, 84)])
    title = f"How much: {what} over fourteen weeks"
    return _chart(title, what, curves, hours, 14 * WEEK, "wk")


def durability(curves: Curves) -> Chart:
    """The share of those who were well that relapsed, by the time since treatment ended or was changed."""
    hours = 24.0 * np.array(DAYS_AFTER)
    return _chart(
        "How long: relapse after the course", "relapse", curves, hours, 66 * WEEK, "wk", "after the last session"
    )


def _chart(
    title: str,
    what: What,
    curves: Curves,
    hours: np.ndarray,
    end: float,
    clock: str,
    since: str = "after the first dose",
) -> Chart:
    lines: list[Layer] = []
    marks: list[Layer] = []
    for treatment in treatments():
        lines += _line(treatment, what, curves, hours, "")
        for recalled in (False, True):
            seen = [p for p in published(treatment, what) if p[2] == recalled and p[0] <= end]
            if seen:
                shape = "caret-up" if recalled else "dot"
                marks.append(Marks([p[0] for p in seen], [p[1] for p in seen], "", shape, treatment.tone))
    return Chart(
        title,
        (*lines, *marks),
        unit="% of people",
        description="Dots: published figures. Carets: published figures from memory. Lines: simulated.",
        clock=clock,
        since=since,
        x_range=(0.0, float(end)),
        y_range=(0.0, 100.0),
        width=720,
        height=300,
    )


def _line(treatment: Treatment, what: What, curves: Curves, hours: np.ndarray, name: str) -> list[Layer]:
    sim, arm = curves.found.get(treatment.name), treatment.arm
    if sim is None or arm is None or (what == "relapse" and treatment.tone not in ("1", "2")):
        return []
    values = []
    for hour in hours:
        at = f"{hour:g} h after last session" if what == "relapse" else f"{hour:g} h"
        try:
            sample = measure.sample(sim, curves.study, arm, Figure(what=what, of="MADRS", at=at, percent=50))
        except Unpredictable:
            values.append(np.nan)
        else:
            values.append(100 * float(np.mean(sample.values)))
    return [Line(hours, values, name, treatment.tone, dashed=treatment.dashed)]


def published(treatment: Treatment, what: What) -> list[tuple[float, float, bool, str]]:
    """Each published figure: hours since the first dose (or the session named), per cent, from memory, source."""
    found = []
    for name, arm_name in treatment.published:
        study = evidence.get(name)
        arm = study.named(arm_name)
        for figure in arm.observed:
            if figure.what == what:
                at = when(figure.at)
                hours = at.hours if what == "relapse" else at.from_first_dose(arm.days)
                recalled = study.confidence == "memory"
                if figure.is_share:
                    found.append((hours, figure.value, recalled, study.citation))
                elif figure.median is not None:  # the median time to relapse: half have relapsed by then
                    found.append((24 * figure.value, 50.0, recalled, study.citation))
    return found


def picture(curves: Curves) -> str:
    """The three charts as one SVG file: onset, size, durability, with the treatments' names above them."""
    charts = (onset(curves), size(curves), durability(curves))
    width, head = 720, 84
    names = Chart(
        "",
        tuple(Line([0.0], [0.0], t.name, t.tone, dashed=t.dashed) for t in treatments()),
        width=width,
        height=head,
    )
    legend = _legend(svg(names))
    parts, top = [], head
    for chart in charts:
        parts.append(f'<text class="unit" x="0" y="{top + 4}">{chart.title}</text>')
        inner = svg(chart).replace("<svg ", f'<svg x="0" y="{top + 14}" ', 1)
        parts.append(inner)
        top += chart.height + 44
    from regrow.chart.draw import portable, style

    title = "Onset, size and durability of treatments of depression, published (dots) and simulated (lines)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 {width} {top}" '
        f'width="{width}" height="{top}"><title>{title}</title><desc>{title}</desc>'
        f'<style>{portable(style())}</style><rect class="paper" width="{width}" height="{top}"/>'
        f"{legend}{''.join(parts)}</svg>\n"
    )


def _legend(drawn: str) -> str:
    """The header row of a chart alone: its swatches and names."""
    lines = [line for line in drawn.splitlines() if line.startswith(('<path class="line', "<text"))]
    kept = []
    for line in lines:
        if "small" in line or "text-anchor" in line:
            break
        kept.append(line)
    return "".join(kept)
