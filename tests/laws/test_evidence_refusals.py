"""A file that breaks the evidence form, on the command line: one line with code, file, line and way out; exit 2."""

from pathlib import Path

import pytest

from regrow.catalog.located import line_of
from regrow.cli import main

STUDY = """\
# A study that was never done.
id = "doe2020"
citation = "Doe J. A study that was never done. J Nowhere 2020;1:1"
confidence = "abstract"
use = "validation"

[population]
condition = "depression"
n = 20
weight_kg = { mean = 80, sd = 18 }
female_percent = 60
baseline = { scale = "MADRS", mean = 30, sd = 5 }

[[arm]]
name = "ketamine"
drug = "ketamine"
dose = "0.5 mg/kg"
route = "iv"
duration = "40 min"
days = [0, 3, 7]
belief = "open"

[[arm.observed]]
what = "change"
of = "MADRS"
at = "24 h"
mean = -15
sd = 10

[[arm.observed]]
what = "response"
of = "MADRS"
at = "24 h after session 3"
percent = 60
ci95 = [40, 77]

[[arm.observed]]
what = "cmax"
of = "ketamine"
at = "4 h"
mean = 185
site = "venous"

[[arm]]
name = "placebo"
drug = "placebo"
dose = "0 mg"
route = "iv"
days = [0, 3, 7]
belief = "saline-blind"

[[contrast]]
arms = ["ketamine", "placebo"]
what = "change"
of = "MADRS"
at = "24 h"
mean = -8
ci95 = [-12, -4]
"""

# What is changed, what it becomes, the line that must be named (as it then reads), a word of the sentence.
BROKEN = {
    "unknown scale": ('of = "MADRS"', 'of = "MADRAS"', 'of = "MADRAS"', "nearest is 'MADRS'"),
    "missing unit of a dose": ('dose = "0.5 mg/kg"', 'dose = "0.5"', 'dose = "0.5"', "unit"),
    "a dose as a bare number": ('dose = "0.5 mg/kg"', "dose = 0.5", "dose = 0.5", "string"),
    "missing unit of a time": ('at = "4 h"', 'at = "4"', 'at = "4"', "unit"),
    "an unknown unit": ("mean = 185", 'mean = 185\nunit = "drops"', 'unit = "drops"', "ng/mL"),
    "nobody": ("n = 20", "n = 0", "n = 0", "greater than or equal to 1"),
    "half a person": ("n = 20", "n = 20.5", "n = 20.5", "integer"),
    "a number in quotes": ("n = 20", 'n = "20"', 'n = "20"', "without quotes"),
    "a mean in quotes": ("mean = -15", 'mean = "-15"', 'mean = "-15"', "without quotes"),
    "over 100 per cent": ("percent = 60", "percent = 160", "percent = 160", "0 to 100"),
    "below 0 per cent": ("percent = 60", "percent = -1", "percent = -1", "0 to 100"),
    "more women than people": ("female_percent = 60", "female_percent = 160", "female_percent = 160", "0 to 100"),
    "a weight of 800 kg": ("mean = 80, sd = 18", "mean = 800, sd = 18", "weight_kg =", "2 to 300"),
    "a contrast of no arm": ('"placebo"]', '"sham"]', 'arms = ["ketamine", "sham"]', "'ketamine', 'placebo'"),
    "an arm against itself": ('"placebo"]', '"ketamine"]', 'arms = ["ketamine", "ketamine"]', "two arms"),
    "two arms of one name": ('name = "placebo"', 'name = "ketamine"', 'name = "ketamine"', "its own"),
    "days out of order": ("days = [0, 3, 7]", "days = [0, 7, 3]", "days = [0, 7, 3]", "rising order"),
    "no days": ("days = [0, 3, 7]\nbelief", "belief", "[[arm]]", "add days"),
    "a session that is not": ("after session 3", "after session 4", 'at = "24 h after session 4"', "has 3"),
    "an infused spray": ('route = "iv"\nduration', 'route = "intranasal"\nduration', "duration =", "takes no time"),
    "an unknown key": ("sd = 10\n", "sd = 10\ncolour = 3\n", "colour = 3", "no such key"),
    "not a number": ("mean = -15", "mean = nan", "mean = nan", "finite"),
    "infinity": ("mean = -15", "mean = -inf", "mean = -inf", "finite"),
    "true for a number": ("mean = -15", "mean = true", "mean = true", "without quotes"),
    "no value": ("mean = -15\n", "", "[[arm.observed]]", "no value"),
    "two values": ("mean = -15\n", "mean = -15\npercent = 60\n", "percent = 60", "write one of"),
    "a response in points": ("percent = 60\nci95", "mean = 60\nci95", "mean = 60", "share of people"),
    "a level in per cent": ("mean = 185", "percent = 85", "percent = 85", "share"),
    "a level below zero": ("mean = 185", "mean = -185", "mean = -185", "below 0"),
    "a MADRS of 75": ("mean = 30, sd = 5", "mean = 75, sd = 5", "baseline =", "0 to 60"),
    "a fall of 80 points": ("mean = -15", "mean = -80", "mean = -80", "-60 to 60"),
    "a negative spread": ("sd = 10", "sd = -10", "sd = -10", "greater than or equal to 0"),
    "an interval upside down": ("ci95 = [40, 77]", "ci95 = [77, 40]", "ci95 = [77, 40]", "[low, high]"),
    "an interval of three": ("ci95 = [40, 77]", "ci95 = [40, 50, 77]", "ci95 = [40, 50, 77]", "at most 2"),
    "a site of a score": ("sd = 10\n", 'sd = 10\nsite = "venous"\n', 'site = "venous"', "take it out"),
    "an analyte as a scale": ('of = "ketamine"', 'of = "MADRS"', 'of = "MADRS"', "analyte"),
    "an unknown belief": ('belief = "open"', 'belief = "hopeful"', 'belief = "hopeful"', "'masked'"),
    "an unknown use": ('use = "validation"', 'use = "show"', 'use = "show"', "'check'"),
    "memory that counts": ('"abstract"', '"memory"', 'use = "validation"', "use = 'check'"),
    "no people": ("n = 20\n", "", "[population]", "add n"),
    "no route": ('route = "iv"\nduration', "duration", "[[arm]]", "route is missing"),
    "a key twice": ("n = 20", "n = 20\nn = 21", "n = 21", "not TOML"),
    "a broken table": ("[population]", "[population", "[population", "not TOML"),
}


