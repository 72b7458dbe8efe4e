"""The engine against closed forms, LSODA on the symbolic form, libroadrunner, and its own laws."""

import numpy as np
import pytest
from engine_reference import VALUES, clock, course, like, people, reference

from regrow.engine import Bolus, Change, Infusion, Jump, compile_model, solve
from regrow.refusal import Refusal

ALL = ("C_S", "C_R", "C_NK", "C_HNK", "Ce", "b_I", "b_S", "B_T", "G", "E", "B", "M", "P", "F", "density", "w", "X", "D")
ONE = "d' = -ka*d; c' = ka*d - k*c; d = 0; c = 0; C := c/V; "


def apart(found, wanted, axis=-1):
    """The largest difference as a share of the largest value."""
    return np.abs(found - wanted).max(axis=axis) / np.abs(wanted).max(axis=axis)


# -- closed forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ka", [2.0, 0.3, 0.3 * (1 + 1e-7), 0.3 * (1 - 1e-12), 0.31, 0.0])
def test_one_compartment_with_first_order_absorption_is_exact_even_where_the_rates_are_equal(ka):
    k, V, dose = 0.3, 20.0, 100.0
    t = np.linspace(0, 72, 97)
    found = solve(compile_model(ONE), {"ka": ka, "k": k, "V": V}, [Bolus(0, "d", dose)], t, ["C"]).values[0, 0]
    z = (ka - k) * t
    wanted = dose * ka / V * t * np.exp(-k * t) * np.where(z == 0, 1.0, -np.expm1(-z) / np.where(z == 0, 1.0, z))
    assert np.abs(found - wanted).max() <= 1e-12 * max(wanted.max(), 1e-300)


@pytest.mark.parametrize("compartments", [1, 2, 3, 4])
def test_compartments_after_bolus_and_infusion_agree_with_the_matrix_exponential(compartments):
    from scipy.linalg import expm

    draw = np.random.default_rng(compartments)
    q = draw.uniform(0.5, 8.0, compartments - 1)
    v = draw.uniform(1.0, 5.0, compartments - 1)
    text = "; ".join(
        [
            "x0' = -k*x0" + "".join(f" - q{i}*x0 + q{i}/v{i}*x{i}" for i in range(1, compartments)),
            *(f"x{i}' = q{i}*x0 - q{i}/v{i}*x{i}" for i in range(1, compartments)),
            *(f"x{i} = 0" for i in range(compartments)),
        ]
    )
    values = {"k": 1.3}
    K = np.zeros((compartments, compartments))
    K[0, 0] = -1.3 - q.sum()
    for i in range(1, compartments):
        values |= {f"q{i}": q[i - 1], f"v{i}": v[i - 1]}
        K[0, i], K[i, 0], K[i, i] = q[i - 1] / v[i - 1], q[i - 1], -q[i - 1] / v[i - 1]
    t = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 7.0, 30.0])
    names = [f"x{i}" for i in range(compartments)]
    events = [Bolus(0, "x0", 3.0), Infusion(0.5, "x0", 10.0, 1.5)]
    found = solve(compile_model(text), values, events, t, names).values[:, 0]
    x, at, wanted = np.eye(compartments)[0] * 3.0, 0.0, []
    for now in t:
        rate = np.eye(compartments)[0] * (10.0 / 1.5 if 0.5 <= at < 2.0 else 0.0)
        rest = np.linalg.solve(K, rate)
        x = expm(K * (now - at)) @ (x + rest) - rest
        at = now
        wanted.append(x)
    assert np.abs(found - np.array(wanted).T).max() < 1e-11


def test_overlapping_infusions_and_doses_add_up():
    model = compile_model(ONE)
    p = {"ka": 1.1, "k": 0.2, "V": 10.0}
    t = np.linspace(0, 24, 49)
    events = [Infusion(0, "c", 10, 4), Infusion(1, "c", 20, 6), Infusion(2, "d", 5, 1), Bolus(3, "d", 7)]
    together = solve(model, p, events, t, ["C"]).values
    single = sum(solve(model, p, [e], t, ["C"]).values for e in events)
    np.testing.assert_allclose(together, single, rtol=1e-12, atol=1e-15)


def test_values_at_an_event_are_those_just_after_it_also_at_the_last_time():
    model = compile_model(ONE)
    p = {"ka": 1.0, "k": 0.5, "V": 1.0}
    done = solve(model, p, [Bolus(0, "c", 1), Jump(2, "c", 0.0, 5.0), Bolus(3, "c", 2)], [0, 2, 3], ["c"])
    np.testing.assert_allclose(done.values[0, 0], [1, 5, 5 * np.exp(-0.5) + 2], rtol=1e-13)
    np.testing.assert_allclose(done.end[1, 0], done.values[0, 0, -1], rtol=1e-14)


