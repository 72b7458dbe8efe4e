"""How the states of a model text move while nothing happens, and where they come to rest under repeated dosing.

The one thing to know: a text whose rates are linear in all states together moves exactly, by the matrix exponential,
and its steady states are the solution of one linear system. Any other text moves by the engine, and a steady state is
found by Newton's method on the map over one dosing interval; it is refused unless the map then gives the state back to
`TOLERANCE` and draws neighbours towards it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from regrow.engine import Infusion, Model, solve
from regrow.engine.expression import Graph
from regrow.engine.plan import Evaluator
from regrow.refusal import Refusal

#: how closely a steady state found by iteration must repeat, relative to the largest value of each state
TOLERANCE = 1e-7
_NEWTON_STEPS, _PLAIN_STEPS, _AT_REST_H = 30, 300, 24.0
#: a stretch between two events is solved to this share of each state's largest value: errors of many stretches add up
_TARGET = 1e-6


@dataclass(frozen=True)
class Cycle:
    """One interval of a dose that is repeated for ever: `bolus` at its start, then `first` for `share` h, then `then`.

    `bolus`, `first` and `then` hold an amount, or a rate per h, for each state; `length` is the interval in h.
    """

    length: float
    bolus: np.ndarray
    first: np.ndarray
    share: float
    then: np.ndarray


def _enters(cycle: Cycle) -> np.ndarray:
    return np.abs(cycle.bolus) + np.abs(cycle.first) + np.abs(cycle.then)


class Flow(Protocol):
    """Motion under constant parameters. States have shape (states,), rates of infusion too."""

    def move(self, x: np.ndarray, rates: np.ndarray, start: float, lengths: Sequence[float]) -> list[np.ndarray]:
        """The states after each of `lengths` (h, ascending) from `start`, with `rates` running in."""
        ...

    def steady(self, cycle: Cycle, phase: float, x: np.ndarray, *, alone: bool) -> np.ndarray:
        """The states of the endless cycle `phase` h after its start, just before its dose where phase = length.

        `x` is where a search may begin. `alone`: what the doses add to a system that is already there.
        """
        ...


def is_linear(model: Model) -> bool:
    """Whether all rates are linear in all states together, with coefficients that do not depend on time."""
    program = model.program
    graph = Graph(program.nodes)
    states = frozenset(program.states)
    return not any(
        "time" in graph.symbols(rate) or graph.linear(rate, states) is None for rate in program.rates.values()
    )


def depends_on_time(model: Model) -> bool:
    """Whether a rate of the text uses the clock."""
    graph = Graph(model.program.nodes)
    return any("time" in graph.symbols(rate) for rate in model.program.rates.values())


def no_steady_state(why: str) -> Refusal:
    """The refusal of a dose with SS for which the model has no steady state."""
    sentence = f"data: SS: {why}; give the doses one by one, or with ADDL, instead of SS"
    return Refusal("STEADY-STATE", sentence, field="SS")


# --- linear: exact --------------------------------------------------------------------------------------------------


@dataclass
class Linear:
    """x' = A x + c + rates."""

    states: tuple[str, ...]
    A: np.ndarray
    c: np.ndarray
    _steps: dict[float, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @staticmethod
    def of(model: Model, values: Mapping[str, float]) -> Linear:
        """The system of a model whose rates are linear, at these values of its parameters."""
        program = model.program
        n = len(program.states)
        # The states at zero and at each unit vector, all at once, show every coefficient.
        points = np.hstack([np.zeros((n, 1)), np.eye(n)])
        names: dict[str, float | np.ndarray] = dict(values) | dict(zip(program.states, points, strict=True))
        with np.errstate(all="ignore"):
            evaluate = Evaluator(program, names | {"time": 0.0}, n + 1)
            rates = np.array([evaluate(program.rates[s]) for s in program.states])
        if not np.isfinite(rates).all():
            bad = program.states[int(np.flatnonzero(~np.isfinite(rates).all(axis=1))[0])]
            sentence = f"model: the equation of {bad} gives no finite number at these values of its parameters"
            raise Refusal("MODEL-VALUE", sentence, field=bad)
        return Linear(program.states, rates[:, 1:] - rates[:, :1], rates[:, 0])

    def _step(self, length: float) -> tuple[np.ndarray, np.ndarray]:
        """(P, Q) with x(length) = P x + Q (c + rates)."""
        if length not in self._steps:
            from scipy.linalg import expm

            n = len(self.A)
            whole = np.zeros((2 * n, 2 * n))
            whole[:n, :n], whole[:n, n:] = self.A * length, np.eye(n) * length
            grown = expm(whole)
            self._steps[length] = grown[:n, :n], grown[:n, n:]
        return self._steps[length]

    def move(self, x: np.ndarray, rates: np.ndarray, start: float, lengths: Sequence[float]) -> list[np.ndarray]:
        out = []
        before = 0.0
        for length in lengths:
            if length > before:
                P, Q = self._step(float(f"{length - before:.13g}"))  # so that equal steps share one exponential
                x = P @ x + Q @ (self.c + rates)
            before = length
            out.append(x)
        return out

    def steady(self, cycle: Cycle, phase: float, x: np.ndarray, *, alone: bool) -> np.ndarray:
        here = Linear(self.states, self.A, np.zeros_like(self.c)) if alone else self
        kept = ~self.A.any(axis=1) & (here.c == 0) & (_enters(cycle) == 0)  # a state that never changes stays as it is
        before = np.where(kept & (not alone), x, 0.0)
        k = np.flatnonzero(self._reached(_enters(cycle) + np.abs(here.c) + np.abs(self.A) @ np.abs(before)))
        part = self.A[np.ix_(k, k)]
        if len(k):
            values, vectors = np.linalg.eig(part)
            slowest = int(np.argmax(np.real(values)))
            if np.real(values)[slowest] > -1e-12 * max(1.0, np.abs(part).max()):
                stuck = self.states[k[int(np.argmax(np.abs(vectors[:, slowest])))]]
                raise no_steady_state(f"{stuck} never comes to rest, because nothing takes from it what goes in")
        gained = here._over(cycle, before, cycle.length)
        P, _ = self._step(cycle.length)
        before[k] = np.linalg.solve(np.eye(len(k)) - P[np.ix_(k, k)], gained[k])
        return here._over(cycle, before, phase)

    def _reached(self, sources: np.ndarray) -> np.ndarray:
        """Which states ever hold something, given what enters each from outside."""
        reached = sources != 0
        for _ in range(len(self.A)):
            reached = reached | (np.abs(self.A) @ reached > 0)
        return reached & (self.A.any(axis=1) | (sources != 0))

    def _over(self, cycle: Cycle, x: np.ndarray, phase: float) -> np.ndarray:
        x = x + cycle.bolus
        early = min(phase, cycle.share)
        (x,) = self.move(x, cycle.first, 0.0, [early])
        (x,) = self.move(x, cycle.then, 0.0, [phase - early])
        return x


# --- everything else: by the engine ---------------------------------------------------------------------------------


@dataclass
class General:
    """Motion by the engine on its fine grid; `notices` gathers what the engine says."""

    model: Model
    values: Mapping[str, float]
    notices: dict[str, str] = field(default_factory=dict)

    def move(self, x: np.ndarray, rates: np.ndarray, start: float, lengths: Sequence[float]) -> list[np.ndarray]:
        later = [length for length in lengths if length > 0]
        if not later:
            return [x for _ in lengths]
        moved = self._solve(x[:, None], rates, start, later)
        return [x for _ in range(len(lengths) - len(later))] + [moved[:, 0, k] for k in range(len(later))]

    def _solve(self, x: np.ndarray, rates: np.ndarray, start: float, lengths: Sequence[float]) -> np.ndarray:
        """States (states, people, times) for start states (states, people)."""
        states = self.model.states
        length = lengths[-1]
        end = start + length
        running = [Infusion(start, s, r * (end - start), end - start) for s, r in zip(states, rates, strict=True) if r]
        times = np.minimum(start + np.asarray(lengths), end)
        solution = solve(
            self.model, self.values, running, times, states, n=x.shape[1], start=x, start_time=start, accuracy="fine",
            target=_TARGET,
        )  # fmt: skip
        for notice in solution.notices:  # a stretch says the same as another with other numbers: once is enough
            self.notices.setdefault(re.sub(r"\d[\d.e+-]*", "", notice), notice)
        if not np.isfinite(solution.values).all():
            bad = states[int(np.flatnonzero(~np.isfinite(solution.values).all(axis=(1, 2)))[0])]
            sentence = f"model: {bad} is no finite number any more between {start:g} and {end:g} h"
            raise Refusal("MODEL-VALUE", sentence, field=bad)
        return solution.values

    def _over(self, cycle: Cycle, x: np.ndarray, phase: float) -> np.ndarray:
        x = x + cycle.bolus[:, None]
        early = min(phase, cycle.share)
        if early > 0:
            x = self._solve(x, cycle.first, 0.0, [early])[:, :, -1]
        if phase > early:
            x = self._solve(x, cycle.then, 0.0, [phase - early])[:, :, -1]
        return x

    @cached_property
    def _rest_at_zero(self) -> bool:
        program = self.model.program
        names = dict(self.values) | dict.fromkeys(program.states, 0.0) | {"time": 0.0}
        with np.errstate(all="ignore"):
            evaluate = Evaluator(program, names, 1)
            return all(abs(float(evaluate(program.rates[s])[0])) < 1e-300 for s in program.states)

    def steady(self, cycle: Cycle, phase: float, x: np.ndarray, *, alone: bool) -> np.ndarray:
        if depends_on_time(self.model):
            raise no_steady_state("the model text uses the clock (time), so no interval is like the one before")
        if alone and not self._rest_at_zero:
            raise no_steady_state(
                "SS 2 adds to what is there, which has no meaning for a text that is not linear and not at rest at zero"
            )
        before = self._fixed(cycle, np.zeros_like(x) if alone else x)
        return self._over(cycle, before[:, None], phase)[:, 0]

    def _fixed(self, cycle: Cycle, x: np.ndarray) -> np.ndarray:
        """The states that one interval of the cycle gives back."""
        n = len(x)
        moved = self._over(cycle, x[:, None], cycle.length)[:, 0]
        scale = np.maximum(np.abs(x), np.abs(moved)) + cycle.bolus + (cycle.first + cycle.then) * cycle.length
        scale = np.where(scale > 0, scale, max(1e-9, float(scale.max(initial=0.0))))
        for step in range(_NEWTON_STEPS):
            if step == 0:
                x = moved  # one plain interval puts the search in reach of what the doses do
            tilt = 1e-5 * np.maximum(np.abs(x), 1e-3 * scale)
            ends = self._over(cycle, np.hstack([x[:, None], x[:, None] + np.diag(tilt)]), cycle.length)
            moved = ends[:, 0]
            slope = (ends[:, 1:] - moved[:, None]) / tilt
            scale = np.maximum(scale, np.abs(moved))
            if (np.abs(moved - x) <= TOLERANCE * scale).all():
                if np.abs(np.linalg.eigvals(slope)).max() >= 1.0 - 1e-9:
                    break
                return moved
            try:
                x = x + np.linalg.solve(np.eye(n) - slope, moved - x)
            except np.linalg.LinAlgError:
                break
            if not np.isfinite(x).all() or (np.abs(x) > 1e9 * scale).any():
                break
        return self._by_repeating(cycle, moved)

    def _by_repeating(self, cycle: Cycle, x: np.ndarray) -> np.ndarray:
        worst = ""
        for _ in range(_PLAIN_STEPS):
            moved = self._over(cycle, x[:, None], cycle.length)[:, 0]
            apart = np.abs(moved - x)
            if (apart <= 0.1 * TOLERANCE * np.abs(moved) + 1e-300).all():
                return moved
            worst = self.model.states[int(np.argmax(apart / (np.abs(moved) + 1e-300)))]
            x = moved
        raise no_steady_state(
            f"{worst} still changes by more than {TOLERANCE:g} of itself from one interval to the next after "
            f"{_NEWTON_STEPS} Newton steps and {_PLAIN_STEPS} intervals"
        )


def at_rest(rates: np.ndarray) -> Cycle:
    """The cycle that a constant infusion of `rates` is: any interval does."""
    return Cycle(_AT_REST_H, np.zeros_like(rates), rates, _AT_REST_H, rates)
