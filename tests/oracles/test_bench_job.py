"""What the benchmark gives to its peers is the model itself, and its errors and rows are what they say."""

import sys
from pathlib import Path

import numpy as np
import pytest
from engine_reference import VALUES, like

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import job
import measure


def test_the_arithmetic_given_to_the_peers_is_the_models_own() -> None:
    symbolic = like().symbolic()
    space: dict = {}
    exec(job._arithmetic(symbolic, {"few": ("D", "density"), "all": ("C_S", "D")}), space)
    functions = symbolic.functions(("C_S", "D"))
    parameters = [VALUES[name] for name in symbolic.parameters]
    for seed in (1, 2):
        x = np.random.default_rng(seed).uniform(0.1, 0.9, len(symbolic.states))
        found, seen = np.empty(len(x)), np.empty(2)
        space["rhs"](3.0, x.tolist(), found, parameters)
        space["outputs_all"](3.0, x.tolist(), parameters, seen)
        assert found == pytest.approx(functions.rate(3.0, x, VALUES), rel=1e-12)
        assert seen == pytest.approx(functions.outputs(np.array([3.0]), x[:, None], VALUES)[:, 0], rel=1e-12)


def test_stretches_hold_every_dose_once() -> None:
    work = job.work(2, (0, 3), 1)
    found = job._stretches(work)
    place = work.model.states.index("central_S")
    hours = np.diff(found["edges"])
    assert (found["rates"][:, place] * hours).sum() == pytest.approx(2 * 17.5)
    assert found["edges"][0] == 0
    assert found["edges"][-1] == 7 * 24


def test_an_error_is_found_where_it_is() -> None:
    true = np.ones((2, 4, 5)) * [[[30.0], [0.8], [1.0], [1.0]]]
    wrong = true.copy()
    wrong[1, 0, 3] += 0.3
    assert measure._error("few", wrong, true) == pytest.approx(0.01)
    wrong = true.copy()
    wrong[0, 2:, :] *= 1.5
    assert measure._error("few", wrong, true) == pytest.approx(0.5)


def test_a_row_has_the_keys_of_the_contract() -> None:
    found = measure.row("a name", "people_per_s", "all", 10.0, "scipy", 2.0, 5.0, 1e-5)
    wanted = ["name", "metric", "outputs", "ours", "peer", "peer_value", "ratio", "matched_error"]
    assert list(found) == wanted
    table = measure._shown([found, measure.row("no peer", "scaling", "all", 1.0)], {"numbalsoda": "no compiler"})
    assert "5x" in table
    assert "numbalsoda could not be had: no compiler" in table
