"""The verdict on a published figure: intervals, z, within, covered, as the evidence contract defines them."""

import dataclasses
import json
import math

import numpy as np
import pytest

from regrow.catalog import evidence as catalog
from regrow.catalog.evidence import Contrast, Figure
from regrow.evidence import Simulated, Unpredictable, check, measure, verdict
from regrow.evidence.checking import tally
from regrow.evidence.verdict import Estimate, Sample


def figure(**keys) -> Figure:
    return Figure(**{"what": "change", "of": "MADRS", "at": "24 h", "mean": -16.5} | keys)


def share(percent: float, **keys) -> Figure:
    return figure(**{"what": "response", "mean": None, "percent": percent} | keys)


# --- what was observed ----------------------------------------------------------------------------------------------


def test_wilson_gives_the_interval_printed_in_the_records():
    low, high = verdict.wilson(100 * 30 / 47, 47)
    assert (round(low, 1), round(high, 1)) == (49.5, 76.0)
    assert verdict.wilson(0, 33)[0] == 0
    assert verdict.wilson(100, 9)[1] == 100


def test_the_observed_interval_is_the_printed_one_before_all_others():
    seen = verdict.observed(figure(ci95=[-20, -13], se=9, sd=30, n=7), 7)
    assert seen.ci95 == (-20, -13)


def test_a_standard_error_comes_before_a_standard_deviation_and_both_take_student():
    by_se = verdict.observed(figure(se=2.0, sd=30, n=7), 7).ci95
    by_sd = verdict.observed(figure(sd=10, n=7), 7).ci95
    assert by_se == pytest.approx((-16.5 - 2 * 2.4469, -16.5 + 2 * 2.4469), abs=1e-3)
    assert by_sd == pytest.approx((-16.5 - 9.2484, -16.5 + 9.2484), abs=1e-3)


def test_an_effect_in_standard_deviations_has_the_interval_of_its_n():
    alone = figure(what="effect", mean=-1.61)
    low, high = verdict.observed(alone, 1247).ci95
    assert (low, high) == pytest.approx((-1.694, -1.526), abs=1e-3)
    between = Contrast(arms=("a", "b"), what="effect", of="HDRS-6", at="1 d", mean=-0.82)
    low, high = verdict.observed(between, (18, 19)).ci95  # Hedges and Olkin: sqrt(1/18 + 1/19 + 0.82^2 / 74)
    assert (low, high) == pytest.approx((-1.492, -0.148), abs=1e-3)
    assert verdict.observed(figure(what="effect", of="SBP", mean=10.0, at="1 h"), 40).ci95 is None


def test_a_mean_without_any_spread_has_no_interval():
    assert verdict.observed(figure(n=40), 40).ci95 is None


# --- within and covered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected", "within"),
    [
        (figure(ci95=[-20, -13]), -13.5, True),  # inside the interval
        (figure(ci95=[-20, -13]), -12.5, False),  # outside it, and further than 3 points
        (figure(ci95=[-17, -16]), -13.6, True),  # outside a narrow one, within 3 points
        (figure(), -13.6, True),
        (figure(), -13.4, False),
        (share(50, ci95=[48, 52]), 59.9, True),  # within 10 percentage points
        (share(50, ci95=[48, 52]), 60.1, False),
        (figure(of="HDRS-17", mean=-10), -7.5, True),  # 5 % of the scale's 52 points
        (figure(of="HDRS-17", mean=-10), -7.3, False),
    ],
)
def test_within_is_the_observed_interval_or_the_contracts_tolerance(given, expected, within):
    seen = verdict.observed(given, None)
    found = verdict.judge(given, seen, Estimate(expected, (expected - 1, expected + 1)), measure.span_of(given.of))
    assert found.within is within


def test_a_contrast_has_two_points_and_a_concentration_one_and_a_half_fold():
    contrast = Contrast(arms=("a", "b"), what="change", of="MADRS", at="24 h", mean=-4)
    level = Figure(what="cmax", of="ketamine", at="4 h", mean=200)
    for given, good, bad in ((contrast, -2.1, -1.9), (level, 134, 132), (level, 299, 301)):
        seen = verdict.observed(given, None)
        assert verdict.judge(given, seen, Estimate(good, None), 60).within, given
        assert not verdict.judge(given, seen, Estimate(bad, None), 60).within, given


