"""From simulated people to what a study reports of their bodies: peaks of pressure, dissociation, events people tell.

The one thing to know: it is the same people who feel sick each time, and a cuff never reads the same twice. An event
has a chance in each session and a propensity of the person behind it; a largest rise is the largest of several readings
over one reading before, each with noise of its own.
"""

from __future__ import annotations

import math

import numpy as np

from regrow.catalog.evidence import Arm, Figure
from regrow.evidence.simulated import Simulated, Unpredictable

SIGNS = {"SBP": "sbp", "DBP": "dbp", "HR": "hr", "CADSS": "cadss", "MOAA/S": "sedation"}
SESSION_H = 4.0
# SD of one reading around what the pressure is, mmHg and 1/min, of somebody aged 45; a half more at 70 (`READING_AGE`,
# per year). Set so that placebo alone gives the mean largest rises that the esketamine trials found: 6.1/4.9 mmHg
# below 65 years, 11.1/6.8 from 65 on (Doherty 2020, abstract), the largest of several such means. Pulse assumed.
READING_SD = {"SBP": 6.5, "DBP": 4.5, "HR": 5.0}
READING_AGE, READING_FROM = 0.012, 45.0
# Minutes after the start at which pressure is read: sprays as the label asks, infusions every 10 min and then every
# half hour, as the clinics did that reported them (684, 741, 2,342 infusions).
READ_NASAL_MIN = (40, 60, 90)
READ_MIN = (10, 20, 30, 40, 50, 60, 90, 120)

REPORTED = (
    "dissociation", "dizziness", "sedation", "nausea", "vomiting", "vertigo", "headache", "BP increased", "dysgeusia",
    "hypoesthesia", "lethargy", "insomnia", "tachycardia", "euphoric mood", "nasal discomfort", "throat irritation",
    "dysarthria", "pollakiuria", "constipation", "psychomimetic effects",
)  # fmt: skip
PER_SESSION = {"nausea": "nausea", "dizziness": "dizziness"}  # read-outs: a chance in each session
# Of those with nausea, who vomits: 10 of 25 on esketamine (SUSTAIN-1, maintenance, table 3; read for this alone).
VOMITING = 0.4
# Headache comes to people treated with or without drug: 46 of 227 and 46 of 225 over eight sessions (both ASPIRE
# trials, table 2 of PMC8407443). The chance in a session that gives 20.3 % over eight in the same people.
HEADACHE = 0.075
# How far an event is the person's and not the session's: the share of the variance behind it (probit). Nausea
# 14.0 % in the first two sessions and 25.1 % in a year of them, dizziness 20.6 and 32.9 % (check figures, abstracts);
# an event comes back twice > once > never in week 1 (Williamson 2022, abstract).
PROPENSITY = 0.8
# Events that people report: read-out, the mark from which (its rise over the session's start; for sedation the level),
# the chance in each session without drug. Marks are set to week 1 of 928 people on esketamine (16.7, 4.3, 3.8 %) and,
# for dissociation, between that and 27.6 % in a year of 802 (check figures, abstracts); chances to the placebo arms of
# the label (9, 6, 9 % in eight sessions). Fewer report an event than a scale finds: CADSS above 4 in 61 to 75 %,
# MOAA/S below 5 in 48 to 61 % (label).
REPORTED_FROM = {
    "dissociation": ("cadss", 17.0, 0.025),
    "BP increased": ("sbp", 38.0, 0.015),
    "sedation": ("sedation", 2.0, 0.025),
}
SAME_DOSE_SD = 0.4  # of the logarithm of CADSS between two sessions of one person at one dose; assumed


