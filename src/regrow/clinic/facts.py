"""From records to the facts the safety rules read. The one thing to know: nothing is judged here, only gathered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from regrow.clinic import access
from regrow.clinic.models import Course, Decision, Evaluation, Patient, Session, Staff
from regrow.clinic.planning import order_of
from regrow.clinic.session import state
from regrow.clinic.states import Fact, Order, State
from regrow.safety import (
    Candidate,
    Clearance,
    DoseFacts,
    Finding,
    GateFacts,
    MedicineFacts,
    Outcome,
    ScheduleFacts,
    Settings,
    StaffFacts,
    Trial,
    Verdict,
    classes_of,
    eligibility,
    interactions,
)
from regrow.safety.interactions import long_acting, stabilises_mood

# Tests that are done and may come out not normal; pregnancy has rules of its own.
RESULTS = ("ecg", "urine", "liver", "kidney", "thyroid", "drug screen")


def _days(then: Any, now: datetime) -> float | None:
    if then is None:
        return None
    if isinstance(then, datetime):
        return max(0.0, (now - then).total_seconds() / 86400)
    return float((timezone.localdate(now) - then).days)


def measured(patient: Patient, kind: str) -> float | None:
    row = access.newest_measure(patient, kind)
    return row.value if row else None


def _age_of(patient: Patient, kind: str, now: datetime) -> float | None:
    row = access.newest_measure(patient, kind)
    days = _days(row.taken_at, now) if row else None
    return None if days is None else float(int(days))


def body(patient: Patient) -> tuple[float | None, float | None, float | None]:
    """Weight kg, height cm, BMI kg/m2; None where not measured."""
    weight, height = measured(patient, "weight"), measured(patient, "height")
    return weight, height, weight / (height / 100) ** 2 if weight and height else None


def current_medicines(patient: Patient, now: datetime) -> tuple[str, ...]:
    today = timezone.localdate(now)
    return tuple(m.name for m in patient.medicines.all() if m.stopped is None or m.stopped > today)


def candidate(patient: Patient, evaluation: Evaluation | None, now: datetime) -> Candidate:
    """What is known of a person, for the eligibility rules."""
    pregnancy = access.newest_measure(patient, "pregnancy")
    answers = dict(evaluation.answers) if evaluation else {}
    allergies = [a.substance for a in patient.allergies.all()]
    if any("ketamine" in a.lower() or "another ketamine" in classes_of(a) for a in allergies):
        answers["hypersensitivity"] = True
    if evaluation and "bipolar" in evaluation.indication:
        answers["bipolar"] = True
    medicines = current_medicines(patient, now)
    return Candidate(
        age=patient.age_on(timezone.localdate(now)),
        answers={code: yes for code, yes in answers.items() if isinstance(yes, bool)},
        indication=evaluation.indication if evaluation else "depression",
        trials=tuple(Trial(t.drug, t.weeks, t.adequate_dose, t.outcome) for t in patient.trials.all()),
        acute_suicidality=bool(evaluation and evaluation.acute_suicidality),
        sbp=measured(patient, "sbp"),
        dbp=measured(patient, "dbp"),
        hr=measured(patient, "hr"),
        bmi=body(patient)[2],
        cv_event_days=_days(evaluation.cv_event_on, now) if evaluation else None,
        can_be_pregnant=patient.can_be_pregnant,
        pregnancy_test_days=_age_of(patient, "pregnancy", now),
        pregnancy_test_positive=bool(pregnancy and pregnancy.positive),
        cleared_medically=bool(evaluation and evaluation.cleared_medically),
        ecg_days=_age_of(patient, "ecg", now),
        liver_days=_age_of(patient, "liver", now),
        kidney_days=_age_of(patient, "kidney", now),
        urine_days=_age_of(patient, "urine", now),
        thyroid_days=_age_of(patient, "thyroid", now),
        drug_screen_days=_age_of(patient, "drug screen", now),
        not_normal=tuple(
            row.get_kind_display() for kind in RESULTS if (row := access.newest_measure(patient, kind)) and row.positive
        ),
        suicide_risk=evaluation.suicide_risk if evaluation else "",
        female=patient.sex == "female",
        mood_stabiliser=any(stabilises_mood(m) for m in medicines),
    )


def judged(
    patient: Patient,
    evaluation: Evaluation | None,
    now: datetime,
    settings: Settings,
    drug: str = "ketamine",
    route: str = "iv",
) -> Verdict:
    """The eligibility verdict as of now, the interactions with current medicines included."""
    own = eligibility(candidate(patient, evaluation, now), settings)
    others = interactions(MedicineFacts(current_medicines(patient, now), drug, route), settings)
    found = tuple(sorted((*own.findings, *others), key=lambda f: (-f.severity, not f.blocks, f.rule)))
    if any(f.blocks for f in found):
        return Verdict(Outcome.EXCLUDED, found)
    if any(f.needs_signature for f in found):
        return Verdict(Outcome.CLINICIAN_DECIDES, found)
    return Verdict(Outcome.ELIGIBLE, found)


def subject_of(finding: Finding) -> str:
    """What a finding is about, so that a decision on one medicine or condition does not cover another."""
    numbers = dict(finding.numbers)
    return str(next((numbers[k] for k in ("medicine", "condition", "test") if k in numbers), ""))


def settled(finding: Finding, decisions: Iterable[tuple[str, Mapping[str, Any]]]) -> bool:
    """True when one of the decisions (subject, finding as it was then) still covers the finding as it is now."""
    subject = subject_of(finding)
    return any(subject == about and finding.covered_by(record) for about, record in decisions)


def undecided(findings: Iterable[Finding], decisions: Iterable[Decision]) -> list[Finding]:
    """The findings that ask for a signature and have none yet, or none on numbers like these."""
    made = [(d.subject, d.finding) for d in decisions]
    return [f for f in findings if f.needs_signature and not settled(f, made)]


def valid_decisions(patient: Patient, evaluation: Evaluation | None) -> list[Decision]:
    """The decisions on the person's findings that belong to the evaluation in force."""
    return list(Decision.objects.filter(patient=patient, evaluation=evaluation)) if evaluation else []


