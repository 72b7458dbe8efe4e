"""Charts are text, so their pictures are compared letter by letter. After a wanted change: pytest --snapshot-update."""

import numpy as np
import pytest
from syrupy.extensions.image import SVGImageSnapshotExtension

from regrow.chart import Band, Chart, Limit, Line, Marks, Now, Rug, Span, svg, table

DAYS = np.arange(0.0, 46 * 24, 6)
SCORE = 33 - 18 * DAYS / (DAYS + 120)
MINUTES = np.arange(0, 100, 10) / 60
RISE = np.array([0, 6, 12, 17, 20, 21, 18, 12, 7, 3])

CHARTS = {
    "course": Chart(
        "Predicted mood",
        (
            Band(DAYS, SCORE - 9, SCORE + 8, "9 in 10 people", faint=True),
            Band(DAYS, SCORE - 4, SCORE + 3, "half of the people"),
            Line(DAYS, SCORE, "middle person"),
            Line(DAYS, SCORE + 6, "without the drug", "2", dashed=True),
            Limit(16.5, "response: half the starting score"),
            Limit(10, "remission: 10 or less"),
            Rug(np.array([0, 3, 7, 10, 14, 17]) * 24.0, "session"),
        ),
        unit="MADRS, points",
        y_range=(0, 40),
    ),
    "vital-signs-on-a-phone": Chart(
        "Blood pressure",
        (
            Span(0, 40 / 60, "infusion"),
            Marks(MINUTES, 130 + RISE, "systolic", "caret-down"),
            Marks(MINUTES, 80 + RISE / 2, "diastolic", "caret-up", "2"),
            Limit(180, "red: 180 systolic", grave=True),
            Limit(160, "amber: 160 systolic"),
            Now(1.55),
        ),
        unit="mmHg",
        clock="min",
        since="after the start",
        y_range=(40, 180),
        width=340,
    ),
    "log-axis-with-a-gap": Chart(
        "Plasma",
        (
            Line(np.arange(12.0), np.array([0, 300, 150, 75, np.nan, 19, 9, 5, 2, 1, 0.6, 0.3]), "arterial"),
            Line(np.arange(12.0), 200 / (1 + np.arange(12.0)) ** 2, "venous", "2", dashed=True),
        ),
        unit="ng/mL",
        clock="h",
        log=True,
        y_range=(1, 300),
        width=340,
        height=200,
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_drawn_as_it_was_approved(name, snapshot):
    assert svg(CHARTS[name]) == snapshot(extension_class=SVGImageSnapshotExtension, name=name)


def test_the_table_says_in_words_and_numbers_what_the_drawing_shows():
    text = table(CHARTS["course"])
    assert "<caption>Predicted mood (MADRS, points). remission: 10 or less: 10" not in text
    assert "response: half the starting score: 16.5; remission: 10 or less: 10" in text
    assert '<th scope="row">7</th><td>13.5 to 30.5</td><td>18.5 to 25.5</td><td>22.5</td><td>28.5</td>' in text
    assert "systolic: 0: 130, 10: 136" in table(CHARTS["vital-signs-on-a-phone"])
