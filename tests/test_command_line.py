"""The command line keeps its promises: help is there, refusals are one line with a code."""

import json
import re
import subprocess
import sys
from pathlib import Path

from regrow import __file__ as regrow_package


def regrow(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "regrow", *args], capture_output=True, text=True, timeout=120)


def test_help_names_the_program_and_exits_with_0():
    done = regrow("--help")
    assert done.returncode == 0
    assert "not a medical device" in " ".join(done.stdout.lower().split())


def test_an_unknown_option_is_refused_on_one_line_with_a_code_and_exit_2():
    done = regrow("--no-such-option")
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"regrow: [A-Z][A-Z0-9-]*: .*--no-such-option.*\n", done.stderr)


def test_evidence_check_prints_the_contracts_json_for_a_file_and_refuses_one_that_is_none(tmp_path):
    study = Path(regrow_package).parent / "catalog" / "evidence" / "murrough2013-ajp.toml"
    done = regrow("evidence", "check", str(study), "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert {"figures", "summary"} <= set(printed)
    assert {"study", "arm", "observed", "predicted", "within", "covered", "use"} <= set(printed["figures"][0])
    broken = tmp_path / "none.toml"
    broken.write_text("id = 3")
    assert regrow("evidence", "check", str(broken)).returncode == 2
