"""Files of the evidence form that no shelf holds: optional keys left out, odd doses, every scale, route and analyte.

Each figure has a prediction or a sentence that says why there is none; nothing fails silently.
"""

import json
from pathlib import Path

import pytest

from regrow.catalog import conditions, evidence, scales
from regrow.cli import main
from regrow.evidence import check

ODD = sorted((Path(__file__).parent / "odd_studies").glob("*.toml"))


@pytest.mark.parametrize("path", ODD, ids=lambda path: path.stem)
def test_every_figure_of_an_odd_study_has_a_prediction_or_a_reason(path):
    report = check([path], people=40)
    assert len(report.rows) == evidence.read(path).figures
    for row, shown in zip(report.rows, json.loads(report.to_json())["figures"], strict=True):
        if row.predicted is None:
            assert len(row.why) > 10
            assert (shown["within"], shown["covered"], shown["predicted"]) == (None, None, None)
        else:
            assert shown["within"] in (True, False)
            assert shown["predicted_ci95"][0] <= shown["predicted_ci95"][1]


def test_the_odd_studies_are_as_odd_as_they_should_be():
    studies = [evidence.read(path) for path in ODD]
    arms = [arm for study in studies for arm in study.arm]
    figures = [figure for arm in arms for figure in arm.observed]
    assert len(ODD) >= 15
    assert {arm.route for arm in arms} >= {"iv", "im", "sc", "intranasal", "oral", "sublingual", "rectal", None}
    assert {figure.what for figure in figures} >= {"concentration", "cmax", "tmax", "auc", "effect", "relapse"}
    assert {figure.of for figure in figures} >= {"SSI", "CAPS-5", "PCL-5", "pain NRS", "CADSS", "MOAA/S", "DHNK"}


def test_the_command_line_prints_the_same_verdicts_as_json(capsys):
    with pytest.raises(SystemExit) as left:
        main(["evidence", "check", str(ODD[0]), "--json"])
    assert left.value.code in (0, None)
    found = json.loads(capsys.readouterr().out)
    assert {"figures", "summary"} <= set(found)
    assert {"calibration", "validation"} <= set(found["summary"])


def test_what_has_nothing_to_stand_on_says_so_with_its_source():
    path = next(path for path in ODD if path.stem == "drinking")
    whys = [row.why for row in check([path], people=20).rows]
    assert all("not simulated" in why for why in whys)


@pytest.mark.parametrize("row", conditions.conditions(), ids=lambda row: row.id)
def test_a_condition_is_found_by_its_names_and_says_how_sure_it_is(row):
    for name in (row.id, *row.names):
        assert conditions.find(name.upper()) is row
    assert row.id == "depression" or row.says.endswith(".")
    assert all(any(character.isdigit() for character in source) or row.id == "depression" for source in row.sources)


def test_every_gain_beside_depression_spans_what_its_sources_span():
    found = [scales.get(name) for name in scales.ids() if scales.get(name).gain]
    assert {scale.name for scale in found} == {"GAD-7", "HAM-A", "SSI", "MADRS-SI", "PCL-5", "CAPS-5"}
    for scale in found:
        assert scale.gain is not None
        assert scale.gain.low <= scale.gain.value <= scale.gain.high
        assert scale.gain.entry is not None
