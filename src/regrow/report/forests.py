"""Forest plots of a study and of the whole shelf: observed above predicted, misses first, one plot for each unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from regrow.catalog.evidence import Contrast
from regrow.chart import Forest, forest_svg, forest_table
from regrow.chart import Row as Bar
from regrow.evidence.checking import Row, is_depression, unit_of
from regrow.evidence.verdict import Estimate
from regrow.page.figures import framed

Ends = tuple[float, float | None, float | None]


def figure_html(forest: Forest) -> str:
    """The plot, wide and narrow, with its numbers folded away beneath it."""
    return framed(forest_svg(forest), forest_svg(replace(forest, width=340)), forest_table(forest), forest.title)


def of_study(rows: Sequence[Row]) -> list[Forest]:
    """One plot for each unit of a study's figures that the model predicts."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.predicted is not None:
            groups.setdefault(_unit_group(row), []).append(row)
    return [_forest(_title(key, found), found, study=False) for key, found in groups.items()]


def _unit_group(row: Row) -> tuple[object, ...]:
    figure = row.figure
    if figure.is_concentration:
        return ("level", figure.what, unit_of(figure))
    return ("contrast" if isinstance(figure, Contrast) else "arm", "", unit_of(figure))


def _title(key: tuple[object, ...], rows: Sequence[Row]) -> str:
    names = {"contrast": "Differences between arms", "arm": "Figures of the arms", "level": "Plasma"}
    more = f" ({rows[0].figure.what})" if key[0] == "level" else ""
    return f"{names[str(key[0])]}{more}, in {key[2]}"


def _kind(row: Row) -> str:
    figure, contrast = row.figure, isinstance(row.figure, Contrast)
    if figure.is_concentration:
        return "level"
    if figure.is_share:
        return "share contrast" if contrast else "share"
    if figure.what in ("score", "change") and figure.unit in (None, "points", "%"):
        return "contrast" if contrast else "points"
    return "rest"


POINTS = ("points", "contrast", "rest")
SHELF = (  # title, unit, which rows
    ("Response, remission and relapse, per cent of people", "%", lambda r: is_depression(r) and _kind(r) == "share"),
    ("Depression, points of each scale", "points", lambda r: is_depression(r) and _kind(r) == "points"),
    ("Differences between arms, points", "points", lambda r: is_depression(r) and _kind(r) == "contrast"),
    ("Differences between arms, per cent of people", "percentage points", lambda r: _kind(r) == "share contrast"),
    ("Standardised effects and ratios", "each in its own unit", lambda r: is_depression(r) and _kind(r) == "rest"),
    ("Side effects and other targets, per cent of people", "%", lambda r: not is_depression(r) and _kind(r) == "share"),
    ("Side effects and other targets, points, mmHg and beats", "each in its own unit",
     lambda r: not is_depression(r) and _kind(r) in POINTS),
)  # fmt: skip


def of_shelf(rows: Iterable[Row], use: str) -> list[Forest]:
    """The plots of all figures of one use, by kind, the misses first and the farthest before the nearer."""
    found = [row for row in rows if row.use == use and row.predicted is not None]
    forests = []
    for title, unit, keeps in SHELF:
        kept = [row for row in found if keeps(row)]
        if kept:
            forests.append(replace(_forest(title, _misses_first(kept), study=True), unit=unit))
    levels = [row for row in found if row.figure.is_concentration and row.observed.value > 0]
    if levels:
        forests.append(_ratios(_misses_first(levels)))
    return forests


def _misses_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (bool(row.within), bool(row.covered), -abs(row.z or 0.0)))


def _ratios(rows: Sequence[Row]) -> Forest:
    bars = [replace(_bar(row, study=True), **_relative(row)) for row in rows]
    return Forest("Plasma: predicted over observed", tuple(bars), unit="ratio", log=True, zero=1.0)


def _relative(row: Row) -> dict[str, Ends]:
    base, found = row.observed.value, row.predicted
    assert found is not None
    return {"seen": _ends(row.observed, base), "expected": _ends(found, base)}


def _ends(found: Estimate, base: float = 1.0) -> Ends:
    """Value and interval, each over `base`."""
    if found.ci95 is None:
        return found.value / base, None, None
    low, high = found.ci95
    return found.value / base, low / base, high / base


def _forest(title: str, rows: Sequence[Row], *, study: bool) -> Forest:
    shares = all(row.figure.is_share and not isinstance(row.figure, Contrast) for row in rows)
    level = all(row.figure.is_concentration for row in rows)
    return Forest(
        title,
        tuple(_bar(row, study=study) for row in rows),
        unit=unit_of(rows[0].figure),
        description="Observed value and 95 % interval above the predicted value and its 95 % interval.",
        x_range=(0.0, 100.0) if shares else None,
        log=level and all(row.observed.value > 0 for row in rows),
        zero=0.0 if any(isinstance(row.figure, Contrast) for row in rows) else None,
    )


def _bar(row: Row, *, study: bool) -> Bar:
    found = row.predicted
    assert found is not None
    parts = [row.study if study else "", row.arm, short(row)]
    label = " ".join(part for part in parts if part)
    return Bar(
        label,
        _ends(row.observed),
        _ends(found),
        bool(row.within),
        verdict_of(row),
    )


def short(row: Row) -> str:
    """A figure in a few words: what, of what, when."""
    figure = row.figure
    what = "" if figure.what in ("score", "concentration", "effect") else f"{figure.what} "
    return f"{what}{figure.of} {figure.at.replace(' after session ', ' after s')}"


def verdict_of(row: Row) -> str:
    """The verdict in a word or two."""
    if row.predicted is None:
        return "not predicted"
    return ("within" if row.within else "miss") + (", covered" if row.covered else ", not covered")
