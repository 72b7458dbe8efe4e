"""What the intake, chart, staff and register screens ask. The one thing to know: ranges are checked in `actions`."""

from __future__ import annotations

from typing import Any

from django import forms

from regrow.catalog import scales
from regrow.clinic.models import Allergy, Enquiry, Evaluation, Lot, Measure, Medicine, Patient, Staff, Trial
from regrow.safety import CONDITIONS

DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def _dates(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, DATE)


class EnquiryForm(forms.ModelForm):
    class Meta:
        model = Enquiry
        fields = ("name", "contact", "concern", "source", "consent_to_contact", "referrer", "referral_note")
        widgets = {"referral_note": forms.Textarea(attrs={"rows": 3})}


class PatientForm(forms.ModelForm):
    class Meta:
        model = Patient
        fields = ("name", "born", "sex", "can_be_pregnant", "contact", "rems_enrolled", "pdmp_checked")
        widgets = _dates("born", "rems_enrolled", "pdmp_checked")


class TrialForm(forms.ModelForm):
    class Meta:
        model = Trial
        fields = ("drug", "max_dose", "weeks", "adequate_dose", "outcome", "reason_stopped")


class MedicineForm(forms.ModelForm):
    class Meta:
        model = Medicine
        fields = ("name", "dose", "started")
        widgets = _dates("started")


class AllergyForm(forms.ModelForm):
    class Meta:
        model = Allergy
        fields = ("substance", "reaction")


class MeasureForm(forms.ModelForm):
    kind = forms.ChoiceField(
        label="Kind",
        choices=[("", "---------"), *((k, ", ".join(filter(None, v[:2]))) for k, v in Measure.KINDS.items())],
    )

    class Meta:
        model = Measure
        fields = ("kind", "value", "positive", "note", "taken_at")
        widgets = {"taken_at": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")}


CHART_FORMS: dict[str, type[forms.ModelForm]] = {
    "trial": TrialForm,
    "medicine": MedicineForm,
    "allergy": AllergyForm,
    "measure": MeasureForm,
}


def _targets() -> list[str]:
    """The scales by which a treatment is judged: those of the catalog that say what a response is."""
    return sorted(s.name for s in map(scales.get, scales.ids()) if s.response_rule)


class EvaluationForm(forms.ModelForm):
    """The evaluation; the conditions are asked one by one as `c_<code>` = yes or no."""

    target_scale = forms.ChoiceField(label="Target scale", initial="PHQ-9")

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        names = _targets()
        kept = self.instance.target_scale  # an older draft may name another one
        self.fields["target_scale"].choices = [(n, n) for n in (names if kept in names else [*names, kept])]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        name, score = said.get("target_scale"), said.get("baseline_score")
        total = scales.get(name).total if name in _targets() else None
        if score is not None and total and not total[0] <= score <= total[1]:
            self.add_error(
                "baseline_score", f"{score:g} is outside {total[0]:g} to {total[1]:g} of the {name}; score it again."
            )
        return said

    class Meta:
        model = Evaluation
        fields = (
            "indication",
            "icd10",
            "summary",
            "suicide_risk",
            "acute_suicidality",
            "cv_event_on",
            "cleared_medically",
            "target_scale",
            "baseline_score",
            "response_target",
            "stop_rule",
        )
        widgets = {**_dates("cv_event_on"), "summary": forms.Textarea(attrs={"rows": 5})}

    def answers(self) -> dict[str, bool]:
        """The conditions that were answered: code to yes or no."""
        said = {code: self.data.get(f"c_{code}") for code in CONDITIONS}
        return {code: value == "yes" for code, value in said.items() if value in ("yes", "no")}


class StaffForm(forms.ModelForm):
    class Meta:
        model = Staff
        fields = ("name", "role", "licence_until", "life_support_until")
        widgets = _dates("licence_until", "life_support_until")


class LotForm(forms.ModelForm):
    strength = forms.TypedChoiceField(
        label="Strength",
        coerce=float,
        choices=[
            ("", "---------"),
            ("10", "10 mg/mL"),
            ("50", "50 mg/mL"),
            ("100", "100 mg/mL"),
            ("0", "28 mg nasal device"),
        ],
    )

    class Meta:
        model = Lot
        fields = ("drug", "number", "strength", "expires")
        widgets = _dates("expires")
