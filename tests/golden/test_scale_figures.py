"""Scales against what is printed about them: scored forms, thresholds from both sides, corresponding totals."""

import numpy as np
import pytest

from regrow import scales
from regrow.catalog import scales as shelf

PRINTED = (
    ("HDRS-17", "MADRS", (10, 20, 30, 40), (13, 26, 39, 52.5), 0.01, "Leucht 2018, abstract"),
    ("HDRS-17", "MADRS", (7,), (8.5,), 1.0, "Carmody 2006, abstract: 8 or 9"),
    ("QIDS-SR-16", "MADRS", (5,), (7.5,), 0.5, "Carmody 2006, abstract: 7 or 8"),
    ("QIDS-SR-16", "MADRS", (6, 10, 11, 15, 16, 20), (9, 17, 18, 24, 25, 33), 1.0, "C-QIDS-SR 2013, abstract"),
    ("QIDS-SR-16", "HDRS-17", (5, 10, 15, 20), (7, 13, 18.5, 25), 0.6, "ids-qids.org, rows"),
    ("QIDS-SR-16", "HDRS-21", (5, 10, 16, 20), (7.5, 14.5, 23, 28), 0.01, "ids-qids.org, rows"),
    ("PHQ-9", "MADRS", (1, 15, 27), (1, 24, 48), 0.01, "Kim 2023, abstract"),
)


@pytest.mark.parametrize(("own", "other", "given", "printed", "within", "source"), PRINTED, ids=[r[5] for r in PRINTED])
def test_a_score_reads_on_the_other_scale_as_printed(own, other, given, printed, within, source):
    np.testing.assert_allclose(shelf.link(own, other, given).values, printed, atol=within)
    np.testing.assert_allclose(shelf.link(other, own, printed).values, given, atol=within)


def test_people_entering_the_esketamine_trials_read_the_phq_9_they_had():
    """TRANSFORM-1 and -2: PHQ-9 20.4 (CNS Spectrums 2024, abstract) at a MADRS near 37 (memory)."""
    assert shelf.link("MADRS", "PHQ-9", 37).values == pytest.approx(20.4, abs=1.5)


def test_two_roads_from_qids_to_madrs_agree():
    """Directly (C-QIDS-SR 2013) and over HDRS-17 (ids-qids.org, then Leucht 2018): three sources, within two points."""
    qids = np.arange(28)
    hdrs = shelf.link("QIDS-SR-16", "HDRS-17", qids).values
    np.testing.assert_allclose(
        shelf.link("QIDS-SR-16", "MADRS", qids).values, shelf.link("HDRS-17", "MADRS", hdrs).values, atol=2.0
    )


FORMS = (
    ("PHQ-9", [3] * 9, 27),
    ("PHQ-9", [0, 1, 2, 3, 0, 1, 2, 3, 0], 12),
    ("PHQ-9", [2, 2, 2, 2, 2, 2, 2, None, 0], 16),  # 14 x 9 / 8 = 15.75
    ("PHQ-9", [1, 1, 1, 1, None, None, 0, 0, 0], 5),  # 4 x 9 / 7 = 5.14
    ("GAD-7", [3, 3, 3, 0, 0, 0, None], 11),  # 9 x 7 / 6 = 10.5, half goes up
    ("QIDS-SR-16", [3, 1, 0, 2, 2, 1, 0, 3, 0, 2, 1, 1, 2, 3, 0, 2], 3 + 2 + 3 + 2 + 1 + 1 + 2 + 3 + 2),
    ("QIDS-SR-16", [3] * 16, 27),
    ("MADRS", [3, 3, 2, 4, 1, 3, 4, 4, 3, 2], 29),
    ("HDRS-17", [4, 4, 4, 2, 2, 2, 4, 4, 4, 4, 4, 2, 2, 2, 4, 2, 2], 52),
    ("PCL-5", [4] * 20, 80),
    ("PEG", [7, 4, 6], 17 / 3),
    ("CADSS", [1] * 23, 23),
)


@pytest.mark.parametrize(("name", "answers", "total"), FORMS)
def test_a_form_scores_as_by_hand(name, answers, total):
    assert scales.score(shelf.get(name), answers).total == pytest.approx(total)


THRESHOLDS = (
    ("MADRS", 10, 11),
    ("HDRS-17", 7, 8),
    ("QIDS-SR-16", 5, 6),
    ("PHQ-9", 4, 5),
    ("GAD-7", 4, 5),
    ("SSI", 3, 4),
)


@pytest.mark.parametrize(("name", "inside", "outside"), THRESHOLDS)
def test_remission_begins_where_the_convention_puts_it(name, inside, outside):
    scale = shelf.get(name)
    assert scale.remission(inside)
    assert not scale.remission(outside)
    assert scale.remission(np.array([inside, outside, np.nan])).tolist() == [True, False, False]


@pytest.mark.parametrize("name", ["MADRS", "HDRS-17", "QIDS-SR-16", "PHQ-9", "GAD-7", "SSI"])
def test_response_is_half_of_the_baseline_exactly(name):
    scale = shelf.get(name)
    assert scale.response(10.5, 21)
    assert not scale.response(10.6, 21)
    assert not scale.response(0, 0), "nobody responds from a baseline of nothing"


def test_a_pcl_5_responds_by_ten_points():
    assert shelf.get("pcl-5").response(40, 50)
    assert not shelf.get("pcl-5").response(41, 50)


