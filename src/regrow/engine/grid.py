"""The steps of a course: short after each event, then longer and longer until the next one.

The one thing to know: a step's length depends only on what happened last and how long ago, so sessions of the same
kind share their lengths, and what depends on a length alone (exponentials) is computed once for all of them.
Outputs cost no steps: they are read from the collocation polynomial of the step that holds them.
"""

from __future__ import annotations

import itertools
from bisect import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

ROOT6 = 6.0**0.5
#: nodes of the three-stage Radau IIA collocation (Hairer and Wanner, Solving ODEs II, table IV.5.6)
NODES = ((4.0 - ROOT6) / 10.0, (4.0 + ROOT6) / 10.0, 1.0)
WEIGHTS = (
    ((88.0 - 7.0 * ROOT6) / 360.0, (296.0 - 169.0 * ROOT6) / 1800.0, (-2.0 + 3.0 * ROOT6) / 225.0),
    ((296.0 + 169.0 * ROOT6) / 1800.0, (88.0 + 7.0 * ROOT6) / 360.0, (-2.0 - 3.0 * ROOT6) / 225.0),
    ((16.0 - ROOT6) / 36.0, (16.0 + ROOT6) / 36.0, 1.0 / 9.0),
)


def _projection(panels: int) -> tuple[list[list[float]], list[list[float]]]:
    """Weights from the nodes to points between them, and back: two Gauss points in each of `panels` equal parts.

    Forth by the parabola through the nodes; back to the values at the nodes of the nearest parabola (least squares),
    which keeps the moments 0, 1 and 2 over the step of what was found at the points.
    """
    half = 0.5 / 3.0**0.5
    points = np.array([(k + 0.5 + side) / panels for k in range(panels) for side in (-half, half)])
    forth = np.stack([np.prod([(points - d) / (c - d) for d in NODES if d != c], axis=0) for c in NODES], axis=1)
    return forth.tolist(), np.linalg.pinv(forth).tolist()


SUBPOINTS, PROJECTION = _projection(3)


class Steady(NamedTuple):
    """What x' = a - b x with constant b makes of a step, by z = h b: polynomials, lowest power first.

    x at node k is (start[k](z) x + h sum(feed[k][j](z) a_j)) / below(z): (1 + z A)^-1 and (1 + z A)^-1 A, whose
    powers of A above the second are gone by its characteristic polynomial.
    """

    below: list[float]
    start: list[list[float]]
    feed: list[list[list[float]]]


def _steady() -> Steady:
    A, one = np.array(WEIGHTS), np.ones(3)
    _, c1, c2, c3 = (np.poly(A) * [1, -1, 1, -1]).tolist()
    start = np.stack([one, c1 - A @ one, c2 - c1 * A @ one + A @ A @ one], axis=1)
    feed = np.stack([A, c1 * A - A @ A, c3 * np.eye(3)], axis=2)
    short = [[row[: 3 if k == j else 2] for j, row in enumerate(rows)] for k, rows in enumerate(feed.tolist())]
    return Steady([1.0, c1, c2, c3], start.tolist(), short)


STEADY = _steady()


@dataclass(frozen=True)
class Pace:
    """How long a step may be at an age since the last event: from `ages[k]` (h) on `lengths[k]` (h).

    Few different lengths: what depends on a length alone is worked out once for it. `eased`: the age that the end of an
    infusion counts as, which bends what follows but lets nothing jump. `sweeps`: how often a feedback loop is swept.
    """

    ages: tuple[float, ...]
    lengths: tuple[float, ...]
    eased: float = 0.0
    sweeps: int = 2

    def at(self, age: float) -> float:
        """The length of a step that begins at `age`."""
        return self.lengths[bisect(self.ages, age) - 1]

    def finer(self) -> Pace:
        """The same shape with half the length everywhere."""
        return replace(self, lengths=tuple(0.5 * h for h in self.lengths))


