"""The README's ten lines of Python and the tour's blocks run as they stand, and importing regrow stays light."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def test_the_ten_lines_of_the_readme_run_and_print_what_they_promise():
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.strip().splitlines()) <= 11
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    numbers, score, session = done.stdout.splitlines()
    peak, madrs = map(float, numbers.split())
    assert 250 < peak < 350
    assert 20 < madrs < 30
    assert score.endswith(" points")
    assert session.startswith("[[40.]]")


def test_the_blocks_of_the_tour_run_one_after_the_other_and_every_file_it_names_is_there():
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", tour, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", "\n".join(blocks)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "session days: [0" in done.stdout
    source = ROOT / "src" / "regrow"
    for name in re.findall(r"`([a-z]+(?:/[a-z]+)*\.(?:py|ant|toml))`", tour):
        assert list(source.rglob(name)), name


def test_importing_regrow_loads_nothing_heavy():
    heavy = ("numpy", "scipy", "sympy", "xarray", "pydantic", "typer", "libsbml")
    code = f"import sys, regrow; print(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == ""
