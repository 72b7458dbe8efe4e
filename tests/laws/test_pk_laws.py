"""What holds for every model of the shelf, drug and route: mass balance, linearity, positivity, shift, order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pk_oracle import shelf

from regrow import engine, mechanism
from regrow.catalog import drugs, models, structures
from regrow.dosing import ROUTES

# every model with every drug and route that it holds for
USES = [
    (model, drug, route)
    for model in models.ids()
    for drug in models.get(model).drugs
    for route in models.get(model).routes
    if route in drugs.get(drug).routes
]
BREAKS_MASS = {("simons2022", "sublingual")}  # published mucosal 0.263 and swallowed 1.16 of one film
PROPORTIONAL = [use for use in USES if not drugs.get(use[1]).routes[use[2]].device]  # a second device counts less

calm = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
doses = st.floats(0.1, 500.0)
hours = st.floats(0.0, 48.0)
lengths = st.floats(0.05, 6.0)


def given_dose(model, drug, route, mg, start, length):
    length = length if drugs.route(drug, route).given == "infusion or bolus" else 0.0
    return models.inputs(model, drug, route, mg, start, length)


def close(a, b, scale):
    return bool(np.all(np.abs(np.asarray(a) - np.asarray(b)) <= 1e-8 * scale))


@pytest.mark.parametrize("use", USES, ids="-".join)
@calm
@given(mg=doses, start=hours, length=lengths)
def test_a_dose_enters_whole_and_only_leaves_by_elimination(use, mg, start, length):
    """Inputs add up to the dose (times its share), and the amounts only fall once the last input has ended."""
    model, drug, route = use
    entered = given_dose(model, drug, route, mg, start, length)
    total = sum(float(amount[0]) for _, _, amount, _ in entered)
    if (model, route) not in BREAKS_MASS:
        assert total <= mg * (1 + 1e-12)
    assert total > 0
    linear = shelf(model)
    amounts = [i for i, name in enumerate(linear.states) if not name.startswith("lp")]
    leaving = linear.rates[np.ix_(amounts, amounts)].sum(axis=0)
    assert np.all(leaving <= 1e-9), "no state makes mass"
    end = max(t + d for t, _, _, d in entered)
    path = linear.run(entered, [end, end + 6.0, end + 24.0])
    in_body = sum(path[linear.states[i]] for i in amounts)
    assert in_body[0] <= total * (1 + 1e-9)
    assert in_body[0] >= in_body[1] >= in_body[2] >= 0


@pytest.mark.parametrize("model", models.ids())
def test_the_equations_are_linear_at_amounts_of_every_size(model):
    """The other laws run on `pk_oracle`'s matrix, linear by construction: it must be what the equations say.

    The equations are read by SymPy, which shares nothing with the oracle, at amounts from 1e-3 to 1e3 mg.
    """
    linear = shelf(model)
    text = engine.compile_model(mechanism.text(models.get(model).structure, modules=())).symbolic()
    own = models.parameters(model, weight_kg=70.0, age_y=40.0, female=False)
    values = {name: own[name][0] for name in text.parameters}
    outputs = tuple(name for name in linear.outputs if name.startswith("C") and not name.startswith("CL"))
    equations = text.functions(outputs)
    assert set(equations.states) == set(linear.states)
    order = [linear.states.index(name) for name in equations.states]
    for x in 10 ** np.random.default_rng(1).uniform(-3, 3, (5, len(order))):
        wanted = linear.rates @ x
        np.testing.assert_allclose(equations.rate(0.0, x[order], values), wanted[order], rtol=1e-9, atol=1e-9)
        found = equations.outputs(0.0, x[order], values)
        np.testing.assert_allclose(found, [linear.outputs[name] @ x for name in outputs], rtol=1e-9)


@pytest.mark.parametrize("use", PROPORTIONAL, ids="-".join)
@calm
@given(mg=doses, factor=st.floats(0.01, 20.0), length=lengths)
def test_levels_are_linear_in_the_dose(use, mg, factor, length):
    model, drug, route = use
    linear, times = shelf(model), [0.1, 0.7, 3.0, 20.0]
    once = linear.run(given_dose(model, drug, route, mg, 0.0, length), times)
    more = linear.run(given_dose(model, drug, route, factor * mg, 0.0, length), times)
    for name in once:
        assert close(factor * once[name], more[name], factor * mg)


@pytest.mark.parametrize("use", USES, ids="-".join)
@calm
@given(mg=doses, length=lengths)
def test_nothing_is_ever_negative(use, mg, length):
    model, drug, route = use
    linear = shelf(model)
    path = linear.run(given_dose(model, drug, route, mg, 0.0, length), [0.01, 0.1, 0.5, 1.0, 2.0, 8.0, 48.0])
    assert min(float(values.min()) for values in path.values()) >= -1e-9 * mg


@pytest.mark.parametrize("use", USES, ids="-".join)
@calm
@given(mg=doses, shift=hours, length=lengths)
def test_a_later_dose_gives_the_same_curve_later(use, mg, shift, length):
    model, drug, route = use
    linear, times = shelf(model), np.array([0.2, 1.0, 5.0])
    early = linear.run(given_dose(model, drug, route, mg, 0.0, length), times.tolist())
    late = linear.run(given_dose(model, drug, route, mg, shift, length), (times + shift).tolist())
    for name in ("C_S", "C_R", "Cv_S", "C_NK", "C_HNK"):
        assert close(early[name], late[name], mg)


@pytest.mark.parametrize("model", models.ids())
@calm
@given(first=doses, second=doses, gap=st.floats(0.0, 3.0))
def test_two_doses_add_up_in_either_order(model, first, second, gap):
    """Superposition: the course of two doses is the sum of each alone, however they are listed."""
    drug = next(iter(models.get(model).drugs))
    route = next(name for name in models.get(model).routes if name in drugs.get(drug).routes)
    linear, times = shelf(model), [0.5, 4.0, 12.0]
    a, b = (given_dose(model, drug, route, mg, at, 0.5) for mg, at in ((first, 0.0), (second, gap)))
    together, turned = linear.run(a + b, times), linear.run(b + a, times)
    alone, other = linear.run(a, times), linear.run([*b, (0.0, linear.states[0], np.zeros(1), 0.0)], times)
    for name in ("C_S", "C_R", "C_NK"):
        assert close(together[name], turned[name], first + second)
        assert close(together[name], alone[name] + other[name], first + second)


@calm
@given(weight=st.floats(30.0, 250.0))
def test_weight_scales_flows_by_three_quarters_and_volumes_by_one_in_d1(weight):
    light, heavy = (models.parameters("d1", weight_kg=w, age_y=40.0, female=False) for w in (70.0, weight))
    assert heavy["CL_S"][0] == pytest.approx(light["CL_S"][0] * (weight / 70) ** 0.75)
    assert heavy["V3"][0] == pytest.approx(light["V3"][0] * weight / 70)
    assert heavy["ka_nasal"][0] == light["ka_nasal"][0]


@calm
@given(seed=st.integers(0, 2**32 - 1))
def test_the_draws_are_an_argument_and_a_person_does_not_depend_on_the_others(seed):
    """Person 2 of five is the same alone; zero draws are the typical person; shared effects move S and R together."""
    draw = np.random.default_rng(seed).standard_normal((len(models.etas("d1")), 5))
    many = dict(zip(models.etas("d1"), draw, strict=True))
    five = models.parameters("d1", weight_kg=np.full(5, 80.0), age_y=40.0, female=False, draws=many)
    one = models.parameters("d1", weight_kg=80.0, age_y=40.0, female=False, draws={n: z[2:3] for n, z in many.items()})
    for name, values in five.items():
        assert values.shape == (5,)
        assert values[2] == pytest.approx(one[name][0], rel=1e-12)
        assert np.all(np.isfinite(values))
    assert np.allclose(five["CL_R"] / five["CL_S"], 78.1 / 88.8)
    zero = models.parameters(
        "d1", weight_kg=80.0, age_y=40.0, female=False, draws={n: np.zeros(1) for n in models.etas("d1")}
    )
    typical = models.parameters("d1", weight_kg=80.0, age_y=40.0, female=False)
    for name in typical:
        assert zero[name][0] == pytest.approx(typical[name][0], rel=1e-12)


def test_the_spread_of_d1_is_the_published_one_with_its_correlation():
    """Simons 2022: omega squared of CL 0.029; Otto 2021: V and CL of norketamine correlated 0.69."""
    rng = np.random.default_rng(1)
    draws = {name: rng.standard_normal(40_000) for name in models.etas("d1")}
    found = models.parameters("d1", weight_kg=70.0, age_y=40.0, female=False, draws=draws)
    assert np.var(np.log(found["CL_S"])) == pytest.approx(0.029, rel=0.05)
    assert np.corrcoef(np.log(found["V_NK"]), np.log(found["CL_NK"]))[0, 1] == pytest.approx(0.69, abs=0.02)
    assert np.corrcoef(np.log(found["V_NK"]), np.log(found["CL_S"]))[0, 1] == pytest.approx(0.0, abs=0.02)
    assert np.all((found["F_oral"] > 0) & (found["F_oral"] < 1))


def test_each_person_splits_a_spray_by_their_own_share():
    individual = {"FRn": np.array([0.2, 0.8]), "FRn_later": np.array([0.62, 0.62])}
    given_ = models.inputs("perezruixo2021", "esketamine", "intranasal", 56.0, 1.0, individual=individual)
    at = {(round(t, 6), state): amount for t, state, amount, _ in given_}
    assert at[(1.0, "nasal")] == pytest.approx([5.6, 22.4])
    assert at[(round(1 + 5 / 60, 6), "nasal")] == pytest.approx([0.62 * 5.6, 0.62 * 22.4])
    assert sum(at.values()) == pytest.approx([56.0, 56.0])


def test_a_device_given_by_its_place_is_the_same_as_a_whole_dose_split():
    whole = models.inputs("d1", "esketamine", "intranasal", 84.0, 0.0)
    one_by_one = [
        part
        for place in (1, 2, 3)
        for part in models.inputs("d1", "esketamine", "intranasal", 28.0, (place - 1) * 5 / 60, device=place)
    ]
    assert [(round(t, 9), s, float(a[0]), d) for t, s, a, d in whole] == [
        (round(t, 9), s, float(a[0]), d) for t, s, a, d in one_by_one
    ]


def test_every_route_of_every_drug_is_a_route_of_the_house():
    for drug in drugs.ids():
        assert set(drugs.get(drug).routes) <= set(ROUTES)


def test_every_structure_defines_what_the_mechanism_reads():
    for name in structures.ids():
        text = structures.text(name)
        for output in ("C_S", "C_R", "Cv_S", "Cv_R", "C_NK", "C_HNK", "C_NK_S", "C_NK_R"):
            assert f"\n{output} := " in text, (name, output)
        assert set(structures.get(name).parameters) == {
            word.split()[0] for line in text.splitlines() if line.startswith("const ") for word in line[6:].split(", ")
        }
