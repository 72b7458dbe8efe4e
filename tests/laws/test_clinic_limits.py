"""Beyond what a clinic gives, `simulate` says so and goes on; within it says nothing; a physical ceiling refuses."""

from dataclasses import replace

import pytest

from regrow import mechanism, regimen, simulate
from regrow.assembly import Assembly
from regrow.catalog import protocols
from regrow.dosing import given
from regrow.people import Person, Population
from regrow.refusal import Refusal

SINGLE = protocols.get("single").phases[0]


def cautions(text, route="iv", duration=None, drug="ketamine"):
    single = protocols.get("single")
    doses = given(text, drug, route, duration)
    protocol = replace(single, phases=(replace(single.phases[0], doses=(doses,)),), doses=doses)
    found = Assembly(regimen.Course(protocol), Population.of(Person())).cautions
    return [c.split("(")[1].split(")")[0] for c in found if c.startswith("beyond")]


@pytest.mark.parametrize(
    ("dose", "rules"),
    [
        (("0.5 mg/kg",), []),
        (("1 mg/kg",), []),
        (("1.01 mg/kg",), ["R-DO-02"]),
        (("105 mg",), ["R-DO-02", "R-DO-03"]),
        (("0.5 mg/kg", "iv", "0 min"), ["R-DO-09"]),
        (("0.5 mg/kg", "im"), []),
        (("2.6 mg/kg", "oral"), ["R-DO-02"]),
        (("112 mg", "intranasal"), ["R-DO-02"]),
        (("2 mg/kg/h", "iv", "4 h"), []),
        (("2.1 mg/kg/h", "iv", "4 h"), ["R-DO-05"]),
        (("84 mg", "intranasal", None, "esketamine"), []),
        (("0.5 mg/kg", "iv", "40 min", "esketamine"), ["R-DO-02"]),
    ],
    ids=str,
)
def test_a_dose_beyond_a_clinic_s_limit_is_simulated_with_a_caution(dose, rules):
    assert cautions(*dose) == rules


def test_a_dose_beyond_the_physical_ceiling_is_refused():
    with pytest.raises(Refusal, match="DOSE-CEILING"):
        cautions("16 mg/kg")


def test_who_is_65_or_older_reads_what_pressure_did_in_people_like_them():
    def says(drug="ketamine", **person):
        protocol = replace(protocols.get("single"), phases=(replace(SINGLE, doses=(given("0.5 mg/kg", drug, "iv"),)),))
        found = Assembly(regimen.Course(protocol), Population.of(Person(**person))).cautions
        return any(caution.startswith("pressure: from 65 years") for caution in found)

    assert says(age_y=65.0)
    assert not says(age_y=64.0)
    assert not says("placebo", age_y=70.0)


def test_pressure_rises_more_in_an_older_person_and_being_treated_eases_pain():
    def run(age, drug="ketamine", belief="saline-blind"):
        protocol = replace(protocols.get("single"), phases=(replace(SINGLE, doses=(given("0.5 mg/kg", drug, "iv"),)),))
        course = regimen.Course(protocol, belief=belief, condition="crps", until_h=24.0)
        return simulate.run(course, Population.of(Person(age_y=age)), only=("sbp", "pain_left"))

    young, old = (run(age) for age in (40.0, 75.0))
    assert old.sessions[0].peaks["sbp"][0] > 1.3 * young.sessions[0].peaks["sbp"][0]
    placebo = run(40.0, "placebo").values["pain_left"][0]
    own = mechanism.values()["placebo_max"]
    assert placebo[-1] == pytest.approx(1 - own, abs=0.02)
    assert young.values["pain_left"][0].min() < placebo.min() - 0.2
    assert run(40.0, "placebo", "none").values["pain_left"][0].min() == 1