def checked(tmp_path: Path, capsys, text: str) -> str:
    path = tmp_path / "doe2020.toml"
    path.write_text(text)
    with pytest.raises(SystemExit) as left:
        main(["evidence", "check", str(path)])
    assert left.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"regrow: EVIDENCE-FILE: {path}")
    return said.err


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_at_its_line(name, tmp_path, capsys):
    was, becomes, reads, says = BROKEN[name]
    text = STUDY.replace(was, becomes, 1)
    assert text != STUDY
    sentence = checked(tmp_path, capsys, text)
    number = int(sentence.split("line ")[1].split(":")[0])
    assert reads in text.splitlines()[number - 1], sentence
    assert says in sentence


def test_the_line_is_that_of_the_second_arm_where_the_second_is_wrong(tmp_path, capsys):
    text = STUDY.replace('belief = "saline-blind"', 'belief = "blind"')
    number = text.splitlines().index('belief = "blind"') + 1
    assert f", line {number}: arm.2.belief" in checked(tmp_path, capsys, text)


@pytest.mark.parametrize("kind", ["absent", "folder", "binary", "empty"])
def test_what_is_no_file_of_the_form_is_refused_by_name(kind, tmp_path, capsys):
    path = tmp_path / f"{kind}.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x00MADRS")
    elif kind == "empty":
        path.write_text("")
    with pytest.raises(SystemExit) as left:
        main(["evidence", "check", str(path)])
    assert left.value.code == 2
    assert str(path) in capsys.readouterr().err


def test_one_broken_file_among_good_ones_is_named_and_nothing_is_printed(tmp_path, capsys):
    good = tmp_path / "good.toml"
    good.write_text(STUDY)
    bad = tmp_path / "bad.toml"
    bad.write_text(STUDY.replace("n = 20", "n = 0"))
    with pytest.raises(SystemExit) as left:
        main(["evidence", "check", str(good), str(bad)])
    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.out == ""
    assert f"{bad}, line 9" in said.err


@pytest.mark.parametrize(
    ("text", "where", "line"),
    [
        ("a = 1\n[b]\nc = 2\n", ("b", "c"), 3),
        ("a = 1\n[b]\nc = 2\n", ("b", "d"), 2),
        ("a = 1\n", ("z",), 1),
        ("[[a]]\n[[a.b]]\nc = 1\n[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\nc = 2\n", ("a", 1, "b", 1, "c"), 8),
        ('b.c = 1\n"d e" = 2\n', ("b", "c"), 1),
        ('b.c = 1\n"d e" = 2\n', ("d e",), 2),
        ('a = """\nb = 1\n"""\nb = 2\n', ("b",), 4),
        ("a = [{ b = 1 }, { b = 2 }]\n", ("a", 1, "b"), 1),
        ("days = [\n 0,\n 3,\n]\n", ("days", 1), 1),
        ("[ a ] # so\nb = 1\n", ("a", "b"), 2),
    ],
)
def test_the_line_of_a_key_is_found_however_the_table_is_written(text, where, line):
    assert line_of(text, where) == line
