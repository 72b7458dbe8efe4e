"""What a chart is made of: lines, bands, marks, moments and limits, as plain values.

The one thing to know: a layer holds data and a name, never a colour or a pixel; a `tone` is a number that the style
sheet gives its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Line:
    """A value over time. `tone` 1 to 5 or "soft"; a dashed line tells two lines apart without colour."""

    x: Numbers
    y: Numbers
    name: str = ""
    tone: str = "1"
    dashed: bool = False


@dataclass(frozen=True)
class Band:
    """The room between two values over time; `faint` for the wider of two bands."""

    x: Numbers
    low: Numbers
    high: Numbers
    name: str = ""
    tone: str = "1"
    faint: bool = False


@dataclass(frozen=True)
class Marks:
    """Single observations: shape "dot", "caret-down" (systolic pressure) or "caret-up" (diastolic)."""

    x: Numbers
    y: Numbers
    name: str = ""
    shape: str = "dot"
    tone: str = "1"


@dataclass(frozen=True)
class Rug:
    """Moments, as small ticks along the foot of the plot: the sessions of a course."""

    x: Numbers
    name: str = ""


@dataclass(frozen=True)
class Span:
    """A stretch of time, shaded over the height of the plot: while an infusion runs."""

    start: float
    end: float
    name: str = ""


@dataclass(frozen=True)
class Limit:
    """A level that means something: response, remission, an alarm. `grave` for the one that asks for action."""

    y: float
    name: str
    grave: bool = False


@dataclass(frozen=True)
class Now:
    """The present moment of a running session."""

    x: float
    name: str = "now"


Layer = Line | Band | Marks | Rug | Span | Limit | Now


@dataclass(frozen=True)
class Chart:
    """What to draw. x is in hours where `clock` is "auto", "min", "h", "d" or "wk"; a plain number where it is "".

    `unit` heads the value axis; `y_range` is the least the axis shows. On a log axis its lower end is the floor below
    which a value is not drawn. `width` and `height` are the drawing's own size in CSS pixels; text is 12 px there.
    """

    title: str
    layers: tuple[Layer, ...]
    unit: str = ""
    description: str = ""
    clock: str = "auto"
    since: str = "after the first dose"
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    log: bool = False
    width: int = 720
    height: int = 300