def test_covered_asks_whether_the_predicted_interval_holds_what_was_seen():
    given = figure(ci95=[-18, -15])
    seen = verdict.observed(given, None)
    assert verdict.judge(given, seen, Estimate(-8, (-17, 1)), 60).covered
    assert not verdict.judge(given, seen, Estimate(-8, (-16, 0)), 60).covered


def test_z_is_the_difference_over_the_pooled_standard_error():
    given = figure(mean=-10, ci95=[-10 - 3 * verdict.Z95, -10 + 3 * verdict.Z95])
    expected = Estimate(-5, (-5 - 4 * verdict.Z95, -5 + 4 * verdict.Z95))
    assert verdict.judge(given, verdict.observed(given, None), expected, 60).z == pytest.approx(1.0)


# --- what is predicted ----------------------------------------------------------------------------------------------


def people(mean: float, sd: float, n: int = 1000) -> np.ndarray:
    return mean + sd * np.random.default_rng(5).standard_normal(n)


def test_the_predicted_interval_holds_19_of_20_studies_drawn_from_the_model():
    """Studies drawn as the model says studies differ: 95 % of them lie inside."""
    rng = np.random.default_rng(11)
    spread = verdict.between()
    for n in (12, 60):
        expected = verdict.predicted(Sample(people(-12, 9), "mean", "points"), n, 1)
        truth = -12 + spread["points"] * rng.standard_normal(2000) + 9 / math.sqrt(n) * rng.standard_normal(2000)
        assert expected.ci95 is not None
        assert 0.93 < np.mean((truth > expected.ci95[0]) & (truth < expected.ci95[1])) < 0.97
        shares = Sample(people(0, 1) > 0.3, "share", "share")
        expected = verdict.predicted(shares, n, 1)
        p = 1 / (1 + np.exp(-(np.log(0.3821 / 0.6179) + spread["share"] * rng.standard_normal(2000))))
        truth = 100 * rng.binomial(n, p) / n
        assert expected.ci95 is not None
        assert np.mean((truth >= expected.ci95[0]) & (truth <= expected.ci95[1])) > 0.93


def test_a_small_study_has_a_wider_predicted_interval_than_a_large_one():
    found = Sample(people(-12, 9), "mean", "points")
    widths = []
    for n in (10, 100, 10_000):
        interval = verdict.predicted(found, n, 1).ci95
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(2 * 2.093 * verdict.between()["points"], rel=0.05)


def test_the_difference_of_two_arms_spreads_less_than_either_arm():
    one, two = Sample(people(-16, 9), "mean", "points"), Sample(people(-9, 9), "mean", "points")
    arm = verdict.predicted(one, 200, 1).ci95
    difference = verdict.predicted_contrast(one, two, (200, 200), 1)
    assert difference.value == pytest.approx(-7)
    assert arm is not None
    assert difference.ci95 is not None
    assert difference.ci95[1] - difference.ci95[0] < arm[1] - arm[0]


def test_ratios_compare_shares_the_way_they_are_named():
    one = Sample(np.arange(100) < 27, "share", "share")
    two = Sample(np.arange(100) < 45, "share", "share")
    for unit, value in (("risk ratio", 0.6), ("odds ratio", 0.4520), ("hazard ratio", 0.5264)):
        assert verdict.predicted_contrast(one, two, (90, 86), 1, unit).value == pytest.approx(value, abs=1e-3)


def test_a_standardised_difference_is_cohens_d():
    one, two = (
        Sample(people(-6, 10), "standardised", "standardised"),
        Sample(people(0, 10), "standardised", "standardised"),
    )
    found = verdict.predicted_effect(one, two, (20, 20), 1)
    assert found.value == pytest.approx(-0.6, abs=0.01)
    assert found.ci95 is not None
    assert found.ci95[0] < -0.6 < found.ci95[1]


