"""The small notations of evidence files: times ("24 h after session 6"), doses ("0.5 mg/kg"), rules ("-30 %", "<= 12").

Each is kept in the file as its author wrote it and read here. The one thing to know: nothing is guessed. A number
without its unit raises ValueError, whose sentence says what to write instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from regrow.units import read, read_as

DOSE_UNITS = ("mg", "mg/kg", "mg/h", "mg/kg/h")
_NUMBER = r"[-+]?\d+(?:\.\d+)?"

CONDITIONS = tuple(
    """healthy; depression; treatment-resistant depression; bipolar depression; suicidal ideation; anxiety; ptsd; crps;
    fibromyalgia; acute pain; chronic pain; neuropathic pain; migraine; alcohol use disorder; cocaine use disorder;
    obsessive-compulsive disorder; surgery; intensive care""".replace("\n    ", " ").split("; ")
)
BACKGROUNDS = tuple(
    """ssri-new; ssri-stable; usual; usual-inpatient-care; oral-new-blind; oral-new-open; benzodiazepine; psychotherapy;
    general-anaesthesia""".replace("\n    ", " ").split("; ")
)
# Scales, signs and events that studies report. The model predicts some; the others are shown and count as misses.
MEASURES = tuple(
    """MADRS; HDRS; HDRS-6; HDRS-17; HDRS-21; HDRS-24; HDRS-25; HDRS-28; QIDS-SR-16; QIDS-C-16; IDS-SR-30; PHQ-9; BDI;
    MADRS-S; IDS-C-30; CDRS-R; GDS; EPDS; GAD-7; HAM-A; BAI; HADS; STAI; FQ; LSAS; anxiety VAS; CAPS-5; PCL-5; IES-R;
    Y-BOCS; SSI; C-SSRS; MADRS-SI; CGI-SS-r; CGI-S; CGI-I; SHAPS; SDS; WSAS; YMRS; PANSS; POMS; EQ-5D; pain NRS;
    pain VAS; headache NRS; CADSS; BPRS; MOAA/S; SBP; DBP; MAP; HR; SpO2; abstinence; days abstinent; craving;
    morphine; dissociation; sedation; dizziness; nausea; vomiting; vertigo; headache; BP increased; dysgeusia;
    hypoesthesia; lethargy; insomnia; tachycardia; euphoric mood; nasal discomfort; throat irritation; dysarthria;
    pollakiuria; constipation; psychomimetic effects""".replace("\n    ", " ").split("; ")
)
ANALYTES = (
    "ketamine",
    "S-ketamine",
    "R-ketamine",
    "norketamine",
    "S-norketamine",
    "R-norketamine",
    "HNK",
    "S-HNK",
    "R-HNK",
    "DHNK",
)
# What else a study may call them, whatever the case.
_ALSO = {
    "QIDS-SR-16": "QIDS; QIDS-SR; QIDS-16; QIDS-SR16",
    "QIDS-C-16": "QIDS-C; QIDS-C16",
    "BDI": "BDI-II; BDI-2",
    "IDS-SR-30": "IDS; IDS-SR",
    "IDS-C-30": "IDS-C",
    "SSI": "BSS; BSI; BSSI; Beck SSI",
    "pain NRS": "NRS",
    "pain VAS": "VAS",
    "HAM-A": "HAMA; HARS",
    "CAPS-5": "CAPS",
    "PCL-5": "PCL",
    "HR": "heart rate; pulse",
    "SBP": "systolic blood pressure; systolic BP; systolic pressure",
    "DBP": "diastolic blood pressure; diastolic BP; diastolic pressure",
    "S-ketamine": "esketamine; (S)-ketamine",
    "R-ketamine": "arketamine; (R)-ketamine",
    "S-norketamine": "noresketamine",
    "HNK": "hydroxynorketamine",
    "treatment-resistant depression": "TRD",
    "depression": "MDD; major depression; major depressive disorder",
    "bipolar depression": "bipolar disorder",
    "anxiety": "GAD; generalised anxiety disorder; generalized anxiety disorder; social anxiety disorder",
    "obsessive-compulsive disorder": "OCD",
}
ALIASES = {also.lower(): name for name, others in _ALSO.items() for also in others.split("; ")} | {
    f"{hamilton}{gap}{items}".lower(): f"HDRS-{items}" if items else "HDRS"
    for hamilton in ("HDRS", "HAMD", "HAM-D", "HRSD")
    for gap, items in (("", ""), *((gap, items) for gap in ("-", "", " ") for items in (6, 17, 21, 24, 25, 28)))
}
# What else an arm may call its drug. A named SSRI is the house's: none is told from another.
DRUGS = {
    other.lower(): drug
    for drug, others in {
        "ketamine": "racemic ketamine; (R,S)-ketamine; R,S-ketamine; ketamine hydrochloride",
        "esketamine": "S-ketamine; (S)-ketamine; S(+)-ketamine; Spravato",
        "arketamine": "R-ketamine; (R)-ketamine",
        "placebo": "saline; normal saline; sham",
        "ect": "electroconvulsive therapy",
        "ssri": "citalopram; escitalopram; fluoxetine; fluvoxamine; paroxetine; sertraline",
    }.items()
    for other in (drug, *others.split("; "))
}
# Units of figures as other hands write them. "SD", "points" and "mmHg" name what is meant without a unit, too.
UNITS = {
    other.lower(): unit
    for unit, others in {
        "ng/mL": "", "ug/mL": "µg/mL; μg/mL; mcg/mL", "ug/L": "µg/L; μg/L; mcg/L", "mg/L": "", "nmol/mL": "",
        "nmol/L": "nM", "umol/L": "µmol/L; μmol/L; uM; µM; μM", "ng h/mL": "h ng/mL", "ng min/mL": "min ng/mL",
        "ug h/L": "µg h/L; μg h/L; h ug/L", "ug h/mL": "µg h/mL; μg h/mL; h ug/mL", "mg h/L": "h mg/L",
        "min": "minutes", "h": "hours; hr", "d": "day; days", "wk": "week; weeks", "mo": "month; months",
        "%": "percent; per cent", "percentage points": "pp", "points": "point", "mmHg": "mm Hg; mm[Hg]",
        "1/min": "bpm; /min; beats/min", "SD": "Cohen d; Cohen's d; SMD; Hedges g; Hedges' g; g",
        "odds ratio": "OR", "risk ratio": "RR; relative risk", "hazard ratio": "HR; rate ratio",
    }.items()
    for other in (unit, *others.split("; "))
    if other
}  # fmt: skip


@dataclass(frozen=True)
class When:
    """A point in time: hours from the start of the first dose, or of session `session` (from 1; -1 the last)."""

    hours: float
    session: int | None = None

    def from_first_dose(self, days: tuple[float, ...]) -> float:
        """Hours from the start of the first dose, given the session starts in days."""
        if self.session is None or not days:
            return self.hours
        start = days[-1] if self.session == -1 else days[min(self.session, len(days)) - 1]
        return self.hours + 24.0 * (start - days[0])


def duration(text: str) -> float:
    """Hours of a duration such as "40 min", "24 h", "15 d", "4 weeks", "6 months".

    Raises Refusal (a ValueError), with what is wrong in it, when the number or its unit is missing.
    """
    return read(text, "h", "time")


def when(text: str) -> When:
    """The time that `at` names: "24 h" from the first dose, or "24 h after session 6" from that session's start."""
    found = re.fullmatch(r"(.+?)\s+after\s+(?:session\s+(\d+)|(?:the\s+)?last\s+session)", text.strip())
    if not found:
        return When(duration(text))
    session = int(found[2]) if found[2] else -1
    if session == 0:
        raise ValueError("sessions are counted from 1; write 'after session 1'")
    return When(duration(found[1]), session)


