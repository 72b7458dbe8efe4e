"""The command line keeps its promises: help is there, refusals are one line with a code."""

import re
import subprocess
import sys


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
