"""What a user gets from `regrow simulate` over 26 weeks, against two independent solvers of the same course."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import roadrunner_course
import xarray
from engine_reference import reference

from regrow.exchange.unrolled import unroll
from regrow.order import Order, read

COURSE = ("atlanta", "--weight", "80 kg", "--baseline", "31")


def regrow(*args: str) -> None:
    done = subprocess.run([sys.executable, "-m", "regrow", *args], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> xarray.Dataset:
    file = tmp_path_factory.mktemp("course") / "course.nc"
    regrow("simulate", *COURSE, "--out", str(file))
    with xarray.open_dataset(file, engine="h5netcdf") as data:
        return data.load()


@pytest.mark.xdist_group("26 weeks")
def test_libroadrunner_on_the_exported_file_agrees_on_mood_and_synapses(
    simulated: xarray.Dataset, tmp_path: Path
) -> None:
    regrow("export", "sbml", *COURSE, "--out", str(tmp_path / "course.xml"))
    hours = simulated["time"].to_numpy()
    assert hours[-1] == 26 * 7 * 24
    theirs = roadrunner_course.course((tmp_path / "course.xml").read_text(), ("D", "density"), hours)
    assert np.allclose(simulated["madrs"][0], theirs[0], rtol=1e-4, atol=0)
    assert np.allclose(simulated["synapse_density"][0], theirs[1], rtol=1e-4, atol=0)


@pytest.mark.xdist_group("26 weeks")
def test_scipy_on_the_symbolic_form_agrees_on_mood_and_synapses(simulated: xarray.Dataset) -> None:
    (one,) = unroll(*read(Order("atlanta", weight="80 kg", baseline="31")))
    hours = simulated["time"].to_numpy()
    theirs = reference(one.model, one.values, one.events, hours, ("D", "density"), rtol=1e-7, atol=1e-10)
    assert np.allclose(simulated["madrs"][0], theirs[0], rtol=1e-4, atol=0)
    assert np.allclose(simulated["synapse_density"][0], theirs[1], rtol=1e-4, atol=0)
