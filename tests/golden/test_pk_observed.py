"""The shelf against measured levels it was not made from, misses shown as misses. Each test names its record."""

from __future__ import annotations

import numpy as np
import pytest
from pk_oracle import course, record, shelf

from regrow.catalog import models

# kamp2020_bja_curves: racemic 0.28, 0.57, 1.14 mg/kg/h for 60 min each, arterial means of 20 volunteers, nmol/mL.
KAMP_H = (0.25, 0.5, 0.75, 1.0, 1.5, 1.667, 2.0, 2.083, 2.5, 3.0, 3.083, 3.167, 3.5, 4.0, 5.0)
KAMP = {
    "C_S": ".1137 .1929 .2152 .2701 .4294 .4914 .5239 .7675 .9421 1.0457 .9452 .6162 .4102 .3330 .2467",
    "C_R": ".1452 .2112 .2426 .3959 .4822 .5411 .5970 .8731 1.0203 1.1492 .8010 .5716 .4609 .3635 .2701",
    "C_NK_S": ".0133 .0426 .0702 .1102 .1786 .2416 .2878 .3269 .4761 .6272 .7231 .6911 .6431 .5881 .5294",
    "C_NK_R": ".0240 .0515 .0915 .1386 .2239 .2807 .3642 .4113 .5525 .7586 .8217 .7675 .7409 .6734 .6041",
    "C_HNK": ".0022 .0067 .0136 .0222 .0393 .0520 .0698 .0879 .1332 .1764 .2081 .2018 .2170 .2164 .2157",
}
MOLAR_MASS = {"C_S": 237.73, "C_R": 237.73, "C_NK_S": 223.70, "C_NK_R": 223.70, "C_HNK": 239.70}


def against_kamp(model, name):
    """Geometric mean ratio and median absolute error (%) of predicted over measured, metabolites from 45 min on."""
    given = [
        dose
        for hour, rate in enumerate((0.28, 0.57, 1.14))
        for dose in models.inputs(model, "ketamine", "iv", rate * 70.0, float(hour), 1.0)
    ]
    measured = np.array(KAMP[name].split(), float)
    ratio = shelf(model).run(given, KAMP_H)[name] / MOLAR_MASS[name] * 1000 / measured
    ratio = ratio if name in ("C_S", "C_R") else ratio[2:]
    return float(np.exp(np.mean(np.log(ratio)))), float(100 * np.median(np.abs(ratio - 1)))


@record("kamp2020_bja_curves")
@pytest.mark.parametrize(("name", "gmr", "error"), [("C_S", 1.05, 10.5), ("C_R", 1.01, 9.8), ("C_NK_S", 0.88, 10.6)])
def test_d1_follows_the_arterial_curves_of_kamp_for(name, gmr, error):
    """kamp2020_bja_curves, recorded with fewer points: ratio 1.05, 1.01, 0.88; median error 10.5, 9.8, 10.6 %."""
    found = against_kamp("d1", name)
    assert found[0] == pytest.approx(gmr, abs=0.05)
    assert found[1] == pytest.approx(error, abs=5.0)


@record("regrow_default_D1")
def test_d1_runs_30_per_cent_below_kamp_for_r_norketamine():
    """regrow_default_D1, test_results: R-NK gmr 0.70, a known weakness (R-norketamine takes S-norketamine's values)."""
    assert against_kamp("d1", "C_NK_R")[0] == pytest.approx(0.70, abs=0.05)


@record("kamp2020_bja_curves")
@pytest.mark.xfail(reason="HNK is not settled: D1 runs 2.6 times above Kamp 2020, its three-fold spread says so")
def test_d1_meets_the_total_hnk_of_kamp():
    """kamp2020_bja_curves: total HNK peaks at 0.22 nmol/mL after 2 mg/kg."""
    assert against_kamp("d1", "C_HNK")[0] == pytest.approx(1.0, abs=0.3)


