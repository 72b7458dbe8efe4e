"""The shelf of published pharmacokinetic models: whom each holds for, its values, and what a dose becomes in it.

One file per parameter set in `models/`, each naming a structure of `structures.toml` (the text in `mechanism/pk/`) and
giving values. The one thing to know: nothing here draws a random number or solves an equation. `parameters` turns
people and given standard-normal numbers into values; `inputs` turns a dose into (time, state, mg, duration) tuples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Literal

import numpy as np
from pydantic import model_validator

from regrow import units
from regrow.catalog import drugs, find, load, structures
from regrow.catalog import ids as _ids
from regrow.catalog.form import Form
from regrow.refusal import Refusal

DEFAULT = "d1"

Status = Literal["measured", "calibrated", "assumed"]
Input = tuple[float, str, np.ndarray, float]

_MISSING = {"norketamine": "fm_NK", "hnk": "f_HNK"}


class Spread(Form):
    """Spread between people: the variance of a log-normal as papers print it, or the SD of a share on the logit."""

    omega2: float | None = None
    logit_sd: float | None = None

    @model_validator(mode="after")
    def _one(self) -> Spread:
        if (self.omega2 is None) == (self.logit_sd is None):
            raise ValueError("state either omega2 (log-normal variance) or logit_sd (of a share)")
        return self


class AgeSlope(Form):
    """Change of a value per year of age above an age, in the unit of the value."""

    per_year: float
    above: float


class Parameter(Form):
    """One value as its source prints it. `eta` names the random effect where two parameters share one."""

    value: float
    unit: str
    status: Status
    source: str
    spread: Spread | None = None
    eta: str | None = None
    weight_exponent: float | None = None
    age: AgeSlope | None = None
    measure: str | None = None


class Allometry(Form):
    """Exponents of (weight / reference) for volumes and flows; 0 for a model without body size."""

    reference_kg: float = 70.0
    volume: float
    flow: float


class Studied(Form):
    """Whom the data came from: outside these ranges a run warns."""

    who: str
    age_y: tuple[float, float] | None = None
    weight_kg: tuple[float, float] | None = None


class People(Form):
    """Whom the model may be used for: outside these ranges it refuses."""

    species: str
    age_y: tuple[float, float]
    weight_kg: tuple[float, float]
    studied: Studied


class Correlation(Form):
    between: tuple[str, str]
    r: float
    source: str


class Effect(Form):
    """A covariate effect, off unless named: factors on parameters, from a published change in exposure."""

    id: str
    what: str
    factors: dict[str, float]
    only: Literal["female"] | None = None
    source: str
    confidence: drugs.Confidence
    note: str = ""


class Residual(Form):
    """Residual error: a proportional SD, an additive SD (mg/L) or an SD on the log scale."""

    proportional: float | None = None
    additive_mg_l: float | None = None
    log_sd: float | None = None
    source: str


class Model(Form):
    """One parameter set of the shelf. `missing` analytes are null, never zero; `errata` is what is known to be wrong.

    `band` says whether `--model all` counts it: false for models of other people (the critically ill) or drugs.
    """

    id: str
    title: str
    origin: Literal["published", "hybrid", "assumed"]
    structure: str
    site: Literal["arterial", "venous", "unknown"]
    citation: str
    doi: tuple[str, ...] = ()
    confidence: drugs.Confidence
    records: tuple[str, ...] = ()
    why: str
    band: bool = True
    missing: tuple[Literal["norketamine", "hnk", "arterial", "venous"], ...]
    errata: tuple[str, ...] = ()
    allometry: Allometry
    people: People
    drugs: dict[str, str]
    routes: dict[drugs.Route, str]
    inputs: dict[drugs.Route, tuple[drugs.Part, ...]] = {}
    residual: dict[str, Residual] = {}
    parameters: dict[str, Parameter]
    correlation: tuple[Correlation, ...] = ()
    effect: tuple[Effect, ...] = ()

    @model_validator(mode="after")
    def _fits_structure(self) -> Model:
        wanted = structures.get(self.structure).parameters
        known = {**wanted, **structures.get("common").parameters}
        if extra := sorted(set(self.parameters) - set(known)):
            raise ValueError(f"parameters {', '.join(extra)} are not of structure {self.structure}")
        if lacking := sorted(n for n, row in wanted.items() if row.neutral is None and n not in self.parameters):
            raise ValueError(f"structure {self.structure} needs values for {', '.join(lacking)}")
        for name, row in self.parameters.items():
            units.convert(row.value, row.unit, known[name].unit)
        for analyte, share in _MISSING.items():
            absent = share in wanted and share not in self.parameters
            if absent and analyte not in self.missing:
                raise ValueError(f"{analyte} has no values and must be listed as missing")
        used = {*self.parameters, *wanted}
        for effect in self.effect:
            if extra := sorted(set(effect.factors) - used):
                raise ValueError(f"effect {effect.id} changes {', '.join(extra)}, which the model does not have")
        return self


def ids() -> list[str]:
    """The ids of all parameter sets on the shelf, sorted."""
    return _ids("models")


def get(model: str | Model) -> Model:
    """The parameter set of an id or of a unique prefix. Refuses with UNKNOWN-MODEL, naming the nearest."""
    return model if isinstance(model, Model) else load("models", find("models", model), Model)


def serving(model: str | Model, drug: str | drugs.Drug) -> Model:
    """The model that a run with `model` uses for `drug`: a comparator brings its own, ketamine takes the shelf's."""
    return get(drugs.get(drug).model or model)


