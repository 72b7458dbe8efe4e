"""The shelf refuses people, drugs and routes that a model does not hold for, each by its own code."""

from __future__ import annotations

import numpy as np
import pytest

from regrow.catalog import drugs, models
from regrow.refusal import Refusal


def refused(code, model="d1", drug="ketamine", route="iv", weight=70.0, age=40.0, species="human"):
    with pytest.raises(Refusal) as caught:
        models.check(model, drug, route, weight_kg=weight, age_y=age, species=species)
    assert caught.value.code == code
    assert caught.value.sentence.count("\n") == 0
    return caught.value


@pytest.mark.parametrize(
    ("code", "use"),
    [
        ("MODEL-SPECIES", {"species": "rat"}),
        ("MODEL-DRUG", {"model": "perezruixo2021"}),
        ("MODEL-DRUG", {"model": "domino1984", "drug": "esketamine"}),
        ("MODEL-DRUG", {"drug": "memantine", "route": "oral"}),
        ("MODEL-ROUTE", {"model": "otto2021", "route": "oral"}),
        ("DRUG-ROUTE", {"drug": "arketamine", "route": "oral"}),
        ("DRUG-ROUTE", {"drug": "esketamine", "route": "rectal"}),
        ("MODEL-AGE", {"age": 17.0}),
        ("MODEL-AGE", {"age": np.array([40.0, 12.0])}),
        ("MODEL-WEIGHT", {"weight": 29.0}),
        ("MODEL-WEIGHT", {"weight": 251.0}),
        ("MODEL-WEIGHT", {"weight": np.array([70.0, np.nan])}),
        ("UNKNOWN-MODEL", {"model": "dominoo"}),
        ("UNKNOWN-DRUG", {"drug": "ketamin0"}),
    ],
)
def test_a_use_outside_a_model_is_refused_by_its_own_code(code, use):
    refused(code, **use)


def test_a_refusal_names_the_model_the_value_and_what_it_holds_for():
    sentence = refused("MODEL-AGE", age=12.0).sentence
    for word in ("d1", "12 y", "18 to 120 y", "another model"):
        assert word in sentence


def test_a_studied_use_carries_no_caution_and_an_assumed_one_says_why():
    assert models.check("d1", "ketamine", "iv", weight_kg=70.0, age_y=30.0) == []
    said = models.check("d1", "ketamine", "sc", weight_kg=120.0, age_y=70.0)
    assert len(said) == 3
    assert any("no adult absolute F" in sentence for sentence in said)


def test_an_infusion_time_is_refused_where_a_route_has_none():
    with pytest.raises(Refusal) as caught:
        models.inputs("d1", "ketamine", "oral", 35.0, 0.0, 0.5)
    assert caught.value.code == "DOSE-DURATION"


def test_an_unknown_covariate_effect_is_refused_with_those_that_exist():
    with pytest.raises(Refusal) as caught:
        models.parameters("d1", weight_kg=70.0, age_y=40.0, female=False, effects=("coffee",))
    assert caught.value.code == "MODEL-EFFECT"
    assert "grapefruit" in caught.value.sentence


def test_the_physical_ceilings_are_those_of_the_interface():
    assert drugs.ceilings("ketamine") == {
        "iv": 15,
        "im": 15,
        "sc": 15,
        "intranasal": 3,
        "oral": 10,
        "sublingual": 10,
        "rectal": 10,
    }


def test_a_comparator_brings_its_own_model_and_placebo_brings_no_dose():
    assert models.serving("d1", "memantine").id == "memantine-label"
    assert models.serving("d1", "esketamine").id == "d1"
    assert models.inputs("d1", "placebo", "iv", 0.0, 0.0, 2 / 3) == []
    assert [state for _, state, _, _ in models.inputs("d1", "midazolam", "iv", 3.0, 0.0, 2 / 3)] == ["midazolam"]


def test_the_band_leaves_out_the_critically_ill_and_the_comparators():
    assert models.band("ketamine", "iv") == ["d1", "clements1981", "domino1984", "kamp2020", "otto2021", "simons2022"]
    assert models.band("esketamine", "intranasal") == ["d1", "perezruixo2021"]


def test_every_drug_and_model_of_the_catalog_reads():
    for name in drugs.ids():
        assert drugs.get(name).id == name
    for name in models.ids():
        found = models.get(name)
        assert found.id == name
        for drug in found.drugs:
            drugs.get(drug)
        assert models.parameters(name, weight_kg=80.0, age_y=50.0, female=True)["f_uKp"][0] > 0
