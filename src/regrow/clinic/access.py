"""Every read of the database for a person: scoped to their sites, allowed by role, logged.

The one thing to know: what a person may not see does not exist for them (404), so guessing an address
tells nothing.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone

from regrow.clinic import chain
from regrow.clinic.models import (
    ChainHead,
    Chair,
    Course,
    Duty,
    Enquiry,
    Entry,
    Evaluation,
    LogRow,
    Lot,
    Measure,
    Patient,
    Session,
    SettingChange,
    Site,
    Staff,
)
from regrow.clinic.roles import may
from regrow.clinic.states import Fact
from regrow.safety import Settings

DUTY_LASTS = timedelta(hours=14)  # a word "on duty" counts this long (assumed)


def require(staff: Staff, action: str) -> None:
    """Raises PermissionDenied unless the person is active and their role allows the action."""
    if not staff.active or not may(staff.role, action):
        raise PermissionDenied(f"{staff.role} may not {action}")


def staff_of(user: Any) -> Staff | None:
    """The active staff record of a signed-in user, or None."""
    if not getattr(user, "is_authenticated", False):
        return None
    return Staff.objects.filter(user=user, active=True).first()


def _number(said: Any) -> int:
    """A row's number as an address or a form says it; 0, which no row has, for anything else."""
    text = str(said)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def sites(staff: Staff) -> QuerySet[Site]:
    return staff.sites.order_by("id")


def _one(rows: QuerySet[Any], **which: Any) -> Any:
    found = rows.filter(**which).first()
    if found is None:
        raise Http404
    return found


def site(staff: Staff, pk: Any) -> Site:
    return _one(sites(staff), pk=_number(pk))


def chair(staff: Staff, pk: Any) -> Chair:
    return _one(Chair.objects.filter(site__in=sites(staff)), pk=_number(pk))


def chairs(staff: Staff) -> QuerySet[Chair]:
    return Chair.objects.filter(site__in=sites(staff)).select_related("site")


def saw(staff: Staff, now: datetime, what: str, patient: Patient | None = None) -> None:
    """Notes in the log that a person read something."""
    chain.log(staff.user.username, f"read {what}", now, patient.key if patient else "")


def enquiries(staff: Staff) -> QuerySet[Enquiry]:
    require(staff, "people.read")
    return Enquiry.objects.filter(site__in=sites(staff), patient=None)


def enquiry(staff: Staff, key: str) -> Enquiry:
    require(staff, "people.read")
    return _one(Enquiry.objects.filter(site__in=sites(staff)), key=key)


def patients(staff: Staff, search: str = "") -> QuerySet[Patient]:
    require(staff, "people.read")
    rows = Patient.objects.filter(site__in=sites(staff))
    return rows.filter(name__icontains=search) if search else rows


def patient(staff: Staff, key: str, now: datetime, action: str = "people.read", what: str = "patient") -> Patient:
    """One patient of the person's sites; the read is logged."""
    require(staff, action)
    found = _one(Patient.objects.filter(site__in=sites(staff)), key=key)
    saw(staff, now, what, found)
    return found


def evaluation(staff: Staff, key: str, action: str = "chart.read") -> Evaluation:
    require(staff, action)
    return _one(Evaluation.objects.filter(patient__site__in=sites(staff)).select_related("patient"), key=key)


def course(staff: Staff, key: str, action: str = "chart.read") -> Course:
    require(staff, action)
    rows = Course.objects.filter(patient__site__in=sites(staff))
    return _one(rows.select_related("patient", "evaluation", "signed_by", "second_by"), key=key)


def session(staff: Staff, key: str, action: str = "chart.read") -> Session:
    require(staff, action)
    return _one(_sessions().filter(course__patient__site__in=sites(staff)), key=key)


def _sessions() -> QuerySet[Session]:
    return Session.objects.select_related(
        "course__patient__site", "course__evaluation", "chair__site"
    ).prefetch_related("course__patient__allergies")


def sessions_of(course: Course) -> QuerySet[Session]:
    return course.sessions.select_related("chair").order_by("number")


def open_sessions(site_ids: list[int], now: datetime) -> list[Session]:
    """Sessions the board shows: booked within half a day of now, or begun and not yet closed; not cancelled."""
    near = _sessions().filter(chair__site_id__in=site_ids, cancelled_at=None, closed_at=None)
    begun = near.filter(entries__kind="arrive").distinct()
    booked = near.filter(planned_at__gt=now - timedelta(hours=12), planned_at__lt=now + timedelta(hours=12))
    rows = {s.pk: s for s in (*begun, *booked)}
    return sorted(rows.values(), key=lambda s: (s.planned_at, s.pk))