def band(drug: str | drugs.Drug, route: str) -> list[str]:
    """The ids of the models that `--model all` counts for this drug and route, the default first."""
    found = drugs.get(drug)
    fit = [name for name in ids() if (m := get(name)).band and found.id in m.drugs and route in m.routes]
    return sorted(fit, key=lambda name: (name != DEFAULT, name))


def text(model: str | Model) -> str:
    """The Antimony text of the model's structure (equations and units, no values)."""
    return structures.text(get(model).structure)


def check(
    model: str | Model,
    drug: str | drugs.Drug,
    route: str,
    *,
    weight_kg: float | np.ndarray,
    age_y: float | np.ndarray,
    species: str = "human",
) -> list[str]:
    """Cautions, one sentence each, for a use that the model's data do not cover but that it can carry.

    Refuses what it cannot: MODEL-SPECIES, MODEL-DRUG, MODEL-ROUTE, MODEL-AGE, MODEL-WEIGHT, and DRUG-ROUTE where the
    drug itself has no data for the route. Arrays are one value per person; the first person outside is named.
    """
    m, d = get(model), drugs.get(drug)
    if species != m.people.species:
        sentence = f"species: {m.id} holds for {m.people.species}, not for {species}; choose another model"
        raise Refusal("MODEL-SPECIES", sentence, field="species", value=species)
    if d.id not in m.drugs:
        sentence = f"drug: model {m.id} holds for {', '.join(m.drugs)}, not for {d.id}; choose another model or drug"
        raise Refusal("MODEL-DRUG", sentence, field="drug", value=d.id)
    drugs.route(d, route)
    known = {str(name): status for name, status in m.routes.items()}
    if route not in known:
        sentence = f"route: model {m.id} holds for {', '.join(known)}, not for {route}; choose another model or route"
        raise Refusal("MODEL-ROUTE", sentence, field="route", value=route)
    who = m.people
    _refuse_outside("MODEL-AGE", "age", age_y, who.age_y, "y", m.id)
    _refuse_outside("MODEL-WEIGHT", "weight", weight_kg, who.weight_kg, "kg", m.id)
    cautions = [
        f"plasma model {m.id}, {what}: {status.removeprefix('assumed: ')}"
        for what, status in ((d.id, m.drugs[d.id]), (route, known[route]))
        if status.startswith("assumed")
    ]
    for values, studied, unit in ((age_y, who.studied.age_y, "y"), (weight_kg, who.studied.weight_kg, "kg")):
        given = np.atleast_1d(values)
        if studied and (out := np.count_nonzero((given < studied[0]) | (given > studied[1]))):
            seen = f"made from {who.studied.who}, {studied[0]:g} to {studied[1]:g} {unit}"
            who_is = (
                f"{out} of {given.size} people here are" if given.size > 1 else f"this person, {given[0]:g} {unit}, is"
            )
            cautions.append(f"plasma model {m.id}: {seen}; {who_is} outside")
    return cautions


