"""One peer at work, in its own environment: reads a job that regrow wrote, solves it, prints what it measured.

Usage: peer.py PEER JOB-FOLDER PEOPLE {rate TOLERANCE... | cold}. A job is the same course for several people: the
equations as plain arithmetic (`rhs.py`) and as SBML (`course.xml`), the people's parameters, and the stretches between
events. `rate` prints JSON, one entry for each set of outputs and tolerance, and leaves the outputs in the folder;
seconds are of processor time, so that other work on the machine does not count. `cold` solves one person and ends.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Solve = Callable[[float, int, str], np.ndarray]  # tolerance, people, which outputs -> (people, outputs, times)


def main() -> None:
    peer, folder, people, what, *tolerances = sys.argv[1:]
    job = Job(Path(folder))
    solve = SOLVERS[peer](job)
    if what == "cold":
        solve(1e-6, 1, "few")
        return
    solve(1e-6, 1, "few")
    first = time.time()
    rows = []
    for which in ("few", "all"):
        solve(1e-3, 1, which)  # compiled and warm before the clock starts
        for tolerance in map(float, tolerances):
            started = time.process_time()
            found = solve(tolerance, int(people), which)
            seconds = time.process_time() - started
            file = job.folder / f"{peer}-{which}-{tolerance:g}.npy"
            np.save(file, found)
            rows.append({"outputs": which, "tolerance": tolerance, "seconds": seconds, "file": str(file)})
    print(json.dumps({"rows": rows, "peak_mb": peak_mb(), "first_s": first - float(os.environ["BENCH_STARTED"])}))


def peak_mb() -> float:
    """Peak memory of this process, MiB: not what its parent had, which getrusage would count in."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Job:
    """The arrays of a job, and the module with its right-hand side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with np.load(folder / "course.npz") as data:
            self.parameters, self.start = data["parameters"], data["start"]  # (people, parameters), (people, states)
            self.edges, self.times = data["edges"], data["times"]  # stretches between events; outputs
            self.rates, self.add = data["rates"], data["add"]  # (stretches, states): what runs in, what is added first
        self.names = json.loads((folder / "names.json").read_text())
        spec = importlib.util.spec_from_file_location("rhs", folder / "rhs.py")
        assert spec
        assert spec.loader
        self.module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)


def numbalsoda(job: Job) -> Solve:
    """LSODA called from compiled code, the loop over stretches compiled too."""
    import numba
    from numbalsoda import lsoda, lsoda_sig

    states, count = job.start.shape[1], job.parameters.shape[1]
    inner = numba.njit(job.module.rhs)
    seen = {which: numba.njit(getattr(job.module, f"outputs_{which}")) for which in ("few", "all")}

    @numba.cfunc(lsoda_sig)
    def right(t, u, du, p):
        values = numba.carray(p, count + states)
        inner(t, numba.carray(u, states), numba.carray(du, states), values)
        for k in range(states):
            du[k] += values[count + k]

    address = right.address

    @numba.njit
    def person(outputs, n_out, start, p, edges, rates, add, times, rtol, atol):
        out = np.empty((n_out, len(times)))
        row = np.empty(n_out)
        x = start.copy()
        data = np.empty(count + states)
        data[:count] = p
        done = 0
        for k in range(len(edges) - 1):
            x = x + add[k]
            data[count:] = rates[k]
            last = k == len(edges) - 2
            upto = done
            while upto < len(times) and (times[upto] < edges[k + 1] or (last and times[upto] <= edges[k + 1])):
                upto += 1
            clock = np.empty(upto - done + 2)
            clock[0] = edges[k]
            clock[1:-1] = times[done:upto]
            clock[-1] = edges[k + 1]
            keep = np.ones(len(clock), dtype=np.bool_)
            for j in range(1, len(clock)):
                keep[j] = clock[j] > clock[j - 1]
            asked = clock[keep]
            solved, good = lsoda(address, x, asked, data, rtol, atol, 1000000)
            if not good:
                out[:] = np.nan
                return out
            place = 0
            for j in range(1, len(clock) - 1):
                if keep[j]:
                    place += 1
                outputs(clock[j], solved[place], data, row)
                out[:, done + j - 1] = row
            x = solved[-1].copy()
            done = upto
        return out

    def solve(tolerance: float, people: int, which: str) -> np.ndarray:
        arrays = (job.edges, job.rates, job.add, job.times, tolerance, 1e-2 * tolerance)
        first = (seen[which], len(job.names[which]))
        return np.array([person(*first, job.start[k], job.parameters[k], *arrays) for k in range(people)])

    return solve


def libroadrunner(job: Job) -> Solve:
    """CVODE on the exported SBML, compiled once; people by setting their parameters, then a reset."""
    import roadrunner

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    runner = roadrunner.RoadRunner(str(job.folder / "course.xml"))
    times = [float(t) for t in job.times]
    varied = [k for k in range(job.parameters.shape[1]) if len(set(job.parameters[:, k])) > 1]
    names = [job.names["parameters"][k] for k in varied]

    def solve(tolerance: float, people: int, which: str) -> np.ndarray:
        runner.timeCourseSelections = ["time", *job.names[which]]
        states = len(runner.integrator.getAbsoluteToleranceVector())
        runner.integrator.setValue("relative_tolerance", tolerance)
        # one by one: a single number would be scaled by what each state holds, and stop the solver where that is 1e-70
        runner.integrator.setValue("absolute_tolerance", [1e-2 * tolerance] * states)
        runner.integrator.setValue("maximum_num_steps", 1_000_000)
        found = []
        for k in range(people):
            for name, place in zip(names, varied, strict=True):
                runner.setValue(name, job.parameters[k, place])
            runner.reset()
            found.append(np.array(runner.simulate(times=times)).T[1:])
        return np.array(found)

    return solve


def scipy(job: Job) -> Solve:
    """LSODA by scipy's solve_ivp, the right-hand side in Python."""
    from scipy.integrate import solve_ivp

    states = job.start.shape[1]

    def person(k: int, tolerance: float, which: str) -> np.ndarray:
        n_out, outputs = len(job.names[which]), getattr(job.module, f"outputs_{which}")
        p, x = job.parameters[k].tolist(), job.start[k].copy()
        out = np.empty((n_out, len(job.times)))
        row = np.empty(n_out)
        for j in range(len(job.edges) - 1):
            a, b = job.edges[j], job.edges[j + 1]
            x = x + job.add[j]
            inside = (job.times >= a) & ((job.times < b) | ((j == len(job.edges) - 2) & (job.times <= b)))
            asked = np.unique(np.append(job.times[inside], b))

            def right(t: float, u: np.ndarray, flow: np.ndarray = job.rates[j]) -> np.ndarray:
                du = np.empty(states)
                job.module.rhs(t, u.tolist(), du, p)
                return du + flow

            solved = solve_ivp(right, (a, b), x, "LSODA", asked, rtol=tolerance, atol=1e-2 * tolerance)
            for place in np.flatnonzero(inside):
                there = solved.y[:, np.searchsorted(asked, job.times[place])].tolist()
                outputs(job.times[place], there, p, row)
                out[:, place] = row
            x = solved.y[:, -1]
        return out

    return lambda tolerance, people, which: np.array([person(k, tolerance, which) for k in range(people)])


SOLVERS = {"numbalsoda": numbalsoda, "libroadrunner": libroadrunner, "scipy": scipy}

if __name__ == "__main__":
    main()
