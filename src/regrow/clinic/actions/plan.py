"""Writes of a course: the order, its signatures, consent, the series of sessions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from regrow.clinic import access, facts
from regrow.clinic.actions import Act, action
from regrow.clinic.actions.intake import _entitled, _new_key
from regrow.clinic.consent import text_for
from regrow.clinic.models import Chair, Consent, Course, Patient, Session
from regrow.clinic.planning import Plan, Slot, block_minutes, mg_of
from regrow.refusal import Refusal
from regrow.safety import Clearance, Finding, dose_findings, rounds


def plan_findings(course: Course, now: datetime) -> tuple[Finding, ...]:
    """Every finding on the doses of a course as of now: of each kind the one on the largest dose."""
    settings = access.settings_now()
    weight, height, _ = facts.body(course.patient)
    female = course.patient.sex == "female"
    seen: dict[tuple[str, str], Finding] = {}
    for place, text in enumerate(dict.fromkeys(course.doses)):
        mg = None
        if weight is not None or "kg" not in text:
            mg = mg_of(
                text, course.drug, course.route, course.duration_min, weight or 70.0, height, female, course.basis
            )
        for f in dose_findings(facts.course_dose_facts(course, now, mg, first=place == 0), settings):
            key = (f.rule, f.clearance.value)
            if key not in seen or _amount(f) > _amount(seen[key]):
                seen[key] = f
    return tuple(sorted(seen.values(), key=lambda f: (-f.severity, not f.blocks, f.rule)))


def _amount(finding: Finding) -> float:
    numbers = dict(finding.numbers)
    return next((float(numbers[k]) for k in ("mg_per_kg", "rate", "mg") if numbers.get(k) is not None), 0.0)


def drafted(plan: Plan, patient: Patient, basis: str, basis_chosen: bool) -> Course:
    """The course a plan would be, not kept."""
    return Course(
        patient=patient,
        protocol=plan.protocol,
        drug=plan.drug,
        route=plan.route,
        use=plan.use,
        doses=list(plan.doses),
        duration_min=plan.duration_min if plan.route == "iv" else 0,
        basis=basis,
        basis_chosen=basis_chosen,
        days=list(plan.days),
    )


def findings_of(plan: Plan, patient: Patient, basis: str, basis_chosen: bool, now: datetime) -> tuple[Finding, ...]:
    """Every finding on the doses of a plan before it is kept."""
    return plan_findings(drafted(plan, patient, basis, basis_chosen), now)


@action("chart.write")
def record_course(
    act: Act, patient: Patient, key: str, plan: Plan, basis: str, basis_chosen: bool, note: str = ""
) -> Course:
    """The course as a draft order; refuses without a signed evaluation."""
    if twice := _new_key(Course, key):
        return access.course(act.staff, twice.key)
    evaluation = facts.signed_evaluation(patient)
    if evaluation is None:
        raise Refusal(
            "R-GA-01",
            "evaluation: none is signed by a prescriber; sign one before a course is planned.",
            field="evaluation",
        )
    course = drafted(plan, patient, basis, basis_chosen)
    course.key, course.evaluation, course.note, course.created_at = key, evaluation, note, act.now
    course.settings_version = access.settings_now().version
    course.save()
    course.findings = [f.record() for f in plan_findings(course, act.now)]
    course.save()
    act.log("write course", course, patient)
    return course


@action("plan.sign")
def sign_course(act: Act, course: Course) -> Course:
    """The course with the first signature; refuses an open or excluding finding, each named."""
    if course.signed_at:
        return course
    _entitled(act)
    settings = access.settings_now()
    patient = course.patient
    evaluation = facts.signed_evaluation(patient)
    verdict = facts.judged(patient, evaluation, act.now, settings, course.drug, course.route)
    found = plan_findings(course, act.now)
    blocking = [f for f in (*verdict.findings, *found) if f.blocks]
    if blocking:
        raise Refusal(blocking[0].rule, f"{blocking[0].sentence} The course cannot be signed.", field="course")
    decisions = facts.valid_decisions(patient, evaluation)
    asks = [f for f in (*verdict.findings, *found) if f.clearance is Clearance.PRESCRIBER]
    left = facts.undecided(asks, decisions)
    if left:
        raise Refusal(
            "DECISION-OPEN",
            f"{left[0].rule}: {left[0].sentence} Decide on it before signing ({len(left)} open).",
            field="course",
        )
    course.findings = [f.record() for f in found]
    course.settings_version = settings.version
    course.signed_by, course.signed_at = act.staff, act.now
    course.save()
    act.log("sign course", course, patient)
    return course


@action("plan.sign")
def second_sign(act: Act, course: Course) -> Course:
    """The course with the second signature; refuses the first signer."""
    _entitled(act)
    if not course.signed_at:
        raise Refusal("FIRST-SIGNATURE", "course: the first signature is missing; sign it first.", field="course")
    if course.signed_by_id == act.staff.pk:
        raise Refusal("SECOND-SIGNATURE", "course: the second signature must be another prescriber's.", field="course")
    if not course.second_at:
        course.second_by, course.second_at = act.staff, act.now
        course.save()
        act.log("second signature course", course, course.patient)
    return course


@action("plan.sign")
def end_course(act: Act, course: Course, reason: str) -> Course:
    """The course, ended with a reason; its sessions not yet begun are cancelled."""
    if len(reason.strip()) < 5:
        raise Refusal("REASON-MISSING", "course: write why it ends.", field="reason")
    if course.ended_at is None:
        course.ended_at, course.ended_reason = act.now, reason.strip()[:200]
        course.save()
        for session in course.sessions.filter(cancelled_at=None, closed_at=None).exclude(entries__kind="start"):
            session.cancelled_at = act.now
            session.save()
        act.log("end course", course, course.patient)
    return course


@action("consent.write")
def record_consent(act: Act, course: Course, signed_name: str, capacity: bool, text_hash: str) -> Consent:
    """A consent to the text that was shown; refuses another text, no capacity, another name than the person's."""
    text = text_for(course.drug, course.route)
    if text_hash != text.hash:
        raise Refusal("CONSENT-TEXT", "consent: the text changed since it was shown; read it again.", field="text")
    if not capacity:
        raise Refusal("CONSENT-CAPACITY", "consent: capacity to consent must be judged present.", field="capacity")
    if signed_name.split() != course.patient.name.split():
        raise Refusal(
            "CONSENT-NAME",
            f"consent: signed {signed_name!r}, the patient is {course.patient.name!r}; "
            "the person writes their own full name.",
            field="signed_name",
            value=signed_name,
        )
    row = Consent.objects.create(
        course=course,
        text_version=text.version,
        text_hash=text.hash,
        signed_name=signed_name,
        capacity=capacity,
        at=act.now,
        by=act.staff,
    )
    act.log("sign consent", row, course.patient)
    return row


