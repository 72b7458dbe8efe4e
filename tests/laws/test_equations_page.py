"""The equations page: every state, every parameter with its status and source, in the words of the text."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import libsbml
import pytest

from regrow import engine, mechanism
from regrow.page import equations


@pytest.fixture(scope="module")
def markdown() -> str:
    return equations.page(joined=("habenula",))


@pytest.fixture(scope="module")
def html() -> str:
    return equations.page(form="html")


def test_every_state_and_every_rule_of_the_text_is_on_the_page(markdown: str) -> None:
    model = engine.compile_model(mechanism.text("enantiomers", modules=(*mechanism.CORE, "habenula")))
    for state in model.states:
        assert f"d{state}/dt = " in markdown
    for name in set(model.outputs) - set(model.states):
        assert f" {name} = " in markdown, name


def test_every_parameter_stands_there_with_value_status_and_source(markdown: str) -> None:
    model = engine.compile_model(mechanism.text("enantiomers", modules=(*mechanism.CORE, "habenula")))
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", markdown, re.MULTILINE))
    known = mechanism.parameters()
    for name in model.parameters:
        assert name in rows, name
        if name in known:
            value, unit, status, meaning, source = rows[name].split(" | ")
            assert float(value) == pytest.approx(known[name].value, rel=1e-5)
            assert (unit, status) == (known[name].unit, known[name].status)
            assert known[name].meaning.replace("|", "/") in meaning
            assert known[name].source.replace("|", "/") in source


def test_the_page_is_sound_markup_and_asks_for_nothing_from_outside(html: str) -> None:
    body = re.sub(r"<!doctype html>|<meta[^>]*/>|&(?!amp;|lt;|gt;|quot;|#)", "", html)
    ElementTree.fromstring(body)
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "Not a medical device" in html


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        ("-a * b", "−a·b"),
        ("(a + b) * c", "(a+b)·c"),
        ("a - (b - c)", "a−(b−c)"),
        ("a * (b / c)", "a·b/c"),
        ("(a * b)^2", "(a·b)^2"),
        ("max(0, a)", "max(0,a)"),
        ("tau_P + sigma0", "τ_P+σ_0"),
        ("-(a + b)", "−(a+b)"),
    ],
)
def test_brackets_stand_where_a_reader_needs_them_and_nowhere_else(formula: str, shown: str) -> None:
    tree = ElementTree.fromstring(f"<math>{equations.mathml(libsbml.parseL3Formula(formula))}</math>")
    assert _flat(tree) == shown


def _flat(node: ElementTree.Element) -> str:
    inside = [_flat(child) for child in node]
    if node.tag in ("msub", "msup", "mfrac"):
        return {"msub": "_", "msup": "^", "mfrac": "/"}[node.tag].join(inside)
    return (node.text or "") + "".join(inside)


def test_the_command_prints_markdown_or_writes_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "regrow", "equations", "--model", "clements1981"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert printed.returncode == 0
    assert printed.stdout.startswith("# The equations of the model")
    assert "clements1981" in printed.stdout
    wrong = subprocess.run([*command, "--out", str(tmp_path / "page.pdf")], capture_output=True, text=True, timeout=60)
    assert (wrong.returncode, wrong.stderr.split(":")[1].strip()) == (2, "OUT-ENDING")
    assert not list(tmp_path.iterdir())
