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
    GAD-7; HAM-A; BAI; HADS; FQ; LSAS; anxiety VAS; CAPS-5; PCL-5; IES-R; Y-BOCS; SSI; C-SSRS; MADRS-SI; CGI-S; CGI-I;
    pain NRS; pain VAS; headache NRS; CADSS; BPRS; MOAA/S; SBP; DBP; MAP; HR; SpO2; abstinence; days abstinent; craving;
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
# What else a study may call them.
ALIASES = {
    **{f"{other}-{items}": f"HDRS-{items}" for other in ("HAMD", "HAM-D") for items in (6, 17, 21, 24, 25, 28)},
    **dict.fromkeys(("HAMD", "HAM-D"), "HDRS"),
    **dict.fromkeys(("QIDS", "QIDS-SR", "QIDS-16"), "QIDS-SR-16"),
    "NRS": "pain NRS",
    "VAS": "pain VAS",
    "HAMA": "HAM-A",
    "CAPS": "CAPS-5",
    "PCL": "PCL-5",
    "heart rate": "HR",
    "esketamine": "S-ketamine",
    "arketamine": "R-ketamine",
    "noresketamine": "S-norketamine",
    "hydroxynorketamine": "HNK",
}


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
