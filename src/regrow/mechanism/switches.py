"""Switches: what a run can take away from the mechanism or add to it, each tied to what animals or people showed.

The one thing to know: a switch is data (`switches.toml`). It sets parameters, changes them later, makes a state jump
or joins an optional part of the text; the engine and the equations know nothing of it. What was seen, how strong that
is and what the model must show stands once per intervention in `interventions.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from regrow import units
from regrow.catalog import choose
from regrow.refusal import Refusal

__all__ = [
    "Change",
    "Effect",
    "Intervention",
    "Jump",
    "Switch",
    "combine",
    "get",
    "interventions",
    "switches",
]

Kind = Literal["without", "with"]


@dataclass(frozen=True, slots=True)
class Intervention:
    """One experiment of the intervention table and what the model must show for it.

    `expected` holds the direction at each step of the chain; `unsolved` says why the model does not reproduce the row
    ("" when it does); `by` is switch, dose, course, drug or condition, and `how` says it where it is no switch.
    """

    id: str
    title: str
    by: Literal["switch", "dose", "course", "drug", "condition"]
    strength: Literal["hard", "moderate", "soft", "contested"]
    acceptance: str
    evidence: tuple[str, ...]
    expected: Mapping[str, str]
    how: str = ""
    strength_note: str = ""
    unsolved: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A parameter takes `value` at `at` hours from the start of the first session."""

    parameter: str
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Jump:
    """A state becomes `keep` times itself plus `add`, `at` hours after the start of each session."""

    state: str
    at: float
    keep: float = 1.0
    add: float = 0.0


@dataclass(frozen=True)
class Effect:
    """What a choice of switches does to a run: values set, changes and jumps to come, text to join, words to show."""

    sets: Mapping[str, float] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    jumps: tuple[Jump, ...] = ()
    joins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Switch:
    """One `--without` or `--with` name: what it does, and the intervention that backs it."""

    id: str
    kind: Kind
    intervention: Intervention
    what: str
    honest: str
    effect: Effect

    @property
    def evidence(self) -> tuple[str, ...]:
        """The papers behind the switch, with how well each was read."""
        return self.intervention.evidence

    @property
    def strength(self) -> str:
        """How strong the evidence is: hard, moderate, soft or contested."""
        return self.intervention.strength


@cache
def interventions() -> Mapping[str, Intervention]:
    """The 32 rows of the intervention table by id, in order."""
    rows = {}
    for row in _toml("interventions")["intervention"]:
        plain = {**row, "evidence": tuple(row["evidence"]), "expected": MappingProxyType(row["expected"])}
        rows[row["id"]] = Intervention(**plain)
    return MappingProxyType(rows)


@cache
def switches() -> Mapping[str, Switch]:
    """Every switch by id, in the order of the file: first those of `--without`, then those of `--with`."""
    return MappingProxyType({row["id"]: _switch(row) for row in _toml("switches")["switch"]})


def get(wanted: str, kind: Kind | None = None) -> Switch:
    """The switch of an id or a unique prefix, among those of `kind` where it is given.

    Refuses with UNKNOWN-SWITCH or AMBIGUOUS-SWITCH, naming the nearest id, or the other option where the name is there.
    """
    there = [s.id for s in switches().values() if kind in (None, s.kind)]
    other = switches().get(wanted)
    if other is not None and other.id not in there:
        sentence = f"{kind}: {wanted!r} belongs to --{other.kind}; write --{other.kind} {wanted}"
        raise Refusal("UNKNOWN-SWITCH", sentence, field=kind or "switch", value=wanted)
    return switches()[choose("switch", wanted, there)]


def joining(names: Iterable[str]) -> tuple[str, ...]:
    """The parts of the text that switches of these names join; refuses with SWITCH-UNUSED one that joins none."""
    found: list[str] = []
    for switch in (get(name, "with") for name in names):
        if not switch.effect.joins:
            some = ", ".join(s.id for s in switches().values() if s.effect.joins)
            sentence = f"with: {switch.id} changes values, not equations; those that join equations are {some}"
            raise Refusal("SWITCH-UNUSED", sentence, field="with", value=switch.id)
        found += switch.effect.joins
    return tuple(dict.fromkeys(found))


def combine(chosen: Iterable[str | Switch]) -> Effect:
    """What several switches do together, in the order chosen.

    Refuses with SWITCH-CONFLICT where two of them set the same parameter: which of the two should hold is not for the
    model to guess.
    """
    picked = list({s.id: s for s in (get(c) if isinstance(c, str) else c for c in chosen)}.values())
    owner: dict[str, str] = {}
    sets: dict[str, float] = {}
    for switch in picked:
        for parameter, value in switch.effect.sets.items():
            if parameter in owner:
                raise Refusal(
                    "SWITCH-CONFLICT",
                    f"the switches {owner[parameter]} and {switch.id} both set {parameter}; choose one of them",
                    field="switches",
                    value=switch.id,
                )
            owner[parameter] = switch.id
            sets[parameter] = value
    return Effect(
        sets=MappingProxyType(sets),
        changes=tuple(change for s in picked for change in s.effect.changes),
        jumps=tuple(jump for s in picked for jump in s.effect.jumps),
        joins=tuple(dict.fromkeys(part for s in picked for part in s.effect.joins)),
        notes=tuple(note for s in picked for note in s.effect.notes),
    )


def _switch(row: dict) -> Switch:
    honest = row.get("honest", "")
    effect = Effect(
        sets=MappingProxyType(row.get("sets", {})),
        changes=tuple(Change(c["parameter"], _hours(c["at"]), c["value"]) for c in row.get("changes", ())),
        jumps=tuple(
            Jump(j["state"], _hours(j["at"]), j.get("keep", 1.0), j.get("add", 0.0)) for j in row.get("jumps", ())
        ),
        joins=tuple(row.get("joins", ())),
        notes=(f"{row['kind']} {row['id']}: {row['what']} {honest}".strip(),),
    )
    return Switch(row["id"], row["kind"], interventions()[row["intervention"]], row["what"], honest, effect)


def _hours(text: str) -> float:
    return units.read(text, "h", "at")


def _toml(name: str) -> dict:
    return tomllib.loads(files("regrow.mechanism").joinpath(f"{name}.toml").read_text(encoding="utf-8"))
