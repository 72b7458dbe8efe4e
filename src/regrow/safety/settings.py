"""Every number the safety rules compare with: default, unit, source, and the range a clinic may move it in.

The one thing to know: a clinic changes a number by making new `Settings`, never by editing a rule; `version` names the
whole set, so that a decision can be read later with the numbers it was taken under.
Sources carry a status: read (in the named document), memory (not re-read), clinic (a clinic's own document), assumed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from regrow.refusal import Refusal

LABEL = "Spravato US label"
ASSUMED = "assumed; the clinic must confirm"


def number(default: float, unit: str, low: float, high: float, meaning: str, source: str) -> Any:
    meta = {"unit": unit, "low": low, "high": high, "meaning": meaning, "source": source}
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Settings:
    """The clinic's numbers. Each field's metadata holds unit, low, high, meaning and source."""

    # eligibility
    age_min: float = number(18, "y", 18, 21, "youngest age treated", f"Toronto clinic (read); {LABEL}")
    age_caution: float = number(65, "y", 50, 90, "older than this, the prescriber decides", "Yale 2024 (read)")
    trials_needed: float = number(2, "1", 1, 6, "adequate failed trials for treatment resistance", f"{LABEL} (read)")
    trial_weeks: float = number(
        6, "weeks", 4, 12, "shortest adequate antidepressant trial", "esketamine trials (memory)"
    )
    cv_event_days: float = number(42, "d", 42, 365, "no dose this long after a cardiac event", "EU SmPC (memory)")
    ecg_age: float = number(50, "y", 18, 70, "from this age an ECG before the first dose", ASSUMED)
    lab_days: float = number(90, "d", 30, 365, "a laboratory result counts this long", ASSUMED)
    fertile_age: float = number(55, "y", 45, 60, "up to this age a woman is asked whether she can be pregnant", ASSUMED)
    bmi_review: float = number(35, "kg/m2", 30, 45, "from this BMI the weight basis is reviewed", ASSUMED)
    bmi_basis: float = number(30, "kg/m2", 25, 40, "from this BMI the prescriber picks the weight", "APA 2017 (memory)")
    hr_caution: float = number(100, "1/min", 90, 120, "resting heart rate above which to decide", "Yale 2024 (read)")
    # dose
    weight_days: float = number(7, "d", 1, 14, "a weight counts this long", ASSUMED)
    weight_jump: float = number(10, "%", 5, 20, "a weight this far from the one before is taken again", ASSUMED)
    bmi_low: float = number(14, "kg/m2", 12, 16, "below: weight or height may be in another unit", ASSUMED)
    bmi_high: float = number(45, "kg/m2", 40, 60, "above: weight or height may be in another unit", ASSUMED)
    cap_iv: float = number(
        1.0, "mg/kg", 0.1, 1.5, "IV, above: two signatures", f"{ASSUMED}; Andrade 2017: 0.1 to 0.75 (read)"
    )
    cap_im: float = number(1.0, "mg/kg", 0.1, 1.5, "IM, above: two signatures", ASSUMED)
    cap_sc: float = number(0.9, "mg/kg", 0.1, 1.5, "SC, above: two signatures", "KADS trial (memory)")
    cap_po: float = number(
        2.5, "mg/kg", 0.25, 7, "oral, above: two signatures", f"Andrade 2019: 2 to 2.5 equals IV (read); {ASSUMED}"
    )
    cap_nasal: float = number(100, "mg", 25, 150, "racemic nasal, above: two signatures", "memory")
    cap_sl: float = number(100, "mg", 25, 150, "sublingual, above: two signatures", "memory")
    ceiling_iv: float = number(1.5, "mg/kg", 0.5, 2.0, "IV for mood, above: never here", ASSUMED)
    ceiling_im: float = number(1.5, "mg/kg", 0.5, 2.0, "IM or SC, above: never here", ASSUMED)
    ceiling_po: float = number(
        7.0, "mg/kg", 1, 7, "oral, above: never here", f"Andrade 2019: highest reported (read); {ASSUMED}"
    )
    ceiling_flat: float = number(150, "mg", 50, 200, "racemic nasal or sublingual, above: never here", ASSUMED)
    alert_mg: float = number(100, "mg", 30, 150, "any parenteral dose for mood above: two signatures", ASSUMED)
    esk_cap: float = number(0.4, "mg/kg", 0.1, 0.5, "esketamine IV, IM, SC, above: two signatures", "memory")
    esk_ceiling: float = number(0.75, "mg/kg", 0.25, 1.0, "esketamine IV, IM, SC, above: never here", ASSUMED)
    pain_rate_cap: float = number(2.0, "mg/kg/h", 0.5, 2.0, "pain infusion, above: two signatures", "ASRA 2018 (read)")
    pain_rate_ceiling: float = number(
        3.0,
        "mg/kg/h",
        2,
        7,
        "pain infusion, above: never here",
        f"{ASSUMED}; ASRA 2018: 7 in intensive care only (read)",
    )
    pain_bolus_cap: float = number(0.35, "mg/kg", 0.1, 0.35, "pain bolus, above: two signatures", "ASRA 2018 (read)")
    iv_shortest: float = number(2, "min", 2, 40, "IV for mood, faster: never here", "Andrade 2017 (read)")
    iv_fast: float = number(20, "min", 5, 40, "IV for mood, faster: prescriber", ASSUMED)
    iv_longest: float = number(100, "min", 40, 240, "IV for mood, slower: prescriber", "Andrade 2017 (read)")
    creep_percent: float = number(50, "%", 10, 100, "rise over the first dose that needs review", f"label; {ASSUMED}")
    # schedule
    gap_hard: float = number(20, "h", 12, 48, "no dose sooner than this after the last", ASSUMED)
    gap_soft: float = number(48, "h", 20, 168, "a dose sooner than this needs a prescriber", ASSUMED)
    week_max: float = number(3, "sessions/7 d", 1, 7, "more sessions in 7 days need review", f"label misuse; {ASSUMED}")
    month_max: float = number(8, "sessions/28 d", 2, 12, "induction: more sessions in 28 days need review", ASSUMED)
    month_max_later: float = number(
        4, "sessions/28 d", 1, 8, "after induction: more sessions in 28 days need review", ASSUMED
    )
    # gate
    solids_hours: float = number(6, "h", 2, 12, "no solid food before IV or IM", "ASA fasting (memory); assumed here")
    fluids_hours: float = number(2, "h", 1, 6, "no clear fluid before IV or IM", "ASA fasting (memory); assumed here")
    nasal_food_hours: float = number(2, "h", 2, 6, "no food before esketamine", "LA DMH; Touchstone (read)")
    nasal_fluid_minutes: float = number(30, "min", 30, 120, "no liquid before esketamine", "LA DMH; Touchstone (read)")
    nasal_spray_hours: float = number(1, "h", 1, 6, "no other nasal spray before esketamine", "LA DMH (read)")
    alcohol_hours: float = number(24, "h", 12, 72, "no alcohol before a dose", f"label; {ASSUMED}")
    benzo_hours: float = number(12, "h", 8, 48, "short-acting benzodiazepine sooner than this: warn", ASSUMED)
    benzo_hours_long: float = number(24, "h", 12, 72, "long-acting benzodiazepine sooner than this: warn", ASSUMED)
    answers_minutes: float = number(120, "min", 30, 240, "the day's answers count this long", ASSUMED)
    pregnancy_days: float = number(28, "d", 1, 28, "a pregnancy test counts this long", f"label; {ASSUMED}")
    pdmp_days: float = number(90, "d", 1, 180, "prescription monitoring check counts this long", ASSUMED)
    urine_days: float = number(90, "d", 30, 180, "urinalysis counts this long", ASSUMED)
    urine_sessions: float = number(8, "sessions", 4, 12, "urinalysis after this many sessions", ASSUMED)
    bladder_symptoms: float = number(
        2, "new symptoms", 1, 3, "so many new bladder symptoms hold the dose", f"label (read); {ASSUMED}"
    )
    baseline_minutes: float = number(15, "min", 5, 30, "baseline vitals at most this old at the start", ASSUMED)
    pre_sbp_amber: float = number(140, "mmHg", 120, 150, "systolic, above before a dose: recheck", "label (memory)")
    pre_dbp_amber: float = number(90, "mmHg", 80, 95, "diastolic, above before a dose: recheck", "label (memory)")
    eu_sbp_amber: float = number(
        150, "mmHg", 140, 150, "EU label, esketamine from 65 y: above before a dose: recheck", "EU SmPC (memory)"
    )
    pre_sbp_hold: float = number(160, "mmHg", 140, 180, "systolic, from here before a dose: hold", ASSUMED)
    pre_dbp_hold: float = number(100, "mmHg", 90, 110, "diastolic, from here before a dose: hold", ASSUMED)
    pre_sbp_low: float = number(90, "mmHg", 80, 100, "systolic, below before a dose: hold", ASSUMED)
    pre_hr_high_amber: float = number(100, "1/min", 90, 110, "heart rate, above before a dose: amber", ASSUMED)
    pre_hr_low_amber: float = number(50, "1/min", 45, 60, "heart rate, below before a dose: amber", ASSUMED)
    pre_hr_high: float = number(120, "1/min", 100, 130, "heart rate, above before a dose: hold", ASSUMED)
    pre_hr_low: float = number(45, "1/min", 40, 50, "heart rate, below before a dose: hold", ASSUMED)
    pre_spo2_amber: float = number(95, "%", 92, 97, "SpO2, below before a dose, on room air: amber", ASSUMED)
    pre_spo2_hold: float = number(92, "%", 90, 95, "SpO2, below before a dose: hold", ASSUMED)
    pre_temp: float = number(38.0, "Cel", 37.5, 38.5, "temperature, from here before a dose: amber", ASSUMED)
    # alarms during and after
    sbp_amber: float = number(160, "mmHg", 140, 170, "systolic, from here: amber", ASSUMED)
    sbp_rise: float = number(30, "mmHg", 20, 40, "systolic, this far above baseline: amber", ASSUMED)
    sbp_red: float = number(
        180, "mmHg", 160, 190, "systolic, from here: red; pause, call, recheck", "ED protocol (read)"
    )
    sbp_low: float = number(90, "mmHg", 80, 100, "systolic, below: red", "ED protocol (read)")
    dbp_amber: float = number(100, "mmHg", 90, 105, "diastolic, from here: amber", ASSUMED)
    dbp_red: float = number(110, "mmHg", 100, 120, "diastolic, from here: red", ASSUMED)
    bp_recheck: float = number(5, "min", 2, 10, "a high pressure is measured again within", ASSUMED)
    hr_high_amber: float = number(110, "1/min", 100, 120, "heart rate, above: amber", "clinic software guide (read)")
    hr_low_amber: float = number(55, "1/min", 45, 60, "heart rate, below: amber", "clinic software guide (read)")
    hr_high_red: float = number(120, "1/min", 110, 150, "heart rate, above: red", "clinic software guide (read)")
    hr_low_red: float = number(50, "1/min", 40, 55, "heart rate, below: red", "clinic software guide (read)")
    spo2_amber: float = number(94, "%", 92, 96, "SpO2, below: amber", ASSUMED)
    spo2_red: float = number(92, "%", 90, 94, "SpO2, below: red", "clinic software guide (read)")
    spo2_stop: float = number(90, "%", 88, 92, "SpO2, below: stop, open the airway", ASSUMED)
    rr_low_amber: float = number(12, "1/min", 10, 14, "breathing, below: amber", ASSUMED)
    rr_high_amber: float = number(24, "1/min", 20, 28, "breathing, above: amber", ASSUMED)
    rr_low_red: float = number(10, "1/min", 8, 12, "breathing, below: red", "clinic software guide (read)")
    rr_high_red: float = number(25, "1/min", 22, 35, "breathing, above: red", "clinic software guide (read)")
    rr_stop: float = number(8, "1/min", 6, 10, "breathing, below: stop, ventilate", ASSUMED)
    etco2_rate: float = number(1.0, "mg/kg/h", 0.5, 2.0, "pain infusion, above: EtCO2 is measured", ASSUMED)
    etco2_amber: float = number(50, "mmHg", 45, 55, "EtCO2, above: amber", ASSUMED)
    etco2_red: float = number(55, "mmHg", 50, 60, "EtCO2, above: red", ASSUMED)
    moaas_amber: float = number(3, "1", 3, 4, "MOAA/S, at or below: amber", ASSUMED)
    moaas_red: float = number(2, "1", 2, 3, "MOAA/S, at or below: red", ASSUMED)
    moaas_emergency: float = number(1, "1", 1, 2, "MOAA/S, at or below: emergency", ASSUMED)
    dissociation_amber: float = number(7, "0-10", 4, 9, "dissociation with distress, from here: amber", ASSUMED)
    # rounds and process
    round_iv: float = number(
        10, "min", 5, 15, "vitals are due this long after the last, IV", "Dothan clinic; Yale (read)"
    )
    round_after: float = number(15, "min", 5, 15, "vitals are due after the infusion", "Emory 2018 (read)")
    round_nasal: float = number(15, "min", 5, 20, "vitals are due, nasal esketamine", ASSUMED)
    round_maoi: float = number(5, "min", 5, 10, "with an MAO inhibitor in the first hour", ASSUMED)
    late_grace: float = number(
        5, "min", 1, 5, "due + this is late: red, charge nurse called", "Dothan clinic 10 to 15 min (read)"
    )
    escalate_after: float = number(10, "min", 5, 15, "due + this calls the prescriber", ASSUMED)
    ack_minutes: float = number(5, "min", 1, 10, "an alarm that someone has seen is silent this long", ASSUMED)
    anchor_window: float = number(5, "min", 1, 10, "a reading this near counts as the 40 min one", ASSUMED)
    end_warning: float = number(2, "min", 1, 5, "the end of an infusion is announced", ASSUMED)
    pause_minutes: float = number(15, "min", 5, 30, "a pause without an end is announced", ASSUMED)
    nurse_gap: float = number(60, "s", 30, 120, "a chair without a named nurse", ASSUMED)
    chairs_per_nurse: float = number(1, "chairs", 1, 4, "chairs with a patient per nurse", "Dothan clinic (read)")
    credential_warning: float = number(30, "d", 7, 90, "an expiry is announced", ASSUMED)
    # recovery and discharge
    observe_iv: float = number(30, "min", 30, 120, "after the end of an IV infusion", "Atlanta clinic (read)")
    observe_pain: float = number(60, "min", 30, 180, "after a long pain infusion", ASSUMED)
    observe_im: float = number(90, "min", 60, 180, "from an IM or SC dose", ASSUMED)
    observe_oral: float = number(120, "min", 60, 240, "from an oral or sublingual dose", ASSUMED)
    observe_nasal: float = number(120, "min", 120, 240, "from the first nasal device", f"{LABEL}; REMS (read)")
    aldrete_pass: float = number(9, "0-10", 9, 10, "modified Aldrete at the door: at least, and no 0", "memory")
    padss_pass: float = number(9, "0-10", 9, 10, "PADSS at the door: at least", "memory")
    leave_percent: float = number(20, "%", 10, 25, "pressure at the door: this near to baseline", ASSUMED)
    leave_settled: float = number(
        10, "mmHg", 5, 20, "further than this above baseline: the pressure must be seen to fall", ASSUMED
    )
    fall_minutes: float = number(5, "min", 2, 15, "two pressures this far apart show a fall", ASSUMED)
    leave_spo2: float = number(94, "%", 92, 96, "SpO2 at the door: at least, or baseline", ASSUMED)
    leave_rr_low: float = number(12, "1/min", 10, 14, "breathing at the door: at least", ASSUMED)
    leave_rr_high: float = number(24, "1/min", 20, 26, "breathing at the door: at most", ASSUMED)
    leave_dissociation: float = number(1, "0-10", 0, 2, "dissociation at the door: at most", ASSUMED)
    leave_vitals_minutes: float = number(15, "min", 5, 20, "last vitals at most this old", ASSUMED)
    leave_answers_minutes: float = number(30, "min", 10, 45, "answers at the door at most this old", ASSUMED)
    # controlled drug
    balance_tolerance: float = number(0.5, "mg", 0, 1, "drawn = given + wasted within", ASSUMED)
    # jurisdiction: 0 US label, 1 EU/UK label (from 65 years 28 mg at first, and 150/90 before a dose)
    eu_label: float = number(
        0, "0 or 1", 0, 1, "1: EU/UK esketamine label: from 65 y 28 mg at first, 150/90", "Janssen PI, MIMS HK (read)"
    )

    @property
    def version(self) -> str:
        """A short name of this whole set of numbers; equal sets have equal names."""
        return hashlib.sha256(json.dumps(self.values(), sort_keys=True).encode()).hexdigest()[:10]

    def values(self) -> dict[str, float]:
        return {f.name: float(getattr(self, f.name)) for f in fields(self)}

    def changed(self, changes: Mapping[str, float]) -> Settings:
        """New settings with some numbers changed; refuses an unknown name or a number outside its allowed range."""
        known = {f.name: f for f in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise Refusal("UNKNOWN-SETTING", f"setting {name!r} does not exist; see the settings page.", field=name)
            meta = known[name].metadata
            if not meta["low"] <= value <= meta["high"]:
                raise Refusal(
                    "SETTING-RANGE",
                    f"{name} = {value:g} {meta['unit']} is outside {meta['low']:g} to {meta['high']:g}; "
                    "choose a number inside the range.",
                    field=name,
                    value=value,
                )
        return replace(self, **{name: float(value) for name, value in changes.items()})

    @classmethod
    def table(cls) -> tuple[dict[str, Any], ...]:
        """One row per setting: name, default, unit, low, high, meaning, source."""
        return tuple({"name": f.name, "default": f.default, **f.metadata} for f in fields(cls))