def test_the_same_seed_gives_the_same_interval():
    found = Sample(people(-12, 9), "mean", "points")
    assert verdict.predicted(found, 40, 3) == verdict.predicted(found, 40, 3)


# --- a whole check --------------------------------------------------------------------------------------------------

STUDY = """
id = "doe2020"
citation = "Doe J. A study that was never done. J Nowhere 2020;1:1"
confidence = "abstract"
use = "validation"

[population]
condition = "depression"
n = 40
baseline = { scale = "MADRS", mean = 32, sd = 4 }

[[arm]]
name = "ketamine"
drug = "ketamine"
dose = "0.5 mg/kg"
route = "iv"
duration = "40 min"
days = [0]
belief = "open"

[[arm.observed]]
what = "change"
of = "MADRS"
at = "24 h"
mean = -16
sd = 8

[[arm.observed]]
what = "response"
of = "MADRS"
at = "24 h"
percent = 50

[[arm.observed]]
what = "score"
of = "C-SSRS"
at = "24 h"
mean = 3

[[arm]]
name = "ect"
drug = "ect"
days = [0]
belief = "open"

[[arm.observed]]
what = "response"
of = "MADRS"
at = "24 h"
percent = 50

[[contrast]]
arms = ["ketamine", "ect"]
what = "response"
of = "MADRS"
at = "24 h"
percent = 0
"""


def constant(fall: float):
    """A predictor whose people all fall by `fall` points at once and stay there; ECT it does not know."""

    def predict(study, arm, figures, n, seed):
        if arm.drug == "ect":
            raise Unpredictable("ECT is not simulated")
        entry = 32 + 4 * np.random.default_rng(seed).standard_normal(n)
        gain = fall * (1 + 0.5 * np.random.default_rng(seed + 1).standard_normal(n))
        times = np.array([0.0, 0.01, 24.0, 48.0])
        madrs = np.stack([entry, entry - gain, entry - gain, entry - gain], axis=1)
        return Simulated(times, {"madrs": madrs}, entry, seed)

    return predict


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "doe2020.toml"
    path.write_text(STUDY)
    return path


def test_a_check_prints_the_keys_of_the_contract_for_every_figure(file):
    found = json.loads(check([file], predict=constant(16)).to_json())
    keys = {"study", "arm", "what", "of", "at", "observed", "observed_ci95", "predicted", "predicted_ci95", "z"}
    keys |= {"within", "covered", "use"}
    assert len(found["figures"]) == 5
    for row in found["figures"]:
        assert keys <= set(row)
    assert set(found["summary"]) >= {"calibration", "validation"}
    assert {"n", "within", "covered"} <= set(found["summary"]["validation"])
    assert found["summary"]["calibration"]["n"] == 0
    assert found["figures"][-1]["arm"] == "ketamine - ect"


def test_a_right_prediction_is_within_and_covered_and_a_wrong_one_neither(file):
    right = check([file], predict=constant(16)).rows
    wrong = check([file], predict=constant(1)).rows
    assert [(row.within, row.covered) for row in right[:2]] == [(True, True)] * 2
    assert [(row.within, row.covered) for row in wrong[:2]] == [(False, False)] * 2


def test_what_cannot_be_predicted_says_why_and_counts_as_a_miss(file):
    found = check([file], predict=constant(16))
    silent = [row for row in found.rows if row.within is None]
    assert len(silent) == 3
    assert all(row.why and row.covered is None for row in silent)
    assert any("ECT is not simulated" in row.why for row in silent)
    assert any("C-SSRS" in row.why for row in silent)
    assert (found.tally("validation").n, found.tally("validation").within) == (5, 2)


def test_figures_that_overlap_another_study_are_shown_and_never_counted(file):
    file.write_text(STUDY.replace('use = "validation"', 'use = "check"'))
    found = check([file], predict=constant(16))
    assert len(found.rows) == 5
    assert found.tally("validation").n == found.tally("calibration").n == 0


def test_a_summary_averages_studies_as_well_as_figures(file):
    rows = check([file], predict=constant(16)).rows
    assert tally(rows).within_percent == 40
    assert tally([]).within_percent is None


