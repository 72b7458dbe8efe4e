"""Own equations are never silently wrong: what the scheme cannot take goes to the general solver, and that is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from engine_reference import reference
from roadrunner_course import course

from regrow import order, simulate
from regrow.engine import Bolus, Infusion, compile_model, solve
from regrow.refusal import Refusal

PLASMA = "C' = -0.8*C; C = 0; "
EVENTS = [Bolus(0, "C", 2.0), Infusion(5, "C", 3.0, 1.0)]
TIMES = np.linspace(0, 12, 25)
TAKEN = {
    "a turnover that the drug inhibits": "R' = 2*(1 - C/(0.3 + C)) - 0.5*R; R = 4;",
    "a loop of three": "R' = 30*(z/(1+z) - R) + C; y' = 40*(R*R - y); z' = 50*(y - z*(1+R)); R = 0; y = 0; z = 0;",
    "a state a million times faster than the drug": "R' = 1e6*(C*C - R); R = 0;",
    "growth": "R' = 0.4*R + C; R = 0;",
}
GENERAL = {
    "saturable loss": ("R' = C - 2*R/(0.2+R); R = 0;", "R is not linear in R"),
    "a fast loop": ("R' = 3000*(y - R) + C; y' = 3000*(R - y) - 0.1*y*C; R = 0; y = 0;", "a loop too fast"),
    "an oscillation": ("R' = 6*y + C; y' = -6*R; R = 0; y = 0;", "R and y oscillate"),
    "an oscillation that is fed": ("R' = 6*y + C*C - R; y' = -6*R - y; R = 0; y = 0;", "R and y oscillate"),
    "a jump inside a step": ("R' = piecewise(5, C > 0.37, 0.1) - 0.5*R; R = 0;", "a jump"),
}


def apart(text: str, found: np.ndarray) -> float:
    wanted = reference(compile_model(text), {}, EVENTS, TIMES, ("R",))[0]
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("case", TAKEN)
def test_the_kernel_takes_it_within_its_bar(case: str) -> None:
    text = PLASMA + TAKEN[case]
    done = solve(compile_model(text), {}, EVENTS, TIMES, ["R"])
    assert not any("general" in notice for notice in done.notices)
    assert apart(text, done.values[0, 0]) < 1e-4


@pytest.mark.parametrize("case", GENERAL)
def test_what_the_kernel_cannot_take_is_solved_by_the_general_solver_and_said(case: str) -> None:
    text, word = PLASMA + GENERAL[case][0], GENERAL[case][1]
    done = solve(compile_model(text), {}, EVENTS, TIMES, ["R"], peaks=[("R",)], windows=[TIMES])
    assert any(word in notice and "general stiff solver" in notice for notice in done.notices), done.notices
    assert apart(text, done.values[0, 0]) < 1e-6
    assert done.peaks[0, 0, 0] == done.values[0, 0].max()


@pytest.mark.parametrize(
    ("text", "name", "rate"),
    [
        ("R' = 0.4*R + C; R = 0;", "R", 0.4),
        ("R' = C + 0.4*y - 0.1*R; y' = R - 0.2*y; R = 0; y = 0;", "R and y", 0.484),
        ("R' = 0.4*R; R = 1; y' = C - 2*y/(0.2 + y); y = 0;", "R", 0.4),
        ("R' = C - 0.1*R + 0.2*y; y' = 0.1*R - 0.2*y; R = 0; y = 0;", "", 0.0),
    ],
)
def test_what_grows_by_itself_is_said_by_name_and_rate(text: str, name: str, rate: float) -> None:
    done = solve(compile_model(PLASMA + text), {}, EVENTS, TIMES, ["R"])
    said = [notice for notice in done.notices if "grows by itself" in notice]
    assert len(said) == bool(name)
    if name:
        assert said[0].startswith(f"equation of {name}: ")
        assert f"by {rate:.3g} of itself per h" in said[0]


def test_a_solution_that_runs_away_is_refused_by_the_name_of_its_state() -> None:
    with pytest.raises(Refusal) as refused:
        solve(compile_model(PLASMA + "R' = R*R + C; R = 0;"), {}, EVENTS, TIMES, ["R"])
    assert refused.value.code == "SOLVER"
    assert "R runs away" in refused.value.sentence


def test_more_people_than_the_general_solver_can_take_are_refused() -> None:
    with pytest.raises(Refusal) as refused:
        solve(compile_model(PLASMA + GENERAL["saturable loss"][0]), {}, EVENTS, TIMES, ["R"], n=2001)
    assert refused.value.code == "ACCURACY-MISSED"
    assert "R is not linear" in refused.value.sentence


def test_the_command_says_that_own_equations_went_to_the_general_solver(tmp_path, capsys) -> None:
    own = tmp_path / "my.ant"
    own.write_text("D' = 0.1*(33 - D) - 8*C_S*D/(10 + D); D = 33;")
    order.carry_out(order.Order(protocol="single", mechanism=own, until="2 d"), json=True)
    said = capsys.readouterr()
    assert "D is not linear in D itself; the general stiff solver was used" in said.err
    assert '"madrs"' in said.out


@pytest.mark.parametrize("rate", ["0.3/C - R", "1/time - R", "log(C) - R", "(C - 1)^0.5 - R"])
def test_an_equation_without_a_finite_start_is_refused_by_its_name(rate: str) -> None:
    with pytest.raises(Refusal) as refused:
        solve(compile_model(PLASMA + f"R' = {rate}; R = 0;"), {}, EVENTS, TIMES, ["R"])
    assert refused.value.code == "MODEL-VALUE"
    assert "equation of R: its rate of change at the start" in refused.value.sentence


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("CL_S = 0.01; D' = 0.3 - 0.01*D + C_S; D = 30;", "MECHANISM-NAME", "CL_S"),
        ("tau_B = 2; D' = 0.3 - D/tau_B; D = 30;", "MECHANISM-NAME", "tau_B"),
        ("D' = piecewise(0.3, time < 5, 0.1) - 0.01*D; D = 30;", "MODEL-UNITS", "equation of D: "),
    ],
)
def test_a_text_whose_words_would_not_count_is_refused_by_the_command(tmp_path, text, code, named) -> None:
    own = tmp_path / "my.ant"
    own.write_text(text)
    with pytest.raises(Refusal) as refused:
        order.carry_out(order.Order(protocol="single", mechanism=own, until="2 d"), json=True)
    assert refused.value.code == code
    assert named in refused.value.sentence


def test_a_text_without_a_score_runs_and_gives_none(tmp_path, capsys) -> None:
    own = tmp_path / "my.ant"
    own.write_text("R' = 0.3 - 0.01*R + C_S; R = 30;")
    for shown in (True, False):
        order.carry_out(order.Order(protocol="single", mechanism=own, until="2 d"), json=shown)
    said = capsys.readouterr().out
    assert '"response_end_percent": null' in said
    assert "not given by this model" in said


OWN = """
KE0 = 0.7; EMAX = 40; EC50 = 0.05; KIN = 10; KOUT = 0.3;
EC50 has mg_per_L; CE has mg_per_L; KE0 has per_hour;
CE' = KE0*(C_S - CE)
E := EMAX*CE/(EC50 + CE)
R = KIN/KOUT
R' = KIN*(1 - C_S/(EC50 + C_S)) - KOUT*R
"""


def test_whatever_own_equations_compute_comes_out_under_its_own_name_and_unit(tmp_path, capsys) -> None:
    own = tmp_path / "my.ant"
    own.write_text(OWN)
    order.carry_out(order.Order(protocol="single", mechanism=own, until="2 d"), json=True)
    found = json.loads(capsys.readouterr().out)
    rows = found["readouts"]
    assert rows["CE"]["unit"] == "mg_per_L"
    assert rows["R"]["at"][0][1] == pytest.approx(10 / 0.3, rel=1e-6)
    middle = {t: (c, e) for (t, c, *_), (_, e, *_) in zip(rows["CE"]["at"], rows["E"]["at"], strict=True)}
    assert all(e == pytest.approx(40 * c / (0.05 + c), rel=1e-5, abs=1e-6) for c, e in middle.values())
    assert rows["p_eef2"]["at"] == []
    assert "their E is taken as their own" in rows["p_eef2"]["why"]
    assert not any("BDNF" in line or "eEF2" in line for line in found["citations"])


def test_names_that_own_equations_share_with_the_house_are_said(tmp_path, capsys) -> None:
    own = tmp_path / "my.ant"
    own.write_text("D' = 0.3 - 0.01*D; D = 30; B := 2*D; mine := 3*D;")
    order.carry_out(order.Order(protocol="single", mechanism=own, until="2 d"), json=True)
    said = capsys.readouterr()
    assert "B (BDNF released, relative units), D (MADRS, points); rename what is something else" in said.err
    assert json.loads(said.out)["readouts"]["mine"]["at"][0][1] == 90


def test_own_equations_without_units_or_starts_go_out_as_sbml_that_another_simulator_runs(tmp_path) -> None:
    own, out = tmp_path / "my.ant", tmp_path / "my.xml"
    own.write_text(OWN.replace("EC50 has mg_per_L; CE has mg_per_L; KE0 has per_hour;", ""))
    asked = order.Order(protocol="single", mechanism=own, until="2 d")
    order.export(asked, "sbml", out)
    result = simulate.run(*order.read(asked), equations=own.read_text())
    theirs = course(out.read_text(), ("R", "CE"), result.times)
    for name, values in zip(("R", "CE"), theirs, strict=True):
        assert np.abs(result.values[name][0] - values).max() < 1e-5 * values.max()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"precision": "single"}, "PRECISION"),
        ({"precision": "mixed", "printer": "numpy"}, "PRECISION"),
        ({"threads": -1}, "THREADS"),
        ({"target": {"q": 1e-3}}, "TARGET"),
        ({"target": 0.0}, "TARGET"),
        ({"peaks": [("R",)]}, "WINDOWS"),
        ({"windows": [[0.0, 1.0]]}, "WINDOWS"),
        ({"peaks": [("R",)], "windows": [[0.0, 13.0]]}, "WINDOWS"),
        ({"peaks": [("R",)], "windows": [[]]}, "WINDOWS"),
        ({"peaks": [("Q",)], "windows": [[0.0]]}, "OUTPUT-UNKNOWN"),
        ({"accuracy": "coarse"}, "ACCURACY"),
        ({"printer": "fortran"}, "PRINTER"),
    ],
)
def test_an_option_that_a_run_cannot_use_is_refused(options: dict, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        solve(compile_model(PLASMA + TAKEN["growth"]), {}, EVENTS, TIMES, ["R"], **options)
    assert refused.value.code == code
