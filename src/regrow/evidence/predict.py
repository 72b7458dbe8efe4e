"""One arm of a study turned into a course and people, simulated: the only place where evidence meets the model.

The one thing to know: nothing here is fitted or named after a study. People, regimen, belief and background come from
the file; what it leaves out is filled from one table for all studies (`USUAL`, `FAILED`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

from regrow import mechanism
from regrow.catalog.evidence import Arm, Baseline, Figure, Study
from regrow.catalog.notation import amount, when
from regrow.dosing import KETAMINES, Dose, sprays
from regrow.evidence.measure import ALIKE, HAMILTON
from regrow.evidence.simulated import Simulated, Unpredictable
from regrow.people import Population, Spread, Stated
from regrow.refusal import Refusal
from regrow.regimen import Course, Phase, Protocol
from regrow.simulate import RATING_SD, run

# MADRS at entry where a study does not state its own: mean and SD. Assumed; the first two as the shelf's trials print
# them, the third as both ASPIRE trials (40.4, SD 5.8), the others where low mood goes with something else.
USUAL = {
    "treatment-resistant depression": (33.5, 5.5),
    "depression": (30.0, 5.5),
    "bipolar depression": (33.0, 5.5),
    "suicidal ideation": (39.0, 6.0),
    "healthy": (3.0, 2.0),
}
USUAL_OTHERWISE = (18.0, 7.0)
# Treatments that failed in this episode where a study does not say. Assumed: resistant is two or more, trials of it
# state 2 to 4; the other conditions are met early as well as late.
FAILED = {"treatment-resistant depression": 3.0, "bipolar depression": 2.0}
FAILED_OTHERWISE = 1.0
SWITCHES = {
    "ssri-new": "ssri",
    "oral-new-open": "ssri",
    "oral-new-blind": "ssri",
    "benzodiazepine": "benzodiazepine",
    "general-anaesthesia": "anaesthesia",
}
NEW_CARE = ("ssri-new", "oral-new-open", "oral-new-blind", "psychotherapy")  # begun with the first session
WARD = "usual-inpatient-care"
WITHOUT_A_DOSE = {
    "ssri": ("20 mg", "oral"),
    "antidepressant": ("20 mg", "oral"),
    "ect": ("0 mg", "iv"),
    "none": ("0 mg", "oral"),
    "psychotherapy": ("0 mg", "oral"),
}
# Followed as the daily tablet without a drug, which no visit goes with: therapy is new care, waiting is not even that.
NO_DRUG = ("none", "psychotherapy")
# Every plasma model begins at 18 years. Adolescents are taken as that old (they clear ketamine per kg about as adults
# do; assumed), with a note; children are refused.
ADOLESCENT_Y, ADULT_Y = 12.0, 18.0
ROUNDED_H = 0.05  # 0.0417 d stands for one hour
READOUTS = ("madrs", "relapse_per_week", "cadss", "sbp", "dbp", "hr", "sedation", "pain_left", "nausea", "dizziness")
LEVELS = {  # read-out of plasma: analyte and site it stands for
    "ketamine_arterial": ("ketamine", ("arterial",)),
    "ketamine_venous": ("ketamine", ("venous",)),
    "norketamine": ("norketamine", ("arterial", "venous")),
    "hnk": ("HNK", ("arterial", "venous")),
}


def predict_arm(
    study: Study,
    arm: Arm,
    figures: tuple[Figure, ...],
    people: int,
    seed: int,
    scaled: Mapping[str, float | np.ndarray] | None = None,
) -> Simulated:
    """The arm simulated for `people` persons like the study's, long and fine enough for `figures`.

    The arms of a study share their people (same seed), so that a contrast is of treatments. `scaled` multiplies
    parameters, to see what the figures say of wrong ones. Raises Unpredictable, or a Refusal of the model, with a
    sentence.
    """
    days = given_days(arm, figures)
    hours = max(when(figure.at).from_first_dose(arm.days) for figure in figures)
    times = sorted({0.0, hours, *visited(figures, arm)})
    drawn = population(study, arm, people, seed)
    found = run(course(study, arm, days, hours), drawn, times=times, scaled=scaled)
    values = {name: found.values[name] for name in READOUTS if name in found.values}
    values |= _levels(found.values, arm.drug)
    missing = dict(found.missing)
    age = study.population.age_y
    young = age is not None and age.middle is not None and ADOLESCENT_Y <= age.middle < ADULT_Y
    if arm.drug == "ketamine" and (wanted := _enantiomers(figures)):
        # Plasma is linear and the enantiomers do not interact: half the racemate is S given alone, and the rest is R.
        try:
            half = run(
                course(study, replace_drug(arm, "esketamine"), days, hours, share=0.5),
                drawn,
                times=times,
                scaled=scaled,
            )
        except Refusal as why:
            missing |= dict.fromkeys(wanted, why.sentence)
        else:
            alone = {name: level for name, level in _levels(half.values, "esketamine").items() if name[1] == "-"}
            rest = {f"R{name[1:]}": np.maximum(values[name[2:]] - level, 0.0) for name, level in alone.items()}
            values |= alone | rest
    return Simulated(
        times=np.asarray(found.times, float),
        values=values,
        baseline=np.asarray(drawn.baseline, float),
        seed=drawn.seed,
        age_y=np.asarray(drawn.age_y, float),
        rating_sd=RATING_SD,
        missing=missing,
        notes=(f"people under {ADULT_Y:g} taken as {ADULT_Y:g} years old",) if young else (),
        left=left(study) * float((scaled or {}).get("leave", 1.0)),
    )


def left(study: Study) -> float:
    """The share of those who began that has left by the visit and counts as no response: clinic cohorts count all."""
    return mechanism.parameters()["leave"].value if study.design == "cohort" and study.analysis == "itt" else 0.0


def about(study: Study, arm: Arm) -> tuple[tuple[str, float], ...]:
    """What the file states of the people and their care, as parameters of the mechanism."""
    stated = study.population.failed_treatments
    failed = FAILED.get(study.population.condition, FAILED_OTHERWISE)
    if stated is not None and stated.middle is not None:
        failed = stated.middle
    known = {"failed": failed}
    if any(name in NEW_CARE for name in arm.background):
        known["care_new"] = 1.0
    elif arm.drug == "none":
        known["care_new"] = 0.0
    if "oral-new-blind" in arm.background:
        known["new_blind"] = 1.0
    if WARD in arm.background:
        known["ward"] = 1.0
    return tuple(known.items())


def replace_drug(arm: Arm, drug: str) -> Arm:
    """The arm with another drug in place of its own."""
    return arm.model_copy(update={"drug": drug})


def given_days(arm: Arm, figures: tuple[Figure, ...]) -> tuple[float, ...]:
    """The days of the sessions that were given: as listed, cut to the mean number where the study states it.

    Where a figure asks for the best of all visits, nobody stops early and all sessions stay.
    """
    if arm.mean_sessions is None or any(figure.ever for figure in figures):
        return arm.days
    return arm.days[: max(1, round(arm.mean_sessions))]


def course(study: Study, arm: Arm, days: tuple[float, ...], hours: float, share: float = 1.0) -> Course:
    """The arm as a course over `hours`; `share` scales every dose."""
    doses = tuple(_doses(arm, _drug(study, arm), place, share) for place in range(len(days)))
    phase = Phase("treatment", doses, days=_starts(days, doses))
    protocol = Protocol(study.id, arm.name, study.citation, (phase,), phase.doses[0])
    switches = tuple(dict.fromkeys(SWITCHES[name] for name in arm.background if name in SWITCHES))
    if "anaesthesia" in switches:  # which damps the same surge, and more
        switches = tuple(name for name in switches if name != "benzodiazepine")
    treated = study.population.condition
    return Course(
        protocol,
        belief="open" if arm.drug in NO_DRUG else arm.belief,
        switches=switches,
        condition=treated,
        until_h=max(hours, 1.0),
        about=() if treated == "healthy" else about(study, arm),
    )


def _starts(days: tuple[float, ...], doses: tuple[tuple[Dose, ...], ...]) -> tuple[float, ...]:
    """Session starts in days from the first. An infusion printed as beginning where the last one ends begins just
    there, whatever the fraction of a day was rounded to."""
    starts = [0.0]
    for place, day in enumerate(days[1:]):
        start, end = day - days[0], starts[-1] + max(dose.end_h for dose in doses[place]) / 24
        starts.append(end if abs(start - end) < ROUNDED_H / 24 else start)
    return tuple(starts)


def _drug(study: Study, arm: Arm) -> str:
    """The catalog's name of what the arm takes; placebo by mouth is a daily tablet unless it stands for ketamine."""
    if arm.drug == "antidepressant":
        return "ssri"
    if arm.drug in NO_DRUG:
        return "pill"
    if arm.drug == "placebo" and arm.route == "oral":
        taken = any(other.drug in KETAMINES and other.route == "oral" for other in study.arm)
        return "placebo" if taken else "pill"
    return arm.drug


