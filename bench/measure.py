"""The table of `bench/run`: each row a ratio from this one run, on one pinned core, on the shipped model.

Speeds count processor time, best of several turns that alternate with the peers', so that other work on the machine
does not decide. Errors are matched: against LSODA at 1e-10, a peer runs at its quickest tolerance whose error is no
larger than the target (or than ours, where ours is larger), and the row says both errors. An error is the largest
difference of an output at any time, as a share of that output's largest value in that person (for `all`: in anyone);
of Cmax it is the relative error. `at_worst_time` is the largest relative error of our mood and synapses at any time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import job  # noqa: E402
import peers  # noqa: E402
from peer import peak_mb  # noqa: E402

TARGET = 1e-4
SHOWN = {"few": "mood,synapse,cmax", "all": "all"}
LADDERS = {
    "numbalsoda": (1e-10, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7),
    "libroadrunner": (1e-3, 1e-4, 1e-5, 1e-6, 1e-7),
    "scipy": (1e-3, 1e-4, 1e-5, 1e-6),
}
REFERENCE = 1e-10


@dataclass(frozen=True)
class Size:
    """How much is measured: people of ours, people of the compiled peers and of scipy, turns, starts of a process."""

    ours: int
    compiled: int
    scipy: int
    turns: int
    starts: int


QUICK, WHOLE = Size(1000, 8, 1, 3, 3), Size(4000, 48, 3, 5, 7)


def row(name: str, metric: str, outputs: str, ours: float, peer: str | None = None, value: float | None = None,
        ratio: float | None = None, error: float | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    """One row of the table, in the form of the contract; `more` says how it was measured."""
    head = {"name": name, "metric": metric, "outputs": outputs, "ours": ours, "peer": peer, "peer_value": value}
    return {**head, "ratio": ratio, "matched_error": error, **more}


def measured(size: Size, folder: Path, missing: dict[str, str]) -> list[dict[str, Any]]:
    """Every row, speeds first."""
    there = [peer for peer in peers.PEERS if peer not in missing]
    if "numbalsoda" not in there:
        peers.say("no numbalsoda, so our own fine grid is the reference of the errors")
    people = max(size.compiled, size.scipy)
    crowd = job.work(size.ours)
    job.write(folder, crowd, people)
    names = {"few": job.FEW, "all": job.every_output(crowd.model)}
    speed = {mode: _ours(crowd, names[mode.outputs], mode, size.turns) for mode in job.MODES}
    found = {peer: _peer(peer, folder, size) for peer in there}
    for mode in job.MODES:  # a second turn after the peers: the best counts
        speed[mode] = max(speed[mode], _ours(crowd, names[mode.outputs], mode, size.turns))
    rows = []
    for mode in job.MODES:
        outputs, few = names[mode.outputs], crowd.some(people)
        own = np.moveaxis(few.solve(outputs, mode).values, 0, 1)
        reference = _reference(mode.outputs, folder, few, outputs, "numbalsoda" in there)
        place = [outputs.index(name) for name in ("D", "density")]
        worst = float(np.abs(own[: len(reference), place] / reference[:, place] - 1).max())
        error = _error(mode.outputs, own, reference)
        rows += [_speed_row(mode, peer, found[peer], speed[mode], error, reference, size, worst) for peer in there]
    return rows + _memory(found) + _starts(folder, size, found) + _scaling(size)


def _ours(crowd: job.Work, outputs: tuple[str, ...], mode: job.Mode, turns: int) -> float:
    """People per second of processor time, the error control of a run included."""
    crowd.solve(outputs, mode)
    best = np.inf
    for _ in range(turns):
        started = time.process_time()
        crowd.solve(outputs, mode)
        best = min(best, time.process_time() - started)
    return crowd.n / best


def _peer(peer: str, folder: Path, size: Size) -> dict[str, Any]:
    people = size.scipy if peer == "scipy" else size.compiled
    command = [str(peers.PYTHON), str(HERE / "peer.py"), peer, str(folder), str(people), "rate"]
    started = os.environ | {"BENCH_STARTED": str(time.time())}
    done = subprocess.run([*command, *map(str, LADDERS[peer])], capture_output=True, text=True, env=started)
    if done.returncode:
        raise SystemExit(f"bench: {peer} failed: {done.stderr[-800:]}")
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "people": people}


def _reference(which: str, folder: Path, few: job.Work, outputs: tuple[str, ...], lsoda: bool) -> np.ndarray:
    """Outputs (people, outputs, times) to compare with: LSODA at 1e-10, or our own fine grid where there is none."""
    if lsoda:
        return np.load(folder / f"numbalsoda-{which}-{REFERENCE:g}.npy")
    return np.moveaxis(few.solve(outputs, job.FULL).values, 0, 1)


def _error(which: str, found: np.ndarray, reference: np.ndarray) -> float:
    """The error of outputs (people, outputs, times) of the people that both have."""
    n = min(len(found), len(reference))
    found, reference = found[:n], reference[:n]
    if which == "few":
        mood = (np.abs(found - reference)[:, :2].max(axis=2) / np.abs(reference[:, :2]).max(axis=2)).max()
        peak, true = found[:, 2:].sum(axis=1).max(axis=1), reference[:, 2:].sum(axis=1).max(axis=1)
        return float(max(mood, np.abs(peak / true - 1).max()))
    scale = np.abs(reference).max(axis=(0, 2))
    moves = np.ptp(reference, axis=(0, 2)) > 0
    return float((np.abs(found - reference).max(axis=(0, 2))[moves] / scale[moves]).max())


def _speed_row(mode: job.Mode, peer: str, found: dict[str, Any], ours: float, error: float, reference: np.ndarray,
               size: Size, worst: float) -> dict[str, Any]:  # fmt: skip
    tried = [r for r in found["rows"] if r["outputs"] == mode.outputs and r["tolerance"] != REFERENCE]
    for entry in tried:
        entry["error"] = _error(mode.outputs, np.load(entry["file"]), reference)
    good = [r for r in tried if r["error"] <= max(TARGET, error)]
    chosen = min(good, key=lambda r: r["seconds"]) if good else min(tried, key=lambda r: r["error"])
    value = found["people"] / chosen["seconds"]
    return row(
        f"{peer}: {mode.name}", "people_per_s", SHOWN[mode.outputs], ours, peer, value, ours / value,
        max(error, chosen["error"]), our_error=error, peer_error=chosen["error"], tolerance=chosen["tolerance"],
        matched=bool(good) and error <= TARGET, people=size.ours, peer_people=found["people"], at_worst_time=worst,
    )  # fmt: skip


def _memory(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Peak memory of a process that solves the same few people."""
    rows = []
    for peer, result in found.items():
        command = [sys.executable, str(HERE / "measure.py"), "--solve", str(result["people"])]
        ours = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        value = result["peak_mb"]
        rows.append(row(f"{peer}: peak memory for {result['people']} people", "peak_mb", "all", ours, peer, value,
                        value / ours, None))  # fmt: skip
    return rows


