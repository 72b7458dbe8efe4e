"""A course unrolled for one person: one model text, a number for every parameter, every dose and jump on the clock.

The one thing to know: this is what a file of another format can hold. Visits that decide on a score are decided here,
by simulating the person, so the file says what this person gets and needs no rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regrow import engine
from regrow.assembly import Assembly
from regrow.dosing import Session
from regrow.people import Population
from regrow.refusal import Refusal
from regrow.regimen import Course
from regrow.simulate import run


@dataclass(frozen=True)
class Unrolled:
    """One person's course. `values` has a number for each parameter of `model`, `events` are what the engine solves,
    `times` (h) the house's output times, `cautions` sentences to show beside the file."""

    course: Course
    setup: Assembly
    person: int  # the place among the people of `setup`
    model: engine.Model
    values: dict[str, float]
    events: tuple[engine.Event, ...]
    sessions: tuple[Session, ...]
    times: np.ndarray
    cautions: tuple[str, ...]

    def solve(self, outputs: Sequence[str], times: Sequence[float] | np.ndarray | None = None) -> np.ndarray:
        """The outputs (outputs, times) by our own kernel, at `times` (h) or the house's."""
        asked = self.times if times is None else np.asarray(times, float)
        return engine.solve(self.model, self.values, self.events, asked, outputs).values[:, 0]


def unroll(course: Course, people: Population, equations: str | None = None) -> tuple[Unrolled, ...]:
    """The course of every person, one by one; refuses what `simulate` refuses, and COURSE-MODEL for `--model all`.

    `equations` is an own text in place of everything after the plasma.
    """
    if course.model == "all":
        sentence = "model: a file holds one plasma model, not all of them; choose one with --model"
        raise Refusal("COURSE-MODEL", sentence, field="model", value="all")
    result = run(course, people, equations=equations)
    setup = Assembly(course, people, equations)
    compiled = setup.compiled
    found = []
    for person in range(people.n):
        who = np.array([person])
        sessions = tuple(held.session for held in result.sessions if np.isfinite(held.mg[person]))
        events = [event for session in sessions for event in setup.events(session, who)]
        events += setup.changes(0.0, np.inf)
        events = [one_number(event) for event in events if event.time <= course.hours]
        values = {name: float(np.ravel(value)[0]) for name, value in setup.of(who).items()}
        values = {name: values.get(name, compiled.defaults.get(name, np.nan)) for name in compiled.parameters}
        cautions = (*result.cautions, *setup.switches.notes)
        ordered = tuple(sorted(events, key=lambda event: event.time))
        found.append(
            Unrolled(
                course, setup, person, compiled, values, ordered, sessions, result.times, tuple(dict.fromkeys(cautions))
            )
        )
    return tuple(found)


def one_number(event: engine.Event) -> engine.Event:
    """The event with plain numbers for the one person's arrays."""

    def plain(value: float | np.ndarray) -> float:
        return float(np.ravel(value)[0])

    match event:
        case engine.Bolus(time, state, amount):
            return engine.Bolus(float(time), state, plain(amount))
        case engine.Infusion(time, state, amount, duration):
            return engine.Infusion(float(time), state, plain(amount), float(duration))
        case engine.Jump(time, state, keep, add):
            return engine.Jump(float(time), state, plain(keep), plain(add))
        case engine.Change(time, parameter, value):
            return engine.Change(float(time), parameter, plain(value))