def test_sharpness_is_the_mean_width_and_error_of_each_kind(file):
    found = check([file], predict=constant(16))
    points, share = found.sharpness("points", "validation"), found.sharpness("share", "validation")
    assert (points.n, share.n, found.sharpness("contrast", "validation").n) == (1, 1, 0)
    interval = found.rows[0].to_dict()["predicted_ci95"]
    assert points.mean_width == pytest.approx(interval[1] - interval[0], abs=0.02)
    assert points.mean_absolute_error == pytest.approx(abs(found.rows[0].to_dict()["predicted"] + 16), abs=0.01)


def test_the_text_names_hits_misses_and_reasons(file):
    text = check([file], predict=constant(16)).as_text()
    assert "doe2020" in text
    assert "not predicted: ECT is not simulated" in text
    assert any(line.startswith("validation ") and "5 figures" in line for line in text.splitlines()[-4:])


def test_the_same_check_gives_the_same_json(file):
    assert check([file], predict=constant(16)).to_json() == check([file], predict=constant(16)).to_json()


# --- from people to a figure ----------------------------------------------------------------------------------------


def simulated(values: dict, times, baseline=30.0, n=200, **keys) -> Simulated:
    wide = {name: np.broadcast_to(np.asarray(course, float), (n, len(times))) for name, course in values.items()}
    return Simulated(np.asarray(times, float), wide, np.full(n, float(baseline)), rating_sd=0.0, **keys)


def study(**arm):
    text = STUDY.split("[[arm]]")[0]
    keys = {"name": "a", "drug": "ketamine", "dose": "0.5 mg/kg", "route": "iv", "days": [0], "belief": "open"} | arm
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    found = catalog.parse(f"{text}\n[[arm]]\n{lines}\n", "x.toml")
    return found, found.arm[0]


def test_ever_looks_at_every_visit_and_at_the_end_only_otherwise():
    sim = simulated({"madrs": [30, 10, 10, 28, 28]}, [0, 1, 24, 48, 72])
    assert measure.sample(sim, *study(), share(0, at="72 h")).values.mean() == 0
    assert measure.sample(sim, *study(), share(0, at="72 h", ever=True)).values.mean() == 1
    assert measure.sample(sim, *study(), share(0, at="72 h", ever=True, visits=["48 h"])).values.mean() == 0


def test_a_sustained_response_must_hold_at_every_visit():
    held = simulated({"madrs": [30, 10, 10, 10, 10]}, [0, 24, 48, 72, 96])
    lost = simulated({"madrs": [30, 10, 28, 10, 10]}, [0, 24, 48, 72, 96])
    wanted = share(0, at="96 h", sustained=True)
    assert measure.sample(held, *study(), wanted).values.mean() == 1
    assert measure.sample(lost, *study(), wanted).values.mean() == 0


def test_ever_sustained_needs_two_visits_running():
    at = [0, 24, 48, 72, 96]
    for course, there in (([30, 10, 28, 10, 28], 0), ([30, 28, 10, 10, 28], 1), ([30, 10, 10, 28, 28], 1)):
        wanted = share(0, at="96 h", ever=True, sustained=True, visits=["24 h", "48 h", "72 h"])
        assert measure.sample(simulated({"madrs": course}, at), *study(), wanted).values.mean() == there
    # By chance: three visits, one half each. Two running: HHx and THH, 3 of 8.
    even = dataclasses.replace(simulated({"madrs": [30, 15.5, 15.5, 15.5]}, at[:4]), rating_sd=3.0)
    wanted = share(0, at="72 h", ever=True, sustained=True, visits=["24 h", "48 h"])
    assert measure.sample(even, *study(), wanted).values.mean() == pytest.approx(3 / 8, abs=0.01)


def test_rules_of_the_file_replace_the_usual_ones():
    sim = simulated({"madrs": [30, 12]}, [0, 24])
    remission = {"what": "remission", "percent": 0.0, "mean": None}
    assert measure.sample(sim, *study(), figure(**remission)).values.mean() == 0
    assert measure.sample(sim, *study(), figure(**remission, rule="<= 12")).values.mean() == 1
    assert measure.sample(sim, *study(), share(0, rule="-61 %")).values.mean() == 0
    assert measure.sample(sim, *study(), share(0)).values.mean() == 1