def unit(text: str, what: str) -> str:
    """The house's spelling of a figure's unit, "Cohen's d" as "SD"; one that it does not know stays as it is."""
    plain = re.sub(r"\s+", " ", re.sub(r"[·*.](?=[a-zµμ])", " ", text.strip())).lower()
    return "SD" if plain == "d" and what == "effect" else UNITS.get(plain, text)


def amount(text: str) -> tuple[float, str]:
    """Number and unit (one of DOSE_UNITS) of a dose such as "0.5 mg/kg", "84 mg" or the rate "41 ug/kg/min".

    Raises Refusal (a ValueError) when the unit is missing or the number is below zero.
    """
    number, unit = read_as(text, DOSE_UNITS, "dose")
    if number < 0:
        raise ValueError(f"{text!r} is below zero; a placebo's dose is '0 mg'")
    return number, unit


@dataclass(frozen=True)
class Rule:
    """What counts as response or remission: a "fall" in per cent of baseline, a "rise" in points, or a bound."""

    kind: Literal["fall", "rise", "at most", "at least", "below", "above"]
    value: float


def rule(text: str) -> Rule:
    """The rule in "-30 %" (fall from baseline), "<= 12" (score), ">= 180" (sign) or ">= +40" (rise from baseline)."""
    fall = re.fullmatch(r"(?:<=\s*)?-\s*(\d+(?:\.\d+)?)\s*%", text.strip())
    if fall and 0 < float(fall[1]) <= 100:
        return Rule("fall", float(fall[1]))
    bound = re.fullmatch(r"(<=|>=|<|>)\s*(\+?)(\d+(?:\.\d+)?)", text.strip())
    if not bound:
        raise ValueError(f"{text!r} is not a rule; write a fall such as '-30 %' or a bound such as '<= 12'")
    if bound[2]:
        return Rule("rise", float(bound[3]))
    kinds: dict[str, Any] = {"<=": "at most", ">=": "at least", "<": "below", ">": "above"}
    return Rule(kinds[bound[1]], float(bound[3]))
