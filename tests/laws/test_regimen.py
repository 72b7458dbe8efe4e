"""A protocol is walked visit by visit: phases follow each other, and a rule over a score ends one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.dosing import given as order
from regrow.refusal import Refusal
from regrow.regimen import Course, Phase, Protocol, Rule, advance, opening, read_days, revise, walk

DOSE = order("0.5 mg/kg")
REMISSION = Rule("MADRS", at_most=10, visits=2, name="remission")
INDUCTION = Phase("induction", (DOSE,), days=(0, 3, 7))
WEEKLY = Phase("weekly", (DOSE,), every_days=7, until=REMISSION)
MONTHLY = Phase("monthly", (DOSE,), every_days=28, optional=True)


def protocol(*phases: Phase, assumed: tuple[str, ...] = ()) -> Protocol:
    return Protocol("test", "A test", "here", phases, DOSE, assumed=assumed)


def days(sessions) -> list[float]:
    return [session.day for session in sessions]


def code_of(call, *args, **named) -> str:
    with pytest.raises(Refusal) as caught:
        call(*args, **named)
    assert "\n" not in caught.value.sentence
    return caught.value.code


RULED = protocol(INDUCTION, WEEKLY, MONTHLY)


def test_the_opening_block_ends_at_the_first_visit_that_decides():
    sessions, progress = opening(RULED, 182)
    assert days(sessions) == [0, 3, 7, 14]
    assert progress is not None
    assert (progress.day, progress.rule(RULED)) == (14, REMISSION)


def test_remission_at_two_visits_in_a_row_ends_the_weekly_phase():
    assert days(walk(RULED, 100, [True, True])) == [0, 3, 7, 14, 21, 49, 77]
    assert days(walk(RULED, 100, [True, False, True, True])) == [0, 3, 7, 14, 21, 28, 35, 63, 91]


def test_without_remission_the_weekly_phase_goes_on_to_the_horizon():
    assert days(walk(RULED, 50)) == [0, 3, 7, 14, 21, 28, 35, 42, 49]


@given(st.lists(st.booleans(), max_size=12))
def test_walking_in_blocks_gives_each_session_once_in_rising_order(answers):
    found = days(walk(RULED, 182, answers))
    assert found == sorted(set(found))
    assert all(day < 182 for day in found)


@given(st.lists(st.booleans(), max_size=30))
def test_people_with_the_same_progress_have_the_same_course_ahead(answers):
    seen = {}
    _, progress = opening(RULED, 182)
    for answer in [*answers, False]:
        if progress is None:
            break
        ahead = advance(RULED, progress, answer, 182)
        assert seen.setdefault((progress, answer), ahead) == ahead
        progress = ahead[1]


@given(st.integers(min_value=15, max_value=180), st.lists(st.booleans(), max_size=12))
def test_a_nearer_horizon_only_cuts_sessions_off(horizon, answers):
    far, near = days(walk(RULED, 182, answers)), days(walk(RULED, horizon, answers))
    assert near == [day for day in far if day < horizon]


def test_a_rule_is_met_person_by_person():
    score, baseline = np.array([10.0, 10.1, 33.0, np.nan]), np.array([33.0, 33.0, 33.0, 33.0])
    assert REMISSION.met(score, baseline).tolist() == [True, False, False, False]
    response = Rule("MADRS", fall_percent=50)
    assert response.met(np.array([16.5, 16.6]), np.array([33.0, 33.0])).tolist() == [True, False]
    assert bool(response.met(16.0, 33.0)) is True


def test_a_rule_s_text_says_what_ends_the_phase():
    assert REMISSION.text == "MADRS at most 10 (remission) at 2 consecutive visits"


def test_the_last_listed_doses_repeat():
    phase = Phase("wk", (order("56 mg", "esketamine", "nasal"), order("84 mg", "esketamine", "nasal")), days=(0, 3, 7))
    assert [session.mg(70.0) for session in walk(protocol(phase), 99)] == pytest.approx([56, 84, 84])


def test_a_count_ends_a_phase_of_regular_sessions():
    two = protocol(Phase("a", (DOSE,), every_days=2, count=3), Phase("b", (DOSE,), every_days=7, count=2))
    assert two.days == [0, 2, 4, 11, 18]
    assert not two.open_ended
    assert two.until_h == (18 + 28) * 24
    assert days(walk(two, 1000)) == two.days


def test_a_ruled_phase_may_be_bounded_by_a_count():
    bounded = protocol(INDUCTION, Phase("weekly", (DOSE,), every_days=7, count=2, until=REMISSION), MONTHLY)
    assert days(walk(bounded, 60)) == [0, 3, 7, 14, 21, 49]


def test_an_open_ended_protocol_is_simulated_for_26_weeks():
    assert RULED.days == [0, 3, 7]
    assert RULED.open_ended
    assert RULED.until_h == 26 * 168


def test_a_protocol_without_a_schedule_is_refused_until_days_are_given():
    none = protocol()
    assert code_of(opening, none) == "PROTOCOL-NO-DAYS"
    assert days(walk(revise(none, days="0, 3,7"), 99)) == [0, 3, 7]


@pytest.mark.parametrize("text", ["", "a", "0,,3", "0,3,3", "-1,3", "nan", "0,inf", "99999", None, 3])
def test_bad_days_are_refused(text):
    assert code_of(read_days, text) == "DAYS-BAD"


@given(st.permutations([0.0, 3.0, 7.0, 10.5]))
def test_days_may_be_given_in_any_order(order_given):
    assert read_days(order_given) == (0.0, 3.0, 7.0, 10.5)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Phase("p", (), days=(0,)), "PHASE-BAD"),
        (lambda: Phase("p", (DOSE,)), "PHASE-BAD"),
        (lambda: Phase("p", (DOSE,), days=(0,), every_days=7), "PHASE-BAD"),
        (lambda: Phase("p", (DOSE,), days=(3, 0)), "PHASE-BAD"),
        (lambda: Phase("p", (DOSE,), days=(0,), count=3), "PHASE-BAD"),
        (lambda: Phase("p", (DOSE,), every_days=0), "PHASE-BAD"),
        (lambda: Phase("p", (DOSE,), every_days=7, count=0), "PHASE-BAD"),
        (lambda: Phase("p", (order("1 mg", duration="30 h"),), every_days=1), "OVERLAP"),
        (lambda: protocol(MONTHLY, WEEKLY), "PHASE-BAD"),
        (lambda: protocol(INDUCTION, WEEKLY, Phase("p", (DOSE,), days=(90,))), "PHASE-BAD"),
        (lambda: protocol(INDUCTION, INDUCTION), "PHASE-BAD"),
        (lambda: protocol(INDUCTION, Phase("p", (DOSE,), every_days=7, first_day=5)), "PHASE-BAD"),
        (lambda: protocol(Phase("p", (order("1 mg", duration="30 h"),), days=(0, 1))), "OVERLAP"),
        (lambda: Rule("MADRS"), "RULE-BAD"),
        (lambda: Rule("MADRS", at_most=10, fall_percent=50), "RULE-BAD"),
        (lambda: Rule("MADRS", at_most=10, visits=0), "RULE-BAD"),
        (lambda: Rule("MADRS", at_most=math.nan), "RULE-BAD"),
        (lambda: Rule("MADRS", fall_percent=120), "RULE-BAD"),
        (lambda: opening(protocol(MONTHLY)), "UNTIL-MISSING"),
        (lambda: Course(RULED, belief="hopeful"), "UNKNOWN-BELIEF"),
        (lambda: Course(RULED, until_h=-1), "UNTIL-RANGE"),
    ],
)
def test_a_schedule_that_cannot_be_walked_is_refused(make, code):
    assert code_of(make) == code


def test_a_course_lasts_as_its_protocol_says_unless_told_otherwise():
    assert Course(RULED).hours == 26 * 168
    assert Course(RULED, until_h=100).hours == 100


# --- options ---

LISTED = protocol(INDUCTION, assumed=("dose 0.5 mg/kg", "duration 40 min"))


def first(revised: Protocol):
    return opening(revised, 182)[0][0].doses


def test_a_given_dose_replaces_every_session_s_and_is_no_longer_assumed():
    revised = revise(RULED, dose="0.75 mg/kg")
    assert {session.mg(80.0) for session in walk(revised, 182, [True, True])} == {60.0}
    assert revise(LISTED, dose="0.75 mg/kg").assumed == ("duration 40 min",)


def test_a_given_duration_keeps_the_dose():
    (dose,) = first(revise(LISTED, duration="1 h"))
    assert (dose.text, dose.duration_h) == ("0.5 mg/kg", 1.0)
    assert revise(LISTED, duration="1 h").assumed == ("dose 0.5 mg/kg",)


def test_a_given_route_that_is_not_infused_drops_the_duration():
    (dose,) = first(revise(LISTED, route="im"))
    assert (dose.route, dose.text, dose.duration_h) == ("im", "0.5 mg/kg", 0.0)
    assert code_of(revise, LISTED, route="im", duration="40 min") == "ROUTE-DURATION"


def test_a_nasal_protocol_turned_intravenous_runs_over_the_assumed_40_minutes():
    devices = order("84 mg", "esketamine", "nasal")
    nasal = Protocol("nasal", "A nasal test", "here", (Phase("p", (devices,), days=(0,)),), devices)
    revised = revise(nasal, route="iv")
    (dose,) = first(revised)
    assert (dose.text, dose.route, dose.device, dose.duration_h * 60) == ("84 mg", "iv", 0, pytest.approx(40))
    assert revised.assumed == ("duration 40 min",)


def test_an_enantiomer_or_a_placebo_takes_over_the_dose_and_another_drug_does_not():
    assert first(revise(LISTED, drug="esketamine"))[0].text == "0.5 mg/kg"
    assert first(revise(LISTED, drug="placebo"))[0].mg(70.0) == 0
    assert code_of(revise, LISTED, drug="midazolam") == "DOSE-MISSING"
    assert first(revise(LISTED, drug="midazolam", dose="0.045 mg/kg"))[0].drug == "midazolam"


def test_given_days_keep_what_each_session_holds():
    nasal = Phase("wk", (order("56 mg", "esketamine", "nasal"), order("84 mg", "esketamine", "nasal")), days=(0, 3))
    revised = revise(protocol(nasal), days="0,1,2")
    assert [(session.day, round(session.mg(70.0))) for session in walk(revised, 99)] == [(0, 56), (1, 84), (2, 84)]


def test_a_new_duration_for_a_session_of_several_doses_is_refused():
    mixed = protocol(Phase("p", ((*order("0.2 mg/kg", duration="0 min"), *order("0.3 mg/kg")),), days=(0,)))
    assert code_of(revise, mixed, duration="1 h") == "DOSE-SEVERAL"
    assert [dose.drug for dose in first(revise(mixed, drug="arketamine"))] == ["arketamine", "arketamine"]


def test_nothing_given_changes_nothing():
    assert revise(RULED) is RULED
