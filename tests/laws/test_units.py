"""Text becomes a number in house units, or is refused by a code that says what is wrong with it."""

import math

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.refusal import Refusal
from regrow.units import convert, number, parse_unit, read, read_as, write

PINT = pint.UnitRegistry()
finite = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("0.5 mg/kg", "mg/kg", 0.5),
        ("40 min", "h", 40 / 60),
        ("26 weeks", "h", 26 * 168),
        ("80kg", "kg", 80),
        ("170 cm", "m", 1.7),
        ("45 y", "a", 45),
        ("35 ug/kg/min", "mg/kg/h", 2.1),
        ("0.35 mg/kg/h", "mg/kg/h", 0.35),
        ("84 mg", "mg", 84),
        ("35 ug.kg-1.min-1", "mg/kg/h", 2.1),
        ("120 mm[Hg]", "mmHg", 120),
        ("72 {beats}/min", "1/min", 72),
        ("72 /min", "1/min", 72),
        ("200 [lb_av]", "kg", 90.718474),
        ("0.2 uM", "umol/L", 0.2),
        ("185 ng/mL", "mg/L", 0.185),
        ("0.5 mg per kg", "mg/kg", 0.5),
        ("50 %", "1", 0.5),
        ("2e3 mcg", "mg", 2),
    ],
)
def test_a_clinician_s_spelling_is_read_in_house_units(text, unit, expected):
    assert read(text, unit, "field") == pytest.approx(expected, rel=1e-12)


# Ours, and what pint calls the same unit: an independent table of the same sizes.
PEERS = [
    ("mg/kg/h", "ug/kg/min", "mg/kg/h", "ug/kg/min"),
    ("mg/L", "ng/mL", "mg/L", "ng/mL"),
    ("kg", "lb", "kg", "lb"),
    ("cm", "[in_i]", "cm", "inch"),
    ("cm", "ft", "cm", "foot"),
    ("h", "wk", "h", "week"),
    ("h", "a", "h", "year"),
    ("h", "mo", "h", "month"),
    ("mmHg", "kPa", "mmHg", "kPa"),
    ("umol/L", "nM", "umol/L", "nanomolar"),
    ("1/min", "1/h", "1/min", "1/h"),
    ("mg.h/L", "ng.min/mL", "mg*h/L", "ng*min/mL"),
    ("kg/m2", "[lb_av]/[in_i]2", "kg/m**2", "lb/inch**2"),
]


@pytest.mark.parametrize(("to", "unit", "pint_to", "pint_unit"), PEERS)
def test_sizes_agree_with_an_independent_unit_table(to, unit, pint_to, pint_unit):
    assert convert(1.0, unit, to) == pytest.approx(PINT.Quantity(1.0, pint_unit).to(pint_to).magnitude, rel=1e-7)


@given(finite, st.sampled_from(["mg", "mg/kg", "mg/kg/h", "min", "kg", "mmHg", "ug/kg/min"]))
def test_what_is_written_is_read_back_unchanged(value, unit):
    assert read(write(value, unit), unit, "field") == value


@given(finite, st.sampled_from([row[:2] for row in PEERS]))
def test_converting_there_and_back_changes_nothing(value, pair):
    to, unit = pair
    assert convert(convert(value, unit, to), to, unit) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_one_of_several_units_is_chosen_by_dimension():
    units = ("mg", "mg/kg", "mg/h", "mg/kg/h")
    assert read_as("84 mg", units, "dose") == (84.0, "mg")
    assert read_as("0.5 mg/kg", units, "dose") == (0.5, "mg/kg")
    assert read_as("20 mg/h", units, "dose") == (20.0, "mg/h")
    value, unit = read_as("35 ug/kg/min", units, "dose")
    assert (round(value, 12), unit) == (2.1, "mg/kg/h")


def test_drug_per_body_weight_never_cancels_to_a_bare_number():
    assert parse_unit("mg/kg").dimension == (("mass",), ("mass",))
    with pytest.raises(Refusal) as caught:
        read("0.5 mg/kg", "1", "share")
    assert caught.value.code == "UNIT-DIMENSION"


@pytest.mark.parametrize(
    ("text", "unit", "code"),
    [
        ("80", "kg", "UNIT-MISSING"),
        (80, "kg", "UNIT-MISSING"),
        ("80 stonefish", "kg", "UNIT-UNKNOWN"),
        ("80 Mg", "kg", "UNIT-UNKNOWN"),
        ("80 mg//kg", "mg/kg", "UNIT-UNKNOWN"),
        ("80 mg/", "mg", "UNIT-UNKNOWN"),
        ("80 {annotation}", "mg", "UNIT-UNKNOWN"),
        ("80 cm", "kg", "UNIT-DIMENSION"),
        ("0.5 mg", "mg/kg", "UNIT-DIMENSION"),
        ("nan kg", "kg", "NUMBER-BAD"),
        ("-inf kg", "kg", "NUMBER-BAD"),
        ("1e999 kg", "kg", "NUMBER-BAD"),
        (math.nan, "kg", "NUMBER-BAD"),
        ("heavy", "kg", "NUMBER-BAD"),
        ("80,5 kg", "kg", "NUMBER-BAD"),
        ("1.2.3 kg", "kg", "NUMBER-BAD"),
        ("", "kg", "NUMBER-BAD"),
        (None, "kg", "NUMBER-BAD"),
        (True, "kg", "NUMBER-BAD"),
    ],
)
def test_bad_text_is_refused_by_its_own_code_naming_field_and_value(text, unit, code):
    with pytest.raises(Refusal) as caught:
        read(text, unit, "weight")
    refusal = caught.value
    assert refusal.code == code
    assert refusal.field == "weight"
    assert refusal.sentence.startswith("weight: ")
    assert "\n" not in refusal.sentence


def test_an_unknown_unit_is_answered_with_the_nearest_known_one():
    with pytest.raises(Refusal, match="did you mean kg"):
        read("80 Kg", "kg", "weight")


@pytest.mark.parametrize("text", ["nan", "inf", "many", None, ""])
def test_a_plain_number_that_is_none_is_refused(text):
    with pytest.raises(Refusal) as caught:
        number(text, "baseline")
    assert caught.value.code == "NUMBER-BAD"


def test_a_plain_number_outside_its_range_is_refused_with_the_range():
    assert number("33", "baseline", 0, 60) == 33
    with pytest.raises(Refusal, match="0 to 60") as caught:
        number("61", "baseline", 0, 60)
    assert caught.value.code == "NUMBER-RANGE"


@given(st.text(max_size=12))
def test_any_text_is_either_read_or_refused_and_nothing_else(text):
    try:
        value = read(text, "kg", "weight")
    except Refusal:
        return
    assert math.isfinite(value)
