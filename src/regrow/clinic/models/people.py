"""The clinic and its staff: sites, chairs, people with a role and credentials, who is on duty, one-time links."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from regrow.clinic.roles import ROLES


def new_key() -> str:
    """A name for a URL that nobody can guess: 96 random bits."""
    return secrets.token_hex(12)


class Site(models.Model):
    name = models.CharField(max_length=80, unique=True)

    def __str__(self) -> str:
        return self.name


class Chair(models.Model):
    site = models.ForeignKey(Site, models.PROTECT, related_name="chairs")
    name = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_chair_of_a_name_per_site")]
        ordering = ["site_id", "id"]

    def __str__(self) -> str:
        return self.name


class Staff(models.Model):
    """What the clinic knows of a signed-in person. `pin` is a salted hash; `role` one of five."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="staff")
    role = models.CharField(max_length=20, choices=[(r, r) for r in ROLES])
    sites = models.ManyToManyField(Site, related_name="staff")
    name = models.CharField(max_length=80)
    licence_until = models.DateField(null=True, blank=True)
    life_support_until = models.DateField(null=True, blank=True)
    pin = models.CharField(max_length=128, blank=True)
    active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "staff"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Duty(models.Model):
    """A prescriber comes on duty at a site (`on`) or goes off it; appended, never changed."""

    site = models.ForeignKey(Site, models.PROTECT)
    staff = models.ForeignKey(Staff, models.PROTECT)
    on = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def content(self) -> dict[str, object]:
        return {"site": self.site_id, "staff": self.staff_id, "on": self.on, "at": self.at.isoformat()}


class OneTimeLink(models.Model):
    """A link that signs a person in once. Only the hash of its token is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
