"""Booking: the whole series of a course in one action with its clashes shown, one session moved, the week of a site.

The one thing to know: the front desk works here and sees when and where, never what for or how much.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from regrow.clinic import access
from regrow.clinic.actions import plan as actions
from regrow.clinic.models import Course
from regrow.clinic.planning import Slot, place
from regrow.clinic.views import act_of, allow, who, writes
from regrow.refusal import Refusal

FIRST_HOUR = 9
DIARY_DAYS = 7


def _moment(field: str, text: str) -> datetime:
    """A date and time as typed, in the clinic's zone; refuses one that is none, or that is past."""
    try:
        at = timezone.make_aware(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise Refusal("START-TIME", f"{field} {text!r} is no date and time.", field=field, value=text) from None
    if at < timezone.now() - timedelta(hours=1):
        raise Refusal("START-TIME", f"{field} {at:%Y-%m-%d %H:%M} is in the past; choose a later time.", field=field)
    return at


def _wanted(request: HttpRequest, course: Course, start: datetime | None) -> list[tuple[Slot, int | None]]:
    """The visits asked for, each with the chair asked for (None: any): from the first visit's hour, or as typed."""
    form = request.POST if request.method == "POST" else request.GET
    done = course.sessions.count()
    one_more = bool(form.get("one")) or not course.days or bool(done)
    days = [0.0] if one_more else list(course.days)
    first = done + 1 if one_more else 1
    wanted = []
    for number, day in enumerate(days, start=first):
        typed = form.get(f"at_{number}", "")
        if typed:
            at = _moment(f"session {number}", typed)
        elif start is not None:
            # The same hour of its own day in the clinic's zone, whatever the clocks did between.
            at = timezone.make_aware(timezone.localtime(start).replace(tzinfo=None) + timedelta(days=float(day)))
        else:
            continue
        chair = form.get(f"chair_{number}", "")
        wanted.append((Slot(number, day, "", at, None), int(chair) if chair.isdigit() else None))
    return wanted


def _placed(course: Course, wanted: list[tuple[Slot, int | None]]) -> list[Slot]:
    """The visits in the chairs of the course's site."""
    if not wanted:
        return []
    chairs = list(course.patient.site.chairs.all())
    moments = [slot.at for slot, _ in wanted]
    held = actions.taken(chairs, min(moments), max(moments))
    return place(wanted, actions.block_of(course), {c.pk: c.name for c in chairs}, held)


def _page(request: HttpRequest, course: Course, slots: list[Slot], status: int = 200, **more: Any) -> HttpResponse:
    chairs = list(course.patient.site.chairs.all())
    tomorrow = timezone.localtime(timezone.now() + timedelta(days=1)).replace(hour=FIRST_HOUR, minute=0)
    form = request.POST if request.method == "POST" else request.GET
    context = {
        "course": course,
        "patient": course.patient,
        "slots": slots,
        "clashes": sum(bool(s.clash) for s in slots),
        "chairs": chairs,
        "start": form.get("start") or tomorrow.strftime("%Y-%m-%dT%H:%M"),
        "chair_minutes": actions.block_of(course),
        "sessions": access.sessions_of(course),
        "one_more": course.sessions.exists() or not course.days,
        **more,
    }
    return render(request, "clinic/book.html", context, status=status)


@allow("booking.write", "booking.write")
def book(request: HttpRequest, key: str) -> HttpResponse:
    """Proposes the series from the first visit (GET), and books all of it or nothing (POST): a clash is shown."""
    row = access.course(who(request), key, "people.read")
    slots: list[Slot] = []
    try:
        text = request.POST.get("start") or request.GET.get("start", "")
        slots = _placed(row, _wanted(request, row, _moment("start", text) if text else None))
        if request.method == "GET":
            return _page(request, row, slots)
        if not slots:
            raise Refusal("START-TIME", "start: choose a date and an hour.", field="start")
        actions.book(act_of(request), row, slots)
    except Refusal as refusal:
        return _page(request, row, slots, 422, problem=refusal)
    return redirect("patient", key=row.patient.key)


@writes("booking.write")
def booking(request: HttpRequest, key: str) -> HttpResponse:
    """Moves or cancels one booked session."""
    staff = who(request)
    session = access.session(staff, key, "people.read")
    try:
        values: dict[str, Any] = {"cancel": bool(request.POST.get("cancel"))}
        if not values["cancel"]:
            at = _moment("time", request.POST.get("planned_at", ""))
            values |= {"chair": access.chair(staff, request.POST.get("chair", "")), "planned_at": at}
        actions.change_booking(act_of(request), session, values)
    except Refusal as refusal:
        return _page(request, session.course, [], 422, problem=refusal)
    return redirect("patient", key=session.course.patient.key)


@allow("people.read")
def diary(request: HttpRequest) -> HttpResponse:
    """Who is booked in which chair in the seven days from one on."""
    staff, now = who(request), timezone.now()
    today = timezone.localdate(now)
    try:
        first = date.fromisoformat(request.GET.get("from", ""))
    except ValueError:
        first = today
    mine = list(access.sites(staff))
    site = access.site(staff, request.GET["site"]) if request.GET.get("site") else (mine[0] if mine else None)
    access.saw(staff, now, "diary")
    days = [first + timedelta(days=n) for n in range(DIARY_DAYS)]
    held = access.booked(staff, site, days[0], days[-1]) if site else []
    week = [(day, [s for s in held if timezone.localdate(s.planned_at) == day]) for day in days]
    context = {"site": site, "sites": mine, "week": week, "today": today, "first": first}
    context |= {"before": first - timedelta(days=DIARY_DAYS), "after": first + timedelta(days=DIARY_DAYS)}
    return render(request, "clinic/diary.html", context)
