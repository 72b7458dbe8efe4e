"""An own witness of NONMEM's event rules: every dose written out, long pasts of doses included, and summed.

It shares no code with the package: doses are expanded into a plain list, and each adds its closed-form response
(eigenvalues), or the individual is walked through with matrix exponentials where covariates change on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.linalg import expm


@dataclass(frozen=True)
class Row:
    """One record: what a data set would say."""

    time: float
    evid: int = 0
    amt: float = 0.0
    rate: float = 0.0
    ss: int = 0
    ii: float = 0.0
    addl: int = 0
    cmt: int = 1
    lag: float = 0.0
    f: float = 1.0
    dur: float = 1.0
    r: float = 1.0
    cl: float = 4.0

    def text(self, person: int = 1) -> str:
        """The record as a line of a data set with the columns of `HEADER`."""
        dosing = (self.time, self.evid, self.amt, self.rate, self.ss, self.ii, self.addl, self.cmt)
        rest = (self.lag, self.f, self.dur, self.r) * 2
        return ",".join([str(person), *(repr(v) for v in (*dosing, *rest, self.cl))])


HEADER = (
    "ID,TIME,EVID,AMT,RATE,SS,II,ADDL,CMT,lag_depot,f_depot,dur_depot,rate_depot,"
    "lag_central,f_central,dur_central,rate_central,CL"
)


def data_set(people: Sequence[Sequence[Row]]) -> str:
    """A data set of several individuals, numbered from 1."""
    return "\n".join([HEADER, *(row.text(k) for k, rows in enumerate(people, 1) for row in rows)]) + "\n"


def matrix(cl: float) -> np.ndarray:
    """The rate constants of `nonmem_models.TWO_COMPARTMENTS` at a clearance: depot, central, peripheral, effect."""
    ka, v, q, v2, ke0 = 0.9, 12.0, 3.0, 30.0, 0.4
    return np.array(
        [
            [-ka, 0, 0, 0],
            [ka, -(cl + q) / v, q / v2, 0],
            [0, q / v, -q / v2, 0],
            [0, ke0 / v, 0, -ke0],
        ]
    )


@dataclass(frozen=True)
class _Given:
    enters: float
    state: int
    amount: float
    duration: float


def _amount_and_duration(row: Row, at: Row) -> tuple[float, float]:
    amount = at.f * row.amt
    duration = {-1: amount / at.r, -2: at.dur, 0: 0.0}.get(row.rate, amount / row.rate if row.rate else 0.0)
    return amount, duration


def by_sum(rows: Sequence[Row], past: int = 300) -> np.ndarray:
    """States (4, records) for constant covariates: the responses of all doses, the implied ones included, added up."""
    values, right = np.linalg.eig(matrix(rows[0].cl))
    left = np.linalg.inv(right)

    def response(given: _Given, t: float) -> np.ndarray:
        since = t - given.enters
        if since < -1e-9:
            return np.zeros(4)
        since = max(since, 0.0)
        if given.duration == 0:
            return np.real(right @ (np.exp(values * since) * left[:, given.state])) * given.amount
        ran = min(since, given.duration)
        grown = np.exp(values * (since - ran)) * np.expm1(values * ran) / values
        return np.real(right @ (grown * left[:, given.state])) * given.amount / given.duration

    out = []
    doses: list[_Given] = []
    stopped: list[tuple[float, int, float]] = []  # constant infusions: end, state, rate
    for row in rows:
        if row.evid in (3, 4) or row.ss == 1:
            doses, stopped = [], []
        if row.evid in (1, 4):
            amount, duration = _amount_and_duration(row, row)
            if row.ss and row.amt == 0 and row.ii == 0:
                stopped.append((row.time, row.cmt - 1, row.rate if row.rate > 0 else row.r))
            else:
                first = -past if row.ss else 0
                doses += [
                    _Given(row.time + row.lag + k * row.ii, row.cmt - 1, amount, duration)
                    for k in range(first, row.addl + 1)
                ]
        state = sum((response(d, row.time) for d in doses), np.zeros(4))
        for end, into, rate in stopped:
            settled = -np.linalg.solve(matrix(row.cl), np.eye(4)[into] * rate)
            state = state + np.real(right @ (np.exp(values * (row.time - end)) * (left @ settled)))
        out.append(state)
    return np.array(out).T


@lru_cache(maxsize=4096)
def _step(cl: float, length: float) -> np.ndarray:
    """What takes (states, rates running in) to the states after `length` h; shape (4, 8)."""
    wide = np.zeros((8, 8))
    wide[:4, :4], wide[:4, 4:] = matrix(cl), np.eye(4)
    return expm(wide * length)[:4]


@dataclass
class _System:
    """Where an individual is: `running` holds [state, amount left, rate or None, row], `coming` (when, row number)."""

    x: np.ndarray
    now: float
    running: list[list[Any]]
    coming: list[tuple[float, int]]


def by_walk(rows: Sequence[Row], *, locf: bool = False, past: float = 700.0) -> np.ndarray:
    """States (4, records) with values that change from record to record, resets and steady states: every implied dose
    of the last `past` h is given, and every stretch between two happenings moved by the matrix exponential.

    The values between two records are those of the later one (of the earlier one with `locf`).
    """

    def enter(system: _System, dose: Row, at: Row) -> None:
        amount, duration = _amount_and_duration(dose, at)
        if dose.rate == 0:
            system.x = system.x + amount * np.eye(4)[dose.cmt - 1]
        elif amount > 0:
            rate = None if dose.rate == -1 else amount / duration
            system.running.append([dose.cmt - 1, amount, rate, dose])

    def go(system: _System, until: float, between: Row, at: Row) -> None:
        while True:
            due = min(((t, k) for t, k in system.coming if t <= until + 1e-9), default=None)
            stop = min(due[0], until) if due else until
            while system.now < stop - 1e-12:
                rates = [between.r if one[2] is None else one[2] for one in system.running]
                ends = min([stop, *(system.now + one[1] / r for one, r in zip(system.running, rates, strict=True))])
                into = np.zeros(4)
                for one, rate in zip(system.running, rates, strict=True):
                    into[one[0]] += rate
                    one[1] -= rate * (ends - system.now)
                system.x = _step(between.cl, float(f"{ends - system.now:.12g}")) @ np.append(system.x, into)
                system.running = [one for one in system.running if one[1] > 1e-9]
                system.now = ends
            system.now = stop
            if not due:
                return
            system.coming.remove(due)
            enter(system, rows[due[1]], at if abs(stop - until) < 1e-9 else between)

    out = []
    system = _System(np.zeros(4), rows[0].time, [], [])
    for k, row in enumerate(rows):
        if row.evid in (3, 4):
            system = _System(np.zeros(4), row.time, [], [])
        else:
            go(system, row.time, rows[k - 1] if locf and k else row, row)
        if row.evid in (1, 4):
            if row.ss in (1, 3):
                system = _System(np.zeros(4), row.time, [], [])
            if row.ss and row.ii == 0:
                rate = row.rate if row.rate > 0 else row.r
                system.x = system.x - np.linalg.solve(matrix(row.cl), rate * np.eye(4)[row.cmt - 1])
            else:
                if row.ss:
                    given = [row.time + row.lag - j * row.ii for j in range(int(past / row.ii), 0, -1)]
                    long = _System(np.zeros(4), given[0], [], [(t, k) for t in given if t <= row.time + 1e-9])
                    go(long, row.time, row, row)
                    system.x, system.running = system.x + long.x, system.running + long.running
                    system.coming += [(t, k) for t in given if t > row.time + 1e-9]
                system.coming += [(row.time + row.lag + j * row.ii, k) for j in range(row.addl + 1)]
                go(system, row.time, row, row)
        out.append(system.x)
    return np.array(out).T
