"""The esketamine monitoring form: which fields it has (data, versioned) and what the record already knows of them.

The one thing to know: the record fills in what it knows, a person reads it over and keeps it; the programme's own form
is sent from it by hand. Nothing is sent from here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from django.utils import timezone

from regrow.clinic.states import Reading, State
from regrow.refusal import Refusal
from regrow.safety import classes_of


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    kind: str = "text"  # text | yes-no | number


@dataclass(frozen=True)
class Form:
    version: str
    title: str
    source: str
    due_days: int
    fields: tuple[Field, ...]


@cache
def form() -> Form:
    """The form in force."""
    held = tomllib.loads(files("regrow.clinic").joinpath("rems.toml").read_text("utf-8"))
    fields = tuple(Field(**row) for row in held.pop("field"))
    return Form(**held, fields=fields)


def due(treated: datetime) -> datetime:
    """Until when the form of a treatment is to be sent."""
    return treated + timedelta(days=form().due_days)


def read(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of a kept form: its version, the fields as text, whether it was sent. Refuses what is no field."""
    known = {f.name: f for f in form().fields}
    kept: dict[str, str] = {}
    for name, value in {**sent.get("fields", {}), **{k[2:]: v for k, v in sent.items() if k.startswith("r_")}}.items():
        if name not in known:
            raise Refusal("ENTRY-FIELD", f"rems: field {name!r} is not on form {form().version}.", field=name)
        text = str(value).strip()[:300]
        if known[name].kind == "yes-no" and text not in ("", "yes", "no"):
            raise Refusal("ENTRY-VALUE", f"rems: {known[name].label} {text!r} is neither yes nor no.", field=name)
        if text:
            kept[name] = text
    for name in sent:
        if name not in ("fields", "sent", "form_version", "clock_off_s") and not name.startswith("r_"):
            raise Refusal("ENTRY-FIELD", f"rems: field {name!r} is not known.", field=name)
    done = sent.get("sent") in (True, "yes", "on")
    if done and (missing := [f.label for f in form().fields if f.kind == "yes-no" and f.name not in kept]):
        raise Refusal(
            "REMS-MISSING", f"rems: {missing[0]} is not answered ({len(missing)} open); answer before it is sent."
        )
    return {"form_version": form().version, "fields": kept, "sent": done}


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _pressure(reading: Reading | None) -> str:
    return f"{reading.vitals.sbp:g}/{reading.vitals.dbp or 0:g}" if reading and reading.vitals.sbp else ""


def _span(readings: Iterable[Reading], name: str, normal: float) -> tuple[str, str]:
    """Whether a sign left its normal value after the drug, and from which minute to which."""
    seen = [(r.vitals.minute, getattr(r.vitals, name)) for r in readings if getattr(r.vitals, name) is not None]
    off = [at for at, value in seen if value != normal]
    if not off:
        return "no", ""
    back = next((at for at, value in seen if at > off[-1] and value == normal), None)
    return "yes", f"{off[0]:.0f} to {'' if back is None else format(back, '.0f')}"


def known(
    s: State, *, patient: Any, site: str, first: bool, medicines: Iterable[str], prescriber: str, lots: Iterable[str]
) -> dict[str, str]:
    """What the record knows of the form's fields, as text."""
    taken = {name for medicine in medicines for name in classes_of(medicine)}
    after = [r for r in s.readings if s.started is not None and r.at > s.started]
    pressures = [r for r in after if r.vitals.sbp is not None]
    before = [r for r in s.readings if s.started is not None and r.at <= s.started and r.vitals.sbp is not None]
    forty = min((r for r in pressures), key=lambda r: abs(r.vitals.minute - 40), default=None)
    sedation, dissociation = _span(after, "moaas", 5), _span(after, "dissociation", 0)
    minutes = (s.discharged - s.started).total_seconds() / 60 if s.discharged and s.started else None
    counted = [(r.vitals.rr, r.vitals.spo2) for r in after]  # no breath at all is a count of 0
    breathing = any((rr is not None and rr < 8) or (spo2 is not None and spo2 < 90) for rr, spo2 in counted)
    serious = [f for f in s.events if f.payload.get("serious")]
    return {
        "patient_name": patient.name,
        "born": patient.born.isoformat(),
        "sex": patient.sex,
        "first_treatment": _yes(first),
        "enrolled": _yes(patient.rems_enrolled),
        "benzodiazepine": _yes("benzodiazepine" in taken),
        "sedative": _yes("other sedative" in taken),
        "opioid": _yes("opioid" in taken),
        "stimulant": _yes("psychostimulant" in taken),
        "maoi": _yes("MAO inhibitor" in taken),
        "prescriber": prescriber,
        "setting": site,
        "date": timezone.localdate(s.started).isoformat() if s.started else "",
        "dose_mg": f"{s.given_mg:g}",
        "lot": ", ".join(dict.fromkeys(lots)),
        "total_minutes": "" if minutes is None else f"{minutes:.0f}",
        "vitals_before_ok": _yes(before),
        "vitals_end_ok": _yes(s.discharged),
        "bp_before": _pressure(before[-1] if before else None),
        "bp_40": _pressure(forty if forty and abs(forty.vitals.minute - 40) <= 10 else None),
        "bp_end": _pressure(pressures[-1] if pressures else None),
        "oximetry_checks": str(sum(r.vitals.spo2 is not None for r in after)),
        "sedation": sedation[0],
        "sedation_times": sedation[1],
        "dissociation": dissociation[0],
        "dissociation_times": dissociation[1],
        "respiratory_depression": _yes(breathing),
        "serious_event": _yes(serious),
        "serious_event_text": "; ".join(str(f.payload["what"]) for f in serious),
    }
