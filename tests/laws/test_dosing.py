"""A dose becomes mg of base for each person, and an impossible one is refused by a code of its own."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regrow.dosing import ROUTES, Dose, Session, check_ceilings, check_overlap, ideal_weight, segments, sprays
from regrow.dosing import given as order
from regrow.refusal import Refusal

CEILINGS = {"iv": 15.0, "im": 15.0, "oral": 10.0, "intranasal": 3.0}
weights = st.floats(min_value=30, max_value=250)


def code_of(call, *args, **named) -> str:
    with pytest.raises(Refusal) as caught:
        call(*args, **named)
    assert "\n" not in caught.value.sentence
    assert caught.value.field
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "duration", "mg_at_80_kg"),
    [
        ("0.5 mg/kg", "40 min", 40.0),
        ("84 mg", None, 84.0),
        ("20 mg/h", "2 h", 40.0),
        ("0.35 mg/kg/h", "4 h", 112.0),
        ("35 ug/kg/min", "40 min", 112.0),
        ("115.3 mg hydrochloride", None, 100.0),
        ("1.153 mg/kg HCl", None, 80.0),
    ],
)
def test_every_way_to_state_a_dose_gives_mg_of_base(text, duration, mg_at_80_kg):
    assert Dose.of(text, duration=duration).mg(80.0) == pytest.approx(mg_at_80_kg, rel=1e-12)


@pytest.mark.parametrize(
    ("height_cm", "female", "kg"),
    [(177.8, False, 73.0), (165.1, True, 57.0), (152.4, True, 45.5), (140.0, False, 50.0)],
)
def test_ideal_weight_is_devine_s(height_cm, female, kg):
    assert ideal_weight(height_cm, female) == pytest.approx(kg)


def test_a_dose_per_ideal_or_adjusted_weight_counts_that_weight():
    assert Dose.of("1 mg/kg ideal").mg(120.0, 165.1, True) == pytest.approx(57.0)
    assert Dose.of("1 mg/kg{ideal}").mg(120.0, 165.1, True) == pytest.approx(57.0)
    assert Dose.of("1 mg/kg adjusted").mg(120.0, 165.1, True) == pytest.approx(57.0 + 0.4 * 63.0)


def test_a_dose_per_ideal_weight_is_refused_without_a_height():
    assert code_of(Dose.of("1 mg/kg ideal").mg, 80.0) == "HEIGHT-MISSING"


@given(st.lists(weights, min_size=1, max_size=5), st.sampled_from(["0.5 mg/kg", "84 mg", "1 mg/kg ideal"]))
def test_a_dose_for_many_people_is_the_dose_for_each(kg, text):
    height = np.linspace(150.0, 190.0, len(kg))
    female = np.arange(len(kg)) % 2 == 0
    together = Dose.of(text).mg(np.array(kg), height, female)
    assert together.shape == (len(kg),)
    for person, each in enumerate(together):
        alone = Dose.of(text).mg(kg[person], float(height[person]), bool(female[person]))
        assert each == pytest.approx(alone, rel=1e-12)


@given(st.floats(min_value=0, max_value=20), weights, st.floats(min_value=0.1, max_value=10))
def test_mg_are_linear_in_the_amount_and_in_the_weight(amount, kg, factor):
    dose = Dose("ketamine", amount)
    assert Dose("ketamine", amount * factor).mg(kg) == pytest.approx(factor * dose.mg(kg), rel=1e-12)
    assert dose.mg(kg * factor) == pytest.approx(factor * dose.mg(kg), rel=1e-12)


@given(st.floats(min_value=0, max_value=10).map(lambda x: float(f"{x:.6g}")), st.sampled_from(["mg", "mg/kg"]))
def test_a_dose_s_text_is_read_back_as_the_same_dose(amount, unit):
    dose = Dose("ketamine", amount, unit, salt="hydrochloride", weight="adjusted")
    assert Dose.of(dose.text) == dose


def test_another_drug_s_hydrochloride_is_refused():
    dose = Dose.of("10 mg hydrochloride", drug="memantine", route="oral")
    assert code_of(dose.mg, 70.0) == "SALT-FACTOR"


@pytest.mark.parametrize(("mg", "devices"), [(28, 1), (56, 2), (84, 3), (14, 1)])
def test_nasal_esketamine_comes_from_devices_five_minutes_apart(mg, devices):
    doses = order(f"{mg} mg", "esketamine", "nasal")
    assert [dose.device for dose in doses] == list(range(1, devices + 1))
    assert [dose.offset_h * 60 for dose in doses] == pytest.approx([5 * place for place in range(devices)])
    assert Session(0, doses).mg(70.0) == pytest.approx(mg)


def test_a_placebo_weighs_nothing():
    assert Session(0, order("0.5 mg/kg", "placebo")).mg(70.0) == 0


def test_an_infusion_in_segments_runs_them_one_after_the_other():
    doses = segments([("0.2 mg/kg", "5 min"), ("0.5 mg/kg/h", "30 min"), ("0.25 mg/kg/h", "1 h")])
    assert [dose.offset_h * 60 for dose in doses] == pytest.approx([0, 5, 35])
    session = Session(0, doses)
    assert session.mg(80.0) == pytest.approx(80 * (0.2 + 0.25 + 0.25))
    assert session.duration_h == pytest.approx(95 / 60)
    assert session.route == "iv"


def test_several_routes_make_one_session():
    session = Session(0, (*order("0.5 mg/kg"), Dose.of("50 mg", route="oral", at="1 h")))
    assert session.route == "iv+oral"
    assert session.mg(80.0) == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Dose.of("0.5"), "UNIT-MISSING"),
        (lambda: Dose.of("0.5 kg/m2"), "UNIT-DIMENSION"),
        (lambda: Dose.of("0.5 mg/kg dry"), "UNIT-UNKNOWN"),
        (lambda: Dose.of("0.5 mg/kg{dry}"), "UNIT-UNKNOWN"),
        (lambda: Dose.of("nan mg"), "NUMBER-BAD"),
        (lambda: Dose.of("-0.5 mg/kg"), "DOSE-RANGE"),
        (lambda: Dose("ketamine", math.nan), "DOSE-RANGE"),
        (lambda: Dose("ketamine", math.inf), "DOSE-RANGE"),
        (lambda: Dose("ketamine", 1.0, "g"), "DOSE-UNIT"),
        (lambda: Dose("ketamine", 1.0, weight="lean"), "DOSE-UNIT"),
        (lambda: Dose("ketamine", 1.0, salt="sulfate"), "DOSE-UNIT"),
        (lambda: Dose.of("1 mg", route="intrathecal"), "UNKNOWN-ROUTE"),
        (lambda: Dose("ketamine", 1.0, route="nasal"), "UNKNOWN-ROUTE"),
        (lambda: Dose.of("1 mg", duration="-5 min"), "DURATION-RANGE"),
        (lambda: Dose.of("1 mg", duration="2 a"), "DURATION-RANGE"),
        (lambda: Dose.of("1 mg", at="-1 h"), "DURATION-RANGE"),
        (lambda: Dose.of("1 mg", duration="5 mg"), "UNIT-DIMENSION"),
        (lambda: Dose.of("1 mg", route="im", duration="5 min"), "ROUTE-DURATION"),
        (lambda: Dose.of("1 mg/h"), "RATE-NO-DURATION"),
        (lambda: order("0.5 mg/kg", "esketamine", "nasal"), "DEVICE-DOSE"),
        (lambda: sprays(40), "DEVICE-DOSE"),
        (lambda: sprays(112), "DEVICE-DOSE"),
        (lambda: Session(-1, ()), "DAYS-BAD"),
        (lambda: Session(math.nan, ()), "DAYS-BAD"),
    ],
)
def test_a_bad_dose_is_refused_by_its_own_code(make, code):
    assert code_of(make) == code


def test_two_infusions_of_one_route_at_one_time_are_refused():
    first, second = Dose.of("20 mg", duration="40 min"), Dose.of("20 mg", duration="40 min", at="30 min")
    assert code_of(Session, 0, (first, second)) == "OVERLAP"
    assert code_of(check_overlap, (Session(0, (first,)), Session(0.02, (first,)))) == "OVERLAP"


def test_an_infusion_may_run_beside_a_bolus_another_route_or_right_after_another():
    infusion = Dose.of("20 mg", duration="40 min")
    other = Dose.of("20 mg", route="sc", duration="40 min")
    after = Dose.of("20 mg", duration="40 min", at="40 min")
    Session(0, (infusion, Dose.of("5 mg", at="10 min"), other, after))


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 2)), min_size=2, max_size=6))
def test_overlap_is_refused_exactly_when_some_pair_overlaps_whatever_the_order(runs):
    pairs = [(a, b) for i, a in enumerate(runs) for b in runs[i + 1 :]]
    margins = [min(a[0] + a[1], b[0] + b[1]) - max(a[0], b[0]) for a, b in pairs]
    assume(all(abs(margin) > 1e-6 for margin in margins))
    doses = tuple(Dose("ketamine", 1, "mg", duration_h=length, offset_h=start) for start, length in runs)
    if max(margins) > 0:
        assert code_of(Session, 0, doses) == "OVERLAP"
        assert code_of(Session, 0, doses[::-1]) == "OVERLAP"
    else:
        Session(0, doses)


@pytest.mark.parametrize(
    ("text", "route", "kg", "refused"),
    [
        ("15 mg/kg", "iv", 70, False),
        ("16 mg/kg", "iv", 70, True),
        ("84 mg", "intranasal", 30, False),
        ("210 mg", "intranasal", 60, True),
        ("11 mg/kg", "oral", 70, True),
        ("99 mg/kg", "rectal", 70, False),
    ],
)
def test_a_dose_above_its_route_s_ceiling_is_refused(text, route, kg, refused):
    sessions = [Session(0, (Dose.of(text, route=route),))]
    if refused:
        assert code_of(check_ceilings, sessions, CEILINGS, float(kg)) == "DOSE-CEILING"
    else:
        check_ceilings(sessions, CEILINGS, float(kg))


def test_the_ceiling_counts_what_is_given_within_24_hours():
    half = Dose.of("8 mg/kg")
    assert code_of(check_ceilings, [Session(0, (half,)), Session(0.9, (half,))], CEILINGS, 70.0) == "DOSE-CEILING"
    check_ceilings([Session(0, (half,)), Session(1, (half,))], CEILINGS, 70.0)
    four_days = Dose.of("22 mg/h", duration="100 h")
    check_ceilings([Session(0, (four_days,))], CEILINGS, 70.0)
    twice = Dose.of("50 mg/h", duration="100 h")
    assert code_of(check_ceilings, [Session(0, (twice,))], CEILINGS, 70.0) == "DOSE-CEILING"


@pytest.mark.parametrize(
    ("text", "duration", "refused"),
    [
        ("1.2 mg/kg/h", "72 h", False),  # Koppel 1990
        ("40 mg/h", "24 h", False),  # Goldberg 2010
        ("2 mg/kg/h", "24 h", False),
        ("2.01 mg/kg/h", "24 h", True),
        ("16 mg/kg", "40 min", True),
        ("15 mg/kg", "40 min", False),
    ],
)
def test_a_slow_infusion_is_held_by_its_rate_and_not_by_its_total(text, duration, refused):
    sessions, slow = [Session(0, (Dose.of(text, duration=duration),))], {"iv": 2.0}
    if refused:
        assert code_of(check_ceilings, sessions, CEILINGS, 50.0, slow=slow) == "DOSE-CEILING"
    else:
        check_ceilings(sessions, CEILINGS, 50.0, slow=slow)


def test_a_slow_infusion_hides_no_bolus_beside_it():
    doses = (Dose.of("1 mg/kg/h", duration="24 h"), Dose.of("16 mg/kg", at="1 h"))
    assert code_of(check_ceilings, [Session(0, doses)], CEILINGS, 70.0, slow={"iv": 2.0}) == "DOSE-CEILING"


def test_the_ceiling_looks_at_the_lightest_of_many_people():
    session = Session(0, (Dose.of("600 mg"),))
    check_ceilings([session], CEILINGS, np.array([70.0, 80.0]))
    assert code_of(check_ceilings, [session], CEILINGS, np.array([70.0, 35.0])) == "DOSE-CEILING"


def test_every_route_can_be_dosed():
    assert {Dose.of("10 mg", route=route).route for route in ROUTES} == set(ROUTES)
