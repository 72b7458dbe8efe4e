"""Who is there, who may do it, and whether the controlled drug adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regrow.safety.finding import Finding, Say, amber, judge, never, red, rule
from regrow.safety.settings import Settings


@dataclass(frozen=True)
class StaffFacts:
    """At the start of a session. Days are days until expiry (negative: over; None: not recorded); `nurse_chairs` counts
    the chairs with a patient that the nurse answers for, this one included."""

    prescriber_on_duty: bool = False
    nurse_named: bool = False
    nurse_chairs: int = 1
    licence_days: float | None = None
    life_support_days: float | None = None


@rule(
    "R-MD-01",
    "staff",
    "Prescriber on duty",
    hazard="H-23 no doctor when needed",
    source="Dothan clinic; Spravato REMS (read)",
)
def doctor(f: StaffFacts, s: Settings) -> Iterator[Say]:
    if not f.prescriber_on_duty:
        yield never("no prescriber is on duty at this site: no start.")


@rule(
    "R-NU-02",
    "staff",
    "Chairs per nurse",
    hazard="H-19 nobody looks",
    source="Dothan clinic 'a dedicated nurse' (read)",
)
def ratio(f: StaffFacts, s: Settings) -> Iterator[Say]:
    if f.nurse_chairs > s.chairs_per_nurse:
        yield amber(
            f"the nurse answers for {f.nurse_chairs} chairs; the limit is {s.chairs_per_nurse:g}.",
            chairs=f.nurse_chairs,
            limit=s.chairs_per_nurse,
        )


@rule("R-NU-03", "staff", "Responsible nurse named", hazard="H-19 nobody looks", source="Dothan clinic (read)")
def named(f: StaffFacts, s: Settings) -> Iterator[Say]:
    if not f.nurse_named:
        yield never("no responsible nurse is named for this chair.")


def _expiry(days: float | None, what: str, s: Settings) -> Iterator[Say]:
    if days is None:
        yield never(f"{what}: no expiry date is recorded.")
    elif days < 0:
        yield never(f"{what} expired {-days:.0f} days ago.", days=days)
    elif days <= s.credential_warning:
        yield amber(f"{what} expires in {days:.0f} days.", days=days, limit=s.credential_warning)


@rule(
    "R-ST-01",
    "staff",
    "Licence",
    hazard="H-24 someone not entitled acts",
    source="Lifschutz clinic 'qualified practitioner' (read)",
)
def licence(f: StaffFacts, s: Settings) -> Iterator[Say]:
    yield from _expiry(f.licence_days, "the licence", s)


@rule("R-ST-02", "staff", "Life support", hazard="H-24 someone not entitled acts", source="ASRA 2018 (memory)")
def life_support(f: StaffFacts, s: Settings) -> Iterator[Say]:
    yield from _expiry(f.life_support_days, "advanced life support", s)


@dataclass(frozen=True)
class RegisterFacts:
    """One controlled-drug movement, mg; `balance` before it; `drawn given wasted` of one session when it closes, and
    the mg that the session itself says were given (`said`)."""

    kind: str  # received | drawn | wasted | given | counted | returned
    mg: float
    balance: float = 0
    witness: str = ""
    author: str = ""
    expired: bool = False
    drawn: float | None = None
    given: float | None = None
    wasted: float | None = None
    said: float | None = None


H_CD = "H-25 diversion of a controlled drug"


@rule(
    "R-CD-01",
    "register",
    "Drawn = given + wasted",
    hazard=H_CD,
    source="DEA 21 CFR 1304 (read in part); tolerance assumed",
)
def adds_up(f: RegisterFacts, s: Settings) -> Iterator[Say]:
    if f.drawn is not None and f.given is not None and f.wasted is not None:
        gap = f.drawn - f.given - f.wasted
        if abs(gap) > s.balance_tolerance + 1e-9:
            yield red(
                f"drawn {f.drawn:g} mg, given {f.given:g} mg, wasted {f.wasted:g} mg: {gap:+g} mg not accounted for.",
                gap=gap,
                limit=s.balance_tolerance,
            )


@rule("R-CD-02", "register", "Waste is witnessed", hazard=H_CD, source="DEA witnessed waste (read in part)")
def witnessed(f: RegisterFacts, s: Settings) -> Iterator[Say]:
    if f.kind == "wasted" and (not f.witness or f.witness == f.author):
        yield never("waste needs a second person as witness.")


@rule("R-CD-03", "register", "Balance", hazard=H_CD, source="DEA 21 CFR 1304 (read in part)")
def balance(f: RegisterFacts, s: Settings) -> Iterator[Say]:
    if f.kind in ("drawn", "returned") and f.mg > f.balance + 1e-9:
        yield never(f"{f.mg:g} mg out of a balance of {f.balance:g} mg.", mg=f.mg, balance=f.balance)
    if f.kind == "counted" and abs(f.mg - f.balance) > s.balance_tolerance + 1e-9:
        yield red(
            f"counted {f.mg:g} mg, the register says {f.balance:g} mg: report and explain.", mg=f.mg, balance=f.balance
        )
    if f.mg <= 0 and f.kind not in ("counted", "closed"):
        yield never(f"{f.mg:g} mg is no amount.", mg=f.mg)


@rule("R-CD-04", "register", "Lot not expired", hazard="H-02 a wrong dose", source="assumed")
def expired(f: RegisterFacts, s: Settings) -> Iterator[Say]:
    if f.kind == "drawn" and f.expired:
        yield never("this lot is expired.")


@rule("R-CD-05", "register", "Given not above ordered", hazard="H-02 a wrong dose", source="assumed")
def not_above(f: RegisterFacts, s: Settings) -> Iterator[Say]:
    if f.given is not None and f.drawn is not None and f.given > f.drawn + s.balance_tolerance:
        yield red(f"given {f.given:g} mg, but only {f.drawn:g} mg were drawn.", given=f.given, drawn=f.drawn)


@rule("R-CD-06", "register", "Register and session say the same", hazard=H_CD, source="assumed")
def same(f: RegisterFacts, s: Settings) -> Iterator[Say]:
    if f.said is not None and f.given is not None and abs(f.given - f.said) > s.balance_tolerance + 1e-9:
        yield red(
            f"the register says {f.given:g} mg were given, the session {f.said:.1f} mg.",
            given=f.given,
            said=round(f.said, 3),
            limit=s.balance_tolerance,
        )


def staffing(facts: StaffFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every finding on the people at a start, loudest first."""
    return judge("staff", facts, settings)


def register_findings(facts: RegisterFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every finding on one movement of a controlled drug, loudest first."""
    return judge("register", facts, settings)
