"""The form of evidence files: what is in it is read, what breaks it is refused with file, line, key and way out."""

import pytest

from regrow.catalog import evidence
from regrow.catalog.notation import When, amount, duration, rule, when
from regrow.refusal import Refusal

STUDY = """
id = "doe2020"
citation = "Doe J. A study that was never done. J Nowhere 2020;1:1"
confidence = "abstract"
use = "validation"

[population]
condition = "depression"
n = 20
baseline = { scale = "MADRS", mean = 30, sd = 5 }

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
mean = -15
sd = 10

[[arm.observed]]
what = "response"
of = "MADRS"
at = "24 h"
percent = 60
ci95 = [40, 77]

[[arm]]
name = "placebo"
drug = "placebo"
dose = "0 mg"
route = "iv"
days = [0]
belief = "saline-blind"

[[contrast]]
arms = ["ketamine", "placebo"]
what = "change"
of = "MADRS"
at = "24 h"
mean = -8
ci95 = [-12, -4]
"""


def test_a_study_is_read_with_its_people_arms_and_figures():
    study = evidence.parse(STUDY, "doe2020.toml")
    assert study.figures == 3
    assert study.population.baseline is not None
    assert study.population.baseline.mean == 30
    assert [figure.value for figure in study.arm[0].observed] == [-15, 60]
    assert study.named("ketamine").durations_h == (pytest.approx(2 / 3),)
    assert study.contrast[0].arms == ("ketamine", "placebo")


@pytest.mark.parametrize(
    ("was", "becomes", "line_has", "says"),
    [
        ('of = "MADRS"\nat = "24 h"\nmean = -15', 'of = "MADRZ"\nat = "24 h"\nmean = -15', "of = ", "'MADRS'"),
        ('dose = "0.5 mg/kg"', 'dose = "0.5"', "dose = ", "no unit"),
        ('at = "24 h"\nmean = -15', 'at = "24"\nmean = -15', "at = ", "no unit"),
        ('duration = "40 min"', 'duration = "40"', "duration = ", "no unit"),
        ("n = 20", "n = 0", "n = 0", "greater than or equal to 1"),
        ("percent = 60", "percent = 160", "percent = ", "percent = 160: lies outside 0 to 100"),
        ("ci95 = [40, 77]", "ci95 = [77, 40]", "ci95 = ", "[low, high]"),
        ('arms = ["ketamine", "placebo"]', 'arms = ["ketamine", "sham"]', "arms = ", "'sham'"),
        ("mean = -15\n", "", "[[arm.observed]]", "no value"),
        ("mean = -15\n", "mean = -15\npercent = 3\n", "percent = 3", "write one of"),
        ('confidence = "abstract"', 'confidence = "sure"', "confidence = ", "'secondary'"),
        ('confidence = "abstract"', 'confidence = "memory"', "use = ", "use = 'check'"),
        ('use = "validation"\n', "", "", "add use"),
        ('use = "validation"', 'use = "validation"\ncolour = "red"', "colour = ", "no such key"),
        ('condition = "depression"', 'condition = "depresion"', "condition = ", "'depression'"),
        ("days = [0]", "days = []", "days = ", "session start"),
        ('what = "response"', 'what = "respons"', "what = ", "'response'"),
        ("ci95 = [40, 77]", 'ci95 = [40, 77]\nrule = "half"', "rule = ", "'-30 %'"),
        ("mean = -15", "mean = nan", "mean = nan", "finite"),
        ('name = "placebo"', 'name = "ketamine"', 'name = "ketamine"', "two arms"),
        ("n = 20", "n = 20\nn = 21", "n = 21", "not TOML"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused_with_its_line_and_the_way_out(was, becomes, line_has, says):
    text = STUDY.replace(was, becomes, 1)
    assert text != STUDY
    with pytest.raises(Refusal) as caught:
        evidence.parse(text, "doe2020.toml")
    sentence = caught.value.sentence
    assert caught.value.code == "EVIDENCE-FILE"
    assert sentence.startswith("doe2020.toml")
    assert says in sentence
    assert "\n" not in sentence
    if line_has:
        number = int(sentence.split("line ")[1].split(":")[0])
        assert line_has in text.splitlines()[number - 1]


def test_the_line_named_is_that_of_the_second_figure_when_the_second_is_wrong():
    wrong = 'at = "24"'
    text = STUDY.replace('at = "24 h"\npercent', f"{wrong}\npercent")
    with pytest.raises(Refusal) as caught:
        evidence.parse(text, "x.toml")
    assert f"line {text.splitlines().index(wrong) + 1}:" in caught.value.sentence


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(Refusal, match=r"EVIDENCE-FILE: .*nowhere\.toml"):
        evidence.read(tmp_path / "nowhere.toml")


def test_an_unknown_study_is_refused_with_the_nearest_id():
    with pytest.raises(Refusal, match=r"UNKNOWN-EVIDENCE.*murrough2013"):
        evidence.get("murough2013-ajp")


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("40 min", 2 / 3),
        ("24 h", 24),
        ("24h", 24),
        ("15 d", 360),
        ("4 weeks", 672),
        ("6 months", 182.625 * 24),
        ("1 y", 8766),
    ],
)
def test_times_are_read_with_their_units(text, hours):
    assert duration(text) == pytest.approx(hours)


def test_a_time_after_a_session_counts_from_that_sessions_start():
    assert when("24 h after session 6") == When(24, 6)
    assert when("24 h after session 6").from_first_dose((0, 2, 4, 7, 9, 11)) == 24 + 11 * 24
    assert when("2 wk after last session").from_first_dose((0, 3)) == 3 * 24 + 336


@pytest.mark.parametrize("text", ["24", "h", "24 parsecs", "", "24 h after session 0"])
def test_a_time_without_a_known_unit_is_no_time(text):
    with pytest.raises(ValueError, match=r"unit|write|number|session"):
        when(text)


def test_rules_tell_a_fall_from_a_bound_and_a_rise():
    assert (rule("-30 %").kind, rule("-30 %").value) == ("fall", 30)
    assert (rule("<= 12").kind, rule("<= 12").value) == ("at most", 12)
    assert (rule(">= +40").kind, rule(">= +40").value) == ("rise", 40)
    assert (rule("< 5").kind, rule("< 5").value) == ("below", 5)


def test_doses_need_a_unit_and_are_not_negative():
    assert amount("0.5 mg/kg") == (0.5, "mg/kg")
    assert amount("84mg") == (84, "mg")
    for wrong in ("0.5", "mg", "-1 mg", "3 spoons"):
        with pytest.raises(ValueError, match=r"unit|number|placebo"):
            amount(wrong)
