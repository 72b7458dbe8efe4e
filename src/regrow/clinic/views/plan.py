"""The plan: protocol, dose with its arithmetic, signatures, consent, the series, and what is booked."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe

from regrow.catalog import protocols
from regrow.clinic import access, cards, facts, forecast, pictures
from regrow.clinic.actions import plan as actions
from regrow.clinic.actions.payloads import number
from regrow.clinic.consent import text_for
from regrow.clinic.models import Course, Patient
from regrow.clinic.models.people import new_key
from regrow.clinic.planning import Plan, arithmetic, plan_of
from regrow.clinic.views import act_of, allow, who, writes
from regrow.refusal import Refusal

BASES = ("actual", "ideal", "adjusted")
ROUTES = ("iv", "im", "sc", "oral", "sublingual")


def _plan(request: HttpRequest) -> Plan:
    form = request.POST if request.method == "POST" else request.GET
    minutes = form.get("duration_min", "").strip()
    return plan_of(
        protocols.get(form.get("protocol", "")),
        dose=form.get("dose", "").strip(),
        duration_min=number("duration", minutes, 0, 1440, "min") if minutes else None,
        days=form.get("days", "").strip(),
        route=form.get("route", ""),
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


def _forecast(
    patient: Patient, route: str, protocol: str, days: tuple[float, ...], typed: dict[str, Any]
) -> dict[str, Any]:
    """The predicted course for the page: picture, numbers and sources; {} where none can be made."""
    weight, _, _ = facts.body(patient)
    if weight is None:
        return {}
    evaluation = facts.signed_evaluation(patient)
    planned = forecast.Planned(
        protocol=protocol,
        dose=typed.get("dose", ""),
        duration_min=typed.get("duration_min"),
        days=typed.get("days", ""),
        route=route,
        weight=weight,
        age=float(patient.age_on(timezone.localdate())),
        female=patient.sex == "female",
        scale=evaluation.target_scale if evaluation else "MADRS",
        baseline=evaluation.baseline_score if evaluation else None,
    )
    band = forecast.course(planned)
    if band is None:
        return {}
    drawn = pictures.mood(band, days, patient.initials)
    return {"band": band, "picture": mark_safe(drawn)}  # noqa: S308  (drawn from numbers)


USUAL = {"pain": "crps-10-day"}  # what is offered first for an indication; else the standard six infusions


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
    evaluation = facts.signed_evaluation(row)
    settings = access.settings_now()
    shown: dict[str, Any] = {}
    found: Any = ()
    if plan is not None:
        minutes = form.get("duration_min", "").strip()
        typed = {"dose": form.get("dose", "").strip(), "days": form.get("days", "").strip()}
        typed["duration_min"] = float(minutes) if minutes else None
        shown = _forecast(row, plan.route, plan.protocol, plan.days, typed)
        found = actions.findings_of(plan, row, basis, bool(form.get("basis_chosen")), now)
        found += facts.judged(row, evaluation, now, settings, plan.drug, plan.route).findings
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
            "routes": [(r, cards.ROUTES[r]) for r in ROUTES],
            "problem": problem,
            "key": new_key(),
            "weight": weight,
            "height": height,
            "bmi": bmi,
            "evaluation": evaluation,
            "usual": form.get("protocol") or USUAL.get(evaluation.indication if evaluation else "", "standard-2x3"),
            "found": [(f, False, "") for f in found],
            "settings": settings,
            **shown,
        },
        status=422 if problem else 200,
    )


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
    # A course keeps its doses, not what was typed: what differs from its protocol is given again where it is one dose.
    own = {"dose": row.doses[0] if len(set(row.doses)) == 1 else "", "duration_min": row.duration_min or None}
    own["days"] = ",".join(f"{day:g}" for day in row.days)
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
        "text": text,
        "consents": row.consents.all(),
        "consent_current": facts.consent_current(row),
        **_forecast(patient, row.route, row.protocol, tuple(row.days), own),
        "problem": problem,
        "can_second": staff.pk != row.signed_by_id,
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
