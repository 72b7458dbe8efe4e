"""Enquiry, referral, patient, chart, evaluation, decisions: everything before a course."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from regrow.clinic import access, facts
from regrow.clinic.actions import intake as actions
from regrow.clinic.forms import CHART_FORMS, EnquiryForm, EvaluationForm, PatientForm
from regrow.clinic.models import Evaluation, Patient
from regrow.clinic.models.people import new_key
from regrow.clinic.roles import may
from regrow.clinic.views import act_of, allow, who, writes
from regrow.refusal import Refusal
from regrow.safety import CONDITIONS, adequate_failures


@allow("people.read", "intake.write")
def enquiries(request: HttpRequest) -> HttpResponse:
    staff = who(request)
    form = EnquiryForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            site = access.site(staff, request.POST.get("site", ""))
            row = actions.record_enquiry(act_of(request), request.POST.get("key", ""), site, form.cleaned_data)
            return redirect("enquiry", key=row.key)
        except Refusal as refusal:
            problem = refusal
    access.saw(staff, timezone.now(), "enquiries")
    context = {"rows": access.enquiries(staff), "form": form, "sites": access.sites(staff), "problem": problem}
    return render(request, "clinic/enquiries.html", context, status=422 if request.method == "POST" else 200)


@allow("people.read", "intake.write")
def enquiry(request: HttpRequest, key: str) -> HttpResponse:
    row = access.enquiry(who(request), key)
    form = EnquiryForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        actions.change_enquiry(act_of(request), access.enquiry(who(request), key), form.cleaned_data)
        return redirect("enquiry", key=key)
    status = 422 if request.method == "POST" else 200
    return render(request, "clinic/enquiry.html", {"row": row, "form": form}, status=status)


@allow("people.read")
def patients(request: HttpRequest) -> HttpResponse:
    staff = who(request)
    search = request.GET.get("q", "").strip()[:80]
    access.saw(staff, timezone.now(), "patients")
    rows = access.patients(staff, search)[:200]
    return render(request, "clinic/patients.html", {"rows": rows, "search": search})


@allow("people.read", "intake.write")
def new_patient(request: HttpRequest) -> HttpResponse:
    """A new patient, from an enquiry (nothing is typed twice) or from nothing."""
    staff, problem = who(request), None
    asked = request.POST.get("enquiry") or request.GET.get("enquiry", "")
    source = access.enquiry(staff, asked) if asked else None
    start = {"name": source.name, "contact": source.contact} if source else {}
    form = PatientForm(request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            site = source.site if source else access.site(staff, request.POST.get("site", ""))
            key = request.POST.get("key", "")
            row = actions.record_patient(act_of(request), key, site, form.cleaned_data, source)
            return redirect("patient", key=row.key)
        except Refusal as refusal:
            problem = refusal
    context = {
        "form": form,
        "sites": access.sites(staff),
        "enquiry": source,
        "problem": problem,
        "title": "New patient",
    }
    return render(request, "clinic/patient_form.html", context, status=422 if request.method == "POST" else 200)


@allow("people.read", "intake.write")
def edit_patient(request: HttpRequest, key: str) -> HttpResponse:
    staff = who(request)
    row = access.patient(staff, key, timezone.now())
    form = PatientForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        actions.change_patient(act_of(request), Patient.objects.get(pk=row.pk), form.cleaned_data)
        return redirect("patient", key=key)
    context = {"form": form, "patient": row, "title": "Particulars"}
    return render(request, "clinic/patient_form.html", context, status=422 if request.method == "POST" else 200)


def _page(request: HttpRequest, row: Patient, status: int = 200, **more: Any) -> HttpResponse:
    """The patient's page: with the chart for those who may read it, bookings alone for the front desk."""
    staff, now = who(request), timezone.now()
    context: dict[str, Any] = {
        "patient": row,
        "now": now,
        "courses": row.courses.prefetch_related("sessions__chair"),
        **more,
    }
    if may(staff.role, "chart.read"):
        settings = access.settings_now()
        evaluation = facts.signed_evaluation(row)
        verdict = facts.judged(row, evaluation or row.evaluations.first(), now, settings)
        decisions = facts.valid_decisions(row, evaluation)
        open_ones = {(f.rule, facts.subject_of(f)) for f in facts.undecided(verdict.findings, decisions)}
        weight, height, bmi = facts.body(row)
        start = timezone.localtime(now).strftime("%Y-%m-%dT%H:%M")
        context |= {
            "chart": True,
            "evaluation": evaluation,
            "draft": row.evaluations.filter(signed_at=None).first(),
            "verdict": verdict,
            "found": [(f, (f.rule, facts.subject_of(f)) in open_ones, facts.subject_of(f)) for f in verdict.findings],
            "decisions": decisions,
            "trials": row.trials.all(),
            "failures": adequate_failures(facts.candidate(row, None, now).trials, settings),
            "needed": settings.trials_needed,
            "medicines": row.medicines.all(),
            "allergies": row.allergies.all(),
            "measures": row.measures.all()[:40],
            "weight": weight,
            "height": height,
            "bmi": bmi,
            "forms": {name: form(initial={"taken_at": start}) for name, form in CHART_FORMS.items()}
            | more.get("forms", {}),
            "adding": request.GET.get("add", ""),
        }
    return render(request, "clinic/patient.html", context, status=status)


