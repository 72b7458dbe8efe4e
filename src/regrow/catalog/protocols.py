"""Protocols as data: one TOML file per schedule, read into `regrow.regimen.Protocol`.

The one thing to know: a file holds what its source states and nothing else. Where the source states no route, dose or
duration, the key is left out, the house's default stands in (0.5 mg/kg IV over 40 min) and the protocol lists it as
assumed. What the source leaves open stands in `ambiguity`, other readings it allows in `choices`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from regrow import catalog
from regrow.catalog.form import Form
from regrow.dosing import DEFAULT_DOSE, DEFAULT_DURATION, Dose, given, route_named
from regrow.refusal import Refusal
from regrow.regimen import Phase, Protocol, Rule
from regrow.units import read as read_number

Text = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(strict=True)]  # "3" and true are no numbers of days
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class UntilForm(Form):
    """The rule that ends a phase: a score at most so high, or fallen by so many per cent, at visits in a row."""

    scale: Text
    at_most: Number | None = None
    fall_percent: Number | None = None
    visits: Whole = 1
    name: str = ""

    def rule(self) -> Rule:
        """The rule; refuses with RULE-BAD."""
        return Rule(self.scale, self.at_most, self.fall_percent, self.visits, self.name)


class DoseForm(Form):
    """One of several doses of a session, `at` its start in the session."""

    dose: Text
    drug: str | None = None
    route: str | None = None
    duration: str | None = None
    at: str = "0 min"


class PhaseForm(Form):
    """A phase as written: days or every_days, and doses of its own where they differ from the protocol's."""

    name: Text
    days: tuple[Number, ...] = ()
    every_days: Number | None = None
    first_day: Number | None = None
    count: Whole | None = None
    until: UntilForm | None = None
    optional: Flag = False
    dose: str | None = None
    doses: tuple[Text, ...] = ()  # one for each session, the last repeating
    session: tuple[DoseForm, ...] = ()  # several doses in each session


class ProtocolForm(Form):
    """A protocol file. `confidence` says how its source was read; `assumed` names stated keys that are our reading."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Text
    source: Text
    confidence: Literal["seen", "secondary", "memory", "own"]
    drug: Text = "ketamine"
    route: str | None = None
    dose: str | None = None
    duration: str | None = None
    session: tuple[DoseForm, ...] = ()
    assumed: tuple[Literal["route", "dose", "duration"], ...] = ()
    ambiguity: tuple[Text, ...] = ()
    choices: tuple[Text, ...] = ()
    phase: tuple[PhaseForm, ...] = ()

    @model_validator(mode="after")
    def _can_be_read(self) -> ProtocolForm:
        self.protocol()
        return self

    def protocol(self) -> Protocol:
        """The protocol, defaults filled in and listed as assumed. Refuses as doses, phases and units do."""
        if self.session and (self.dose or self.duration):
            sentence = "protocol: dose and duration stand inside session where it is given; move them there"
            raise Refusal("PHASE-BAD", sentence, field="session", value=self.dose or self.duration)
        route, duration = route_named(self.route or "iv"), self.duration
        stated = any(phase.dose or phase.doses or phase.session for phase in self.phase) or bool(self.session)
        assumed = [key for key in ("route", "dose", "duration") if key in self.assumed]
        if self.route is None and not stated:
            assumed.append("route")
        if self.dose is None and not stated:
            assumed.append("dose")
        if duration is None and route == "iv":
            duration = DEFAULT_DURATION
            if not self.session and not (self.phase and all(phase.session for phase in self.phase)):
                assumed.append("duration")
        filled = {"route": route, "dose": self.dose or DEFAULT_DOSE, "duration": duration}
        held = self._session(self.session, self.dose or DEFAULT_DOSE, route, duration)
        return Protocol(
            self.id,
            self.title,
            self.source,
            tuple(self._phase(phase, held, route, duration) for phase in self.phase),
            held,
            note=" ".join(self.ambiguity),
            assumed=tuple(f"{key} {filled[key]}" for key in ("dose", "route", "duration") if key in assumed),
            choices=self.choices,
        )

    def _phase(self, form: PhaseForm, held: tuple[Dose, ...], route: str, duration: str | None) -> Phase:
        if sum(map(bool, (form.dose, form.doses, form.session))) > 1:
            sentence = f"phase {form.name}: give one of dose, doses, session, not several"
            raise Refusal("PHASE-BAD", sentence, field="doses", value=form.name)
        texts = form.doses or ((form.dose,) if form.dose else ())
        doses = tuple(given(text, self.drug, route, duration) for text in texts)
        if form.session:
            doses = (self._session(form.session, "", route, duration),)
        until = form.until.rule() if form.until else None
        return Phase(
            form.name, doses or (held,), form.days, form.every_days, form.first_day, form.count, until, form.optional
        )

    def _session(self, forms: tuple[DoseForm, ...], dose: str, route: str, duration: str | None) -> tuple[Dose, ...]:
        if not forms:
            return given(dose, self.drug, route, duration)
        doses: list[Dose] = []
        for form in forms:
            here = form.route or route
            for each in given(form.dose, form.drug or self.drug, here, form.duration or "0 min"):
                doses.append(replace(each, offset_h=each.offset_h + read_number(form.at, "h", "at")))
        return tuple(doses)


def ids() -> list[str]:
    """The ids of all protocols, sorted."""
    return catalog.ids("protocols")


def get(wanted: str | Path) -> Protocol:
    """The protocol of an id, of a unique prefix of one, or of a file whose path ends in .toml.

    Refuses with UNKNOWN-PROTOCOL (naming the nearest), AMBIGUOUS-PROTOCOL, and PROTOCOL-FILE (naming file, key, value
    and what is expected).
    """
    if str(wanted).endswith(".toml"):
        return catalog.read(Path(wanted), ProtocolForm, "protocol").protocol()
    return catalog.load("protocols", str(wanted), ProtocolForm).protocol()


def describe(protocol: Protocol) -> dict[str, Any]:
    """A protocol as plain data, for lists and JSON: id, title, source, phases, days (the fixed part), note and more."""
    assumed = {line.split()[0] for line in protocol.assumed}
    return {
        "id": protocol.id,
        "title": protocol.title,
        "source": protocol.source,
        "phases": [_described(phase) for phase in protocol.phases],
        "days": [_plain(day) for day in protocol.days],
        "note": protocol.note,
        "dose": None if "dose" in assumed else _order(protocol.doses),
        "assumed": list(protocol.assumed),
        "choices": list(protocol.choices),
        "open_ended": protocol.open_ended,
    }


def _order(doses: tuple[Dose, ...]) -> str:
    if doses[0].device:
        return f"{sum(dose.amount for dose in doses):g} mg"
    return " + ".join(dose.text for dose in doses)


def _plain(day: float) -> float:
    return int(day) if day == int(day) else day


def _described(phase: Phase) -> dict[str, Any]:
    return {
        "name": phase.name,
        "days": [_plain(day) for day in phase.days],
        "every_days": phase.every_days,
        "first_day": phase.first_day,
        "count": phase.count,
        "until": phase.until.text if phase.until else None,
        "optional": phase.optional,
        "doses": [_order(doses) for doses in phase.doses],
    }
