"""Every number that the project ships as data stands under a source: walked, file by file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

SOURCE = {"source", "sources", "citation", "citations"}
# Settings and not findings: switched-off values (0 or 1 by definition), what a switch sets (assumed, as its head says,
# with the evidence in the intervention's row), who is simulated for a picture, and what the rival's fit wrote.
SETTINGS = {"structures.toml", "switches.toml", "comparators.toml", "no_drug.toml"}
ROOT = Path(str(files("regrow")))
DATA = sorted(path for path in ROOT.rglob("*.toml") if path.name not in SETTINGS)


def bare(node: object, place: str = "", covered: bool = False) -> Iterator[str]:
    """The places of the numbers that no table around them gives a source."""
    if isinstance(node, dict):
        covered = covered or any(node.get(key) for key in SOURCE)
        for key, value in node.items():
            yield from bare(value, f"{place}.{key}", covered)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from bare(value, f"{place}[{number}]", covered)
    elif isinstance(node, int | float) and not isinstance(node, bool) and not covered:
        yield place


@pytest.mark.parametrize("path", DATA, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_number_of_the_file_has_a_source(path: Path):
    assert list(bare(tomllib.loads(path.read_text(encoding="utf-8")))) == []


def test_a_number_without_a_source_is_found():
    assert list(bare({"a": {"value": 1.0, "source": "x"}, "b": {"value": [2.0]}})) == [".b.value[0]"]
