"""A chart as SVG text, and its numbers as a table for readers who cannot see it.

The one thing to know: `svg(chart)` is a pure function, so the same chart is the same text on every machine. It holds no
script, no style attribute and no colour: classes name tones, and `style()` (once per page, or inside a file of its own)
colours them for light, dark and print. Unit and legend stand in a header row above the plot.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files

import numpy as np

from regrow.chart.axes import CLOCKS, Frame, cut, floats, number, parts, pixels, wide
from regrow.chart.layers import Band, Chart, Layer, Limit, Line, Marks, Now, Rug, Span


@cache
def style() -> str:
    """The charts' style sheet: colours as variables for light, dark and print, and the classes that use them."""
    return files("regrow.chart").joinpath("sheet/chart.css").read_text("utf-8")


def portable(sheet: str) -> str:
    """The sheet with a plain light colour before each variable, for viewers that know no variables."""
    light = dict(re.findall(r"(--\w+): (#\w+)", sheet.partition("@media")[0]))
    return re.sub(r"([\w-]+): var\((--\w+)\);", lambda m: f"{m[1]}: {light[m[2]]}; {m[0]}", sheet)


def _thin(px: np.ndarray, py: np.ndarray) -> list[tuple[str, str]]:
    """The fewest points that stay within a quarter pixel of the curve (Douglas and Peucker 1973), as coordinates."""
    keep, open_ends = {0, px.size - 1}, [(0, px.size - 1)]
    while open_ends:
        a, b = open_ends.pop()
        if b - a < 2:
            continue
        dx, dy = px[b] - px[a], py[b] - py[a]
        qx, qy = px[a + 1 : b] - px[a], py[a + 1 : b] - py[a]
        length = float(np.hypot(dx, dy))
        off = np.abs(dx * qy - dy * qx) / length if length else np.hypot(qx, qy)
        at = int(off.argmax())
        if off[at] > 0.25:
            keep.add(a + 1 + at)
            open_ends += [(a, a + 1 + at), (a + 1 + at, b)]
    points = [(pixels(px[at]), pixels(py[at])) for at in sorted(keep)]
    return [point for at, point in enumerate(points) if at == 0 or point != points[at - 1]]


