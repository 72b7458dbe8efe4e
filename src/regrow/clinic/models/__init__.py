"""The clinic's records. The one thing to know: an entry, a movement, a decision, a log row is written once and never
changed (the database itself refuses); everything else keeps its versions."""

from regrow.clinic.models.courses import Consent, Course, Decision, Session
from regrow.clinic.models.entries import ChainHead, Entry, LogRow, SettingChange
from regrow.clinic.models.patients import Allergy, Enquiry, Evaluation, Measure, Medicine, Patient, Trial
from regrow.clinic.models.people import Chair, Duty, OneTimeLink, Site, Staff
from regrow.clinic.models.register import Lot, Movement

__all__ = [
    "Allergy",
    "ChainHead",
    "Chair",
    "Consent",
    "Course",
    "Decision",
    "Duty",
    "Enquiry",
    "Entry",
    "Evaluation",
    "LogRow",
    "Lot",
    "Measure",
    "Medicine",
    "Movement",
    "OneTimeLink",
    "Patient",
    "Session",
    "SettingChange",
    "Site",
    "Staff",
    "Trial",
]
