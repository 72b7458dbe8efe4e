"""The log of every read and write, chained by hash, and the check that it is whole.

The one thing to know: a row is written in the same transaction as what it speaks of: neither exists alone.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

from regrow.clinic.models import ChainHead, LogRow

# Written once: each row has one log row with the digest of its content.
ONCE = ("Entry", "Movement", "Decision", "Consent", "SettingChange", "Duty")


def digest(content: Any) -> str:
    """The hash of plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def _hash(row: LogRow) -> str:
    said = [
        row.id,
        row.at.isoformat(),
        row.actor,
        row.action,
        row.patient,
        row.model,
        row.row,
        row.digest,
        row.previous,
    ]
    return digest(said)


# SQLite lets one writer in and makes the others try again, later and later; within a process they queue instead.
_turn = threading.RLock()


@contextmanager
def writing() -> Iterator[None]:
    """One transaction, entered in turn: every write of the clinic stands in one."""
    with _turn if connection.vendor == "sqlite" else nullcontext(), transaction.atomic():
        yield


def log(actor: str, action: str, at: datetime, patient: str = "", subject: models.Model | None = None) -> LogRow:
    """Appends one row to the chain, inside the caller's transaction (one is made if there is none)."""
    with writing():
        head = ChainHead.objects.select_for_update().get_or_create(pk=1)[0]
        row = LogRow(
            id=head.last + 1, at=at, actor=actor[:150], action=action[:40], patient=patient, previous=head.hash
        )
        if subject is not None:
            row.model, row.row = type(subject).__name__, subject.pk
            if type(subject).__name__ in ONCE:
                row.digest = digest(subject.content())  # type: ignore[attr-defined]
        row.hash = _hash(row)
        row.save(force_insert=True)
        ChainHead.objects.filter(pk=1).update(last=row.id, hash=row.hash)
    return row


@dataclass(frozen=True)
class Check:
    """What the check of the chain found: rows read, the newest hash, and every fault in words."""

    rows: int
    head: str
    faults: tuple[str, ...]


def verify() -> Check:
    """Reads the whole log and every written-once row; names each row changed, missing or not logged."""
    faults = list(_faults())
    head = ChainHead.objects.filter(pk=1).first()
    return Check(LogRow.objects.count(), head.hash if head else "", tuple(faults))


def _faults() -> Iterator[str]:
    previous, expected = "0" * 64, 1
    logged: dict[str, dict[int, str]] = {name: {} for name in ONCE}
    for row in LogRow.objects.order_by("id").iterator(2000):
        if row.id != expected:
            yield f"log row {expected} is missing (found {row.id})"
        if row.previous != previous:
            yield f"log row {row.id} does not follow the row before it"
        if row.hash != _hash(row):
            yield f"log row {row.id} was changed"
        if row.model in logged and row.digest and row.row is not None:
            logged[row.model][row.row] = row.digest
        previous, expected = row.hash, row.id + 1
    head = ChainHead.objects.filter(pk=1).first()
    if (head.last, head.hash) != (expected - 1, previous) if head else expected > 1:
        yield "the end of the log is missing"
    for name in ONCE:
        model = apps.get_model("clinic", name)
        seen = set()
        for each in model._default_manager.order_by("pk").iterator(2000):
            seen.add(each.pk)
            if each.pk not in logged[name]:
                yield f"{name} {each.pk} was written without a log row"
            elif digest(each.content()) != logged[name][each.pk]:
                yield f"{name} {each.pk} was changed"
        for gone in sorted(set(logged[name]) - seen):
            yield f"{name} {gone} was taken out"