def _runs(good: np.ndarray) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _path(points: list[tuple[str, str]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def _mark(shape: str, x: float, y: float, tone: str) -> str:
    if shape == "dot":
        return f'<circle class="mark {tone}" cx="{pixels(x)}" cy="{pixels(y)}" r="3"/>'
    up = {"caret-up": 1, "caret-down": -1}[shape]  # the tip touches the value
    return f'<path class="mark {tone}" d="M{pixels(x)} {pixels(y)}l-4 {7 * up}h8z"/>'


def _drawn(frame: Frame, layer: Layer) -> str:
    if isinstance(layer, Limit):
        y = pixels(float(frame.py(np.array(layer.y))))
        return f'<path class="limit{" grave" * layer.grave}" d="M{pixels(frame.left)} {y}H{pixels(frame.right)}"/>'
    if isinstance(layer, Now):
        x = pixels(float(frame.px(np.array(layer.x))))
        return f'<path class="now" d="M{x} {pixels(frame.top)}V{pixels(frame.bottom)}"/>'
    if isinstance(layer, Span):
        a, b = frame.px(np.clip([layer.start, layer.end], frame.x0, frame.x1))
        size = f'width="{pixels(b - a)}" height="{pixels(frame.bottom - frame.top)}"'
        return f'<rect class="span" x="{pixels(a)}" y="{pixels(frame.top)}" {size}/>'
    x = floats(layer.x)
    if isinstance(layer, Rug):
        at = [pixels(v) for v in frame.px(x[(x >= frame.x0) & (x <= frame.x1)])]
        return f'<path class="rug" d="{"".join(f"M{v} {pixels(frame.bottom)}v-7" for v in at)}"/>' if at else ""
    tone = f"t{layer.tone}"
    if isinstance(layer, Marks):
        y = floats(layer.y)
        good = frame.drawable(y) & (x >= frame.x0) & (x <= frame.x1)
        return "".join(
            _mark(layer.shape, a, b, tone) for a, b in zip(frame.px(x[good]), frame.py(y[good]), strict=True)
        )
    x, ys = cut(x, parts(layer), frame.x0, frame.x1)
    runs = _runs(np.logical_and.reduce([frame.drawable(y) for y in ys]))
    if isinstance(layer, Line):
        d = "".join(_path(_thin(frame.px(x[run]), frame.py(ys[0][run]))) for run in runs)
        d = d if "L" in d or not d else d + "h0"  # a single point shows as a round dot
        return f'<path class="line {tone}{" dashed" * layer.dashed}" d="{d}"/>' if d else ""
    low, high = ys
    sides = [(_thin(frame.px(x[r]), frame.py(high[r])), _thin(frame.px(x[r]), frame.py(low[r]))) for r in runs]
    d = "".join(_path(top + foot[::-1]) + "Z" for top, foot in sides)
    return f'<path class="band {tone}{" faint" * layer.faint}" d="{d}"/>' if d else ""


def _text(x: float, y: float, words: str, *, kind: str = "", anchor: str = "") -> str:
    attributes = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{pixels(x)}" y="{pixels(y)}"{attributes}>{escape(words)}</text>'


def _swatch(kind: str, x: float, y: float) -> str:
    return f'<rect class="{kind}" x="{pixels(x)}" y="{pixels(y)}" width="16" height="11"/>'


def _legend(at: float, y: float, layer: Layer) -> str:
    if isinstance(layer, Line):
        swatch = f'<path class="line t{layer.tone}{" dashed" * layer.dashed}" d="M{pixels(at)} {pixels(y - 4)}h16"/>'
    elif isinstance(layer, Band):
        swatch = _swatch(f"band t{layer.tone}{' faint' * layer.faint}", at, y - 10)
    elif isinstance(layer, Marks):
        tip = {"dot": 4, "caret-up": 8, "caret-down": 1}[layer.shape]
        swatch = _mark(layer.shape, at + 8, y - tip, f"t{layer.tone}")
    elif isinstance(layer, Span):
        swatch = _swatch("span", at, y - 10)
    else:
        swatch = f'<path class="rug" d="M{pixels(at + 5)} {pixels(y)}v-8m6 8v-8"/>'
    return swatch + _text(at + 22, y, layer.name)


def _limit_labels(frame: Frame) -> str:
    """The limits' names, each at the corner of its line where the fewest points and no other label lie beneath it."""
    points = [
        (frame.px(x[good]), frame.py(y[good]))
        for layer in frame.chart.layers
        if isinstance(layer, Line | Marks)
        for x, y in [(floats(layer.x), floats(layer.y))]
        for good in [frame.drawable(y) & (x >= frame.x0) & (x <= frame.x1)]
    ]
    text, taken = "", []
    for limit in sorted(
        (one for one in frame.chart.layers if isinstance(one, Limit) and frame.shows(one)), key=lambda one: -one.y
    ):
        line, width = float(frame.py(np.array(limit.y))), wide(limit.name)
        best = (np.inf, 0.0, 0.0)
        for left in (frame.right - 2 - width, frame.left + 4):
            for foot in (line - 4, line + 13):
                under = sum(
                    float(((px > left) & (px < left + width) & (py > foot - 13) & (py < foot + 4)).mean() or 0)
                    for px, py in points
                    if px.size
                )
                meets = any(abs(foot - y) < 13 and left < x + w and x < left + width for x, y, w in taken)
                outside = foot - 11 < frame.top or foot > frame.bottom - 2
                best = min(best, (under + 10 * meets + 5 * outside, left, foot), key=lambda place: place[0])
        _, left, foot = best
        taken.append((left, foot, width))
        at_end = left > frame.left + 4
        x, anchor = (frame.right - 2, "end") if at_end else (left, "start")
        text += _text(x, foot, limit.name, kind=f"halo{' grave' * limit.grave}", anchor=anchor)
    return text


def svg(chart: Chart, *, standalone: bool = False) -> str:
    """The chart as SVG text. `standalone` adds the colours and a background, for a file that stands alone."""
    frame = Frame(chart)
    shown = [layer for layer in chart.layers if frame.shows(layer)]
    w, h = chart.width, chart.height
    left, right, bottom = pixels(frame.left), pixels(frame.right), pixels(frame.bottom)
    size = f'viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" {size}>',
        f"<title>{escape(chart.title)}</title><desc>{escape(chart.description or chart.title)}</desc>",
    ]
    if standalone:
        out.append(f'<style>{portable(style())}</style><rect class="paper" width="{w}" height="{h}"/>')
    if chart.unit:
        out.append(_text(0, 14, chart.unit, kind="unit"))
    out += [_legend(at, y, layer) for at, y, layer in frame.header]
    for tick, y in zip(frame.y_ticks, frame.py(np.array(frame.y_ticks, dtype=float)), strict=True):
        out.append(f'<path class="grid" d="M{left} {pixels(y)}H{right}"/>')
        out.append(_text(frame.left - 6, y + 4, number(tick), kind="small", anchor="end"))
    out.append(f'<path class="axis" d="M{left} {bottom}H{right}"/>')
    for tick, label in frame.x_ticks:
        x = float(frame.px(np.array(tick)))
        out.append(f'<path class="axis" d="M{pixels(x)} {bottom}v4"/>')
        out.append(_text(x, frame.bottom + 17, label, kind="small", anchor="middle"))
    if frame.clock:
        says = f"{CLOCKS[frame.clock][1]} {chart.since}".strip()
        out.append(_text(frame.right, frame.bottom + 33, says, kind="small", anchor="end"))
    order = (Span, Band, Limit, Rug, Line, Marks, Now)
    out += [_drawn(frame, layer) for layer in sorted(shown, key=lambda layer: order.index(type(layer)))]
    out.append(_limit_labels(frame))
    for now in (layer for layer in shown if isinstance(layer, Now)):
        half = wide(now.name) / 2
        x = min(max(float(frame.px(np.array(now.x))), half), w - half)
        out.append(_text(x, frame.top - 4, now.name, anchor="middle"))
    return "\n".join(part for part in out if part) + "\n</svg>"


def table(chart: Chart) -> str:
    """The chart's numbers as an HTML table, at the ticks of its time axis: for readers who cannot see the drawing."""
    frame = Frame(chart)
    curves = [layer for layer in chart.layers if isinstance(layer, Line | Band)]
    marks = [layer for layer in chart.layers if isinstance(layer, Marks)]
    hours, unit = CLOCKS[frame.clock][:2] if frame.clock else (1.0, "x")
    heads = [layer.name or chart.unit or chart.title for layer in curves]
    rows = []
    for tick, label in frame.x_ticks:
        cells = []
        for layer in curves:
            x = floats(layer.x)
            at = [float(np.interp(tick, x, y, left=np.nan, right=np.nan)) for y in parts(layer)]
            cells.append(" to ".join(number(value) for value in at))
        rows.append((label, cells))
    body = "".join(
        f'<tr><th scope="row">{label}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for label, cells in rows
    )
    notes = [f"{escape(limit.name)}: {number(limit.y)}" for limit in chart.layers if isinstance(limit, Limit)]
    for layer in marks:
        pairs = zip(floats(layer.x) / hours, floats(layer.y), strict=True)
        notes.append(f"{escape(layer.name)}: " + ", ".join(f"{number(x)}: {number(y)}" for x, y in pairs))
    caption = escape(chart.title) + (f" ({escape(chart.unit)})" if chart.unit else "")
    caption = ". ".join([caption, *(["; ".join(notes)] if notes else [])])
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return (
        f'<table class="numbers"><caption>{caption}</caption>'
        f'<thead><tr><th scope="col">{unit}</th>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
