"""What a calibration writes: the two data files with new numbers and everything else as it stood, and its report.

The one thing to know: only numbers change. Comments, order, sources and priors of `parameters.toml` stay as written, so
that a calibration shows as a short difference between two versions of the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from regrow.refusal import Failure, Refusal

if TYPE_CHECKING:
    from regrow.evidence.calibrate import Calibration, Fitted

DIGITS = 4


def parameters_text(text: str, calibration: Calibration) -> str:
    """`text` of `parameters.toml` with the fitted values, spreads, intervals and what identified them."""
    by_name: dict[str, dict[str, Fitted]] = {}
    for fitted in calibration.fitted:
        by_name.setdefault(fitted.knob.name, {})[fitted.knob.of] = fitted
    for name, found in by_name.items():
        lines: dict[str, str] = {}
        if "value" in found:
            one = found["value"]
            lines["value"] = _number(one.value)
            lines["ci95"] = f"[{_number(one.ci95[0])}, {_number(one.ci95[1])}]"
            lines["identified"] = f'"{one.identified}"'
        if "spread" in found:
            kind = re.search(rf"(?m)^\[{re.escape(name)}\]\n(?:.+\n)*?spread = {{ (\w+) =", text)
            lines["spread"] = f"{{ {kind[1] if kind else 'omega'} = {_number(found['spread'].value)} }}"
        text = _with_lines(text, name, lines)
    return text


def between_text(text: str, between: Mapping[str, float]) -> str:
    """`text` of `between.toml` with the spreads that the calibration estimated; kinds it has no figure of stay.

    The spread of times stays too: one median to relapse says nothing of the time of a peak.
    """
    for name, value in between.items():
        if value > 0 and name != "time":
            text = _with_lines(text, name, {"value": f"{value:.2g}", "status": '"calibrated"'})
    return text


def _number(value: float) -> str:
    return repr(float(f"{value:.{DIGITS}g}"))


def _with_lines(text: str, table: str, lines: Mapping[str, str]) -> str:
    """The text with these keys of one table set; a key that was not there comes after the others."""
    found = re.search(rf"(?m)^\[{re.escape(table)}\]\n(?:.+\n)*", text)
    if found is None:
        raise Failure("CALIBRATION-FILE", f"table [{table}] is missing from the file; restore it and calibrate again")
    block = found[0]
    for key, value in lines.items():
        line = f"{key} = {value}"
        block, changed = re.subn(rf"(?m)^{key} = .*$", line, block)
        block += "" if changed else f"{line}\n"
    return text[: found.start()] + block + text[found.end() :]


def report(calibration: Calibration) -> str:
    """The calibration as a page of text: what was fitted, what the figures identify, how far studies lie apart."""
    rows = calibration.fitted
    places = calibration.problem.arms.places
    studies = list(dict.fromkeys(place.study.id for place in places))
    lines = [
        "# What the figures say of the parameters",
        "",
        f"Written by `regrow evidence calibrate`: {len(places)} depression figures of {len(studies)} studies of use "
        f"calibration, {calibration.problem.people} simulated people for each arm, {calibration.rounds} rounds, misfit "
        f"{calibration.cost:.2f}.",
        "The 95 % intervals are Laplace's: from the curvature of the misfit at its lowest point, priors included.",
        "*figures*: the figures narrow what the prior knew by a quarter or more; *prior*: they hardly do; *bound*: the",
        "value sits on an end of its range, so read it as at least or at most.",
        "",
        "| parameter | value | 95 % interval | prior | told by |",
        "|---|---|---|---|---|",
        *(
            f"| {row.knob.title} | {row.value:.3g} | {row.ci95[0]:.3g} to {row.ci95[1]:.3g} "
            f"| {row.knob.prior.value:.3g} | {row.identified} |"
            for row in rows
        ),
        "",
        "## How far studies lie apart",
        "",
        "One standard deviation between studies of the same treatment beyond chance, each study predicted by a fit",
        "without it (one Gauss-Newton step from the fit with all).",
        "",
        "| kind of figure | spread |",
        "|---|---|",
        *(f"| {kind} | {value:.2g} |" for kind, value in calibration.between.items()),
        "",
        "| study left out | mean misfit, in standard errors |",
        "|---|---|",
        *(f"| {study} | {value:.2f} |" for study, value in calibration.left_out.items()),
        "",
    ]
    return "\n".join(lines)


def check_folder(folder: Path) -> None:
    """Refuses with OUT-FOLDER what is there and is no folder, before a fit of minutes begins."""
    if folder.exists() and not folder.is_dir():
        sentence = f"out: {folder} is a file; name a folder, which is made where there is none"
        raise Refusal("OUT-FOLDER", sentence, field="out", value=str(folder))


def no_drug_text(calibration: Calibration) -> str:
    """The values of a fit without the drug, as `rivals` reads them: one table for each parameter."""
    places = calibration.problem.arms.places
    lines = [
        "# What fits the calibration figures best when the drug does nothing and is not felt: a rival of the report",
        f"# and used by nothing else. Written by `regrow evidence calibrate` ({len(places)} figures, misfit "
        f"{calibration.cost:.2f}).",
    ]
    found: dict[str, dict[str, float]] = {}
    for fitted in calibration.fitted:
        found.setdefault(fitted.knob.name, {})[fitted.knob.of] = fitted.value
    for name, numbers in found.items():
        lines += ["", f"[{name}]", *(f"{of} = {_number(value)}" for of, value in numbers.items())]
    return "\n".join(lines) + "\n"


def write(calibration: Calibration, without_drug: Calibration, folder: Path) -> tuple[Path, ...]:
    """The paths of the files written into `folder`: parameters.toml, between.toml, no_drug.toml and calibration.md.

    Each is replaced whole or not at all. Fails with CALIBRATION-FILE where the folder cannot be written.
    """
    shipped = files("regrow")
    texts = {
        "parameters.toml": parameters_text(_read(shipped, "mechanism/parameters.toml"), calibration),
        "between.toml": between_text(_read(shipped, "evidence/between.toml"), calibration.between),
        "no_drug.toml": no_drug_text(without_drug),
        "calibration.md": report(calibration),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            half = folder / f".{name}.part"
            half.write_text(text, encoding="utf-8")
            os.replace(half, folder / name)
    except OSError as why:
        raise Failure("CALIBRATION-FILE", f"out: {folder} cannot be written ({why}); name another folder") from why
    return tuple(folder / name for name in texts)


def _read(package, name: str) -> str:
    return package.joinpath(name).read_text(encoding="utf-8")
