"""A course: what is ordered, who decided what, consent, and the sessions booked."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from regrow.clinic.models.patients import Evaluation, Patient
from regrow.clinic.models.people import Chair, Staff, new_key


class Course(models.Model):
    """One signed order for a series. `doses` are texts as ordered ("0.5 mg/kg"), one per session; mg are worked out on
    the day from that day's weight."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="courses")
    evaluation = models.ForeignKey(Evaluation, models.PROTECT)
    protocol = models.CharField(max_length=60)
    drug = models.CharField(max_length=20)
    route = models.CharField(max_length=20)
    use = models.CharField(max_length=5, choices=[("mood", "mood"), ("pain", "pain")])
    duration_min = models.FloatField(default=0)
    basis = models.CharField(
        "weight basis", max_length=10, choices=[("actual", "actual"), ("ideal", "ideal"), ("adjusted", "adjusted")]
    )
    basis_chosen = models.BooleanField(default=False)
    days = models.JSONField(default=list)
    doses = models.JSONField(default=list)  # what each session gives, as ordered
    findings = models.JSONField(default=list)
    settings_version = models.CharField(max_length=10)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    signed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="courses_signed")
    signed_at = models.DateTimeField(null=True)
    second_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="courses_second_signed")
    second_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_reason = models.CharField(max_length=200, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["-id"]

    def content(self) -> dict[str, object]:
        names = (
            "patient_id",
            "protocol",
            "drug",
            "route",
            "use",
            "doses",
            "duration_min",
            "basis",
            "days",
            "findings",
            "settings_version",
            "signed_by_id",
            "second_by_id",
        )
        return {name: getattr(self, name) for name in names}

    @property
    def needs_second(self) -> bool:
        return any(f["clearance"] == "second signature" for f in self.findings)

    @property
    def in_force(self) -> bool:
        return bool(self.signed_at) and self.ended_at is None and (bool(self.second_at) or not self.needs_second)


class Consent(models.Model):
    """A signed consent: to one version of the text, for one course."""

    course = models.ForeignKey(Course, models.PROTECT, related_name="consents")
    text_version = models.CharField(max_length=20)
    text_hash = models.CharField(max_length=64)
    signed_name = models.CharField(max_length=120)
    capacity = models.BooleanField()
    at = models.DateTimeField()
    by = models.ForeignKey(Staff, models.PROTECT)

    class Meta:
        ordering = ["id"]

    def content(self) -> dict[str, object]:
        return {
            "course": self.course_id,
            "version": self.text_version,
            "text": self.text_hash,
            "name": self.signed_name,
            "capacity": self.capacity,
            "at": self.at.isoformat(),
            "by": self.by_id,
        }


class Decision(models.Model):
    """A prescriber lets the work go on in spite of a finding: rule, subject, reason, signature. Appended only."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="decisions")
    evaluation = models.ForeignKey(Evaluation, models.PROTECT, null=True)
    course = models.ForeignKey(Course, models.PROTECT, null=True)
    rule = models.CharField(max_length=10)
    subject = models.CharField(max_length=120, blank=True)
    finding = models.JSONField()
    reason = models.TextField()
    by = models.ForeignKey(Staff, models.PROTECT)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def content(self) -> dict[str, object]:
        return {
            "patient": self.patient_id,
            "rule": self.rule,
            "subject": self.subject,
            "finding": self.finding,
            "reason": self.reason,
            "by": self.by_id,
            "at": self.at.isoformat(),
        }


class Session(models.Model):
    """One booked visit in a chair. Its state is computed from its entries; nothing here ticks."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    course = models.ForeignKey(Course, models.PROTECT, related_name="sessions")
    number = models.IntegerField()
    phase = models.CharField(max_length=40, blank=True)
    chair = models.ForeignKey(Chair, models.PROTECT)
    planned_at = models.DateTimeField()
    block_min = models.FloatField(default=120)
    cancelled_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["planned_at", "id"]
        constraints = [models.UniqueConstraint(fields=["course", "number"], name="one_session_of_a_number_per_course")]