def signed_evaluation(patient: Patient) -> Evaluation | None:
    return patient.evaluations.filter(signed_at__isnull=False).first()


def course_dose_facts(course: Course, now: datetime, mg: float | None, first: bool = False) -> DoseFacts:
    """The facts of one dose of a course (mg as worked out)."""
    patient = course.patient
    weight, _, bmi = body(patient)
    weighed = [row.value for row in patient.measures.filter(kind="weight")[:2]]
    per_kg = "kg" in "".join(course.doses)
    evaluation = course.evaluation if course.evaluation_id else signed_evaluation(patient)  # a draft has none yet
    from regrow.clinic.models import Entry

    # Steps within one signed order are ordered; creep is a rise over the first dose of an earlier course.
    earlier = Entry.objects.filter(session__course__patient=patient, kind="start", session__course__drug=course.drug)
    earlier = earlier.exclude(session__course=course) if course.pk else earlier
    first_ever = earlier.order_by("measured_at").first()
    return DoseFacts(
        drug=course.drug,
        route=course.route,
        mg=mg or 0.0,
        weight=weight,
        duration_min=course.duration_min,
        use=course.use,
        weight_age_days=_age_of(patient, "weight", now),
        bmi=bmi if per_kg else None,
        basis=course.basis,
        basis_chosen=course.basis_chosen,
        first_mg=first_ever.payload["mg"] if first_ever else None,
        age=patient.age_on(timezone.localdate(now)),
        first_of_course=first,
        per_kg=per_kg,
        weight_before=weighed[1] if len(weighed) > 1 else None,
        pain_indication=bool(evaluation and evaluation.indication == "pain"),
    )


def maoi(patient: Patient, now: datetime) -> bool:
    return any("MAO inhibitor" in classes_of(m) for m in current_medicines(patient, now))


def text_of_session(session: Session) -> str:
    doses = session.course.doses
    return doses[min(session.number - 1, len(doses) - 1)]


def order_for(session: Session, now: datetime, settings: Settings) -> Order | None:
    """The order of one session worked out on the newest weight; None while no weight (or height it needs) is known."""
    from regrow.clinic.planning import mg_of

    course, patient = session.course, session.course.patient
    weight, height, _ = body(patient)
    text = text_of_session(session)
    if "kg" in text and (weight is None or (course.basis != "actual" and height is None)):
        return None
    mg = mg_of(
        text,
        course.drug,
        course.route,
        course.duration_min,
        weight or 70.0,
        height,
        patient.sex == "female",
        course.basis,
    )
    return order_of(
        course.drug, course.route, course.use, mg, course.duration_min, settings, maoi(patient, now), weight
    )


def state_of(session: Session, facts: list[Fact], now: datetime, settings: Settings) -> State:
    """The state of one session now."""
    doctor = bool(access.on_duty(session.chair.site))
    return state(facts, now, settings, order_for(session, now, settings), doctor=doctor)


def last_dose_before(patient: Patient, session: Session) -> datetime | None:
    """When this person last had the drug in an earlier session."""
    from regrow.clinic.models import Entry

    row = (
        Entry.objects.filter(session__course__patient=patient, kind="start")
        .exclude(session=session)
        .order_by("-measured_at")
        .first()
    )
    return row.measured_at if row else None


def schedule_facts(session: Session, now: datetime) -> ScheduleFacts:
    """The session's place in its series, counted in doses really given."""
    from regrow.clinic.models import Entry

    course = session.course
    last = last_dose_before(course.patient, session)
    starts = Entry.objects.filter(session__course__patient=course.patient, kind="start").exclude(session=session)
    week = starts.filter(measured_at__gt=now - timedelta(days=7)).count() + 1
    month = starts.filter(measured_at__gt=now - timedelta(days=28)).count() + 1
    days, place = course.days, session.number - 1
    own_gap = (days[place] - days[place - 1]) * 24 if 0 < place < len(days) else None
    inside = place < len(days)
    reached_week = sum(days[place] - 7 < d <= days[place] for d in days) if inside else 0
    reached_month = sum(days[place] - 28 < d <= days[place] for d in days) if inside else 0
    return ScheduleFacts(
        gap=(now - last).total_seconds() / 3600 if last else None,
        week_count=week,
        month_count=month,
        own_gap=own_gap,
        own_cadence=inside and week <= max(reached_week, 1) and month <= max(reached_month, 1),
        induction=inside,
    )


