"""The page of a course: complete by itself, true to the Dataset, and silent about what the evidence does not hold."""

import os
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray
from synthetic_course import course

from regrow import page
from regrow.chart import Limit
from regrow.page import sections, story
from regrow.page.facts import Facts, spread
from regrow.refusal import Failure, Refusal


def words(text: str) -> str:
    """What a reader reads: no tags, no style, one space between words."""
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<table class=\"numbers\">.*?</table>", " ", text, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def section(text: str, name: str) -> str:
    return re.search(rf'<section aria-labelledby="{name}">.*?</section>', text, flags=re.S)[0]  # type: ignore[index]


@pytest.fixture(scope="module")
def many() -> xarray.Dataset:
    return course(people=80)


@pytest.fixture(scope="module")
def text(many) -> str:
    return page.course_page(many)


def test_the_page_is_one_well_formed_file_without_script_or_anything_from_outside(text):
    ElementTree.fromstring(text.removeprefix("<!doctype html>"))
    assert not re.search(r"<script|<link|<iframe|<img|@import|url\(|\ssrc=|\son\w+=|style=", text)
    assert all(address.startswith("https://doi.org/") for address in re.findall(r'href="([^"]*)"', text))


def test_ids_are_unique_and_every_section_is_named_by_its_heading(text):
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', text)) == set(ids)
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_chart_says_its_title_and_has_its_numbers_in_a_table(text):
    root = ElementTree.fromstring(text.removeprefix("<!doctype html>"))
    figures = list(root.iter("figure"))
    assert len(figures) >= 1 + len(story.STEPS) + 4
    for figure in figures:
        assert figure.find("details/div/table/tbody/tr") is not None
        for drawing in figure.iter("{http://www.w3.org/2000/svg}svg"):
            assert drawing.findtext("{http://www.w3.org/2000/svg}title")


def test_a_reader_is_told_first_that_it_is_simulated_and_no_medical_device(text):
    said = words(text)
    assert story.NOT_A_DEVICE in said
    assert said.index("Not a medical device") < said.index("In short")


@pytest.mark.parametrize("people", [1, 40])
def test_no_claim_that_the_evidence_contradicts_is_on_the_page(people):
    said = words(page.course_page(course(people=people))).lower()
    for claim in (
        r"approved[^.]*2012",
        r"(not|non-?) ?addictive",
        r"(few|no|mild) side effects",
        r"re-?uptake",
        r"\bcures?\b",
        r"miracle|game.?changer|breakthrough|revolution|amazing|proven|highly effective|safe alternative",
        r"serotonin",
    ):
        assert not re.search(claim, said), claim
    assert "can cause dependence" in said
    assert "side effects are common" in said
    assert "hardly moves" in said


def test_hostile_text_stays_text_wherever_it_comes_in(many):
    bad = '<script>alert("x")</script>&'
    data = many.copy()
    data.attrs = {
        key: [bad] if isinstance(value, list) else bad for key, value in many.attrs.items() if key != "summary"
    }
    data.attrs |= {f"parameters_{status}": 1 for status in ("measured", "calibrated", "assumed")}
    data.attrs["citations"] = [{"text": bad, "doi": bad}]
    for name in ("session_phase", "session_drug", "session_route"):
        data[name] = ("session", np.array([bad] * data.sizes["session"], dtype=object))
    text = page.course_page(data, limits={"sbp": (Limit(180, bad),)})
    ElementTree.fromstring(text.removeprefix("<!doctype html>"))
    assert "<script" not in text


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_scores_and_shares_are_those_of_the_people(many, text):
    short = words(section(text, "short"))
    start = many["baseline"].to_numpy()
    at_24h = many["madrs"].sel(time=24.0).to_numpy()
    assert f"Score (MADRS) {np.median(start):.0f}" in short
    assert f"{np.median(at_24h):.0f} {np.percentile(at_24h, 5):.0f} to {np.percentile(at_24h, 95):.0f}" in short
    responding = 100 * np.mean(at_24h <= start / 2)
    at_end = many["madrs"].isel(time=-1).to_numpy()
    remitting = 100 * np.mean(at_end <= 10)
    assert re.search(rf"Responding {responding:.0f} %", short)
    assert re.search(rf"In remission .* {remitting:.0f} % (?:Of|Score)", short)


