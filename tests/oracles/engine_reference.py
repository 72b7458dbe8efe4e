"""Reference solutions for tests of the engine: LSODA on the symbolic right-hand side, event by event."""

import itertools
import tomllib
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from regrow.engine import Bolus, Infusion, Jump, compile_model

HERE = Path(__file__).parent
VALUES = {k: float(v) for k, v in tomllib.loads((HERE / "like.toml").read_text()).items()}


@lru_cache
def like():
    return compile_model((HERE / "like.ant").read_text())


def of_person(value, person):
    return float(np.asarray(value).reshape(-1)[person] if np.size(value) > 1 else np.asarray(value))


def reference(model, parameters, events, times, outputs, *, person=0, rtol=1e-11, atol=1e-13):
    """Outputs (outputs, times) of one person; values at an event's time are those just after it."""
    f = model.symbolic().functions(tuple(outputs))
    p = {k: of_person(v, person) for k, v in parameters.items()}
    place = {s: k for k, s in enumerate(model.states)}
    times = np.asarray(times, dtype=float)
    end = times[-1]
    edges = {0.0, end}
    for e in events:
        edges |= {t for t in ([e.time, e.time + e.duration] if isinstance(e, Infusion) else [e.time]) if t < end}
    edges = sorted(edges)
    x, rate = f.initial(p), f.bound_rate(p)
    out = np.empty((len(outputs), len(times)))
    for a, b in itertools.pairwise(edges):
        for e in events:
            if e.time == a and isinstance(e, Bolus):
                x[place[e.state]] += of_person(e.amount, person)
            if e.time == a and isinstance(e, Jump):
                x[place[e.state]] = of_person(e.keep, person) * x[place[e.state]] + of_person(e.add, person)
        u = np.zeros(len(x))
        for e in events:
            if isinstance(e, Infusion) and e.time <= a < e.time + e.duration:
                u[place[e.state]] += of_person(e.amount, person) / e.duration
        inside = (times >= a) & ((times < b) if b < end else (times <= b))
        ask = np.unique(np.append(times[inside], b))
        done = solve_ivp(lambda t, x, u=u: rate(t, x) + u, (a, b), x, method="LSODA", rtol=rtol, atol=atol, t_eval=ask)
        assert done.success, done.message
        out[:, inside] = f.outputs(times[inside], done.y[:, np.searchsorted(ask, times[inside])], p)
        x = done.y[:, -1].copy()
    return out


def people(n, seed=0):
    """Parameters of `n` varied people."""
    draw = np.random.default_rng(seed)
    varied = {"CL_S": 0.2, "CL_R": 0.2, "V_1": 0.24, "Q_3": 0.2, "k_d": 0.15, "V_N": 0.2, "CL_N": 0.33, "t_ke0": 0.3,
              "theta_W": 0.85, "K_B": 0.3, "k_P": 0.3, "k_a": 0.4, "V_H": 0.5}  # fmt: skip
    return VALUES | {k: VALUES[k] * np.exp(s * draw.standard_normal(n)) for k, s in varied.items()}


def course(n=1, seed=0, days=(0, 2, 4, 7, 9, 11)):
    """Infusions of both enantiomers with a jump of expectancy at each, one oral dose and one IV bolus."""
    weight = 70.0 * np.exp(0.2 * np.random.default_rng(seed + 1).standard_normal(n)) if n > 1 else 70.0
    events = []
    for d in days:
        events += [
            Infusion(24.0 * d, "central_S", 0.25 * weight, 40 / 60),
            Infusion(24.0 * d, "central_R", 0.25 * weight, 40 / 60),
            Jump(24.0 * d, "X", keep=0.7, add=0.27),
        ]
    last = 24.0 * days[-1]
    events += [Bolus(last + 72.0, "gut_S", 0.3 * weight), Bolus(last + 72.0, "gut_R", 0.3 * weight)]
    return [*events, Bolus(last + 120.0, "central_S", 0.15 * weight)]


def clock(events, end):
    """Times around each event and every few hours in between."""
    near = np.array([0.0, 0.1, 0.25, 0.5, 2 / 3, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0])
    every = [np.arange(0.0, end + 0.1, 6.0), *(e.time + near for e in events)]
    times = np.unique(np.concatenate(every))
    return times[times <= end]
