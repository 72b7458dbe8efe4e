"""The cast: a nurse, two doctors, a reader, the front desk, the administrator, and a stranger of another site."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

_folder = Path(tempfile.mkdtemp(prefix="regrow-clinic-"))
(_folder / "clinic.toml").write_text(
    'name = "Test clinic"\nrequire_mfa = false\nidle_minutes = 10000000\nhosts = ["testserver", "localhost"]\n'
)
os.environ["REGROW_DATA"] = str(_folder)
os.environ["DJANGO_SETTINGS_MODULE"] = "regrow.clinic.settings"

import django  # noqa: E402

django.setup()

import pytest  # noqa: E402
import time_machine  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.test import Client  # noqa: E402

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PIN = "135790"


@dataclass
class Cast:
    """Everyone in the test and the clock they live by."""

    clock: Any
    site: Any
    other_site: Any
    chairs: list[Any]
    clients: dict[str, Client]
    staff: dict[str, Any]
    count: int = 0
    people: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Client:
        return self.clients[name]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, minutes: float) -> None:
        self.go_to(self.now() + timedelta(minutes=minutes))

    def go_to(self, moment: datetime) -> None:
        far = moment - self.now() > timedelta(hours=6)
        self.clock.move_to(moment)
        if far:  # a night has passed: everyone signs in again
            for name, row in self.staff.items():
                self.clients[name].force_login(row.user)

    def key(self) -> str:
        self.count += 1
        return f"{self.count:024x}"

    def entry(
        self, who: str, session: Any, kind: str, status: int = 201, key: str = "", **payload: Any
    ) -> dict[str, Any]:
        """Sends one entry as JSON and returns the answer; asserts its status."""
        body: dict[str, Any] = {"kind": kind, "key": key or self.key(), "payload": payload}
        if "expect" in payload:
            body["expect"] = payload.pop("expect")
        elif kind in ("start", "rate", "pause", "resume", "discharge", "sign", "cancel"):
            body["expect"] = self.version(session)
        answer = self[who].post(
            f"/sessions/{session.key}/entries",
            body,
            content_type="application/json",
            headers={"accept": "application/json"},
        )
        said = answer.json() if answer.headers["Content-Type"].startswith("application/json") else {}
        assert answer.status_code == status, (kind, answer.status_code, said)
        return said

    def version(self, session: Any) -> int:
        from regrow.clinic.states import STATEFUL

        return session.entries.filter(kind__in=STATEFUL).count()


def _person(username: str, role: str, name: str, site: Any) -> Any:
    from regrow.clinic.models import Staff

    user = get_user_model().objects.create(username=username, password=make_password(None))
    row = Staff.objects.create(
        user=user,
        role=role,
        name=name,
        licence_until=date(2099, 1, 1),
        life_support_until=date(2099, 1, 1),
        pin=make_password(PIN, hasher="md5"),
    )
    row.sites.add(site)
    return row


@pytest.fixture
def cast(db, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    from regrow.clinic.models import Chair, Site

    with time_machine.travel(MONDAY, tick=False) as clock:
        site, other = Site.objects.create(name="Main"), Site.objects.create(name="Elsewhere")
        chairs = [Chair.objects.create(site=site, name=f"Chair {n}") for n in (1, 2, 3)]
        staff = {
            "doctor": _person("doctor", "prescriber", "Dr Lee", site),
            "second": _person("second", "prescriber", "Dr Ruiz", site),
            "nurse": _person("nurse", "nurse", "Nurse Diaz", site),
            "colleague": _person("colleague", "nurse", "Nurse Kim", site),
            "desk": _person("desk", "front desk", "Pat Front", site),
            "reader": _person("reader", "reader", "Rea Reader", site),
            "administrator": _person("administrator", "administrator", "Ada Min", site),
            "stranger": _person("stranger", "prescriber", "Dr Stranger", other),
        }
        clients = {"nobody": Client()}
        for name, row in staff.items():
            clients[name] = Client()
            clients[name].force_login(row.user)
        yield Cast(clock, site, other, chairs, clients, staff)


CALM = {"sbp": 122, "dbp": 78, "hr": 72, "spo2": 98, "rr": 14, "moaas": 5, "dissociation": 0}
GATE = {
    "identity_checked": "yes",
    "escort_name": "Ann Friend",
    "solids_hours": 8,
    "fluids_hours": 4,
    "alcohol_hours": 200,
    "benzo_hours": 200,
    "nasal_hours": 200,
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
}


def new_patient(cast: Cast, name: str = "Robin Example", indication: str = "depression", **values: Any) -> Any:
    """A healthy person with a signed evaluation, through HTTP."""
    from regrow.clinic.models import Patient
    from regrow.safety import CONDITIONS

    key = cast.key()
    form = {
        "key": key,
        "site": cast.site.pk,
        "name": name,
        "born": "1980-05-05",
        "sex": "female",
        "contact": "555",
        "pdmp_checked": "2026-11-20",
        "rems_enrolled": "2026-11-01",
        **values,
    }
    assert cast["desk"].post("/patients/new", form).status_code == 302
    patient = Patient.objects.get(key=key)
    today = "2026-11-23T08:30"
    for kind, value in (("weight", 80), ("height", 175), ("sbp", 122), ("dbp", 78), ("hr", 72), ("urine", "")):
        sent = {"kind": kind, "value": value, "taken_at": today}
        assert cast["nurse"].post(f"/patients/{key}/chart/measure", sent).status_code == 302
    for drug in ("sertraline", "venlafaxine"):
        sent = {"drug": drug, "max_dose": "200 mg", "weeks": 8, "adequate_dose": "on", "outcome": "none"}
        assert cast["nurse"].post(f"/patients/{key}/chart/trial", sent).status_code == 302
    which = cast.key()
    sent = {
        "key": which,
        "indication": indication,
        "summary": "Long depression.",
        "suicide_risk": "low",
        "cleared_medically": "on",
        "target_scale": "PHQ-9",
        "response_target": "half",
        "stop_rule": "six",
        **{f"c_{code}": "no" for code in CONDITIONS},
    }
    assert cast["nurse"].post(f"/patients/{key}/evaluation", sent).status_code == 302
    assert cast["doctor"].post(f"/patients/{key}/evaluation/{which}", {**sent, "sign": "yes"}).status_code == 302
    return patient


def new_course(cast: Cast, patient: Any, protocol: str = "standard-2x3", **values: Any) -> Any:
    """A signed course with consent and its series booked from an hour from now, through HTTP."""
    from django.utils import timezone

    from regrow.clinic.models import Course

    key = cast.key()
    sent = {"key": key, "protocol": protocol, "basis": "actual", **values}
    answer = cast["nurse"].post(f"/patients/{patient.key}/course", sent)
    assert answer.status_code == 302, answer.context["problem"]
    answer = cast["doctor"].post(f"/courses/{key}/sign")
    assert answer.status_code == 302, answer.context["problem"]
    course = Course.objects.get(key=key)
    if course.needs_second:
        assert cast["second"].post(f"/courses/{key}/second").status_code == 302
    from regrow.clinic.consent import text_for

    text = text_for(course.drug, course.route).hash
    sent = {"signed_name": patient.name, "capacity": "on", "text": text}
    assert cast["nurse"].post(f"/courses/{key}/consent", sent).status_code == 302
    start = timezone.localtime(cast.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    answer = cast["desk"].post(f"/courses/{key}/book", {"start": start})
    assert answer.status_code == 302, answer.content
    return Course.objects.get(key=key)


def new_lot(cast: Cast, drug: str = "ketamine", mg: float = 100000) -> Any:
    from regrow.clinic.models import Lot

    sent = {
        "site": cast.site.pk,
        "drug": drug,
        "number": f"L-{drug}",
        "strength": "50" if drug == "ketamine" else "0",
        "expires": "2030-01-01",
    }
    assert cast["nurse"].post("/register/lots", sent).status_code == 302
    lot = Lot.objects.get(number=f"L-{drug}")
    sent = {"key": cast.key(), "kind": "received", "mg": mg}
    assert cast["nurse"].post(f"/register/{lot.key}", sent).status_code == 302
    return lot


def to_the_gate(cast: Cast, session: Any) -> None:
    """The person is here, a nurse answers, the questions are asked, the baseline is taken, a doctor is there."""
    cast["doctor"].post("/duty", {"site": cast.site.pk, "on": "yes"})
    cast.entry("nurse", session, "arrive")
    cast.entry("nurse", session, "nurse")
    cast.entry("nurse", session, "gate", **GATE)
    if session.course.route == "iv":
        cast.entry("nurse", session, "line", what="placed", site="left forearm", gauge="22 G", patent="yes")
    cast.entry("nurse", session, "vitals", **CALM)


def begin(cast: Cast, session: Any) -> float:
    """The session begun; returns the mg ordered."""
    to_the_gate(cast, session)
    from regrow.clinic import access, facts

    order = facts.order_for(session, cast.now(), access.settings_now())
    assert order is not None
    cast.entry("nurse", session, "start", read_back_mg=round(order.mg, 3))
    return order.mg


@pytest.fixture
def running(cast):
    """A session of 40 mg in 40 minutes, just begun."""
    patient = new_patient(cast)
    course = new_course(cast, patient)
    session = course.sessions.get(number=1)
    cast.go_to(session.planned_at)
    begin(cast, session)
    return session
