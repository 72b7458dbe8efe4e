"""What the engine makes of a model text: checks that name the equation, an order of solving, a cache."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from regrow.engine import compile_model
from regrow.refusal import Refusal

HERE = Path(__file__).parent
LIKE = (HERE / "like.ant").read_text()
VALUES = tomllib.loads((HERE / "like.toml").read_text())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REGROW_CACHE", str(tmp_path))


def shapes(model):
    return {tuple(sorted(item["states"])): item["kind"] for item in model.program.items}


def test_a_whole_model_is_lowered_into_the_shapes_that_its_equations_have():
    model = compile_model(LIKE)
    assert model.notes == ()
    assert model.general is None
    found = shapes(model)
    assert found[("gut_S",)] == "exact"
    assert found[("central_S", "fast_S", "slow_S")] == "exact"
    assert found[("nk", "nk_p")] == "modes"
    assert found[("Ce",)] == "state"
    assert found[("S", "n")] == "loop"
    (loop,) = (item for item in model.program.items if item["kind"] == "loop")
    assert loop["cut"] == ["S"]


def test_every_parameter_of_the_text_is_asked_for_and_nothing_else():
    assert set(compile_model(LIKE).parameters) == set(VALUES)


def test_an_output_needs_only_the_parameters_upstream_of_it():
    model = compile_model(LIKE)
    assert model.needs(["C_S"]) == {"k_a", "CL_S", "Q_2", "Q_3", "V_1", "V_2", "V_3"}
    assert "theta_W" in model.needs(["D"])
    assert "theta_W" not in model.needs(["density"])


def test_units_are_those_that_the_text_declares():
    units = compile_model(LIKE).units
    assert units["C_S"] == "mg/L"
    assert units["tau_S"] == "hour"


@pytest.mark.parametrize(
    ("right", "wrong", "name"),
    [
        ("C_S := central_S/V_1;", "C_S := central_S*V_1;", "C_S"),
        ("A' = (b_I - A)/tau_A;", "A' = (b_I - A)*tau_A;", "A"),
        ("(f_uKp*(C_S + C_R)/M_w - Ce)", "(f_uKp*(C_S + C_R) - Ce)", "Ce"),
        ("S = 1 - d_S;", "S = 1 - d_S*tau_S;", "S"),
    ],
)
def test_a_planted_unit_error_is_refused_with_its_equation(right, wrong, name):
    assert right in LIKE
    with pytest.raises(Refusal) as refused:
        compile_model(LIKE.replace(right, wrong))
    assert refused.value.code == "MODEL-UNITS"
    assert name in refused.value.sentence


def test_what_has_no_units_is_noted_and_not_refused():
    model = compile_model("x' = -k*x; x = 1; k = 0.5; y := 2*x;")
    assert model.defaults == {"k": 0.5}
    assert any("'k'" in note for note in model.notes)


def test_an_equation_that_is_not_linear_in_its_own_state_is_named():
    model = compile_model("x' = -v*x/(k + x); x = 1; v = 1; k = 1;")
    assert model.general == "the equation of x is not linear in x itself"


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("x' = -k*; x = 1;", "MODEL-TEXT", "line 1"),
        ("x' = -k*sin(x); x = 1; k = 1;", "MODEL-UNSUPPORTED", "sin"),
        ("R7: S1 -> S2; k*S1; k = 1; S1 = 1; S2 = 0;", "MODEL-UNSUPPORTED", "reactions (R7)"),
        ("model a\nx' = -x; x = 1\nend\nmodel b\ny' = -y; y = 1\nend", "MODEL-TEXT", "a would not be run"),
        ("x' = -k*x; x = 1; k = 1; at time > 3: x = 0;", "MODEL-UNSUPPORTED", "events"),
    ],
)
def test_a_text_that_cannot_be_taken_is_refused(text, code, word):
    with pytest.raises(Refusal) as refused:
        compile_model(text)
    assert refused.value.code == code
    assert word in refused.value.sentence


def test_a_second_start_reads_the_cache_and_imports_no_compiler(tmp_path):
    program = (
        "import sys, json; from pathlib import Path; from regrow.engine import compile_model;"
        f"m = compile_model(Path({str(HERE / 'like.ant')!r}).read_text());"
        "print(json.dumps([sorted(set(sys.modules) & {'sympy', 'libsbml', 'antimony', 'networkx', 'scipy'}),"
        " m.program.outputs, m.units]))"
    )
    runs = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout))
    assert "libsbml" in runs[0][0]
    assert runs[1][0] == []
    assert runs[1][1:] == runs[0][1:]


def test_the_cache_folder_is_private_and_a_damaged_file_is_made_anew(tmp_path):
    from regrow.engine import cache, model

    compile_model("x' = -k*x; x = 1; k = 0.25;")
    folder = cache.folder()
    assert folder is not None
    assert os.stat(folder).st_mode & 0o077 == 0
    (kept,) = folder.glob("model-*.json")
    kept.write_text("{")
    model._compile.cache_clear()
    assert compile_model("x' = -k*x; x = 1; k = 0.25;").defaults == {"k": 0.25}
    assert json.loads(kept.read_text())["defaults"] == {"k": 0.25}


def test_the_symbolic_form_gives_the_rates_that_the_text_writes():
    functions = compile_model("x' = a - k*x; y' = k*x - y*z; z := x^2/(1 + x); x = a; y = 2*x;").symbolic().functions()
    values = {"a": 3.0, "k": 0.5}
    assert functions.initial(values).tolist() == [3.0, 6.0]
    assert functions.rate(0.0, [2.0, 1.0], values).tolist() == [2.0, 1.0 - 4.0 / 3.0]