def test_a_summary_that_the_run_states_goes_before_the_pages_own_count(many):
    data = many.assign_attrs(summary='{"response_24h_percent": 43.21, "remission_end_percent": 12.3}')
    short = words(section(page.course_page(data), "short"))
    assert "Responding 43 %" in short
    assert re.search(r"In remission .* 12 %", short)


def test_one_typical_person_has_no_shares_and_no_band():
    text = page.course_page(course(people=1))
    assert "Responding" not in words(text)
    assert 'class="band' not in text
    assert "one typical person" in words(text)
    assert words(section(text, "short")).count("33") == 1


def test_a_week_and_a_day_that_the_run_does_not_reach_are_left_out():
    short = words(section(page.course_page(course(people=1, days=(0,), until_d=2)), "short"))
    assert "24 hours" in short
    assert "7 days" not in short
    assert "End, day 2" in short


def test_the_schedule_gives_each_session_its_day_dose_and_volume():
    text = words(section(page.course_page(course(people=1)), "schedule"))
    assert "6 sessions with ketamine, each given into a vein over 40 min. Day 0 is the first." in text
    assert "2 3 week 1 40 mg 0.8 mL" in text
    assert "4 mL at 10 mg/mL or 0.4 mL at 100 mg/mL" in text
    assert "who get it" not in text
    other = words(section(page.course_page(course(people=1), strength_mg_per_ml=10), "schedule"))
    assert "2 3 week 1 40 mg 4 mL" in other


def test_where_a_score_decides_the_schedule_says_for_how_many_people():
    text = words(section(page.course_page(course(people=40, days=(0, 3, 7, 14), ruled=2)), "schedule"))
    assert "People on that day" in text
    assert re.search(r"3 7 week 2 [\d. a-zL]* 50 %", text)


@pytest.mark.parametrize(
    ("value", "digits", "written"), [(5.0, 1, "5"), (0.5, 2, "0.5"), (34.56, 1, "34.6"), (40, 0, "40")]
)
def test_a_dose_is_written_with_no_zero_at_its_end_and_one_before_its_point(value, digits, written):
    assert sections.amount(value, digits) == written


def test_esketamine_spray_is_counted_in_devices_not_in_millilitres():
    data = course(people=1, days=(0, 4))
    data["session_drug"] = ("session", np.array(["esketamine"] * 2, dtype=object))
    data["session_route"] = ("session", np.array(["intranasal"] * 2, dtype=object))
    data["session_duration_min"][:] = 0.0
    data["session_dose_mg"][:] = 56.0
    text = words(section(page.course_page(data), "schedule"))
    assert "56 mg 2 devices of 28 mg" in text
    assert "given as a nasal spray. Day" in text
    assert "mL" not in text


def test_the_line_without_the_drug_is_drawn_and_the_difference_told(many):
    bare = many.copy(deep=True)
    bare["madrs"][:] = bare["baseline"] - 3.0
    text = page.course_page(many, without_drug=bare)
    assert "same visits, no drug" in text
    assert "drug give 3.0 points" in words(text)
    assert "same visits, no drug" not in page.course_page(many)


def test_a_read_out_the_run_lacks_is_named_with_its_reason_not_drawn(many):
    data = many.drop_vars("bdnf").assign_attrs(missing=["bdnf: switched off in this run"])
    text = page.course_page(data)
    steps = section(text, "steps")
    assert "Not in this run: switched off in this run." in words(steps)
    assert steps.count("<figure>") == len(story.STEPS) - 1
    assert steps.count("<li>") == len(story.STEPS)


def test_every_step_says_what_is_known_of_it_in_people(text):
    steps = words(section(text, "steps"))
    for place, step in enumerate(story.STEPS, start=1):
        assert f"{place}. {step.title.format(drug='Ketamine')}" in " ".join(steps.split())
        assert step.people.replace("'", "&#x27;") in steps


def given(drug: str) -> xarray.Dataset:
    data = course(people=1, days=(0, 4))
    data["session_drug"] = ("session", np.array([drug] * 2, dtype=object))
    return data


