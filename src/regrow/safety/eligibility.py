"""Who may be treated: three outcomes (eligible, a clinician decides, excluded), each finding with rule and source.

The one thing to know: an unanswered question is never a no. A condition that nobody asked about is itself a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from regrow.safety.finding import RULES, Clearance, Finding, Rule, Say, amber, info, judge, never, red, rule
from regrow.safety.settings import Settings

PRESCRIBER = Clearance.PRESCRIBER


@dataclass(frozen=True)
class Trial:
    """One antidepressant trial: drug, weeks, whether the dose was adequate, what came of it."""

    drug: str
    weeks: float
    adequate_dose: bool
    outcome: str  # none | partial | full | intolerant


@dataclass(frozen=True)
class Candidate:
    """What is known about a person before a course.

    `answers` maps a condition code of CONDITIONS to yes (True) or no (False); a missing code was not asked.
    Days are days since the named event or result, None when there is none; `not_normal` names the tests whose newest
    result is marked so. Pressures in mmHg, heart rate in 1/min.
    """

    age: float | None
    answers: dict[str, bool] = field(default_factory=dict)
    indication: str = "depression"
    trials: tuple[Trial, ...] = ()
    acute_suicidality: bool = False
    sbp: float | None = None
    dbp: float | None = None
    hr: float | None = None
    bmi: float | None = None
    cv_event_days: float | None = None
    can_be_pregnant: bool = False
    pregnancy_test_days: float | None = None
    pregnancy_test_positive: bool = False
    cleared_medically: bool = False
    ecg_days: float | None = None
    liver_days: float | None = None
    kidney_days: float | None = None
    urine_days: float | None = None
    thyroid_days: float | None = None
    drug_screen_days: float | None = None
    not_normal: tuple[str, ...] = ()
    suicide_risk: str = ""
    female: bool = False
    mood_stabiliser: bool = False


class Outcome(StrEnum):
    ELIGIBLE = "eligible"
    CLINICIAN_DECIDES = "clinician decides"
    EXCLUDED = "excluded"


@dataclass(frozen=True)
class Verdict:
    outcome: Outcome
    findings: tuple[Finding, ...]


# code: (rule, what is asked, source). Absolute: the course is blocked and nobody may override.
ABSOLUTE = {
    "hypersensitivity": ("R-CI-01", "allergy to ketamine, esketamine or an excipient", "Spravato US label (read)"),
    "aneurysm": (
        "R-CI-02",
        "aneurysm (aorta, brain, peripheral) or arteriovenous malformation",
        "Spravato US label (read)",
    ),
    "brain_haemorrhage": ("R-CI-03", "bleeding in the brain, ever", "Spravato US label (read)"),
    "bp_serious_risk": (
        "R-CI-05",
        "uncontrolled hypertension, decompensated heart failure, or another serious risk from a rise of pressure",
        "UK product information (read); ASRA 2018 relative (read), made absolute here (assumed)",
    ),
    "pregnant_or_breastfeeding": (
        "R-CI-06",
        "pregnancy or breastfeeding",
        "Spravato US label (read); ASRA 2018 relative (read), made absolute here (assumed)",
    ),
    "psychosis_active": (
        "R-CI-07",
        "active psychosis, schizophrenia spectrum, active mania or delirium",
        "VA criteria (read); ASRA 2018 relative (read), made absolute here (assumed)",
    ),
    "liver_severe": ("R-CI-08", "severe liver disease (Child-Pugh C)", "ASRA 2018: avoid (read)"),
    "ketamine_use_disorder": ("R-CI-09", "ketamine or PCP use disorder, ever", "VA criteria (read, secondary)"),
    "porphyria": ("R-CI-10", "acute porphyria", "memory"),
}
# Relative: the prescriber decides and writes why.
RELATIVE = {
    "hypertension_treated": ("R-CR-01", "treated hypertension", "Yale 2024 (read)"),
    "raised_icp_or_iop": ("R-CR-02", "raised intracranial or eye pressure, glaucoma", "ASRA 2018 grade C (read)"),
    "liver_moderate": ("R-CR-03", "moderate liver disease", "ASRA 2018 (read)"),
    "kidney": ("R-CR-04", "kidney problems", "Atlanta clinic (read)"),
    "substance_use": ("R-CR-05", "substance use disorder, active or past", "ASRA 2018; Spravato US label (read)"),
    "cystitis": ("R-CR-06", "lower urinary tract symptoms or interstitial cystitis", "Spravato US label (read)"),
    "bipolar": ("R-CR-07", "bipolar disorder (needs a mood stabiliser and a mania screen)", "memory"),
    "airway": (
        "R-CR-08",
        "severe sleep apnoea, difficult airway or unstable lung disease",
        "UK product information; CPSBC (read)",
    ),
    "seizure": ("R-CR-09", "seizure disorder", "EU product information 12/2024 (read)"),
    "thyrotoxicosis": ("R-CR-10", "untreated hyperthyroidism", "memory"),
    "dementia_or_brain_injury": (
        "R-CR-11",
        "neurocognitive disorder or symptomatic brain injury",
        "Toronto clinic (read)",
    ),
    "dissociative_or_unstable": (
        "R-CR-12",
        "severe dissociative disorder or unstable personality disorder",
        "memory",
    ),
}
# Relative too, against another hazard.
ATTEMPT = {"suicide_attempt": ("R-CR-15", "suicide attempt, ever", "Spravato boxed warning (read); assumed")}
# To know, so that nobody is startled: asks for no decision.
TRAUMA = {"trauma": ("R-CR-16", "trauma: violence, abuse, war, accident", "assumed")}
HISTORY = {"cv_event": ("R-CI-04", "heart attack, stroke or other cardiovascular event", "")}
EXCLUDING = {**ABSOLUTE, **HISTORY}
CONDITIONS: dict[str, str] = {code: row[1] for code, row in {**EXCLUDING, **RELATIVE, **ATTEMPT, **TRAUMA}.items()}
H01 = "H-01 a person who must not have the drug gets it"


def _asked(code: str, say: Callable[..., Say], id: str, text: str, source: str, hazard: str = H01) -> None:
    def present(c: Candidate, s: Settings) -> Iterator[Say]:
        if c.answers.get(code):
            yield say(f"{text}: recorded as present.", condition=code)

    RULES[id] = Rule(id, text[0].upper() + text[1:], hazard, source, "eligibility", present)


def _excludes(what: str, **numbers: Any) -> Say:
    return never(f"{what} This excludes treatment here.", **numbers)


def _decides(what: str, **numbers: Any) -> Say:
    return amber(f"{what} The prescriber decides and writes why.", PRESCRIBER, **numbers)


def _to_know(what: str, **numbers: Any) -> Say:
    return info(f"{what} Ask what helps, say before touching, stay in sight.", **numbers)


for _code, _row in ABSOLUTE.items():
    _asked(_code, _excludes, *_row)
for _code, _row in RELATIVE.items():
    _asked(_code, _decides, *_row)
for _code, _row in ATTEMPT.items():
    _asked(_code, _decides, *_row, hazard="H-13 suicide")
for _code, _row in TRAUMA.items():
    _asked(_code, _to_know, *_row, hazard="H-21 panic and injury")


@rule(
    "R-CI-04",
    "eligibility",
    "Cardiovascular event too recent",
    hazard=H01,
    source="EU SmPC 6 weeks (memory); Atlanta clinic 'recently had a heart attack'",
)
def recent_event(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.answers.get("cv_event"):
        if c.cv_event_days is None:
            yield never("a cardiovascular event is recorded without its date; write the date.", limit_d=s.cv_event_days)
        elif c.cv_event_days < s.cv_event_days:
            yield never(
                f"cardiovascular event {c.cv_event_days:g} days ago; at least {s.cv_event_days:g} are needed.",
                days=c.cv_event_days,
                limit_d=s.cv_event_days,
            )
        else:
            yield amber(
                f"cardiovascular event {c.cv_event_days:g} days ago: the prescriber decides.",
                PRESCRIBER,
                days=c.cv_event_days,
            )


@rule("R-CI-11", "eligibility", "Pregnancy test positive", hazard=H01, source="Spravato US label (read)")
def pregnant(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.pregnancy_test_positive:
        yield never("the last pregnancy test was positive. This excludes treatment here.")


@rule("R-CR-13", "eligibility", "BMI: review the weight basis", hazard="H-02 a wrong dose", source="assumed")
def heavy(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.bmi is not None and c.bmi >= s.bmi_review:
        yield amber(
            f"BMI {c.bmi:.1f} kg/m2, review from {s.bmi_review:g}: choose the weight basis.",
            PRESCRIBER,
            bmi=c.bmi,
            limit=s.bmi_review,
        )


@rule("R-EL-01", "eligibility", "Age", hazard=H01, source="Toronto clinic (read); Spravato US label")
def old_enough(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.age is None:
        yield never("age is not known; record the date of birth.")
    elif c.age < s.age_min:
        yield never(f"age {c.age:g} y is below {s.age_min:g} y.", age=c.age, limit=s.age_min)


@rule("R-EL-02", "eligibility", "Higher age", hazard="H-03 harm by a rise of blood pressure", source="Yale 2024 (read)")
def older(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.age is not None and c.age > s.age_caution:
        yield amber(
            f"age {c.age:g} y, above {s.age_caution:g} y: severe rises of pressure are more frequent.",
            PRESCRIBER,
            age=c.age,
            limit=s.age_caution,
        )


@rule(
    "R-EL-03",
    "eligibility",
    "Failed antidepressant trials",
    hazard="H-04 treatment without an indication",
    source="Spravato US label; Toronto clinic; Sacramento clinic (read)",
)
def resistant(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.indication == "depression" and not c.acute_suicidality:
        count = adequate_failures(c.trials, s)
        if count < s.trials_needed:
            yield amber(
                f"{count} adequate failed trials are recorded; {s.trials_needed:g} make treatment resistance.",
                PRESCRIBER,
                trials=count,
                limit=s.trials_needed,
            )


@rule("R-EL-04", "eligibility", "Medical clearance", hazard=H01, source="APA 2017 (memory); Toronto clinic (read)")
def cleared(c: Candidate, s: Settings) -> Iterator[Say]:
    if not c.cleared_medically:
        yield amber("medical clearance (pressure control, heart, airway) is not recorded.", PRESCRIBER)


@rule(
    "R-EL-05",
    "eligibility",
    "Electrocardiogram",
    hazard="H-03 harm by a rise of blood pressure",
    source="ASRA 2018 with heart disease or risk (read); from 50 y assumed",
)
def ecg(c: Candidate, s: Settings) -> Iterator[Say]:
    risk = any(c.answers.get(k) for k in ("cv_event", "hypertension_treated"))
    aged = c.age is not None and c.age >= s.ecg_age
    if (risk or aged) and (c.ecg_days is None or c.ecg_days > s.lab_days):
        old = "none is recorded" if c.ecg_days is None else f"the last is {c.ecg_days:g} days old"
        yield amber(
            f"an ECG is due (heart risk or age from {s.ecg_age:g} y); {old}, {s.lab_days:g} days count.",
            PRESCRIBER,
            limit_d=s.lab_days,
        )


@rule(
    "R-EL-06",
    "eligibility",
    "Laboratory results",
    hazard="H-05 organ damage unseen",
    source="ASRA 2018 liver (read); Atlanta clinic kidney (read); urine assumed; thyroid, drug screen memory",
)
def labs(c: Candidate, s: Settings) -> Iterator[Say]:
    due = {
        "liver enzymes": (c.answers.get("liver_moderate"), c.liver_days),
        "creatinine": (c.answers.get("kidney"), c.kidney_days),
        "urinalysis": (True, c.urine_days),
        "TSH": (c.answers.get("thyrotoxicosis"), c.thyroid_days),
        "urine drug screen": (c.answers.get("substance_use"), c.drug_screen_days),
    }
    for name, (needed, days) in due.items():
        if needed and (days is None or days > s.lab_days):
            yield amber(
                f"{name}: no result of the last {s.lab_days:g} days.", PRESCRIBER, test=name, limit_d=s.lab_days
            )


@rule(
    "R-EL-07",
    "eligibility",
    "Pregnancy test due",
    hazard="H-06 harm to an unborn child",
    source="Spravato US label (read)",
)
def pregnancy_test(c: Candidate, s: Settings) -> Iterator[Say]:
    days = c.pregnancy_test_days
    if c.can_be_pregnant and (days is None or days > s.pregnancy_days):
        yield amber(
            f"a pregnancy test of the last {s.pregnancy_days:g} days is due before the first dose.",
            PRESCRIBER,
            limit_d=s.pregnancy_days,
        )


@rule("R-EL-08", "eligibility", "Questions not asked", hazard=H01, source="assumed: an unanswered question is not a no")
def unasked(c: Candidate, s: Settings) -> Iterator[Say]:
    missing = [code for code in CONDITIONS if code not in c.answers]
    excluding = [code for code in missing if code in EXCLUDING]
    if missing:
        listed = "; ".join(CONDITIONS[code] for code in (*excluding, *(x for x in missing if x not in EXCLUDING)))
        sentence = f"{len(missing)} of {len(CONDITIONS)} conditions were not asked: {listed}."
        if excluding:
            yield never(f"{sentence} Some of them would exclude treatment: ask.", missing=len(missing))
        else:
            yield amber(sentence, PRESCRIBER, missing=len(missing))


@rule(
    "R-EL-09",
    "eligibility",
    "Resting pressure and pulse",
    hazard="H-03 harm by a rise of blood pressure",
    source="label threshold 140/90 (memory); Yale 2024 (read)",
)
def resting(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.sbp is None or c.dbp is None or c.hr is None:
        yield amber("resting blood pressure or heart rate is not recorded.", PRESCRIBER)
        return
    if c.sbp > s.pre_sbp_amber or c.dbp > s.pre_dbp_amber:
        yield amber(
            f"resting BP {c.sbp:g}/{c.dbp:g} mmHg, above {s.pre_sbp_amber:g}/{s.pre_dbp_amber:g}.",
            PRESCRIBER,
            sbp=c.sbp,
            dbp=c.dbp,
        )
    if c.hr > s.hr_caution:
        yield amber(
            f"resting heart rate {c.hr:g}/min, above {s.hr_caution:g}.", PRESCRIBER, hr=c.hr, limit=s.hr_caution
        )


@rule(
    "R-EL-10",
    "eligibility",
    "Whether pregnancy is possible",
    hazard="H-06 harm to an unborn child",
    source="Spravato US label (read); age assumed",
)
def fertile(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.female and not c.can_be_pregnant and c.age is not None and c.age <= s.fertile_age:
        yield amber(f"female, {c.age:g} y, marked as unable to be pregnant: is that so? Else no test is asked for.")


@rule("R-EL-11", "eligibility", "High risk of suicide", hazard="H-13 suicide", source="Spravato boxed warning (read)")
def high_risk(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.suicide_risk == "high":
        yield red("suicide risk is high: a safety plan, and the prescriber decides where to treat.", PRESCRIBER)


@rule(
    "R-EL-12",
    "eligibility",
    "A result that is not normal",
    hazard=H01,
    source="assumed: a test done is not a test passed",
)
def not_normal(c: Candidate, s: Settings) -> Iterator[Say]:
    for test in c.not_normal:
        yield amber(f"{test}: the newest result is marked not normal. The prescriber decides.", PRESCRIBER, test=test)


@rule("R-CR-14", "eligibility", "Bipolar without a mood stabiliser", hazard="H-14 mania", source="memory")
def unprotected(c: Candidate, s: Settings) -> Iterator[Say]:
    if c.answers.get("bipolar") and not c.mood_stabiliser:
        yield amber("bipolar disorder and no mood stabiliser among the medicines.", PRESCRIBER)


def adequate_failures(trials: Iterable[Trial], settings: Settings) -> int:
    """How many trials were adequate in dose and length and still failed; a full response is no failure."""
    return sum(t.adequate_dose and t.weeks >= settings.trial_weeks and t.outcome in ("none", "partial") for t in trials)


def eligibility(candidate: Candidate, settings: Settings) -> Verdict:
    """The outcome with every finding: excluded if one blocks, a clinician decides if one asks for it, else eligible."""
    findings = judge("eligibility", candidate, settings)
    if any(f.blocks for f in findings):
        return Verdict(Outcome.EXCLUDED, findings)
    if any(f.needs_signature for f in findings):
        return Verdict(Outcome.CLINICIAN_DECIDES, findings)
    return Verdict(Outcome.ELIGIBLE, findings)
