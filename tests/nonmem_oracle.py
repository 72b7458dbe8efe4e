"""An own witness of NONMEM's event rules: every dose written out, long pasts of doses included, and summed.

It shares no code with the package: doses are expanded into a plain list, and each adds its closed-form response
(eigenvalues), or the whole list is integrated by scipy where covariates change on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp


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


def by_integration(
    rows: Sequence[Row], change: Callable[[Row], Callable[[float, np.ndarray], np.ndarray]], states: int, *, locf: bool
) -> np.ndarray:
    """States (states, records) by LSODA with values that change from record to record; no SS, no reset.

    The values between two records are those of the later one (of the earlier one with `locf`).
    """
    todo: list[tuple[float, int]] = []  # when, whose dose
    for k, row in enumerate(rows):
        if row.evid == 1:
            todo += [(row.time + row.lag + j * row.ii, k) for j in range(row.addl + 1)]
    x = np.zeros(states)
    now = rows[0].time
    running: list[list[float]] = []  # [state, amount left, rate (nan: modelled)]
    out = []
    for k, row in enumerate(rows):
        between = rows[k - 1] if locf and k else row
        while True:
            due = sorted((t, j) for t, j in todo if t <= row.time + 1e-9 and j < k)
            stop = due[0][0] if due else row.time
            while now < stop - 1e-12:
                rates = np.zeros(states)
                ends = stop
                for one in running:
                    rate = between.r if np.isnan(one[2]) else one[2]
                    rates[int(one[0])] += rate
                    ends = min(ends, now + one[1] / rate)
                field = change(between)
                moved = solve_ivp(
                    lambda t, y, field=field, rates=rates: field(t, y) + rates,
                    (now, ends),
                    x,
                    method="LSODA",
                    rtol=1e-11,
                    atol=1e-13,
                )
                for one in running:
                    one[1] -= (between.r if np.isnan(one[2]) else one[2]) * (ends - now)
                running = [one for one in running if one[1] > 1e-12]
                x, now = moved.y[:, -1], ends
            now = stop
            if not due:
                break
            todo.remove(due[0])
            x = _enter(rows[due[0][1]], row if abs(stop - row.time) < 1e-9 else between, x, running)
        if row.evid == 1 and row.lag == 0:
            todo.remove((row.time, k))
            x = _enter(row, row, x, running)
        out.append(x.copy())
    return np.array(out).T


def _enter(dose: Row, at: Row, x: np.ndarray, running: list[list[float]]) -> np.ndarray:
    amount, duration = _amount_and_duration(dose, at)
    x = x.copy()
    if dose.rate == 0:
        x[dose.cmt - 1] += amount
    else:
        running.append([dose.cmt - 1, amount, np.nan if dose.rate == -1 else amount / duration])
    return x
