"""A file appears whole or not at all, and says of itself what it is: units, sessions, sources."""

import errno
import io
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas
import pyarrow.parquet as pq
import pytest
import xarray
from synthetic_course import course

from regrow.exchange import files
from regrow.refusal import Failure, Refusal

ENDINGS = (".nc", ".parquet", ".csv")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_holds_what_was_simulated_and_nothing_else_is_left_in_the_folder(tmp_path, ending):
    data = course(people=5)
    files.write(data, tmp_path / f"course{ending}")
    assert os.listdir(tmp_path) == [f"course{ending}"]
    if ending == ".nc":
        back = xarray.load_dataset(tmp_path / "course.nc", engine="h5netcdf")
        assert np.array_equal(back["madrs"], data["madrs"])
        assert back["session_route"].values.tolist() == ["iv"] * 6
    else:
        read = pandas.read_parquet if ending == ".parquet" else pandas.read_csv
        name = "madrs" if ending == ".parquet" else "madrs_points"
        frame = read(tmp_path / f"course{ending}")
        assert len(frame) == 5 * data.sizes["time"]
        assert np.allclose(frame[name].to_numpy().reshape(5, -1), data["madrs"], rtol=1e-6)
        assert frame["person"].iloc[-1] == 4


def test_units_and_provenance_survive_netcdf(tmp_path):
    files.write(course(people=2), tmp_path / "course.nc")
    back = xarray.load_dataset(tmp_path / "course.nc", engine="h5netcdf")
    assert back["sbp"].attrs["units"] == "mmHg"
    assert back["time"].attrs["units"] == "h"
    assert back["time"].dtype == float
    assert list(back.attrs["assumed"]) == ["dose 0.5 mg/kg", "duration 60 min"]
    assert back.attrs["seed"] == 1
    assert json.loads(back.attrs["citations"])[1]["doi"] == "10.1176/appi.ajp.2013.13030392"


def test_units_provenance_and_sessions_survive_in_the_metadata_of_parquet(tmp_path):
    files.write(course(people=2), tmp_path / "course.parquet")
    schema = pq.read_schema(tmp_path / "course.parquet")
    assert schema.field("ketamine_arterial").metadata[b"units"] == b"ng/mL"
    assert schema.field("time").metadata[b"units"] == b"h"
    assert json.loads(schema.metadata[b"regrow.attrs"])["protocol"] == "atlanta"
    assert json.loads(schema.metadata[b"regrow.sessions"])["session_day"]["values"] == [0, 3, 7, 10, 14, 17]


def test_a_units_table_on_the_dataset_serves_where_a_variable_states_none():
    data = course(people=1)
    del data["madrs"].attrs["units"]
    data.attrs["units"] = {"madrs": "points", "sbp": "never used"}
    assert files.units(data)["madrs"] == "points"
    assert files.units(data)["sbp"] == "mmHg"


def test_a_csv_starts_with_its_header_and_each_name_ends_in_the_unit(tmp_path):
    files.write(course(people=1), tmp_path / "course.csv")
    head = (tmp_path / "course.csv").read_text().splitlines()[0].split(",")
    assert head[:4] == ["person", "time_h", "session", "session_dose_mg"]
    assert {"ketamine_arterial_ng_ml", "madrs_points", "hr_per_min", "sbp_mmhg", "weight_kg"} <= set(head)
    assert not any("#" in name or '"' in name or " " in name for name in head)


@pytest.mark.parametrize(
    ("name", "unit", "column"),
    [
        ("hr", "1/min", "hr_per_min"),
        ("sedation", "MOAA/S points (5 = alert)", "sedation_moaa_s_points"),
        ("weight_kg", "kg", "weight_kg"),
        ("share", "%", "share_percent"),
        ("age_y", "a", "age_y"),
        ("female", "1", "female"),
        ("person", "", "person"),
    ],
)
def test_the_unit_joins_the_name_once(name, unit, column):
    assert files.csv_name(name, unit) == column


def test_a_row_names_the_latest_session_that_this_person_had_and_its_dose(tmp_path):
    data = course(people=4, days=(0, 7, 14), ruled=2)
    files.write(data, tmp_path / "course.parquet")
    frame = pandas.read_parquet(tmp_path / "course.parquet").set_index(["person", "time"])
    assert frame.loc[(0, 0.0), "session"] == 1
    assert frame.loc[(0, 6 * 24.0), "session"] == 1
    assert frame.loc[(0, 14 * 24.0), "session"] == 3
    assert frame.loc[(1, 14 * 24.0), "session"] == 2
    assert frame.loc[(1, 14 * 24.0), "session_dose_mg"] == data["session_dose_mg"].values[1, 1]


