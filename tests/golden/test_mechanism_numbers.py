"""Reference numbers of the mechanism: what the standard person and the rat must show, with their tolerance."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from mechanism_course import Dose, Run, course, rat


@cache
def given(mg_kg: float) -> Run:
    return course(Dose(mg_kg))


@pytest.mark.parametrize(
    ("hour", "least", "most"),
    [(2 / 3, -3.0, -0.5), (7 / 6, -8.0, -2.5), (11 / 3, -13.0, -5.0), (24, -13.5, -6.0), (168, -9.0, -2.5)],
    ids=["40 min", "70 min", "220 min", "24 h", "7 d"],
)
def test_one_infusion_moves_the_score_as_the_trials_report(hour: float, least: float, most: float) -> None:
    """What the calibration ships: seen by 40 min, nearly whole by 220 min, largest near a day, partly there at a week.

    The standard person is one who can gain, without a placebo arm to share the gain with, so these lie above the
    contrasts of trials (-3.9 to -8.0 at 24 h, docs/decisions/0072).
    """
    assert least < given(0.5).change(hour) < most


@pytest.mark.parametrize(("mg_kg", "part"), [(0.1, 0.5), (1.0, 1.0), (4.5, 0.3)])
def test_the_effect_at_a_day_is_flat_in_dose_and_falls_at_both_ends(mg_kg: float, part: float) -> None:
    assert given(mg_kg).change(24) / given(0.5).change(24) == pytest.approx(part, abs=0.1)


def test_free_ketamine_at_the_receptor_peaks_near_half_a_micromole() -> None:
    assert 0.45 < given(0.5).peak("Ce") < 0.55


def test_density_hardly_moves_at_a_day() -> None:
    gained = given(0.5).at("density", 24) - given(0.5).at("density", 0)
    assert 0.02 < gained < 0.05


def test_the_resting_pool_is_blocked_most_and_the_phasic_pool_spared() -> None:
    run = given(0.5)
    assert run.peak("B_T") > 2 * run.peak("b_I") > 4 * run.peak("b_S")
    assert run.peak("b_S") < 0.1


def test_glutamate_rises_between_what_two_ways_of_measuring_it_in_people_gave() -> None:
    assert 1.13 < given(0.5).peak("G") < 1.38


@pytest.mark.parametrize(("mg_kg", "low", "high"), [(10, 1.1, 1.4), (20, 1.1, 1.4), (30, 1.1, 1.4), (50, 0.9, 1.1)])
def test_rat_glutamate_over_100_min_rises_up_to_30_mg_kg_and_is_neutral_at_50(
    mg_kg: float, low: float, high: float
) -> None:
    assert low < mean_glutamate(mg_kg) < high


def test_rat_glutamate_falls_at_200_mg_kg() -> None:
    assert mean_glutamate(200) < 0.9


def mean_glutamate(mg_kg: float) -> float:
    run = rat(mg_kg, until=4.0)
    first = run.hours <= 100 / 60
    return float(np.trapezoid(run.values["G"][first], run.hours[first]) / run.hours[first][-1])


def test_rodent_p_eef2_is_down_at_30_min_and_back_at_8_h() -> None:
    run = rat(10)
    assert run.at("E", 0.5) < 0.75
    assert run.at("E", 8) > 0.97


def test_rodent_mtorc1_is_up_within_the_hour_and_gone_by_4_h() -> None:
    run = rat(10)
    assert run.at("M", 0.5) > 0.5 * run.peak("M")
    assert run.at("M", 1) > 0.9 * run.peak("M")
    assert run.at("M", 2) < 0.6 * run.peak("M")
    assert run.at("M", 4) < 0.05 * run.peak("M")


def test_an_anaesthetic_dose_in_the_rat_makes_next_to_no_synaptic_protein() -> None:
    assert rat(80).peak("P") < 0.1 * rat(10).peak("P")


def test_the_score_without_drug_and_belief_stays_where_it_was() -> None:
    run = course()
    assert np.ptp(run.values["D"]) < 1e-6


@pytest.mark.parametrize("m0", [1.0, 10.0, 33.0, 59.0])
def test_the_score_stays_between_0_and_60_under_every_arm_at_once(m0: float) -> None:
    daily = [Dose(0.5, 24.0 * day) for day in range(7)]
    run = course(
        *daily, using=["ssri", "lithium", "habenula"], sets={"M0": m0, "theta_W": 4.0}, expectancy=[(0.0, 1.0)]
    )
    assert run.values["D"].min() >= 0.0
    assert run.values["D"].max() <= 60.0
