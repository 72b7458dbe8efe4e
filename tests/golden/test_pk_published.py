"""What the papers print about their own models: exposure tables and derived constants. Each test names its record."""

from __future__ import annotations

import numpy as np
import pytest
from pk_oracle import course, record, shelf

from regrow.catalog import models

DAY = np.arange(0.0, 24.0 + 1e-9, 1 / 30)


def peak(result, name):
    """Cmax in ng/mL and its time in min."""
    return 1000 * result[name].max(), 60 * DAY[result[name].argmax()]


def day_area(result, name):
    """AUC from 0 to 24 h in ng h/mL."""
    return 1000 * result[f"AUC_{name}"][-1]


def half_life(model, states):
    """The longest half-life (h) among the states named."""
    linear = shelf(model)
    at = [linear.states.index(name) for name in states]
    return np.log(2) / min(-np.linalg.eigvals(linear.rates[np.ix_(at, at)]).real)


# --- perezruixo2021_table4: nasal 28, 56, 84 mg, model-based exposure ------------------------------------------------

TABLE_4 = {
    "Caucasian": (40.0, (), (43.8, 72.5, 101.0), (147.3, 254.7, 362.2), (59.1, 119.7, 180.0)),
    "older": (70.0, (), (44.6, 73.8, 102.7), (160.4, 275.8, 391.2), None),
    "Japanese": (40.0, ("japanese",), (57.5, 94.5, 131.3), (194.7, 335.1, 475.4), (72.1, 146.3, 220.4)),
    "other Asian": (40.0, ("asian",), (44.1, 73.2, 102.4), (158.2, 275.9, 393.5), (73.4, 148.5, 223.5)),
}


def sprayed(mg, age, effects):
    return course("perezruixo2021", "esketamine", "intranasal", mg, DAY, age_y=age, effects=effects)


@record("perezruixo2021_table4")
@pytest.mark.parametrize(("place", "mg"), [(0, 28.0), (1, 56.0), (2, 84.0)])
@pytest.mark.parametrize("people", TABLE_4)
def test_table_4_of_perez_ruixo_is_met_within_one_per_cent(people, place, mg):
    """perezruixo2021_table4: esketamine Cmax and AUC to 24 h, noresketamine Cmax."""
    age, effects, cmax, area, nk_cmax = TABLE_4[people]
    found = sprayed(mg, age, effects)
    assert peak(found, "C_S")[0] == pytest.approx(cmax[place], rel=0.01)
    assert day_area(found, "C_S") == pytest.approx(area[place], rel=0.01)
    if nk_cmax:
        assert peak(found, "C_NK")[0] == pytest.approx(nk_cmax[place], rel=0.01)


@record("perezruixo2021_table4")
@pytest.mark.xfail(reason="known erratum: the printed model gives 1.41 to 1.46 times the printed noresketamine AUC")
@pytest.mark.parametrize(("mg", "area"), [(28.0, 274.4), (56.0, 516.3), (84.0, 758.0)])
def test_table_4_gives_the_noresketamine_area(mg, area):
    """perezruixo2021_table4: noresketamine AUC to 24 h, Caucasian 18 to 60 y."""
    assert day_area(sprayed(mg, 40.0, ()), "C_NK") == pytest.approx(area, rel=0.05)


@record("perezruixo2021_esketamine_nasal", "spravato_labels")
@pytest.mark.parametrize(("mg", "published"), [(28.0, 0.62), (56.0, 0.54), (84.0, 0.51)])
def test_the_total_bioavailability_of_the_spray_falls_with_the_number_of_devices(mg, published):
    """perezruixo2021_esketamine_nasal, derived: F 0.62, 0.54, 0.51; the label says 0.48 at 84 mg (spravato_labels)."""
    linear = shelf("perezruixo2021")
    nasal = linear.total(models.inputs("perezruixo2021", "esketamine", "intranasal", mg, 0.0), "C_S")
    vein = linear.total(models.inputs("perezruixo2021", "esketamine", "iv", mg, 0.0), "C_S")
    assert nasal / vein == pytest.approx(published, abs=0.008)


