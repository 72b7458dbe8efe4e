"""What a run means on each rating scale: scores, response, remission and relapse, each by the scale's own rule.

The one thing to know: a score here is one that somebody rated. MADRS carries the noise of a rating and every other
scale is read from that rated MADRS, so that a person's scores at one visit belong together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regrow import scales
from regrow.catalog import scales as shelf
from regrow.readouts import READOUTS

if TYPE_CHECKING:
    from regrow.simulate import Result

VISITS_H = 7 * 24.0  # between the visits at which a relapse is looked for
_BLOCK = 50_000  # people looked at together, so that a million fit in memory


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
    # a rating is a whole number, which single precision holds exactly; a typical person's score is not rounded
    kind = np.float64 if result.people.typical else np.float32
    visits = np.stack([result.rated(float(time)).astype(kind) for time in (*hours, end_h)], axis=1)
    names = [name for name, row in READOUTS.items() if row.scale and name in result.values]
    return {name: _outcome(result, name, hours / 24, visits) for name in names}


def _read(readout: str, madrs: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Rated MADRS (n, visits) as the scores of a read-out's scale; `baseline` (n,)."""
    rated = np.asarray(madrs, float)
    values = {"D": rated, "improvement": 1.0 - rated / baseline[:, None]}
    return np.asarray(READOUTS[readout].compute(values))


def _outcome(result: Result, name: str, days: np.ndarray, madrs: np.ndarray) -> Outcome:
    scale = shelf.get(READOUTS[name].scale)
    baseline = result.people.baseline
    start = _read(name, baseline[:, None], baseline)[:, 0]
    end = _read(name, madrs[:, -1:], baseline)[:, 0]
    response = scale.response_rule.met(end, start) if scale.response_rule else None
    remission = scale.remission_rule.met(end) if scale.remission_rule else None
    pieces = (slice(first, first + _BLOCK) for first in range(0, len(madrs), _BLOCK))
    relapse = _share(_relapsed(scale, start[who], days, _read(name, madrs[who, :-1], baseline[who])) for who in pieces)
    return Outcome(scale, start, end, _percent(response), _percent(remission), relapse)


def _percent(reached: np.ndarray | None) -> float | None:
    return None if reached is None else 100 * float(np.mean(reached))


def relapsed(scale: scales.Scale, start: np.ndarray, days: np.ndarray, seen: np.ndarray) -> float | None:
    """Of the people who responded at one of the visits, the percentage who relapse after their best one.

    `start` (n,), `days` (v,), `seen` (n, v). None where the scale has no such rule or nobody responded.
    """
    return _share([_relapsed(scale, start, days, seen)])


def _share(counts: Iterable[tuple[int, int]]) -> float | None:
    relapses, responses = np.sum(list(counts), axis=0)
    return 100 * float(relapses) / float(responses) if responses else None


def _relapsed(scale: scales.Scale, start: np.ndarray, days: np.ndarray, seen: np.ndarray) -> tuple[int, int]:
    """How many people relapse after their best visit, and how many had responded at one of the visits."""
    if scale.relapse_rule is None or scale.response_rule is None or not len(days):
        return 0, 0
    best, lowest = seen.argmin(axis=1), seen.min(axis=1)
    helped = np.asarray(scale.response_rule.met(lowest, start))
    if not helped.any():
        return 0, 0
    after = np.where(np.arange(len(days)) > best[:, None], seen, np.nan)[helped]
    when = scales.relapse(scale, list(days), after, baseline=start[helped], best=lowest[helped])
    return int(np.isfinite(when).sum()), int(helped.sum())
