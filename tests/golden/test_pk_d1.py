"""D1, the default model: the predictions that pk.yaml records for it (derived_here: regrow_default_D1)."""

from __future__ import annotations

import numpy as np
import pytest
from pk_oracle import course, record

MINUTES = (20, 40, 80, 110, 120, 230)
STANDARD = (
    ("arterial", (240, 296, 67, 45, 41, 23), 0.5),
    ("venous", (131, 189, 89, 69, 63, 31), 0.5),
    ("norketamine", (10, 46, 91, 83, 79, 45), 0.6),
    ("hnk", (2, 13, 35, 39, 40, 36), 0.5),
)


def standard_infusion(times_h):
    r = course("d1", "ketamine", "iv", 35.0, times_h, over_h=40 / 60)
    return {
        "arterial": 1000 * (r["C_S"] + r["C_R"]),
        "venous": 1000 * (r["Cv_S"] + r["Cv_R"]),
        "norketamine": 1000 * r["C_NK"],
        "hnk": 1000 * r["C_HNK"],
    }


@record("regrow_default_D1")
@pytest.mark.parametrize(("analyte", "published", "within"), STANDARD, ids=[row[0] for row in STANDARD])
def test_the_standard_infusion_gives_the_recorded_levels_of(analyte, published, within):
    """regrow_default_D1, predictions_0p5mgkg_40min_racemic_70kg: printed to 1 ng/mL (296.8 is recorded as 296)."""
    found = standard_infusion([m / 60 for m in MINUTES])[analyte]
    np.testing.assert_allclose(found, published, atol=within + 0.35)


@record("regrow_default_D1")
def test_an_intramuscular_half_milligram_per_kilogram_peaks_at_446_arterial_and_244_venous():
    """im_input: zero-order 20 min with F 0.93; memory of the 1981 paper says 243 ng/mL at 22 min."""
    r = course("d1", "ketamine", "im", 35.0, [1 / 3])
    assert 1000 * (r["C_S"] + r["C_R"])[0] == pytest.approx(446, abs=0.5)
    assert 1000 * (r["Cv_S"] + r["Cv_R"])[0] == pytest.approx(244, abs=0.5)


@record("regrow_default_D1")
def test_a_50_mg_film_gives_the_recorded_areas_of_ketamine_norketamine_and_hnk():
    """regrow_default_D1, film 50 mg with F1 0.263 and F2 0.737: K, NK, HNK AUC to 6 h at 73 kg."""
    r = course("d1", "esketamine", "sublingual", 50.0, [6.0], weight_kg=73.0)
    areas = [1000 * r[f"AUC_{name}"][0] for name in ("C_S", "C_NK", "C_HNK")]
    np.testing.assert_allclose(areas, (120, 525, 326), rtol=0.01)
