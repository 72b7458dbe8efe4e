"""The calibration as a program: what it ships is where it stops, a wrong start comes back, wrong numbers are seen."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import numpy as np
import pytest

from regrow import mechanism
from regrow.catalog import evidence
from regrow.evidence import calibrate, check, measure, predict, verdict, written
from regrow.evidence.calibrate import Calibration, Problem
from regrow.evidence.verdict import Estimate

pytestmark = pytest.mark.xdist_group("calibration")  # what its tests share is made once, not in each worker

FEW = ("ionescu2021", "murrough2013-ajp")


def studies(*names: str):
    return [evidence.get(name) for name in names]


@pytest.fixture(scope="module")
def shelf() -> Problem:
    return Problem(calibrate.shelf(), people=32)


@pytest.fixture(scope="module")
def whole() -> Problem:
    """The figures as the fit sees them; fewer people would turn verdicts by chance."""
    return Problem(calibrate.shelf())


def within(problem: Problem, predicted: np.ndarray) -> int:
    """How many figures the predictions meet by the contract's rule."""
    met = 0
    for place, value in zip(problem.arms.places, predicted, strict=True):
        n = (
            place.figure.n
            or (None if " - " in place.arm else place.study.named(place.arm).n)
            or place.study.population.n
        )
        seen = verdict.observed(place.figure, n)
        if np.isfinite(value):
            span = measure.span_of(place.figure.of)
            met += verdict.judge(place.figure, seen, Estimate(float(value), None), span).within
    return met


def test_the_shipped_parameters_are_where_the_program_stops(shelf: Problem):
    """One step of Gauss and Newton from what is shipped, with fewer people, stays within the fit's own error."""
    x = shelf.shipped
    slopes, residuals = shelf.slopes(x), shelf.residuals(x)
    weight = (1 + (residuals / calibrate.SOFT) ** 2) ** -0.25
    information = slopes.T @ (slopes * weight[:, None] ** 2)
    step = -np.linalg.solve(information, slopes.T @ (residuals * weight**2))
    inside = np.clip(x + step, shelf.low, shelf.high) - x
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    moved = {knob.title: abs(s) / e for knob, s, e in zip(shelf.knobs, inside, error, strict=True)}
    assert max(moved.values()) < 1.5, moved
    assert np.mean(list(moved.values())) < 0.5


def test_a_planted_wrong_start_comes_back():
    """Belief halved and the drug doubled at the start: the fit comes back to the same predictions and misfit.

    The numbers themselves may trade against each other where two studies do not tell them apart (X0 against u).
    """
    good = calibrate.calibrate(studies(*FEW), people=96, tolerance=1e-5)
    wrong = good.x.copy()
    names = [knob.title for knob in good.problem.knobs]
    wrong[names.index("theta_W")] += np.log(2)
    wrong[names.index("X0")] -= np.log(2)
    back = calibrate.calibrate(studies(*FEW), people=96, start=wrong, tolerance=1e-5)
    assert back.cost == pytest.approx(good.cost, abs=0.2)
    errors = np.array([np.hypot(t.error, t.between) for t in good.problem.targets])
    found, planted, again = (good.problem.off(x[None])[0] / errors for x in (good.x, wrong, back.x))
    assert np.mean(np.abs(again - found)) < 0.2
    assert np.mean(np.abs(again - found)) < 0.4 * np.mean(np.abs(planted - found))


def test_the_same_call_gives_the_same_numbers():
    first, second = (Problem(studies("murrough2013-ajp"), people=16) for _ in range(2))
    assert np.array_equal(first.residuals(first.shipped), second.residuals(second.shipped))


def planted(problem: Problem, wrong: dict[str, float]) -> tuple[list[int], list[float]]:
    """Verdicts within and misfit, of what is shipped and of the same with wrong parameters."""
    tried = [problem.arms.predicted(lambda people, f=f: f | {"leave": np.ones(1)})[0] for f in ({}, factors(wrong))]
    errors = np.array([np.hypot(t.error, t.between) for t in problem.targets])
    misfit = [float(np.sum((gaps(problem, values) / errors) ** 2)) for values in tried]
    return [within(problem, values) for values in tried], misfit


