"""The body's parameters: every constant of the text has a row, and every row says how it is known."""

import re
import tomllib
from importlib.resources import files

MECHANISM = files("regrow.mechanism")
TEXT = (MECHANISM / "body.ant").read_text()
ROWS = tomllib.loads((MECHANISM / "body.toml").read_text())


def test_every_constant_of_the_text_has_one_row_and_no_row_is_left_over():
    declared = " ".join(line for line in TEXT.splitlines() if line.startswith("const"))
    assert set(re.findall(r"(\w+) has \w+", declared)) == set(ROWS)


def test_every_row_says_value_unit_status_source_and_meaning():
    for name, row in ROWS.items():
        assert {"value", "unit", "status", "source", "meaning"} <= set(row), name
        assert set(row) <= {"value", "unit", "status", "source", "meaning", "spread", "measure"}, name
        assert row["status"] in ("measured", "calibrated", "assumed"), name
        assert set(row.get("spread", {"sd": 1})) <= {"omega", "sd"}, name


def test_memory_alone_never_makes_a_measured_number():
    for name, row in ROWS.items():
        assert not ("from memory" in row["source"] and row["status"] == "measured"), name