def _refuse_outside(
    code: str, field: str, values: float | np.ndarray, allowed: tuple[float, float], unit: str, model: str
) -> None:
    given = np.atleast_1d(np.asarray(values, float))
    outside = ~((given >= allowed[0]) & (given <= allowed[1]))
    if outside.any():
        bad = float(given[outside][0])
        limits = f"{allowed[0]:g} to {allowed[1]:g} {unit}"
        sentence = f"{field}: {bad:g} {unit} is outside model {model}, which holds for {limits}; choose another model"
        raise Refusal(code, sentence, field=field, value=bad)


def etas(model: str | Model) -> list[str]:
    """The names of the model's random effects: `parameters` wants one standard-normal number per name and person."""
    rows = get(model).parameters.items()
    return list(dict.fromkeys(row.eta or name for name, row in rows if row.spread))


def effects(model: str | Model) -> dict[str, Effect]:
    """The model's covariate effects by id (interactions, kidney, liver, genotype, sex): all off unless named."""
    return {effect.id: effect for effect in get(model).effect}


def chosen_effects(model: str | Model, named: Sequence[str]) -> tuple[Effect, ...]:
    """The effects of these ids, each once. Refuses with MODEL-EFFECT one that the model does not have."""
    m, known = get(model), effects(model)
    for name in named:
        if name not in known:
            listed = ", ".join(known) or "none"
            sentence = f"effect: model {m.id} has no covariate effect {name!r}; it has: {listed}"
            raise Refusal("MODEL-EFFECT", sentence, field="effect", value=name)
    return tuple(known[name] for name in dict.fromkeys(named))