@record("perezruixo2021_esketamine_nasal")
def test_the_swallowed_share_of_a_spray_is_18_per_cent_bioavailable():
    """perezruixo2021_esketamine_nasal, derived: F_swallowed 0.186 (its values give 0.178), fm 0.714."""
    linear = shelf("perezruixo2021")
    oral = linear.total(models.inputs("perezruixo2021", "esketamine", "oral", 28.0, 0.0), "C_S")
    vein = linear.total(models.inputs("perezruixo2021", "esketamine", "iv", 28.0, 0.0), "C_S")
    assert oral / vein == pytest.approx(0.186, abs=0.009)
    values = models.get("perezruixo2021").parameters
    assert values["kmet"].value / (values["kmet"].value + values["kel"].value) == pytest.approx(0.714, abs=0.0005)


@record("spravato_labels")
def test_the_peak_of_a_84_mg_spray_comes_20_to_40_min_after_the_last_device():
    """spravato_labels: Tmax 20 to 40 min after the last spray, which is at 10 min."""
    assert 20 <= peak(sprayed(84.0, 40.0, ()), "C_S")[1] - 10 <= 40


# --- simons2022_observed and the transcription checks ----------------------------------------------------------------


@record("derived_here")
def test_the_50_mg_film_of_simons_gives_the_recorded_peaks():
    """derived_here, transcription_checks: K 85.9 at 17 min, NK 251 at 62 min, HNK 95 at 76 min (70 kg)."""
    found = course("simons2022", "esketamine", "sublingual", 50.0, DAY)
    for name, cmax, tmax in (("C_S", 85.9, 17), ("C_NK", 251, 62), ("C_HNK", 95, 76)):
        assert peak(found, name)[0] == pytest.approx(cmax, rel=0.005)
        assert peak(found, name)[1] == pytest.approx(tmax, abs=2.1)


@record("simons2022_observed")
@pytest.mark.parametrize(
    ("mg", "name", "cmax", "within"),
    [
        (50, "C_S", 96, 0.12),
        (50, "C_NK", 276, 0.10),
        (50, "C_HNK", 101, 0.06),
        (100, "C_S", 144, 0.20),
        (100, "C_NK", 426, 0.19),
        (100, "C_HNK", 189, 0.02),
    ],
)
def test_the_films_of_simons_reach_the_observed_peaks(mg, name, cmax, within):
    """simons2022_observed, Table 2: the typical person of the model against means, and F1 fell from 29 to 23 %."""
    found = course("simons2022", "esketamine", "sublingual", float(mg), DAY)
    assert peak(found, name)[0] == pytest.approx(cmax, rel=within)


@record("simons2022_observed")
def test_the_50_mg_film_of_simons_gives_the_observed_areas():
    """simons2022_observed: AUC to 6 h of K 139.4, NK 641.6, HNK 401.5 ng h/mL; typical runs 3 to 11 % low."""
    found = course("simons2022", "esketamine", "sublingual", 50.0, [6.0])
    areas = [1000 * found[f"AUC_{name}"][0] for name in ("C_S", "C_NK", "C_HNK")]
    np.testing.assert_allclose(areas, (139.4, 641.6, 401.5), rtol=0.11)


@record("derived_here")
@pytest.mark.parametrize(
    ("model", "recorded"), [("simons2022", 259), ("ashraf2018", 228), ("otto2021", 108), ("perezruixo2021", 85)]
)
def test_20_mg_over_20_min_in_73_kg_peaks_as_recorded_for(model, recorded):
    """derived_here, single_model_vs_data: arterial S-ketamine was observed at 260 to 273; venous models are lower."""
    found = course(model, "esketamine", "iv", 20.0, [1 / 3], over_h=1 / 3, weight_kg=73.0)
    assert 1000 * found["C_S"][0] == pytest.approx(recorded, abs=0.55)


