"""A demo clinic: invented people on a database of their own, marked on every page.

The one thing to know: a data folder is a demo from its first file on, or never. `serve --demo` refuses any other.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from regrow.clinic.config import FILE
from regrow.refusal import Refusal

TOML = 'name = "Demo clinic"\ndemo = true\nrequire_mfa = false\n'
ROLES = ("prescriber", "nurse", "front desk", "reader", "administrator")
STAFF = (
    ("lee", "prescriber", "Dr Lee"),
    ("ruiz", "prescriber", "Dr Ruiz"),
    ("diaz", "nurse", "R. Diaz"),
    ("kim", "nurse", "J. Kim"),
    ("front", "front desk", "P. Front"),
    ("reader", "reader", "R. Eader"),
    ("admin", "administrator", "A. Admin"),
)
PEOPLE = (
    ("Avery Demo", "1971-03-04", "female", 68, 168),
    ("Charlie Sample", "1988-11-12", "male", 82, 181),
    ("Ellis Pretend", "1979-07-01", "female", 74, 172),
)


def prepare(folder: Path) -> None:
    """Makes a new folder a demo; refuses one that holds another clinic."""
    path = folder / FILE
    if path.exists():
        from regrow.clinic.config import read_config

        if not read_config(folder).demo:
            raise Refusal(
                "NOT-A-DEMO",
                f"data: {folder} holds a clinic that is no demo; give --data another folder.",
                field="data",
                value=str(folder),
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise Refusal(
            "NOT-A-DEMO",
            f"data: {folder} is not empty and no demo; give --data a new folder.",
            field="data",
            value=str(folder),
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(TOML)


def seed(now: datetime) -> None:
    """The invented site, chairs, staff and people; nothing when they are there already."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import make_password
    from django.db import transaction

    from regrow.clinic.models import Chair, Site, Staff

    if Site.objects.exists():
        return
    with transaction.atomic():
        site = Site.objects.create(name="Demo site")
        for number in (1, 2, 3):
            Chair.objects.create(site=site, name=f"Chair {number}")
        pin = make_password("246802")
        for username, role, name in STAFF:
            user = get_user_model().objects.create(username=username, password=make_password(None))
            row = Staff.objects.create(
                user=user,
                role=role,
                name=name,
                licence_until=date(2099, 12, 31),
                life_support_until=date(2099, 12, 31),
                pin=pin,
            )
            row.sites.add(site)
        _people(site, now)


def _people(site: Any, now: datetime) -> None:
    """Three people with signed evaluations and courses, each booked in a chair soon; drug in the safe."""
    from regrow.clinic.actions import Act, register
    from regrow.clinic.actions import staff as staff_actions
    from regrow.clinic.models import Staff
    from regrow.clinic.models.people import new_key

    doctor = Act(Staff.objects.get(user__username="lee"), now)
    nurse = Act(Staff.objects.get(user__username="diaz"), now)
    staff_actions.go_on_duty(doctor, site, True)
    vials = {"drug": "ketamine", "number": "DEMO-1", "strength": 50.0, "expires": date(2099, 1, 1)}
    lot = register.record_lot(nurse, site, vials)
    register.move(nurse, lot, new_key(), "received", 5000.0)
    for place, (name, born, sex, weight, height) in enumerate(PEOPLE):
        begin = now + timedelta(minutes=15 * place)
        chair = list(site.chairs.all())[place]
        add_person(doctor, nurse, chair, begin, name, date.fromisoformat(born), sex, weight, height)


def add_person(
    doctor: Any, nurse: Any, chair: Any, begin: datetime, name: str, born: date, sex: str, weight: float, height: float
) -> Any:
    """The course of a new invented person: evaluated, planned, consented, its series booked in a chair from `begin`."""
    from django.utils import timezone

    from regrow.catalog import protocols
    from regrow.clinic.actions import intake, plan
    from regrow.clinic.consent import text_for
    from regrow.clinic.models.people import new_key
    from regrow.clinic.planning import Slot, plan_of
    from regrow.safety import CONDITIONS

    today = timezone.localdate(nurse.now)
    values = {"name": name, "born": born, "sex": sex, "contact": "demo", "pdmp_checked": today}
    person = intake.record_patient(nurse, new_key(), chair.site, values)
    taken = nurse.now - timedelta(minutes=30)
    for kind, value in (
        ("weight", weight),
        ("height", height),
        ("sbp", 122),
        ("dbp", 78),
        ("hr", 70),
        ("urine", None),
        ("ecg", None),
    ):
        intake.add_to_chart(nurse, person, "measure", {"kind": kind, "value": value, "taken_at": taken})
    for drug in ("sertraline", "venlafaxine"):
        trial = {"drug": drug, "max_dose": "200 mg", "weeks": 8.0, "adequate_dose": True, "outcome": "none"}
        intake.add_to_chart(nurse, person, "trial", trial)
    said = {
        "indication": "depression",
        "summary": "Invented for the demo.",
        "suicide_risk": "low",
        "cleared_medically": True,
        "baseline_score": 19.0,
        "answers": dict.fromkeys(CONDITIONS, False),
    }
    evaluation = intake.record_evaluation(nurse, person, new_key(), said)
    intake.sign_evaluation(doctor, evaluation)
    order = plan_of(protocols.get("standard-2x3"))
    course = plan.record_course(nurse, person, new_key(), order, "actual", False)
    plan.sign_course(doctor, course)
    plan.record_consent(nurse, course, name, True, text_for(course.drug, course.route).hash)
    slots = [Slot(i + 1, d, order.phases[i], begin + timedelta(days=d), chair.pk) for i, d in enumerate(order.days)]
    plan.book(nurse, course, slots)
    return course


def links(now: datetime) -> list[tuple[str, str]]:
    """A fresh one-time token for the first person of each role: (role, token)."""
    from regrow.clinic.actions.staff import new_link
    from regrow.clinic.models import Staff

    found = []
    for role in ROLES:
        person = Staff.objects.filter(role=role, active=True).order_by("pk").first()
        if person is not None:
            found.append((role.replace(" ", "-"), new_link(person.user, now)))
    return found
