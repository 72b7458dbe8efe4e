"""A day at the demo clinic: people at every step of the way, so that a newcomer sees the whole of it in two minutes.

The one thing to know: everything here goes through the same actions as real work, at moments before now, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from regrow.catalog import protocols
from regrow.clinic import access, facts
from regrow.clinic.actions import Act, intake, plan, register
from regrow.clinic.actions import session as sessions
from regrow.clinic.consent import text_for
from regrow.clinic.models import Chair, Course, Lot, Patient, Session, Staff
from regrow.clinic.models.people import new_key
from regrow.clinic.planning import Slot, plan_of
from regrow.clinic.states import STATEFUL
from regrow.safety import CONDITIONS

GATE = {
    "identity_checked": "yes",
    "escort_name": "Ann Friend",
    "escort_phone": "555 0100",
    "solids_hours": 9,
    "fluids_hours": 3,
    "alcohol_hours": 90,
    "benzo_hours": 700,
    "nasal_hours": 700,
    "intoxicated": "no",
    "new_suicidal_ideation": "no",
    "medicines_changed": "no",
    "nothing_new": "yes",
    "mania_symptoms": "no",
    "room_ready": "yes",
}
LEAVE = {
    "oriented": "yes",
    "aldrete": "2,2,2,2,2",
    "walks": "yes",
    "nausea_controlled": "yes",
    "new_suicidal_ideation": "no",
    "crisis_card": "yes",
    "escort_present": "yes",
    "instructions_read_back": "yes",
    "no_driving_acknowledged": "yes",
    "belongings": "yes",
}


def vitals(sbp: float, dbp: float, hr: float, spo2: float = 98, **more: Any) -> dict[str, Any]:
    return {"sbp": sbp, "dbp": dbp, "hr": hr, "spo2": spo2, "rr": 14, "moaas": 5, "dissociation": 0, **more}


@dataclass(frozen=True)
class Person:
    """An invented person before a course: who they are and what their evaluation says."""

    name: str
    born: str
    sex: str
    weight: float
    height: float
    indication: str = "depression"
    summary: str = "Long depression, two medicines without enough effect. Invented for the demo."
    present: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    allergies: tuple[str, ...] = ()
    baseline: float = 19
    signed: bool = True
    rems: bool = False


@dataclass(frozen=True)
class Crew:
    """The people who act, and the clock they act by."""

    site: Any
    now: datetime

    def act(self, username: str, minutes_ago: float) -> Act:
        return Act(Staff.objects.get(user__username=username), self.now - timedelta(minutes=minutes_ago))


def person(crew: Crew, who: Person, minutes_ago: float) -> Patient:
    """The patient with chart and evaluation, signed where the description says so."""
    nurse, doctor = crew.act("diaz", minutes_ago), crew.act("lee", minutes_ago)
    today = timezone.localdate(nurse.now)
    values = {"name": who.name, "born": date.fromisoformat(who.born), "sex": who.sex, "contact": "demo"}
    values |= {"pdmp_checked": today, "rems_enrolled": today if who.rems else None}
    patient = intake.record_patient(nurse, new_key(), crew.site, values)
    taken = nurse.now - timedelta(minutes=5)
    measures = {"weight": who.weight, "height": who.height, "sbp": 124, "dbp": 78, "hr": 70, "urine": None, "ecg": None}
    for kind, value in measures.items():
        intake.add_to_chart(nurse, patient, "measure", {"kind": kind, "value": value, "taken_at": taken})
    for drug, weeks in (("sertraline", 8.0), ("venlafaxine", 10.0)):
        trial = {"drug": drug, "max_dose": "200 mg", "weeks": weeks, "adequate_dose": True, "outcome": "none"}
        intake.add_to_chart(nurse, patient, "trial", trial)
    for name in who.medicines:
        intake.add_to_chart(nurse, patient, "medicine", {"name": name})
    for substance in who.allergies:
        intake.add_to_chart(nurse, patient, "allergy", {"substance": substance, "reaction": "rash"})
    said = {
        "indication": who.indication,
        "icd10": "F33.2" if who.indication == "depression" else "",
        "summary": who.summary,
        "suicide_risk": "low",
        "cleared_medically": True,
        "baseline_score": who.baseline,
        "answers": {**dict.fromkeys(CONDITIONS, False), **dict.fromkeys(who.present, True)},
    }
    evaluation = intake.record_evaluation(nurse, patient, new_key(), said)
    if who.signed:
        intake.sign_evaluation(doctor, evaluation)
    return patient


def course(
    crew: Crew, patient: Patient, minutes_ago: float, protocol: str = "standard-2x3", dose: str = "", sign: bool = True
) -> Course:
    """A course from a protocol, with consent, signed where asked."""
    nurse, doctor = crew.act("diaz", minutes_ago), crew.act("lee", minutes_ago)
    order = plan_of(protocols.get(protocol), dose=dose)
    made = plan.record_course(nurse, patient, new_key(), order, "actual", False, "")
    if sign:
        plan.sign_course(doctor, made)
        plan.record_consent(nurse, made, patient.name, True, text_for(made.drug, made.route).hash)
    return made


def booked(crew: Crew, made: Course, chair: Chair, first_in_minutes: float, minutes_ago: float) -> list[Session]:
    """The series of a course in one chair, its first visit so many minutes from now."""
    start = crew.now + timedelta(minutes=first_in_minutes)
    slots = [Slot(n, day, "", start + timedelta(days=day), chair.pk) for n, day in enumerate(made.days, start=1)]
    return plan.book(crew.act("diaz", minutes_ago), made, slots)


def put(crew: Crew, session: Session, username: str, minutes_ago: float, kind: str, **payload: Any) -> None:
    """One entry of a session, made so many minutes ago."""
    seen = session.entries.filter(kind__in=STATEFUL).count()
    sent = sessions.Sent(new_key(), kind, payload, expect=seen)
    sessions.record(crew.act(username, minutes_ago), session, sent)


def begun(
    crew: Crew, session: Session, minutes_ago: float, nurse: str, before: Mapping[str, Any], **start: Any
) -> None:
    """A session begun so many minutes ago, by the whole way through the gate."""
    put(crew, session, nurse, minutes_ago + 14, "arrive")
    put(crew, session, nurse, minutes_ago + 14, "nurse")
    put(crew, session, nurse, minutes_ago + 10, "gate", **GATE)
    if session.course.route == "iv":
        put(
            crew,
            session,
            nurse,
            minutes_ago + 7,
            "line",
            what="placed",
            site="left forearm",
            gauge="22 G",
            patent="yes",
        )
    put(crew, session, nurse, minutes_ago + 4, "vitals", **before)
    at = crew.act(nurse, minutes_ago).now
    order = facts.order_for(session, at, access.settings_now())
    assert order is not None
    put(crew, session, nurse, minutes_ago, "start", read_back_mg=round(order.mg, 3), **start)


def accounted(crew: Crew, session: Session, lot: Lot, minutes_ago: float, lines: Iterable[tuple[str, float]]) -> None:
    """The register's lines of a session; waste is witnessed."""
    witness = Staff.objects.get(user__username="kim")
    for kind, mg in lines:
        seen = witness if kind == "wasted" else None
        register.move(crew.act("diaz", minutes_ago), lot, new_key(), kind, mg, session, seen)