@pytest.mark.parametrize("drug", ["placebo", "midazolam", "memantine", "mk-801", "ssri", "pill", "ect"])
def test_under_a_drug_that_is_no_ketamine_no_word_is_said_that_holds_for_ketamine_alone(drug):
    data = given(drug)
    for name in ("glutamate", "bdnf", "mtorc1"):
        data[name][:] = data[name].values[0, 0]
    said = words(page.course_page(data))
    named = {"ssri": "SSRI", "mk-801": "MK-801", "pill": "placebo tablet", "ect": "electroconvulsive therapy"}
    assert said.index(f"A treatment course with {named.get(drug, drug)}, simulated") < said.index("In short")
    for claim in (
        "enters the blood",
        "The liver turns",
        "Mood lifts",
        "esketamine spray",
        "can be misused",
        "off-label",
    ):
        assert claim not in said, claim
    assert story.OTHERS[drug].mood in said
    assert story.OTHERS[drug].body in said
    assert "Nothing moves in: Glutamate; BDNF; Growth signals (mTORC1)." in said


def test_the_first_step_names_the_ketamine_that_was_given():
    said = words(section(page.course_page(given("esketamine")), "steps"))
    assert "1. Esketamine enters the blood" in said
    assert "Ketamine enters the blood" not in said
    assert story.R_ALONE in words(page.course_page(given("arketamine")))
    assert story.R_ALONE not in words(page.course_page(given("esketamine")))


def test_side_effects_name_peak_time_and_tolerance_and_draw_the_alarm_lines(text):
    body = section(text, "body")
    assert re.search(r"1 day 0 24 40 \+1\d \+\d+ to \+\d+ 40", words(body))
    assert re.search(r"6 day 17 2 40", words(body))
    assert "systolic alarm: 180" in body
    assert "Dissociation, session by session" in body


def test_a_run_of_bare_read_outs_still_gives_a_page():
    bare = course(people=3)[["madrs"]]
    bare.attrs = {}
    text = page.course_page(bare, title="Only a score")
    ElementTree.fromstring(text.removeprefix("<!doctype html>"))
    assert "Only a score" in text
    assert "No session was given" in text


def test_the_same_run_gives_the_same_page(many, text):
    assert page.course_page(many.copy(deep=True)) == text


def test_percentiles_leave_out_people_without_a_value():
    found = spread(np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]]))
    assert found.median[0] == 2.0
    assert np.isnan(found.median[1])


def test_between_two_times_a_read_out_is_linear_and_beyond_the_end_there_is_none(many):
    facts = Facts(many)
    a, b = many["madrs"].to_numpy()[:, -2:].T
    between = (many["time"].to_numpy()[-2:]).mean()
    assert np.allclose(facts.at("madrs", between), (a + b) / 2)
    assert np.isnan(facts.at("madrs", facts.end + 1)).all()


# --- as files --------------------------------------------------------------------------------------------------------


def test_page_and_chart_are_written_beside_the_tables_all_at_once(tmp_path, many, text):
    page.write(many, *(tmp_path / f"course{ending}" for ending in page.ENDINGS))
    assert sorted(os.listdir(tmp_path)) == ["course.csv", "course.html", "course.nc", "course.parquet", "course.svg"]
    assert (tmp_path / "course.html").read_text("utf-8") == text
    root = ElementTree.fromstring((tmp_path / "course.svg").read_text("utf-8"))
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "Predicted depression score (MADRS)"


def test_a_page_that_cannot_be_made_leaves_the_old_files(tmp_path, many, monkeypatch):
    for name in ("course.csv", "course.html"):
        (tmp_path / name).write_text("before")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failure, match="OUT-DISK"):
        page.write(many, tmp_path / "course.csv", tmp_path / "course.html")
    assert [(tmp_path / name).read_text() for name in sorted(os.listdir(tmp_path))] == ["before", "before"]


def test_a_refused_ending_names_every_known_one(tmp_path):
    with pytest.raises(Refusal, match="OUT-ENDING") as refused:
        page.check_out(tmp_path / "course.pdf")
    assert ".nc, .parquet, .csv, .svg or .html" in refused.value.sentence