# Found by changing a few lengths at a time and keeping what was cheaper (a step counts one, a different length two)
# within bars on the errors of some 300 varied people on courses by every route, up to 20 weeks. `FINE` keeps every
# output, metabolites too; `STANDARD` the score, at every time, and the synapses. The tiny first steps of `FINE` are for
# a bolus: what it blocks grows from zero like a power of time.
STANDARD = Pace(
    (0, 0.03, 0.1, 0.25, 0.6, 1.2, 2, 3, 5, 8, 14, 30, 60, 120, 250, 600, 1200),
    (0.0064, 0.0575, 0.11, 0.205, 0.373, 0.367, 0.445, 0.694, 1.79, 4.34, 5.88, 11.6, 20.5, 30.4, 49.4, 96, 168),
    eased=0.03,
)
FINE = Pace(
    (0, 0.002, 0.006, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1, 1.5, 2.5, 4, 6, 9, 14, 30, 60, 120, 250, 600, 1200),
    (0.00088, 0.004, 0.00696, 0.0092, 0.0151, 0.02, 0.0151, 0.0302, 0.0392, 0.0688, 0.096, 0.112, 0.112,
     0.224, 0.624, 1.25, 3.02, 4.68, 16.8, 25.6, 72, 128),
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Steps: start `time` and length `h` (h), `kind` = place of the length in `lengths`."""

    time: np.ndarray
    h: np.ndarray
    kind: np.ndarray
    lengths: np.ndarray
    first_of: dict[float, int]  # a break's time -> the step that begins there

    def places(self, times: np.ndarray) -> Places:
        """Where `times` (ascending) lie in the steps."""
        step = np.clip(np.searchsorted(self.time, times, side="right") - 1, 0, len(self.time) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            theta = np.where(self.h[step] > 0, (times - self.time[step]) / self.h[step], 0.0)
        theta = np.clip(theta, 0.0, 1.0)
        # rounded, so that the same minute of equal sessions gives the same span
        spans, span = np.unique(np.round(theta * self.h[step], 12), return_inverse=True)
        first = np.searchsorted(step, np.arange(len(self.time) + 1)).astype(np.int64)
        return Places(first, times, spans, span.astype(np.int64), basis(theta))


@dataclass(frozen=True)
class Places:
    """Times inside steps: `first` of each step (steps + 1), clock `time`, the time since the step's start as
    `spans[span]`, and `basis`, the weights (4, times) of the step's start and nodes in the collocation polynomial."""

    first: np.ndarray
    time: np.ndarray
    spans: np.ndarray
    span: np.ndarray
    basis: np.ndarray


def steps_after(length: float, pace: Pace, age: float = 0.0) -> list[float]:
    """Lengths that fill `length` hours after an event: the pace's own, then one or two that close the rest."""
    out: list[float] = []
    left = length
    while True:
        h = pace.at(age)
        if left <= 1.6 * h:
            return [*out, 0.5 * left, 0.5 * left] if left > h else [*out, left]
        out.append(h)
        left -= h
        age += h


def build(breaks: Sequence[float], end: float, pace: Pace, eased: Collection[float] = ()) -> Grid:
    """The grid from the first of `breaks` (ascending, the start among them) to `end`; at those `eased`, infusions end.

    A step of length zero closes the grid, so that an event at the very end still shows in the last output.
    """
    starts: list[float] = []
    lengths: list[float] = []
    first_of: dict[float, int] = {}
    edges = [*[b for b in breaks if b < end], end]
    for left, right in itertools.pairwise(edges):
        first_of[left] = len(starts)
        # rounded, so that equal gaps at different clock times give equal lengths
        gap = float(f"{right - left:.12g}")
        at = left
        for h in steps_after(gap, pace, pace.eased if left in eased else 0.0):
            starts.append(at)
            lengths.append(h)
            at += h
    first_of[end] = len(starts)
    starts.append(end)
    lengths.append(0.0)
    time, h = np.array(starts), np.array(lengths)
    unique, kind = np.unique(h, return_inverse=True)
    return Grid(time, h, kind.astype(np.int64), unique, first_of)


def basis(theta: np.ndarray) -> np.ndarray:
    """Weights (4, outputs) of the values at 0 and the three nodes in the cubic through them."""
    nodes = (0.0, *NODES)
    out = np.ones((4, len(theta)))
    for i in range(4):
        for j in range(4):
            if j != i:
                out[i] *= (theta - nodes[j]) / (nodes[i] - nodes[j])
    return out