def factors(wrong: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: np.array([[factor]]) for name, factor in wrong.items()}


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("K_B tenfold", {"K_B": 10.0}),
        ("theta_W halved", {"theta_W": 0.5}),
        ("expectancy doubled", {"X0": 2.0}),
    ],
)
def test_wrong_parameters_turn_the_verdicts(whole: Problem, what: str, wrong: dict[str, float]):
    met, misfit = planted(whole, wrong)
    assert met[0] >= 0.7 * len(whole.targets)
    assert misfit[1] > misfit[0] + 8, what
    if what != "expectancy doubled":  # that one moves some arms of small trials nearer, and the others away
        assert met[1] < met[0] - 10, what


def test_a_clearance_five_times_too_high_turns_the_verdicts_on_plasma():
    paths = [evidence.path_of("peltoniemi2011")]

    def wrong(study, arm, figures, people, seed):
        return predict.predict_arm(study, arm, figures, people, seed, scaled={"CL_S": 5.0, "CL_R": 5.0})

    right, planted = (check(paths, people=60, predict=how).rows for how in (None, wrong))
    assert sum(bool(row.within) for row in planted) < sum(bool(row.within) for row in right) - 3


def gaps(problem: Problem, predicted: np.ndarray) -> np.ndarray:
    return np.array([float(t.off(np.array([v]))[0]) for t, v in zip(problem.targets, predicted, strict=True)])


def test_without_the_drug_the_arms_of_a_trial_are_alike():
    problem = Problem(studies("murrough2013-ajp"), people=16, drug=False)
    assert not set(calibrate.OF_DRUG) & {knob.name for knob in problem.knobs}
    predicted = problem.predicted(problem.shipped[None])[0]
    found = {(p.arm, p.figure.what): v for p, v in zip(problem.arms.places, predicted, strict=True)}
    assert found["ketamine - midazolam", "change"] == pytest.approx(0.0, abs=1e-6)
    assert found["ketamine", "change"] == pytest.approx(found["midazolam", "change"])


def test_what_is_written_changes_numbers_and_nothing_else(tmp_path):
    fit = calibrate.calibrate(studies("murrough2013-ajp"), people=16, rounds=1)
    shipped = files("regrow").joinpath("mechanism/parameters.toml").read_text(encoding="utf-8")
    text = written.parameters_text(shipped, fit)
    assert lines_besides_numbers(text) == lines_besides_numbers(shipped)
    before, after = tomllib.loads(shipped), tomllib.loads(text)
    assert list(before) == list(after)
    for name, row in after.items():
        fitted = {f.knob.of for f in fit.fitted if f.knob.name == name}
        if "value" not in fitted:
            assert row["value"] == before[name]["value"], name
    paths = written.write(fit, fit, tmp_path)
    assert [path.name for path in paths] == ["parameters.toml", "between.toml", "no_drug.toml", "calibration.md"]
    assert "theta_W" in paths[3].read_text(encoding="utf-8")
    stored = tomllib.loads(paths[2].read_text(encoding="utf-8"))
    assert stored["X0"].keys() == {"value", "spread"}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)


def lines_besides_numbers(text: str) -> list[str]:
    changing = ("value =", "spread =", "ci95 =", "identified =")
    return [line for line in text.splitlines() if not line.startswith(changing)]


def test_every_fitted_parameter_is_called_calibrated_and_says_what_told_it():
    for name, parameter in mechanism.parameters().items():
        if parameter.prior is not None:
            assert parameter.status == "calibrated", name
            assert parameter.ci95 is not None, name
            assert parameter.ci95[0] <= parameter.value <= parameter.ci95[1], name
            assert parameter.identified in ("figures", "prior", "bound"), name
            assert parameter.prior.low <= parameter.value <= parameter.prior.high, name
        if parameter.spread_prior is not None:
            assert parameter.spread is not None, name


def test_the_report_lists_each_number_and_how_far_studies_lie_apart():
    fit: Calibration = calibrate.calibrate(studies("murrough2013-ajp"), people=16, rounds=1)
    page = written.report(fit)
    for knob in fit.problem.knobs:
        assert f"| {knob.title} |" in page
    assert "murrough2013-ajp" in page
