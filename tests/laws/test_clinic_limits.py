"""Beyond what a clinic gives, `simulate` says so and goes on; within it says nothing; a physical ceiling refuses."""

from dataclasses import replace

import pytest

from regrow import regimen
from regrow.assembly import Assembly
from regrow.catalog import protocols
from regrow.dosing import given
from regrow.people import Person, Population
from regrow.refusal import Refusal


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