@allow("people.read")
def patient(request: HttpRequest, key: str) -> HttpResponse:
    return _page(request, access.patient(who(request), key, timezone.now()))


@writes("chart.write")
def add_to_chart(request: HttpRequest, key: str, what: str) -> HttpResponse:
    row = access.patient(who(request), key, timezone.now(), "chart.read", f"chart {what}")
    if what not in CHART_FORMS:
        from django.http import Http404

        raise Http404
    form = CHART_FORMS[what](request.POST)
    problem = None
    if form.is_valid():
        try:
            actions.add_to_chart(act_of(request), row, what, form.cleaned_data)
            return redirect(reverse("patient", args=[key]) + f"?add={what}#{what}")  # the next line is seldom the last
        except Refusal as refusal:
            problem = refusal
    return _page(request, row, 422, problem=problem, forms={what: form})


@writes("chart.write")
def stop_medicine(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    row = access.patient(who(request), key, timezone.now(), "chart.read", "chart medicine")
    actions.stop_medicine(act_of(request), row, pk)
    return redirect("patient", key=key)


# What a new evaluation takes over from the last one signed. What must be asked anew is not among it.
CARRIED = ("indication", "icd10", "summary", "target_scale", "response_target", "stop_rule")


@allow("chart.read", "chart.write")
def evaluation(request: HttpRequest, key: str, which: str = "") -> HttpResponse:
    """The psychiatric evaluation: a draft to write on, or a signed one to read."""
    staff, now = who(request), timezone.now()
    row = access.patient(staff, key, now, "chart.read", "evaluation")
    draft = access.evaluation(staff, which) if which else None
    if draft is not None and draft.patient_id != row.pk:
        from django.http import Http404

        raise Http404
    former = None if draft else facts.signed_evaluation(row)
    carried = {name: getattr(former, name) for name in CARRIED} if former else {}
    form, problem = EvaluationForm(request.POST or None, instance=draft, initial=carried), None
    if request.method == "POST" and form.is_valid():
        if request.POST.get("sign"):
            access.require(staff, "evaluation.sign")
        try:
            sent_key = draft.key if draft else request.POST.get("key", "")
            values = {**form.cleaned_data, "answers": form.answers()}
            kept = draft = actions.record_evaluation(act_of(request), row, sent_key, values)
            if request.POST.get("sign"):
                actions.sign_evaluation(act_of(request), kept)
                return redirect("patient", key=key)
            return redirect("evaluation", key=key, which=kept.key)
        except Refusal as refusal:
            problem = refusal
    answers = form.answers() if request.method == "POST" else (draft.answers if draft else {})
    fresh = Evaluation.objects.get(pk=draft.pk) if draft else None
    verdict = facts.judged(row, fresh, now, access.settings_now()) if fresh else None
    asked = [(code, text, answers.get(code)) for code, text in CONDITIONS.items()]
    return render(
        request,
        "clinic/evaluation.html",
        {
            "patient": row,
            "form": form,
            "draft": fresh,
            "asked": asked,
            "verdict": verdict,
            "problem": problem,
            "key": new_key(),
            "trials": row.trials.all(),
        },
        status=422 if request.method == "POST" else 200,
    )


@writes("decision.sign")
def decide(request: HttpRequest, key: str) -> HttpResponse:
    """A prescriber decides on a finding of the evaluation or the plan, with a reason."""
    staff, now = who(request), timezone.now()
    row = access.patient(staff, key, now, "chart.read", "findings")
    chosen = facts.signed_evaluation(row)
    rule, subject = request.POST.get("rule", ""), request.POST.get("subject", "")
    back = request.POST.get("course", "")
    course = access.course(staff, back) if back else None
    try:
        if chosen is None:
            raise Refusal("R-GA-01", "evaluation: none is signed yet; sign it first.", field="evaluation")
        from regrow.clinic.actions.plan import plan_findings

        settings = access.settings_now()
        drug, route = (course.drug, course.route) if course else ("ketamine", "iv")
        found = list(facts.judged(row, chosen, now, settings, drug, route).findings)
        if course is not None and course.patient_id == row.pk:
            found += plan_findings(course, now)
        match = next((f for f in found if f.rule == rule and facts.subject_of(f) == subject), None)
        if match is None:
            raise Refusal("NO-FINDING", f"{rule} says nothing now; reload the page.", field="rule", value=rule)
        actions.decide(act_of(request), row, match, request.POST.get("reason", ""), chosen, course)
    except Refusal as refusal:
        return _page(request, row, 422, problem=refusal)
    return redirect("course", key=back) if back else redirect("patient", key=key)
