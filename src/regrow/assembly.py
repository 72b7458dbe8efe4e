"""A course and its people joined into what the engine solves: model text, a value per person, events on a clock.

The one thing to know: nothing is solved and nothing is decided here. Values come from the model shelf and from
`parameters.toml`; a person's deviation from them is drawn by (seed, person, parameter), never in sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from regrow import cautions, engine, mechanism
from regrow.catalog import conditions, drugs, models, structures
from regrow.dosing import Session, check_ceilings
from regrow.mechanism import switches
from regrow.people import Population, normal
from regrow.refusal import Refusal
from regrow.regimen import Course, walk

Values = dict[str, float | np.ndarray]

# The parameter that says what a session is worth to somebody of this belief: the share u of the way that expectancy
# goes at each. Nobody who knows of no treatment is in anybody's care.
BELIEF = {
    "open": "u_open",
    "saline-blind": "u_saline",
    "active-placebo": "u_active",
    "masked": "u_masked",
    "none": None,
}
MAY_BE_PLACEBO = ("saline-blind", "active-placebo")


@dataclass(frozen=True)
class Assembly:
    """One chunk of people with their course, ready for the engine.

    `equations` is a person's own text in place of everything after the plasma. `scaled` multiplies parameters, by one
    number or one per person, to ask what if they were wrong (the calibration asks that). `cautions` are sentences on
    uses that the model's data do not cover; refusals come while it is made.
    """

    course: Course
    people: Population
    equations: str | None = None
    scaled: Mapping[str, float | np.ndarray] = field(default_factory=dict)

    @cached_property
    def drugs(self) -> tuple[drugs.Drug, ...]:
        """The drugs of the course, in order of appearance."""
        given = [dose.drug for phase in self.course.protocol.phases for doses in phase.doses for dose in doses]
        return tuple(drugs.get(name) for name in dict.fromkeys(given))

    @cached_property
    def model(self) -> models.Model:
        """The pharmacokinetic model that serves every drug of the course; refuses with DRUGS-MIXED if none does."""
        serving = {drug.id: models.serving(self.course.model, drug).id for drug in self.drugs}
        real = {drug: model for drug, model in serving.items() if _in_plasma(drugs.get(drug))}
        if len(set(real.values())) > 1:
            pairs = ", ".join(f"{drug} by {model}" for drug, model in real.items())
            sentence = f"drug: one course needs one plasma model, but it has {pairs}; simulate one drug at a time"
            raise Refusal("DRUGS-MIXED", sentence, field="drug", value=list(real))
        return models.get(next(iter((real or serving).values()), self.course.model))

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """What to be careful with, once every dose was held against the model's people and the drug's ceiling."""
        people = self.people
        found: list[str] = []
        for phase in self.course.protocol.phases:
            for dose in dict.fromkeys(dose for doses in phase.doses for dose in doses):
                if not _in_plasma(drugs.get(dose.drug)):
                    continue
                found += models.check(self.model, dose.drug, dose.route, weight_kg=people.weight_kg, age_y=people.age_y)
        sessions = walk(self.course.protocol, self.course.hours / 24)
        for drug in self.drugs:
            own = [replace(s, doses=tuple(d for d in s.doses if d.drug == drug.id)) for s in sessions]
            check_ceilings(
                own,
                drugs.ceilings(drug),
                people.weight_kg,
                people.height_cm,
                people.female,
                drugs.slow_rates(drug),
            )
        condition = self.course.condition
        if condition and self.condition is None:
            known = ", ".join(row.id for row in conditions.conditions())
            found.append(f"condition {condition!r} is not known and changes nothing; known: {known}")
        if self.condition is not None and self.condition.says:
            found.append(f"{self.condition.title}: {self.condition.says}")
        routes = {dose.route for session in sessions for dose in session.doses}
        for effect in self.effects:
            found.append(f"{effect.what}; {effect.note}")
            if not routes & {"oral", "intranasal"} and set(effect.factors) == {"F_oral"}:
                found.append(f"effect: {effect.id} changes only what is swallowed, and nothing is swallowed here")
        found += [*cautions.of_people(sessions, people), *cautions.of_doses(sessions, people)]
        found += cautions.of_course(self.course)
        return tuple(dict.fromkeys(found))

    @cached_property
    def condition(self) -> conditions.Condition | None:
        """What the course treats, where the house knows it."""
        return conditions.find(self.course.condition)

    @cached_property
    def effects(self) -> tuple[models.Effect, ...]:
        """What changes the drug's way through the body. Refuses with MODEL-EFFECT one that the model does not have."""
        return models.chosen_effects(self.model, self.course.effects)

    @cached_property
    def text(self) -> str:
        """The model text: units, plasma, mechanism, and what the switches join to it."""
        structure = structures.get(self.model.structure).text
        if self.equations is not None:
            return f"{mechanism.text(structure, modules=())}\n{self.equations}"
        return mechanism.text(structure, modules=(*mechanism.CORE, *self.switches.joins))

    @cached_property
    def switches(self) -> switches.Effect:
        """What the course's switches do together."""
        return switches.combine(self.course.switches)

    @cached_property
    def compiled(self) -> engine.Model:
        return engine.compile_model(self.text)

    @cached_property
    def values(self) -> Values:
        """Every parameter's value, one number or one per person (n,)."""
        people = self.people
        values: Values = {}
        for name, parameter in mechanism.parameters().items():
            values[name] = parameter.value
            if parameter.spread and not people.typical:
                z = normal(people.seed, people.index, f"parameter:{name}")
                spread = parameter.spread
                values[name] = parameter.value * np.exp(spread.omega * z) + spread.sd * z
        values["M0"], values["age"] = people.baseline, people.age_y
        draws = None
        if not people.typical:
            draws = {name: normal(people.seed, people.index, f"pk:{name}") for name in models.etas(self.model)}
        values |= models.parameters(
            self.model,
            weight_kg=people.weight_kg,
            age_y=people.age_y,
            female=people.female,
            draws=draws,
            effects=self.course.effects,
        )
        for drug in self.drugs:
            values |= drug.sets
        if self.equations is not None:
            self._refuse_unused(values)
        if self.course.belief != "none" and "sigma0" not in (self.condition.sets if self.condition else {}):
            values["care"] = 1.0
        if values["care_new"] and self.course.belief in MAY_BE_PLACEBO:
            values["new_blind"] = 1.0
        values |= (self.condition.sets if self.condition else {}) | dict(self.switches.sets) | dict(self.course.about)
        for name, factor in self.scaled.items():
            if name in values:
                values[name] = values[name] * factor
        return values

    def _refuse_unused(self, given: Values) -> None:
        """Refuses what would be ignored beside a person's own equations: a value of theirs for a name that is `given`
        one here, and a switch that they have no parameter or state for."""
        effect, model = self.switches, self.compiled
        if known := sorted(set(model.defaults) & set(given)):
            sentence = (
                f"mechanism: the text gives {known[0]} a value, but the house has one of its own for it; "
                "rename it, or leave its value out to use the house's"
            )
            raise Refusal("MECHANISM-NAME", sentence, field=known[0], value=model.defaults[known[0]])
        used = {*effect.sets, *(change.parameter for change in effect.changes)} - set(model.parameters)
        used |= {jump.state for jump in effect.jumps} - set(model.states)
        if used or effect.joins:
            names = ", ".join(sorted({*used, *effect.joins}))
            sentence = f"switch: the equations given do not have {names}; leave the switch out, or name it in the text"
            raise Refusal("SWITCH-UNUSED", sentence, field="switch", value=names)

    def of(self, who: np.ndarray) -> Values:
        """The values of the people at the places `who`, for the parameters that the model text has."""
        wanted = self.compiled.parameters
        return {name: _of(value, who) for name, value in self._needed(wanted).items()}

    def _needed(self, wanted: Iterable[str]) -> Mapping[str, float | np.ndarray]:
        return {name: self.values[name] for name in wanted if name in self.values}

    def events(self, session: Session, who: np.ndarray) -> list[engine.Event]:
        """What one session does to the people at the places `who`: doses, and the jump of expectancy at its start."""
        people = self.people[who]
        individual = _Individual(self.values, who)
        events: list[engine.Event] = []
        for dose in session.doses:
            mg = dose.mg(people.weight_kg, people.height_cm, people.female)
            given = models.inputs(
                self.model,
                dose.drug,
                dose.route,
                np.broadcast_to(mg, (people.n,)),
                session.start_h + dose.offset_h,
                dose.duration_h,
                device=dose.device,
                individual=individual,
            )
            for time, state, amount, duration in given:
                if duration:
                    events.append(engine.Infusion(time, state, amount, duration))
                else:
                    events.append(engine.Bolus(time, state, amount))
        for jump in self.switches.jumps:
            events.append(engine.Jump(session.start_h + jump.at, jump.state, jump.keep, jump.add))
        return [*events, *self._moves(session, individual)]

    def _moves(self, session: Session, values: Mapping[str, np.ndarray]) -> list[engine.Event]:
        """The jumps of a session: what it is worth to somebody who believes in it, and what a drug moves by itself.

        Who may have got saline and feels a drug comes part of the way to the belief of who knows. The first session of
        a planned course brings less of what belief adds to the visit itself than a single one, later ones less still.
        """
        there = self.compiled.states
        moves: list[engine.Event] = []
        name = BELIEF[self.course.belief]
        at_home = all(drugs.route(dose.drug, dose.route).at_home for dose in session.doses)
        if name is not None and "X" in there and not at_home:
            visit = values["u_saline"]
            u = values[name]
            if name == "u_saline" and any(drugs.get(dose.drug).felt for dose in session.doses):
                u = visit + values["felt"] * (values["u_open"] - visit)
            if session.start_h > 0:
                u = u * values["p_later"]
            elif self._planned:
                u = visit + values["p_first"] * (u - visit)
            moves.append(engine.Jump(session.start_h, "X", 1 - u, u * values["X0"]))
            if "Y" in there:
                moves.append(engine.Jump(session.start_h, "Y", 1 - u, u * values["y_acute"] * values["X0"]))
        if name is not None and "treated" in there:
            moves.append(engine.Jump(session.start_h, "treated", 0.0, 1.0))
        for drug in self.drugs:
            if any(dose.drug == drug.id for dose in session.doses):
                for state, share in drug.moves.items():
                    if state in there:
                        moves.append(engine.Jump(session.start_h, state, 1 - values[share], values[share]))
        return moves

    @cached_property
    def _planned(self) -> bool:
        """Whether more than one session is planned from the start."""
        phases = self.course.protocol.phases
        return len(phases) > 1 or any(phase.every_days is not None or len(phase.days) > 1 for phase in phases)

    def changes(self, start: float, end: float) -> list[engine.Event]:
        """The parameters that the switches change from `start` until before `end`, h."""
        return [engine.Change(c.at, c.parameter, c.value) for c in self.switches.changes if start <= c.at < end]


class _Individual(Mapping[str, np.ndarray]):
    """The values of some people (n,), each spread out only when it is asked for."""

    def __init__(self, values: Values, who: np.ndarray) -> None:
        self.values_of_all, self.who = values, who

    def __getitem__(self, name: str) -> np.ndarray:
        return np.broadcast_to(_of(self.values_of_all[name], self.who), (len(self.who),))

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of_all)

    def __len__(self) -> int:
        return len(self.values_of_all)


def _of(value: float | np.ndarray, who: np.ndarray) -> float | np.ndarray:
    return value[who] if isinstance(value, np.ndarray) and value.ndim else value


def _in_plasma(drug: drugs.Drug) -> bool:
    """Whether a plasma model follows the drug: not for a placebo, nor for what acts on the body's text alone."""
    return bool(drug.shares or drug.model)
