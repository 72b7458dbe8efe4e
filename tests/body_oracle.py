"""An independent reading of body.ant: its rules taken from the text line by line, for many people at once.

It shares nothing with the engine. Plasma comes from the matrix exponential of `pk_oracle`; each state of the body is
linear in itself, so over a short step it moves exactly by an exponential with its input held at the step's middle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files

import numpy as np
from pk_oracle import shelf
from scipy.linalg import expm

from regrow import mechanism
from regrow.catalog import models

_RULE = re.compile(r"^(\w+)(' =| :=) (.+?);", re.MULTILINE)
_WORDS = {"max": np.maximum, "min": np.minimum, "exp": np.exp, "ln": np.log}


def _rules() -> list[tuple[str, str, object]]:
    text = files(mechanism).joinpath("body.ant").read_text(encoding="utf-8")
    return [(name, kind, compile(right.replace("^", "**"), name, "eval")) for name, kind, right in _RULE.findall(text)]


def people(n: int, seed: int, **fixed: float) -> dict[str, np.ndarray]:
    """Body parameters of `n` people drawn by the stated spreads; names in `fixed` are the same for all.

    Each parameter has chance of its own, so that one more in the files moves nobody.
    """
    found = {}
    for name, row in mechanism.parameters().items():
        z = np.random.default_rng([seed, *name.encode()]).standard_normal(n)
        omega, sd = (row.spread.omega, row.spread.sd) if row.spread else (0.0, 0.0)
        found[name] = row.value * np.exp(omega * z) + sd * z
    return found | {name: np.full(n, float(value)) for name, value in fixed.items()}


def typical() -> dict[str, np.ndarray]:
    """The standard person's parameters, as people of one."""
    return {name: np.array([value]) for name, value in mechanism.values().items()}


def grid(starts: Sequence[float], until: float, over: float = 1.0) -> np.ndarray:
    """Every minute for `over` + 3 h after each start, then steps that grow by a tenth."""
    times = []
    for start, stop in zip(starts, (*starts[1:], until), strict=True):
        fine = np.arange(0, over + 3, 1 / 60)
        grown = over + 3 + np.cumsum(1.1 ** np.arange(200) / 60)
        times.append(start + np.concatenate([fine, grown]))
        times[-1] = times[-1][times[-1] < stop - 1e-9]
    return np.append(np.concatenate(times), until)


def _plasma(given: Sequence[models.Input], times: np.ndarray, weight_kg: float) -> dict[str, np.ndarray]:
    """C_S, C_R and Cv_S at `times` by the matrix exponential; a step that comes again is not exponentiated again."""
    linear = shelf("d1", weight_kg=weight_kg)
    n = len(linear.states)
    known: dict[tuple, np.ndarray] = {}
    stops = np.unique(np.round(np.concatenate([times, *([t, t + d] for t, _, _, d in given)]), 10))
    x, kept = np.append(np.zeros(n), 1.0), {}
    for now, then in zip(stops, (*stops[1:], stops[-1]), strict=True):
        for t, state, mg, d in given:
            if not d and abs(t - now) < 1e-9:
                x[linear.states.index(state)] += float(np.asarray(mg).flat[0])
        kept[now] = x.copy()
        rates = [
            (s, float(np.asarray(mg).flat[0]) / d) for t, s, mg, d in given if d and t - 1e-9 <= now < t + d - 1e-9
        ]
        key = (round(then - now, 9), tuple(rates))
        if key not in known:
            big = np.zeros((n + 1, n + 1))
            big[:n, :n] = linear.rates
            for state, rate in rates:
                big[linear.states.index(state), n] += rate
            known[key] = expm(big * key[0])
        x = known[key] @ x
    path = np.stack([kept[t] for t in np.round(times, 10)], axis=1)
    return {name: linear.outputs[name] @ path[:n] for name in ("C_S", "C_R", "Cv_S")}


def session(
    doses: Sequence[tuple[str, str, float, float, float]],
    times: np.ndarray,
    values: Mapping[str, np.ndarray],
    *,
    weight_kg: float = 70.0,
    scale: np.ndarray | float = 1.0,
    midazolam: Sequence[tuple[float, float, float]] = (),
) -> dict[str, np.ndarray]:
    """Every rule of the body at `times`, arrays (n, times), on D1 in one typical person's plasma.

    `doses`: (drug, route, mg, start h, duration h). `scale`: each person's plasma level relative to the typical one.
    `midazolam`: (mg, start h, duration h).
    """
    given = [put for drug, route, mg, at, over in doses for put in models.inputs("d1", drug, route, mg, at, over)]
    halves = np.append(np.ravel(np.column_stack([times[:-1], (times[:-1] + times[1:]) / 2])), times[-1])
    plasma = _plasma(given, halves, weight_kg)
    n = len(values["ke0"])
    scale = np.broadcast_to(scale, (n,))
    drive = {name: plasma[name] for name in ("C_S", "C_R", "Cv_S")}
    rules = _rules()
    states = [name for name, kind, _ in rules if kind == "' ="]
    level = {name: np.zeros(n) for name in ("Ce_S", "Ce_R", *states)}
    path: dict[str, list[np.ndarray]] = {name: [] for name, _, _ in rules}

    def scope(plasma_of: Callable[[np.ndarray], float]) -> dict[str, np.ndarray]:
        found = {**_WORDS, **values, **level}
        for name, row in drive.items():
            found[name] = scale * plasma_of(row)
        for name, kind, code in rules:
            if kind == " :=":
                found[name] = eval(code, {}, found)
        return found

    for k, now in enumerate(times):
        here = scope(lambda row, k=k: row[2 * k])
        for name in path:
            path[name].append(np.broadcast_to(here[name], (n,)).copy())
        if k + 1 == len(times):
            break
        step = times[k + 1] - now

        def mean(row: np.ndarray, k: int = k) -> float:
            return (row[2 * k] + 4 * row[2 * k + 1] + row[2 * k + 2]) / 6

        middle = scope(mean)
        before = dict(level)
        for site, plasma_name in (("Ce_S", "C_S"), ("Ce_R", "C_R")):
            target = values["f_uKp"] * middle[plasma_name] / values["mw_K"]
            level[site] = target + (level[site] - target) * np.exp(-values["ke0"] * step)
        arrived = {site: level[site] for site in ("Ce_S", "Ce_R")}
        level.update({site: (before[site] + arrived[site]) / 2 for site in arrived})
        after = scope(mean)
        moved = arrived
        for name, kind, code in rules:
            if kind == "' =":
                at_0, at_1 = (eval(code, {}, {**after, name: np.full(n, x)}) for x in (0.0, 1.0))
                rate = at_0 - at_1
                target = np.divide(at_0, rate, out=np.zeros(n), where=rate > 0)
                moved[name] = target + (level[name] - target) * np.exp(-rate * step)
                after[name] = (level[name] + moved[name]) / 2
        level.update(moved)
        for mg, start, over in midazolam:
            share = max(0.0, min(times[k + 1], start + over) - max(now, start)) / over
            level["midazolam"] = level["midazolam"] + mg * share
    return {name: np.stack(rows, axis=1) for name, rows in path.items()}
