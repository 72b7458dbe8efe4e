"""The report of a check as plain text: one table per study, misses marked, the summary last."""

from __future__ import annotations

from regrow.evidence.checking import Report, Row, Tally, is_depression, unit_of


def as_text(report: Report) -> str:
    """Every figure on one line: observed beside predicted, with intervals and verdict; then the counts of each use."""
    lines: list[str] = []
    study = None
    for row in report.rows:
        if row.study != study:
            study = row.study
            lines += ["", f"{row.study}  ({row.use}; {row.confidence}; {row.condition})"]
        lines.append(_line(row))
    lines += [
        "",
        "within: inside the study's own 95 % interval; covered: inside the interval predicted for it; * assumed input",
    ]
    for use in ("calibration", "validation", "check"):
        counted = report.tally(use)
        if counted.n:
            lines.append(_summary(use, counted))
            depression = report.tally(use, is_depression)
            if 0 < depression.n < counted.n:
                lines.append(_summary("  depression", depression))
    lines.append(f"{report.people} simulated people for each arm, seed {report.seed}. Simulated, not observed.")
    return "\n".join(lines).lstrip("\n") + "\n"


def _line(row: Row) -> str:
    what = f"{row.figure.what} {row.figure.of} {row.figure.at}"
    name = f"  {row.arm[:34]:<34} {what[:38]:<38}"
    seen = _estimate(row.observed.value, row.observed.ci95)
    if row.predicted is None:
        return f"{name} {seen:<26} not predicted: {row.why}"
    expected = _estimate(row.predicted.value, row.predicted.ci95)
    mark = "within" if row.within else ("covered" if row.covered else "MISS")
    unit = unit_of(row.figure)
    return f"{name} {seen:<26} {expected:<26} {unit:<17} {mark}{'*' if row.figure.status == 'assumed' else ''}"


def _estimate(value: float, ci95: tuple[float, float] | None) -> str:
    return f"{value:.4g}" + (f" [{ci95[0]:.3g}, {ci95[1]:.3g}]" if ci95 else "")


def _summary(use: str, counted: Tally) -> str:
    tail = " (shown, never counted)" if use == "check" else ""
    within = f"{counted.within} ({counted.within_percent:.0f} %; by study {counted.within_percent_by_study:.0f} %)"
    covered = f"{counted.covered} ({counted.covered_percent:.0f} %; by study {counted.covered_percent_by_study:.0f} %)"
    return f"{use:<12} {counted.n:>4} figures of {counted.studies} studies: within {within}, covered {covered}{tail}"
