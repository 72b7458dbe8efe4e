"""The gate before the drug: what must be true on the day, asked every time.

The one thing to know: a question without an answer closes the gate just as a bad answer does (None is not "fine").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regrow.safety.finding import Clearance, Finding, Say, amber, judge, never, red, rule
from regrow.safety.settings import Settings

PRESCRIBER = Clearance.PRESCRIBER
BLADDER_SYMPTOMS = (
    "frequency",
    "urgency",
    "pain on passing urine",
    "blood in urine",
    "night-time urine",
    "pelvic pain",
)
H_BP = "H-03 harm by a rise of blood pressure"
H_RESP = "H-10 loss of airway or breathing"


@dataclass(frozen=True)
class GateFacts:
    """The day's answers. Hours, minutes and days count back from now; None means not asked or not known.

    `nasal_hours` h since another nasal spray (a large number for none); `benzo_hours` likewise; `urine_sessions`
    sessions since the last urinalysis; `line_site` and `line_gauge` are those of the cannula that is in, `line_patent`
    whether it was last seen to flush easily.
    """

    drug: str = "ketamine"
    route: str = "iv"
    age: float | None = None
    evaluation_signed: bool = False
    consent_current: bool = False
    excluded: bool = False
    overrides_open: int = 0
    identity_checked: bool | None = None
    escort_name: str = ""
    solids_hours: float | None = None
    fluids_hours: float | None = None
    nasal_hours: float | None = None
    alcohol_hours: float | None = None
    benzo_hours: float | None = None
    takes_benzo: bool = False
    takes_long_benzo: bool = False
    intoxicated: bool | None = None
    new_suicidal_ideation: bool | None = None
    medicines_changed: bool | None = None
    medicines_reviewed: bool = False
    can_be_pregnant: bool = False
    pregnancy_test_days: float | None = None
    pregnancy_test_positive: bool = False
    new_bladder_symptoms: tuple[str, ...] | None = None
    bipolar: bool = False
    mania_symptoms: bool | None = None
    sbp: float | None = None
    dbp: float | None = None
    hr: float | None = None
    spo2: float | None = None
    temp: float | None = None
    rr: float | None = None
    moaas: float | None = None
    symptoms: tuple[str, ...] = ()
    answers_minutes: float | None = 0
    baseline_minutes: float | None = None
    pdmp_days: float | None = None
    urine_days: float | None = None
    urine_sessions: int = 0
    rems_enrolled: bool = False
    room_ready: bool | None = None
    line_site: str = ""
    line_gauge: str = ""
    line_patent: bool | None = None


@rule(
    "R-GA-01",
    "gate",
    "Signed psychiatric evaluation",
    hazard="H-04 treatment without an indication",
    source="Dothan clinic; AANA (read); APA 2017 (memory)",
)
def evaluated(f: GateFacts, s: Settings) -> Iterator[Say]:
    if not f.evaluation_signed:
        yield never("no psychiatric evaluation is signed by a prescriber.")


@rule(
    "R-GA-02",
    "gate",
    "Consent",
    hazard="H-11 treatment without consent",
    source="Toronto clinic; Sacramento clinic (read)",
)
def consented(f: GateFacts, s: Settings) -> Iterator[Say]:
    if not f.consent_current:
        yield never("no written consent for this route, this series and the current text.")


@rule(
    "R-GA-03",
    "gate",
    "Escort named",
    hazard="H-12 harm on the way home",
    source="Spravato US label; Atlanta clinic (read)",
)
def escort(f: GateFacts, s: Settings) -> Iterator[Say]:
    if not f.escort_name.strip():
        yield never("no escort is named; no drug today without one.")


@rule("R-GA-04", "gate", "Food", hazard=H_RESP, source="esketamine 2 h: LA DMH, Touchstone (read); 6 h: ASA (memory)")
def solids(f: GateFacts, s: Settings) -> Iterator[Say]:
    limit = s.nasal_food_hours if f.route == "intranasal" else s.solids_hours
    if f.route in ("oral", "sublingual"):
        return
    if f.solids_hours is None:
        yield never("the last meal was not asked for.", limit_h=limit)
    elif f.solids_hours < limit:
        yield red(
            f"last food {f.solids_hours:g} h ago, {limit:g} h are needed.",
            PRESCRIBER,
            hours=f.solids_hours,
            limit_h=limit,
        )


@rule("R-GA-05", "gate", "Drink", hazard=H_RESP, source="esketamine 30 min: LA DMH (read); 2 h: ASA (memory)")
def fluids(f: GateFacts, s: Settings) -> Iterator[Say]:
    limit = s.nasal_fluid_minutes / 60 if f.route == "intranasal" else s.fluids_hours
    if f.route in ("oral", "sublingual"):
        return
    if f.fluids_hours is None:
        yield never("the last drink was not asked for.", limit_h=limit)
    elif f.fluids_hours < limit:
        yield red(
            f"last drink {f.fluids_hours * 60:.0f} min ago, {limit * 60:.0f} min are needed.",
            PRESCRIBER,
            hours=f.fluids_hours,
            limit_h=limit,
        )


@rule(
    "R-GA-06",
    "gate",
    "Pregnancy test",
    hazard="H-06 harm to an unborn child",
    source="Spravato US label (read); 28 d assumed",
)
def pregnancy(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.pregnancy_test_positive:
        yield never("the last pregnancy test was positive.")
    elif f.can_be_pregnant and (f.pregnancy_test_days is None or f.pregnancy_test_days > s.pregnancy_days):
        last = (
            "none is recorded" if f.pregnancy_test_days is None else f"the last is {f.pregnancy_test_days:g} days old"
        )
        yield never(f"a pregnancy test of the last {s.pregnancy_days:g} days is due; {last}.", limit_d=s.pregnancy_days)


@rule(
    "R-GA-07",
    "gate",
    "New suicidal ideation",
    hazard="H-13 suicide",
    source="Atlanta clinic; Spravato boxed warning (read)",
)
def suicidal(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.new_suicidal_ideation is None:
        yield never("the question about new suicidal thoughts was not asked.")
    elif f.new_suicidal_ideation:
        yield red(
            "new suicidal thoughts: stay with the person, call the prescriber; hold until a prescriber has looked.",
            PRESCRIBER,
        )


@rule(
    "R-GA-08",
    "gate",
    "Medicines since last time",
    hazard="H-07 another medicine makes the dose dangerous",
    source="REMS form (read)",
)
def medicines(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.medicines_changed is None:
        yield never("medicines since last time were not asked for.")
    elif f.medicines_changed and not f.medicines_reviewed:
        yield red("medicines changed since last time: a prescriber reviews the interactions.", PRESCRIBER)


@rule("R-GA-09", "gate", "Intoxicated or sedated on arrival", hazard=H_RESP, source="assumed")
def intoxicated(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.intoxicated is None:
        yield never("whether the person is intoxicated or sedated was not judged.")
    elif f.intoxicated:
        yield never("intoxicated or sedated on arrival: no drug today.")


@rule("R-GA-10", "gate", "Other nasal spray", hazard="H-02 a wrong dose", source="Touchstone; LA DMH (read)")
def nasal(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.route == "intranasal":
        if f.nasal_hours is None:
            yield never("other nasal sprays were not asked for.")
        elif f.nasal_hours < s.nasal_spray_hours:
            yield never(
                f"another nasal spray {f.nasal_hours * 60:.0f} min ago; wait until {s.nasal_spray_hours:g} h.",
                hours=f.nasal_hours,
                limit_h=s.nasal_spray_hours,
            )


@rule(
    "R-GA-11", "gate", "Bladder", hazard="H-05 organ damage unseen", source="label: monitor (read); stop rule assumed"
)
def bladder(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.new_bladder_symptoms is None:
        yield never("bladder symptoms were not asked for.")
    elif "blood in urine" in f.new_bladder_symptoms or len(f.new_bladder_symptoms) >= s.bladder_symptoms:
        yield red(
            f"new bladder symptoms ({', '.join(f.new_bladder_symptoms)}): hold, urine culture, refer.",
            PRESCRIBER,
            count=len(f.new_bladder_symptoms),
            limit=s.bladder_symptoms,
        )


@rule("R-GA-12", "gate", "Mania", hazard="H-14 mania", source="memory")
def mania(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.bipolar and f.mania_symptoms is None:
        yield never("new symptoms of mania were not asked for (bipolar disorder).")
    elif f.mania_symptoms:
        yield red("new symptoms of mania: hold.", PRESCRIBER)


@rule("R-GA-13", "gate", "Two identifiers", hazard="H-15 wrong person", source="assumed")
def identity(f: GateFacts, s: Settings) -> Iterator[Say]:
    if not f.identity_checked:
        yield never("name and date of birth were not checked against the person.")


@rule(
    "R-GA-14", "gate", "REMS enrolment", hazard="H-16 esketamine outside its programme", source="Spravato REMS (read)"
)
def rems(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.drug == "esketamine" and f.route == "intranasal" and not f.rems_enrolled:
        yield never("the person is not enrolled in the esketamine REMS.")


@rule("R-GA-15", "gate", "Room ready", hazard=H_RESP, source="Spravato REMS pulse oximeter (read); list assumed")
def room(f: GateFacts, s: Settings) -> Iterator[Say]:
    if not f.room_ready:
        yield never("pulse oximeter, oxygen, suction, bag-valve-mask and defibrillator were not confirmed today.")


@rule("R-GA-16", "gate", "Prescription monitoring", hazard="H-08 misuse", source="assumed; state law decides")
def monitoring(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.pdmp_days is None or f.pdmp_days > s.pdmp_days:
        old = "none is recorded" if f.pdmp_days is None else f"the last is {f.pdmp_days:g} days old"
        yield amber(
            f"a prescription monitoring check is due; {old}, {s.pdmp_days:g} count.", PRESCRIBER, limit_d=s.pdmp_days
        )


@rule("R-GA-17", "gate", "Urinalysis", hazard="H-05 organ damage unseen", source="assumed")
def urine(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.urine_days is None or f.urine_days > s.urine_days or f.urine_sessions >= s.urine_sessions:
        yield amber(
            f"a urinalysis is due (every {s.urine_days:g} days or {s.urine_sessions:g} sessions).",
            PRESCRIBER,
            days=f.urine_days,
            sessions=f.urine_sessions,
        )


@rule("R-GA-18", "gate", "Alcohol", hazard=H_RESP, source="label (read); 24 h assumed")
def alcohol(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.alcohol_hours is None:
        yield never("the last alcohol was not asked for.")
    elif f.alcohol_hours < s.alcohol_hours:
        yield red(
            f"alcohol {f.alcohol_hours:g} h ago, {s.alcohol_hours:g} h are needed.",
            PRESCRIBER,
            hours=f.alcohol_hours,
            limit_h=s.alcohol_hours,
        )


@rule("R-GA-19", "gate", "Benzodiazepine", hazard=H_RESP, source="Veraart 2021; Andrade 2017 (read); hours assumed")
def benzodiazepine(f: GateFacts, s: Settings) -> Iterator[Say]:
    limit = s.benzo_hours_long if f.takes_long_benzo else s.benzo_hours
    if f.takes_benzo and (f.benzo_hours is None or f.benzo_hours < limit):
        when = "at an unknown time" if f.benzo_hours is None else f"{f.benzo_hours:g} h ago"
        yield amber(
            f"benzodiazepine {when}; {limit:g} h where that is safe, never by an abrupt stop.",
            PRESCRIBER,
            hours=f.benzo_hours,
            limit_h=limit,
        )


@rule(
    "R-GA-20",
    "gate",
    "Open or excluding findings of the plan",
    hazard="H-01 a person who must not have the drug gets it",
    source="three outcomes with signed override (read)",
)
def plan_open(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.excluded:
        yield never("an excluding finding stands on the record today.")
    if f.overrides_open:
        yield never(
            f"{f.overrides_open} findings of evaluation or plan wait for a prescriber's decision.",
            open=f.overrides_open,
        )


@rule("R-GA-21", "gate", "Answers of the day", hazard="H-19 nobody looks", source="assumed")
def of_today(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.answers_minutes is not None and f.answers_minutes > s.answers_minutes:
        yield never(
            f"the day's questions were answered {f.answers_minutes:.0f} min ago; {s.answers_minutes:g} count; ask.",
            minutes=round(f.answers_minutes),
            limit=s.answers_minutes,
        )


@rule(
    "R-IV-01",
    "gate",
    "IV line",
    hazard="H-22 infiltration",
    source="Atlanta clinic 'an IV catheter is inserted into a vein' (read); patency assumed",
)
def cannula(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.route != "iv":
        return
    if not f.line_site.strip() or not f.line_gauge.strip():
        yield never("no IV line is recorded with its site and gauge.")
    elif f.line_patent is None:
        yield never("whether the IV line flushes easily, without pain or swelling, is not recorded.")
    elif not f.line_patent:
        yield never("the IV line does not flush easily: place another.")


@rule("R-SY-01", "gate", "Symptoms before a dose", hazard=H_BP, source="assumed")
def complaints(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.symptoms:
        yield red(f"{', '.join(f.symptoms)} before the drug: hold.", PRESCRIBER, symptoms=", ".join(f.symptoms))


@rule("R-SE-01", "gate", "Awake before a dose", hazard=H_RESP, source="scale: Chernik 1990 (memory); limits assumed")
def awake(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.moaas is not None and f.moaas <= s.moaas_amber:
        yield never(f"MOAA/S {f.moaas:g} before the drug: sedated, no drug today.", moaas=f.moaas)
    elif f.moaas is not None and f.moaas < 5:
        yield red(f"MOAA/S {f.moaas:g} before the drug, 5 is awake: hold.", PRESCRIBER, moaas=f.moaas)


@rule("R-RR-01", "gate", "Breathing before a dose", hazard=H_RESP, source="assumed, as during the drug")
def breaths(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.rr is not None and not s.rr_low_red <= f.rr <= s.rr_high_red:
        yield red(
            f"{f.rr:g} breaths/min, outside {s.rr_low_red:g} to {s.rr_high_red:g}: hold.",
            PRESCRIBER,
            rr=f.rr,
            limit=s.rr_low_red,
        )


@rule("R-BP-01", "gate", "Blood pressure: hold", hazard=H_BP, source="assumed, above the label's 140/90")
def hold(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.sbp is None or f.dbp is None:
        return
    if f.sbp >= s.pre_sbp_hold or f.dbp >= s.pre_dbp_hold:
        yield red(
            f"BP {f.sbp:g}/{f.dbp:g} mmHg, hold from {s.pre_sbp_hold:g}/{s.pre_dbp_hold:g}.",
            PRESCRIBER,
            sbp=f.sbp,
            dbp=f.dbp,
            limit_sbp=s.pre_sbp_hold,
            limit_dbp=s.pre_dbp_hold,
        )
    if f.sbp < s.pre_sbp_low:
        yield red(f"systolic {f.sbp:g} mmHg, hold below {s.pre_sbp_low:g}.", PRESCRIBER, sbp=f.sbp, limit=s.pre_sbp_low)


@rule(
    "R-BP-02",
    "gate",
    "Blood pressure: recheck and decide",
    hazard=H_BP,
    source="Spravato label 140/90; EU SmPC 150/90 from 65 y (memory)",
)
def recheck(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.sbp is None or f.dbp is None or f.sbp >= s.pre_sbp_hold or f.dbp >= s.pre_dbp_hold:
        return
    eu_old = bool(s.eu_label) and f.drug == "esketamine" and f.age is not None and f.age >= 65
    top = s.eu_sbp_amber if eu_old and f.route == "intranasal" else s.pre_sbp_amber
    if f.sbp > top or f.dbp > s.pre_dbp_amber:
        yield amber(
            f"BP {f.sbp:g}/{f.dbp:g} mmHg, above {top:g}/{s.pre_dbp_amber:g}: measure twice more in "
            "5 to 15 min; then the prescriber notes risk and benefit.",
            PRESCRIBER,
            sbp=f.sbp,
            dbp=f.dbp,
        )


@rule(
    "R-BP-03", "gate", "Baseline vitals", hazard=H_BP, source="all sources: baseline before each dose; 15 min assumed"
)
def baseline(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.sbp is None or f.dbp is None or f.hr is None or f.spo2 is None:
        yield never("baseline BP, heart rate and SpO2 are not all recorded.")
    elif f.baseline_minutes is None or f.baseline_minutes > s.baseline_minutes:
        yield never(
            f"baseline vitals are {f.baseline_minutes or 0:.0f} min old; {s.baseline_minutes:g} count.",
            minutes=f.baseline_minutes,
            limit=s.baseline_minutes,
        )


@rule("R-HR-01", "gate", "Heart rate before a dose", hazard="H-17 arrhythmia", source="assumed")
def pulse(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.hr is None:
        return
    if f.hr > s.pre_hr_high or f.hr < s.pre_hr_low:
        yield red(f"heart rate {f.hr:g}/min, outside {s.pre_hr_low:g} to {s.pre_hr_high:g}: hold.", PRESCRIBER, hr=f.hr)
    elif f.hr > s.pre_hr_high_amber or f.hr < s.pre_hr_low_amber:
        yield amber(f"heart rate {f.hr:g}/min, outside {s.pre_hr_low_amber:g} to {s.pre_hr_high_amber:g}.", hr=f.hr)


@rule("R-OX-01", "gate", "Oxygen before a dose", hazard=H_RESP, source="assumed")
def oxygen(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.spo2 is None:
        return
    if f.spo2 < s.pre_spo2_hold:
        yield red(
            f"SpO2 {f.spo2:g} %, hold below {s.pre_spo2_hold:g} %.", PRESCRIBER, spo2=f.spo2, limit=s.pre_spo2_hold
        )
    elif f.spo2 < s.pre_spo2_amber:
        yield amber(
            f"SpO2 {f.spo2:g} % on room air, below {s.pre_spo2_amber:g} %.", spo2=f.spo2, limit=s.pre_spo2_amber
        )


@rule("R-TE-01", "gate", "Fever", hazard="H-18 infection", source="assumed")
def fever(f: GateFacts, s: Settings) -> Iterator[Say]:
    if f.temp is not None and f.temp >= s.pre_temp:
        yield amber(f"temperature {f.temp:g} °C, from {s.pre_temp:g}.", temp=f.temp, limit=s.pre_temp)


def gate(facts: GateFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every finding that stands between this person and the drug today, loudest first; empty: the gate is open."""
    return judge("gate", facts, settings)
