"""Who comes: enquiries, patients, and what is known of them before a course."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from regrow.clinic.models.people import Site, Staff, new_key


class Enquiry(models.Model):
    """Someone who asked, not yet a patient. Becomes a patient without retyping, or is deleted after its time."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    site = models.ForeignKey(Site, models.PROTECT)
    name = models.CharField(max_length=120)
    contact = models.CharField("phone or e-mail", max_length=120)
    concern = models.CharField("what for", max_length=200, blank=True)
    source = models.CharField("how they found us", max_length=80, blank=True)
    consent_to_contact = models.BooleanField("agreed that we contact them", default=False)
    referrer = models.CharField("referred by", max_length=120, blank=True)
    referral_note = models.TextField("referral letter", blank=True)
    created_at = models.DateTimeField()
    patient = models.ForeignKey("Patient", models.SET_NULL, null=True, blank=True, related_name="enquiries")
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "enquiries"
        ordering = ["-id"]


class Patient(models.Model):
    key = models.CharField(max_length=24, unique=True, default=new_key)
    site = models.ForeignKey(Site, models.PROTECT)
    name = models.CharField(max_length=120)
    born = models.DateField("date of birth")
    sex = models.CharField("sex at birth", max_length=6, choices=[("female", "female"), ("male", "male")])
    can_be_pregnant = models.BooleanField("can be pregnant", default=False)
    contact = models.CharField("phone or e-mail", max_length=120, blank=True)
    rems_enrolled = models.DateField("enrolled in the esketamine REMS on", null=True, blank=True)
    pdmp_checked = models.DateField("prescription monitoring checked on", null=True, blank=True)
    demo = models.BooleanField(default=False, editable=False)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        return ".".join(word[0].upper() for word in self.name.split()[:3]) + "."

    def age_on(self, day) -> int:
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


class Trial(models.Model):
    """One antidepressant tried before."""

    OUTCOMES = [
        ("none", "no response"),
        ("partial", "partial"),
        ("full", "full response"),
        ("intolerant", "not tolerated"),
    ]
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="trials")
    drug = models.CharField(max_length=80)
    max_dose = models.CharField("highest dose", max_length=40)
    weeks = models.FloatField("weeks at an adequate dose")
    adequate_dose = models.BooleanField("adequate dose", default=False)
    outcome = models.CharField(max_length=10, choices=OUTCOMES)
    reason_stopped = models.CharField("why stopped", max_length=120, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["id"]


class Medicine(models.Model):
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="medicines")
    name = models.CharField(max_length=80)
    dose = models.CharField(max_length=60, blank=True)
    started = models.DateField(null=True, blank=True)
    stopped = models.DateField(null=True, blank=True)
    added_at = models.DateTimeField()
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]


class Allergy(models.Model):
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="allergies")
    substance = models.CharField(max_length=80)
    reaction = models.CharField(max_length=120, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "allergies"
        ordering = ["substance"]


class Measure(models.Model):
    """A laboratory or bedside result before a course. `value` in the kind's unit; a test is `positive` or not."""

    KINDS = {
        "weight": ("weight", "kg", 25, 350),
        "height": ("height", "cm", 100, 250),
        "sbp": ("resting systolic pressure", "mmHg", 50, 300),
        "dbp": ("resting diastolic pressure", "mmHg", 20, 200),
        "hr": ("resting heart rate", "1/min", 20, 250),
        "ecg": ("ECG", "", None, None),
        "urine": ("urinalysis", "", None, None),
        "liver": ("liver enzymes", "", None, None),
        "kidney": ("creatinine", "", None, None),
        "thyroid": ("TSH", "", None, None),
        "pregnancy": ("pregnancy test", "", None, None),
        "drug screen": ("urine drug screen", "", None, None),
    }
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="measures")
    kind = models.CharField(max_length=12, choices=[(k, v[0]) for k, v in KINDS.items()])
    value = models.FloatField(null=True, blank=True)
    positive = models.BooleanField("positive or not normal", default=False)
    note = models.CharField(max_length=120, blank=True)
    taken_at = models.DateTimeField("taken")
    history = HistoricalRecords()

    class Meta:
        ordering = ["-taken_at", "-id"]

    @property
    def result(self) -> str:
        """The value with its unit, or for a test without one whether it was normal."""
        named = ("negative", "positive") if self.kind in ("pregnancy", "drug screen") else ("normal", "not normal")
        value = "" if self.value is None else f"{self.value:g} {self.unit}".strip()
        return f"{value}, {named[1]}".strip(", ") if self.positive else value or named[0]

    @property
    def unit(self) -> str:
        return self.KINDS[self.kind][1]


class Evaluation(models.Model):
    """The psychiatric evaluation. Once signed it is never edited; a new one supersedes it."""

    INDICATIONS = [
        ("depression", "depression"),
        ("bipolar depression", "bipolar depression"),
        ("ptsd", "PTSD"),
        ("anxiety", "anxiety"),
        ("pain", "chronic pain"),
    ]
    key = models.CharField(max_length=24, unique=True, default=new_key)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="evaluations")
    indication = models.CharField(max_length=20, choices=INDICATIONS)
    icd10 = models.CharField("ICD-10 code", max_length=10, blank=True)
    summary = models.TextField("history and findings")
    suicide_risk = models.CharField(
        "suicide risk",
        max_length=10,
        choices=[("none", "none"), ("low", "low"), ("moderate", "moderate"), ("high", "high")],
    )
    acute_suicidality = models.BooleanField("acute suicidal ideation is the indication", default=False)
    answers = models.JSONField(default=dict)
    cv_event_on = models.DateField("date of the cardiovascular event", null=True, blank=True)
    cleared_medically = models.BooleanField("medically cleared (pressure, heart, airway)", default=False)
    target_scale = models.CharField("target scale", max_length=20, default="PHQ-9")
    baseline_score = models.FloatField("baseline score", null=True, blank=True)
    response_target = models.CharField("response target", max_length=80, default="at least 50 % below baseline")
    stop_rule = models.CharField("stop rule", max_length=120, default="no response after six sessions: stop")
    verdict = models.CharField(max_length=20, blank=True)
    findings = models.JSONField(default=list)
    settings_version = models.CharField(max_length=10, blank=True)
    created_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True)
    signed_by = models.ForeignKey(Staff, models.PROTECT, null=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["-id"]

    def content(self) -> dict[str, object]:
        return {
            "patient": self.patient_id,
            "indication": self.indication,
            "summary": self.summary,
            "answers": self.answers,
            "verdict": self.verdict,
            "findings": self.findings,
            "signed_by": self.signed_by_id,
            "signed_at": self.signed_at.isoformat() if self.signed_at else None,
        }
