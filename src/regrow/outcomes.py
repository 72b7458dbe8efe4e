"""What a run means on each rating scale: scores, response, remission and relapse, each by the scale's own rule.

The one thing to know: a score here is one that somebody rated. MADRS carries the noise of a rating and every other
scale is read from that rated MADRS, so that a person's scores at one visit belong together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regrow import scales
from regrow.catalog import scales as shelf
from regrow.readouts import READOUTS

if TYPE_CHECKING:
    from regrow.simulate import Result

VISITS_H = 7 * 24.0  # between the visits at which a relapse is looked for


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
    visits = np.stack([result.rated(float(time)) for time in (*hours, end_h)], axis=1)
    names = [name for name, row in READOUTS.items() if row.scale and name in result.values]
    return {name: _outcome(result, name, hours / 24, visits) for name in names}


def _read(result: Result, readout: str, madrs: np.ndarray) -> np.ndarray:
    """Rated MADRS (n, visits) as the scores of a read-out's scale."""
    values = {"D": np.asarray(madrs, float), "improvement": 1.0 - madrs / result.people.baseline[:, None]}
    return np.asarray(READOUTS[readout].compute(values))


def _outcome(result: Result, name: str, days: np.ndarray, madrs: np.ndarray) -> Outcome:
    scale = shelf.get(READOUTS[name].scale)
    start = _read(result, name, result.people.baseline[:, None])[:, 0]
    seen = _read(result, name, madrs)
    end = seen[:, -1]
    response = scale.response_rule.met(end, start) if scale.response_rule else None
    remission = scale.remission_rule.met(end) if scale.remission_rule else None
    relapse = relapsed(scale, start, days, seen[:, :-1])
    return Outcome(scale, start, end, _percent(response), _percent(remission), relapse)


def _percent(reached: np.ndarray | None) -> float | None:
    return None if reached is None else 100 * float(np.mean(reached))


def relapsed(scale: scales.Scale, start: np.ndarray, days: np.ndarray, seen: np.ndarray) -> float | None:
    """Of the people who responded at one of the visits, the percentage who relapse after their best one.

    `start` (n,), `days` (v,), `seen` (n, v). None where the scale has no such rule or nobody responded.
    """
    if scale.relapse_rule is None or scale.response_rule is None or not len(days):
        return None
    best, lowest = seen.argmin(axis=1), seen.min(axis=1)
    helped = np.asarray(scale.response_rule.met(lowest, start))
    if not helped.any():
        return None
    after = np.where(np.arange(len(days)) > best[:, None], seen, np.nan)[helped]
    when = scales.relapse(scale, list(days), after, baseline=start[helped], best=lowest[helped])
    return 100 * float(np.mean(np.isfinite(when)))