def _starts(folder: Path, size: Size, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Seconds from the start of a process to its end, files warm; the best of several."""
    python, root = sys.executable, HERE.parent

    def best(command: list[str], starts: int) -> float:
        least = np.inf
        for _ in range(starts):
            started = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, cwd=root)
            least = min(least, time.perf_counter() - started)
        return least

    ours = best([python, "-m", "regrow", "simulate", "single", "--json"], size.starts)
    rows = [
        row("regrow --help", "cold_start_s", "none", best([python, "-m", "regrow", "--help"], size.starts)),
        row("import regrow", "cold_start_s", "none", best([python, "-c", "import regrow"], size.starts)),
        row("simulate one person, warm cache", "cold_start_s", "all", ours),
        row("./run, second start", "cold_start_s", "none", best([str(root / "run"), "--version"], size.starts)),
    ]
    for peer, result in found.items():
        command = [str(peers.PYTHON), str(HERE / "peer.py"), peer, str(folder), "1", "cold"]
        # compiling numbalsoda's right-hand side takes so long that once is enough
        value = result["first_s"] if peer == "numbalsoda" else best(command, size.starts)
        rows.append(row(f"{peer}: one person from nothing", "cold_start_s", "mood,synapse,cmax", ours, peer, value,
                        value / ours, None))  # fmt: skip
    return rows


def _scaling(size: Size) -> list[dict[str, Any]]:
    """How close the cost lies to a straight line: R squared of a line through five sizes; `slope_s` is its slope."""
    n = size.ours // 2
    weekly = tuple(float(7 * k) for k in range(26))
    cases = {
        "people": [(k, job.work(k)) for k in (n // 2, n, 2 * n, 3 * n, 4 * n)],
        "sessions": [(k, job.work(n, weekly[:k])) for k in (5, 10, 15, 20, 25)],
        "weeks": [(k, job.work(n, weekly[:4], k)) for k in (8, 16, 26, 39, 52)],
    }
    rows = []
    for what, works in cases.items():
        seconds = []
        for _, work in works:
            work.solve(job.FEW, job.MODES[0])
            times = []
            for _ in range(size.turns):
                started = time.process_time()
                work.solve(job.FEW, job.MODES[0])
                times.append(time.process_time() - started)
            seconds.append(min(times))
        at = [float(k) for k, _ in works]
        slope, rest = np.polyfit(at, seconds, 1)
        spread = np.sum((np.array(seconds) - np.mean(seconds)) ** 2)
        straight = 1 - np.sum((np.array(seconds) - slope * np.array(at) - rest) ** 2) / spread
        rows.append(row(f"cost against {what}: R squared of a straight line", "scaling", "mood,synapse,cmax",
                        float(straight), at=at, seconds=seconds, slope_s=float(slope)))  # fmt: skip
    return rows


def _shown(rows: list[dict[str, Any]], missing: dict[str, str]) -> str:
    head = f"{'what':58} {'outputs':18} {'ours':>10} {'peer':>10} {'ratio':>8} {'error':>8}"
    lines = [head, "-" * len(head)]
    for r in rows:
        value = "" if r["peer_value"] is None else f"{r['peer_value']:.4g}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.3g}x"
        error = "" if r["matched_error"] is None else f"{r['matched_error']:.1e}"
        lines.append(f"{r['name']:58} {r['outputs']:18} {r['ours']:>10.4g} {value:>10} {ratio:>8} {error:>8}")
    lines += [f"{peer} could not be had: {why}" for peer, why in missing.items()]
    return "\n".join(lines)


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--solve"]:  # a process of its own, for its memory
        work = job.work(int(arguments[1]))
        work.solve(job.every_output(work.model), job.FULL)
        print(peak_mb())
        return
    if unknown := [a for a in arguments if a not in ("--quick", "--json")]:
        print(f"regrow: USAGE: bench/run does not know {unknown[0]}; give --quick, --json or nothing", file=sys.stderr)
        sys.exit(2)
    missing = peers.set_up()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(QUICK if "--quick" in arguments else WHOLE, Path(folder), missing)
    print(json.dumps({"rows": rows, "missing": missing}) if "--json" in arguments else _shown(rows, missing))


if __name__ == "__main__":
    main()
