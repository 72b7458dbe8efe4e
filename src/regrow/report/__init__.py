"""The evidence report: one page for the whole shelf, one for each study, one of treatments side by side.

`write(out)` simulates every study, judges every figure, sets the model beside its dull rivals and writes the folder.

The one thing to know: pages are static HTML that ask for nothing from outside; all of them appear at once or none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regrow.catalog import evidence
from regrow.catalog.evidence import Arm, Figure, Study
from regrow.chart import Chart
from regrow.evidence import answers, rivals
from regrow.evidence.checking import PEOPLE, Predictor, Report, Row, check_study
from regrow.evidence.simulated import Simulated
from regrow.exchange import files
from regrow.people import uniform
from regrow.refusal import Refusal
from regrow.report import claims_page, comparators, overlays, pages

__all__ = ["Shelf", "gather", "write"]


FEWEST = 20


@dataclass(frozen=True)
class Shelf:
    """All that the pages show: verdicts, charts over time by study, rivals, treatments side by side."""

    studies: dict[str, Study]
    report: Report
    charts: dict[str, list[Chart]]
    skills: list[rivals.Skill] = field(default_factory=list)
    curves: comparators.Curves | None = None
    claims: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[Chart] = field(default_factory=list)


def gather(
    studies: Iterable[Study],
    *,
    people: int = PEOPLE,
    seed: int = 1,
    predict: Predictor | None = None,
    progress: Callable[[str], None] | None = None,
    ask: answers.Ask = answers.ask_model,
) -> Shelf:
    """The studies simulated and judged, with the rivals' answers. `progress` is told the name of what comes next."""
    if predict is None:
        from regrow.evidence.predict import predict_arm

        predict = predict_arm
    tell = progress or (lambda _: None)
    by_id = {study.id: study for study in studies}
    rows: list[Row] = []
    charts: dict[str, list[Chart]] = {}
    for study in by_id.values():
        tell(study.id)
        arms: dict[str, Simulated] = {}

        def keep(
            study: Study,
            arm: Arm,
            figures: tuple[Figure, ...],
            people: int,
            seed: int,
            arms: dict[str, Simulated] = arms,
            ask: Predictor = predict,
        ) -> Simulated:
            arms[arm.name] = ask(study, arm, figures, people, seed)
            return arms[arm.name]

        found = check_study(study, people=people, seed=seed, predict=keep)
        drawn = [overlays.overlays(study, arm, arms[arm.name], found) for arm in study.arm if arm.name in arms]
        charts[study.id] = [chart for of_arm in drawn for chart in of_arm]
        rows += found
    report = Report(tuple(rows), people, seed)
    counted = {row.study for row in rows if row.use != "check" and rivals.judged(row)}
    tell("the model without its drug")
    bare = rivals.no_drug_rows(
        [study for study in by_id.values() if study.id in counted], people=min(people, 400), seed=seed
    )
    tell("treatments side by side")
    curves = comparators.simulated(predict, min(people, 500), seed)
    tell("the field's claims")
    return Shelf(
        by_id,
        report,
        charts,
        rivals.skills(report, bare, rivals.class_means(rows, by_id)),
        curves,
        answers.answers(ask),
        claims_page.pictures(),
    )


def write(
    out: Path,
    *,
    studies: Iterable[Study] | None = None,
    people: int = PEOPLE,
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Shelf:
    """Writes the report into the folder `out`, made if need be, and gives what it shows.

    Refuses with OUT-FOLDER before anything is simulated; fails with OUT-DISK or OUT-WRITE and leaves what was there.
    """
    _check(out)
    if people < FEWEST:
        sentence = (
            f"people: {people} is below {FEWEST}; give at least so many for each arm, {PEOPLE} for a report to show"
        )
        raise Refusal("PEOPLE-RANGE", sentence, field="people", value=people)
    uniform(seed, [0], "seed")  # refuses a seed that no run could use
    chosen = [evidence.get(name) for name in evidence.ids()] if studies is None else list(studies)
    shelf = gather(chosen, people=people, seed=seed, progress=progress)
    texts = pages.all_pages(shelf)
    made = not out.exists()
    out.mkdir(exist_ok=True)
    try:
        files.publish({out / name: _writer(text) for name, text in texts.items()})
    except BaseException:
        if made:
            out.rmdir()  # `publish` left nothing in it
        raise
    return shelf


def _writer(text: str) -> files.Writer:
    def write_text(stream) -> None:
        stream.write(text.encode())

    return write_text


def _check(out: Path) -> None:
    if out.exists() and not out.is_dir():
        sentence = f"out: {out} is there and is no folder; name a folder for the report"
    elif not out.exists() and not out.resolve().parent.is_dir():
        sentence = f"out: the folder {out.resolve().parent} does not exist; make it first"
    elif not os.access(out if out.exists() else out.resolve().parent, os.W_OK | os.X_OK):
        sentence = f"out: {out} may not be written to; choose another folder, or change its permissions"
    elif out.exists() and any(out.iterdir()) and not _is_report(out):
        sentence = f"out: the folder {out} holds other things; name an empty or a new one"
    else:
        return
    raise Refusal("OUT-FOLDER", sentence, field="out", value=str(out))


def _is_report(folder: Path) -> bool:
    index = folder / "index.html"
    return index.is_file() and pages.TITLE in index.read_text(encoding="utf-8", errors="replace")[:4000]