def done(crew: Crew, session: Session, lot: Lot, minutes_ago: float) -> None:
    """A whole infusion of 40 min, begun so many minutes ago, closed and accounted for."""
    begun(crew, session, minutes_ago, "diaz", vitals(120, 76, 68), pump="2", bag_ml=100, vial=50)
    course_of = (
        (10, 128, 80, 1),
        (20, 136, 84, 3),
        (30, 141, 86, 5),
        (40, 138, 84, 4),
        (55, 128, 80, 1),
        (69, 122, 78, 0),
    )
    for minute, sbp, dbp, felt in course_of:
        if minute == 40:
            put(crew, session, "diaz", minutes_ago - minute, "stop", reason="end of the dose")
        put(crew, session, "diaz", minutes_ago - minute, "vitals", **vitals(sbp, dbp, 74, dissociation=felt))
    put(crew, session, "diaz", minutes_ago - 69, "line", what="removed")
    put(crew, session, "diaz", minutes_ago - 70, "check", **LEAVE)
    put(crew, session, "diaz", minutes_ago - 71, "discharge", destination="home")
    mg = next(e.payload["mg"] for e in session.entries.filter(kind="start"))
    accounted(crew, session, lot, minutes_ago - 72, (("drawn", 50.0), ("given", mg), ("wasted", 50.0 - mg)))
    put(crew, session, "diaz", minutes_ago - 73, "sign")


