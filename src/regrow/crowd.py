"""A population too large for memory: solved part by part, each part kept on disk, all joined to whole files.

The one thing to know: a part is a stretch of people, and people are a function of (seed, person) alone, so a part is
the same wherever and whenever it is solved. Finished parts lie in a hidden folder beside the output; when the process
is killed, the same command takes them up and solves only what is missing. Parts enter the output in the order of
people, and the output appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pickle
import secrets
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as layout

from regrow import __version__, engine, processes, simulate
from regrow.engine import cache
from regrow.people import Population, Stated
from regrow.refusal import Refusal
from regrow.regimen import Course
from regrow.simulate import Held, Result

if TYPE_CHECKING:
    from regrow.catalog.models import Model
    from regrow.readouts import Own

PART = 10_000  # people in a part: some 30 MB of results
_FRESH = 4
_COLUMNS = ("weight_kg", "height_cm", "age_y", "female", "baseline")
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Crowd:
    """What is to be simulated: `n` people of `seed`, with what is stated, through one course, at `times` (h)."""

    course: Course
    n: int
    seed: int
    stated: Stated
    times: tuple[float, ...]
    equations: str | None = None
    accuracy: str = "standard"
    precision: str = "mixed"
    part: int = PART

    @property
    def parts(self) -> list[int]:
        """The first person of each part."""
        return list(range(0, self.n, self.part))

    @property
    def key(self) -> str:
        """A name for everything that the numbers depend on, the code included."""
        told = repr((__version__, [getattr(self, field.name) for field in fields(self)]))
        return hashlib.sha256(f"{cache.key('crowd')}{told}".encode()).hexdigest()[:16]


def solve_part(crowd: Crowd, first: int) -> Arrays:
    """The arrays of the part that begins with person `first`, by name: what a worker gives back.

    `value:NAME` (people, times); `peak:NAME` and `mg` (sessions, people); `person:NAME`; `told`, all else, pickled.
    """
    people = Population.draw(min(crowd.part, crowd.n - first), crowd.seed, crowd.stated, first)
    how = simulate.How(crowd.equations, crowd.accuracy, crowd.precision, 1)
    part = simulate.solve_chunk((crowd.course, people, np.array(crowd.times), how))
    arrays: Arrays = {f"value:{name}": values for name, values in part.values.items()}
    names = list(dict.fromkeys(name for held in part.sessions for name in held.peaks))
    blank = np.full(people.n, np.nan, np.float32)
    for name in names:
        rows = [held.peaks.get(name, blank) for held in part.sessions]
        arrays[f"peak:{name}"] = np.array(rows, np.float32)
    arrays["mg"] = np.array([held.mg for held in part.sessions], np.float32).reshape(len(part.sessions), people.n)
    arrays |= {f"person:{name}": getattr(people, name) for name in _COLUMNS}
    bare = [replace(held, mg=blank[:0], peaks={}) for held in part.sessions]
    told = (bare, part.missing, part.error, part.notices, part.model, part.own)
    arrays["told"] = np.frombuffer(pickle.dumps(told), np.uint8)
    return arrays


# --- parts on disk --------------------------------------------------------------------------------------------------


class Parts:
    """The finished parts of a crowd in a private folder, as one file each that appears whole or not at all."""

    def __init__(self, crowd: Crowd, folder: Path) -> None:
        self.crowd, self.folder = crowd, folder
        self._places: dict[int, dict[str, int]] = {}  # where each array of a part begins in its file
        self._fresh: dict[int, Arrays] = {}  # the last few that were kept: they need not be read back

    def _path(self, first: int) -> Path:
        return self.folder / f"{first:08d}.npys"

    def done(self, first: int) -> bool:
        """Whether the part that begins with person `first` is there and whole."""
        try:
            return self._read(first, "told").size > 0
        except (OSError, ValueError, KeyError, EOFError):
            return False

    def keep(self, first: int, arrays: Arrays) -> None:
        """Writes a part: its arrays in NumPy's own form one after another, then where each begins, then where that is.

        No zip file as `numpy.savez` makes: summing up its bytes takes longer than writing them.
        """
        temporary = self.folder / f".{first}.{secrets.token_hex(4)}"
        places = {}
        with temporary.open("wb") as stream:
            for name, values in arrays.items():
                places[name] = stream.tell()
                # not numpy.save: it knows no full disk, only that fewer bytes were written than asked
                flat = np.ascontiguousarray(values)
                layout.write_array_header_1_0(stream, layout.header_data_from_array_1_0(flat))
                stream.write(flat.reshape(-1).view(np.uint8).data)
            end = stream.tell()
            stream.write(json.dumps(places).encode() + end.to_bytes(8, "little"))
        os.replace(temporary, self._path(first))
        self._places[first], self._fresh[first] = places, arrays
        while len(self._fresh) > _FRESH:
            self._fresh.pop(next(iter(self._fresh)))

    def names(self, first: int) -> list[str]:
        """The names of a part's arrays."""
        if first not in self._places:
            with self._path(first).open("rb") as stream:
                stream.seek(-8, os.SEEK_END)
                end = stream.tell()
                stream.seek(int.from_bytes(stream.read(8), "little"))
                self._places[first] = json.loads(stream.read(end - stream.tell()))
        return list(self._places[first])

    def _read(self, first: int, name: str) -> np.ndarray:
        self.names(first)
        with self._path(first).open("rb") as stream:
            stream.seek(self._places[first][name])
            return np.load(stream, allow_pickle=False)

    def array(self, first: int, name: str) -> np.ndarray:
        return self._fresh[first][name] if first in self._fresh else self._read(first, name)

    def told(self, first: int) -> tuple[list[Held], dict[str, str], dict[str, float], list[str], Model, Own | None]:
        return pickle.loads(self.array(first, "told").tobytes())  # noqa: S301 (our own file in a folder nobody else may enter)

    # -- as results ---------------------------------------------------------------------------------------------

    def sessions(self, firsts: list[int] | None = None) -> list[tuple[float, str]]:
        """Every session that any of the parts had, in order."""
        which = self.crowd.parts if firsts is None else firsts
        return sorted({held.key for first in which for held in self.told(first)[0]})

    def result(self, firsts: list[int], sessions: list[tuple[float, str]]) -> Result:
        """The parts that begin with `firsts` as one result whose arrays are read when asked for."""
        told = [self.told(first) for first in firsts]
        place = [{held.key: k for k, held in enumerate(row[0])} for row in told]
        known = {held.key: held for row in told for held in row[0]}
        if missing := [key for key in sessions if key not in known]:
            known |= {key: next(h for f in self.crowd.parts for h in self.told(f)[0] if h.key == key)
                      for key in missing}  # fmt: skip

        # filled part by part, so that nothing lies in memory twice
        size = sum(min(self.crowd.part, self.crowd.n - first) for first in firsts)

        def whole(name: str) -> np.ndarray:
            one = self.array(firsts[0], name)
            if len(firsts) == 1:
                return one
            out, at = np.empty((size, *one.shape[1:]), one.dtype), 0
            for first in firsts:
                have = self.array(first, name)
                out[at : at + len(have)] = have
                at += len(have)
            return out

        def by_session(name: str) -> np.ndarray:
            out, at = np.full((len(sessions), size), np.nan, np.float32), 0
            for first, rows in zip(firsts, place, strict=True):
                have = self.array(first, name)
                for k, key in enumerate(sessions):
                    if key in rows:
                        out[k, at : at + have.shape[1]] = have[rows[key]]
                at += have.shape[1]
            return out

        names = [name for name in self.names(firsts[0]) if name.startswith("value:")]
        peaks = [name for name in self.names(firsts[0]) if name.startswith("peak:")]
        mg = by_session("mg")
        matrix = _Kept(by_session)
        held = tuple(
            replace(known[key], mg=mg[k], peaks=_Lazy([p[5:] for p in peaks], lambda n, k=k: matrix(f"peak:{n}")[k]))
            for k, key in enumerate(sessions)
        )
        columns: dict[str, Any] = {name: whole(f"person:{name}") for name in _COLUMNS}
        return Result(
            self.crowd.course,
            Population(self.crowd.seed, np.arange(firsts[0], firsts[0] + size), **columns),
            np.array(self.crowd.times),
            _Lazy([name[6:] for name in names], lambda name: whole(f"value:{name}")),
            told[0][1],
            held,
            {name: max(row[2].get(name, 0.0) for row in told) for name in told[0][2]},
            tuple(dict.fromkeys(notice for row in told for notice in row[3])),
            (told[0][4],),
            told[0][5],
        )