@record("kamp2020_bja_metabolites")
def test_the_spread_on_hnk_covers_the_distance_to_kamp():
    """HNK's log-normal spread is three-fold either way at 95 %, and the distance to Kamp lies inside."""
    spread = models.get("d1").parameters["k_HNK"].spread
    assert spread is not None
    assert spread.omega2 is not None
    reach = np.exp(1.96 * np.sqrt(spread.omega2))
    assert reach == pytest.approx(3.0, rel=0.01)
    assert 1 / reach < against_kamp("d1", "C_HNK")[0] < reach


# otto2021_chdr1311_medians: S-ketamine 10 mg over 30 min, 68 kg, venous medians read off a figure (+-10 %), ng/mL.
OTTO_H = (0.5, 1.0, 2.0, 3.0, 5.0, 6.0, 8.0, 10.0)
OTTO_K = (56.0, 27.0, 15.5, 11.5, 6.0, 4.2, 2.5, 1.8)
OTTO_NK = (10.0, 23.0, 20.0, 16.0, 12.0, 11.0, 8.0, 6.5)


@record("otto2021_chdr1311_medians")
@pytest.mark.parametrize(
    ("model", "ketamine", "norketamine"), [("d1", 6.5, 12.0), ("otto2021", 11.0, 9.0), ("perezruixo2021", 28.0, 9.0)]
)
def test_the_venous_medians_of_otto_are_met_within_the_recorded_error_by(model, ketamine, norketamine):
    """otto2021_chdr1311_medians: median absolute error in per cent; D1's 6.5 is recorded, in-sample."""
    found = course(model, "esketamine", "iv", 10.0, OTTO_H, over_h=0.5, weight_kg=68.0)
    for name, measured, limit in (("Cv_S", OTTO_K, ketamine), ("C_NK", OTTO_NK, norketamine)):
        error = 100 * np.median(np.abs(1000 * found[name] / np.array(measured) - 1))
        assert error <= limit + 0.1


def total(model, drug, mg, times, *, prefix, over_h=0.0):
    found = course(model, drug, "iv", mg, times, over_h=over_h)
    return 1000 * (found[f"{prefix}_S"] + found[f"{prefix}_R"])


@record("zarate2006_0p5_40")
def test_the_standard_infusion_gives_the_185_ng_per_ml_measured_in_venous_blood():
    """zarate2006_0p5_40: 185 ng/mL at the end of 0.5 mg/kg over 40 min (in-sample: 189)."""
    assert total("d1", "ketamine", 35.0, [2 / 3], prefix="Cv", over_h=2 / 3)[0] == pytest.approx(185, rel=0.03)


@record("zarate2006_0p5_40")
@pytest.mark.parametrize("model", models.band("ketamine", "iv"))
def test_every_model_of_the_band_puts_the_standard_infusion_in_or_near_krystals_range(model):
    """zarate2006_0p5_40: 100 to 250 ng/mL (Krystal 1994, venous); arterial models may run 1.9 times above."""
    end = total(model, "ketamine", 35.0, [2 / 3], prefix="C", over_h=2 / 3)[0]
    assert 100 <= end <= 250 * (1.0 if models.get(model).site == "venous" else 1.2)


@record("zarate2006_0p5_40")
def test_a_bolus_of_1_to_2_mg_per_kg_lies_in_the_range_of_anaesthesia_within_the_first_minutes():
    """zarate2006_0p5_40: general anaesthesia 1 to 2 mg/kg IV, 1200 to 2400 ng/mL; D1's venous blood 5 min after."""
    low, high = (total("d1", "ketamine", dose, [5 / 60], prefix="C")[0] for dose in (70.0, 140.0))
    assert high >= 1200
    assert low <= 2400


@record("grant1981_clements1982_im_oral")
def test_an_oral_half_milligram_per_kilogram_peaks_at_45_give_or_take_20():
    """grant1981_clements1982_im_oral: 45 (SD 10) ng/mL; D1 gives 32 arterial, 1.3 SD below."""
    times = np.arange(0.0, 3.0, 1 / 60)
    found = course("d1", "ketamine", "oral", 35.0, times)
    assert 1000 * (found["C_S"] + found["C_R"]).max() == pytest.approx(45, abs=20)


