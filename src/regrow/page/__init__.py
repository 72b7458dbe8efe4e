"""A simulated course as a page that a clinician reads in two minutes, and as a file of any kind.

The one thing to know: the page is one HTML file that asks for nothing from outside and holds no script. It carries its
style sheet inline; every number on it comes from the Dataset, every sentence about what is known from `story.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from regrow.chart import Limit, svg
from regrow.exchange import files
from regrow.page import figures, sections
from regrow.page.facts import Facts
from regrow.page.shell import document

if TYPE_CHECKING:
    import xarray

__all__ = ["ENDINGS", "alarm_lines", "check_out", "course_page", "mood_svg", "shows_mood", "write"]

ENDINGS = (".nc", ".parquet", ".csv", ".svg", ".html")


def alarm_lines() -> dict[str, tuple[Limit, ...]]:
    """The clinic's alarm lines for blood pressure and pulse, by the default safety settings."""
    from regrow.safety.settings import Settings

    s = Settings()
    return {
        "sbp": (
            Limit(s.sbp_red, f"systolic alarm: {s.sbp_red:g}", grave=True),
            Limit(s.sbp_amber, f"systolic warning: {s.sbp_amber:g}"),
        ),
        "hr": (Limit(s.hr_high_amber, f"warning: {s.hr_high_amber:g}"),),
    }


def course_page(
    dataset: xarray.Dataset,
    *,
    title: str = "",
    without_drug: xarray.Dataset | None = None,
    limits: Mapping[str, Sequence[Limit]] | None = None,
    strength_mg_per_ml: float | None = None,
) -> str:
    """The page of a simulated course, as the text of one HTML file.

    `dataset` is what `simulate` gives; `without_drug` the same course without the drug, for the second line of the mood
    chart; `limits` a clinic's alarm lines by read-out (`alarm_lines()` when None); `strength_mg_per_ml` the vial, mg of
    base per mL (a usual one of the drug when None). `title` replaces the protocol's.
    """
    facts = Facts(dataset)
    bare = Facts(without_drug) if without_drug is not None else None
    lines = alarm_lines() if limits is None else limits
    head = title or facts.title
    parts = [
        sections.in_short(facts, bare),
        *filter(None, [sections.pain(facts)]),
        sections.mood(facts, bare),
        sections.what(facts),
        sections.schedule(facts, strength_mg_per_ml),
        sections.scales(facts),
        sections.side_effects(facts, lines),
        sections.steps(facts),
        sections.unknown(facts),
        sections.sources(facts),
    ]
    return document(parts, title=f"{head} - simulated course", heading=head, eyebrow=sections.eyebrow(facts))


def mood_svg(dataset: xarray.Dataset, *, without_drug: xarray.Dataset | None = None) -> str:
    """The mood chart as an SVG file of its own."""
    return svg(figures.mood(Facts(dataset), Facts(without_drug) if without_drug is not None else None), standalone=True)


def check_out(*paths: str | Path) -> list[Path]:
    """The places that files would be written to; refuses with OUT-ENDING, OUT-FOLDER, or OUT-TWICE one named twice.

    To be asked before a long run.
    """
    return files.check_all(paths, ENDINGS)


def shows_mood(path: str | Path) -> bool:
    """Whether a file of this ending draws the mood chart, with its line for the course without the drug."""
    return Path(path).suffix.lower() in (".svg", ".html")


def write(dataset: xarray.Dataset, *paths: str | Path, without_drug: xarray.Dataset | None = None) -> None:
    """Writes a course to each path by its ending (.nc .parquet .csv .svg .html), all of them or none.

    Refuses with OUT-ENDING, OUT-FOLDER, OUT-TWICE, OUT-TABLE; fails with OUT-DISK, OUT-WRITE and leaves what was there
    before.
    """

    def writer(ending: str) -> files.Writer:
        if ending not in (".svg", ".html"):
            return files.writer(dataset, ending)
        make = mood_svg if ending == ".svg" else course_page

        def write_text(stream: BinaryIO) -> None:
            stream.write(make(dataset, without_drug=without_drug).encode())

        return write_text

    places = check_out(*paths)
    files.publish({place: writer(place.suffix.lower()) for place in places})