def _doses(arm: Arm, drug: str, place: int, share: float) -> tuple[Dose, ...]:
    text, route = (arm.doses[place], arm.route) if arm.doses else WITHOUT_A_DOSE.get(arm.drug, (None, None))
    if text is None:
        raise Unpredictable(f"{arm.drug} has no dose, and the model follows none without")
    number, unit = amount(text)
    number *= share
    hours = arm.durations_h[place] if arm.duration is not None else 0.0
    if arm.route == "intranasal" and drug == "esketamine" and unit == "mg" and number in (28, 56, 84):
        return sprays(number)
    device = 1 if arm.route == "intranasal" and drug == "esketamine" else 0
    return (Dose(drug, number, unit, route or "oral", hours, device=device),)


def population(study: Study, arm: Arm, people: int, seed: int) -> Population:
    """People like the study's: weight, height, age, sex, severity as it states them, the house's people otherwise."""
    about = study.population

    def spread(name: str, sd_share: float) -> Spread | None:
        found = getattr(about, name)
        if found is None or found.middle is None:
            return None
        centre, own = found.middle, found.spread
        low, high = found.range or (-np.inf, np.inf)
        if name == "age_y" and centre >= ADOLESCENT_Y:  # a trial of adults took no children, whatever its SD
            low, high, centre = max(low, ADULT_Y), max(high, ADULT_Y), max(centre, ADULT_Y)
        return Spread(centre, sd_share * found.middle if own is None else own, low, high)

    female = about.female_percent
    own_seed = (zlib.crc32(study.id.encode()) << 16) + seed
    return Population.draw(
        people,
        own_seed,
        Stated(
            weight_kg=spread("weight_kg", 0.2),
            height_cm=spread("height_cm", 0.05),
            age_y=spread("age_y", 0.25),
            female=None if female is None or female.centre is None else female.centre / 100,
            baseline=severity(study, arm),
        ),
    )


