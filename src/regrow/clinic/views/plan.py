"""The plan: protocol, dose with its arithmetic, signatures, consent, the series, and what is booked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from regrow.catalog import protocols
from regrow.clinic import access, facts
from regrow.clinic.actions import plan as actions
from regrow.clinic.actions.payloads import number
from regrow.clinic.consent import text_for
from regrow.clinic.models import Course, Patient
from regrow.clinic.models.people import new_key
from regrow.clinic.planning import Plan, Slot, arithmetic, plan_of, propose
from regrow.clinic.views import act_of, allow, who, writes
from regrow.refusal import Refusal

BASES = ("actual", "ideal", "adjusted")


def _plan(request: HttpRequest) -> Plan:
    form = request.POST if request.method == "POST" else request.GET
    minutes = form.get("duration_min", "").strip()
    return plan_of(
        protocols.get(form.get("protocol", "")),
        dose=form.get("dose", "").strip(),
        duration_min=number("duration", minutes, 0, 1440, "min") if minutes else None,
        days=form.get("days", "").strip(),
    )


def _lines(plan: Plan, patient: Patient, basis: str) -> list[dict[str, Any]]:
    """The arithmetic of each different dose of a plan."""
    weight, height, _ = facts.body(patient)
    if weight is None:
        return []
    return [
        {
            "text": text,
            "a": arithmetic(
                text, plan.drug, plan.route, plan.duration_min, weight, height, patient.sex == "female", basis
            ),
        }
        for text in dict.fromkeys(plan.doses)
    ]


@allow("chart.read", "chart.write")
def new_course(request: HttpRequest, key: str) -> HttpResponse:
    """Choose a protocol, see what it means for this person, keep it as a draft order."""
    staff, now = who(request), timezone.now()
    row = access.patient(staff, key, now, "chart.read", "plan")
    form = request.POST if request.method == "POST" else request.GET
    plan, problem, lines = None, None, []
    basis = form.get("basis") or "actual"
    try:
        if basis not in BASES:
            raise Refusal("BASIS", f"weight basis {basis!r} is none of {', '.join(BASES)}.", field="basis", value=basis)
        if form.get("protocol"):
            plan = _plan(request)
            lines = _lines(plan, row, basis)
        if request.method == "POST" and plan is not None:
            kept = actions.record_course(
                act_of(request),
                row,
                form.get("key", ""),
                plan,
                basis,
                bool(form.get("basis_chosen")),
                form.get("note", "")[:200],
            )
            return redirect("course", key=kept.key)
    except Refusal as refusal:
        problem = refusal
    shelf = [protocols.get(each) for each in protocols.ids()]
    weight, height, bmi = facts.body(row)
    return render(
        request,
        "clinic/new_course.html",
        {
            "patient": row,
            "shelf": shelf,
            "plan": plan,
            "lines": lines,
            "typed": form,
            "basis": basis,
            "bases": BASES,
            "problem": problem,
            "key": new_key(),
            "weight": weight,
            "height": height,
            "bmi": bmi,
        },
        status=422 if problem else 200,
    )


def _slots(request: HttpRequest, course: Course) -> tuple[list[Slot], datetime | None]:
    """The proposed series from the date and hour asked for; () without one."""
    text = request.POST.get("start") or request.GET.get("start", "")
    if not text:
        return [], None
    try:
        start = timezone.make_aware(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise Refusal("START-TIME", f"start {text!r} is no date and time.", field="start", value=text) from None
    if start < timezone.now() - timedelta(hours=1):
        raise Refusal("START-TIME", f"start {start:%Y-%m-%d %H:%M} is in the past; choose a later time.", field="start")
    chairs = list(course.patient.site.chairs.all())
    done = course.sessions.count()
    one_more = request.POST.get("one") or request.GET.get("one")
    days = [0.0] if one_more or not course.days else list(course.days)
    first = done + 1 if one_more else 1
    local = timezone.localtime(start)
    taken = actions.taken(chairs, start, start + timedelta(days=max(days) + 1))
    raw = propose(days, [], local, actions.block_of(course), [c.pk for c in chairs], taken, first)
    return [_wall_clock(s, local, actions.block_of(course), taken, [c.pk for c in chairs]) for s in raw], start


def _wall_clock(slot: Slot, first: datetime, block: float, taken: Any, chairs: list[int]) -> Slot:
    """The slot at the same hour of its own day in the clinic's zone, whatever the clocks did between."""
    from dataclasses import replace

    naive = first.replace(tzinfo=None) + timedelta(days=float(slot.day))
    at = timezone.make_aware(naive)
    until = at + timedelta(minutes=block)
    busy = {chair for chair, begin, end in taken if begin < until and at < end}
    free = next((c for c in chairs if c not in busy), None)
    return replace(slot, at=at, chair=free, clash="" if free is not None else "every chair is taken at this time")


