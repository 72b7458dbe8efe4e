"""NONMEM 7.5.1 itself as the oracle: its output for dosing scenarios, from a folder beside the repository.

The files are data of their own and not part of the project; without them the scenarios are skipped.
"""

import csv
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from nonmem_models import ONE_COMPARTMENT

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "nonmem"
THERE = (FOLDER / "scenarios.csv").is_file()


def rows_of(path: Path) -> tuple[dict[str, str], ...]:
    with path.open(newline="") as stream:
        return tuple(csv.DictReader(stream))


SCENARIOS = rows_of(FOLDER / "scenarios.csv") if THERE else ()


@lru_cache(maxsize=1)
def predicted(folder: Path) -> tuple[dict[str, str], ...]:
    (folder / "model.ant").write_text(ONE_COMPARTMENT)
    arguments = ["--data", str(FOLDER / "dosing.csv"), "--model", "model.ant", "--out", "out.csv"]
    command = [sys.executable, "-m", "regrow", "simulate", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stderr
    return rows_of(folder / "out.csv")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nonmem")


@pytest.mark.skipif(not THERE, reason="NONMEM's own output is not beside this checkout (../shared/data/nonmem)")
@pytest.mark.xdist_group("nonmem")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s['ID']} {s['descr']}")
def test_every_record_agrees_with_nonmem_to_its_five_digits(scenario: dict[str, str], folder: Path) -> None:
    rows = [row for row in predicted(folder) if row["ID"] == scenario["ID"]]
    expected = [row for row in rows_of(FOLDER / "dosing-nonmem.csv") if row["ID"] == scenario["ID"]]
    assert [float(row["time"]) for row in rows] == [float(row["TIME"]) for row in expected]
    ours = [float(row["CP"]) for row in rows]
    theirs = [float(row["CP"]) for row in expected]
    assert len(theirs) > 100
    assert max(theirs) > 0
    assert ours == pytest.approx(theirs, rel=2e-4, abs=1e-9)
