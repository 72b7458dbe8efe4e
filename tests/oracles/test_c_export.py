"""The kernel as C: compiled by this machine's compiler, it agrees with the other printers and prints whole courses."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engine_reference import course, like, people
from test_engine_printers import FUNCTIONS

from regrow.engine import Bolus, Infusion, c_printer, compile_model, solve
from regrow.engine.c_program import program
from regrow.exchange.unrolled import unroll
from regrow.order import Order, read
from regrow.refusal import Refusal


def test_c_and_numpy_agree_on_every_function_a_text_may_use() -> None:
    model = compile_model("x' = -k*x; x = 0.01; " + FUNCTIONS)
    p = {"k": np.linspace(0.01, 3, 7), "p": np.linspace(0.1, 1.9, 7)}
    events, hours = [Bolus(1, "x", 3.0), Infusion(2, "x", 8.0, 2.0)], np.linspace(0, 6, 25)
    found, wanted = (
        solve(model, p, events, hours, tuple("abcdefghij"), n=7, printer=by).values for by in ("c", "numpy")
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-13)


def test_c_and_machine_code_agree_on_the_whole_model_and_on_peaks() -> None:
    names = ("C_S", "C_NK", "B_T", "G", "density", "X", "D")
    asked = {"peaks": (("C_S", "C_R"),), "windows": (np.linspace(0, 12, 40),)}
    found, wanted = (
        solve(like(), people(3), course(3, days=(0,)), np.linspace(0, 72, 30), names, n=3, printer=by, **asked)
        for by in ("c", "llvm")
    )
    assert (
        np.abs(found.values - wanted.values).max(axis=(1, 2)) <= 1e-11 * np.abs(wanted.values).max(axis=(1, 2))
    ).all()
    assert found.peaks == pytest.approx(wanted.peaks, rel=1e-11)


def test_what_is_not_a_number_stays_so() -> None:
    model = compile_model("x' = -0.1*x; x = v; a := ln(x); b := max(0, ln(x)); c := min(ln(x), 1);")
    values = solve(model, {"v": -1.0}, [], [0.0], tuple("abc"), printer="c").values
    assert np.isnan(values).all()


def test_without_a_compiler_the_printer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_printer, "compiler", lambda: None)
    model = compile_model("x' = -0.1*x; x = 3;")
    with pytest.raises(Refusal, match="NO-COMPILER"):
        solve(model, {}, [], [0.0], ("x",), printer="c")


def test_an_exported_course_compiles_and_prints_what_simulate_gives(tmp_path: Path) -> None:
    order = ["standard-2x3", "--with", "rapamycin-oral", "--until", "16 d"]  # a parameter changes on the way
    command = [sys.executable, "-m", "regrow", "export", "c", *order, "--out", "course.c"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    compiler = c_printer.compiler()
    assert compiler
    build = [compiler, "-std=c99", "-O0", "-Wall", "-Wno-unused-variable", "-Werror", "-o", "course", "course.c", "-lm"]
    subprocess.run(build, check=True, cwd=tmp_path)
    printed = subprocess.run([tmp_path / "course"], capture_output=True, text=True, check=True).stdout
    (names, *rows) = csv.reader(printed.splitlines())
    theirs = np.array(rows, float).T
    (one,) = unroll(*read(Order("standard-2x3", with_=("rapamycin-oral",), until="16 d")))
    assert np.array_equal(theirs[0], one.times)
    ours = one.solve(tuple(names[1:]))
    assert (np.abs(theirs[1:] - ours).max(axis=1) <= 1e-6 * np.abs(ours).max(axis=1) + 1e-12).all()


def test_a_model_without_a_kernel_is_refused() -> None:
    model = compile_model("x' = -0.1*x^2; x = 3;")
    with pytest.raises(Refusal, match="MODEL-UNSUPPORTED"):
        program(model, {}, (), (0.0, 1.0), ("x",))
