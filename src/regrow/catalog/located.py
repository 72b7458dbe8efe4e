"""Where a key stands in a TOML text, so that a refusal can name the line.

The one thing to know: the parser of the standard library keeps no places, so the text is walked again, line by line:
table headers, keys (bare, quoted, dotted) and nothing else. A key inside an inline table has the line of that table.
"""

from __future__ import annotations

import re

Step = tuple[str, int | None]
"""A key, and its place among the tables of that name; None for what is no [[table]], or for any of them."""

_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PATH})\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(rf"\s*({_PATH})\s*=(.*)")


def line_of(text: str, where: tuple[str | int, ...]) -> int:
    """The line (from 1) of the deepest key of the path `where` that the text spells out; 1 when none is.

    `where` is as pydantic names it: ("arm", 1, "observed", 0, "percent"). A key that is not there has the line of the
    table that lacks it.
    """
    wanted = _steps(where)
    counts: dict[tuple[Step, ...], int] = {}
    table: tuple[Step, ...] = ()
    best, depth, closing = 1, 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if closing:  # inside a text of several lines, which may look like keys
            closing = "" if closing in line else closing
            continue
        if header := _HEADER.fullmatch(line):
            table = here = _entered(_parts(header[2]), header[1] == "[[", counts)
        elif key := _KEY.match(line):
            here = (*table, *((part, None) for part in _parts(key[1])))
            closing = next((quote for quote in ('"""', "'''") if key[2].count(quote) == 1), "")
        else:
            continue
        if depth < len(here) <= len(wanted) and all(map(_agree, here, wanted)):
            best, depth = number, len(here)
    return best


def _steps(where: tuple[str | int, ...]) -> list[Step]:
    steps: list[Step] = []
    for step in where:
        if isinstance(step, str):
            steps.append((step, None))
        elif steps:
            steps[-1] = (steps[-1][0], step)
    return steps


def _agree(here: Step, wanted: Step) -> bool:
    return here[0] == wanted[0] and (None in (here[1], wanted[1]) or here[1] == wanted[1])


def _entered(parts: list[str], repeated: bool, counts: dict[tuple[Step, ...], int]) -> tuple[Step, ...]:
    """The table that a header opens: [[arm.observed]] is the next of its name in the latest arm."""
    table: tuple[Step, ...] = ()
    for place, part in enumerate(parts):
        name = (*table, (part, None))
        if repeated and place == len(parts) - 1:
            counts[name] = counts.get(name, 0) + 1
        table = (*table, (part, counts[name] - 1 if name in counts else None))
    return table


def _parts(path: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, path)]
