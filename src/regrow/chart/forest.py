"""A forest plot: one row per figure, what was seen with its interval above what was expected with its own.

The one thing to know: as in `draw`, text in, SVG text out, no colour and no script; classes name tones. Rows stand in
the order given. A value outside the axis is drawn at its edge as a tip, so that nothing is clamped without a sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from regrow.chart.axes import log_steps, number, pixels, steps_of, wide
from regrow.chart.draw import portable, style


@dataclass(frozen=True)
class Row:
    """One figure: `seen` and `expected` are (value, low, high), low and high None without an interval."""

    label: str
    seen: tuple[float, float | None, float | None]
    expected: tuple[float, float | None, float | None]
    hit: bool
    verdict: str = ""


@dataclass(frozen=True)
class Forest:
    """What to draw. `zero` is the line of no effect."""

    title: str
    rows: tuple[Row, ...]
    unit: str = ""
    description: str = ""
    x_range: tuple[float, float] | None = None
    log: bool = False
    zero: float | None = None
    width: int = 720


ROW, HEAD, FOOT = 24, 46, 34


def _range(forest: Forest) -> tuple[float, float]:
    ends = [v for row in forest.rows for v in (*row.seen, *row.expected) if v is not None and np.isfinite(v)]
    ends = [v for v in ends if v > 0] if forest.log else ends
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    if forest.x_range:
        low, high = forest.x_range
    if forest.log:
        return (low / 1.1, high * 1.1) if high > low else (low / 2, high * 2)
    if high - low < 1e-200:
        return low - 0.5, high + 0.5
    room = 0.0 if forest.x_range else (high - low) * 0.03
    return low - room, high + room


class _Axis:
    def __init__(self, forest: Forest) -> None:
        self.log = forest.log
        longest = max((wide(row.label) for row in forest.rows), default=0.0)
        self.beside = longest + 16 <= 0.45 * forest.width  # else the label stands above its row
        self.left = longest + 16 if self.beside else 8.0
        self.right = forest.width - 12.0
        self.low, self.high = _range(forest)
        self.step = ROW if self.beside else ROW + 14
        most = max(2, int((self.right - self.left) // 60))
        self.ticks = (log_steps if forest.log else steps_of)(self.low, self.high, most)

    def x(self, value: float) -> float:
        at = float(np.clip(value, self.low, self.high))
        if self.log:
            share = np.log(at / self.low) / np.log(self.high / self.low)
        else:
            share = (at - self.low) / (self.high - self.low)
        return self.left + float(share) * (self.right - self.left)

    def outside(self, value: float) -> int:
        return -1 if value < self.low else 1 if value > self.high else 0


def _whisker(axis: _Axis, value: tuple[float, float | None, float | None], y: float, tone: str, dashed: bool) -> str:
    middle, low, high = value
    out = ""
    if low is not None and high is not None:
        a, b = axis.x(low), axis.x(high)
        out += f'<path class="line t{tone}{" dashed" * dashed}" d="M{pixels(a)} {pixels(y)}H{pixels(b)}"/>'
    x, side = axis.x(middle), axis.outside(middle)
    if side:
        return out + f'<path class="mark t{tone}" d="M{pixels(x)} {pixels(y)}l{-7 * side} -4v8z"/>'
    if dashed:
        return out + f'<path class="mark t{tone}" d="M{pixels(x)} {pixels(y - 4)}l4 4l-4 4l-4 -4z"/>'
    return out + f'<circle class="mark t{tone}" cx="{pixels(x)}" cy="{pixels(y)}" r="3.2"/>'


def _fitting(label: str, width: float) -> str:
    most = int(width / wide("x"))
    return label if len(label) <= most else f"{label[: most - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def forest_svg(forest: Forest, *, standalone: bool = False) -> str:
    """The forest plot as SVG text. `standalone` adds the colours and a background, for a file that stands alone."""
    axis = _Axis(forest)
    bottom = HEAD + axis.step * len(forest.rows)
    w, h = forest.width, bottom + FOOT
    size = f'viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" {size}>',
        f"<title>{escape(forest.title)}</title><desc>{escape(forest.description or forest.title)}</desc>",
    ]
    if standalone:
        out.append(f'<style>{portable(style())}</style><rect class="paper" width="{w}" height="{h}"/>')
    out.append(f'<text x="0" y="14" class="unit">{escape(forest.unit)}</text>')
    out.append('<circle class="mark tsoft" cx="5" cy="30" r="3.2"/><text x="14" y="34">observed</text>')
    out.append('<path class="mark t1" d="M92 26l4 4l-4 4l-4 -4z"/><text x="102" y="34">predicted: hit</text>')
    out.append('<path class="mark t2" d="M202 26l4 4l-4 4l-4 -4z"/><text x="212" y="34">predicted: miss</text>')
    for tick in axis.ticks:
        x = pixels(axis.x(tick))
        out.append(f'<path class="grid" d="M{x} {HEAD - 4}V{bottom}"/>')
        out.append(f'<text x="{x}" y="{bottom + 17}" class="small" text-anchor="middle">{number(tick)}</text>')
    if forest.zero is not None and axis.low < forest.zero < axis.high:
        x = pixels(axis.x(forest.zero))
        out.append(f'<path class="limit" d="M{x} {HEAD - 4}V{bottom}"/>')
    for place, row in enumerate(forest.rows):
        top = HEAD + axis.step * place
        y = top + (0 if axis.beside else 14)
        tone = "1" if row.hit else "2"
        label = pixels(top + 14 if axis.beside else top + 10)
        out.append(f'<text x="0" y="{label}">{escape(_fitting(row.label, w))}</text>')
        out.append(_whisker(axis, row.seen, y + 6, "soft", False))
        out.append(_whisker(axis, row.expected, y + 15, tone, True))
    out.append(f'<path class="axis" d="M{pixels(axis.left)} {bottom}H{pixels(axis.right)}"/>')
    return "\n".join(out) + "\n</svg>"


def forest_table(forest: Forest) -> str:
    """The rows as an HTML table, for readers who cannot see the drawing."""

    def say(value: tuple[float, float | None, float | None]) -> str:
        middle, low, high = value
        return number(middle) + (f" ({number(low)} to {number(high)})" if low is not None and high is not None else "")

    body = "".join(
        f'<tr><th scope="row">{escape(row.label)}</th><td>{say(row.seen)}</td><td>{say(row.expected)}</td>'
        f"<td>{escape(row.verdict)}</td></tr>"
        for row in forest.rows
    )
    caption = escape(forest.title) + (f" ({escape(forest.unit)})" if forest.unit else "")
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("figure", "observed", "predicted", "verdict"))
    head = f"<caption>{caption}</caption><thead><tr>{heads}</tr></thead>"
    return f'<table class="numbers">{head}<tbody>{body}</tbody></table>'