@record("simons2022_observed")
@pytest.mark.parametrize("observed", [(273, 259, 287), (260, 251, 269)])
def test_simons_meets_its_own_infusion_within_six_per_cent(observed):
    """simons2022_observed: end of 20 mg/20 min, two visits, mean and 95 % interval; typical 73-kg person."""
    found = course("simons2022", "esketamine", "iv", 20.0, [1 / 3], over_h=1 / 3, weight_kg=73.0)
    assert 1000 * found["C_S"][0] == pytest.approx(observed[0], rel=0.06)


@record("derived_here")
@pytest.mark.parametrize(
    ("model", "low", "high"),
    [("otto2021", 158, 160), ("perezruixo2021", 124.5, 125.5), ("simons2022", 288, 298), ("ashraf2018", 268, 269)],
)
def test_35_mg_over_40_min_ends_as_recorded_for(model, low, high):
    """derived_here, single_model_vs_data: total ketamine at 40 min, R taken as S."""
    found = course(model, "esketamine", "iv", 35.0, [2 / 3], over_h=2 / 3)
    assert low <= 1000 * found["C_S"][0] <= high


# --- derived constants -----------------------------------------------------------------------------------------------


@record(
    "simons2022_s_ketamine_otf_iv",
    "otto2021_s_ketamine_fanta",
    "domino1984_ketamine_3cmt",
    "ashraf2018_s_ketamine_oral_iv_ddi",
    "perezruixo2021_esketamine_nasal",
)
@pytest.mark.parametrize(
    ("model", "published", "states"),
    [
        ("simons2022", 3.2, ("central_S", "p1_S", "p2_S")),
        ("otto2021", 7.4, ("central_S", "p1_S", "p2_S")),
        ("domino1984", 1.9, ("central", "p1", "p2")),
        ("ashraf2018", 7.5, ("central", "p1", "p2")),
        ("perezruixo2021", 11.0, ("liver", "central", "p1", "p2")),
    ],
)
def test_the_terminal_half_life_is_the_recorded_one_of(model, published, states):
    """The derived blocks of the five model records, h, printed to 0.1 h."""
    assert half_life(model, states) == pytest.approx(published, abs=0.055)


@record("simons2022_s_ketamine_otf_iv", "otto2021_s_ketamine_fanta")
@pytest.mark.parametrize(
    ("model", "published", "states"),
    [
        ("simons2022", 3.6, ("nk_S", "nkp_S")),
        ("simons2022", 1.7, ("hnk", "hnkp")),
        ("otto2021", 5.1, ("nk_S", "nkp_S")),
    ],
)
def test_the_intrinsic_half_life_of_the_metabolite_is_the_recorded_one_of(model, published, states):
    """simons2022_s_ketamine_otf_iv and otto2021_s_ketamine_fanta, derived, h."""
    assert half_life(model, states) == pytest.approx(published, abs=0.055)


@record("simons2022_s_ketamine_otf_iv", "otto2021_s_ketamine_fanta", "ashraf2018_s_ketamine_oral_iv_ddi")
@pytest.mark.parametrize(("model", "published"), [("simons2022", 224.6), ("otto2021", 418.8), ("ashraf2018", 296.4)])
def test_the_volume_at_steady_state_is_the_recorded_one_of(model, published):
    """Vss = V1 + V2 + V3 of the three model records, L at 70 kg."""
    values = models.parameters(model, weight_kg=70.0, age_y=40.0, female=False)
    assert sum(values[name][0] for name in ("V1", "V2", "V3")) == pytest.approx(published, abs=0.05)


@record("simons2022_s_ketamine_otf_iv")
def test_hnk_over_ketamine_after_an_infusion_is_0_89_in_moles():
    """simons2022_s_ketamine_otf_iv, derived: HNK_over_K_molar_AUC_IV 0.89."""
    linear, given = shelf("simons2022"), models.inputs("simons2022", "esketamine", "iv", 20.0, 0.0, 1 / 3)
    ratio = linear.total(given, "C_HNK") / 239.70 / (linear.total(given, "C_S") / 237.73)
    assert ratio == pytest.approx(0.89, abs=0.005)