def parameters(
    model: str | Model,
    *,
    weight_kg: float | np.ndarray,
    age_y: float | np.ndarray,
    female: bool | np.ndarray,
    draws: Mapping[str, np.ndarray] | None = None,
    effects: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Each parameter's value per person, in house units: the structure's, the dose-splitting shares', and f_uKp.

    weight_kg, age_y, female: one number or (n,). draws: standard normals (n,) for every name of `etas`, correlated
    here; None gives the typical person. effects: ids of covariate effects to switch on (else MODEL-EFFECT).
    """
    m = get(model)
    weight, age, woman = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(value, float)) for value in (weight_kg, age_y, female))
    )
    factors = _factors(m, woman, effects)
    random = _correlated(m, draws)
    wanted = structures.get(m.structure).parameters
    known = {**wanted, **structures.get("common").parameters}
    result: dict[str, np.ndarray] = {}
    for name, quantity in known.items():
        row = m.parameters.get(name)
        if row is None:
            if quantity.neutral is not None:
                result[name] = np.full(weight.shape, quantity.neutral)
            continue
        exponent = row.weight_exponent
        if exponent is None:
            exponent = {"volume": m.allometry.volume, "flow": m.allometry.flow}.get(quantity.kind, 0.0)
        value = np.full(weight.shape, row.value)
        if row.age:
            value = value + row.age.per_year * np.maximum(0.0, age - row.age.above)
        value = value * units.convert(1.0, row.unit, quantity.unit) * factors.get(name, 1.0)
        value = value * (weight / m.allometry.reference_kg) ** exponent
        if quantity.kind == "share":
            value = np.minimum(value, 1.0)
        if row.spread and random is not None:
            value = _spread(value, row.spread, random[row.eta or name])
        result[name] = value
    return result


def _factors(m: Model, woman: np.ndarray, named: Sequence[str]) -> dict[str, np.ndarray]:
    factors: dict[str, np.ndarray] = {}
    for effect in chosen_effects(m, named):
        for target, factor in effect.factors.items():
            on = np.where(woman > 0, factor, 1.0) if effect.only == "female" else np.full(woman.shape, factor)
            factors[target] = factors.get(target, np.ones(woman.shape)) * on
    return factors


def _correlated(m: Model, draws: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
    if draws is None:
        return None
    names = etas(m)
    raw = {name: np.asarray(draws[name], float) for name in names}
    if not m.correlation:
        return raw
    matrix = np.eye(len(names))
    for row in m.correlation:
        i, j = (names.index(name) for name in row.between)
        matrix[i, j] = matrix[j, i] = row.r
    # written out: a library product adds in another order for another number of people, and wakes its own threads
    rows = np.linalg.cholesky(matrix)
    mixed = (reduce(np.add, (rows[i, j] * raw[names[j]] for j in range(i + 1))) for i in range(len(names)))
    return dict(zip(names, mixed, strict=True))


def _spread(value: np.ndarray, spread: Spread, z: np.ndarray) -> np.ndarray:
    if spread.omega2 is not None:
        return value * np.exp(np.sqrt(spread.omega2) * z)
    odds = value / np.maximum(1.0 - value, 1e-12) * np.exp((spread.logit_sd or 0.0) * z)
    return odds / (1.0 + odds)


def inputs(
    model: str | Model,
    drug: str | drugs.Drug,
    route: str,
    mg: float | np.ndarray,
    start_h: float,
    duration_h: float = 0.0,
    *,
    device: int = 0,
    individual: Mapping[str, np.ndarray] | None = None,
) -> list[Input]:
    """The dose as (time h, state, mg of base per person, duration h) tuples; duration 0 is a bolus into that state.

    mg: base, a number or (n,). `duration_h`: the infusion's length (DOSE-DURATION where the route has none). `device`:
    the place of one spray device in its session (1, 2, 3); 0 splits `mg` into devices. `individual` (from `parameters`)
    gives each person's own shares, else the typical ones serve. Placebo gives an empty list.
    """
    m, d = serving(model, drug), drugs.get(drug)
    given = drugs.route(d, route)
    parts = {str(name): rows for name, rows in m.inputs.items()}.get(route, given.inputs)
    if duration_h and given.given != "infusion or bolus":
        sentence = f"duration: {d.id} by route {route} is given at once, not over {duration_h:g} h; leave it out"
        raise Refusal("DOSE-DURATION", sentence, field="duration", value=duration_h)
    if individual is None:
        individual = parameters(m, weight_kg=m.allometry.reference_kg, age_y=40.0, female=False)
    result: list[Input] = []
    for place, start, dose in _devices(given, mg, start_h, device):
        for part in parts:
            amount = dose * _share(part, individual, later=place > 1)
            for state, of_it in _states_of(m, d, part.into):
                result.append((start + part.lag_h, state, amount * of_it, duration_h or part.over_h))
    return result


def _devices(
    given: drugs.Given, mg: float | np.ndarray, start_h: float, place: int
) -> list[tuple[int, float, np.ndarray]]:
    dose = np.atleast_1d(np.asarray(mg, float))
    device = given.device
    if device is None or place:
        return [(place, start_h, dose)]
    count = max(1, int(np.ceil(float(np.max(dose)) / device.mg - 1e-9)))
    return [(k + 1, start_h + k * device.gap_h, np.clip(dose - k * device.mg, 0.0, device.mg)) for k in range(count)]


def _share(part: drugs.Part, individual: Mapping[str, np.ndarray], *, later: bool) -> np.ndarray | float:
    name = part.rest_of or part.share
    share = individual[name] if isinstance(name, str) else name
    if later and part.later:
        share = share * individual[part.later]
    return 1.0 - share if part.rest_of else share


def _states_of(m: Model, d: drugs.Drug, into: str) -> list[tuple[str, float]]:
    if not d.shares and d.model is None:
        return [(into, 1.0)]  # a drug that is no ketamine and has no model of its own: a state of the mechanism's text
    apart = structures.get(m.structure).stereo
    targets = [(f"{into}_{x}", s) for x, s in d.shares.items() if s] if apart else [(into, 1.0)]
    if unknown := [state for state, _ in targets if state not in structures.states(m.structure)]:
        raise LookupError(f"structure {m.structure} has no state {unknown[0]} for {d.id}")
    return targets
