"""Where things go in a chart: ranges, ticks, margins, and data to pixels.

The one thing to know: nothing is clamped. The value axis widens until everything fits, time outside `x_range` is cut at
its edges, and on a log axis what lies below the floor is not drawn.
"""

from __future__ import annotations

from math import ceil, floor, log10

import numpy as np

from regrow.chart.layers import Band, Chart, Layer, Limit, Line, Marks, Now, Numbers, Rug, Span

CLOCKS = {  # name: hours in one, what the axis says, steps in its own unit
    "min": (1 / 60, "minutes", (1, 2, 5, 10, 15, 20, 30, 60, 120)),
    "h": (1.0, "hours", (0.5, 1, 2, 3, 4, 6, 8, 12, 24, 48)),
    "d": (24.0, "days", (0.5, 1, 2, 3, 7, 14, 28, 56, 112)),
    "wk": (168.0, "weeks", (1, 2, 4, 8, 13, 26, 52, 104)),
}


def clock_for(hours: float) -> str:
    """The time unit a reader expects for a span of `hours`: min to 3 h, h to 2 d, d to 10 weeks, else weeks."""
    return "min" if hours <= 3 else "h" if hours <= 48 else "d" if hours <= 1680 else "wk"


def number(value: float) -> str:
    """A short number for people: three significant digits below 100, whole above; "-" where there is none."""
    if not np.isfinite(value):
        return "-"
    if abs(value) >= 100:
        text = f"{value:.0f}"
    elif 0 < abs(value) < 0.001:
        text = f"{value:.0e}".replace("e-0", "e-")
    else:
        text = f"{value:.3g}"
    return "0" if text in ("-0", "-0.0") else text


def pixels(value: float) -> str:
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def wide(text: str) -> float:
    """The width of `text` at 12 px, on the generous side for any common sans-serif font."""
    return 7.0 * len(text)


def steps_of(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / max(1, most)
    power = 10.0 ** floor(log10(raw))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= raw * (1 - 1e-9))
    return [step * n for n in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def log_steps(low: float, high: float, most: int) -> list[float]:
    powers = range(floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9) + 1)
    for heads in ((1, 2, 5), (1, 3), (1,)):
        ticks = [head * 10.0**power for power in powers for head in heads]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= most:
            return ticks
    return ticks[:: ceil(len(ticks) / most)]


def floats(values: Numbers) -> np.ndarray:
    return np.asarray(values, dtype=float).ravel()


def parts(layer: Layer) -> list[np.ndarray]:
    """The value arrays of a layer, so that one loop can find the range of them all."""
    if isinstance(layer, Band):
        return [floats(layer.low), floats(layer.high)]
    if isinstance(layer, Line | Marks):
        return [floats(layer.y)]
    return [np.array([layer.y])] if isinstance(layer, Limit) else []