BANDS = (
    ("PHQ-9", ((4, "minimal"), (5, "mild"), (14, "moderate"), (15, "moderately severe"), (20, "severe"))),
    ("GAD-7", ((4, "minimal"), (10, "moderate"), (15, "severe"))),
    ("MADRS", ((6, "normal"), (7, "mild"), (34, "moderate"), (34.5, "severe"))),
    ("QIDS-SR-16", ((5, "none"), (6, "mild"), (21, "very severe"))),
)


@pytest.mark.parametrize(("name", "rows"), BANDS)
def test_a_total_falls_into_its_band(name, rows):
    for total, band in rows:
        found = shelf.get(name).band(total)
        assert found is not None
        assert found.name == band


def test_a_phq_9_a_day_after_a_dose_asks_about_the_time_before_it_and_the_mood_item_does_not():
    assert shelf.get("PHQ-9").looks_back_past(24)
    assert not shelf.get("PHQ-9").looks_back_past(336)
    assert not shelf.get("mood 0-10").looks_back_past(24)


def test_item_nine_of_the_phq_9_alerts_when_answered_and_when_left_blank():
    phq = shelf.get("PHQ-9")
    assert scales.score(phq, [0] * 8 + [1]).alerts == (9,)
    assert scales.score(phq, [0] * 8 + [None]).alerts == (9,)
    assert scales.score(phq, [3] * 8 + [0]).alerts == ()


TRIAGE = (
    ((0, 0, 0, 0, 0, 0), False, "none"),
    ((1, 0, 0, 0, 0, 0), False, "low"),
    ((1, 1, 0, 0, 0, 0), False, "low"),
    ((1, 1, 1, 0, 0, 0), False, "moderate"),
    ((0, 0, 0, 0, 0, 1), False, "moderate"),
    ((0, 0, 0, 0, 0, 1), True, "high"),
    ((1, 1, 1, 1, 0, 0), False, "high"),
    ((1, 1, 0, 0, 1, 0), False, "high"),
)


@pytest.mark.parametrize(("answers", "recent", "risk"), TRIAGE)
def test_the_suicide_screener_gives_the_published_triage(answers, recent, risk):
    assert scales.suicide_triage([bool(a) for a in answers], recent) == risk


def test_pcl_5_clusters_need_one_one_two_two_items():
    answers = [2, 0, 0, 0, 0, 0, 3, 2, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2]
    assert scales.clusters_met(shelf.get("PCL-5"), answers) == {"B": True, "C": True, "D": True, "E": True}
    answers[8] = 1
    assert scales.clusters_met(shelf.get("PCL-5"), answers)["D"] is False


def test_relapse_on_the_madrs_takes_two_readings_of_22_five_days_apart():
    madrs, days = shelf.get("MADRS"), [0, 3, 6, 13]
    rows = [[22, 25, 21, 30], [21, 22, 22, 25], [22, 22, 10, 10], [10, np.nan, 22, 22], [10, 10, 10, 22]]
    found = scales.relapse(madrs, days, rows, baseline=33, best=8)
    np.testing.assert_equal(found, [np.nan, 3, np.nan, 6, np.nan])


def test_relapse_on_the_phq_9_also_counts_half_of_the_gain_lost():
    """From 18 to 2 and back to 10 is half of the gain and the cut-off; from 12 to 0, 6 is half of the gain."""
    phq = shelf.get("PHQ-9")
    scores = [[2, 10, 10], [0, 6, 6], [0, 5, 5]]
    found = scales.relapse(phq, [0, 7, 14], scores, baseline=[18, 12, 12], best=[2, 0, 0])
    np.testing.assert_equal(found, [7, 7, np.nan])


def test_reliable_change_follows_jacobson():
    assert scales.reliable_change(6.0, 0.84) == pytest.approx(6.65, abs=0.01)
    assert shelf.get("PHQ-9").reliable(15, 9)
    assert not shelf.get("PHQ-9").reliable(15, 10)


def test_anxiety_and_post_traumatic_stress_move_by_their_own_gain_and_a_level_of_risk_by_none():
    """Ketamine in practice: equal or somewhat smaller improvement on the GAD-7 (Hull 2022, Hietamies 2023)."""
    gad = shelf.get("GAD-7")
    assert scales.by_gain(gad, 14.0, [33, 16.5, 0], 33) == pytest.approx([14, 7.7, 1.4])
    assert gad.gain is not None
    assert gad.gain.low <= gad.gain.value <= gad.gain.high
    pcl = shelf.get("PCL-5")
    assert pcl.gain is not None
    assert pcl.gain.low == 0  # the largest trial found none
    assert scales.by_gain(pcl, 45, 16.5, 33) == pytest.approx(36)
    with pytest.raises(scales.Refusal, match="level of risk"):
        scales.by_gain(shelf.get("C-SSRS"), 4, 16, 33)


def test_invented_loinc_codes_fail_their_check_digit_and_a_right_digit_proves_no_meaning():
    """Four codes found in public repositories; the GAD-7 panel has a right check digit and is not its total."""
    for invented in ("89794-0", "97546-9", "89213-1", "70273-5", "44261-7", "44261", "x-1", ""):
        assert not scales.loinc_holds(invented), invented
    for real in ("8480-6", "8462-4", "8867-4", "44261-6", "70274-6", "69737-5", "2160-0", "85354-9"):
        assert scales.loinc_holds(real), real
    assert {c.what: c.code for c in shelf.read("gad-7").loinc}["total score"] == "70274-6"
    assert {c.what: c.code for c in shelf.read("audit-c").loinc}["total score"] == "75626-2"
