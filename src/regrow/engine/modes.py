"""Small linear blocks x' = K x, person by person, as modes that decay each on its own.

The one thing to know: two and three compartments have a closed form (quadratic and cubic), which costs nanoseconds
a person where a library eigen-solver costs microseconds; every decomposition is checked by putting K together
again, and the few people who fail the check go to the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Modes:
    """K = -`right` diag(`poles`) `left`, each of shape (..., n): modes = left @ x, x = right @ modes.

    `poles` (k, n) in 1/h; `right`, `left` (k, k, n). `bad` (n,) marks people whose block has no real modes.
    """

    poles: np.ndarray
    right: np.ndarray
    left: np.ndarray
    bad: np.ndarray


def decompose(K: np.ndarray) -> Modes:
    """The modes of blocks `K` of shape (k, k, n)."""
    k, n = K.shape[0], K.shape[2]
    if k == 1:
        one = np.ones((1, 1, n))
        return Modes(-K[0], one, one, ~np.isfinite(K[0, 0]))
    A = -K
    if k <= 3:
        poles = _quadratic(A) if k == 2 else _cubic(A)
        right, left = _projectors(A, poles)
    else:
        poles, right, left = np.zeros((k, n)), np.zeros((k, k, n)), np.zeros((k, k, n))
    scale = np.abs(A).max(axis=(0, 1))
    again = ~(_distance(A, poles, right, left) <= 1e-13 * scale) & np.isfinite(scale)
    bad = ~np.isfinite(scale)
    if again.any():
        who = np.flatnonzero(again)
        values, vectors, inverse, odd = _library(np.moveaxis(A[:, :, who], 2, 0))
        poles[:, who], right[:, :, who], left[:, :, who] = values, vectors, inverse
        bad[who] = odd | ~(_distance(A, poles, right, left)[who] <= 1e-10 * scale[who])
    return Modes(poles, right, left, bad)


def _quadratic(A: np.ndarray) -> np.ndarray:
    trace, determinant = A[0, 0] + A[1, 1], A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0]
    half = 0.5 * (A[0, 0] - A[1, 1])
    root = np.sqrt(half * half + A[0, 1] * A[1, 0])
    large = 0.5 * trace + np.where(trace < 0, -root, root)
    return np.stack([large, np.where(large == 0, 0.0, determinant / large)])


def _cubic(A: np.ndarray) -> np.ndarray:
    """Roots of p^3 - a p^2 + b p - c, three real ones by the cosine form, polished by two Newton steps."""
    a = A[0, 0] + A[1, 1] + A[2, 2]
    b = (
        (A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0])
        + (A[0, 0] * A[2, 2] - A[0, 2] * A[2, 0])
        + (A[1, 1] * A[2, 2] - A[1, 2] * A[2, 1])
    )
    c = (
        A[0, 0] * (A[1, 1] * A[2, 2] - A[1, 2] * A[2, 1])
        - A[0, 1] * (A[1, 0] * A[2, 2] - A[1, 2] * A[2, 0])
        + A[0, 2] * (A[1, 0] * A[2, 1] - A[1, 1] * A[2, 0])
    )
    third = a / 3.0
    spread = np.sqrt(np.maximum(third * third - b / 3.0, 0.0))
    q = third * (third * third - 0.5 * b) + 0.5 * c
    cube = spread**3
    angle = np.arccos(np.clip(np.where(cube > 0, q / cube, 1.0), -1.0, 1.0)) / 3.0
    turn = 2.0 * np.pi / 3.0
    poles = third + 2.0 * spread * np.cos(np.stack([angle, angle - turn, angle + turn]))
    for _ in range(2):
        slope = (3.0 * poles - 2.0 * a) * poles + b
        value = ((poles - a) * poles + b) * poles - c
        step = value / slope
        poles = np.where(np.isfinite(step), poles - step, poles)
    return poles


def _projectors(A: np.ndarray, poles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the rank-one projectors onto each mode, taken at the largest diagonal entry."""
    k, n = poles.shape
    right, left = np.empty((k, k, n)), np.empty((k, k, n))
    people = np.arange(n)
    for i in range(k):
        P: Any = np.ones((1, 1, n))
        for j in range(k):
            if j == i:
                continue
            shifted = A.copy()
            for d in range(k):
                shifted[d, d] -= poles[j]
            shifted /= poles[i] - poles[j]
            # written out, because a library product may add in another order for another number of people
            P = shifted if len(P) < k else sum(P[:, m, None] * shifted[None, m] for m in range(k))
        diagonal = np.stack([P[d, d] for d in range(k)])
        pivot = np.abs(np.where(np.isfinite(diagonal), diagonal, 0.0)).argmax(axis=0)
        right[:, i] = P[:, pivot, people]
        left[i] = P[pivot, :, people].T / diagonal[pivot, people]
    return right, left


def _library(A: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eig(A)
    odd = np.abs(np.imag(values)).max(axis=1) > 1e-12 * np.abs(values).max(axis=1)
    real = np.ascontiguousarray(np.real(vectors))
    singular = np.abs(np.linalg.det(real)) < 1e-14
    real[singular] = np.eye(A.shape[1])
    odd |= singular
    inverse = np.linalg.inv(real)
    return np.real(values).T, np.moveaxis(real, 0, 2), np.moveaxis(inverse, 0, 2), odd


def _distance(A: np.ndarray, poles: np.ndarray, right: np.ndarray, left: np.ndarray) -> np.ndarray:
    """How far right diag(poles) left is from A and left @ right from one, in the unit of A."""
    k = len(poles)
    again = sum(right[:, i, None] * poles[i] * left[None, i] for i in range(k))
    one = sum(left[:, i, None] * right[None, i] for i in range(k)) - np.eye(k)[:, :, None]
    scale = np.abs(A).max(axis=(0, 1))
    return np.abs(again - A).max(axis=(0, 1)) + scale * np.abs(one).max(axis=(0, 1))
