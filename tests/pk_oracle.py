"""An independent reading of a pharmacokinetic text: its rules as a matrix, solved by scipy's matrix exponential.

It shares nothing with the engine: rules are taken from the text line by line, evaluated at unit vectors, and the matrix
that comes out is exponentiated between the times where an input starts or stops.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pytest
from scipy.linalg import expm

from regrow.catalog import models

_RULE = re.compile(r"^(\w+)(' =| :=) (.+?);", re.MULTILINE)


def record(*ids: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a test with the records of the research notes that its numbers are from; they stand in the test's id."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        named = pytest.mark.parametrize("record", ["+".join(ids)], ids=["+".join(ids)], indirect=True)
        return pytest.mark.usefixtures("record")(named(test))

    return mark


class Linear:
    """A linear model text at given parameter values: `rates` (states x states) and one row per assigned output."""

    def __init__(self, text: str, values: Mapping[str, float]) -> None:
        rules = [(name, kind, right.replace("^", "**")) for name, kind, right in _RULE.findall(text)]
        self.states = [name for name, kind, _ in rules if kind == "' ="]
        self._assigned = [(name, compile(right, name, "eval")) for name, kind, right in rules if kind == " :="]
        self._rates = [compile(right, name, "eval") for name, kind, right in rules if kind == "' ="]
        self._values = {name: float(value) for name, value in values.items()}
        columns = [self._evaluate(unit) for unit in np.eye(len(self.states))]
        zero_rates, zero_outputs = self._evaluate(np.zeros(len(self.states)))
        assert not np.any(zero_rates), "a pharmacokinetic text makes nothing from nothing"
        self.rates = np.stack([rates for rates, _ in columns], axis=1)
        self.outputs = {name: np.array([out[name] for _, out in columns]) for name in zero_outputs}
        self.outputs |= dict(zip(self.states, np.eye(len(self.states)), strict=True))

    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
        scope = {**self._values, **dict(zip(self.states, x, strict=True))}
        pending, outputs = list(self._assigned), {}
        while pending:
            left = []
            for name, code in pending:
                if all(word in scope for word in code.co_names):
                    scope[name] = outputs[name] = float(eval(code, {}, scope))
                else:
                    left.append((name, code))
            assert len(left) < len(pending), f"no value for {left}"
            pending = left
        return np.array([eval(code, {}, scope) for code in self._rates], float), outputs

    def run(self, inputs: Sequence[models.Input], times: Sequence[float], person: int = 0) -> dict[str, np.ndarray]:
        """Every state and output at `times`, and `AUC_<output>` up to each time (and `AUC_<output>_inf` at the end)."""
        n = len(self.states)
        names = list(self.outputs)
        big = np.zeros((n + len(names) + 1, n + len(names) + 1))
        big[:n, :n] = self.rates
        big[n:-1, :n] = np.stack([self.outputs[name] for name in names])
        stops = sorted({*times, *(t for t, *_ in inputs), *(t + d for t, *_, d in inputs)})
        x, now, kept = np.zeros(n + len(names) + 1), min(stops), {}
        x[-1] = 1.0
        for stop in stops:
            if stop > now:
                big[:n, -1] = 0.0
                for t, state, amount, d in inputs:
                    if d and t <= now and stop <= t + d + 1e-12:
                        big[self.states.index(state), -1] += np.asarray(amount).flat[person] / d
                x = expm(big * (stop - now)) @ x
                now = stop
            for t, state, amount, d in inputs:
                if not d and t == stop:
                    x[self.states.index(state)] += np.asarray(amount).flat[person]
            kept[stop] = x.copy()
        path = np.stack([kept[t] for t in times], axis=1)
        result = {name: self.outputs[name] @ path[:n] for name in names}
        result |= {f"AUC_{name}": path[n + i] for i, name in enumerate(names)}
        return result

    def total(self, inputs: Sequence[models.Input], output: str, person: int = 0) -> float:
        """The area under `output` to infinity, by algebra: no simulation."""
        given = np.zeros(len(self.states))
        for _, state, amount, _ in inputs:
            given[self.states.index(state)] += np.asarray(amount).flat[person]
        return float(-self.outputs[output] @ np.linalg.lstsq(self.rates, given, rcond=None)[0])


def shelf(model: str, *, weight_kg: float = 70.0, age_y: float = 40.0, effects: Sequence[str] = ()) -> Linear:
    """The model of the shelf for one typical person."""
    return _shelf(model, weight_kg, age_y, tuple(effects))


@lru_cache(maxsize=256)
def _shelf(model: str, weight_kg: float, age_y: float, effects: tuple[str, ...]) -> Linear:
    values = models.parameters(model, weight_kg=weight_kg, age_y=age_y, female=False, effects=effects)
    return Linear(models.text(model), {name: value[0] for name, value in values.items()})


def course(
    model: str,
    drug: str,
    route: str,
    mg: float,
    times: Sequence[float],
    *,
    over_h: float = 0.0,
    weight_kg: float = 70.0,
    age_y: float = 40.0,
    effects: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """One dose at time 0 of the shelf's model in one typical person: every output at `times` (h), in mg and mg/L."""
    own = models.parameters(model, weight_kg=weight_kg, age_y=age_y, female=False, effects=effects)
    given = models.inputs(model, drug, route, mg, 0.0, over_h, individual=own)
    return shelf(model, weight_kg=weight_kg, age_y=age_y, effects=effects).run(given, times)
