"""Evidence files as other hands write them: other names of drugs, scales and units, ages, criteria and spreads."""

import numpy as np
import pytest

from regrow.catalog import evidence
from regrow.catalog.evidence import Contrast, Figure
from regrow.evidence import Simulated, Unpredictable, check, measure, predict, verdict
from regrow.refusal import Refusal

STUDY = """
id = "doe2020"
citation = "Doe J. A study that was never done. J Nowhere 2020;1:1"
confidence = "abstract"
use = "validation"

[population]
condition = "{condition}"
n = 20
{people}

[[arm]]
name = "treated"
drug = "{drug}"
{dose}
days = [0]
belief = "open"
{arm}

[[arm.observed]]
what = "{what}"
of = "{of}"
at = "24 h"
{value}
"""
USUAL = {
    "condition": "depression",
    "people": "",
    "drug": "ketamine",
    "dose": 'dose = "0.5 mg/kg"\nroute = "iv"\nduration = "40 min"',
    "arm": "",
    "what": "change",
    "of": "MADRS",
    "value": "mean = -15\nsd = 10",
}


def written(**keys) -> evidence.Study:
    return evidence.parse(STUDY.format(**(USUAL | keys)), "doe2020.toml")


def simulated(madrs, times, baseline=30.0, n=200, **keys) -> Simulated:
    course = np.broadcast_to(np.asarray(madrs, float), (n, len(times)))
    return Simulated(np.asarray(times, float), {"madrs": course}, np.full(n, float(baseline)), rating_sd=0.0, **keys)


@pytest.mark.parametrize(
    ("other", "drug"),
    [
        ("Ketamine", "ketamine"),
        ("(R,S)-ketamine", "ketamine"),
        ("S-ketamine", "esketamine"),
        ("Spravato", "esketamine"),
        ("(R)-ketamine", "arketamine"),
        ("saline", "placebo"),
        ("ECT", "ect"),
        ("sertraline", "ssri"),
        ("quetiapine", "quetiapine"),
    ],
)
def test_a_drug_is_known_by_its_other_names(other, drug):
    assert written(drug=other).arm[0].drug == drug


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("HAMD17", "HDRS-17"),
        ("hrsd", "HDRS"),
        ("HAM-D 21", "HDRS-21"),
        ("QIDS-SR16", "QIDS-SR-16"),
        ("Beck SSI", "SSI"),
    ],
)
def test_a_scale_is_known_by_its_other_names(other, name):
    assert written(of=other).arm[0].observed[0].of == name


@pytest.mark.parametrize(
    ("other", "name"),
    [("TRD", "treatment-resistant depression"), ("MDD", "depression"), ("generalized anxiety disorder", "anxiety")],
)
def test_a_condition_is_known_by_its_other_names(other, name):
    assert written(condition=other).population.condition == name


@pytest.mark.parametrize(
    ("keys", "unit"),
    [
        ({"what": "concentration", "of": "ketamine", "value": 'mean = 1\nunit = "µM"'}, "umol/L"),
        ({"what": "cmax", "of": "ketamine", "value": 'mean = 1\nunit = "ng/ml"'}, "ng/mL"),
        ({"what": "auc", "of": "ketamine", "value": 'mean = 1\nunit = "ng·h/mL"'}, "ng h/mL"),
        ({"value": 'mean = -50\nunit = "percent"'}, "%"),
        ({"what": "effect", "value": 'mean = -1\nunit = "Cohen\'s d"'}, "SD"),
        ({"what": "effect", "value": 'mean = -1\nunit = "d"'}, "SD"),
        ({"what": "relapse", "value": 'median = 18\nunit = "days"'}, "d"),
    ],
)
def test_a_unit_is_read_as_the_house_spells_it(keys, unit):
    assert written(**keys).arm[0].observed[0].unit == unit


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"value": 'mean = -15\nunit = "kg"'}, "unit = 'kg': is not a unit of change; write one of points, %"),
        ({"value": 'mean = -15\nunit = "mmHg"'}, "write one of points, %"),
        ({"of": "SBP", "value": 'mean = 15\nunit = "points"'}, "write one of mmHg, %"),
        ({"value": "percent = -50"}, "write mean = -50, with unit = '%' if so"),
        ({"what": "response", "value": "mean = 50"}, "write percent = 64, say"),
        ({"what": "response", "value": 'percent = 50\nsustained = "two weeks"'}, "or true"),
    ],
)
def test_a_unit_or_a_length_that_says_nothing_is_refused_with_the_way_out(keys, says):
    with pytest.raises(Refusal, match="EVIDENCE-FILE") as caught:
        written(**keys)
    assert says in caught.value.sentence


# --- what was observed ----------------------------------------------------------------------------------------------


def difference(**keys) -> Contrast:
    return Contrast(**{"arms": ("a", "b"), "what": "change", "of": "MADRS", "at": "24 h", "mean": -5.0} | keys)


def test_the_sd_of_a_difference_is_of_its_own_pairs_or_pooled_over_both_arms():
    pooled = verdict.observed(difference(sd=8.0), (20, 20)).ci95
    assert pooled == pytest.approx((-5 - 4.958, -5 + 4.958), abs=1e-3)  # 1.96 x 8 x sqrt(1/20 + 1/20)
    paired = verdict.observed(difference(sd=8.0, n=18), (20, 20)).ci95
    assert paired == pytest.approx((-5 - 3.978, -5 + 3.978), abs=1e-3)  # 2.110 x 8 / sqrt(18)