def test_scores_on_linked_scales_follow_the_published_tables():
    sim = simulated({"madrs": [26, 13]}, [0, 24], baseline=26)
    found = measure.sample(sim, *study(), figure(of="HDRS-17", what="score", mean=10))
    assert found.values.mean() == pytest.approx(10)
    assert measure.sample(sim, *study(), figure(of="HDRS-17")).values.mean() == pytest.approx(-10)
    assert found.span == 52


def test_anxiety_follows_depression_by_its_gain_and_unlinked_scales_refuse():
    sim = simulated({"madrs": [30, 15]}, [0, 24])
    found = measure.sample(sim, *study(), figure(of="GAD-7", what="score", mean=7)).values
    entry = measure.baseline(sim, *study(), "GAD-7")
    assert entry.mean() == pytest.approx(13.5, abs=1.5)  # people differ in it
    assert found == pytest.approx(entry * 0.55)
    for of in ("C-SSRS", "Y-BOCS", "BPRS: the model has no such read-out", "CGI-I"):
        with pytest.raises(Unpredictable, match=of):
            measure.sample(sim, *study(), share(0, of=of.split(":")[0], rule="-30 %"))


def test_relapse_counts_those_who_were_well_and_came_back():
    times = np.arange(0, 24 * 70, 24.0)
    back = np.where(times < 24 * 30, 10.0, 25.0)
    arm = {"days": [0]}
    sim = simulated({"madrs": np.where(times < 24, 30, back)}, times)
    wanted = figure(what="relapse", percent=50.0, mean=None, at="8 wk after session 1")
    assert measure.sample(sim, *study(**arm), wanted).values.mean() == 1
    soon = figure(what="relapse", percent=50.0, mean=None, at="3 wk after session 1")
    assert measure.sample(sim, *study(**arm), soon).values.mean() == 0
    days = figure(what="relapse", median=30, mean=None, at="8 wk after session 1", unit="d")
    assert verdict.central(measure.sample(sim, *study(**arm), days)) == pytest.approx(30, abs=2)


def test_plasma_figures_are_taken_per_person_in_the_unit_asked_for():
    sim = simulated({"S-ketamine@venous": [0, 100, 50, 0]}, [0, 1, 2, 4])
    plasma = {"of": "S-ketamine", "mean": 1.0}
    assert measure.sample(sim, *study(), figure(what="cmax", at="4 h", **plasma)).values.mean() == 100
    assert measure.sample(sim, *study(), figure(what="tmax", at="4 h", **plasma)).values.mean() == 1
    assert measure.sample(sim, *study(), figure(what="auc", at="4 h", **plasma)).values.mean() == 50 + 75 + 50
    molar = figure(what="concentration", at="1 h", unit="umol/L", **plasma)
    assert measure.sample(sim, *study(), molar).values.mean() == pytest.approx(100 / 237.73)
    with pytest.raises(Unpredictable, match="arterial"):
        measure.sample(sim, *study(), figure(what="cmax", at="4 h", site="arterial", **plasma))


def largest_rise(values, of="SBP", at="3 h", **keys):
    sim = simulated(values, [0, 0.5, 3], **keys)
    wanted = figure(what="effect", of=of, at=at, mean=20)
    return measure.sample(sim, *study(days=[0]), wanted).values.mean()


def test_a_largest_rise_is_the_largest_of_several_readings_over_one_before():
    """Each reading has noise of its own, so that people without any drug have a largest rise too."""
    nothing = largest_rise({"sbp": [120, 120, 120]})
    assert 6 < nothing < 13
    assert largest_rise({"dbp": [80, 80, 80]}, of="DBP") < nothing
    assert nothing < largest_rise({"sbp": [120, 120, 120]}, age_y=75.0) < 2 * nothing
    assert 30 < largest_rise({"sbp": [120, 150, 120]}) < 40


