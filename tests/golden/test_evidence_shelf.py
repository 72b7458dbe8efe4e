"""The shelf of published studies: every file parses, adds up, has its source, and keeps the use it was given."""

import re
from functools import cache

import pytest

from regrow.catalog import evidence
from regrow.catalog.notation import when

# What each study is for was settled before any verdict was seen; nobody moves a figure afterwards.
CALIBRATION = {
    "anand2023",
    "correia-melo2020",
    "dahan2011",
    "daly2018",
    "daly2019",
    "fedgchin2019",
    "fu2020",
    "glue2018",
    "hull2022",
    "husain2004",
    "ionescu2021",
    "murrough2013-ajp",
    "murrough2013-bp",
    "ochs-ross2020",
    "pfeiffer2024",
    "riva-posse2018",
    "rush2006-step1",
    "rush2006-step2",
    "rush2006-step3",
    "rush2006-step4",
    "singh2016-ajp",
    "zheng2019",
}
# What shares people with, pools, or gave its parameters from another record: shown, never counted.
OVERLAPPING = {
    "alnefeesi2022",
    "an2021",
    "arroll2005",
    "caddy2014",
    "cipriani2018",
    "esketamine-week1",
    "grunebaum2018",
    "han2016",
    "melander2008",
    "nelson2013",
    "orhurhu2019",
    "otto2021",
    "perez-ruixo2021",
    "price2014",
    "sigtermans2009",
    "simons2022",
    "sustain3-2023",
    "undurraga2012",
    "wajs2020",
    "wilkinson2018",
    "wilkinson2019",
    "walsh2002",
    "xu2016",
    "zarate2006-pk",
    "zheng2018",
}


@cache
def shelf():
    return tuple(evidence.get(name) for name in evidence.ids())


@pytest.mark.parametrize("name", evidence.ids())
def test_a_study_of_the_shelf_is_read_and_bears_its_own_name(name):
    study = evidence.get(name)
    assert study.id == name
    assert study.figures > 0


def test_the_shelf_holds_sixty_studies_that_were_read_and_two_hundred_figures():
    seen = [study for study in shelf() if study.confidence != "memory"]
    assert len({study.citation for study in seen}) >= 60
    assert sum(study.figures for study in seen) >= 200


def test_each_study_keeps_the_use_it_was_given_before_any_verdict():
    for study in shelf():
        if study.confidence == "memory" or study.id in OVERLAPPING:
            expected = "check"
        else:
            expected = "calibration" if study.id in CALIBRATION else "validation"
        assert study.use == expected, study.id
    assert {study.id for study in shelf()} >= CALIBRATION | OVERLAPPING


def test_recalled_figures_stand_apart_from_those_that_were_read():
    for study in shelf():
        assert (study.confidence == "memory") == study.id.endswith("-recalled"), study.id


def test_what_overlaps_names_what_it_overlaps_with():
    names = set(evidence.ids())
    for study in shelf():
        assert set(study.overlaps) <= names, study.id
        if study.id in OVERLAPPING and study.id not in {"grunebaum2018", "otto2021", "perez-ruixo2021", "simons2022"}:
            assert study.overlaps, study.id


def test_every_study_has_a_source_line_with_a_year_and_a_journal_or_label():
    for study in shelf():
        assert re.search(r"(19|20)\d\d|PMC\d+|J Clin Psychiatry", study.citation), study.id
        assert len(study.citation.split()) >= 4, study.id


def test_intervals_hold_their_figure_and_percentages_have_people():
    for study in shelf():
        for figure in [f for arm in study.arm for f in arm.observed] + list(study.contrast):
            if figure.ci95 is not None:
                assert figure.ci95[0] - 1e-9 <= figure.value <= figure.ci95[1] + 1e-9, (study.id, figure)
        for arm in study.arm:
            for figure in arm.observed:
                assert (figure.n or arm.n or study.population.n) <= study.population.n, (study.id, figure)


def test_every_time_lies_after_the_first_dose_and_names_a_session_that_there_is():
    for study in shelf():
        for arm in study.arm:
            for figure in arm.observed:
                at = when(figure.at)
                assert at.session is None or at.session <= len(arm.days), (study.id, figure.at)
                assert 0 < at.from_first_dose(arm.days) <= 24 * 366 * 1.4, (study.id, figure.at)


def test_a_contrast_sets_two_different_arms_against_each_other():
    for study in shelf():
        for contrast in study.contrast:
            assert contrast.arms[0] != contrast.arms[1], study.id


def test_figures_that_rest_on_an_assumed_input_say_so_in_words_too():
    for study in shelf():
        figures = [f for arm in study.arm for f in arm.observed] + list(study.contrast)
        if study.confidence != "memory" and any(figure.status == "assumed" for figure in figures):
            text = evidence.path_of(study.id).read_text()
            assert text.startswith("# "), study.id
