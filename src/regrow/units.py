"""Text to numbers in house units and back: "0.5 mg/kg", "40 min", "80 kg", UCUM spellings such as `mm[Hg]` too.

The one thing to know: a unit keeps what stands above its bar apart from what stands below, so "0.5 mg/kg" is drug per
body weight and never cancels to a bare number. House units are h, L, mg, mg/L, umol/L, mmHg, 1/min; every public
function names the unit that it takes or gives. The table is exact and closed: a unit that is not in it is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from numbers import Real
from typing import NamedTuple

from regrow.refusal import Refusal

_DAY_H, _YEAR_D = 24.0, 365.25  # UCUM: a = 365.25 d, mo = a/12
_FOOT_CM, _POUND_G = 30.48, 453.59237  # international foot and avoirdupois pound, exact by definition


def _rows(dimension: str, rows: dict[str, float]) -> dict[str, tuple[str, float]]:
    return {name: (dimension, size) for names, size in rows.items() for name in names.split()}


# Each name: its dimension and its size in the dimension's base (mg, cm, L, umol, h, mmHg, 1, points). Case counts, as
# in UCUM: "Mg" is a megagram, so it is refused with "mg" named rather than read as one or the other.
_TABLE: dict[str, tuple[str, float]] = {
    **_rows(
        "mass",
        {
            "kg kilogram kilograms": 1e6,
            "g gram grams": 1e3,
            "mg milligram milligrams": 1.0,
            "ug mcg µg μg microgram micrograms": 1e-3,
            "ng nanogram nanograms": 1e-6,
            "pg": 1e-9,
            "lb lbs [lb_av] pound pounds": _POUND_G * 1e3,
        },
    ),
    **_rows("length", {"m metre metres meter meters": 100.0, "cm": 1.0, "mm": 0.1}),
    **_rows("length", {"in inch inches [in_i]": _FOOT_CM / 12, "ft foot feet [ft_i]": _FOOT_CM}),
    **_rows("volume", {"L l litre litres liter liters": 1.0, "dL dl": 0.1, "mL ml cc": 1e-3, "uL ul µL μL": 1e-6}),
    **_rows("amount", {"mol": 1e6, "mmol": 1e3, "umol µmol μmol": 1.0, "nmol": 1e-3, "pmol": 1e-6}),
    **_rows("concentration", {"M": 1e6, "mM": 1e3, "uM µM μM": 1.0, "nM": 1e-3, "pM": 1e-6}),
    **_rows(
        "time",
        {
            "s sec second seconds": 1 / 3600,
            "min minute minutes": 1 / 60,
            "h hr hrs hour hours": 1.0,
            "d day days": _DAY_H,
            "wk week weeks": 7 * _DAY_H,
            "mo month months": _YEAR_D / 12 * _DAY_H,
            "a y yr year years": _YEAR_D * _DAY_H,
        },
    ),
    **_rows("pressure", {"mmHg mm[Hg]": 1.0, "kPa": 1 / 0.133322387415}),  # conventional millimetre of mercury
    **_rows("number", {"1": 1.0, "% percent": 0.01, "beat beats breath breaths": 1.0}),
    **_rows("score", {"points point": 1.0}),
}
_BPM = {"bpm": "1/min"}
# What a person would write for a quantity of each house unit: refusals show it.
_EXAMPLES = {"kg": "80 kg", "cm": "170 cm", "a": "45 y", "h": "40 min", "mg": "0.5 mg/kg"}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![.\d])\s*(.*?)\s*\Z", re.DOTALL)
_NOT_FINITE = re.compile(r"\s*[+-]?(nan|inf|infinity)\b", re.IGNORECASE)


class Unit(NamedTuple):
    """What a unit measures (dimensions above and below the bar, each sorted) and its size in base units."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    size: float

    @property
    def dimension(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.above, self.below


@lru_cache(maxsize=512)
def parse_unit(text: str, field: str = "unit") -> Unit:
    """The unit that `text` spells, such as `mg/kg/h`, `ug.kg-1.min-1`, `/min`, `mm[Hg]`.

    UCUM annotations in braces are read over (`{beats}/min`). Refuses with UNIT-UNKNOWN, naming the nearest known unit.
    """
    spelled = _BPM.get(text, text)
    stripped = re.sub(r"\{[^}]*\}", "", spelled)
    sides: tuple[list[str], list[str]] = ([], [])
    size = 1.0
    for position, part in enumerate(re.sub(r"\s+per\s+", "/", stripped).split("/")):
        for atom in re.split(r"[.·*\s]+", part.strip()):
            if atom == "" and (len(spelled) > len(stripped) or position == 0) and stripped != "":
                continue  # "/min", and "{beats}/min" once the braces are gone
            name, power = _power(atom)
            if name not in _TABLE:
                raise _unknown(text, name, field)
            dimension, scale = _TABLE[name]
            side = (position > 0) != (power < 0)
            if dimension == "concentration":  # uM is umol/L: keep one dimension for both spellings
                sides[side].extend(["amount"] * abs(power))
                sides[not side].extend(["volume"] * abs(power))
            elif dimension != "number":
                sides[side].extend([dimension] * abs(power))
            size *= scale ** (-abs(power) if side else abs(power))
    above, below = sides
    return Unit(tuple(sorted(above)), tuple(sorted(below)), size)


def _power(atom: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*[^\d+-])\^?([+-]?[1-9])", atom)
    return (found[1].rstrip("^"), int(found[2])) if found and found[1].rstrip("^") in _TABLE else (atom, 1)


def _unknown(text: str, name: str, field: str) -> Refusal:
    known = {spelling.lower(): spelling for spelling in reversed(_TABLE)}
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"; did you mean {known[near[0]]}?" if near else ""
    shown = repr(name) if name == text else f"{name!r} in {text!r}"
    example = "use a unit such as mg, mg/kg, mg/kg/h, ug/kg/min, min, h, d, kg, cm, mmHg"
    return Refusal("UNIT-UNKNOWN", f"{field}: unit {shown} is not known{hint}; {example}", field=field, value=text)


def read(text: str, unit: str, field: str) -> float:
    """The number that `text` states, in `unit`: read("30 min", "h", "duration") is 0.5.

    `field` is what the person calls the value, and every refusal names it: NUMBER-BAD (no number, nan, infinite),
    UNIT-MISSING, UNIT-UNKNOWN, UNIT-DIMENSION.
    """
    return read_as(text, (unit,), field)[0]


def read_as(text: str, units: Sequence[str], field: str) -> tuple[float, str]:
    """The number that `text` states and the one of `units` it is in, chosen by dimension.

    read_as("35 ug/kg/min", ("mg", "mg/kg/h"), "dose") is (2.1, "mg/kg/h"). Refuses as `read` does.
    """
    value, spelled = split(text, field, units[0])
    found = parse_unit(spelled, field)
    for unit in units:
        wanted = parse_unit(unit)
        if wanted.dimension == found.dimension:
            return value * (found.size / wanted.size), unit
    needed = _in_words(parse_unit(units[0]))
    sentence = f"{field}: {text!r} is {_in_words(found)}, but {needed} is needed; {_for_example(units[0])}"
    raise Refusal("UNIT-DIMENSION", sentence, field=field, value=text)


def split(text: str, field: str, example_unit: str = "mg") -> tuple[float, str]:
    """The finite number and the unit's spelling in `text`, the unit not yet looked up.

    Refuses with NUMBER-BAD and UNIT-MISSING. A bare Python number has no unit and is refused as text without one is.
    """
    if isinstance(text, Real) and not isinstance(text, bool):
        text = repr(float(text))
    if not isinstance(text, str):
        raise _not_a_number(repr(text), field, example_unit)
    found = _NUMBER.match(text)
    if not found or _NOT_FINITE.match(text) or found[2].startswith(","):
        raise _not_a_number(repr(text), field, example_unit)
    value = float(found[1])
    if not math.isfinite(value):
        raise _not_a_number(repr(text), field, example_unit)
    if not found[2]:
        sentence = f"{field}: {text!r} has no unit; write one behind the number, {_for_example(example_unit)}"
        raise Refusal("UNIT-MISSING", sentence, field=field, value=text)
    return value, found[2]


def number(text: str | float, field: str, low: float = -math.inf, high: float = math.inf) -> float:
    """The finite plain number in `text`, for what has no unit (a score, a count of people).

    Refuses with NUMBER-BAD, and with NUMBER-RANGE outside low..high.
    """
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        sentence = (
            f"{field}: {text!r} is not a finite number; write digits with a decimal point and no unit, for example 33"
        )
        raise Refusal("NUMBER-BAD", sentence, field=field, value=text)
    if not low <= value <= high:
        sentence = f"{field}: {value:g} lies outside {low:g} to {high:g}; give a number within that range"
        raise Refusal("NUMBER-RANGE", sentence, field=field, value=text)
    return value


def convert(value: float, unit: str, to: str) -> float:
    """`value`, stated in `unit`, in the unit `to`. Works on arrays too. Refuses with UNIT-DIMENSION, UNIT-UNKNOWN."""
    found, wanted = parse_unit(unit), parse_unit(to)
    if found.dimension != wanted.dimension:
        ways = f"{unit} is {_in_words(found)} and {to} is {_in_words(wanted)}"
        sentence = f"unit: {ways}; convert between units of one dimension"
        raise Refusal("UNIT-DIMENSION", sentence, field="unit", value=unit)
    return value * (found.size / wanted.size)


def write(value: float, unit: str, digits: int | None = None) -> str:
    """`value` and `unit` as text that `read` takes back: all digits of the float, or `digits` significant ones."""
    spelled = repr(float(value)) if digits is None else f"{value:.{digits}g}"
    return f"{spelled.removesuffix('.0')} {unit}"


def _not_a_number(shown: str, field: str, example_unit: str) -> Refusal:
    sentence = f"{field}: {shown} does not begin with a finite number; write digits with a decimal point, then the unit"
    return Refusal("NUMBER-BAD", f"{sentence}, {_for_example(example_unit)}", field=field, value=shown)


def _for_example(unit: str) -> str:
    return f'for example "{_EXAMPLES.get(unit, f"0.5 {unit}")}"'


def _in_words(unit: Unit) -> str:
    above = " x ".join(unit.above) or "a number"
    return " per ".join([above, *unit.below])
