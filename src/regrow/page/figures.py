"""The page's charts: mood over the course, the steps from dose to mood, and the body during a session.

The one thing to know: each large chart is drawn twice, wide and narrow, and the style sheet shows the one that fits, so
that its letters stay readable on a phone; the table of its numbers stands beside it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import cast

import numpy as np

from regrow.chart import Band, Chart, Layer, Limit, Line, Marks, Rug, Span, svg, table
from regrow.page.facts import DAY_H, REMISSION_AT, Facts, Session, spread
from regrow.page.story import Step

Limits = Mapping[str, Sequence[Limit]]
TONES = ("1", "2", "3")


def figure(chart: Chart, *, narrow: bool = False, caption: bool = False) -> str:
    """The chart with its numbers folded away beneath it; `narrow` adds the drawing for small screens."""
    small = svg(replace(chart, width=340, height=min(chart.height, 280))) if narrow else ""
    return framed(svg(chart), small, table(chart), chart.title if caption else "")


def framed(drawing: str, small: str, numbers: str, caption: str) -> str:
    """A drawing over its folded-away numbers; `small` is the drawing for small screens, "" where one serves all."""
    head = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    drawings = f'<div class="wide">{drawing}</div><div class="narrow">{small}</div>' if small else drawing
    return (
        f'<figure>{head}{drawings}<details class="data"><summary>The numbers of this chart</summary>'
        f'<div class="scroll" tabindex="0" role="group" aria-label="Numbers">{numbers}</div></details></figure>'
    )


def _banded(x: np.ndarray, values: np.ndarray, name: str, tone: str, *, one: bool, among: str = "") -> list[Layer]:
    """The middle person's line, with 9 in 10 people around it where there is more than one; named, half of them too."""
    found = spread(values)
    layers: list[Layer] = []
    if not one:
        layers.append(Band(x, found.p5, found.p95, among, tone, faint=True))
        if among and "people" in among:
            layers.append(Band(x, found.p25, found.p75, "half of the people", tone))
    return [*layers, Line(x, found.median, name, tone)]


def mood(facts: Facts, without_drug: Facts | None = None, *, width: int = 760, height: int = 330) -> Chart:
    """MADRS over the whole course with its spread over people, the sessions, and where response and remission begin."""
    start = float(np.median(facts.baseline))
    layers = _banded(facts.times, facts.curve("madrs"), facts.middle, "1", one=facts.one, among=facts.among)
    if without_drug is not None:
        middle = spread(without_drug.curve("madrs")).median
        layers.append(Line(without_drug.times, middle, "same visits, no drug", "2", dashed=True))
    layers += [
        Limit(start / 2, f"response: {start / 2:.3g}, half the start"),
        Limit(REMISSION_AT, f"remission: {REMISSION_AT:.0f} or less"),
    ]
    if facts.sessions:
        layers.append(Rug([session.day * DAY_H for session in facts.sessions], "session"))
    people = "a typical person" if facts.people == 1 else f"{facts.people} people"
    return Chart(
        "Predicted depression score (MADRS)",
        tuple(layers),
        unit="MADRS, points",
        description=f"Simulated MADRS of {people} over {facts.end / DAY_H:.0f} days; lower is better.",
        y_range=(0, 40),
        width=width,
        height=height,
    )


def pain(facts: Facts) -> Chart:
    """Pain over the whole course with its spread over people, and the sessions."""
    layers = _banded(facts.times, facts.curve("pain_nrs"), facts.middle, "1", one=facts.one, among=facts.among)
    if facts.sessions:
        layers.append(Rug([session.day * DAY_H for session in facts.sessions], "session"))
    return Chart(
        "Predicted pain (0 to 10)",
        tuple(layers),
        unit="points",
        description=f"Simulated pain over {facts.end / DAY_H:.0f} days; lower is better.",
        y_range=(0, 10),
        width=760,
        height=260,
    )


def moves(facts: Facts, which: Step) -> bool | None:
    """Whether any curve of a step leaves its start by a thousandth of what its axis shows; None where there is none."""
    curves = [facts.curve(curve.readout) for curve in which.curves if facts.has(curve.readout)]
    if not curves:
        return None
    low, high = which.shows or (0.0, 1.0)
    least = 1e-3 * (high - low or 1.0)
    return any(bool(np.nanmax(np.abs(values - values[:, :1])) > least) for values in curves)


