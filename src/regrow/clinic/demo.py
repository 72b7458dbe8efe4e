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
DAY = True  # False: staff, chairs and the safe alone, for tests that bring their own people


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
    """A prescriber on duty, drug in the safe, and a day's people."""
    from regrow.clinic.actions import Act, register
    from regrow.clinic.actions import staff as staff_actions
    from regrow.clinic.models import Staff
    from regrow.clinic.models.people import new_key

    opened = now - timedelta(days=9)
    doctor = Act(Staff.objects.get(user__username="lee"), now - timedelta(hours=2))
    nurse = Act(Staff.objects.get(user__username="diaz"), opened)
    staff_actions.go_on_duty(doctor, site, True)
    vials = {"drug": "ketamine", "number": "DEMO-1", "strength": 50.0, "expires": date(2099, 1, 1)}
    lot = register.record_lot(nurse, site, vials)
    register.move(nurse, lot, new_key(), "received", 5000.0)
    sprays = {"drug": "esketamine", "number": "DEMO-2", "strength": 0.0, "expires": date(2099, 1, 1)}
    devices = register.record_lot(nurse, site, sprays)
    register.move(nurse, devices, new_key(), "received", 840.0)
    if DAY:
        from regrow.clinic.demo_day import a_day

        a_day(site, now, lot, devices)


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
