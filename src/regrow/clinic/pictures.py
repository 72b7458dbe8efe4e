"""The clinic's drawings, from `regrow.chart`: the vitals of a session, the predicted course of mood.

The one thing to know: what is simulated is a band and says so; what was measured is a mark.
"""

from __future__ import annotations

from collections.abc import Sequence

from regrow.chart import Band as Shade
from regrow.chart import Chart, Limit, Line, Marks, Now, Rug, Span, svg, table
from regrow.clinic.forecast import Band, Window
from regrow.clinic.states import State
from regrow.safety import Settings


def vitals(s: State, settings: Settings, window: Window | None, minute: float) -> str:
    """The record of one session as SVG and table: pressures as carets, heart rate as dots, the simulated rise of the
    systolic pressure over this person's own baseline as a band; "" before the first reading."""
    if s.started is None or not s.readings:
        return ""

    def marks(name: str, sign: str, shape: str, tone: str) -> Marks | None:
        seen = [(r.vitals.minute, getattr(r.vitals, sign)) for r in s.readings if getattr(r.vitals, sign) is not None]
        if not seen:
            return None
        return Marks([max(m, -15) / 60 for m, _ in seen], [v for _, v in seen], name, shape=shape, tone=tone)

    layers: list = [
        marks("systolic", "sbp", "caret-down", "1"),
        marks("diastolic", "dbp", "caret-up", "1"),
        marks("heart rate", "hr", "dot", "2"),
        Limit(settings.sbp_red, f"systolic: call at {settings.sbp_red:g}", grave=True),
        Limit(settings.sbp_amber, f"systolic: look at {settings.sbp_amber:g}"),
    ]
    seen = [v for r in s.readings for v in (r.vitals.sbp, r.vitals.dbp, r.vitals.hr) if v is not None]
    base = s.baseline.sbp if s.baseline else None
    until = max(minute, 30.0)
    if window is not None:
        until = max(until, min(window.over + 15, 360))
        if base is not None:
            rows = [row for row in window.rise if row[0] <= until]
            at = [row[0] / 60 for row in rows]
            band = [[base + row[k] for row in rows] for k in (1, 3)]
            layers.append(Shade(at, band[0], band[1], "systolic, simulated (9 of 10 people)", tone="1", faint=True))
        layers.append(Span(window.begins / 60, window.over / 60, "effect, simulated"))
    if s.live:
        layers.append(Now(minute / 60))
    chart = Chart(
        "Vitals of this session",
        tuple(layer for layer in layers if layer is not None),
        unit="mmHg, 1/min",
        description="Measured pressures and heart rate; the band is simulated.",
        clock="min",
        since="after the start of the drug",
        x_range=(-0.25, until / 60),
        y_range=(min(40.0, *seen), max(190.0, settings.sbp_red + 5, *(value + 5 for value in seen))),
        width=560,
        height=300,
    )
    return svg(chart) + f'<details id="as-numbers"><summary>As numbers</summary>{table(chart)}</details>'


def mood(band: Band, days: Sequence[float], name: str) -> str:
    """The predicted course on its scale as SVG and table, with the sessions along the axis."""
    at = [day * 24 for day in band.days]
    middle, low, high = (list(values) for values in (band.median, band.low, band.high))
    chart = Chart(
        f"{band.name}, simulated, for people like {name}",
        (
            Shade(at, low, high, f"9 of 10 of {band.people} simulated people"),
            Line(at, middle, "the middle one"),
            Rug([day * 24 for day in days], "sessions"),
        ),
        unit=f"{band.name}, points",
        description="A forecast by simulation, not a measurement.",
        clock="d",
        since="after the first dose",
        y_range=(0, max(high) * 1.05),
        width=680,
        height=280,
    )
    return svg(chart) + f'<details id="as-numbers"><summary>As numbers</summary>{table(chart)}</details>'