class _Lazy(Mapping[str, np.ndarray]):
    """Arrays by name, read when they are asked for; the last one is kept."""

    def __init__(self, names: list[str], read: Callable[[str], np.ndarray]) -> None:
        self._names, self._read = names, _Kept(read)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Kept:
    """A function of a name that remembers its last answer."""

    def __init__(self, function: Callable[[str], np.ndarray]) -> None:
        self._function, self._name, self._value = function, "", np.empty(0)
        self._lock = threading.Lock()

    def __call__(self, name: str) -> np.ndarray:
        with self._lock:
            if name != self._name:
                self._value = np.empty(0)  # never two at a time
                self._name, self._value = name, self._function(name)
            return self._value


# --- the run --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def solved(
    crowd: Crowd,
    beside: Path | None = None,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
    notice: Callable[[str], None] = lambda sentence: None,
    each: Callable[[Parts, int], None] | None = None,
    staged: Sequence[Path] = (),
) -> Iterator[Parts]:
    """The parts of `crowd`, all finished; they are removed on leaving, and kept when the process is killed.

    `beside`: the output, next to which the parts lie (None: a temporary folder). `each(parts, first)` is called for
    every part in the order of people, as soon as it and all before it are done. `workers` processes, or any `executor`
    of the standard protocol, do the work; with neither, threads on every core of this machine. `staged`: the unfinished
    outputs of this run; those that a killed one left are removed.
    Refuses with OUT-BUSY when the same run is under way.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_folder(crowd, beside))
        if beside is not None:
            for left_over in beside.resolve().parent.glob(f".{beside.resolve().name}.*.part"):
                if left_over not in staged:
                    left_over.unlink(missing_ok=True)
        parts = Parts(crowd, folder)
        waiting = [first for first in crowd.parts if not parts.done(first)]
        ready = len(crowd.parts) - len(waiting)
        if ready:
            people = min(ready * crowd.part, crowd.n)
            notice(f"goes on from a run that was cut off: {people} of {crowd.n} people are done")
        pool = stack.enter_context(processes.pool(workers, executor))
        if pool is None:
            pool = stack.enter_context(engine.threads(len(os.sched_getaffinity(0))))
        left = list(reversed(crowd.parts)) if each else []

        def follow() -> None:
            while left and left[-1] not in pending:
                assert each is not None
                each(parts, left.pop())

        pending: set[int] = set(waiting)
        running: dict[Future[Arrays], int] = {}
        queue = iter(waiting)
        try:
            while pending:
                # a few parts ahead of the slowest: memory stays flat however fast the workers are
                while len(running) < 2 * _size(pool) and (first := next(queue, None)) is not None:
                    running[pool.submit(solve_part, crowd, first)] = first
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    first = running.pop(future)
                    parts.keep(first, future.result())
                    pending.discard(first)
                    simulate.tell(progress, 1 - len(pending) / len(crowd.parts))
                follow()
            follow()
        except BaseException:
            if workers == 1:  # processes of our own are told by their pool
                for future in running:
                    future.cancel()
            raise
        yield parts


def _size(pool: Executor) -> int:
    """How many workers an executor has, as far as it says; a cluster's client says it of its scheduler."""
    count = getattr(pool, "_max_workers", None)
    if count is None and (client := getattr(pool, "_client", None)) is not None:
        count = sum(client.ncores().values())
    return int(count or os.cpu_count() or 1)


