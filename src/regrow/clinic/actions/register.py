"""Writes of the controlled-drug register: lots and movements, each witnessed where the rules ask for it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.hashers import check_password
from django.utils import timezone

from regrow.clinic import access
from regrow.clinic.actions import Act, action
from regrow.clinic.actions.session import IDEM
from regrow.clinic.models import Lot, Movement, Session, Site, Staff
from regrow.refusal import Refusal
from regrow.safety import RegisterFacts, register_findings

IN, OUT = ("received",), ("drawn", "returned")


@action("register.write")
def record_lot(act: Act, site: Site, values: dict[str, Any]) -> Lot:
    """The lot; the same number at the same site is one lot. Refuses a drug and strength that do not belong together."""
    if (values["drug"] == "esketamine") != (values["strength"] == 0):
        raise Refusal(
            "LOT-STRENGTH",
            "lot: esketamine comes as 28 mg devices here, ketamine as 10, 50 or 100 mg/mL vials.",
            field="strength",
            value=values["strength"],
        )
    lot, new = Lot.objects.get_or_create(site=site, drug=values["drug"], number=values["number"], defaults=values)
    if new:
        act.log("write lot", lot)
    return lot


def witness_by_pin(act: Act, pk: str, pin: str) -> Staff | None:
    """The second person, who typed their own PIN; None when nobody was named. Refuses a wrong PIN."""
    if not pk:
        return None
    other = access.staff_member(act.staff, pk)
    if not other.pin or not check_password(pin, other.pin):
        raise Refusal("WITNESS-PIN", f"witness {other.name}: the PIN is not right.", field="witness_pin")
    return other


@action("register.write")
def move(
    act: Act,
    lot: Lot,
    idem: str,
    kind: str,
    mg: float,
    session: Session | None = None,
    witness: Staff | None = None,
    note: str = "",
) -> Movement:
    """One line of the register with the balance after it; the same key twice is one line."""
    if not IDEM.fullmatch(idem):
        raise Refusal("ENTRY-KEY", "register: its key is missing; reload the page.", field="key")
    Lot.objects.select_for_update().get(pk=lot.pk)
    before = Movement.objects.filter(idem=idem).first()
    if before is not None:
        if (before.lot_id, before.kind, before.mg) != (lot.pk, kind, mg):
            raise Refusal("KEY-REUSED", "register: this key was used for something else; reload the page.", field="key")
        return before
    balance = access.balance(lot)
    facts = RegisterFacts(
        kind, mg, balance, witness.name if witness else "", act.staff.name, lot.expires < timezone.localdate(act.now)
    )
    found = register_findings(facts, access.settings_now())
    blocking = [f for f in found if f.blocks]
    if blocking:
        raise Refusal(blocking[0].rule, f"register: {blocking[0].sentence}", field="mg", value=mg)
    if found and len(note) < 5:
        raise Refusal(found[0].rule, f"register: {found[0].sentence} Write why.", field="note")
    after = balance + mg if kind in IN else balance - mg if kind in OUT else mg if kind == "counted" else balance
    if session is not None and kind in ("drawn", "given", "wasted") and session.course.drug != lot.drug:
        raise Refusal(
            "LOT-DRUG", f"register: lot {lot.number} is {lot.drug}, the order is {session.course.drug}.", field="lot"
        )
    row = Movement.objects.create(
        lot=lot,
        idem=idem,
        kind=kind,
        mg=mg,
        balance=round(after, 3),
        session=session,
        by=act.staff,
        witness=witness,
        note=note[:200],
        at=act.now,
    )
    act.log(f"register {kind}", row, session.course.patient if session else None)
    return row
