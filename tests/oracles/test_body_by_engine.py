"""The body solved by the engine against the reading of its text by `body_oracle`, which shares nothing with it."""

import numpy as np
import pytest
from body_oracle import grid, session, typical

from regrow import mechanism
from regrow.catalog import models
from regrow.engine import Bolus, Infusion, compile_model, solve

OUTPUTS = (
    *("cadss", "sbp", "dbp", "hr", "sbp_rise", "dbp_rise", "hr_rise"),
    *("sedation", "nausea", "dizziness", "analgesia", "lasting_relief", "pain_relief", "pain_nrs"),
)
DOSES = {
    "an infusion": [("ketamine", "iv", 35.0, 0.0, 40 / 60)],
    "a spray": [("esketamine", "intranasal", 84.0, 0.0, 0.0)],
    "two weekly doses under the skin": [("ketamine", "sc", 70.0, 0.0, 0.0), ("ketamine", "sc", 70.0, 168.0, 0.0)],
}


@pytest.mark.parametrize("doses", DOSES.values(), ids=DOSES)
def test_the_engine_gives_the_body_that_its_text_states(doses):
    model = compile_model(mechanism.text(models.get("d1").structure, modules=("receptor", "body")))
    values = mechanism.values() | {
        k: v[0] for k, v in models.parameters("d1", weight_kg=70, age_y=40, female=False).items()
    }
    events = [
        Infusion(at, state, np.asarray(mg), over) if over else Bolus(at, state, np.asarray(mg))
        for drug, route, dose, start, length in doses
        for at, state, mg, over in models.inputs("d1", drug, route, dose, start, length)
    ]
    times = grid([d[3] for d in doses], doses[-1][3] + 8)
    used = {name: values[name] for name in model.parameters}
    found = solve(model, used, events, times, OUTPUTS, n=1).values[:, 0, :]
    expected = session(doses, times, typical())
    for name, row in zip(OUTPUTS, found, strict=True):
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(row, expected[name][0], atol=2e-3 * scale, err_msg=name)