def cut(x: np.ndarray, ys: list[np.ndarray], low: float, high: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """The part of the curves within [low, high], with points of its own on both edges."""
    inside = (x >= low) & (x <= high)
    edges = [edge for edge in (low, high) if x.size and x[0] < edge < x[-1] and edge not in x]
    order = np.argsort(np.concatenate([x[inside], edges]), kind="stable")
    return np.concatenate([x[inside], edges])[order], [
        np.concatenate([y[inside], np.interp(edges, x, y)])[order] for y in ys
    ]


class Frame:
    """Where things go: the range of both axes, the margins, and data to pixels."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        timed = [layer for layer in chart.layers if isinstance(layer, Line | Band | Marks | Rug)]
        moments = [floats(layer.x) for layer in timed]
        moments += [np.array([layer.start, layer.end]) for layer in chart.layers if isinstance(layer, Span)]
        moments += [np.array([layer.x]) for layer in chart.layers if isinstance(layer, Now)]
        self.x0, self.x1 = chart.x_range or self._range(moments)
        if self.x1 <= self.x0:
            self.x1 = self.x0 + 1.0
        self.floor = chart.y_range[0] if chart.log and chart.y_range else 0.0 if chart.log else -np.inf
        self.y0, self.y1 = self._values()
        self._margins()

    @staticmethod
    def _range(arrays: list[np.ndarray]) -> tuple[float, float]:
        every = np.concatenate(arrays) if arrays else np.array([])
        every = every[np.isfinite(every)]
        return (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)

    def drawable(self, y: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.isfinite(y) & ((y >= self.floor) & (y > 0) if self.chart.log else True)

    def shows(self, layer: Layer) -> bool:
        """Whether a single moment, stretch or level lies on the paper; curves are cut by themselves."""
        if isinstance(layer, Limit):
            return bool(self.drawable(np.array(layer.y)))
        if isinstance(layer, Now):
            return self.x0 <= layer.x <= self.x1
        return layer.start < self.x1 and layer.end > self.x0 if isinstance(layer, Span) else True

    def _values(self) -> tuple[float, float]:
        chart, shown = self.chart, []
        for layer in chart.layers:
            ys = parts(layer)
            if isinstance(layer, Line | Band | Marks) and ys:
                _, ys = cut(floats(layer.x), ys, self.x0, self.x1)
            shown += [y[self.drawable(y)] for y in ys]
        if chart.y_range:
            shown.append(np.array(chart.y_range))
        low, high = self._range(shown)
        if chart.log:
            low, high = (low, high) if low > 0 else (0.1, 1.0)
            return (low, high) if high > low else (low / 2, high * 2)
        if high - low < 1e-200:  # one value, or two that no step could part
            half = (abs(low) if abs(low) > 1e-200 else 1) / 2
            low, high = low - half, high + half
        room = (high - low) * 0.06
        low = low if chart.y_range and low >= chart.y_range[0] else 0.0 if 0 <= low < room else low - room
        return low, high if chart.y_range and high <= chart.y_range[1] else high + room

    def _margins(self) -> None:
        chart = self.chart
        self.header, rows = [], 1
        at = 1.15 * wide(chart.unit) + 18 if chart.unit else 0.0
        for layer in chart.layers:
            if layer.name and not isinstance(layer, Limit | Now):
                width = 22 + wide(layer.name) + 14
                if at and at + width - 14 > chart.width:
                    at, rows = 0.0, rows + 1
                self.header.append((at, 14 + 18 * (rows - 1), layer))
                at += width
        self.top = 18 * rows + 8 + (14 if any(isinstance(layer, Now) for layer in chart.layers) else 0)
        self.bottom = chart.height - 38
        most = max(2, (self.bottom - self.top) // 34)
        self.y_ticks = (log_steps if chart.log else steps_of)(self.y0, self.y1, most)
        self.left = max([wide(number(tick)) for tick in self.y_ticks], default=0) + 10
        self.right = chart.width - 14
        self.clock = clock_for(self.x1 - self.x0) if chart.clock == "auto" else chart.clock
        most = max(2, int((self.right - self.left) // 52))
        if self.clock:
            hours, _, steps = CLOCKS[self.clock]
            a, b = self.x0 / hours, self.x1 / hours
            step = next((s for s in steps if (b - a) / s <= most), (b - a) / most)
            marks = [n * step for n in range(ceil(a / step - 1e-9), floor(b / step + 1e-9) + 1)]
            self.x_ticks = [(mark * hours, number(mark)) for mark in marks]
        else:
            self.x_ticks = [(mark, number(mark)) for mark in steps_of(self.x0, self.x1, most)]

    def px(self, x: np.ndarray) -> np.ndarray:
        return self.left + (x - self.x0) / (self.x1 - self.x0) * (self.right - self.left)

    def py(self, y: np.ndarray) -> np.ndarray:
        if self.chart.log:
            share = (np.log10(y) - log10(self.y0)) / (log10(self.y1) - log10(self.y0))
        else:
            share = (y - self.y0) / (self.y1 - self.y0)
        return self.bottom - share * (self.bottom - self.top)
