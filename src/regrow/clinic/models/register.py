"""The controlled-drug register: lots and movements. A movement is never changed; a mistake is another one."""

from __future__ import annotations

from django.db import models

from regrow.clinic.models.courses import Session
from regrow.clinic.models.people import Site, Staff, new_key


class Lot(models.Model):
    """Vials (or nasal devices) of one lot at one site. Strength in mg/mL (0 for devices)."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    site = models.ForeignKey(Site, models.PROTECT)
    drug = models.CharField(max_length=20, choices=[("ketamine", "ketamine"), ("esketamine", "esketamine")])
    number = models.CharField("lot number", max_length=40)
    strength = models.FloatField(
        "strength, mg/mL", choices=[(10, "10 mg/mL"), (50, "50 mg/mL"), (100, "100 mg/mL"), (0, "28 mg nasal device")]
    )
    expires = models.DateField()

    class Meta:
        ordering = ["expires", "id"]
        constraints = [models.UniqueConstraint(fields=["site", "drug", "number"], name="one_lot_of_a_number_per_site")]


class Movement(models.Model):
    """One line of the register: mg in (received) or out (drawn, returned), or said of what is out (given, wasted)."""

    KINDS = [
        ("received", "received"),
        ("drawn", "drawn"),
        ("given", "given"),
        ("wasted", "wasted"),
        ("returned", "sent back"),
        ("counted", "counted"),
    ]
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="movements")
    idem = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=10, choices=KINDS)
    mg = models.FloatField()
    balance = models.FloatField()
    session = models.ForeignKey(Session, models.PROTECT, null=True, related_name="movements")
    by = models.ForeignKey(Staff, models.PROTECT, related_name="movements")
    witness = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="movements_witnessed")
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def content(self) -> dict[str, object]:
        return {
            "lot": self.lot_id,
            "idem": self.idem,
            "kind": self.kind,
            "mg": self.mg,
            "balance": self.balance,
            "session": self.session_id,
            "by": self.by_id,
            "witness": self.witness_id,
            "at": self.at.isoformat(),
        }
