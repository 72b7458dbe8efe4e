"""The model text and its parameters: units balance, every name has a value, every value has a source."""

from __future__ import annotations

import re

import antimony
import libsbml
import pytest

from regrow import mechanism
from regrow.catalog import structures
from regrow.engine import compile_model
from regrow.refusal import Refusal

CORE = mechanism.CORE
PLASMA = "var C_S has mg_per_L, C_R has mg_per_L, Cv_S has mg_per_L, C_NK has mg_per_L, C_HNK has mg_per_L;"
INTERFACE = {"C_S", "C_R", "Cv_S", "C_NK", "C_HNK"}
SPELLED = {"1": "dimensionless", "h": "hour", "1/h": "per_hour", "umol/L": "umol_per_L", "mg/umol": "mg_per_umol"}
SPELLED |= {"mg/L": "mg_per_L", "L": "litre", "L/h": "L_per_hour", "mmHg": "mmHg", "1/min": "per_min"}
OUTPUTS = ["Ce", "b_I", "b_S", "B_T", "G", "E", "B", "M", "P", "F", "n", "S", "density", "W", "w", "U", "X", "D"]


def sbml(parts: tuple[str, ...]) -> libsbml.SBMLDocument:
    """The parts as SBML, every literal marked dimensionless (a number in these equations never hides a unit)."""
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(mechanism.text(modules=parts) + "\n" + PLASMA) >= 0, antimony.getLastError()
    document = libsbml.readSBMLFromString(antimony.getSBMLString(antimony.getMainModuleName()))
    model = document.getModel()
    for element in [*model.getListOfRules(), *model.getListOfInitialAssignments()]:
        formula = element.getMath().deepCopy()
        mark_dimensionless(formula)
        element.setMath(formula)
    return document


def mark_dimensionless(node: libsbml.ASTNode) -> None:
    if node.isNumber():
        node.setUnits("dimensionless")
    for i in range(node.getNumChildren()):
        mark_dimensionless(node.getChild(i))


@pytest.fixture(scope="module", params=[CORE, (*CORE, "habenula")], ids=["core", "with habenula"])
def document(request: pytest.FixtureRequest) -> libsbml.SBMLDocument:
    return sbml(request.param)


def test_the_text_is_consistent_and_its_units_balance_without_a_message(document: libsbml.SBMLDocument) -> None:
    document.checkConsistency()
    log = document.getErrorLog()
    no_value_yet = 80702
    messages = [log.getError(i) for i in range(log.getNumErrors())]
    assert [m.getMessage() for m in messages if m.getErrorId() != no_value_yet] == []


def test_the_unit_check_notices_a_wrong_unit() -> None:
    antimony.clearPreviousLoads()
    wrong = mechanism.text(modules=CORE).replace("KD_I has umol_per_L", "KD_I has mg_per_L")
    assert antimony.loadAntimonyString(wrong + "\n" + PLASMA) >= 0
    document = libsbml.readSBMLFromString(antimony.getSBMLString(antimony.getMainModuleName()))
    document.checkConsistency()
    log = document.getErrorLog()
    assert any("b_I" in log.getError(i).getMessage() for i in range(log.getNumErrors()))


def test_every_name_has_a_value_or_is_plasma_from_pharmacokinetics(document: libsbml.SBMLDocument) -> None:
    model = document.getModel()
    ruled = {rule.getVariable() for rule in model.getListOfRules()}
    started = {a.getSymbol() for a in model.getListOfInitialAssignments()}
    open_names = {p.getId() for p in model.getListOfParameters()} - ruled - started
    assert open_names - set(mechanism.values()) == INTERFACE


def test_every_output_that_readouts_use_is_there(document: libsbml.SBMLDocument) -> None:
    assert set(OUTPUTS) <= {rule.getVariable() for rule in document.getModel().getListOfRules()}


def test_every_parameter_of_the_file_is_used_in_the_text() -> None:
    equations = re.sub("//.*", "", mechanism.text(modules=(*CORE, "habenula")))
    words = set(re.findall(r"[A-Za-z_]\w*", equations))
    of_events = {"X0", "y_acute", "u_active", "u_masked", "felt", "p_first", "p_later", "k_ECT"}
    of_studies = {"leave"}
    assert set(mechanism.values()) - words == of_events | of_studies


@pytest.mark.parametrize("name", mechanism.parameters())
def test_parameter_states_unit_status_source_and_meaning(name: str) -> None:
    parameter = mechanism.parameters()[name]
    assert parameter.status in ("measured", "calibrated", "assumed")
    assert len(parameter.source) > 10 or parameter.source.removeprefix("as ") in mechanism.parameters()
    assert len(parameter.meaning) > 10
    if parameter.spread is not None:
        assert (parameter.spread.omega > 0) != (parameter.spread.sd > 0)


def test_the_unit_of_every_parameter_is_the_one_the_text_declares(document: libsbml.SBMLDocument) -> None:
    declared = {p.getId(): p.getUnits() for p in document.getModel().getListOfParameters()}
    stated = {n: SPELLED.get(p.unit, p.unit) for n, p in mechanism.parameters().items() if n in declared}
    assert stated == {name: declared[name] for name in stated}


@pytest.mark.parametrize("name", mechanism.parameters())
def test_what_is_only_remembered_is_not_called_measured(name: str) -> None:
    parameter = mechanism.parameters()[name]
    assert not (parameter.status == "measured" and "remembered" in parameter.source)


def test_an_unknown_module_is_refused_with_those_that_exist() -> None:
    with pytest.raises(Refusal, match=r"UNKNOWN-MODULE: .*circuit, felt, habenula, mood"):
        mechanism.text(modules=("amygdala",))


@pytest.mark.parametrize("joins", [(), ("habenula",)], ids=["core", "with habenula"])
def test_the_engine_takes_the_text_as_a_cascade_and_its_parameters_are_all_known(joins: tuple[str, ...]) -> None:
    model = compile_model(mechanism.text("enantiomers", modules=(*mechanism.CORE, *joins)))
    assert model.general is None
    assert model.notes == ()
    assert set(model.parameters) <= set(mechanism.values()) | set(structures.get("enantiomers").parameters)
