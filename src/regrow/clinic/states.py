"""What is known of one session at one moment: its entries, its order, its state; values alone, without a clock.

The one thing to know: which entries change the run, and which may be corrected or taken back, stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from regrow.safety import Finding, Rounds, Severity, Vitals

KINDS = frozenset(
    [
        "arrive",
        "nurse",
        "offer",
        "accept",
        "gate",
        "decision",
        "line",
        "start",
        "dose",
        "rate",
        "pause",
        "resume",
        "stop",
        "vitals",
        "chip",
        "event",
        "step",
        "miss",
        "ack",
        "check",
        "discharge",
        "sign",
        "correct",
        "strike",
        "note",
        "cancel",
        "rems",
    ]
)
# Entries that change what runs: guarded by the version the sender saw. A stop is never refused for that reason.
GUARDED = frozenset({"start", "rate", "pause", "resume", "discharge", "sign", "cancel"})
STATEFUL = GUARDED | {"stop", "dose", "offer", "accept", "nurse"}
CHANGES = STATEFUL | {"arrive"}
# What may be corrected or struck whenever it is seen to be wrong; and what may only be struck, by phase: a tap on
# the wrong button that changed the run. What was struck stays in the record beside the entry that struck it.
CORRECTABLE = frozenset({"vitals", "chip", "event", "note", "check", "miss", "rems", "line", "step"})
STRIKABLE = {
    "ack": ("arrived", "running", "paused", "recovery"),
    "arrive": ("arrived",),
    "rate": ("running", "paused"),
    "pause": ("running", "paused"),
    "resume": ("running", "paused"),
    "dose": ("running", "recovery"),
    "stop": ("recovery",),
}
ONCE = timedelta(minutes=2)  # two people's readings this near are one round taken twice
HOLDING = ("pause the drug", "stop the drug")  # steps of an emergency whose tick alone changes nothing that runs
VITALS = ("sbp", "dbp", "hr", "spo2", "rr", "temp", "moaas", "dissociation", "etco2")


@dataclass(frozen=True)
class Fact:
    """One entry as the state reads it. `seq` is the order of writing, `at` the moment it was true."""

    seq: int
    kind: str
    at: datetime
    payload: Mapping[str, Any]
    author: str
    author_id: int
    recorded: datetime


@dataclass(frozen=True)
class Order:
    """What was ordered for this session: drug, route, mg (all doses), minutes of an infusion (0: given at once),
    and the weight it was worked out on, kg."""

    drug: str
    route: str
    use: str
    mg: float
    duration_min: float
    watch: Rounds
    devices: int = 0
    weight: float | None = None

    @property
    def infusion(self) -> bool:
        return self.route == "iv" and self.duration_min > 0


@dataclass(frozen=True)
class Segment:
    """A stretch at one rate. `end` None while it runs."""

    start: datetime
    end: datetime | None
    mg_per_h: float

    def mg(self, now: datetime) -> float:
        until = min(self.end, now) if self.end else now
        return max(0.0, (until - self.start).total_seconds() / 3600) * self.mg_per_h


@dataclass(frozen=True)
class Reading:
    seq: int
    at: datetime
    author: str
    vitals: Vitals
    late_entry: bool = False
    late_reason: str = ""


@dataclass(frozen=True)
class Round:
    """One due round: how it ended (done, late, missed with a reason), that two people took it (again), or that it is
    still open. `seq` is the entry that ended it, 0 for none."""

    due: datetime
    status: str  # open | done | late | missed | again
    at: datetime | None = None
    reason: str = ""
    by: str = ""
    seq: int = field(default=0, compare=False)


@dataclass(frozen=True)
class State:
    """Everything the board, the session screen and the rules need to know of one session at one moment."""

    phase: str = "booked"  # booked arrived running paused recovery discharged signed cancelled
    version: int = 0
    order: Order | None = None
    started: datetime | None = None
    ended: datetime | None = None
    segments: tuple[Segment, ...] = ()
    given_once: tuple[tuple[datetime, float], ...] = ()
    planned_end: datetime | None = None
    given_mg: float = 0.0
    given_said: float | None = None
    stop_reason: str = ""
    readings: tuple[Reading, ...] = ()
    baseline: Vitals | None = None
    baseline_at: datetime | None = None
    rounds: tuple[Round, ...] = ()
    due: datetime | None = None
    nurse: str = ""
    nurse_id: int | None = None
    nurse_since: datetime | None = None
    nurse_lost: datetime | None = None
    nurse_at_end: str = ""
    offered_to: int | None = None
    gate: Mapping[str, Any] = field(default_factory=dict)
    decisions: tuple[Mapping[str, Any], ...] = ()
    check: Mapping[str, Any] = field(default_factory=dict)
    checked_at: Mapping[str, datetime] = field(default_factory=dict)
    chips: tuple[tuple[datetime, str], ...] = ()
    events: tuple[Fact, ...] = ()
    steps: tuple[Fact, ...] = ()
    acks: tuple[Fact, ...] = ()
    notes: tuple[Fact, ...] = ()
    missed: tuple[Fact, ...] = ()
    lines: tuple[Fact, ...] = ()
    begun_with: Mapping[str, Any] = field(default_factory=dict)
    rems: Mapping[str, Any] = field(default_factory=dict)
    discharged: datetime | None = None
    signed: datetime | None = None
    signed_by: str = ""
    alarms: tuple[Finding, ...] = ()
    silent: frozenset[str] = frozenset()
    stands: tuple[Any, ...] = ()
    newest: Mapping[int, Fact] = field(default_factory=dict)
    ignored: tuple[Fact, ...] = ()

    @property
    def live(self) -> bool:
        """True while a person sits in the chair."""
        return self.phase in ("arrived", "running", "paused", "recovery")

    @property
    def drug_on(self) -> bool:
        return self.phase == "running"

    @property
    def severity(self) -> Severity | None:
        return max((f.severity for f in self.alarms), default=None)

    @property
    def loud(self) -> Severity | None:
        """The loudest alarm that nobody has seen in the last minutes."""
        return max((f.severity for f in self.alarms if f.rule not in self.silent), default=None)

    def may_be_struck(self, kind: str) -> bool:
        """True when an entry of this kind may be taken back now."""
        return kind in CORRECTABLE or self.phase in STRIKABLE.get(kind, ())

    def twin(self, seq: int) -> Reading | None:
        """The reading that someone else took at most two minutes before the one named; None where nobody did."""
        mine = next((r for r in self.readings if r.seq == seq), None)
        if mine is None:
            return None
        near = [r for r in self.readings if r.author != mine.author and mine.at - ONCE <= r.at]
        return max((r for r in near if (r.at, r.seq) < (mine.at, seq)), key=lambda r: (r.at, r.seq), default=None)

    @property
    def late(self) -> bool:
        """True while a round of vitals is late."""
        return any(f.rule == "R-VT-02" for f in self.alarms)

    @property
    def only_ticked(self) -> Fact | None:
        """The newest step of an emergency that says the drug was held, while the record has it running on."""
        since = self.segments[-1].start if self.segments else self.started
        said = [f for f in self.steps if f.payload.get("step") in HOLDING and since is not None and f.at > since]
        return said[-1] if said and self.phase == "running" else None

    @property
    def last(self) -> Reading | None:
        return self.readings[-1] if self.readings else None

    @property
    def line_out(self) -> bool:
        return bool(self.lines) and self.lines[-1].payload.get("what") == "removed"

    @property
    def line_patent(self) -> bool | None:
        """Whether the cannula that is in flushed easily when it was last looked at; None when that was not said."""
        here = [f for f in self.lines if self.line_in and f.at >= self.line_in.at and "patent" in f.payload]
        return bool(here[-1].payload["patent"]) if here else None

    @property
    def line_in(self) -> Fact | None:
        """The newest placing of a cannula that is still in."""
        placed = [f for f in self.lines if f.payload.get("what") == "placed"]
        return placed[-1] if placed and not self.line_out else None
