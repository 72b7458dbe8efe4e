"""What a safety rule says, and the shelf on which every rule stands.

The one thing to know: a rule is a pure function of facts and settings that yields findings; `severity` says how loud a
finding is, `clearance` says who may let the work go on in spite of it. The two are independent on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any


class Severity(IntEnum):
    """How loud: INFO is to know, AMBER is to look at, RED is to act on now."""

    INFO = 0
    AMBER = 1
    RED = 2


class Clearance(StrEnum):
    """Who may go on: anyone, a prescriber with a reason, a second signature, or nobody until the fact changes."""

    FREE = "free"
    PRESCRIBER = "prescriber"
    SECOND = "second signature"
    NEVER = "never"


@dataclass(frozen=True)
class Finding:
    """One thing a rule found: the sentence shows the numbers it stands on, `numbers` repeats them for programs."""

    rule: str
    severity: Severity
    clearance: Clearance
    sentence: str
    source: str
    numbers: tuple[tuple[str, Any], ...] = ()

    @property
    def blocks(self) -> bool:
        """True when nobody may override: only a changed fact lets the work go on."""
        return self.clearance is Clearance.NEVER

    @property
    def needs_signature(self) -> bool:
        return self.clearance in (Clearance.PRESCRIBER, Clearance.SECOND)

    def covered_by(self, record: Mapping[str, Any]) -> bool:
        """True when a decision on the finding kept in `record` still holds for this one: the same rule, not louder,
        asking no more, and measured values that have not moved on. A yes to 162/98 is no yes to 205/118."""
        if record.get("rule") != self.rule or _RANK[self.clearance.value] > _RANK[record.get("clearance", "free")]:
            return False
        if self.severity > Severity[str(record.get("severity", "info")).upper()]:
            return False
        then = record.get("numbers", {})
        return all(_near(name, value, then.get(name)) for name, value in self.numbers if name in _MEASURED)

    def record(self) -> dict[str, Any]:
        """The finding as plain data, as it is kept in the record beside the decision it led to."""
        return {
            "rule": self.rule,
            "severity": self.severity.name.lower(),
            "clearance": self.clearance.value,
            "sentence": self.sentence,
            "source": self.source,
            "numbers": dict(self.numbers),
        }


_RANK = {"free": 0, "prescriber": 1, "second signature": 2, "never": 3}
# What was measured or ordered, and how far it may move before a decision on it is asked for again (assumed); a share of
# the value for doses, body and times. Days and ages move by themselves and are not here.
_MEASURED: dict[str, float | None] = {"sbp": 8, "dbp": 6, "hr": 8, "spo2": 1, "temp": 0.3, "rr": 1, "moaas": 0}
_MEASURED |= {"etco2": 3, "dissociation": 0, "symptoms": 0}
_MEASURED |= dict.fromkeys(("mg", "mg_per_kg", "rate", "bmi", "min", "hours"))
_SHARE = 0.05


def _near(name: str, now: Any, then: Any) -> bool:
    if now is None or then is None or isinstance(now, str):
        return now == then
    room = _MEASURED[name]
    return abs(now - then) <= (_SHARE * abs(then) if room is None else room) + 1e-9


@dataclass(frozen=True)
class Say:
    """What a rule function yields; the shelf adds the rule's id and source."""

    severity: Severity
    clearance: Clearance
    sentence: str
    numbers: dict[str, Any]


def info(sentence: str, **numbers: Any) -> Say:
    return Say(Severity.INFO, Clearance.FREE, sentence, numbers)


def amber(sentence: str, clearance: Clearance = Clearance.FREE, **numbers: Any) -> Say:
    return Say(Severity.AMBER, clearance, sentence, numbers)


def red(sentence: str, clearance: Clearance = Clearance.FREE, **numbers: Any) -> Say:
    return Say(Severity.RED, clearance, sentence, numbers)


def never(sentence: str, **numbers: Any) -> Say:
    return Say(Severity.RED, Clearance.NEVER, sentence, numbers)


@dataclass(frozen=True)
class Rule:
    """One rule: stable id, plain title, the hazard it stands against, its source and the function that judges."""

    id: str
    title: str
    hazard: str
    source: str
    group: str
    judge: Callable[[Any, Any], Iterable[Say]]


RULES: dict[str, Rule] = {}


def rule(id: str, group: str, title: str, *, hazard: str, source: str) -> Callable[[Any], Any]:
    """Puts a generator function `(facts, settings) -> Say...` on the shelf under a stable id."""

    def put(judge: Any) -> Any:
        if id in RULES:
            raise ValueError(f"two rules are called {id}")
        RULES[id] = Rule(id, title, hazard, source, group, judge)
        return judge

    return put


def judge(group: str, facts: Any, settings: Any) -> tuple[Finding, ...]:
    """Every finding of a group's rules on these facts, the loudest first, then by rule id."""
    found = list(_findings(group, facts, settings))
    return tuple(sorted(found, key=lambda f: (-f.severity, not f.blocks, f.rule)))


def _findings(group: str, facts: Any, settings: Any) -> Iterator[Finding]:
    for each in RULES.values():
        if each.group == group:
            for say in each.judge(facts, settings):
                yield Finding(
                    each.id, say.severity, say.clearance, say.sentence, each.source, tuple(say.numbers.items())
                )


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The loudest severity among the findings, or None when there is none."""
    return max((f.severity for f in findings), default=None)
