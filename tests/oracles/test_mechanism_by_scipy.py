"""The engine and an independent solver agree on the mechanism: mood, synapses and every step before them."""

from __future__ import annotations

import numpy as np
import pytest
from mechanism_course import Dose, course, course_by_engine

STEPS = ("Ce", "b_I", "b_S", "B_T", "G", "E", "B", "M", "P", "F", "n", "X")
CASES = {
    "one infusion": {"expectancy": [(0.0, 0.67)]},
    "spines erased and the habenula joined": {"using": ["new-spines", "habenula"]},
    "rapamycin that stops": {"using": ["rapamycin-oral"], "until": 500.0},
}


@pytest.mark.parametrize("case", CASES)
def test_the_engine_agrees_with_scipy_on_the_text(case: str) -> None:
    theirs = course(Dose(), **CASES[case])
    hours = theirs.hours
    ours = course_by_engine(["D", "density", *STEPS], hours, Dose(), **CASES[case])
    assert np.allclose(ours.values["D"], theirs.values["D"], rtol=1e-4)
    assert np.allclose(ours.values["density"], theirs.values["density"], rtol=1e-4)
    for step in STEPS:
        scale = np.abs(theirs.values[step]).max() + 1e-12
        assert np.abs(ours.values[step] - theirs.values[step]).max() < 5e-3 * scale, step
