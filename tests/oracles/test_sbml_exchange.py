"""A course as SBML: sound by libSBML's own checks, the same numbers when read back, and the same in libroadrunner."""

from functools import cache

import libsbml
import numpy as np
import pytest
import roadrunner_course

from regrow.engine import Bolus, Change, Infusion, Jump
from regrow.exchange import sbml
from regrow.exchange.unrolled import Unrolled, unroll
from regrow.order import Order, read
from regrow.refusal import Refusal

COURSES = {
    "an infusion series that ends on a score": Order("atlanta"),
    "nasal esketamine by its label": Order("esketamine-us", until="8 weeks"),
    "into a muscle, masked": Order("single", route="im", days="0,7,30", belief="masked"),
    "by mouth, with months between": Order("single", route="oral", dose="1 mg/kg", days="0,7,90"),
    "a bolus for someone drawn by chance": Order("single", dose="2 mg/kg", duration="0 min", people=1, seed=5),
    "ten days of infusion": Order("crps-10-day"),
    "switches that set, change and jump": Order(
        "standard-2x3", without=("new-spines",), with_=("rapamycin-oral", "stress")
    ),
    "a part joined to the text": Order("standard-2x3", with_=("habenula",)),
    "another plasma model": Order("single", model="perezruixo2021", drug="esketamine", dose="84 mg", route="nasal"),
    "a drug that is no ketamine": Order("single", drug="midazolam"),
}
OUTPUTS = ("D", "density", "cadss", "sbp")


@cache
def unrolled(name: str) -> tuple[Unrolled, str]:
    (one,) = unroll(*read(COURSES[name]))
    return one, sbml.to_sbml(one)


@pytest.mark.parametrize("name", COURSES)
def test_libsbml_has_nothing_to_say_about_the_file(name: str) -> None:
    _, text = unrolled(name)
    document = libsbml.readSBMLFromString(text)
    for check in (libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, libsbml.LIBSBML_CAT_MODELING_PRACTICE):
        document.setConsistencyChecks(check, True)
    document.checkConsistency()
    assert [document.getError(k).getMessage() for k in range(document.getNumErrors())] == []
    assert document.getLevel() == 3
    assert all(p.isSetValue() or p.getId() in _ruled(document) for p in document.getModel().getListOfParameters())


def _ruled(document: libsbml.SBMLDocument) -> set[str]:
    return {rule.getVariable() for rule in document.getModel().getListOfRules()}


@pytest.mark.parametrize("name", COURSES)
def test_a_file_read_back_is_the_course_that_was_written(name: str) -> None:
    one, text = unrolled(name)
    again = sbml.from_sbml(text)
    assert again.model.states == one.model.states
    ours, theirs = one.solve(one.model.outputs), again.solve(one.model.outputs, one.times).values[:, 0]
    assert (np.abs(ours - theirs).max(axis=1) <= 1e-8 * np.abs(ours).max(axis=1) + 1e-12).all()


@pytest.mark.parametrize("name", COURSES)
def test_libroadrunner_runs_the_file_to_the_same_mood_and_synapses(name: str) -> None:
    one, text = unrolled(name)
    theirs = roadrunner_course.course(text, OUTPUTS, one.times)
    ours = one.solve(OUTPUTS)
    assert (np.abs(theirs - ours).max(axis=1) <= 1e-4 * np.abs(ours).max(axis=1)).all()


def test_the_file_says_what_each_parameter_is_and_where_its_value_comes_from() -> None:
    _, text = unrolled("ten days of infusion")
    model = libsbml.readSBMLFromString(text).getModel()
    tau = model.getParameter("tau_S")
    assert tau.getName()
    assert any(word in tau.getNotesString() for word in ("measured:", "calibrated:", "assumed:"))
    assert "regional pain" in model.getName()
    assert "Not a medical device" in model.getNotesString()


FOREIGN = """
k = 0.1; a has dimensionless; a = 10; a' = -k*a; q = 2; y := q*a;
"""


def _foreign(event: str) -> str:
    import antimony

    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(f"model m()\n{FOREIGN}\n{event}\nend") >= 0, antimony.getLastError()
    return antimony.getSBMLString("m")


def test_events_that_others_wrote_are_read_too() -> None:
    text = _foreign("at (time >= 2), t0=false: a = 0.5*a + q; E2: at 3 after time > 4, t0=false: k = 0.2, a = a + 1;")
    found = sbml.from_sbml(text)
    assert found.events == (Jump(2.0, "a", 0.5, 2.0), Change(7.0, "k", 0.2), Bolus(7.0, "a", 1.0))
    after = (10 * np.exp(-0.2) * 0.5 + 2) * np.exp(-0.5) + 1
    assert found.solve(("y",), [9.0]).values[0, 0, 0] == pytest.approx(2 * after * np.exp(-0.4), rel=1e-6)


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ("late: at (a < 5), t0=false: a = a + 1;", "late"),
        ("odd: at (time >= 2), t0=false: a = a*a;", "odd"),
        ("mixed: at (time >= 2), t0=false: a = a + y;", "mixed"),
        ("never: at (time >= 0), t0=true: a = 1;", "never"),
    ],
)
def test_an_event_that_cannot_be_kept_is_refused_by_name(event: str, word: str) -> None:
    with pytest.raises(Refusal, match="SBML-EVENT") as caught:
        sbml.from_sbml(_foreign(event))
    assert word in caught.value.sentence


def test_doses_come_back_as_doses() -> None:
    _, text = unrolled("into a muscle, masked")
    assert {type(event) for event in sbml.from_sbml(text).events} <= {Bolus, Jump, Infusion}
    (single,) = unroll(*read(Order("single")))
    back = sbml.from_sbml(sbml.to_sbml(single)).events
    infusions = [event for event in back if isinstance(event, Infusion)]
    assert {(e.state, round(e.amount, 9), round(e.duration, 9)) for e in infusions} == {
        ("central_S", 17.5, round(2 / 3, 9)),
        ("central_R", 17.5, round(2 / 3, 9)),
    }
