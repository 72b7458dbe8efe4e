"""The shelf through the engine: the exact table again, each structure against the matrix exponential, the free peak."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pk_oracle import shelf
from test_pk_exact_table import MINUTES, TABLE, dose

from regrow import mechanism
from regrow.catalog import drugs, models, structures
from regrow.engine import Bolus, Infusion, compile_model, solve

OUTPUTS = ("C_S", "C_R", "Cv_S", "Cv_R", "C_NK", "C_HNK")
USES = [
    ("d1", "ketamine", "iv"),
    ("d1", "ketamine", "im"),
    ("d1", "ketamine", "sublingual"),
    ("d1", "ketamine", "oral"),
    ("d1", "esketamine", "intranasal"),
    ("d1", "arketamine", "iv"),
    ("simons2022", "esketamine", "sublingual"),
    ("otto2021", "ketamine", "iv"),
    ("kamp2020", "ketamine", "iv"),
    ("hijazi2003", "ketamine", "iv"),
    ("perezruixo2021", "esketamine", "intranasal"),
    ("perezruixo2021", "esketamine", "oral"),
    ("ashraf2018", "esketamine", "oral"),
    ("memantine-label", "memantine", "oral"),
    ("mk801-mouse", "mk-801", "iv"),
]


def through_the_engine(model, given, times, outputs=OUTPUTS, modules=(), **more):
    compiled = compile_model(mechanism.text(models.get(model).structure, modules=modules))
    own = models.parameters(model, weight_kg=70.0, age_y=40.0, female=False)
    values = {name: float(value[0]) for name, value in own.items() if name in compiled.parameters}
    events = [Infusion(t, s, a, d) if d else Bolus(t, s, a) for t, s, a, d in given]
    return dict(zip(outputs, solve(compiled, more | values, events, times, outputs).values[:, 0], strict=True))


@pytest.mark.parametrize("model", TABLE)
def test_the_engine_gives_the_exact_table_to_the_printed_digit_for(model):
    drug, mg = dose(model)
    given = models.inputs(model, drug, "iv", mg, 0.0, 40 / 60)
    found = through_the_engine(model, given, [m / 60 for m in MINUTES])
    np.testing.assert_allclose(1000 * (found["C_S"] + found["C_R"]), TABLE[model][0], atol=0.0051)


@pytest.mark.parametrize("use", USES, ids="-".join)
def test_the_engine_agrees_with_the_matrix_exponential_on(use):
    """Ketamine to 1e-9 (solved exactly), metabolites and venous blood to 1e-4 of their peak (solved by steps)."""
    model, drug, route = use
    length = 2 / 3 if drugs.route(drug, route).given == "infusion or bolus" else 0.0
    given = models.inputs(model, drug, route, 56.0, 0.0, length)
    times = [0.05, 0.1, 0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0]
    found, exact = through_the_engine(model, given, times), shelf(model).run(given, times)
    for name in OUTPUTS:
        close = 1e-9 if name in ("C_S", "C_R") else 1e-4
        assert np.max(np.abs(found[name] - exact[name])) <= close * max(np.max(np.abs(exact[name])), 1e-12), name


@pytest.mark.parametrize("model", ["d1", "kamp2020", "perezruixo2021", "memantine-label"])
def test_doses_that_overlap_add_up_in_the_engine_in_either_order_with(model):
    """Two infusions of which the second begins and ends within the first, and a dose at once while both run."""
    depot = "central" if model != "d1" else "central_S"
    doses = [(0.0, depot, 40.0, 1.5), (0.3, depot, 25.0, 0.6), (0.5, depot, 10.0, 0.0)]
    times = [0.2, 0.4, 0.6, 0.95, 1.3, 1.6, 4.0, 24.0]
    together = through_the_engine(model, doses, times)
    turned = through_the_engine(model, doses[::-1], times)
    alone = [through_the_engine(model, [dose], times) for dose in doses]
    for name in OUTPUTS:
        total = sum(part[name] for part in alone)
        close = (1e-9 if name in ("C_S", "C_R") else 2e-4) * np.max(total)
        np.testing.assert_allclose(together[name], total, atol=close, rtol=0)
        np.testing.assert_allclose(turned[name], total, atol=close, rtol=0)


@pytest.mark.parametrize("model", [name for name in models.ids() if models.get(name).structure != "comparator"])
def test_the_standard_infusion_gives_a_free_peak_of_half_a_micromole_at_the_receptor_with(model):
    """f_uKp of each model is set so (assumed): 0.5 mg/kg of all ketamine over 40 min, S and R counted alike."""
    drug = "ketamine" if "ketamine" in models.get(model).drugs else "esketamine"
    given = models.inputs(model, drug, "iv", 35.0, 0.0, 40 / 60)
    values = mechanism.values()
    more = {name: values[name] for name in mechanism_names("receptor") if name != "f_uKp"}
    times = np.linspace(0.3, 1.3, 201)
    found = through_the_engine(model, given, times, ("Ce",), ("receptor",), **more)
    assert found["Ce"].max() == pytest.approx(0.519, abs=0.005)


def mechanism_names(part):
    """The constants that a part of the mechanism declares."""
    text = mechanism.text(modules=(part,))
    return {word.split()[0] for found in re.findall(r"^const (.+);", text, re.M) for word in found.split(", ")}


@pytest.mark.parametrize("name", structures.ids())
def test_no_name_of_a_structure_is_used_for_something_else_by_the_mechanism(name):
    """Two texts that use one name for two things would be joined without a word."""
    shared = {"C_S", "C_R", "Cv_S", "Cv_R", "C_NK", "C_HNK", "C_NK_S", "C_NK_R"}
    declared = re.compile(r"^(?:var|const) (.+);", re.M)

    def names(text):
        return {word.split()[0] for found in declared.findall(text) for word in found.split(", ")}

    assert names(structures.text(name)) & names(mechanism.text(modules=(*mechanism.CORE, "habenula"))) <= shared


def test_what_a_drug_sets_is_a_parameter_of_the_mechanism():
    known = mechanism.parameters()
    for drug in drugs.ids():
        assert set(drugs.get(drug).sets) <= set(known), drug


def test_memantine_at_20_mg_a_day_blocks_under_a_fifth_of_the_interneurons_and_nothing_at_rest():
    """20 mg a day gives some 0.3 umol/L free: under a fifth of either pool, and nothing on the resting pool."""
    drug = drugs.get("memantine")
    level = 0.107 / drug.sets["mw_K"] * 0.52
    assert level == pytest.approx(0.31, abs=0.02)
    assert level / (level + drug.sets["KD_I"]) < 0.2
    assert drug.sets["a_T"] == 0.0
