"""Switches are data: every name of the command line is there, touches only what exists and rests on evidence."""

from __future__ import annotations

import re

import pytest

from regrow import mechanism
from regrow.catalog import conditions
from regrow.mechanism import switches
from regrow.refusal import Refusal

WITHOUT = "ampa vdcc bdnf eef2k trkb mtor interneuron-nmda pyramidal-nmda cp-ampar new-spines bdnf-release neurogenesis"
WITH = (
    "val66met met66met benzodiazepine anaesthesia rapamycin-oral mk801-first mglu23-agonist eef2k-inhibitor lithium "
    "naltrexone stress ssri habenula"
)
STEPS = ["glutamate", "p_eef2", "bdnf", "mtorc1", "proteins", "spines", "hours_0_4", "day_1", "day_7"]


@pytest.mark.parametrize(("kind", "names"), [("without", WITHOUT), ("with", WITH)])
def test_every_name_of_the_command_line_is_a_switch_of_its_kind(kind: str, names: str) -> None:
    assert set(names.split()) <= {s.id for s in switches.switches().values() if s.kind == kind}


def test_all_32_interventions_are_there_and_each_has_its_way_in() -> None:
    rows = switches.interventions()
    assert list(rows) == [f"i{k:02d}" for k in range(1, 33)]
    backed = {s.intervention.id for s in switches.switches().values()}
    assert {row.id for row in rows.values() if row.by == "switch"} == backed
    assert all(row.how for row in rows.values() if row.by != "switch")


@pytest.mark.parametrize("row", switches.interventions().values(), ids=lambda row: row.id)
def test_intervention_states_each_step_its_acceptance_and_its_papers(row: switches.Intervention) -> None:
    assert list(row.expected) == STEPS
    assert len(row.acceptance) > 10
    assert row.evidence
    assert all(re.search(r"\((full text|abstract|second-hand|as remembered)\)$", paper) for paper in row.evidence)


def test_only_the_two_known_rows_are_unsolved() -> None:
    assert [row.id for row in switches.interventions().values() if row.unsolved] == ["i06", "i10"]


@pytest.mark.parametrize("switch", switches.switches().values(), ids=lambda switch: switch.id)
def test_switch_touches_only_what_the_text_has(switch: switches.Switch) -> None:
    text = mechanism.text(modules=(*mechanism.CORE, *switch.effect.joins))
    states = set(re.findall(r"^(\w+)' =", text, re.MULTILINE))
    assert set(switch.effect.sets) <= set(mechanism.parameters())
    assert {change.parameter for change in switch.effect.changes} <= set(mechanism.parameters())
    assert {jump.state for jump in switch.effect.jumps} <= states


@pytest.mark.parametrize("switch", switches.switches().values(), ids=lambda switch: switch.id)
def test_switch_changes_something_or_says_that_it_does_not(switch: switches.Switch) -> None:
    standard = mechanism.values()
    sets = {name: value for name, value in switch.effect.sets.items() if value != standard[name]}
    does_something = bool(sets or switch.effect.jumps or switch.effect.joins)
    assert does_something != switch.what.startswith("Changes nothing")


def test_a_prefix_is_enough_where_it_is_the_only_one() -> None:
    assert switches.get("rapa").id == "rapamycin-oral"
    assert switches.get("bdnf", "without").id == "bdnf"
    assert switches.get("stress").id == "stress"


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("amapa", "without", "UNKNOWN-SWITCH: .*nearest is ampa"),
        ("ssri", "without", "UNKNOWN-SWITCH: .*write --with ssri"),
        ("m", "with", "AMBIGUOUS-SWITCH: .*met66met, mk801-first, mglu23-agonist"),
        ("", "with", "UNKNOWN-SWITCH: .*known: val66met"),
    ],
)
def test_an_unknown_switch_is_refused_with_a_way_out(name: str, kind: switches.Kind, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        switches.get(name, kind)


def test_two_switches_on_one_parameter_are_refused_by_name() -> None:
    with pytest.raises(Refusal, match=r"SWITCH-CONFLICT: .*mtor and rapamycin-oral both set rho"):
        switches.combine(["mtor", "rapamycin-oral"])


def test_switches_add_up_and_a_name_said_twice_counts_once() -> None:
    effect = switches.combine(["ampa", "new-spines", "ampa", "habenula"])
    assert effect.sets == {"q_AMPA": 1.0}
    assert {(jump.state, jump.at) for jump in effect.jumps} == {("n", 24.0), ("F", 24.0)}
    assert effect.joins == ("habenula",)
    assert len(effect.notes) == 3


def test_what_is_contested_is_said_in_the_notes_of_a_run() -> None:
    assert "Contested" in switches.combine(["naltrexone"]).notes[0]
    assert "Changes nothing" in switches.combine(["neurogenesis"]).notes[0]


def test_the_healthy_condition_starts_without_stress_and_with_a_low_score() -> None:
    healthy = conditions.find("healthy")
    assert healthy is not None
    assert healthy.baseline is not None
    assert (healthy.sets, healthy.baseline) == ({"sigma": 0.0, "sigma0": 0.0}, 5.0)
