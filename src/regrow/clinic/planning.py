"""From a protocol of the catalog to what a clinic orders: the dose of each session, its mg on the day, free chairs.

The one thing to know: doses stay as text ("0.5 mg/kg") until the day; mg come from the newest weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from regrow.clinic.states import Order
from regrow.dosing import WEIGHTS, given
from regrow.refusal import Refusal
from regrow.regimen import Protocol, read_days, revise
from regrow.safety import DoseSheet, Settings, Weights, pump_sheet, rounds, weights
from regrow.safety.dose import PAIN_MIN

PREPARATION_MIN, CLEARING_MIN = 15, 15


@dataclass(frozen=True)
class Plan:
    """One protocol as a clinic orders it: one dose text per session."""

    protocol: str
    title: str
    source: str
    note: str
    drug: str
    route: str
    use: str
    duration_min: float
    days: tuple[float, ...]
    doses: tuple[str, ...]
    phases: tuple[str, ...]
    assumed: tuple[str, ...]
    open_ended: bool


def plan_of(
    protocol: Protocol, *, dose: str = "", duration_min: float | None = None, days: str = "", route: str = ""
) -> Plan:
    """The plan of a protocol's fixed part, with the clinic's own dose, duration, days or route in place of its own.

    Refuses a session of several different doses (PLAN-SEVERAL), and as the catalog and `regimen` refuse.
    """
    own = _fixed(protocol, days)[0].doses[0]
    if route and route != own.route:
        protocol = revise(protocol, route=route, dose=dose or None)
    held = _fixed(protocol, days)
    first = held[0].doses[0]
    minutes = duration_min if duration_min is not None else first.duration_h * 60
    texts = []
    for session in held:
        one = session.doses[0]
        if len(session.doses) > 1 and not one.device:
            raise Refusal(
                "PLAN-SEVERAL",
                f"{protocol.id}: a session gives several different doses; the session screen "
                "holds one. Choose another protocol.",
                field="protocol",
                value=protocol.id,
            )
        if dose:
            given(dose, one.drug, one.route, f"{minutes} min" if one.route == "iv" else None)
            texts.append(dose)
        elif one.device:
            texts.append(f"{sum(d.amount for d in session.doses):g} mg")
        else:
            texts.append(one.text)
    return Plan(
        protocol.id,
        protocol.title,
        protocol.source,
        protocol.note,
        first.drug,
        first.route,
        # A protocol is one for pain by its own length: minutes typed too long make no mood course a pain course, for
        # then the limits of a mood dose would be gone.
        "pain" if own.duration_h * 60 > PAIN_MIN else "mood",
        minutes,
        tuple(s.day for s in held),
        tuple(texts),
        tuple(s.phase for s in held),
        protocol.assumed,
        protocol.open_ended,
    )


def _fixed(protocol: Protocol, days: str):
    from regrow.regimen import Phase, opening

    if days:
        doses = protocol.phases[0].doses if protocol.phases else (protocol.doses,)
        protocol = replace(protocol, phases=(Phase("given days", doses, days=read_days(days)),))
    sessions, progress = opening(protocol, 366.0)
    fixed = [s for s in sessions if s.day in set(protocol.days)] or list(sessions)
    return fixed if progress is None or protocol.days else list(sessions)


def mg_of(
    text: str, drug: str, route: str, duration_min: float, weight: float, height: float | None, female: bool, basis: str
) -> float:
    """mg of base of one ordered dose for this body, on the chosen weight basis."""
    hours = f"{duration_min} min" if route == "iv" and duration_min else None
    doses = given(text, drug, route, hours or ("0 min" if route == "iv" else None))
    if basis != "actual" and "kg" in text:
        doses = tuple(replace(d, weight=basis) if d.weight == "actual" else d for d in doses)
    return float(sum(d.mg(weight, height, female) for d in doses))


@dataclass(frozen=True)
class Arithmetic:
    """How the mg of one session came about, in a line a person can check."""

    mg: float
    line: str
    sheet: DoseSheet | None
    weights: Weights | None


def arithmetic(
    text: str,
    drug: str,
    route: str,
    duration_min: float,
    weight: float,
    height: float | None,
    female: bool,
    basis: str,
    vial: float | None = None,
    bag_ml: float | None = None,
) -> Arithmetic:
    """The mg of a session and the arithmetic behind it; with a vial strength also mL and mL/h."""
    all_weights = weights(weight, height, female) if height else None
    mg = mg_of(text, drug, route, duration_min, weight, height, female, basis)
    named = next((each for each in WEIGHTS if each in text), basis)  # "0.5 mg/kg ideal" says its own weight
    kg = getattr(all_weights, named) if all_weights else weight
    line = f"{text} × {kg:g} kg ({named} weight)" if "kg" in text else text
    line += f" × {duration_min:g} min" if "/h" in text else ""
    line += "" if line == f"{mg:g} mg" else f" = {mg:.4g} mg"
    if "hydrochloride" in text or "HCl" in text:
        line += " of base, as vials are labelled"
    if duration_min and route == "iv":
        line += f"; in {duration_min:g} min: {mg / duration_min * 60:.4g} mg/h"
    if drug == "esketamine" and route == "intranasal":
        line += f"; {mg / 28:g} devices of 28 mg, 5 min apart"
    sheet = pump_sheet(mg, weight, duration_min, vial, bag_ml) if vial else None
    return Arithmetic(mg, line, sheet, all_weights)


def order_of(
    drug: str,
    route: str,
    use: str,
    mg: float,
    duration_min: float,
    settings: Settings,
    maoi: bool,
    weight: float | None = None,
) -> Order:
    """The order of one session with the watch that belongs to it; `weight` in kg, None where none is known."""
    devices = round(mg / 28) if drug == "esketamine" and route == "intranasal" else 0
    return Order(
        drug,
        route,
        use,
        mg,
        duration_min if route == "iv" else 0.0,
        rounds(drug, route, use, settings, maoi=maoi),
        devices,
        weight,
    )


def block_minutes(duration_min: float, watch_min: float, from_end: bool) -> float:
    """How long a chair is taken: preparation, drug, watching, clearing."""
    return PREPARATION_MIN + (duration_min if from_end else 0) + watch_min + CLEARING_MIN


@dataclass(frozen=True)
class Slot:
    """One proposed visit: when, which chair is free (None: none), and what stands against it in words."""

    number: int
    day: float
    phase: str
    at: datetime
    chair: int | None
    clash: str = ""


def place(
    wanted: Sequence[tuple[Slot, int | None]],
    block_min: float,
    chairs: Mapping[int, str],
    taken: Sequence[tuple[int, datetime, datetime]],
) -> list[Slot]:
    """The visits in chairs (number to name): each in the chair asked for, or the first that is free where none is; a
    visit without a chair carries its clash. Visits placed before count as taken."""
    held, slots = list(taken), []
    for slot, asked in wanted:
        until = slot.at + timedelta(minutes=block_min)
        busy = {chair for chair, begin, end in held if begin < until and slot.at < end}
        free = [chair for chair in chairs if chair not in busy and asked in (None, chair)]
        if free:
            held.append((free[0], slot.at, until))
            slots.append(replace(slot, chair=free[0], clash=""))
        else:
            name = "every chair" if asked is None else chairs.get(asked, "this chair")
            slots.append(replace(slot, chair=None, clash=f"{name} is taken at this time"))
    return slots
