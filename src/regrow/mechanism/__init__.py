"""How ketamine works: the model text, its parameters, and the switches that change it.

The one thing to know: equations live in the `.ant` files and hold no values; values live in `parameters.toml` and hold
no equations. `text` joins the files in the order of the causal chain, with a pharmacokinetic structure between the
units and the receptor; the engine compiles what it returns. Switches and the intervention table are in `switches`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from regrow.refusal import Refusal

__all__ = ["CORE", "Parameter", "Prior", "Spread", "parameters", "parts", "text", "values"]

CORE = ("receptor", "circuit", "plasticity", "mood", "body", "felt")
"""The parts of the mechanism in causal order; `habenula` is optional and comes after them."""

Status = Literal["measured", "calibrated", "assumed"]


@dataclass(frozen=True, slots=True)
class Spread:
    """How a parameter differs between people: `omega` log-normal, or `sd` normal; the other is 0."""

    omega: float = 0.0
    sd: float = 0.0


@dataclass(frozen=True, slots=True)
class Prior:
    """What was thought of a parameter before any trial: `value` with `sd`, never outside `low` to `high`.

    `sd` is that of the logarithm, or of the value itself where `scale` is "plain".
    """

    value: float
    sd: float
    low: float
    high: float
    scale: Literal["log", "plain"] = "log"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of the mechanism with what is known about it.

    `unit` is a unit text, "1" for dimensionless; `measure` says what experiment would settle the value. `prior` and
    `spread_prior` stand where the calibration fits the value or the spread; `ci95` and `identified` are what it found.
    """

    name: str
    value: float
    unit: str
    status: Status
    source: str
    meaning: str
    spread: Spread | None = None
    measure: str = ""
    prior: Prior | None = None
    spread_prior: Prior | None = None
    ci95: tuple[float, float] | None = None
    identified: Literal["figures", "prior", "bound", ""] = ""


def text(structure: str | None = None, *, modules: tuple[str, ...] = CORE) -> str:
    """The model as one Antimony text: units, `pk/<structure>.ant`, then `modules` in the order given.

    Without `structure` the plasma names C_S, C_R, C_NK, C_HNK stay open for the caller to define.
    Refuses an unknown structure or module, naming those that exist.
    """
    return "\n".join(parts(structure, modules=modules).values())


def parts(structure: str | None = None, *, modules: tuple[str, ...] = CORE) -> dict[str, str]:
    """The pieces that `text` joins, by name in their order: "units", the structure, the modules."""
    found = {"units": _read("units", "")}
    if structure is not None:
        found[structure] = _read(structure, "pk/")
    return found | {module: _read(module, "") for module in modules}


def _read(name: str, folder: str) -> str:
    file = files(__name__).joinpath(f"{folder}{name}.ant")
    if not file.is_file():
        there = sorted(f.name[:-4] for f in files(__name__).joinpath(folder).iterdir() if f.name.endswith(".ant"))
        raise Refusal(
            "UNKNOWN-STRUCTURE" if folder else "UNKNOWN-MODULE",
            f"there is no model text {folder}{name}.ant; choose one of {', '.join(there)}",
            field="structure" if folder else "module",
            value=name,
        )
    return file.read_text(encoding="utf-8")


@cache
def parameters() -> Mapping[str, Parameter]:
    """Every parameter of the mechanism and of the body's effects by name, in the order of their files."""
    rows = {}
    for file in ("parameters.toml", "body.toml"):
        tables = tomllib.loads(files(__name__).joinpath(file).read_text(encoding="utf-8"))
        rows.update({name: _parameter(name, table) for name, table in tables.items()})
    return MappingProxyType(rows)


def _parameter(name: str, table: dict) -> Parameter:
    kinds = {"spread": Spread, "prior": Prior, "spread_prior": Prior}
    made = {key: kinds[key](**value) if key in kinds else value for key, value in table.items()}
    if "ci95" in made:
        made["ci95"] = tuple(made["ci95"])
    return Parameter(name=name, **made)


def values() -> dict[str, float]:
    """The standard person's value of every parameter, in the model's units; a fresh dictionary to change at will."""
    return {name: parameter.value for name, parameter in parameters().items()}