def test_a_jump_inside_a_block_of_compartments_and_a_changed_parameter_cut_the_course():
    text = "a' = -(k + q)*a + q*b; b' = q*a - q*b; a = 0; b = 0;"
    t = [0.0, 1.0, 2.0, 3.0]
    done = solve(
        compile_model(text),
        {"k": 0.5, "q": 0.0},
        [Bolus(0, "a", 8), Jump(1, "a", 0.5, 1), Change(2, "k", 1.5)],
        t,
        ["a"],
    )
    first = 8 * np.exp(-0.5) * 0.5 + 1
    np.testing.assert_allclose(done.values[0, 0], [8, first, first * np.exp(-0.5), first * np.exp(-2.0)], rtol=1e-12)


# -- independent solvers --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three():
    events = course(3)
    times = clock(events, 24.0 * 26)
    parameters = people(3)
    wanted = np.stack([reference(like(), parameters, events, times, ALL, person=k) for k in range(3)], axis=1)
    return parameters, events, times, wanted


def test_standard_accuracy_keeps_the_score_and_synapses_and_the_drug(three):
    parameters, events, times, wanted = three
    done = solve(like(), parameters, events, times, ("C_S", "C_R", "density", "D"), n=3)
    (c_s, c_r, density, score) = done.values
    at = [ALL.index(name) for name in ("C_S", "C_R", "density", "D")]
    assert apart(c_s, wanted[at[0]]).max() < 1e-9
    assert apart(c_r, wanted[at[1]]).max() < 1e-9
    assert np.abs(density / wanted[at[2]] - 1).max() < 1e-4
    assert np.abs(score / wanted[at[3]] - 1).max() < 2e-4
    assert max(done.error.values()) < 2e-4


def test_fine_accuracy_keeps_every_read_out(three):
    parameters, events, times, wanted = three
    found = solve(like(), parameters, events, times, ALL, n=3, accuracy="fine").values
    for name, mine, theirs in zip(ALL, found, wanted, strict=True):
        limit = {"C_S": 1e-9, "C_R": 1e-9, "X": 1e-9, "C_NK": 1e-5, "C_HNK": 1e-5}.get(name, 1e-4)
        assert apart(mine, theirs).max() < limit, name


def test_the_reported_error_is_the_size_of_the_true_one(three):
    parameters, events, times, wanted = three
    done = solve(like(), parameters, events, times, ("P", "D"), n=3)
    for name, mine in zip(("P", "D"), done.values, strict=True):
        true = np.abs(mine - wanted[ALL.index(name)]).max() / np.abs(wanted[ALL.index(name)]).max()
        assert 0.2 * true < done.error[name] + 1e-6
        assert done.error[name] < 20 * true + 1e-6


def test_libroadrunner_on_the_same_sbml_agrees():
    import libsbml
    import roadrunner

    model = like()
    document = libsbml.readSBMLFromString(model.sbml)
    for name, value in VALUES.items():
        document.getModel().getParameter(name).setValue(value)
    runner = roadrunner.RoadRunner(libsbml.writeSBMLToString(document))
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = 1e-10, 1e-12
    for state, amount in (("central_S", 17.5), ("central_R", 17.5)):
        runner[state] = amount
    theirs = np.array(runner.simulate(0, 48, 49, ["time", "C_S", "C_NK", "density", "D"]))
    events = [Bolus(0, "central_S", 17.5), Bolus(0, "central_R", 17.5)]
    mine = solve(model, VALUES, events, theirs[:, 0], ["C_S", "C_NK", "density", "D"], accuracy="fine").values[:, 0]
    assert apart(mine, theirs[:, 1:].T).max() < 2e-5


# -- laws -----------------------------------------------------------------------------------------------------------


def test_a_person_is_the_same_in_every_batch_and_order():
    n = 37
    events, parameters = course(n, days=(0, 3)), people(n)
    times = np.array([0.0, 0.7, 24.0, 100.0, 168.0])
    whole = solve(like(), parameters, events, times, ("C_S", "C_NK", "D"), n=n).values

    def some(who):
        cut = [type(e)(**{k: v[who] if isinstance(v, np.ndarray) else v for k, v in vars(e).items()}) for e in events]
        mine = {k: v[who] if isinstance(v, np.ndarray) else v for k, v in parameters.items()}
        return solve(like(), mine, cut, times, ("C_S", "C_NK", "D"), n=len(who)).values

    backwards = np.arange(n)[::-1]
    assert np.array_equal(some(backwards), whole[:, backwards])
    for who in (np.array([5]), np.array([36, 2, 11])):
        assert np.array_equal(some(who), whole[:, who])


