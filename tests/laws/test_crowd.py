"""Large populations part by part: the same people to the bit however they are shared out, whole files or none."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray

from regrow import crowd, order, results, simulate
from regrow.catalog import protocols
from regrow.people import Population, Stated
from regrow.refusal import Failure, Refusal
from regrow.regimen import Course

pytestmark = pytest.mark.xdist_group("crowd")  # what its tests share is made once, not in each worker

TIMES = (0.0, 24.0, 168.0)
WEEK = crowd.Crowd(Course(protocols.get("single"), until_h=168.0), 130, 4, Stated(), TIMES, part=40)

# A run that is killed, not asked to stop, when its second part has been handed in.
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from laws.test_crowd import WEEK, Slow
from regrow import crowd
kept, count = crowd.Parts.keep, []
def keep(self, first, arrays):
    kept(self, first, arrays)
    count.append(first)
    if len(count) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
crowd.Parts.keep = keep
crowd.write(WEEK, (Path({out!r}),), executor=Slow())
"""


class Slow(ThreadPoolExecutor):
    """One thread, so that parts come one after another."""

    def __init__(self) -> None:
        super().__init__(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pq.ParquetFile:
    place = tmp_path_factory.mktemp("crowd") / "whole.parquet"
    crowd.write(WEEK, (place,))
    return pq.ParquetFile(place)


def same(one: Path, other: pq.ParquetFile) -> bool:
    return pq.read_table(one).equals(other.read())


def test_a_crowd_holds_each_person_once_with_the_numbers_of_an_ordinary_run(whole: pq.ParquetFile) -> None:
    table = whole.read()
    assert table["person"].to_pylist() == np.repeat(np.arange(130), 3).tolist()
    people = Population.draw(130, 4)
    ordinary = simulate.run(WEEK.course, people, times=TIMES)
    for name, limit in {"madrs": 1e-3, "ketamine_arterial": 1e-3, "synapse_density": 1e-4}.items():
        mine = np.array(table[name]).reshape(130, 3)
        theirs = np.stack([ordinary.at(name, time) for time in TIMES], axis=1)
        assert np.abs(mine - theirs).max() <= limit * np.abs(theirs).max(), name
    assert b"regrow.attrs" in whole.metadata.metadata


def test_a_run_killed_outright_goes_on_without_a_lost_or_a_doubled_person(
    tmp_path: Path, whole: pq.ParquetFile
) -> None:
    out = tmp_path / "x.parquet"
    script = KILLED.format(path=[str(Path(__file__).parent.parent)], out=str(out))
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert not out.exists()
    said: list[str] = []
    crowd.write(WEEK, (out,), notice=said.append)
    assert said == ["goes on from a run that was cut off: 80 of 130 people are done"]
    assert same(out, whole)
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize("share", ["two processes", "any executor", "parts of another size"])
def test_numbers_are_the_same_to_the_bit_however_the_work_is_shared(
    share: str, tmp_path: Path, whole: pq.ParquetFile
) -> None:
    out = tmp_path / "x.parquet"
    if share == "two processes":
        crowd.write(WEEK, (out,), workers=2)
    elif share == "any executor":
        with ThreadPoolExecutor(3) as pool:
            crowd.write(WEEK, (out,), executor=pool)
    else:
        crowd.write(replace(WEEK, part=65), (out,))
    assert same(out, whole)


def test_a_dask_cluster_gives_the_same_numbers_to_the_bit(tmp_path: Path, whole: pq.ParquetFile) -> None:
    from distributed import Client, LocalCluster

    out = tmp_path / "x.parquet"
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        crowd.write(WEEK, (out,), executor=client.get_executor())
        people = Population.draw(30, 4)
        shared = simulate.run(WEEK.course, people, executor=client.get_executor())
    assert same(out, whole)
    alone = simulate.run(WEEK.course, people)
    assert all(np.array_equal(shared.values[name], alone.values[name], equal_nan=True) for name in alone.values)


def test_netcdf_holds_what_the_table_holds_and_the_same_names_as_an_ordinary_file(
    tmp_path: Path, whole: pq.ParquetFile
) -> None:
    out = tmp_path / "x.nc"
    crowd.write(WEEK, (out,))
    with xarray.open_dataset(out, engine="h5netcdf") as found:
        assert found.sizes["person"] == 130
        mood = np.array(whole.read()["madrs"]).reshape(130, 3)
        assert np.array_equal(found["madrs"].to_numpy(), mood)
        assert found["madrs"].attrs["units"] == "points"
        ordinary = results.dataset(simulate.run(WEEK.course, Population.draw(2, 4), times=TIMES))
        assert set(found.variables) == set(ordinary.variables)
        assert set(found.attrs) <= set(ordinary.attrs)
        assert found["session_phase"].to_numpy().tolist() == ordinary["session_phase"].to_numpy().tolist()


def test_a_schedule_that_scores_rule_numbers_its_sessions_over_the_whole_crowd(tmp_path: Path) -> None:
    course = Course(protocols.get("atlanta"), until_h=24.0 * 45)
    ruled = crowd.Crowd(course, 90, 4, Stated(), (0.0, 24.0, 168.0, 24.0 * 45), part=30)
    out = tmp_path / "x.nc"
    crowd.write(ruled, (out,))
    ordinary = simulate.run(course, Population.draw(90, 4), accuracy="standard", precision="mixed")
    with xarray.open_dataset(out, engine="h5netcdf") as found:
        assert found["session_day"].to_numpy().tolist() == [held.session.day for held in ordinary.sessions]
        given = np.isfinite(found["session_dose_mg"].to_numpy())
        assert (given == np.isfinite([held.mg for held in ordinary.sessions])).all()


def test_a_failure_leaves_what_was_there_before(tmp_path: Path) -> None:
    out = tmp_path / "x.parquet"
    out.write_text("before")

    class Broken(ThreadPoolExecutor):
        def submit(self, *_: object, **__: object) -> Future:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crowd.write(WEEK, (out,), executor=Broken(1))
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
    assert out.read_text() == "before"


def test_a_disk_that_fills_while_parts_are_written_is_called_full(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # less than one array of so many people
    try:
        with pytest.raises(Failure, match="OUT-DISK"):
            crowd.write(replace(WEEK, n=2000, part=2000), (tmp_path / "course.parquet",))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_a_second_run_to_the_same_file_is_refused_while_the_first_is_under_way(tmp_path: Path) -> None:
    out = tmp_path / "x.parquet"
    with crowd.solved(WEEK, out), pytest.raises(Refusal) as refused:
        crowd.write(replace(WEEK, seed=5), (out,))
    assert refused.value.code == "OUT-BUSY"


def test_more_people_than_lie_in_memory_well_go_part_by_part_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate, "LARGE", 20)
    asked = order.Order(protocol="single", people=30, until="8 d", every="2 d")
    order.carry_out(asked, (tmp_path / "x.parquet",))
    assert "single precision" in capsys.readouterr().err
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["time"].to_pylist()[:6] == [0.0, 24.0, 48.0, 96.0, 144.0, 168.0]
    with pytest.raises(Refusal) as refused:
        order.carry_out(asked, (tmp_path / "x.html",))
    assert refused.value.code == "OUT-LARGE"
    order.carry_out(replace(asked, every=""), json=True)
    assert '"people": 30' in capsys.readouterr().out


def test_workers_beside_an_executor_are_refused() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(Refusal) as refused,
    ):
        simulate.run(WEEK.course, Population.draw(3, 1), workers=2, executor=pool)
    assert refused.value.code == "WORKERS-TWICE"