def booked(staff: Staff, site: Site, first: date, last: date) -> list[Session]:
    """The sessions of a site planned from one day to another, both included; cancelled ones left out."""
    require(staff, "people.read")
    rows = _sessions().filter(chair__site=site, cancelled_at=None, planned_at__date__range=(first, last))
    return list(rows.order_by("planned_at", "chair_id"))


def rems_due(staff: Staff, site: Site) -> list[Session]:
    """The esketamine sessions of a site that are closed and whose monitoring form is not recorded as sent."""
    require(staff, "board.read")
    closed = _sessions().filter(chair__site=site, course__drug="esketamine", course__route="intranasal")
    sent = Entry.objects.filter(kind="rems", payload__sent=True).values("session")
    return list(closed.filter(entries__kind="discharge").exclude(pk__in=sent).distinct().order_by("planned_at"))


def session_before(session: Session) -> Session | None:
    """The last session in which this person had the drug before this one; None where there was none."""
    begun = Entry.objects.filter(session__course__patient_id=session.course.patient_id, kind="start")
    last = begun.exclude(session=session).select_related("session__course__patient").order_by("measured_at").last()
    return last.session if last else None


def facts_of(sessions: list[Session]) -> dict[int, list[Fact]]:
    """The entries of each session as facts, by session, one query for all."""
    held: dict[int, list[Fact]] = {s.pk: [] for s in sessions}
    for e in Entry.objects.filter(session__in=sessions).select_related("author").order_by("id"):
        held[e.session_id].append(_fact(e))
    return held


def _fact(e: Entry) -> Fact:
    return Fact(e.pk, e.kind, e.measured_at, e.payload, e.author.name, e.author_id, e.recorded_at)


def newest_write() -> int:
    """The number of the newest log row: while it stays the same, nothing was written."""
    return ChainHead.objects.values_list("last", flat=True).first() or 0


def written_since(row: int) -> tuple[list[tuple[int, Fact]], bool]:
    """The entries written after a log row, each with its session; and whether anything else was written."""
    rows = LogRow.objects.filter(id__gt=row).exclude(action__startswith="read ").values_list("model", "row")
    keys = [pk for model, pk in rows if model == "Entry"]
    found = Entry.objects.filter(pk__in=keys).select_related("author").order_by("id") if keys else []
    return [(e.session_id, _fact(e)) for e in found], len(keys) < len(rows)


def duties(site: Site) -> list[tuple[Staff, datetime]]:
    """The prescribers on duty at a site by their newest word, each with the moment until which that word counts."""
    newest: dict[int, Duty] = {}
    since = timezone.now() - DUTY_LASTS
    for row in Duty.objects.filter(site=site, at__gt=since).select_related("staff").order_by("id"):
        newest[row.staff_id] = row
    return [(row.staff, row.at + DUTY_LASTS) for row in newest.values() if row.on and row.staff.active]


def on_duty(site: Site) -> list[Staff]:
    """The prescribers on duty at a site now; who forgot to leave last night is not here."""
    return [staff for staff, _ in duties(site)]


def newest_measure(patient: Patient, kind: str) -> Measure | None:
    return patient.measures.filter(kind=kind).first()


def lots(staff: Staff) -> QuerySet[Lot]:
    require(staff, "register.read")
    return Lot.objects.filter(site__in=sites(staff)).select_related("site")


def lot(staff: Staff, key: str, action: str = "register.read") -> Lot:
    require(staff, action)
    return _one(Lot.objects.filter(site__in=sites(staff)), key=key)


def balance(lot: Lot) -> float:
    """mg in the safe of one lot: what the last movement left."""
    last = lot.movements.last()
    return last.balance if last else 0.0


def colleagues(staff: Staff, role: str | None = None) -> QuerySet[Staff]:
    rows = Staff.objects.filter(sites__in=sites(staff), active=True).distinct()
    return rows.filter(role=role) if role else rows


def staff_member(staff: Staff, pk: Any) -> Staff:
    return _one(colleagues(staff), pk=_number(pk))


def settings_now() -> Settings:
    """The clinic's numbers now: the defaults and every change made since."""
    changes = {row.name: row.value for row in SettingChange.objects.order_by("id")}
    return Settings().changed(changes)


def setting_changes() -> QuerySet[SettingChange]:
    return SettingChange.objects.select_related("by").order_by("-id")


def log_rows(staff: Staff, patient_key: str = "") -> QuerySet[LogRow]:
    """The log of the person's sites: what was done with their patients, and what their staff did besides."""
    require(staff, "log.read")
    people = Staff.objects.filter(sites__in=sites(staff)).values("user__username")
    own = Q(patient__in=Patient.objects.filter(site__in=sites(staff)).values("key")) | Q(patient="", actor__in=people)
    rows = LogRow.objects.filter(own).order_by("-id")
    return rows.filter(patient=patient_key) if patient_key else rows