def test_a_largest_rise_is_the_mean_of_the_sessions_or_the_largest_ever():
    sim = simulated({"sbp": [120, 150, 120, 120, 140, 120]}, [0, 0.5, 3, 24, 24.5, 27])
    wanted = figure(what="effect", of="SBP", at="28 h", mean=20)
    mean = measure.sample(sim, *study(days=[0, 1]), wanted).values.mean()
    ever = measure.sample(sim, *study(days=[0, 1]), wanted.model_copy(update={"ever": True})).values.mean()
    assert 25 < mean < 35 < ever + 5
    assert mean < ever


def told(name, sessions, values=None):
    times = [0, *(day * 24 + hour for day in range(sessions) for hour in (0.5, 3))]
    chance = {"nausea": np.full(len(times), 0.1), "dizziness": np.full(len(times), 0.1)} if values is None else values
    wanted = figure(what="effect", of=name, at=f"{sessions} d", mean=None, percent=20, ever=True)
    return measure.sample(simulated(chance, times), *study(days=list(range(sessions))), wanted).values.mean()


def test_an_event_comes_to_the_same_people_again():
    """A chance of 10 % in a session: 96 % would have it in thirty sessions if these were independent."""
    assert told("nausea", 1) == pytest.approx(0.1, abs=0.04)
    assert told("nausea", 1) < told("nausea", 8) < told("nausea", 30) < 0.5


def test_some_who_are_sick_vomit_and_a_headache_needs_no_drug():
    assert told("vomiting", 8) < told("nausea", 8)
    assert told("headache", 8, values={"madrs": np.full(17, 20.0)}) == pytest.approx(0.2, abs=0.06)
    with pytest.raises(Unpredictable, match="no rate"):
        told("vertigo", 8)
    with pytest.raises(Unpredictable, match="nausea"):
        told("nausea", 8, values={"madrs": np.full(17, 20.0)})


def test_thoughts_of_suicide_go_their_own_way_and_are_written_in_whole_points():
    course = simulated({"madrs": [30, 30, 15]}, [0, 24, 48], n=2000)
    asked = {"of": "MADRS-SI", "mean": 1.0}
    people = study()[0].model_copy(update={"population": study()[0].population.model_copy(update={"baseline": None})})
    suicidal = people.model_copy(
        update={"population": people.population.model_copy(update={"condition": "suicidal ideation"})}
    )
    arm = study()[1]
    entry = measure.baseline(course, suicidal, arm, "MADRS-SI")
    assert measure.baseline(course, people, arm, "MADRS-SI").mean() < entry.mean() == pytest.approx(4, abs=0.2)
    same = measure.sample(course, suicidal, arm, figure(what="score", at="24 h", **asked)).values
    assert set(same) <= set(range(7))
    assert 3 < same.mean() < entry.mean()  # the top of the scale cuts what swings up
    resolved = share(0, at="24 h", of="MADRS-SI", what="remission", rule="<= 1")
    before = measure.sample(course, suicidal, arm, resolved).values.mean()
    after = measure.sample(course, suicidal, arm, resolved.model_copy(update={"at": "48 h"})).values.mean()
    assert 0.05 < before < 0.35
    assert before + 0.2 < after < 0.8
    drawn = measure.sample(course, suicidal, arm, figure(what="score", at="48 h", **asked)).values
    assert (drawn <= 1).mean() == pytest.approx(after, abs=0.04)


def test_a_rating_of_pain_swings_so_that_some_answer_to_anything():
    """A fifth of the pain gone in everybody: more than half gone by the rating of some, never of most."""
    sim = simulated({"pain_left": [1.0, 0.8]}, [0, 24], n=2000)
    half = measure.sample(sim, *study(), share(0, at="24 h", of="pain VAS")).values.mean()
    assert 0.02 < half < 0.25


def test_a_time_outside_the_simulation_is_unpredictable_not_extrapolated():
    sim = simulated({"madrs": [30, 12]}, [0, 24])
    with pytest.raises(Unpredictable, match="outside"):
        measure.sample(sim, *study(), figure(at="48 h"))