def a_day(site: Any, now: datetime, lot: Lot, devices: Lot) -> None:
    """Fills the demo: one infusion running, one spray being watched, one person at the gate, one series half done, and
    people at each step before."""
    crew = Crew(site, now)
    one, two, three = site.chairs.all()
    days = 24 * 60

    morgan = person(crew, Person("Morgan Story", "1985-02-14", "male", 78, 178), 8 * days)
    series = booked(crew, course(crew, morgan, 8 * days), one, -7 * days + 95, 8 * days)
    for session in series[:2]:
        done(crew, session, lot, (now - session.planned_at).total_seconds() / 60)

    desk = crew.act("front", 3 * days)
    asks = (
        ("Gray Invented", "phone, 555 0101", "depression for years", "", ""),
        (
            "Noel Fable",
            "noel@example.org",
            "asks about the nasal spray",
            "Dr Family",
            "Two medicines tried. Please see.",
        ),
    )
    for name, contact, concern, referrer, letter in asks:
        values = {"name": name, "contact": contact, "concern": concern, "consent_to_contact": True, "source": "web"}
        intake.record_enquiry(desk, new_key(), site, {**values, "referrer": referrer, "referral_note": letter})
    person(crew, Person("Harper Fiction", "1992-09-09", "female", 61, 165, signed=False), 2 * days)
    person(crew, Person("Indigo Madeup", "1960-01-20", "male", 90, 175, present=("aneurysm",)), 2 * days)
    jules = Person(
        "Jules Imaginary", "1975-06-30", "female", 66, 170, present=("bipolar",), medicines=("lorazepam 1 mg",)
    )
    person(crew, jules, 2 * days)
    kit = person(crew, Person("Kit Figment", "1983-12-05", "male", 84, 183), days)
    course(crew, kit, days, dose="1.1 mg/kg")

    avery = person(crew, Person("Avery Demo", "1971-03-04", "female", 68, 168, allergies=("penicillin",)), 90)
    charlie = person(crew, Person("Charlie Sample", "1988-11-12", "male", 82, 181, rems=True), 90)
    ellis = person(crew, Person("Ellis Pretend", "1979-07-01", "female", 74, 172, medicines=("metoprolol 50 mg",)), 90)
    first = booked(crew, course(crew, avery, 80), one, -12, 75)[0]
    spray = booked(crew, course(crew, charlie, 80, "esketamine-us"), two, -46, 75)[0]
    gate = booked(crew, course(crew, ellis, 80), three, 5, 75)[0]

    begun(crew, spray, 46, "kim", vitals(128, 82, 72))
    put(crew, spray, "kim", 41, "dose")
    for minute, sbp, dbp, felt in ((15, 136, 86, 3), (30, 147, 90, 5), (40, 152, 92, 4)):
        put(
            crew,
            spray,
            "kim",
            46 - minute,
            "vitals",
            **vitals(sbp, dbp, 80, dissociation=felt, moaas=4 if minute == 30 else 5),
        )
    put(crew, spray, "kim", 14, "chip", what="dizziness")
    accounted(crew, spray, devices, 5, (("drawn", 56.0), ("given", 56.0)))
    accounted(crew, first, lot, 20, (("drawn", 50.0),))
    begun(crew, first, 12, "diaz", vitals(122, 78, 70), pump="1", bag_ml=100, vial=50)
    put(crew, first, "diaz", 2, "vitals", **vitals(139, 86, 78, dissociation=2))
    put(crew, first, "diaz", 1, "chip", what="nausea")
    put(crew, gate, "diaz", 4, "arrive")