# --- ashraf2018_s_ketamine_oral_iv_ddi and peltoniemi_ashraf_observed ------------------------------------------------


@record("ashraf2018_s_ketamine_oral_iv_ddi")
def test_ashraf_clears_75_litres_per_hour_and_lets_13_per_cent_of_an_oral_dose_through():
    """ashraf2018, derived: CL 74.7 L/h/70kg, F 0.13, and 0.27 with CYP2B6 abolished."""
    given = models.inputs("ashraf2018", "esketamine", "iv", 10.0, 0.0)
    oral = models.inputs("ashraf2018", "esketamine", "oral", 10.0, 0.0)
    free, blocked = shelf("ashraf2018"), shelf("ashraf2018", effects=["ticlopidine"])
    assert 10.0 / free.total(given, "C_S") == pytest.approx(74.7, abs=0.05)
    assert free.total(oral, "C_S") / free.total(given, "C_S") == pytest.approx(0.13, abs=0.01)
    assert blocked.total(oral, "C_S") / blocked.total(given, "C_S") == pytest.approx(0.27, abs=0.015)


@record("derived_here")
def test_ashraf_gives_the_recorded_typical_areas_after_an_oral_dose():
    """derived_here, transcription_checks: 0.2 mg/kg oral in 62 kg, AUC to 24 h of K 20.7 and NK 252."""
    found = course("ashraf2018", "esketamine", "oral", 0.2 * 62, DAY, weight_kg=62.0)
    assert day_area(found, "C_S") == pytest.approx(20.7, abs=0.06)
    assert day_area(found, "C_NK") == pytest.approx(252, abs=0.6)


@record("peltoniemi_ashraf_observed")
@pytest.mark.parametrize(
    ("effects", "name", "published", "within"),
    [
        ((), "C_S", 22.4, 0.10),
        ((), "C_NK", 279, 0.12),
        (("ticlopidine",), "C_S", 53.2, 0.05),
        (("ticlopidine",), "C_NK", 250, 0.05),
    ],
)
def test_ashraf_meets_its_oral_table_with_and_without_ticlopidine(effects, name, published, within):
    """peltoniemi_ashraf_observed: AUC to 24 h, means of a skewed spread against the typical person of 62 kg."""
    found = course("ashraf2018", "esketamine", "oral", 0.2 * 62, DAY, weight_kg=62.0, effects=effects)
    assert day_area(found, name) == pytest.approx(published, rel=within)


@record("peltoniemi_ashraf_observed")
def test_ashraf_gives_the_level_10_min_after_the_injection_and_its_norketamine():
    """peltoniemi_ashraf_observed, IV 0.1 mg/kg in 2 min: C(10 min) 41, NK AUC 161; the typical person runs 11 % low."""
    found = course("ashraf2018", "esketamine", "iv", 6.2, [1 / 6, 24.0], over_h=1 / 30, weight_kg=62.0)
    assert 1000 * found["C_S"][0] == pytest.approx(41, rel=0.12)
    assert 1000 * found["AUC_C_NK"][1] == pytest.approx(161, rel=0.12)


@record("peltoniemi_ashraf_observed")
@pytest.mark.xfail(reason="the model's clearance at 62 kg is 68 L/h: its own IV AUC comes out 23 % above the table")
def test_ashraf_gives_the_intravenous_area():
    """peltoniemi_ashraf_observed, IV 0.1 mg/kg: AUC to 24 h 70 ng h/mL."""
    found = course("ashraf2018", "esketamine", "iv", 6.2, [24.0], over_h=1 / 30, weight_kg=62.0)
    assert day_area(found, "C_S") == pytest.approx(70, rel=0.15)
