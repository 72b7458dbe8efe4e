"""What each kind of entry may carry: names, types, ranges. Impossible values are refused; implausible ones ask back.

The one thing to know: nothing unknown is kept and nothing is dropped in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from regrow.clinic import rems
from regrow.refusal import Refusal
from regrow.safety import BLADDER_SYMPTOMS
from regrow.safety.alarms import SYMPTOMS

# sign: what it is called, unit, impossible below and above, plausible from and to (all assumed)
RANGES: dict[str, tuple[str, str, float, float, float, float]] = {
    "sbp": ("systolic pressure", "mmHg", 30, 300, 70, 220),
    "dbp": ("diastolic pressure", "mmHg", 10, 200, 35, 130),
    "hr": ("heart rate", "1/min", 15, 260, 40, 160),
    "spo2": ("SpO2", "%", 40, 100, 80, 100),
    "rr": ("breathing", "1/min", 0, 70, 6, 35),
    "temp": ("temperature", "°C", 28, 44, 34, 40),
    "moaas": ("MOAA/S", "0-5", 0, 5, 0, 5),
    "dissociation": ("dissociation", "0-10", 0, 10, 0, 10),
    "etco2": ("EtCO2", "mmHg", 0, 120, 15, 70),
}
CHIPS = (
    "nausea",
    "vomiting",
    "dizziness",
    "anxious",
    "sleepy",
    "headache",
    "double vision",
    "calm",
    "cannula checked",
    "prescriber called",
)
CARDS = {
    "severe hypertension": (
        "pause the drug",
        "recheck in 5 min",
        "call the prescriber",
        "standing order",
        "emergency number",
    ),
    "breathing": ("stop the drug", "stimulate, jaw thrust", "oxygen, bag-valve-mask", "emergency number"),
    "laryngospasm": ("stop the drug", "oxygen 100 %, jaw thrust", "suction", "emergency number"),
    "agitation": ("quiet and dim", "stay and coach", "pause the drug", "call the prescriber"),
    "vomiting": ("turn to the side", "suction", "antiemetic by standing order"),
    "seizure": ("stop the drug", "airway", "benzodiazepine by standing order", "emergency number"),
    "anaphylaxis": ("stop the drug", "epinephrine by standing order", "oxygen, fluids", "emergency number"),
    "collapse": ("lay flat, legs up", "atropine by standing order", "emergency number"),
    "cardiac arrest": ("resuscitation", "defibrillator", "emergency number"),
    "suicidal crisis": ("one to one", "call the prescriber", "crisis line", "hold the order"),
    "pump error": ("clamp, stop", "watch the airway 2 h", "incident report"),
}

_YES_NO = "yes or no"
_FIELDS: dict[str, dict[str, Any]] = {
    "arrive": {},
    "nurse": {},
    "accept": {},
    "resume": {},
    "discharge": {"destination": 80, "note": 400},
    "offer": {"to": int},
    "gate": {
        "identity_checked": _YES_NO,
        "escort_name": 80,
        "escort_phone": 40,
        "solids_hours": (0, 72),
        "fluids_hours": (0, 72),
        "nasal_hours": (0, 720),
        "alcohol_hours": (0, 8760),
        "benzo_hours": (0, 8760),
        "intoxicated": _YES_NO,
        "new_suicidal_ideation": _YES_NO,
        "medicines_changed": _YES_NO,
        "medicines_reviewed": _YES_NO,
        "bladder": BLADDER_SYMPTOMS,
        "mania_symptoms": _YES_NO,
        "room_ready": _YES_NO,
    },
    "decision": {"rule": 10, "subject": 120, "reason": 400},
    "line": {"what": ("placed", "checked", "removed"), "site": 60, "gauge": 10, "attempts": (1, 10), "patent": _YES_NO},
    "start": {
        "read_back_mg": (0, 2000),
        "first_mg": (0, 2000),
        "pump": 40,
        "bag_ml": (1, 1000),
        "vial": (1, 100),
        "site": 60,
    },
    "dose": {"mg": (0, 2000), "site": 60},
    "rate": {"mg_per_h": (0, 2000), "reason": 200},
    "pause": {"reason": 200},
    "stop": {"reason": 200, "given_mg": (0, 2000)},
    "chip": {"what": CHIPS},
    "event": {"what": 120, "severity": ("mild", "moderate", "severe"), "serious": _YES_NO, "outcome": 120},
    "step": {"card": tuple(CARDS), "step": 80},
    "miss": {"reason": 200},
    "ack": {"rule": 10, "reason": 200},
    "check": {
        "oriented": _YES_NO,
        "aldrete": 5,
        "padss": 5,
        "walks": _YES_NO,
        "nausea_controlled": _YES_NO,
        "new_suicidal_ideation": _YES_NO,
        "crisis_card": _YES_NO,
        "escort_name": 80,
        "escort_present": _YES_NO,
        "instructions_read_back": _YES_NO,
        "no_driving_acknowledged": _YES_NO,
        "belongings": _YES_NO,
    },
    "sign": {"reason": 200},
    "cancel": {"reason": 200},
    "note": {"text": 2000},
}
_NEEDED = {
    "offer": ("to",),
    "decision": ("rule", "reason"),
    "line": ("what",),
    "rate": ("mg_per_h", "reason"),
    "pause": ("reason",),
    "stop": ("reason",),
    "chip": ("what",),
    "event": ("what", "severity"),
    "step": ("card", "step"),
    "miss": ("reason",),
    "ack": ("rule", "reason"),
    "cancel": ("reason",),
    "note": ("text",),
}
_SCORES = {"aldrete", "padss"}
_LONG_ENOUGH = {"reason"}


def _refuse(field: str, value: object, sentence: str) -> Refusal:
    return Refusal("ENTRY-VALUE", f"{field} {value!r}: {sentence}", field=field, value=value)


def number(field: str, value: object, low: float, high: float, unit: str = "") -> float:
    """A finite number inside its limits; refuses with field, value and limits."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise _refuse(field, value, "is not a number; type digits.") from None
    if not math.isfinite(found) or not low <= found <= high:
        raise Refusal(
            "ENTRY-RANGE",
            f"{field} {value} {unit} is outside {low:g} to {high:g} {unit}; measure again.",
            field=field,
            value=value,
        )
    return found