@contextlib.contextmanager
def _folder(crowd: Crowd, beside: Path | None) -> Iterator[Path]:
    """The folder of parts, ours alone while it is used; removed at the end, unless the process is killed."""
    if beside is None:
        with tempfile.TemporaryDirectory(prefix="regrow-") as name:
            yield Path(name)
        return
    target = beside.resolve()
    stem = f".{target.name}.parts-"
    folder = target.with_name(f"{stem}{crowd.key}")
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.stat()
    if state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077:
        sentence = f"out: the folder {folder} is not yours alone; remove it, or write to another place"
        raise Refusal("OUT-PARTS", sentence, field="out", value=str(folder))
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as busy:
            raise _busy(beside) from busy
        for old in target.parent.glob(f"{stem}*"):  # of another order to the same file, cut off and never taken up
            if old != folder:
                _clear(old, beside)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _clear(old: Path, beside: Path) -> None:
    other = os.open(old, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as busy:
        raise _busy(beside) from busy
    finally:
        os.close(other)


def _busy(beside: Path) -> Refusal:
    sentence = f"out: another run is writing {beside}; wait for it, or write to another name"
    return Refusal("OUT-BUSY", sentence, field="out", value=str(beside))


def write(
    crowd: Crowd,
    out: tuple[Path, ...] = (),
    *,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
    notice: Callable[[str], None] = lambda sentence: None,
    then: Callable[[Result], None] = lambda result: None,
) -> None:
    """Simulates the crowd and writes it to each path of `out` (.nc, .parquet), all of them or none.

    `then` gets the whole result, whose arrays are read from disk when asked for, before the files appear.
    Refuses as `solved` does; fails with OUT-DISK, OUT-WRITE.
    """
    from regrow import results
    from regrow.exchange import files, growing

    # refuses before anything is solved, for whoever of all these people is furthest out
    everyone = Population.draw(crowd.n, crowd.seed, crowd.stated)
    cautions = simulate.checked(crowd.course, everyone, crowd.equations)
    del everyone
    with contextlib.ExitStack() as stack:
        places = stack.enter_context(files.staged(out))
        sinks = [growing.sink(place, target.suffix.lower(), crowd.n) for place, target in zip(places, out, strict=True)]
        for sink in sinks:
            stack.callback(sink.abandon)
        # a schedule that no score rules is known beforehand, so parts enter the files while others are solved
        fixed = not any(phase.until for phase in crowd.course.protocol.phases)

        def add(parts: Parts, first: int) -> None:
            # sessions are numbered over the whole run
            rows = results.arrays(parts.result([first], known or parts.sessions([first])))
            for sink in sinks:
                sink.add(rows)

        known: list[tuple[float, str]] = []
        with solved(
            crowd, out[0] if out else None, workers=workers, executor=executor, progress=progress, notice=notice,
            each=add if fixed and sinks else None, staged=places,
        ) as parts:  # fmt: skip
            known += parts.sessions()
            if sinks and not fixed:
                for first in crowd.parts:
                    add(parts, first)
            whole = parts.result(crowd.parts, known)
            whole = replace(whole, cautions=(*cautions, *whole.cautions))
            if sinks:
                said = results.arrays(parts.result([0], known)).assign_attrs(results.provenance(whole))
                for sink in sinks:
                    sink.close(said)
            then(whole)
