"""What happens to people during a course: doses, jumps, changed parameters.

The one thing to know: times and durations are common to all people of a run; amounts may differ by person. Values
at an event's time are those just after it. Events at the same time happen in the order in which they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.refusal import Refusal

if TYPE_CHECKING:
    from regrow.engine.model import Model

Amount = float | np.ndarray  # one number for all, or one per person


@dataclass(frozen=True)
class Bolus:
    """`amount` is added to `state` at `time` (h)."""

    time: float
    state: str
    amount: Amount


@dataclass(frozen=True)
class Infusion:
    """`amount` runs into `state` at a constant rate from `time` for `duration` (h, above 0)."""

    time: float
    state: str
    amount: Amount
    duration: float


@dataclass(frozen=True)
class Jump:
    """At `time`, state becomes keep * state + add."""

    time: float
    state: str
    keep: Amount = 1.0
    add: Amount = 0.0


@dataclass(frozen=True)
class Change:
    """From `time` on, `parameter` has `value`."""

    time: float
    parameter: str
    value: Amount


Event = Bolus | Infusion | Jump | Change


def check(events: Sequence[Event], model: Model, n: int, start_time: float) -> tuple[Event, ...]:
    """The events in the order of time, once every field was found good.

    Raises Refusal EVENT-STATE, EVENT-PARAMETER, EVENT-TIME, EVENT-AMOUNT, EVENT-DURATION, EVENT-FROZEN.
    """
    for event in events:
        kind = type(event).__name__
        if isinstance(event, Change):
            if event.parameter not in model.parameters:
                raise Refusal(
                    "EVENT-PARAMETER",
                    f"{kind} names '{event.parameter}', which is no parameter of the model",
                    field="parameter",
                    value=event.parameter,
                )
            if event.parameter in model.program.frozen:
                late = ", ".join(model.program.frozen[event.parameter])
                raise Refusal(
                    "EVENT-FROZEN",
                    f"{event.parameter} cannot change during a course, because {late} was computed from it once at the "
                    "start; write that with := instead of =",
                    field="parameter",
                    value=event.parameter,
                )
        elif event.state not in model.states:
            raise Refusal(
                "EVENT-STATE",
                f"{kind} names '{event.state}', which is no state of the model; its states are "
                + ", ".join(model.states),
                field="state",
                value=event.state,
            )
        if not np.isfinite(event.time):
            raise Refusal("EVENT-TIME", f"{kind} has time {event.time}; give a finite number of hours", field="time")
        for name in ("amount", "keep", "add", "value"):
            if hasattr(event, name):
                per_person(getattr(event, name), n, f"{kind} {name} at {event.time:g} h", "EVENT-AMOUNT")
        if isinstance(event, Infusion) and not (np.isfinite(event.duration) and event.duration > 0):
            raise Refusal(
                "EVENT-DURATION",
                f"Infusion at {event.time:g} h has a duration of {event.duration} h; give more than 0, or a Bolus",
                field="duration",
                value=event.duration,
            )
        if isinstance(event, Bolus | Jump) and event.time < start_time:
            raise Refusal(
                "EVENT-TIME",
                f"{kind} at {event.time:g} h lies before the start at {start_time:g} h; leave it out, its effect is in "
                "the start values",
                field="time",
                value=event.time,
            )
    return tuple(sorted(events, key=lambda event: event.time))


def per_person(value: Any, n: int, what: str, code: str) -> np.ndarray | float:
    """`value` as one finite number or a float array of shape (n,). Raises Refusal `code` naming `what`."""
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (n,), (1,)):
        raise Refusal(
            code, f"{what} has shape {array.shape}; give one number or one for each of {n} people", field=what
        )
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(np.atleast_1d(array)))
        where = f" for person {bad[0]}" if array.shape == (n,) else ""
        raise Refusal(code, f"{what} is not a finite number{where}; give a number", field=what, value=value)
    return (
        float(array.reshape(-1)[0]) if array.size == 1 and n != 1 else (array if array.shape == (n,) else float(array))
    )