def test_an_effect_that_names_its_unit_is_the_effect_without_one():
    bare, named = (difference(what="effect", mean=-0.8, **unit) for unit in ({}, {"unit": "SMD"}))
    assert verdict.observed(named, (20, 20)) == verdict.observed(bare, (20, 20))
    sample = verdict.Sample(np.linspace(-20, 0, 50), "standardised", "standardised")
    assert verdict.standardised(named)
    assert verdict.predicted_effect(sample, sample, (20, 20), 1).value == 0


# --- what is measured -----------------------------------------------------------------------------------------------


def test_a_share_that_kaplan_and_meier_counted_was_reached_at_any_visit_so_far():
    text = STUDY.format(**USUAL | {"what": "response", "value": "percent = 50"})
    counted = text.replace('use = "validation"', 'use = "validation"\nanalysis = "km-cumulative"')
    for given, ever in ((text, False), (counted, True), (counted + "ever = false", False)):
        assert evidence.parse(given, "doe2020.toml").arm[0].observed[0].ever is ever
    assert evidence.parse(counted.replace("response", "relapse"), "doe2020.toml").arm[0].observed[0].ever is False


def test_a_score_in_per_cent_is_what_is_left_of_the_score_at_entry():
    study = written(what="score", value='mean = 40\nunit = "%"')
    found = measure.sample(simulated([30, 12], [0, 24]), study, study.arm[0], study.arm[0].observed[0])
    assert verdict.central(found) == pytest.approx(40)


@pytest.mark.parametrize(
    ("of", "rule", "bound"),
    [
        ("MADRS", None, 22),
        ("MADRS", ">= 18", 18),
        ("MADRS", "> 18", 19),
        ("MADRS", "-50 %", 16),
        ("HDRS-17", ">= 16", 21),
    ],
)
def test_a_relapse_counts_from_the_bound_of_its_own_scale(of, rule, bound):
    figure = Figure(what="relapse", of=of, at="26 wk", percent=40, rule=rule)
    assert measure._relapse_bound(simulated([30], [0]), figure) == pytest.approx(bound)


@pytest.mark.parametrize(("of", "rule"), [("CAPS-5", None), ("MADRS", "<= 10")])
def test_a_relapse_that_is_none_of_depression_is_not_predicted(of, rule):
    with pytest.raises(Unpredictable):
        measure._relapse_bound(simulated([30], [0]), Figure(what="relapse", of=of, at="26 wk", percent=40, rule=rule))


def test_a_time_to_relapse_comes_in_the_unit_asked_for():
    times = [24.0 * day for day in range(200)]
    course = [30.0, *[10.0] * 20, *[30.0] * 179]
    study = written(what="relapse", value="median = 3")
    days, weeks = (
        verdict.central(measure.sample(simulated(course, times), study, study.arm[0], figure))
        for figure in (Figure(what="relapse", of="MADRS", at="180 d", median=21, unit=unit) for unit in ("d", "wk"))
    )
    assert days == pytest.approx(21, abs=4)
    assert weeks == pytest.approx(days / 7)


def test_a_refusal_while_measuring_is_the_figures_reason_and_not_the_end(tmp_path):
    def refuses(*_):
        raise Refusal("SCALE-RANGE", "score: 70 is no MADRS", field="score", value=70)

    path = tmp_path / "doe2020.toml"
    path.write_text(STUDY.format(**USUAL))
    sim = simulated([30, 15], [0, 24])
    object.__setattr__(sim, "rated", refuses)
    (row,) = check([path], predict=lambda *_: sim).rows
    assert (row.within, row.why) == (None, "score: 70 is no MADRS")


# --- who was treated ------------------------------------------------------------------------------------------------


def test_adolescents_are_taken_as_eighteen_with_a_note_and_children_are_refused(tmp_path):
    paths = []
    for mean in (15, 8):
        path = tmp_path / f"{mean}.toml"
        path.write_text(STUDY.format(**USUAL | {"people": f"age_y = {{ mean = {mean}, sd = 2 }}"}))
        paths.append(path)
    young, child = check(paths, people=20).rows
    assert young.predicted is not None
    assert "taken as 18 years old" in young.note
    assert child.predicted is None
    assert "18 to 120 y" in child.why


@pytest.mark.parametrize(
    ("age", "low", "middle", "high"),
    [
        ("{ range = [65, 85] }", 65, 75, 85),
        ("{ median = 40, iqr = [30, 50] }", 18, 40, 90),
        ("{ mean = 17, sd = 2, range = [13, 21] }", 18, 19, 21),
    ],
)
def test_a_range_or_quartiles_alone_say_who_was_treated(age, low, middle, high):
    study = written(people=f"age_y = {age}")
    ages = predict.population(study, study.arm[0], 400, 1).age_y
    assert low <= ages.min() <= ages.max() <= high
    assert np.median(ages) == pytest.approx(middle, abs=3)


def test_who_waits_recovers_slowly_and_therapy_is_new_care_without_a_visit(tmp_path):
    falls = []
    for drug in ("none", "psychotherapy"):
        path = tmp_path / f"{drug}.toml"
        text = STUDY.format(**USUAL | {"drug": drug, "dose": "", "people": "failed_treatments = 0"})
        path.write_text(text.replace("24 h", "8 wk"))
        (row,) = check([path], people=200).rows
        assert row.predicted is not None
        falls.append(-row.predicted.value)
    assert 0.5 < falls[0] < falls[1] < 20


def test_an_anaesthetic_holds_what_a_benzodiazepine_would():
    study = written(arm='background = ["benzodiazepine", "general-anaesthesia"]')
    assert predict.course(study, study.arm[0], (0.0,), 24.0).switches == ("anaesthesia",)
