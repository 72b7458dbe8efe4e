"""What is written once: the entries of a session, the log of every read and write, and changed settings."""

from __future__ import annotations

from django.db import models

from regrow.clinic.models.courses import Session
from regrow.clinic.models.people import Staff


class Entry(models.Model):
    """One fact of a session. `idem` is the sender's key: the same key twice is one entry.

    `measured_at` is when it was true, `made_at` what the device's own clock said, `recorded_at` when the server had it.
    """

    session = models.ForeignKey(Session, models.PROTECT, related_name="entries")
    idem = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16)
    payload = models.JSONField()
    measured_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    author = models.ForeignKey(Staff, models.PROTECT)
    device = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["id"]

    def content(self) -> dict[str, object]:
        return {
            "session": self.session_id,
            "idem": self.idem,
            "kind": self.kind,
            "payload": self.payload,
            "measured_at": self.measured_at.isoformat(),
            "recorded_at": self.recorded_at.isoformat(),
            "author": self.author_id,
        }


class SettingChange(models.Model):
    """A clinic moves one number of the safety rules; the newest change of a name holds."""

    name = models.CharField(max_length=40)
    value = models.FloatField()
    reason = models.CharField(max_length=200)
    by = models.ForeignKey(Staff, models.PROTECT)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def content(self) -> dict[str, object]:
        return {
            "name": self.name,
            "value": self.value,
            "reason": self.reason,
            "by": self.by_id,
            "at": self.at.isoformat(),
        }


class ChainHead(models.Model):
    """The newest hash of the log; one row, locked by every writer in turn."""

    last = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)


class LogRow(models.Model):
    """Who saw or did what, when: chained by hash, so that a row changed or taken out shows. No clinical content."""

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=40)
    patient = models.CharField(max_length=24, blank=True, db_index=True)
    model = models.CharField(max_length=30, blank=True)
    row = models.BigIntegerField(null=True)
    digest = models.CharField(max_length=64, blank=True)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["model", "row"], name="log_by_subject")]
