"""Alarms on typed values and on the clock, during a session and after it.

The one thing to know: these are reminders on what a nurse typed, not a monitor; screens say so. A missing check
of a high value counts as high. Minutes run from the start of the drug; before it they are negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from regrow.safety.finding import Clearance, Finding, Say, amber, judge, red, rule
from regrow.safety.settings import Settings

H_BP = "H-03 harm by a rise of blood pressure"
H_RESP = "H-10 loss of airway or breathing"
H_WATCH = "H-19 nobody looks"
SYMPTOMS = ("chest pain", "severe headache", "weakness, speech or vision")
ROUND_SIGNS = ("sbp", "dbp", "hr", "spo2")  # without these a round is not a round
TICKS = ("symptoms", "agitated", "distress", "site_trouble")
# Alarms on the clock, the staff or what is missing, not on the person.
PROCESS = frozenset({"R-VT-01", "R-VT-02", "R-VT-03", "R-EN-01", "R-EN-02", "R-NU-01", "R-MD-02", "R-CO-12"})


@dataclass(frozen=True)
class Vitals:
    """One round: minute from the drug; mmHg, 1/min, %, °C, MOAA/S 0-5, dissociation 0-10. None: not measured."""

    minute: float
    sbp: float | None = None
    dbp: float | None = None
    hr: float | None = None
    spo2: float | None = None
    rr: float | None = None
    temp: float | None = None
    moaas: float | None = None
    dissociation: float | None = None
    etco2: float | None = None
    distress: bool = False
    agitated: bool = False
    site_trouble: bool = False
    symptoms: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """True when it has what a round needs: pressure, heart rate, oxygen."""
        return all(getattr(self, name) is not None for name in ROUND_SIGNS)


@dataclass(frozen=True)
class LiveFacts:
    """One chair at one moment. `readings` in time order; `due` the minute the next round is due (None: none is) and
    `every` minutes between rounds now; `end` the planned minute of the end of an infusion that runs (None otherwise);
    `paused` minutes since the pause (None: not paused); `nurse_gap` seconds without a responsible nurse (0 with one);
    `prescriber` whether one is on duty; `mg_per_kg_h` the rate of a pain infusion that runs; `suicidal` whether new
    suicidal thoughts were told and no prescriber has decided on them.
    """

    now: float
    readings: tuple[Vitals, ...] = ()
    baseline: Vitals | None = None
    due: float | None = None
    every: float | None = None
    end: float | None = None
    paused: float | None = None
    nurse_gap: float = 0
    prescriber: bool = True
    mg_per_kg_h: float | None = None
    suicidal: bool = False


def standing(readings: Sequence[Vitals], tick: str) -> Any:
    """What was ticked last and still stands. Only a whole round without the tick clears it: a pressure typed alone says
    nothing about a chest pain."""
    for v in reversed(readings):
        if getattr(v, tick) or v.whole:
            return getattr(v, tick)
    return getattr(Vitals(0), tick)


def _last(f: LiveFacts, name: str) -> float | None:
    """The newest measured value of one sign."""
    return next((getattr(v, name) for v in reversed(f.readings) if getattr(v, name) is not None), None)


@rule("R-BP-11", "live", "Systolic pressure", hazard=H_BP, source="tiers assumed; rise of 30 assumed")
def systolic(f: LiveFacts, s: Settings) -> Iterator[Say]:
    sbp = _last(f, "sbp")
    if sbp is None:
        return
    if s.sbp_amber <= sbp < s.sbp_red:
        yield amber(f"systolic {sbp:g} mmHg, from {s.sbp_amber:g}.", sbp=sbp, limit=s.sbp_amber)
    base = f.baseline.sbp if f.baseline else None
    if base is not None and sbp - base >= s.sbp_rise:
        yield amber(
            f"systolic {sbp:g} mmHg, {sbp - base:g} above the baseline of {base:g}.",
            sbp=sbp,
            rise=sbp - base,
            limit=s.sbp_rise,
        )


@rule("R-BP-12", "live", "Systolic pressure very high", hazard=H_BP, source="ED protocol; clinic software guide (read)")
def systolic_red(f: LiveFacts, s: Settings) -> Iterator[Say]:
    taken = [v for v in f.readings if v.sbp is not None]
    if not taken or (taken[-1].sbp or 0) < s.sbp_red:
        return
    last = taken[-1]
    high = 0
    for v in reversed(taken):
        if (v.sbp or 0) < s.sbp_red:
            break
        high += 1
    unchecked = f.now - last.minute >= s.bp_recheck
    symptoms = standing(f.readings, "symptoms")
    if high >= 2 or symptoms or unchecked:
        why = "twice" if high >= 2 else "with symptoms" if symptoms else f"not rechecked within {s.bp_recheck:g} min"
        yield red(
            f"systolic {last.sbp:g} mmHg, {why}: pause the drug, call the prescriber, recheck every "
            f"{s.bp_recheck:g} min.",
            sbp=last.sbp,
            limit=s.sbp_red,
        )
    else:
        yield amber(
            f"systolic {last.sbp:g} mmHg, from {s.sbp_red:g}: recheck within {s.bp_recheck:g} min.",
            sbp=last.sbp,
            limit=s.sbp_red,
        )


@rule("R-BP-13", "live", "Diastolic pressure", hazard=H_BP, source="assumed")
def diastolic(f: LiveFacts, s: Settings) -> Iterator[Say]:
    dbp = _last(f, "dbp")
    if dbp is not None and dbp >= s.dbp_red:
        yield red(
            f"diastolic {dbp:g} mmHg, from {s.dbp_red:g}: pause, call the prescriber, recheck.",
            dbp=dbp,
            limit=s.dbp_red,
        )
    elif dbp is not None and dbp >= s.dbp_amber:
        yield amber(f"diastolic {dbp:g} mmHg, from {s.dbp_amber:g}.", dbp=dbp, limit=s.dbp_amber)


@rule("R-BP-14", "live", "Low pressure", hazard="H-20 collapse", source="ED protocol (read)")
def low(f: LiveFacts, s: Settings) -> Iterator[Say]:
    sbp = _last(f, "sbp")
    if sbp is not None and sbp < s.sbp_low:
        yield red(f"systolic {sbp:g} mmHg, below {s.sbp_low:g}.", sbp=sbp, limit=s.sbp_low)


@rule("R-HR-11", "live", "Heart rate", hazard="H-17 arrhythmia", source="clinic software guide; ED protocol (read)")
def heart(f: LiveFacts, s: Settings) -> Iterator[Say]:
    hr = _last(f, "hr")
    if hr is None:
        return
    if hr > s.hr_high_red or hr < s.hr_low_red:
        yield red(f"heart rate {hr:g}/min, outside {s.hr_low_red:g} to {s.hr_high_red:g}.", hr=hr)
    elif hr > s.hr_high_amber or hr < s.hr_low_amber:
        yield amber(f"heart rate {hr:g}/min, outside {s.hr_low_amber:g} to {s.hr_high_amber:g}.", hr=hr)


@rule("R-OX-11", "live", "Oxygen", hazard=H_RESP, source="92 %: clinic software guide (read); others assumed")
def oxygen(f: LiveFacts, s: Settings) -> Iterator[Say]:
    spo2 = _last(f, "spo2")
    if spo2 is None:
        return
    if spo2 < s.spo2_stop:
        yield red(
            f"SpO2 {spo2:g} %, below {s.spo2_stop:g} %: STOP the drug, open the airway, oxygen.",
            spo2=spo2,
            limit=s.spo2_stop,
        )
    elif spo2 < s.spo2_red:
        yield red(f"SpO2 {spo2:g} %, below {s.spo2_red:g} %.", spo2=spo2, limit=s.spo2_red)
    elif spo2 < s.spo2_amber:
        yield amber(f"SpO2 {spo2:g} %, below {s.spo2_amber:g} %.", spo2=spo2, limit=s.spo2_amber)


@rule("R-RR-11", "live", "Breathing", hazard=H_RESP, source="10 and 25: clinic software guide (read); others assumed")
def breathing(f: LiveFacts, s: Settings) -> Iterator[Say]:
    rr = _last(f, "rr")
    if rr is None:
        return
    if rr < s.rr_stop:
        yield red(f"{rr:g} breaths/min, below {s.rr_stop:g}: STOP the drug, ventilate.", rr=rr, limit=s.rr_stop)
    elif rr < s.rr_low_red or rr > s.rr_high_red:
        yield red(f"{rr:g} breaths/min, outside {s.rr_low_red:g} to {s.rr_high_red:g}.", rr=rr)
    elif rr < s.rr_low_amber or rr > s.rr_high_amber:
        yield amber(f"{rr:g} breaths/min, outside {s.rr_low_amber:g} to {s.rr_high_amber:g}.", rr=rr)


@rule("R-CO-11", "live", "End-tidal carbon dioxide", hazard=H_RESP, source="assumed")
def carbon_dioxide(f: LiveFacts, s: Settings) -> Iterator[Say]:
    etco2 = _last(f, "etco2")
    if etco2 is not None and etco2 > s.etco2_red:
        yield red(f"EtCO2 {etco2:g} mmHg, above {s.etco2_red:g}.", etco2=etco2, limit=s.etco2_red)
    elif etco2 is not None and etco2 > s.etco2_amber:
        yield amber(f"EtCO2 {etco2:g} mmHg, above {s.etco2_amber:g}.", etco2=etco2, limit=s.etco2_amber)


@rule("R-CO-12", "live", "End-tidal carbon dioxide wanted", hazard=H_RESP, source="assumed")
def wanted(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if f.mg_per_kg_h is not None and f.mg_per_kg_h > s.etco2_rate + 1e-9 and _last(f, "etco2") is None:
        yield amber(
            f"{f.mg_per_kg_h:.2f} mg/kg/h, above {s.etco2_rate:g}: measure EtCO2.",
            rate=round(f.mg_per_kg_h, 3),
            limit=s.etco2_rate,
        )


@rule("R-SE-11", "live", "Sedation", hazard=H_RESP, source="scale: Chernik 1990 (memory); limits assumed")
def sedation(f: LiveFacts, s: Settings) -> Iterator[Say]:
    moaas = _last(f, "moaas")
    if moaas is None:
        return
    if moaas <= s.moaas_emergency:
        yield red(
            f"MOAA/S {moaas:g}: EMERGENCY. Stop the drug, stimulate, open the airway, call for help.",
            moaas=moaas,
            limit=s.moaas_emergency,
        )
    elif moaas <= s.moaas_red:
        yield red(f"MOAA/S {moaas:g}: deep sedation, pause the drug.", moaas=moaas, limit=s.moaas_red)
    elif moaas <= s.moaas_amber:
        yield amber(f"MOAA/S {moaas:g}, at or below {s.moaas_amber:g}.", moaas=moaas, limit=s.moaas_amber)


@rule("R-DI-11", "live", "Dissociation", hazard="H-21 panic and injury", source="assumed")
def dissociation(f: LiveFacts, s: Settings) -> Iterator[Say]:
    score = _last(f, "dissociation")
    if standing(f.readings, "agitated"):
        yield red("agitation or panic: quiet, dim, stay; pause and call the prescriber.")
    elif standing(f.readings, "distress") and score is not None and score >= s.dissociation_amber:
        yield amber(
            f"dissociation {score:g}/10 with distress, from {s.dissociation_amber:g}.",
            dissociation=score,
            limit=s.dissociation_amber,
        )


@rule("R-SY-11", "live", "Chest pain, headache, neurological signs", hazard=H_BP, source="assumed")
def symptoms(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if found := standing(f.readings, "symptoms"):
        yield red(f"{', '.join(found)}: stop, call the prescriber.", symptoms=", ".join(found))


@rule("R-SY-12", "live", "Infusion site", hazard="H-22 infiltration", source="assumed")
def site(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if standing(f.readings, "site_trouble"):
        yield red("pain or swelling at the infusion site: stop the pump, check the cannula.")


@rule(
    "R-RS-11",
    "live",
    "Breathing fails in more than one sign",
    hazard=H_RESP,
    source="REMS names respiratory depression (read); the combination is assumed",
)
def failing(f: LiveFacts, s: Settings) -> Iterator[Say]:
    """Two signs that are each amber are together red: sedation hides a slow breath, oxygen falls last."""
    limits = {"spo2": s.spo2_amber, "rr": s.rr_low_amber, "moaas": s.moaas_amber + 1}
    low = {name: value for name, limit in limits.items() if (value := _last(f, name)) is not None and value < limit}
    if len(low) >= 2:
        names = {"spo2": "SpO2 {:g} %", "rr": "{:g} breaths/min", "moaas": "MOAA/S {:g}"}
        seen = ", ".join(names[name].format(value) for name, value in low.items())
        yield red(f"{seen} together: pause the drug, stimulate, oxygen, call the prescriber.", Clearance.FREE, **low)


@rule(
    "R-SU-11",
    "live",
    "New suicidal thoughts told",
    hazard="H-13 suicide",
    source="Spravato boxed warning (read); that it calls at once is assumed",
)
def thoughts(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if f.suicidal:
        yield red("new suicidal thoughts: stay with the person and call the prescriber, who decides.")


@rule("R-VT-01", "live", "Vitals due", hazard=H_WATCH, source="Dothan clinic 'every 10-15 minutes' (read)")
def vitals_due(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if f.due is not None and 0 <= f.now - f.due < s.late_grace:
        yield amber("vitals are due.", minutes=round(f.now - f.due, 1))


@rule(
    "R-VT-02", "live", "Vitals late", hazard=H_WATCH, source="Dothan clinic 'every 10-15 minutes' (read); steps assumed"
)
def vitals_late(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if f.due is None or f.now - f.due < s.late_grace:
        return
    late = f.now - f.due
    who = "the prescriber is called" if late >= s.escalate_after else "the charge nurse is called"
    yield red(f"vitals are late by {late:.0f} min: {who}.", minutes=round(late, 1), limit=s.late_grace)


@rule(
    "R-VT-03",
    "live",
    "A sign left out",
    hazard=H_WATCH,
    source="Atlanta clinic 'sedation, dizziness, and hallucinations' (read); each round and times assumed",
)
def left_out(f: LiveFacts, s: Settings) -> Iterator[Say]:
    """A round kept in time may still leave a sign out; its last value must not pass for a new one."""
    if f.every is None or (f.due is not None and f.now - f.due >= s.late_grace):
        return  # then the whole round is late, and that is said
    names = {"sbp": "pressure", "spo2": "SpO2", "hr": "heart rate", "rr": "breathing", "moaas": "MOAA/S"}
    names["dissociation"] = "dissociation"
    ages = {
        name: f.now - max((v.minute for v in f.readings if getattr(v, name) is not None), default=0) for name in names
    }
    old = {name: round(age) for name, age in ages.items() if age >= f.every + s.late_grace}
    if old:
        listed = ", ".join(f"{names[name]} ({age} min)" for name, age in old.items())
        say = red if {"sbp", "spo2"} & set(old) else amber
        yield say(f"not measured in the last round: {listed}.", limit=f.every + s.late_grace)


@rule("R-EN-01", "live", "End of the infusion", hazard="H-02 a wrong dose", source="assumed")
def ending(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if f.end is None:
        return
    if f.now >= f.end:
        yield red(f"planned end {f.now - f.end:.0f} min ago and no stop is recorded.", minutes=round(f.now - f.end, 1))
    elif f.end - f.now <= s.end_warning:
        yield amber(
            f"the infusion ends in {f.end - f.now:.0f} min.", minutes=round(f.end - f.now, 1), limit=s.end_warning
        )


@rule("R-EN-02", "live", "Pause without an end", hazard="H-02 a wrong dose", source="assumed")
def waiting(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if f.paused is not None and f.paused >= s.pause_minutes:
        yield amber(
            f"paused for {f.paused:.0f} min: resume or stop.", minutes=round(f.paused, 1), limit=s.pause_minutes
        )


@rule(
    "R-NU-01",
    "live",
    "No responsible nurse",
    hazard=H_WATCH,
    source="Dothan clinic 'a dedicated nurse' (read); 60 s assumed",
)
def no_nurse(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if f.nurse_gap > s.nurse_gap:
        since = f"{s.nurse_gap:g} s" if f.nurse_gap < 120 else f"{f.nurse_gap // 60:.0f} min"
        yield red(f"no responsible nurse for over {since}.", seconds=f.nurse_gap, limit=s.nurse_gap)


@rule(
    "R-MD-02",
    "live",
    "Prescriber on duty throughout",
    hazard="H-23 no doctor when needed",
    source="Dothan clinic 'at all times'; Spravato REMS (read)",
)
def no_doctor(f: LiveFacts, s: Settings) -> Iterator[Say]:
    if not f.prescriber:
        yield red("no prescriber is on duty at this site while a person is treated or watched: call one in.")


def alarms(facts: LiveFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every alarm of one chair at one moment, loudest first."""
    return judge("live", facts, settings)


def silenced(minutes: float, settings: Settings) -> bool:
    """True while an alarm that someone has seen this many minutes ago stays silent; it stays in sight throughout."""
    return 0 <= minutes < settings.ack_minutes


def worrying_pressure(v: Vitals | None, settings: Settings) -> bool:
    """True when a reading asks for a recheck of the pressure within `bp_recheck` minutes."""
    if v is None:
        return False
    high = (v.sbp or 0) >= settings.sbp_amber or (v.dbp or 0) >= settings.dbp_amber
    return high or (v.sbp is not None and v.sbp < settings.sbp_low)