def test_a_table_of_many_blocks_equals_the_table_of_one(monkeypatch):
    data = course(people=7)
    whole, parts = io.BytesIO(), io.BytesIO()
    files.csv(data, whole)
    monkeypatch.setattr(files, "_ROWS", 2 * data.sizes["time"])
    files.csv(data, parts)
    assert whole.getvalue() == parts.getvalue()


def test_a_dimension_that_a_table_cannot_hold_is_refused_not_dropped(tmp_path):
    data = course(people=2).assign(madrs_by_model=(("model", "time"), np.zeros((2, course(people=2).sizes["time"]))))
    with pytest.raises(Refusal, match="OUT-TABLE") as refused:
        files.write(data, tmp_path / "course.csv")
    assert "madrs_by_model" in refused.value.sentence
    assert os.listdir(tmp_path) == []


# --- whole or not at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, ending):
    place = tmp_path / f"course{ending}"
    place.write_text("the course before")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failure, match="OUT-DISK") as failed:
        files.write(course(people=2), place)
    assert str(place) in failed.value.sentence
    assert place.read_text() == "the course before"
    assert os.listdir(tmp_path) == [place.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_disk_that_fills_while_writing_leaves_nothing_behind(tmp_path, ending):
    program = f"""
        import resource, sys
        from synthetic_course import course
        from regrow.exchange import files
        from regrow.refusal import Failure
        data = course(people=50)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            files.write(data, {str(tmp_path / f"course{ending}")!r})
        except Failure as failure:
            sys.exit(7 if failure.code == "OUT-DISK" else 8)
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", "tests"])}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=env, timeout=120, capture_output=True)
    assert done.returncode == 7, done.stderr.decode()
    assert os.listdir(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000


def test_ctrl_c_half_way_leaves_the_old_file_and_no_other(tmp_path):
    place = tmp_path / "course.csv"
    place.write_text("the course before")
    program = f"""
        import pathlib, time
        from regrow.exchange import files
        def slowly(stream):
            stream.write(b"half"); stream.flush(); print("half way", flush=True); time.sleep(60)
        files.publish({{pathlib.Path({str(place)!r}): slowly}})
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # whoever starts the tests in the background may have them ignore Ctrl-C, and a child inherits that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"half way\n"
    assert len(os.listdir(tmp_path)) == 2
    child.send_signal(signal.SIGINT)
    _, complaint = child.communicate(timeout=60)
    assert child.returncode != 0
    assert b"KeyboardInterrupt" in complaint
    assert place.read_text() == "the course before"
    assert os.listdir(tmp_path) == ["course.csv"]


def test_of_several_files_all_appear_or_none(tmp_path):
    def broken(_stream):
        raise RuntimeError("a writer that gives up")

    good = tmp_path / "good.csv"
    with pytest.raises(RuntimeError, match="gives up"):
        files.publish({good: lambda stream: stream.write(b"x") and None, tmp_path / "bad.csv": broken})
    assert os.listdir(tmp_path) == []


def test_a_replaced_file_keeps_its_permissions_and_a_link_stays_a_link(tmp_path):
    place, link = tmp_path / "course.csv", tmp_path / "latest.csv"
    place.write_text("before")
    place.chmod(0o640)
    link.symlink_to(place)
    files.write(course(people=1), link)
    assert link.is_symlink()
    assert place.stat().st_mode & 0o777 == 0o640
    assert place.read_text().startswith("person,")


def test_any_other_trouble_is_told_in_the_systems_own_words(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _d: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(Failure, match=r"OUT-WRITE.*Input/output error"):
        files.write(course(people=1), tmp_path / "course.csv")
    assert os.listdir(tmp_path) == []


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["course.xlsx", "course", "nc"])
def test_an_unknown_ending_is_refused_and_the_known_ones_are_named(tmp_path, name):
    with pytest.raises(Refusal, match="OUT-ENDING") as refused:
        files.write(course(people=1), tmp_path / name)
    assert ".nc, .parquet or .csv" in refused.value.sentence
    assert os.listdir(tmp_path) == []


def test_a_folder_that_does_not_exist_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(Refusal, match="OUT-FOLDER") as refused:
        files.write(course(people=1), tmp_path / "good.csv", tmp_path / "not" / "there.csv")
    assert str(tmp_path / "not") in refused.value.sentence
    assert os.listdir(tmp_path) == []


def test_a_folder_with_a_files_name_is_refused(tmp_path):
    (tmp_path / "course.csv").mkdir()
    with pytest.raises(Refusal, match="OUT-FOLDER"):
        files.write(course(people=1), tmp_path / "course.csv")


def test_endings_are_read_in_any_case(tmp_path):
    files.write(course(people=1), tmp_path / "COURSE.CSV")
    assert (tmp_path / "COURSE.CSV").read_text().startswith("person,time_h,")
