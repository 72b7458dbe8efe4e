"""Every write to the database stands in this folder: allowed by role, safe to repeat, logged in the same transaction.

The one thing to know: a write returns only after its transaction is on disk (synchronous=FULL, or a commit).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from regrow.clinic import access, chain
from regrow.clinic.models import Patient, Staff

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Act:
    """Who acts, when, from which device."""

    staff: Staff
    now: datetime
    device: str = ""

    def log(self, what: str, subject: Any = None, patient: Patient | None = None) -> None:
        """Notes the write in the chain, inside the running transaction."""
        chain.log(self.staff.user.username, what, self.now, patient.key if patient else "", subject)


def action(permission: str) -> Callable[[Callable[Concatenate[Act, P], R]], Callable[Concatenate[Act, P], R]]:
    """Makes a function one write: the role is asked first, then everything happens in one transaction."""

    def put(function: Callable[Concatenate[Act, P], R]) -> Callable[Concatenate[Act, P], R]:
        @wraps(function)
        def run(act: Act, *args: P.args, **named: P.kwargs) -> R:
            access.require(act.staff, permission)
            with chain.writing():
                return function(act, *args, **named)

        return run

    return put