def _page(request: HttpRequest, row: Course, status: int = 200, **more: Any) -> HttpResponse:
    now, staff = timezone.now(), who(request)
    patient = row.patient
    settings = access.settings_now()
    evaluation = facts.signed_evaluation(patient)
    found = actions.plan_findings(row, now)
    verdict = facts.judged(patient, evaluation, now, settings, row.drug, row.route)
    decisions = facts.valid_decisions(patient, evaluation)
    both = (*verdict.findings, *found)
    left = {(f.rule, facts.subject_of(f)) for f in facts.undecided(both, decisions)}
    weight, height, _ = facts.body(patient)
    lines = []
    if weight is not None:
        lines = [
            arithmetic(t, row.drug, row.route, row.duration_min, weight, height, patient.sex == "female", row.basis)
            for t in dict.fromkeys(row.doses)
        ]
    problem = more.pop("problem", None)
    slots: list[Slot] = []
    start = None
    try:
        slots, start = _slots(request, row)
    except Refusal as refusal:
        problem = problem or refusal
    chair_names = {c.pk: c.name for c in patient.site.chairs.all()}
    text = text_for(row.drug, row.route)
    context = {
        "course": row,
        "patient": patient,
        "now": now,
        "found": [
            (f, f.clearance.value == "prescriber" and (f.rule, facts.subject_of(f)) in left, facts.subject_of(f))
            for f in both
        ],
        "lines": lines,
        "sessions": access.sessions_of(row),
        "slots": [(s, chair_names.get(s.chair or 0, "")) for s in slots],
        "clashes": sum(bool(s.clash) for s in slots),
        "start": start,
        "text": text,
        "consents": row.consents.all(),
        "consent_current": facts.consent_current(row),
        "problem": problem,
        "can_second": staff.pk != row.signed_by_id,
        "chairs": access.chairs(staff).filter(site=patient.site),
        **more,
    }
    return render(request, "clinic/course.html", context, status=422 if problem and status == 200 else status)


@allow("chart.read")
def course(request: HttpRequest, key: str) -> HttpResponse:
    row = access.course(who(request), key)
    access.saw(who(request), timezone.now(), "course", row.patient)
    return _page(request, row)


def _do(request: HttpRequest, key: str, write: Any, permission: str = "chart.read") -> HttpResponse:
    row = access.course(who(request), key, permission)
    try:
        write(act_of(request), row)
    except Refusal as refusal:
        return _page(request, access.course(who(request), key, permission), 422, problem=refusal)
    return redirect("course", key=key)


@writes("plan.sign")
def sign(request: HttpRequest, key: str) -> HttpResponse:
    return _do(request, key, actions.sign_course)


@writes("plan.sign")
def second(request: HttpRequest, key: str) -> HttpResponse:
    return _do(request, key, actions.second_sign)


@writes("consent.write")
def consent(request: HttpRequest, key: str) -> HttpResponse:
    form = request.POST
    return _do(
        request,
        key,
        lambda act, row: actions.record_consent(
            act, row, form.get("signed_name", ""), form.get("capacity") == "on", form.get("text", "")
        ),
    )


@writes("plan.sign")
def end(request: HttpRequest, key: str) -> HttpResponse:
    return _do(request, key, lambda act, row: actions.end_course(act, row, request.POST.get("reason", "")))


@writes("booking.write")
def book(request: HttpRequest, key: str) -> HttpResponse:
    """Books the whole proposed series, or nothing: a clash is shown and refused."""
    row = access.course(who(request), key, "people.read")
    try:
        slots, _ = _slots(request, row)
        if not slots:
            raise Refusal("START-TIME", "start: choose a date and an hour.", field="start")
        actions.book(act_of(request), row, slots)
    except Refusal as refusal:
        return _refused(request, row, refusal)
    return redirect("patient", key=row.patient.key)


def _refused(request: HttpRequest, row: Course, refusal: Refusal) -> HttpResponse:
    from regrow.clinic.roles import may

    if may(who(request).role, "chart.read"):
        return _page(request, access.course(who(request), row.key), 422, problem=refusal)
    return render(request, "clinic/message.html", {"title": "Not booked", "sentence": refusal.sentence}, status=422)


@writes("booking.write")
def booking(request: HttpRequest, key: str) -> HttpResponse:
    """Moves or cancels one booked session."""
    staff = who(request)
    session = access.session(staff, key, "people.read")
    try:
        values: dict[str, Any] = {"cancel": bool(request.POST.get("cancel"))}
        if not values["cancel"]:
            try:
                at = timezone.make_aware(datetime.fromisoformat(request.POST.get("planned_at", "")))
            except ValueError:
                raise Refusal("START-TIME", "time: this is no date and time.", field="planned_at") from None
            values |= {"chair": access.chair(staff, request.POST.get("chair", "")), "planned_at": at}
        actions.change_booking(act_of(request), session, values)
    except Refusal as refusal:
        return _refused(request, session.course, refusal)
    return redirect("patient", key=session.course.patient.key)