def severity(study: Study, arm: Arm) -> Spread:
    """MADRS at entry: the arm's or the study's own, read from its scale where that is another, else the usual one."""
    usual = Spread(*USUAL.get(study.population.condition, USUAL_OTHERWISE), 0.0, 56.0)
    whole = study.population.baseline
    entry = arm.baseline or whole
    if entry is None:
        return usual
    scale = entry.scale or (whole.scale if whole else None) or "MADRS"
    sd = entry.sd if entry.sd is not None else (whole.sd if whole and whole.scale == scale else None)
    found = _as_madrs(Baseline(scale=scale, mean=entry.mean, sd=sd))
    return usual if found is None else found


def _as_madrs(entry: Baseline) -> Spread | None:
    from regrow.catalog import scales

    scale, mean = entry.scale or "MADRS", entry.mean
    if scale == "MADRS":
        centre, sd = mean, 5.5 if entry.sd is None else entry.sd
    else:
        factor = HAMILTON.get(scale, 1.0)
        name = "HDRS-17" if scale in HAMILTON else ALIKE.get(scale, scale)
        try:
            low, centre, high = scales.link(name, "MADRS", np.array([mean - 1, mean, mean + 1]) / factor).values
        except Refusal:
            return None
        slope = (high - low) / 2
        centre, sd = float(centre), 5.5 if entry.sd is None else float(entry.sd * slope)
    return Spread(centre, sd, 7.0 if centre > 14 else 0.0, 58.0)


def visited(figures: tuple[Figure, ...], arm: Arm) -> set[float]:
    """The hours at which the figures look at their people: solved for, not interpolated."""
    from regrow.evidence.measure import visits, watched

    hours: set[float] = set()
    for figure in figures:
        end = when(figure.at).from_first_dose(arm.days)
        hours |= set(visits(figure, arm, end)) if figure.ever else {end}
        if figure.what == "relapse":
            hours |= set(watched(figure, arm, end))
        if figure.is_concentration:
            steps = np.geomspace(1 / 60, max(end, 0.1), 60) if figure.what != "concentration" else []
            hours |= {float(step) for step in steps if step <= end}
    return {hour for hour in hours if hour >= 0}


def _enantiomers(figures: tuple[Figure, ...]) -> set[str]:
    """The levels of one enantiomer that the figures ask for: "S-ketamine@venous"."""
    return {f"{figure.of}@{figure.site or 'venous'}" for figure in figures if figure.of[:2] in ("S-", "R-")}


def _levels(values, drug: str) -> dict[str, np.ndarray]:
    """Plasma read-outs under the names of figures: "ketamine@venous", and the enantiomer where one alone was given."""
    found = {}
    for name, (analyte, sites) in LEVELS.items():
        if name in values and drug in KETAMINES:
            prefix = {"esketamine": "S-", "arketamine": "R-"}.get(drug, "")
            for site in sites:
                found[f"{prefix}{analyte}@{site}"] = values[name]
                if prefix:
                    found[f"{analyte}@{site}"] = values[name]
    return found
