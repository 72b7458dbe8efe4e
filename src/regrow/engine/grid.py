"""The steps of a course: short after each event, then longer and longer until the next one.

The one thing to know: a step's length depends only on what happened last and how long ago, so sessions of the same
kind share their lengths, and what depends on a length alone (exponentials) is computed once for all of them.
Outputs cost no steps: they are read from the collocation polynomial of the step that holds them.
"""

from __future__ import annotations

import itertools
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROOT6 = 6.0**0.5
#: nodes of the three-stage Radau IIA collocation (Hairer and Wanner, Solving ODEs II, table IV.5.6)
NODES = ((4.0 - ROOT6) / 10.0, (4.0 + ROOT6) / 10.0, 1.0)
WEIGHTS = (
    ((88.0 - 7.0 * ROOT6) / 360.0, (296.0 - 169.0 * ROOT6) / 1800.0, (-2.0 + 3.0 * ROOT6) / 225.0),
    ((296.0 + 169.0 * ROOT6) / 1800.0, (88.0 + 7.0 * ROOT6) / 360.0, (-2.0 - 3.0 * ROOT6) / 225.0),
    ((16.0 - ROOT6) / 36.0, (16.0 + ROOT6) / 36.0, 1.0 / 9.0),
)


@dataclass(frozen=True)
class Pace:
    """How long a step may be at an age since the last event (h): straight lines through `AGES` and `lengths`.

    `sweeps`: how often a feedback loop is swept in a step.
    """

    lengths: tuple[float, ...]
    sweeps: int = 2

    def at(self, age: float) -> float:
        """The length of a step that begins at `age`."""
        k = bisect(AGES, age)
        if k == len(AGES):
            return self.lengths[-1]
        share = (age - AGES[k - 1]) / (AGES[k] - AGES[k - 1])
        return self.lengths[k - 1] + share * (self.lengths[k] - self.lengths[k - 1])

    def finer(self) -> Pace:
        """The same shape with half the length everywhere."""
        return Pace(tuple(0.5 * h for h in self.lengths), self.sweeps)


AGES = (0.0, 0.1, 0.2, 0.5, 0.9, 1.5, 2.5, 4.0, 5.0, 7.0, 10.0, 20.0, 48.0, 100.0)
# Found by halving and doubling one stretch of ages at a time and watching the errors of 96 varied people: what counts
# are the first minutes and the hours from 1 to 5, where thresholds of the circuit are crossed.
STANDARD = Pace((0.03, 0.05, 0.1, 0.2, 0.25, 0.28, 0.35, 0.5, 0.6, 1.5, 3.0, 8.0, 24.0, 40.0))
FINE = Pace((0.01, 0.016, 0.022, 0.04, 0.06, 0.09, 0.14, 0.2, 0.25, 0.4, 0.7, 2.0, 8.0, 16.0))


@dataclass(frozen=True)
class Grid:
    """Steps: start `time` and length `h` (h), `kind` = place of the length in `lengths`.

    Outputs: `step` that holds each, share `theta` of the step passed, and `basis`, the four weights of the
    collocation polynomial at the step's start and nodes.
    """

    time: np.ndarray
    h: np.ndarray
    kind: np.ndarray
    lengths: np.ndarray
    step: np.ndarray
    theta: np.ndarray
    basis: np.ndarray
    first_of: dict[float, int]  # a break's time -> the step that begins there


def steps_after(length: float, pace: Pace) -> list[float]:
    """Lengths that fill `length` hours after an event: the pace's own, then one or two that close the rest."""
    out: list[float] = []
    age, left = 0.0, length
    while True:
        h = pace.at(age)
        if left <= 1.6 * h:
            return [*out, 0.5 * left, 0.5 * left] if left > h else [*out, left]
        out.append(h)
        left -= h
        age += h


def build(breaks: Sequence[float], end: float, times: np.ndarray, pace: Pace) -> Grid:
    """The grid from the first of `breaks` (ascending, the start among them) to `end`, with outputs at `times`.

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
        for h in steps_after(gap, pace):
            starts.append(at)
            lengths.append(h)
            at += h
    first_of[end] = len(starts)
    starts.append(end)
    lengths.append(0.0)
    time, h = np.array(starts), np.array(lengths)
    unique, kind = np.unique(h, return_inverse=True)
    step = np.clip(np.searchsorted(time, times, side="right") - 1, 0, len(time) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        theta = np.where(h[step] > 0, (times - time[step]) / h[step], 0.0)
    theta = np.clip(theta, 0.0, 1.0)
    return Grid(time, h, kind.astype(np.int64), unique, step, theta, basis(theta), first_of)


def basis(theta: np.ndarray) -> np.ndarray:
    """Weights (4, outputs) of the values at 0 and the three nodes in the cubic through them."""
    nodes = (0.0, *NODES)
    out = np.ones((4, len(theta)))
    for i in range(4):
        for j in range(4):
            if j != i:
                out[i] *= (theta - nodes[j]) / (nodes[i] - nodes[j])
    return out