@record("grant1981_clements1982_im_oral")
def test_an_intramuscular_half_milligram_per_kilogram_peaks_at_243_venous_after_20_min():
    """grant1981_clements1982_im_oral: Cmax 243 ng/mL at 22 (SD 4) min, memory."""
    times = np.arange(0.0, 1.0, 1 / 240)
    found = course("d1", "ketamine", "im", 35.0, times)
    venous = 1000 * (found["Cv_S"] + found["Cv_R"])
    assert venous.max() == pytest.approx(243, rel=0.01)
    assert 60 * times[venous.argmax()] == pytest.approx(22, abs=4)


def steady(rate_mg_h, name):
    """The level that a constant rate of racemate ends at: rate times the area of one mg."""
    given = models.inputs("d1", "ketamine", "iv", 1.0, 0.0)
    return rate_mg_h * shelf("d1").total(given, name)


@record("idvall1979_infusion")
def test_the_infusion_of_idvall_settles_at_the_measured_level():
    """idvall1979_infusion: 41 ug/kg/min gave 9.3 (SD 0.8) umol/L under nitrous oxide: implied CL 78 L/h."""
    level = (steady(0.041 * 60 * 70, "C_S") + steady(0.041 * 60 * 70, "C_R")) / 0.23773
    assert level == pytest.approx(9.3, rel=0.10)


@record("koppel1990_icu_steady_state")
def test_the_infusion_of_koppel_settles_within_one_deviation_of_ketamine_and_norketamine():
    """koppel1990_icu_steady_state: 1.2 mg/kg/h gave K 1.2 (SD 0.3) and NK 1.0 (SD 0.6) mg/L."""
    rate = 1.2 * 70
    assert steady(rate, "C_S") + steady(rate, "C_R") == pytest.approx(1.2, abs=0.3)
    assert steady(rate, "C_NK") == pytest.approx(1.0, abs=0.6)


@record("regrow_default_D1")
def test_the_injection_of_the_turku_volunteers_gives_the_recorded_areas():
    """regrow_default_D1: IV 0.1 mg/kg, 60 kg, K AUC24 75 (observed 70), NK AUC24 105 (observed 161)."""
    found = course("d1", "esketamine", "iv", 6.0, [24.0], over_h=1 / 30, weight_kg=60.0)
    assert 1000 * found["AUC_C_S"][0] == pytest.approx(75, rel=0.015)
    assert 1000 * found["AUC_C_NK"][0] == pytest.approx(105, rel=0.015)


def nasal_peak(mg):
    times = np.arange(0.0, 1.0, 1 / 60)
    return 1000 * course("d1", "esketamine", "intranasal", mg, times)["Cv_S"].max()


@record("huge2010_nasal_s_ketamine")
def test_a_nasal_0_2_mg_per_kg_peaks_within_one_deviation_of_the_measured_level():
    """huge2010_nasal_s_ketamine: 27.7 (SD 5.9) ng/mL in 8 patients; 14 mg in D1's venous blood."""
    assert nasal_peak(14.0) == pytest.approx(27.7, abs=5.9)


@record("huge2010_nasal_s_ketamine")
@pytest.mark.xfail(reason="up to one device every model of the shelf is linear: nothing in it saturates")
def test_a_nasal_0_4_mg_per_kg_is_less_than_proportional():
    """huge2010_nasal_s_ketamine: 34.3 (SD 22) ng/mL at 0.4 mg/kg against 27.7 at 0.2, clearly less than double."""
    assert nasal_peak(28.0) / nasal_peak(14.0) < 1.5


@record("perezruixo2021_table4")
@pytest.mark.xfail(reason="D1's venous blood runs 1.4 times above after the spray: perezruixo2021 is the model for it")
@pytest.mark.parametrize(("mg", "cmax"), [(28.0, 43.8), (56.0, 72.5), (84.0, 101.0)])
def test_d1_meets_the_levels_after_the_esketamine_spray(mg, cmax):
    """perezruixo2021_table4: Cmax in venous plasma, ng/mL."""
    assert nasal_peak(mg) == pytest.approx(cmax, rel=0.2)
