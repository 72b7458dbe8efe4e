"""May this person leave: the minimum time and every criterion, each missing one named.

The one thing to know: time alone never opens the door, and a criterion that was not asked is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regrow.safety.alarms import Vitals
from regrow.safety.finding import Clearance, Finding, Say, judge, never, red, rule
from regrow.safety.settings import Settings

PRESCRIBER = Clearance.PRESCRIBER
H_HOME = "H-12 harm on the way home"


@dataclass(frozen=True)
class LeaveFacts:
    """The state at the door. `observed` minutes since the end of the drug (or since it, as the watch says) against
    `observe`; `before_sbp before_dbp` the pressure before the last one (`pressure_before`); scores None when not taken;
    yes/no None when not asked. `vitals_minutes` is the age of the oldest sign, `answers_minutes` of the oldest answer
    on the state of the moment; `alarms` the red ones on the person."""

    drug: str = "ketamine"
    route: str = "iv"
    drug_running: bool = False
    observed: float = 0
    observe: float = 30
    moaas: float | None = None
    oriented: bool | None = None
    aldrete: tuple[int, ...] | None = None
    padss: tuple[int, ...] | None = None
    sbp: float | None = None
    dbp: float | None = None
    base_sbp: float | None = None
    base_dbp: float | None = None
    before_sbp: float | None = None
    before_dbp: float | None = None
    vitals_minutes: float | None = None
    spo2: float | None = None
    base_spo2: float | None = None
    rr: float | None = None
    walks: bool | None = None
    nausea_controlled: bool | None = None
    dissociation: float | None = None
    new_suicidal_ideation: bool | None = None
    crisis_card: bool | None = None
    line_removed: bool | None = None
    escort_name: str = ""
    escort_present: bool | None = None
    instructions_read_back: bool | None = None
    no_driving_acknowledged: bool | None = None
    bp_at_40: bool = False
    slots_unexplained: int = 0
    answers_minutes: float | None = 0
    alarms: tuple[str, ...] = ()


@rule(
    "R-DC-01",
    "discharge",
    "Minimum observation",
    hazard=H_HOME,
    source="Atlanta clinic 30 min; Spravato label and REMS 2 h (read); others assumed",
)
def observed(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.observed < f.observe:
        yield never(
            f"watched for {f.observed:.0f} min of {f.observe:g}.", minutes=round(f.observed, 1), limit=f.observe
        )


@rule("R-DC-02", "discharge", "Awake and oriented", hazard=H_HOME, source="Atlanta clinic; scale Chernik 1990 (memory)")
def awake(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.moaas is None or f.moaas < 5:
        yield never(
            f"MOAA/S is {'not taken' if f.moaas is None else format(f.moaas, 'g')}; 5 is needed.", moaas=f.moaas
        )
    if not f.oriented:
        yield never("orientation to person, place and time is not recorded.")


@rule("R-DC-03", "discharge", "Aldrete or PADSS", hazard=H_HOME, source="memory")
def score(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.aldrete is None and f.padss is None:
        yield never("neither Aldrete nor PADSS is scored.")
        return
    good_aldrete = f.aldrete is not None and sum(f.aldrete) >= s.aldrete_pass and min(f.aldrete) > 0
    good_padss = f.padss is not None and sum(f.padss) >= s.padss_pass
    if not good_aldrete and not good_padss:
        got = f"Aldrete {sum(f.aldrete)}" if f.aldrete is not None else f"PADSS {sum(f.padss or ())}"
        yield never(f"{got}; Aldrete {s.aldrete_pass:g} with no 0, or PADSS {s.padss_pass:g}.")


@rule(
    "R-DC-04",
    "discharge",
    "Blood pressure near baseline",
    hazard="H-03 harm by a rise of blood pressure",
    source="assumed; label 140/90 (memory)",
)
def pressure(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.sbp is None or f.dbp is None:
        yield never("no blood pressure after the drug.")
        return
    if f.base_sbp and f.base_dbp:
        near = abs(f.sbp - f.base_sbp) <= f.base_sbp * s.leave_percent / 100
        near = near and abs(f.dbp - f.base_dbp) <= f.base_dbp * s.leave_percent / 100
        near = near and f.sbp < s.sbp_red and f.dbp < s.dbp_red  # a high baseline makes no red pressure a good one
    else:
        near = False
    if not near and not (s.sbp_low <= f.sbp <= s.pre_sbp_amber and f.dbp <= s.pre_dbp_amber):
        yield red(
            f"BP {f.sbp:g}/{f.dbp:g} mmHg, neither within {s.leave_percent:g} % of {f.base_sbp or 0:g}/"
            f"{f.base_dbp or 0:g} nor at most {s.pre_sbp_amber:g}/{s.pre_dbp_amber:g}: the prescriber clears.",
            PRESCRIBER,
            sbp=f.sbp,
            dbp=f.dbp,
        )


def pressure_before(readings: Sequence[Vitals], s: Settings) -> Vitals | None:
    """The newest pressure taken at least `fall_minutes` before the last one; None when there is none."""
    taken = [v for v in readings if v.sbp is not None and v.dbp is not None]
    old = [v for v in taken[:-1] if taken[-1].minute - v.minute >= s.fall_minutes]
    return old[-1] if old else None


@rule(
    "R-DC-19",
    "discharge",
    "Blood pressure falling",
    hazard="H-03 harm by a rise of blood pressure",
    source="Spravato US label 'decreasing' (memory); limits assumed",
)
def falling(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    """Back at baseline it need not fall; above it, a pressure that does not fall may not be over its peak."""
    pairs = (("systolic", f.sbp, f.base_sbp, f.before_sbp), ("diastolic", f.dbp, f.base_dbp, f.before_dbp))
    high = [
        f"{name} {last:g} mmHg after {'none' if before is None else format(before, 'g')}"
        for name, last, base, before in pairs
        if last is not None and (base is None or last - base > s.leave_settled) and (before is None or last >= before)
    ]
    if high:
        yield red(
            f"{', '.join(high)}: over {s.leave_settled:g} above baseline and not seen to fall. Measure again after "
            f"{s.fall_minutes:g} min, or the prescriber clears.",
            PRESCRIBER,
            sbp=f.sbp,
            dbp=f.dbp,
        )


@rule("R-DC-05", "discharge", "Oxygen and breathing", hazard="H-10 loss of airway or breathing", source="assumed")
def breathing(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    floor = min(s.leave_spo2, f.base_spo2) if f.base_spo2 else s.leave_spo2
    if f.spo2 is None or f.spo2 < floor:
        yield never(
            f"SpO2 {'not taken' if f.spo2 is None else format(f.spo2, 'g')} %, at least {floor:g}.", spo2=f.spo2
        )
    if f.rr is None or not s.leave_rr_low <= f.rr <= s.leave_rr_high:
        got = "not counted" if f.rr is None else format(f.rr, "g")
        yield never(f"breaths/min {got}; {s.leave_rr_low:g} to {s.leave_rr_high:g}.", rr=f.rr)


@rule("R-DC-06", "discharge", "Walks", hazard=H_HOME, source="assumed")
def walks(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if not f.walks:
        yield never("walking unaided (or as before) is not recorded.")


@rule("R-DC-07", "discharge", "Perception back", hazard=H_HOME, source="assumed")
def perception(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.dissociation is None or f.dissociation > s.leave_dissociation:
        got = "not asked" if f.dissociation is None else format(f.dissociation, "g")
        yield never(f"dissociation {got}; at most {s.leave_dissociation:g}/10.", dissociation=f.dissociation)


@rule(
    "R-DC-08",
    "discharge",
    "Suicidal thoughts and crisis card",
    hazard="H-13 suicide",
    source="Spravato boxed warning (read)",
)
def crisis(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.new_suicidal_ideation is None:
        yield never("new suicidal thoughts were not asked for.")
    elif f.new_suicidal_ideation:
        yield red("new suicidal thoughts: stay with the person; a prescriber decides.", PRESCRIBER)
    if not f.crisis_card:
        yield never("the crisis card was not given.")


@rule("R-DC-09", "discharge", "Cannula out", hazard="H-08 misuse", source="assumed")
def line(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.route == "iv" and not f.line_removed:
        yield never("the IV line is not recorded as removed.")


@rule("R-DC-10", "discharge", "Escort present", hazard=H_HOME, source="Spravato US label; Atlanta clinic (read)")
def escort(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if not f.escort_name.strip() or not f.escort_present:
        yield never("the escort is not named or not here.")


@rule(
    "R-DC-11",
    "discharge",
    "No driving until the next day",
    hazard=H_HOME,
    source="Spravato US label; Atlanta clinic (read)",
)
def driving(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if not f.no_driving_acknowledged:
        yield never(
            "no driving, machines or legal decisions until the next day after a restful sleep: not acknowledged."
        )
    if not f.instructions_read_back:
        yield never("written instructions were not read back.")


@rule("R-DC-12", "discharge", "Nausea", hazard=H_HOME, source="assumed")
def nausea(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if not f.nausea_controlled:
        yield never("nausea controlled and fluids kept: not recorded.")


@rule("R-DC-13", "discharge", "Fresh vitals", hazard="H-19 nobody looks", source="assumed")
def fresh(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.vitals_minutes is None or f.vitals_minutes > s.leave_vitals_minutes:
        yield never(f"the last vitals are older than {s.leave_vitals_minutes:g} min.", minutes=f.vitals_minutes)


@rule(
    "R-DC-14",
    "discharge",
    "Esketamine: pressure at 40 min",
    hazard="H-16 esketamine outside its programme",
    source="Spravato US label; REMS form (read)",
)
def forty(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.drug == "esketamine" and f.route == "intranasal" and not f.bp_at_40:
        yield red("no blood pressure near 40 min is recorded: a prescriber writes why.", PRESCRIBER)


@rule("R-DC-15", "discharge", "Drug ended", hazard="H-02 a wrong dose", source="assumed")
def ended(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.drug_running:
        yield never("the drug is still recorded as running.")


@rule(
    "R-DC-16",
    "discharge",
    "Missed rounds explained",
    hazard="H-19 nobody looks",
    source="Dothan clinic (read); assumed",
)
def explained(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.slots_unexplained:
        yield never(
            f"vitals rounds late by more than a whole interval without a reason: {f.slots_unexplained}. "
            "Write the reason beside each in the list of rounds.",
            count=f.slots_unexplained,
        )


@rule("R-DC-17", "discharge", "Answers of the moment", hazard="H-19 nobody looks", source="assumed")
def of_now(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.answers_minutes is not None and f.answers_minutes > s.leave_answers_minutes:
        yield never(
            f"orientation, walking, nausea, score and suicidal thoughts were asked {f.answers_minutes:.0f} min ago; "
            f"{s.leave_answers_minutes:g} count. Ask again.",
            minutes=round(f.answers_minutes),
            limit=s.leave_answers_minutes,
        )


@rule("R-DC-18", "discharge", "No red alarm at the door", hazard=H_HOME, source="no symptoms at discharge; assumed")
def calm(f: LeaveFacts, s: Settings) -> Iterator[Say]:
    if f.alarms:
        yield red(f"red alarms stand: {' '.join(f.alarms)} The prescriber clears.", PRESCRIBER, count=len(f.alarms))


def discharge(facts: LeaveFacts, settings: Settings) -> tuple[Finding, ...]:
    """Everything that is missing before this person may leave, loudest first; empty: may leave."""
    return judge("discharge", facts, settings)