def step(facts: Facts, which: Step, drug: str = "") -> Chart | None:
    """One step from dose to mood, from the first session on; None where the run has none of its read-outs.

    `drug` is the ketamine that the step's words are of; "" under another drug, where a step has a bare title only.
    """
    curves = [curve for curve in which.curves if facts.has(curve.readout)]
    if not curves:
        return None
    layers: list[Layer] = []
    for tone, curve in zip(TONES, curves, strict=False):
        name = curve.name if len(curves) > 1 else ""
        found = _banded(facts.times, facts.curve(curve.readout), name, tone, one=facts.one)
        middle = replace(cast(Line, found[-1]), dashed=tone == "2")  # told apart without colour too
        fold = facts.fold(curve.readout)
        if fold > 1:
            low, high = np.asarray(middle.y) / fold, np.asarray(middle.y) * fold
            layers.append(Band(facts.times, low, high, f"{fold:.0f} times less or more", tone, faint=True))
            layers.append(middle)
        else:
            # several curves with a band each would hide one another; plasma models are to be compared all the same
            layers += [*found[:-1], middle] if len(curves) == 1 or len(facts.models) > 1 else [middle]
    if facts.sessions and facts.sessions[0].minutes:
        layers.insert(0, Span(0.0, facts.sessions[0].minutes / 60, ""))
    if which.level:
        layers.append(Limit(*which.level))
    end = min(which.hours, facts.end)
    later = [session.day * DAY_H for session in facts.sessions if 0 < session.day * DAY_H <= end]
    if later:
        layers.append(Rug([0.0, *later]))
    return Chart(
        which.title.format(drug=drug) if drug else which.bare,
        tuple(layers),
        unit=which.unit or facts.unit(curves[0].readout),
        description=which.says if drug else "",
        clock="h" if which.hours <= 24 else "d",
        since="after the first dose",
        x_range=(0.0, end),
        y_range=which.shows,
        width=340,
        height=210,
    )


# --- in a session ---------------------------------------------------------------------------------------------------


def _in_session(facts: Facts, session: Session, name: str) -> tuple[np.ndarray, np.ndarray]:
    window = facts.window(session)
    return facts.times[window] - session.day * DAY_H, facts.curve(name)[:, window]


def _body_chart(facts: Facts, title: str, layers: list[Layer], unit: str, y_range: tuple[float, float] | None) -> Chart:
    first = facts.sessions[0]
    if first.minutes:
        layers = [Span(0.0, first.minutes / 60), *layers]
    hours = max(3.0, first.minutes / 60 + 2)
    return Chart(
        title,
        tuple(layers),
        unit=unit,
        since="after the session's start",
        x_range=(0.0, min(hours, facts.end)),
        y_range=y_range,
        width=360,
        height=230,
    )


def body(facts: Facts, limits: Limits, names: Sequence[str]) -> list[Chart]:
    """Those of dissociation, pressure, pulse and sedation that `names` holds, through the first session, with a
    clinic's alarm lines."""
    charts: list[Chart] = []
    if not facts.sessions or not facts.fine(facts.sessions[0]):
        return charts
    first = facts.sessions[0]
    last = next((s for s in reversed(facts.sessions) if s.percent > 50 and facts.fine(s)), first)
    if "cadss" in names and facts.has("cadss"):
        x, values = _in_session(facts, first, "cadss")
        layers = _banded(x, values, "first session", "1", one=facts.one)
        if last.number != first.number:
            x, values = _in_session(facts, last, "cadss")
            layers.append(Line(x, spread(values).median, f"session {last.number}", "2", dashed=True))
        layers += limits.get("cadss", ())
        charts.append(_body_chart(facts, "Dissociation", layers, "CADSS, points (0 to 92)", (0, 10)))
    if "sbp" in names and facts.has("sbp"):
        x, values = _in_session(facts, first, "sbp")
        layers = _banded(x, values, "systolic", "1", one=facts.one)
        if facts.has("dbp"):
            layers += _banded(x, _in_session(facts, first, "dbp")[1], "diastolic", "2", one=facts.one)
        layers += limits.get("sbp", ())
        charts.append(_body_chart(facts, "Blood pressure", layers, "mmHg", (60, 150)))
    for name, title, unit, y_range in (
        ("hr", "Heart rate", "beats per minute", (60, 100)),
        ("sedation", "Sedation", "MOAA/S, 5 is awake", (0, 5)),
    ):
        if name in names and facts.has(name):
            layers = [*_banded(*_in_session(facts, first, name), "", "1", one=facts.one), *limits.get(name, ())]
            charts.append(_body_chart(facts, title, layers, unit, y_range))
    return charts


def tolerance(facts: Facts) -> Chart | None:
    """The strongest dissociation of each session over the course; None with fewer than three sessions."""
    found = [(session, facts.peak("cadss", session)) for session in facts.sessions]
    kept = [(session, values) for session, values in found if values is not None and np.isfinite(values).any()]
    if len(kept) < 3:
        return None
    x = np.array([session.day * DAY_H for session, _ in kept])
    peaks = spread(np.stack([values for _, values in kept], axis=1))
    layers: list[Layer] = [Marks(x, peaks.median, "strongest in the session")]
    if not facts.one:
        layers.insert(0, Band(x, peaks.p5, peaks.p95, facts.among, faint=True))
    return Chart(
        "Dissociation, session by session",
        tuple(layers),
        unit="CADSS, points",
        x_range=(0.0, float(x[-1])),
        y_range=(0, 10),
        width=360,
        height=230,
    )
