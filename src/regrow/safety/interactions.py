"""What a person's other medicines do with ketamine: classes, agents, effect, action and source (`interactions.toml`).

The one thing to know: a name outside the table is said to be unknown, never said to be safe. A nurse writes what stands
on the box, so trade names are agents too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from regrow import catalog
from regrow.catalog.form import Form
from regrow.safety.finding import RULES, Clearance, Finding, Rule, Say, amber, info, judge, never, rule
from regrow.safety.settings import Settings


@dataclass(frozen=True)
class MedicineFacts:
    """The medicines as written, and what is planned: drug (ketamine, esketamine) and route (iv, im, intranasal ...)."""

    medicines: tuple[str, ...]
    drug: str = "ketamine"
    route: str = "iv"


class Interaction(Form):
    """A class of medicines: the words it is known by, what it does with ketamine, how loud that is said."""

    id: str
    name: str
    action: Literal["info", "warn", "block"]
    effect: str
    source: str
    agents: str


class Names(Form):
    """Words for medicines that no class holds."""

    nasal_spray: str
    long_acting: str
    stabiliser: str
    quiet: str


class _Table(Form):
    class_: tuple[Interaction, ...] = Field(alias="class")
    names: Names


_READ = catalog.read(Path(__file__).with_name("interactions.toml"), _Table, "interactions")
TABLE, NAMES = _READ.class_, _READ.names
HAZARD = "H-07 another medicine makes the dose dangerous"


def classes_of(medicine: str) -> tuple[str, ...]:
    """The interaction classes whose agents are named in the text, in table order; () when none is."""
    words = _words(medicine)
    return tuple(row.name for row in TABLE if words & set(row.agents.split()) or row.name in medicine.lower())


def _words(medicine: str) -> set[str]:
    return set(re.findall(r"[a-z]+", medicine.lower()))


def long_acting(medicine: str) -> bool:
    """True for a benzodiazepine that acts for a day or longer."""
    return bool(_words(medicine) & set(NAMES.long_acting.split()))


def stabilises_mood(medicine: str) -> bool:
    """True for a medicine that protects from mania."""
    return bool(_words(medicine) & set(NAMES.stabiliser.split()))


def _row(row: Interaction) -> None:
    def present(f: MedicineFacts, s: Settings) -> Iterator[Say]:
        for medicine in f.medicines:
            if row.name in classes_of(medicine):
                text = f"{medicine} ({row.name}): {row.effect}."
                if row.action == "block":
                    yield never(text, medicine=medicine)
                elif row.action == "warn":
                    yield amber(text, Clearance.PRESCRIBER, medicine=medicine)
                else:
                    yield info(text, medicine=medicine)

    RULES[row.id] = Rule(row.id, f"Interaction: {row.name}", HAZARD, row.source, "interactions", present)


for _each in TABLE:
    _row(_each)


@rule(
    "R-IX-16",
    "interactions",
    "Other nasal spray with nasal esketamine",
    hazard="H-07 another medicine makes the dose dangerous",
    source="Touchstone; LA DMH (read)",
)
def nasal_spray(f: MedicineFacts, s: Settings) -> Iterator[Say]:
    if f.route == "intranasal":
        for medicine in f.medicines:
            if _words(medicine) & set(NAMES.nasal_spray.split()):
                yield amber(
                    f"{medicine}: at least {s.nasal_spray_hours:g} h before the nasal dose; asked again on the day.",
                    Clearance.PRESCRIBER,
                    medicine=medicine,
                    limit_h=s.nasal_spray_hours,
                )


@rule("R-IX-17", "interactions", "Medicine not in the table", hazard=HAZARD, source="assumed: unknown is not safe")
def unknown(f: MedicineFacts, s: Settings) -> Iterator[Say]:
    known = {*NAMES.nasal_spray.split(), *NAMES.quiet.split()}
    for medicine in f.medicines:
        if not classes_of(medicine) and not _words(medicine) & known:
            yield amber(f"{medicine} is not in the interaction table: check it by hand.", medicine=medicine)


def interactions(facts: MedicineFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every interaction between the medicines and the planned drug, loudest first."""
    return judge("interactions", facts, settings)
