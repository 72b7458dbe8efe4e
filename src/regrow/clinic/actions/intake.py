"""Writes before a course: enquiries, patients, their chart, the evaluation and decisions on findings."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from regrow.clinic import access, facts
from regrow.clinic.actions import Act, action
from regrow.clinic.models import (
    Allergy,
    Course,
    Decision,
    Enquiry,
    Evaluation,
    Measure,
    Medicine,
    Patient,
    Site,
    Trial,
)
from regrow.refusal import Refusal
from regrow.safety import CONDITIONS, Clearance, Finding

KEY = re.compile(r"[0-9a-f]{24}")
ENQUIRY_DAYS = 180


def _new_key(model: Any, key: str) -> Any:
    """The row already written under this key (a form sent twice), or None; refuses a key of another shape."""
    if not KEY.fullmatch(key):
        raise Refusal("FORM-KEY", "form: its key is missing; reload the page and enter it again.", field="key")
    return model.objects.filter(key=key).first()


@action("intake.write")
def record_enquiry(act: Act, key: str, site: Site, values: dict[str, Any]) -> Enquiry:
    """The enquiry; the same key twice is one enquiry."""
    if twice := _new_key(Enquiry, key):
        return access.enquiry(act.staff, twice.key)
    row = Enquiry.objects.create(key=key, site=site, created_at=act.now, **values)
    act.log("write enquiry", row)
    return row


@action("intake.write")
def change_enquiry(act: Act, enquiry: Enquiry, values: dict[str, Any]) -> Enquiry:
    """The enquiry with its referral or contact changed."""
    for name, value in values.items():
        setattr(enquiry, name, value)
    enquiry.save()
    act.log("write enquiry", enquiry)
    return enquiry


@action("intake.write")
def forget_old_enquiries(act: Act) -> int:
    """How many enquiries were deleted because nobody became a patient within the time; their versions go as well."""
    old = Enquiry.objects.filter(created_at__lt=act.now - timedelta(days=ENQUIRY_DAYS), patient=None)
    count = 0
    for row in old.filter(site__in=access.sites(act.staff)):
        act.log("delete enquiry", row)
        row.history.all().delete()  # type: ignore[attr-defined]
        row.delete()
        count += 1
    return count


@action("intake.write")
def record_patient(act: Act, key: str, site: Site, values: dict[str, Any], enquiry: Enquiry | None = None) -> Patient:
    """The patient; an enquiry becomes one without retyping. Refuses a real-looking import into a demo elsewhere."""
    if twice := _new_key(Patient, key):
        return access.patient(act.staff, twice.key, act.now)
    born = values["born"]
    if born > act.now.date():
        raise Refusal(
            "BORN-RANGE", f"date of birth {born} is in the future; correct it.", field="born", value=str(born)
        )
    from django.conf import settings

    row = Patient.objects.create(key=key, site=site, demo=settings.CLINIC.demo, **values)
    if enquiry is not None:
        enquiry.patient = row
        enquiry.save()
    act.log("write patient", row, row)
    return row


@action("intake.write")
def change_patient(act: Act, patient: Patient, values: dict[str, Any]) -> Patient:
    """The patient with changed particulars; the old ones stay in the history."""
    for name, value in values.items():
        setattr(patient, name, value)
    patient.save()
    act.log("write patient", patient, patient)
    return patient


_CHART = {"trial": Trial, "medicine": Medicine, "allergy": Allergy, "measure": Measure}


@action("chart.write")
def add_to_chart(act: Act, patient: Patient, what: str, values: dict[str, Any]) -> Any:
    """A new trial, medicine, allergy or measure; the same line within a minute is one line (a double tap)."""
    model = _CHART[what]
    if what == "measure":
        _check_measure(values, act.now)
    if what == "medicine":
        values = {**values, "added_at": act.now}
    same = {k: v for k, v in values.items() if k != "added_at"}
    before = model._default_manager.filter(patient=patient, **same).last()
    if before is not None and (act.now - before.history.earliest().history_date).total_seconds() < 60:
        return before
    row = model._default_manager.create(patient=patient, **values)
    act.log(f"write {what}", row, patient)
    return row


def _check_measure(values: dict[str, Any], now: datetime) -> None:
    name, unit, low, high = Measure.KINDS[values["kind"]]
    value = values.get("value")
    if low is not None:
        if value is None:
            raise Refusal("MEASURE-VALUE", f"{name} needs a value in {unit}.", field="value")
        if not low <= value <= high:
            raise Refusal(
                "MEASURE-RANGE",
                f"{name} {value:g} {unit} is outside {low} to {high} {unit}; measure again.",
                field="value",
                value=value,
            )
    if values["taken_at"] > now + timedelta(minutes=1):
        raise Refusal("MEASURE-TIME", f"{name} is dated in the future; correct the time.", field="taken_at")


@action("chart.write")
def stop_medicine(act: Act, patient: Patient, pk: int) -> Medicine:
    """The medicine, stopped today."""
    row = patient.medicines.filter(pk=pk).first()
    if row is None:
        raise Refusal("NO-SUCH-ROW", f"medicine {pk} is not in this chart; reload the page.", field="medicine")
    from django.utils import timezone

    row.stopped = timezone.localdate(act.now)
    row.save()
    act.log("write medicine", row, patient)
    return row


@action("chart.write")
def record_evaluation(act: Act, patient: Patient, key: str, values: dict[str, Any]) -> Evaluation:
    """The evaluation as a draft; while unsigned it may be written again under its key."""
    row = _new_key(Evaluation, key)
    if row is None:
        row = Evaluation(key=key, patient=patient, created_at=act.now)
    elif row.patient_id != patient.pk:
        raise Refusal("FORM-KEY", "form: its key belongs to another chart; reload the page.", field="key")
    elif row.signed_at:
        raise Refusal("SIGNED", "evaluation: it is signed; write a new one.", field="evaluation")
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    act.log("write evaluation", row, patient)
    return row


@action("evaluation.sign")
def sign_evaluation(act: Act, evaluation: Evaluation) -> Evaluation:
    """The evaluation, signed, with the verdict of that moment frozen beside it; refused while a condition has no
    answer, because what is signed is written no more."""
    if evaluation.signed_at:
        return evaluation
    _entitled(act)
    unasked = [text for code, text in CONDITIONS.items() if code not in evaluation.answers]
    if unasked:
        raise Refusal(
            "EVALUATION-OPEN",
            f"conditions: {len(unasked)} of {len(CONDITIONS)} have no answer; ask, then sign: {', '.join(unasked[:3])}"
            f"{' ...' if len(unasked) > 3 else ''}.",
            field="answers",
            value=len(unasked),
        )
    settings = access.settings_now()
    verdict = facts.judged(evaluation.patient, evaluation, act.now, settings)
    evaluation.verdict = verdict.outcome.value
    evaluation.findings = [f.record() for f in verdict.findings]
    evaluation.settings_version = settings.version
    evaluation.signed_at, evaluation.signed_by = act.now, act.staff
    evaluation.save()
    act.log("sign evaluation", evaluation, evaluation.patient)
    return evaluation


def _entitled(act: Act) -> None:
    """Refuses a signature under an expired licence."""
    from django.utils import timezone

    until = act.staff.licence_until
    if until is None or until < timezone.localdate(act.now):
        raise Refusal(
            "R-ST-01",
            f"licence of {act.staff.name} is expired or not recorded; the administrator enters it.",
            field="licence",
        )


@action("decision.sign")
def decide(
    act: Act,
    patient: Patient,
    finding: Finding,
    reason: str,
    evaluation: Evaluation | None,
    course: Course | None = None,
) -> Decision:
    """A signed decision to go on in spite of a finding; refuses one that nobody may override, and an empty reason."""
    _entitled(act)
    if finding.blocks:
        raise Refusal(finding.rule, f"{finding.sentence} Nobody may override this.", field="rule", value=finding.rule)
    if finding.clearance is Clearance.SECOND:
        raise Refusal(
            "SECOND-SIGNATURE",
            f"{finding.rule}: this needs a second prescriber's signature on the order, not a decision.",
            field="rule",
            value=finding.rule,
        )
    if len(reason.strip()) < 5:
        raise Refusal("REASON-MISSING", f"{finding.rule}: write the reason, at least a few words.", field="reason")
    row = Decision.objects.create(
        patient=patient,
        evaluation=evaluation,
        course=course,
        rule=finding.rule,
        subject=facts.subject_of(finding)[:120],
        finding=finding.record(),
        reason=reason.strip(),
        by=act.staff,
        at=act.now,
    )
    act.log(f"sign decision {finding.rule}", row, patient)
    return row