def test_a_course_can_stop_and_go_on():
    events = course(1, days=(0, 3))
    times = np.array([0.5, 24.0, 72.2, 72.5, 100.0, 168.0])
    once = solve(like(), VALUES, events, times, ALL, accuracy="fine")
    first = solve(like(), VALUES, events, times[:3], ALL, accuracy="fine")  # stops in the second infusion
    later = [e for e in events if e.time >= 72.2 or isinstance(e, Infusion)]
    second = solve(like(), VALUES, later, times[3:], ALL, start=first.end, start_time=72.2, accuracy="fine")
    found = np.concatenate([first.values, second.values], axis=2)
    assert (np.abs(found - once.values).max(axis=(1, 2)) <= 3e-5 * np.abs(once.values).max(axis=(1, 2))).all()
    np.testing.assert_allclose(found[0], once.values[0], rtol=1e-11)


def test_what_is_not_a_number_goes_through_to_what_depends_on_it_and_nothing_else():
    start = np.zeros((len(like().states), 2))
    place = {s: k for k, s in enumerate(like().states)}
    start[place["E"]], start[place["S"]], start[place["D"]] = 1.0, 0.74, 33.0
    start[place["b_I"], 1] = np.nan
    done = solve(like(), VALUES, course(1, days=(0,)), [1.0, 24.0], ("C_S", "b_S", "D"), n=2, start=start)
    assert np.isfinite(done.values[:, 0]).all()
    assert np.isfinite(done.values[:2, 1]).all()
    assert np.isnan(done.values[2, 1]).all()


def test_an_equation_outside_the_scheme_is_solved_by_the_general_solver_and_said():
    model = compile_model("x' = -v*x/(k + x); x = 0; v = 2; k = 1; y' = x - y; y = 0;")
    t = np.linspace(0, 5, 11)
    done = solve(model, {}, [Bolus(0, "x", 3.0), Infusion(1, "x", 2.0, 1.0)], t, ["x", "y"])
    assert "x is not linear" in done.notices[0]
    wanted = reference(model, {"v": 2.0, "k": 1.0}, [Bolus(0, "x", 3.0), Infusion(1, "x", 2.0, 1.0)], t, ("x", "y"))
    np.testing.assert_allclose(done.values[:, 0], wanted, rtol=1e-6)


def test_states_that_feed_no_output_can_be_left_out():
    done = solve(like(), VALUES, course(1, days=(0,)), [1.0, 5.0], ("C_S",), whole=False)
    full = solve(like(), VALUES, course(1, days=(0,)), [1.0, 5.0], ("C_S",))
    assert np.array_equal(done.values, full.values)
    assert np.isnan(done.end[like().states.index("D"), 0])


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"parameters": {"ka": 1.0, "k": 1.0}}, "PARAMETER-MISSING", "V"),
        ({"parameters": {"ka": 1.0, "k": 1.0, "V": 1.0, "q": 1.0}}, "PARAMETER-UNKNOWN", "q"),
        ({"parameters": {"ka": np.nan, "k": 1.0, "V": 1.0}}, "PARAMETER-VALUE", "ka"),
        ({"parameters": {"ka": np.array([1.0, np.inf]), "k": 1.0, "V": 1.0}, "n": 2}, "PARAMETER-VALUE", "person 1"),
        ({"parameters": {"ka": np.ones(3), "k": 1.0, "V": 1.0}, "n": 2}, "PARAMETER-VALUE", "(3,)"),
        ({"outputs": ["CC"]}, "OUTPUT-UNKNOWN", "CC"),
        ({"times": [2.0, 1.0]}, "TIMES", "ascending"),
        ({"times": [-1.0, 1.0]}, "TIMES", "-1"),
        ({"events": [Bolus(0, "e", 1)]}, "EVENT-STATE", "'e'"),
        ({"events": [Bolus(0, "d", np.nan)]}, "EVENT-AMOUNT", "amount"),
        ({"events": [Infusion(0, "d", 1, 0.0)]}, "EVENT-DURATION", "Bolus"),
        ({"events": [Change(0, "kk", 1)]}, "EVENT-PARAMETER", "kk"),
        ({"events": [Bolus(-1, "d", 1)]}, "EVENT-TIME", "-1"),
        ({"accuracy": "best"}, "ACCURACY", "best"),
        ({"n": 0}, "PEOPLE", "0"),
        ({"start": np.zeros(3)}, "START", "(3,)"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(change, code, word):
    call = {"parameters": {"ka": 1.0, "k": 1.0, "V": 1.0}, "events": [], "times": [1.0], "outputs": ["C"]} | change
    with pytest.raises(Refusal) as refused:
        solve(compile_model(ONE), **call)
    assert refused.value.code == code
    assert word in refused.value.sentence
