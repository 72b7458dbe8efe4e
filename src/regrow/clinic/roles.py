"""Who may do what: five roles, and the actions each may take. The one thing to know: what is not listed is refused."""

from __future__ import annotations

PRESCRIBER, NURSE, FRONT_DESK, READER, ADMINISTRATOR = "prescriber", "nurse", "front desk", "reader", "administrator"
ROLES = (PRESCRIBER, NURSE, FRONT_DESK, READER, ADMINISTRATOR)

ALLOWED: dict[str, frozenset[str]] = {
    "board.read": frozenset({PRESCRIBER, NURSE, READER}),
    "people.read": frozenset({PRESCRIBER, NURSE, FRONT_DESK, READER}),
    "chart.read": frozenset({PRESCRIBER, NURSE, READER}),
    "intake.write": frozenset({PRESCRIBER, NURSE, FRONT_DESK}),
    "booking.write": frozenset({PRESCRIBER, NURSE, FRONT_DESK}),
    "chart.write": frozenset({PRESCRIBER, NURSE}),
    "evaluation.sign": frozenset({PRESCRIBER}),
    "plan.sign": frozenset({PRESCRIBER}),
    "decision.sign": frozenset({PRESCRIBER}),
    "consent.write": frozenset({PRESCRIBER, NURSE}),
    "session.write": frozenset({PRESCRIBER, NURSE}),
    "duty.write": frozenset({PRESCRIBER}),
    "register.read": frozenset({PRESCRIBER, NURSE, READER, ADMINISTRATOR}),
    "register.write": frozenset({PRESCRIBER, NURSE}),
    "settings.read": frozenset(ROLES),
    "settings.write": frozenset({ADMINISTRATOR}),
    "staff.write": frozenset({ADMINISTRATOR}),
    "log.read": frozenset({ADMINISTRATOR}),
}


def may(role: str, action: str) -> bool:
    """Whether a role may take an action; an unknown action is a mistake in the program and raises KeyError."""
    return role in ALLOWED[action]