def reported(sim: Simulated, arm: Arm, figure: Figure, hours: float) -> np.ndarray:
    """Each person's chance (n,) to have reported the event by then. Raises Unpredictable for one without a rate."""
    name = figure.of
    never = np.ones(sim.n)
    if name in REPORTED_FROM:
        readout, mark, background = REPORTED_FROM[name]
        for place, start in enumerate(_starts(arm, hours)):
            told = _marked(sim, arm, readout, mark, start, place, hours)
            never *= (1 - told) * (1 - _of_this_person(sim, name, np.full(sim.n, background)))
    elif name in PER_SESSION or name in ("vomiting", "headache"):
        readout = "nausea" if name == "vomiting" else PER_SESSION.get(name)
        if readout is not None and readout not in sim.values:
            raise Unpredictable(f"{name}: the model gives no rate at which people report it")
        for start in _starts(arm, hours):
            chance = np.full(sim.n, HEADACHE)
            if readout is not None:
                chance = _course(sim, readout, start, hours).max(axis=1)
            never *= 1 - _of_this_person(sim, name, VOMITING * chance if name == "vomiting" else chance)
    else:
        raise Unpredictable(f"{name}: the model gives no rate at which people report it")
    return 1 - never


def _of_this_person(sim: Simulated, event: str, chance: np.ndarray) -> np.ndarray:
    """The chance in a session of people with their own propensity, where `chance` (n,) is that of people like them."""
    from scipy.special import ndtr, ndtri

    own = math.sqrt(PROPENSITY) * sim.reading_noise(f"event:{event}")
    return ndtr((ndtri(np.clip(chance, 1e-9, 1 - 1e-9)) + own) / math.sqrt(1 - PROPENSITY))


def _marked(sim: Simulated, arm: Arm, readout: str, mark: float, start: float, place: int, hours: float) -> np.ndarray:
    """Whether each person's strongest moment of a session passes the mark (n,), as 0 or 1."""
    if readout == "sbp":
        rise, _ = readings(sim, arm, "SBP", start, place, hours)
        return (rise >= mark).astype(float)
    course = _course(sim, readout, start, hours)
    if readout == "sedation":
        return (course.min(axis=1) <= mark).astype(float)
    of_the_day = np.exp(SAME_DOSE_SD * sim.reading_noise(f"day:{readout}:{place}"))
    return ((course.max(axis=1) - sim.at(readout, start)) * of_the_day >= mark).astype(float)


def readings(
    sim: Simulated, arm: Arm, of: str, start: float, place: int, hours: float
) -> tuple[np.ndarray, np.ndarray]:
    """The largest rise over one reading before the session, and the largest level, as read with a cuff: two (n,)."""
    sd = READING_SD[of] * np.exp(READING_AGE * (sim.age_y - READING_FROM))
    name = SIGNS[of]
    before = sim.at(name, start) + sd * sim.reading_noise(f"{of}:{place}:before")
    minutes = READ_NASAL_MIN if arm.route == "intranasal" else READ_MIN
    at = [minute for minute in minutes if start + minute / 60 <= hours + 1e-9]
    if not at:
        raise Unpredictable(f"{of}: no reading falls before {hours:g} h")
    read = [sim.at(name, start + m / 60) + sd * sim.reading_noise(f"{of}:{place}:{m}") for m in at]
    level = np.max(read, axis=0)
    return level - before, level


def peaks(sim: Simulated, arm: Arm, of: str, hours: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each session begun by then a sign's largest rise (n,) and most extreme level (n,), as a study saw them."""
    found = []
    for place, start in enumerate(_starts(arm, hours)):
        if of in READING_SD:
            found.append(readings(sim, arm, of, start, place, hours))
            continue
        course = _course(sim, SIGNS[of], start, hours)
        # Sedation is rated in whole steps, and its lowest counts.
        extreme = np.round(course.min(axis=1)) if of == "MOAA/S" else course.max(axis=1)
        found.append((extreme - sim.at(SIGNS[of], start), extreme))
    return found


def _starts(arm: Arm, hours: float) -> list[float]:
    starts = (24.0 * (day - arm.days[0]) for day in arm.days)
    return [start for start in starts if start < hours]


def _course(sim: Simulated, name: str, start: float, hours: float) -> np.ndarray:
    """The read-out over a session's first hours (n, t)."""
    inside = (sim.times >= start - 1e-9) & (sim.times <= min(start + SESSION_H, hours) + 1e-9)
    return sim.course(name)[:, inside]
