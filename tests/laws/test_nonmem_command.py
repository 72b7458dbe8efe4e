"""`regrow simulate --data`: what it writes, and that no option is ignored beside it."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nonmem_models import ONE_COMPARTMENT

DATA = "ID,TIME,EVID,AMT,CMT\n1,0,1,100,1\n1,2,0,0,2\n"


def regrow(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    (folder / "model.ant").write_text(ONE_COMPARTMENT)
    (folder / "data.csv").write_text(DATA)
    command = [sys.executable, "-m", "regrow", "simulate", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)


def test_records_go_in_and_predictions_come_out(tmp_path: Path) -> None:
    done = regrow(tmp_path, "--data", "data.csv", "--model", "model.ant", "--out", "pred.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    with (tmp_path / "pred.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["TIME"] for row in rows] == ["0", "2"]
    assert float(rows[1]["CP"]) == pytest.approx(4391.2, rel=1e-4)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (["single"], "protocol"),
        (["--weight", "80 kg"], "--weight"),
        (["--people", "5"], "--people"),
        (["--with", "stress"], "--with"),
        (["--seed", "1"], "--seed"),
        (["--json"], "--json"),
        (["--clock", "backward"], "clock"),
    ],
)
def test_an_option_that_a_data_set_cannot_use_is_refused(extra: list[str], named: str, tmp_path: Path) -> None:
    done = regrow(tmp_path, "--data", "data.csv", "--model", "model.ant", "--out", "pred.csv", *extra)
    assert done.returncode == 2
    assert re.fullmatch(rf"regrow: [A-Z-]+: {named}.*\n", done.stderr), done.stderr
    assert not (tmp_path / "pred.csv").exists()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([], "PROTOCOL-MISSING"),
        (["--data", "data.csv", "--out", "pred.csv"], "DATA-OPTIONS"),
        (["--data", "data.csv", "--model", "model.ant"], "DATA-OPTIONS"),
        (["single", "--clock", "locf"], "OPTION-UNUSED"),
    ],
)
def test_what_is_missing_or_out_of_place_is_refused(args: list[str], code: str, tmp_path: Path) -> None:
    done = regrow(tmp_path, *args)
    assert done.returncode == 2
    assert done.stderr.startswith(f"regrow: {code}: ")
