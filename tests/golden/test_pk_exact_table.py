"""The shelf's models against the exact predictions of programs that ship them, to every printed digit.

35 mg of racemate (17.5 mg of S-ketamine for the S models) over 40 min in a 70-kg adult, ng/mL; the last column is the
area to infinity. The rows were computed from the code of opentiva, stanpumpR and nlmixr2lib (peers, section 3.7).
"""

from __future__ import annotations

import numpy as np
import pytest
from pk_oracle import course, record, shelf

from regrow.catalog import models

MINUTES = (20, 40, 60, 80, 120, 240, 480)
TABLE = {
    "clements1981": ((109.48, 177.31, 115.42, 84.73, 58.83, 34.57, 13.91), 436.3),
    "domino1984": ((209.58, 240.33, 55.11, 45.81, 35.83, 17.34, 4.06), 301.9),
    "hijazi2003": ((156.74, 225.34, 99.65, 46.03, 13.15, 4.59, 2.60), 231.7),
    "kamp2020": ((198.27, 253.05, 95.86, 73.74, 49.91, 25.62, 10.14), 416.7),
    "otto2021": ((48.98, 79.02, 51.88, 39.38, 27.55, 12.58, 3.87), 183.8),
    "simons2022": ((117.23, 144.37, 45.33, 31.44, 19.08, 10.04, 4.21), 197.1),
    "perezruixo2021": ((37.00, 62.42, 43.92, 32.57, 20.21, 9.02, 3.85), 160.6),
}


def dose(model):
    return ("ketamine", 35.0) if models.get(model).structure == "racemate" else ("esketamine", 17.5)


@pytest.mark.parametrize("model", TABLE)
def test_the_standard_infusion_agrees_to_the_printed_digit_with_other_programs_for(model):
    drug, mg = dose(model)
    found = course(model, drug, "iv", mg, [m / 60 for m in MINUTES], over_h=40 / 60)
    np.testing.assert_allclose(1000 * (found["C_S"] + found["C_R"]), TABLE[model][0], atol=0.0051)


@pytest.mark.parametrize("model", TABLE)
def test_the_area_to_infinity_agrees_to_the_printed_digit_with_other_programs_for(model):
    drug, mg = dose(model)
    given = models.inputs(model, drug, "iv", mg, 0.0, 40 / 60)
    area = sum(shelf(model).total(given, name) for name in ("C_S", "C_R"))
    assert 1000 * area == pytest.approx(TABLE[model][1], abs=0.051)


@record("perezruixo2021_esketamine_nasal")
def test_the_clearance_of_the_hepatoportal_model_is_109_litres_per_hour():
    """perezruixo2021_esketamine_nasal, derived: CL_plasma_L_h_typical 109 (the abstract prints 114)."""
    given = models.inputs("perezruixo2021", "esketamine", "iv", 10.0, 0.0)
    assert 10.0 / shelf("perezruixo2021").total(given, "C_S") == pytest.approx(109.0, abs=0.05)