def block_of(course: Course) -> float:
    """Minutes a chair is taken by one session of the course."""
    watch = rounds(course.drug, course.route, course.use, access.settings_now())
    return block_minutes(course.duration_min, watch.observe, watch.from_end)


def taken(chairs: list[Chair], since: datetime, until: datetime) -> list[tuple[int, datetime, datetime]]:
    """What is booked on the chairs: chair, from, to."""
    rows = Session.objects.filter(
        chair__in=chairs,
        cancelled_at=None,
        planned_at__gt=since - timedelta(days=1),
        planned_at__lt=until + timedelta(days=1),
    )
    return [(s.chair_id, s.planned_at, s.planned_at + timedelta(minutes=s.block_min)) for s in rows]


@action("booking.write")
def book(act: Act, course: Course, slots: list[Slot]) -> list[Session]:
    """The sessions of a series, all or none; refuses an unsigned course and a chair that is taken meanwhile."""
    if not course.in_force:
        raise Refusal("COURSE-UNSIGNED", "course: it is not fully signed; book after the signatures.", field="course")
    chairs = list(Chair.objects.filter(site=course.patient.site))
    block = block_of(course)
    now_taken = taken(chairs, min(s.at for s in slots), max(s.at for s in slots))
    made: list[Session] = []
    for slot in slots:
        there = course.sessions.filter(number=slot.number).first()
        if there is not None:
            made.append(there)
            continue
        until = slot.at + timedelta(minutes=block)
        clash = [c for c, begin, end in now_taken if c == slot.chair and begin < until and slot.at < end]
        if slot.chair is None or clash:
            raise Refusal(
                "BOOKING-CLASH",
                f"session {slot.number} on {slot.at:%Y-%m-%d %H:%M}: no free chair; choose another time.",
                field="start",
            )
        row = Session.objects.create(
            course=course,
            number=slot.number,
            phase=slot.phase,
            chair_id=slot.chair,
            planned_at=slot.at,
            block_min=block,
        )
        now_taken.append((slot.chair, slot.at, until))
        act.log("book session", row, course.patient)
        made.append(row)
    return made


@action("booking.write")
def change_booking(act: Act, session: Session, values: dict[str, Any]) -> Session:
    """A session moved to another time or chair, or cancelled; refuses one that has begun."""
    if session.entries.filter(kind="start").exists():
        raise Refusal(
            "SESSION-BEGUN", "session: the drug has begun; it cannot be moved or cancelled here.", field="session"
        )
    if values.get("cancel"):
        session.cancelled_at = act.now
    else:
        chair, at = values["chair"], values["planned_at"]
        until = at + timedelta(minutes=session.block_min)
        others = taken([chair], at, until)
        mine = (session.chair_id, session.planned_at, session.planned_at + timedelta(minutes=session.block_min))
        if any(begin < until and at < end for c, begin, end in others if (c, begin, end) != mine):
            raise Refusal(
                "BOOKING-CLASH",
                f"{chair.name} is taken at {at:%H:%M}; choose another chair or time.",
                field="planned_at",
            )
        session.chair, session.planned_at = chair, at
    session.save()
    act.log("change booking", session, session.course.patient)
    return session