def consent_current(course: Course) -> bool:
    from regrow.clinic.consent import text_for

    text = text_for(course.drug, course.route)
    return any(c.text_hash == text.hash for c in course.consents.all())


def gate_facts(session: Session, s: State, now: datetime, settings: Settings) -> GateFacts:
    """The day's answers and the standing of the record, for the gate."""
    course, patient, g = session.course, session.course.patient, s.gate
    evaluation = signed_evaluation(patient)
    verdict = judged(patient, evaluation, now, settings, course.drug, course.route)
    pregnancy = access.newest_measure(patient, "pregnancy")
    open_ones = undecided(verdict.findings, valid_decisions(patient, evaluation))
    b = s.baseline
    medicines = current_medicines(patient, now)
    line = s.line_in.payload if s.line_in else {}
    urine = access.newest_measure(patient, "urine")
    since = urine.taken_at if urine else datetime(1970, 1, 1, tzinfo=now.tzinfo)
    from regrow.clinic.models import Entry

    sessions_since = Entry.objects.filter(session__course__patient=patient, kind="start", measured_at__gt=since).count()
    return GateFacts(
        drug=course.drug,
        route=course.route,
        evaluation_signed=evaluation is not None,
        consent_current=consent_current(course),
        excluded=any(f.blocks for f in verdict.findings),
        overrides_open=len(open_ones) + (0 if course.in_force else 1),
        identity_checked=g.get("identity_checked"),
        escort_name=str(g.get("escort_name", "")),
        solids_hours=g.get("solids_hours"),
        fluids_hours=g.get("fluids_hours"),
        nasal_hours=g.get("nasal_hours"),
        alcohol_hours=g.get("alcohol_hours"),
        benzo_hours=g.get("benzo_hours"),
        takes_benzo=any("benzodiazepine" in classes_of(m) for m in medicines),
        takes_long_benzo=any(long_acting(m) for m in medicines),
        intoxicated=g.get("intoxicated"),
        new_suicidal_ideation=g.get("new_suicidal_ideation"),
        medicines_changed=g.get("medicines_changed"),
        medicines_reviewed=bool(g.get("medicines_reviewed")),
        can_be_pregnant=patient.can_be_pregnant,
        pregnancy_test_days=_age_of(patient, "pregnancy", now),
        pregnancy_test_positive=bool(pregnancy and pregnancy.positive),
        new_bladder_symptoms=tuple(g["bladder"]) if g.get("bladder") is not None else None,
        bipolar=bool(evaluation and (evaluation.answers.get("bipolar") or "bipolar" in evaluation.indication)),
        mania_symptoms=g.get("mania_symptoms"),
        sbp=b.sbp if b else None,
        dbp=b.dbp if b else None,
        hr=b.hr if b else None,
        spo2=b.spo2 if b else None,
        temp=b.temp if b else None,
        rr=b.rr if b else None,
        moaas=b.moaas if b else None,
        symptoms=b.symptoms if b else (),
        answers_minutes=(now - g["at"]).total_seconds() / 60 if g.get("at") else None,
        baseline_minutes=(now - s.baseline_at).total_seconds() / 60 if s.baseline_at else None,
        pdmp_days=_days(patient.pdmp_checked, now),
        urine_days=_age_of(patient, "urine", now),
        urine_sessions=sessions_since,
        rems_enrolled=patient.rems_enrolled is not None and patient.rems_enrolled <= timezone.localdate(now),
        room_ready=g.get("room_ready"),
        age=patient.age_on(timezone.localdate(now)),
        line_site=str(line.get("site", "")),
        line_gauge=str(line.get("gauge", "")),
        line_patent=s.line_patent,
    )


def staff_facts(staff: Staff, s: State, chairs_of_nurse: int, site_on_duty: bool, now: datetime) -> StaffFacts:
    """The people at a start: who is on duty, who answers for the chair, whether the one who acts may."""
    return StaffFacts(
        prescriber_on_duty=site_on_duty,
        nurse_named=s.nurse_id is not None,
        nurse_chairs=chairs_of_nurse,
        licence_days=_until(staff.licence_until, now),
        life_support_days=_until(staff.life_support_until, now),
    )


def _until(day: Any, now: datetime) -> float | None:
    return None if day is None else float((day - timezone.localdate(now)).days)


def decided_in_session(findings: Iterable[Finding], s: State) -> tuple[list[Finding], list[Finding]]:
    """Findings that nobody may override, and findings that still want a prescriber's word in this session."""
    made = [(d.get("subject", ""), d.get("finding", {})) for d in s.decisions]
    findings = list(findings)
    blocking = [f for f in findings if f.clearance is Clearance.NEVER]
    open_ones = [f for f in findings if f.needs_signature and not settled(f, made)]
    return blocking, open_ones
