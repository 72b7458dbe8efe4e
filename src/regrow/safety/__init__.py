"""Every clinical rule in one place: facts in, findings out; plan, gate and live alarms all ask here.

The one thing to know: a rule never decides. It returns findings with their numbers and source; the clinic application
shows them, asks for the signature a finding names, and refuses what nobody may override. No clock, no database here.
"""

from regrow.safety.alarms import LiveFacts, Vitals, alarms
from regrow.safety.discharge import LeaveFacts, discharge
from regrow.safety.dose import DoseFacts, DoseSheet, Weights, dose_findings, pump_sheet, weights
from regrow.safety.eligibility import (
    CONDITIONS,
    Candidate,
    Outcome,
    Trial,
    Verdict,
    adequate_failures,
    eligibility,
)
from regrow.safety.finding import RULES, Clearance, Finding, Rule, Severity, judge, worst
from regrow.safety.gate import BLADDER_SYMPTOMS, GateFacts, gate
from regrow.safety.interactions import MedicineFacts, classes_of, interactions
from regrow.safety.rounds import Rounds, rounds
from regrow.safety.schedule import ScheduleFacts, schedule_findings
from regrow.safety.settings import Settings
from regrow.safety.staffing import RegisterFacts, StaffFacts, register_findings, staffing

__all__ = [
    "BLADDER_SYMPTOMS",
    "CONDITIONS",
    "RULES",
    "Candidate",
    "Clearance",
    "DoseFacts",
    "DoseSheet",
    "Finding",
    "GateFacts",
    "LeaveFacts",
    "LiveFacts",
    "MedicineFacts",
    "Outcome",
    "RegisterFacts",
    "Rounds",
    "Rule",
    "ScheduleFacts",
    "Settings",
    "Severity",
    "StaffFacts",
    "Trial",
    "Verdict",
    "Vitals",
    "Weights",
    "adequate_failures",
    "alarms",
    "classes_of",
    "discharge",
    "dose_findings",
    "eligibility",
    "gate",
    "interactions",
    "judge",
    "pump_sheet",
    "register_findings",
    "rounds",
    "schedule_findings",
    "staffing",
    "weights",
    "worst",
]
