"""The pharmacokinetic structures that a model of the shelf may name: their text, states and parameters.

`structures.toml` lists them, the texts lie in `mechanism/pk/`. The one thing to know: a parameter's `neutral` value
switches its part of the structure off, so that a model without norketamine needs no values for it.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Literal

from regrow.catalog.form import Form


class Quantity(Form):
    """What a parameter is: its house unit, its kind, and the value that switches its part off."""

    unit: str
    kind: Literal["volume", "flow", "rate", "time", "share", "ratio"]
    what: str
    neutral: float | None = None


class Structure(Form):
    """A structure: the name of its text, the enantiomers it keeps apart (none: one substance), its parameters."""

    text: str = ""
    stereo: tuple[str, ...] = ()
    what: str = ""
    parameters: dict[str, Quantity]


@lru_cache
def _all() -> dict[str, Structure]:
    content = tomllib.loads((Path(__file__).parent / "structures.toml").read_text(encoding="utf-8"))
    return {name: Structure.model_validate(row) for name, row in content.items()}


def ids() -> list[str]:
    """The names of all structures; `common` (what any model may give beside its structure's own) is not one."""
    return sorted(set(_all()) - {"common"})


def get(name: str) -> Structure:
    """The structure of that name. ValueError where there is none."""
    try:
        return _all()[name]
    except KeyError:
        raise ValueError(f"structure {name!r} is not in structures.toml; known: {', '.join(ids())}") from None


@lru_cache
def text(name: str) -> str:
    """The Antimony text of the structure: equations and units, no values."""
    folder = Path(__file__).parents[1] / "mechanism" / "pk"
    return (folder / f"{get(name).text}.ant").read_text(encoding="utf-8")


@lru_cache
def states(name: str) -> tuple[str, ...]:
    """The states of the structure in the order of the text: what a dose may go into, and what follows from it."""
    return tuple(re.findall(r"^(\w+)' =", text(name), re.MULTILINE))
