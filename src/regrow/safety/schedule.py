"""When again: the gap to the last dose and the number of doses in a week and a month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regrow.safety.finding import Clearance, Finding, Say, amber, judge, never, rule
from regrow.safety.settings import Settings

H09 = "H-09 doses too close together"


@dataclass(frozen=True)
class ScheduleFacts:
    """One session in its series. `gap` h to the dose before it (None for the first); counts include this session;
    `own_gap` h is what the protocol itself lays down here; `own_cadence` says that the protocol's own days reach the
    counts; `induction` is False in taper and maintenance."""

    gap: float | None
    week_count: int = 1
    month_count: int = 1
    own_gap: float | None = None
    own_cadence: bool = False
    induction: bool = True


@rule("R-SC-01", "schedule", "Shortest gap", hazard=H09, source="assumed; 20 h lets a next-day protocol through")
def hard_gap(f: ScheduleFacts, s: Settings) -> Iterator[Say]:
    if f.gap is not None and f.gap < s.gap_hard:
        yield never(f"{f.gap:.1f} h after the last dose; at least {s.gap_hard:g} h.", gap=f.gap, limit_h=s.gap_hard)


@rule("R-SC-02", "schedule", "Short gap", hazard=H09, source="assumed")
def soft_gap(f: ScheduleFacts, s: Settings) -> Iterator[Say]:
    if f.gap is not None and s.gap_hard <= f.gap < s.gap_soft:
        own = f.own_gap is not None and f.own_gap <= f.gap + 6
        yield amber(
            f"{f.gap:.1f} h after the last dose, below {s.gap_soft:g} h"
            + (", as the protocol lays down." if own else "."),
            Clearance.FREE if own else Clearance.PRESCRIBER,
            gap=f.gap,
            limit_h=s.gap_soft,
        )


@rule(
    "R-SC-03",
    "schedule",
    "Sessions in 7 days",
    hazard="H-08 misuse",
    source="label: monitor abuse (read); count assumed",
)
def week(f: ScheduleFacts, s: Settings) -> Iterator[Say]:
    if f.week_count > s.week_max and not f.own_cadence:
        yield amber(
            f"{f.week_count} sessions in 7 days, review above {s.week_max:g}.",
            Clearance.PRESCRIBER,
            count=f.week_count,
            limit=s.week_max,
        )


@rule(
    "R-SC-04",
    "schedule",
    "Sessions in 28 days",
    hazard="H-08 misuse",
    source="label: monitor abuse (read); count assumed",
)
def month(f: ScheduleFacts, s: Settings) -> Iterator[Say]:
    limit = s.month_max if f.induction else s.month_max_later
    if f.month_count > limit and not f.own_cadence:
        yield amber(
            f"{f.month_count} sessions in 28 days, review above {limit:g}.",
            Clearance.PRESCRIBER,
            count=f.month_count,
            limit=limit,
        )


def schedule_findings(facts: ScheduleFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every finding on one session's place in its series, loudest first."""
    return judge("schedule", facts, settings)