def yes_no(field: str, value: object) -> bool | None:
    """True, False, or None when not answered."""
    said = {True: True, False: False, "yes": True, "no": False, "on": True, "": None, None: None}
    if value not in said:
        raise _refuse(field, value, "is neither yes nor no.")
    return said[value]  # type: ignore[index]


def read_vitals(sent: Mapping[str, Any]) -> dict[str, Any]:
    """A vitals payload; an implausible value asks back (IMPLAUSIBLE) until confirmed, an impossible one is refused."""
    known = {*RANGES, "distress", "agitated", "site_trouble", "symptoms", "confirmed", "late_reason", "clock_off_s"}
    _unknown("vitals", sent, known)
    kept: dict[str, Any] = {}
    odd = []
    for name, (title, unit, low, high, plausible_low, plausible_high) in RANGES.items():
        if sent.get(name) in (None, ""):
            continue
        value = number(title, sent[name], low, high, unit)
        if not plausible_low <= value <= plausible_high:
            odd.append(f"{title} {value:g} {unit}")
        kept[name] = value
    if not kept:
        raise Refusal("VITALS-EMPTY", "vitals: no value was typed; type at least one.", field="sbp")
    if "sbp" in kept and "dbp" in kept and kept["dbp"] >= kept["sbp"]:
        raise Refusal(
            "ENTRY-RANGE",
            f"pressure {kept['sbp']:g}/{kept['dbp']:g}: the lower is not below the upper; measure again.",
            field="dbp",
            value=kept["dbp"],
        )
    if odd and not yes_no("confirmed", sent.get("confirmed")):
        raise Refusal(
            "IMPLAUSIBLE", f"{', '.join(odd)}: unusual. Is it right? Confirm, or measure again.", field="confirmed"
        )
    if odd:
        kept["confirmed"] = True
    for name in ("distress", "agitated", "site_trouble"):
        if yes_no(name, sent.get(name)):
            kept[name] = True
    if sent.get("symptoms"):
        kept["symptoms"] = _several("symptoms", sent["symptoms"], SYMPTOMS)
    if sent.get("late_reason"):
        kept["late_reason"] = str(sent["late_reason"])[:200]
    return kept


def _several(field: str, value: object, known: tuple[str, ...]) -> list[str]:
    picked = [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
    for each in picked:
        if each not in known:
            raise _refuse(field, each, f"is none of {', '.join(known)}.")
    return picked


def _unknown(kind: str, sent: Mapping[str, Any], known: Any) -> None:
    for name, value in sent.items():
        if any(ord(c) == 0 or 0xD800 <= ord(c) < 0xE000 for c in str(value)):
            raise Refusal("ENTRY-TEXT", f"{kind}: {name} holds a character that is no text; type it anew.", field=name)
        if name not in known:
            raise Refusal("ENTRY-FIELD", f"{kind}: field {name!r} is not known.", field=str(name))


def read_payload(kind: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of an entry as it is kept; refuses what it may not carry."""
    if kind == "vitals":
        return read_vitals(sent)
    if kind in ("correct", "strike"):
        return _correction(kind, sent)
    if kind == "rems":
        return rems.read(sent)
    fields = _FIELDS[kind]
    _unknown(kind, sent, (*fields, "clock_off_s", "nothing_new"))
    kept: dict[str, Any] = {}
    for name, form in fields.items():
        value = sent.get(name)
        if value is None or value == "":
            continue
        kept[name] = _read(name, value, form)
    if kind == "gate" and "bladder" not in kept and yes_no("nothing_new", sent.get("nothing_new")):
        kept["bladder"] = []
    for name in _NEEDED.get(kind, ()):
        if name not in kept or (name in _LONG_ENOUGH and len(str(kept[name])) < 3):
            raise Refusal("ENTRY-MISSING", f"{kind}: {name} is missing; fill it in.", field=name)
    return {k: v for k, v in kept.items() if v is not None}


def _read(name: str, value: Any, form: Any) -> Any:
    if name in _SCORES:
        parts = value.split(",") if isinstance(value, str) else list(value)
        if len(parts) != 5 or any(str(p) not in ("0", "1", "2") for p in parts):
            raise _refuse(name, value, "needs five items of 0, 1 or 2.")
        return [int(p) for p in parts]
    if form == _YES_NO:
        return yes_no(name, value)
    if form is int:
        return int(number(name, value, 0, 2**31))
    if isinstance(form, int):
        return str(value).strip()[:form]
    if form and isinstance(form[0], str):
        if name == "bladder":
            return _several(name, value, form)
        if value not in form:
            raise _refuse(name, value, f"is none of {', '.join(form)}.")
        return value
    return number(name, value, *form)


def _correction(kind: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    reason = str(sent.get("reason", "")).strip()
    if len(reason) < 3:
        raise Refusal("ENTRY-MISSING", f"{kind}: reason is missing; fill it in.", field="reason")
    kept: dict[str, Any] = {"of": int(number("of", sent.get("of"), 1, 2**62)), "reason": reason[:200]}
    if kind == "correct":
        if not isinstance(sent.get("payload"), Mapping):
            raise Refusal("ENTRY-MISSING", "correct: payload is missing.", field="payload")
        kept["payload"] = dict(sent["payload"])
    return kept
