"""What holds for every chart: nothing outside the paper, no invented points, no script, the same text twice."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.chart import Band, Chart, Limit, Line, Marks, Now, Rug, Span, clock_for, number, style, svg, table

NS = "{http://www.w3.org/2000/svg}"
values = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.just(float("inf")))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=12)


@st.composite
def charts(draw):
    n = draw(st.integers(1, 30))
    x = np.sort(np.array(draw(st.lists(st.floats(0, 5000), min_size=n, max_size=n))))
    y = np.array(draw(st.lists(values, min_size=n, max_size=n)))
    width = np.abs(np.array(draw(st.lists(st.floats(0, 100), min_size=n, max_size=n))))
    layers = (
        Line(x, y, draw(words)),
        Band(x, y - width, y + width, draw(words), "2"),
        Marks(x, y, draw(words), draw(st.sampled_from(["dot", "caret-up", "caret-down"]))),
        Rug(x, draw(words)),
        Span(float(x[0]), float(x[-1]), draw(words)),
        Limit(draw(st.floats(-1000, 1000)), draw(words)),
        Now(float(x[-1])),
    )
    keep = draw(st.lists(st.sampled_from(layers), max_size=7, unique_by=id))
    cut = draw(st.sampled_from([None, (10.0, 200.0)]))
    log = draw(st.booleans())
    floor = draw(st.sampled_from([None, (0.1, 10.0)]))
    return Chart("a <chart> & more", tuple(keep), "mg/L", x_range=cut, y_range=floor, log=log, width=340, height=200)


def coordinates(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


@given(charts())
def test_every_point_drawn_lies_on_the_paper_and_the_text_is_well_formed_and_twice_the_same(chart):
    text = svg(chart)
    assert text == svg(chart)
    root = ElementTree.fromstring(text)
    assert "nan" not in re.sub(r"<t[^>]*>[^<]*</t[^>]*>|<desc>.*</desc>", "", text)
    for path in root.iter(f"{NS}path"):
        for x, y in coordinates(path.get("d", "")):
            assert -0.1 <= x <= chart.width + 0.1
            assert -0.1 <= y <= chart.height + 0.1
    for circle in root.iter(f"{NS}circle"):
        assert 0 <= float(circle.get("cx", "")) <= chart.width
        assert 0 <= float(circle.get("cy", "")) <= chart.height
    ElementTree.fromstring(table(chart))


@given(charts())
def test_the_drawing_holds_no_script_no_style_attribute_no_colour_and_no_address(chart):
    text = svg(chart).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"<script|\son\w+=|style=|<style|href|url\(|http|#[0-9a-f]{3,6}\b", text)


@given(charts())
def test_the_entries_of_the_header_row_never_meet(chart):
    boxes = []
    for text in ElementTree.fromstring(svg(chart)).findall(f"{NS}text"):
        if text.get("text-anchor") is None and text.get("class") in (None, "unit"):
            x, y = float(text.get("x", "")), float(text.get("y", ""))
            boxes.append((x, x + 7.0 * len(text.text or ""), y))
    for at, (x, end, y) in enumerate(boxes):
        for x2, end2, y2 in boxes[at + 1 :]:
            assert y != y2 or end <= x2 or end2 <= x


def line_path(chart: Chart) -> str:
    paths = ElementTree.fromstring(svg(chart)).findall(f"{NS}path")
    return "".join(path.get("d", "") for path in paths if "line" in path.get("class", ""))


def test_a_missing_value_breaks_the_line_instead_of_being_drawn():
    x = np.arange(7.0)
    whole = line_path(Chart("whole", (Line(x, x),)))
    broken = line_path(Chart("broken", (Line(x, np.where(x == 3, np.nan, x)),)))
    assert whole.count("M") == 1
    assert broken.count("M") == 2
    assert all(abs(a - coordinates(whole)[0][0]) < 1000 for a, _ in coordinates(broken))
    gap = [at for at, _ in coordinates(broken)]
    assert gap[2] - gap[1] == pytest.approx((gap[-1] - gap[0]) / 3, abs=0.2)


def test_on_a_log_axis_what_is_zero_or_below_the_floor_is_not_drawn():
    x = np.arange(5.0)
    path = line_path(Chart("log", (Line(x, np.array([0, 100, 10, 0.001, 10])),), log=True, y_range=(1, 100)))
    assert path.count("M") == 2


def test_thinning_keeps_the_peak_and_stays_within_a_quarter_pixel():
    x = np.linspace(0, 24, 20001)
    y = np.exp(-(((x - 12.3456) * 40) ** 2))
    chart = Chart("peak", (Line(x, y),), y_range=(0, 1))
    points = np.array(coordinates(line_path(chart)))
    assert len(points) < 200
    top, foot = points[:, 1].min(), points[:, 1].max()
    curve = np.column_stack([points[0, 0] + x / 24 * (points[-1, 0] - points[0, 0]), foot - y * (foot - top)])
    ahead = np.diff(points, axis=0)
    along = np.clip(((curve[:, None] - points[:-1]) * ahead).sum(-1) / (ahead**2).sum(-1), 0, 1)
    off = np.linalg.norm(curve[:, None] - points[:-1] - along[..., None] * ahead, axis=-1).min(axis=1)
    assert off.max() < 0.35


def test_time_outside_the_range_is_cut_at_its_edge_not_squeezed_in():
    x = np.array([0.0, 100.0])
    chart = Chart("cut", (Line(x, x),), clock="h", x_range=(25, 50))
    frame_left, frame_right = coordinates(line_path(chart))[0], coordinates(line_path(chart))[-1]
    assert len(coordinates(line_path(chart))) == 2
    assert frame_left[0] < 60
    assert frame_right[0] > 700
    labels = [text.text for text in ElementTree.fromstring(svg(chart)).findall(f"{NS}text")]
    assert "100" not in labels


@pytest.mark.parametrize(
    ("hours", "unit"), [(1.5, "min"), (3, "min"), (24, "h"), (48, "h"), (7 * 24, "d"), (1680, "d"), (26 * 168, "wk")]
)
def test_the_time_axis_speaks_in_the_unit_a_reader_expects(hours, unit):
    assert clock_for(hours) == unit


def test_days_and_weeks_tick_in_sevens():
    chart = Chart("course", (Line(np.array([0.0, 28 * 24]), np.array([0.0, 1.0])),))
    labels = [
        t.text for t in ElementTree.fromstring(svg(chart)).findall(f"{NS}text") if t.get("text-anchor") == "middle"
    ]
    assert labels == ["0", "3", "6", "9", "12", "15", "18", "21", "24", "27"] or labels == ["0", "7", "14", "21", "28"]


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0"), (-0.0, "0"), (1234.5, "1234"), (12.345, "12.3"), (0.00002, "2e-5"), (np.nan, "-")]
)
def test_numbers_are_short_and_a_missing_one_is_a_dash(value, said):
    assert number(value) == said


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_every_tone_that_carries_text_or_a_line_has_contrast_4_5_to_1_in_light_dark_and_print(at):
    blocks = [
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r"\{([^{}]*--paper: [^{}]*)\}", style())
    ]
    assert len(blocks) == 4
    assert blocks[0] == blocks[3]
    assert blocks[1] == blocks[2]
    paper = luminance(blocks[at].pop("paper"))
    blocks[at].pop("grid")
    for name, colour in blocks[at].items():
        light, dark = sorted([paper, luminance(colour)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_a_file_of_its_own_carries_its_colours_also_for_viewers_that_know_no_variables():
    text = svg(Chart("alone", (Line(np.arange(3.0), np.arange(3.0)),)), standalone=True)
    ElementTree.fromstring(text)
    assert "stroke: #0b5cad; stroke: var(--t1);" in text
    assert 'class="paper"' in text
