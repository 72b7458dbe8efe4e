"""What leaves a run means what it says: the median person's sessions, scales by their rules, models side by side."""

from dataclasses import replace

import numpy as np
import pytest

from regrow import outcomes, results
from regrow.catalog import models, protocols
from regrow.catalog import scales as shelf
from regrow.order import Order, simulated
from regrow.people import Person, Population
from regrow.regimen import Course
from regrow.simulate import run, side_by_side, without_drug

PEOPLE = Population.draw(60)


@pytest.fixture(scope="module")
def ruled():
    """A course whose weekly phase ends on remission, so that people part."""
    return run(Course(protocols.get("atlanta"), until_h=80 * 24.0), PEOPLE)


@pytest.fixture(scope="module")
def single():
    return run(Course(protocols.get("single"), condition="anxiety"), PEOPLE)


def test_where_a_score_decides_the_sessions_are_those_that_one_person_with_the_median_number_had(ruled):
    counts = np.sum([np.isfinite(held.mg) for held in ruled.sessions], axis=0)
    assert counts.min() < counts.max(), "people must part here, or this shows nothing"
    rows = results.sessions(ruled)
    assert len(rows) == np.sort(counts)[(len(counts) - 1) // 2]
    middle = results.middle_person(ruled)
    assert [row["day"] for row in rows] == [held.session.day for held in ruled.sessions if np.isfinite(held.mg[middle])]
    assert [row["people_percent"] for row in rows[:6]] == [100.0] * 6
    assert 0 < rows[-1]["people_percent"] < 100


def test_the_page_s_dataset_marks_the_same_sessions(ruled):
    data = results.dataset(ruled)
    marked = data["session_day"].values[data["session_of_middle"].values == 1]
    assert marked.tolist() == [row["day"] for row in results.sessions(ruled)]


def test_response_and_remission_are_counted_by_each_scale_s_own_rule(single):
    found = outcomes.outcomes(single)
    assert set(found) == {"madrs", "phq9", "qids_sr", "hdrs17", "gad7", "ham_a"}
    for name, outcome in found.items():
        scale = shelf.get(outcome.scale.id)
        assert outcome.remission == pytest.approx(100 * np.mean(scale.remission(outcome.end))), name
        assert outcome.response == pytest.approx(100 * np.mean(scale.response(outcome.end, outcome.start))), name
    summary = results.summary(single)
    assert summary["phq9_remission_end_percent"] == pytest.approx(found["phq9"].remission)
    assert summary["response_end_percent"] == pytest.approx(found["madrs"].response)
    assert "pcl5_end" not in summary


def test_a_relapse_needs_a_response_first_and_high_scores_twice_after_it(single):
    start, days = np.full(4, 33.0), np.array([7.0, 14.0, 21.0, 28.0])
    madrs = shelf.get("MADRS")
    seen = np.array([[10, 25, 25, 25], [10, 25, 12, 25], [30, 30, 30, 30], [10, 10, 10, 10]], float)
    assert outcomes.relapsed(madrs, start, days, seen) == (1, 3)
    assert outcomes.relapsed(madrs, start[2:3], days, seen[2:3]) == (0, 0)
    assert outcomes.relapsed(shelf.get("QIDS-SR-16"), start, days, seen) == (0, 0)


def test_without_the_drug_the_same_people_keep_expectancy_and_lose_the_rest():
    course = Course(protocols.get("single"), until_h=8 * 24.0)
    drug, bare = run(course, PEOPLE), without_drug(course, PEOPLE)
    assert np.array_equal(bare.people.baseline, drug.people.baseline)
    assert bare.at("madrs", 0.0) == pytest.approx(drug.at("madrs", 0.0))
    lost = bare.at("madrs", 24.0) - drug.at("madrs", 24.0)
    assert lost.min() > -0.01  # who hardly answers to the drug loses hardly anything
    assert np.median(lost) > 1
    assert np.median(drug.people.baseline - bare.at("madrs", 24.0)) > 3
    hidden = without_drug(replace(course, belief="none"), PEOPLE)
    assert np.median(np.abs(drug.people.baseline - hidden.at("madrs", 24.0))) < 0.5


def test_models_side_by_side_are_one_band_over_the_same_person_not_more_people(monkeypatch):
    assert len(models.band("ketamine", "iv")) >= 5
    monkeypatch.setattr(models, "band", lambda *_: ["d1", "kamp2020"])  # two are enough here, and quicker
    result = side_by_side(Course(protocols.get("single"), until_h=8 * 24.0), Population.of(Person()))
    assert result.n == 1
    assert [model.id for model in result.models] == ["d1", "kamp2020"]
    told = results.as_json(result)
    assert told["people"] == 1
    assert told["summary"]["madrs_24h"]["p5"] < told["summary"]["madrs_24h"]["p95"]
    assert "one typical person under each of" in results.as_text(result)
    data = results.dataset(result)
    assert sorted(data["model"].values) == sorted(told["models"])


def test_hydroxynorketamine_carries_its_three_fold_uncertainty_wherever_it_goes(single):
    assert results.dataset(single)["hnk"].attrs["fold_uncertainty"] == 3
    told = results.as_json(single)["readouts"]
    assert told["hnk"]["fold_uncertainty"] == 3
    assert "fold_uncertainty" not in told["madrs"]
    typical = simulated(Order("single", until="2 d"))
    from regrow.page import course_page

    assert "3 times less or more" in course_page(results.dataset(typical))


def test_papers_are_cited_and_what_names_no_paper_is_not(single):
    told = results.citations(single)
    assert any("Simons 2022" in line for line in told)
    assert any("calibrated" in line for line in told)
    assert not any("molar mass" in line for line in told)
