"""Printers of the same kernel agree; machine code is kept, private and never another processor's."""

import numpy as np
import pytest
from engine_reference import VALUES, clock, course, like, people

from regrow.engine import Bolus, Infusion, c_printer, cache, compile_model, numpy_printer, plan, solve
from regrow.engine.expression import OPERATIONS

FUNCTIONS = (
    "a := exp(-x); b := ln(x + 0.001); c := x^p; d := sqrt(x); e := abs(x - 2); f := min(x, 1) + max(x, p); "
    "g := piecewise(x, x > 1 && p < 0.5, 2*x); h := tanh(x - 1); i := x^3 - 1/x^2; j := piecewise(1, x <= 1, 0); "
)


def both(model, parameters, events, times, outputs, n):
    return [
        solve(model, parameters, events, times, outputs, n=n, printer=printer).values for printer in ("llvm", "numpy")
    ]


@pytest.mark.parametrize("n", [9, 130])
def test_machine_code_and_numpy_agree_on_the_whole_model(n):
    events = course(n, days=(0,))
    names = ("C_S", "C_NK", "C_HNK", "b_I", "B_T", "G", "B", "P", "density", "X", "D")
    found, wanted = both(like(), people(n), events, clock(events, 72.0), names, n)
    assert (np.abs(found - wanted).max(axis=(1, 2)) <= 1e-12 * np.abs(wanted).max(axis=(1, 2))).all()


def test_machine_code_and_numpy_agree_on_every_function_a_text_may_use():
    model = compile_model("x' = -k*x; x = 0.01; " + FUNCTIONS)
    names = tuple("abcdefghij")
    n = 20
    p = {"k": np.linspace(0.01, 3, n), "p": np.linspace(0.1, 1.9, n)}
    found, wanted = both(model, p, [Bolus(1, "x", 3.0), Infusion(2, "x", 8.0, 2.0)], np.linspace(0, 6, 25), names, n)
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-13)


def test_exponential_logarithm_and_power_keep_their_digits_over_their_whole_range():
    model = compile_model("x' = 0*x; x = v; a := exp(x); b := ln(abs(x)); c := abs(x)^0.55; d := abs(x)^-2.5;")
    sign = np.where(np.arange(400) % 2, 1.0, -1.0)
    v = sign * np.concatenate([np.geomspace(1e-300, 1e-3, 200), np.geomspace(1e-3, 700, 200)])
    (a, b, c, d) = solve(model, {"v": v}, [], [0.0], "abcd", n=400).values[:, :, 0]
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(a, np.exp(v), rtol=4e-16)
        np.testing.assert_allclose(b, np.log(np.abs(v)), rtol=4e-16, atol=4e-16)
        np.testing.assert_allclose(c, np.abs(v) ** 0.55, rtol=1e-13)
        limited = np.abs(v) > 1e-100
        np.testing.assert_allclose(d[limited], np.abs(v[limited]) ** -2.5, rtol=1e-13)


def test_what_is_not_a_number_passes_clamps_powers_and_comparisons_in_machine_code():
    model = compile_model(
        "x' = 0*x; x = 1; a := max(0, x); b := min(x, 1); c := max(x, x); d := x^0.5; e := x^p; f := exp(x);"
    )
    start = np.array([[np.nan, 1.0]])
    for printer in ("llvm", "numpy"):
        found = solve(model, {"p": 0.3}, [], [0.0], "abcdef", n=2, start=start, printer=printer).values[:, :, 0]
        assert np.isnan(found[:, 0]).all()
        assert np.isfinite(found[:, 1]).all()


def test_an_empty_depot_of_a_route_nobody_uses_changes_nothing():
    events = [Infusion(0, "central_S", 20.0, 1.0)]
    nearly = [*events, Bolus(0, "gut_R", 0.0)]
    t = [0.5, 1.0, 30.0]
    found = solve(like(), VALUES, events, t, ("C_S", "C_R", "C_NK", "D"))
    wanted = solve(like(), VALUES, nearly, t, ("C_S", "C_R", "C_NK", "D"))
    assert np.array_equal(found.values, wanted.values)
    assert np.array_equal(found.end, wanted.end)
    assert (found.values[1] == 0).all()


def test_a_person_does_not_depend_on_how_many_lanes_or_threads_there_are():
    n = 1100  # two chunks on two threads, the last block not full
    p, events = people(n), [Infusion(0, "central_S", 20.0, 1.0)]
    whole = solve(like(), p, events, [0.5, 24.0], ("C_S", "density", "D"), n=n).values
    few = {k: v[-5:] if isinstance(v, np.ndarray) else v for k, v in p.items()}
    assert np.array_equal(solve(like(), few, events, [0.5, 24.0], ("C_S", "density", "D"), n=5).values, whole[:, -5:])


def test_machine_code_is_kept_and_read_again(tmp_path, monkeypatch):
    from regrow.engine import machine

    monkeypatch.setenv("REGROW_CACHE", str(tmp_path))
    model = compile_model("x' = -k*x; x = 1; k = 0.125;")
    machine.machine_kernel.cache_clear()
    first = solve(model, {}, [], [1.0, 2.0], ["x"])
    folder = cache.folder()
    assert folder is not None
    (kept,) = folder.glob("kernel-*.o")
    machine.machine_kernel.cache_clear()
    monkeypatch.setattr("regrow.engine.machine.write", lambda *_: pytest.fail("was printed again"))
    assert np.array_equal(solve(model, {}, [], [1.0, 2.0], ["x"]).values, first.values)
    kept.write_bytes(b"not json")
    machine.machine_kernel.cache_clear()
    monkeypatch.undo()
    monkeypatch.setenv("REGROW_CACHE", str(tmp_path))
    assert np.array_equal(solve(model, {}, [], [1.0, 2.0], ["x"]).values, first.values)


def test_every_printer_knows_every_operation_with_its_number_of_arguments():
    words = [numpy_printer._WORDS, c_printer._WORDS]
    assert [{kind: text.count("{}") for kind, text in known.items()} for known in words] == [OPERATIONS, OPERATIONS]
    assert set(plan._EVALUATE) == set(OPERATIONS)
