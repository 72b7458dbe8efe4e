"""What a run means on each rating scale: scores, response, remission and relapse, each by the scale's own rule.

The one thing to know: a score here is one that somebody rated. MADRS carries the noise of a rating and every other
scale is read from that rated MADRS, so that a person's scores at one visit belong together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from regrow import scales
from regrow.catalog import scales as shelf
from regrow.readouts import READOUTS

if TYPE_CHECKING:
    from regrow.simulate import Result

VISITS_H = 7 * 24.0  # between the visits at which a relapse is looked for
_BLOCK = 8192  # people looked at together: so few that what is worked out of them stays in the processor's cache


@dataclass(frozen=True)
class Outcome:
    """One scale at the end of a run: scores (n,), and percentages of people, None where the scale has no such rule.

    `relapse` is of those who had responded at a weekly visit before; None where nobody had.
    """

    scale: scales.Scale
    start: np.ndarray
    end: np.ndarray
    response: float | None
    remission: float | None
    relapse: float | None


def outcomes(result: Result) -> dict[str, Outcome]:
    """The outcome on each scale that the run gives, by read-out; empty where the run has no MADRS."""
    if "madrs" not in result.values:
        return {}
    end_h = float(result.times[-1])
    hours = np.arange(VISITS_H, end_h + 1e-9, VISITS_H)
    names = [name for name, row in READOUTS.items() if row.scale and name in result.values]
    madrs, people = result.values["madrs"], result.people

    def seen(first: int) -> list[_Seen]:
        who = slice(first, min(first + _BLOCK, people.n))
        some = replace(result, people=people[who], values={"madrs": madrs[who]})
        visits = np.stack([some.rated(float(time)) for time in (*hours, end_h)], axis=1)
        return [_seen(name, hours / 24, visits, some.people.baseline) for name in names]

    blocks = range(0, people.n, _BLOCK)
    with ThreadPoolExecutor(os.cpu_count()) if len(blocks) > 1 else nullcontext() as pool:  # NumPy leaves Python's lock
        found = list(pool.map(seen, blocks) if pool else map(seen, blocks))
    return {name: _outcome(name, rows) for name, rows in zip(names, zip(*found, strict=True), strict=True)}


def _read(readout: str, madrs: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Rated MADRS (n, visits) as the scores of a read-out's scale; `baseline` (n,)."""
    rated = np.asarray(madrs, float)
    values = {"D": rated, "improvement": 1.0 - rated / baseline[:, None]}
    return np.asarray(READOUTS[readout].compute(values))


class _Seen(NamedTuple):
    """What a rater saw of some people: scores at the start and the end, how many relapsed, how many had responded."""

    start: np.ndarray
    end: np.ndarray
    relapses: int
    responses: int


def _seen(name: str, days: np.ndarray, madrs: np.ndarray, baseline: np.ndarray) -> _Seen:
    start = _read(name, baseline[:, None], baseline)[:, 0]
    scores = _read(name, madrs, baseline)  # of which only a copy of the end stays in memory
    return _Seen(start, scores[:, -1].copy(), *relapsed(shelf.get(READOUTS[name].scale), start, days, scores[:, :-1]))


def _outcome(name: str, rows: Sequence[_Seen]) -> Outcome:
    scale = shelf.get(READOUTS[name].scale)
    start, end = (np.concatenate(part) for part in zip(*((row.start, row.end) for row in rows), strict=True))
    response = scale.response_rule.met(end, start) if scale.response_rule else None
    remission = scale.remission_rule.met(end) if scale.remission_rule else None
    relapse = _share((row.relapses, row.responses) for row in rows)
    return Outcome(scale, start, end, _percent(response), _percent(remission), relapse)


def _percent(reached: np.ndarray | None) -> float | None:
    return None if reached is None else 100 * float(np.mean(reached))


def _share(counts: Iterable[tuple[int, int]]) -> float | None:
    relapses, responses = np.sum(list(counts), axis=0)
    return 100 * float(relapses) / float(responses) if responses else None


def relapsed(scale: scales.Scale, start: np.ndarray, days: np.ndarray, seen: np.ndarray) -> tuple[int, int]:
    """How many people relapse after their best visit, and how many had responded at one of the visits.

    `start` (n,), `days` (v,), `seen` (n, v). Nobody where the scale has no rule of relapse.
    """
    if scale.relapse_rule is None or scale.response_rule is None or not len(days):
        return 0, 0
    best, lowest = seen.argmin(axis=1), seen.min(axis=1)
    helped = np.asarray(scale.response_rule.met(lowest, start))
    if not helped.any():
        return 0, 0
    after = np.where(np.arange(len(days)) > best[:, None], seen, np.nan)[helped]
    when = scales.relapse(scale, list(days), after, baseline=start[helped], best=lowest[helped])
    return int(np.isfinite(when).sum()), int(helped.sum())
