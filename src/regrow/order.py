"""What a person asks of `regrow simulate`, as text, carried out: read, simulated, written.

The one thing to know: everything is checked before anything is computed, and everything is computed before anything is
written, so a refusal leaves no file and no half of one.
"""

from __future__ import annotations

import json as json_text
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from regrow import units
from regrow.refusal import Refusal

if TYPE_CHECKING:
    from regrow.catalog import drugs
    from regrow.people import Population, Stated
    from regrow.regimen import Course
    from regrow.simulate import Result


FORMS = {
    "sbml": "sbml",
    "nonmem": "nonmem_course",
    "c": "c_course",
}  # the form that a file is exported in, and the module of regrow.exchange that writes it


@dataclass(frozen=True)
class Order:
    """The options of `regrow simulate` as they were typed; "" or None where an option was not given."""

    protocol: str
    weight: str = ""
    height: str = ""
    age: str = ""
    sex: str = ""
    baseline: str = ""
    condition: str = ""
    drug: str = ""
    dose: str = ""
    route: str = ""
    duration: str = ""
    days: str = ""
    people: int | None = None
    seed: int | None = None
    until: str = ""
    every: str = ""
    belief: str = "open"
    without: tuple[str, ...] = ()
    with_: tuple[str, ...] = ()
    effect: tuple[str, ...] = ()
    model: str = ""
    mechanism: Path | None = None
    workers: int | None = None


def carry_out(order: Order, out: tuple[Path, ...] = (), *, json: bool = False) -> None:
    """Simulates and writes each file of `out`; prints the summary, or JSON, on standard output.

    Refuses bad input before anything is computed; nothing is written unless everything could be.
    """
    if out:
        from regrow.page import check_out

        check_out(*out)
    from regrow import results, simulate

    if order.people is not None and order.people > simulate.LARGE and order.model != "all":
        _carry_out_large(order, out, json=json)
        return
    result = simulated(order)
    for caution in (*_idle(order, result.course), *result.cautions):
        _notice(caution)
    if out:
        from regrow import page

        data = results.dataset(result)
        bare = None
        if order.mechanism is None and any(page.shows_mood(path) for path in out) and _gives_a_drug(result.course):
            from regrow.simulate import without_drug

            bare = results.dataset(without_drug(result.course, result.crowd, workers=order.workers or 1))
        page.write(data, *out, without_drug=bare)
        _notice(f"wrote {', '.join(map(str, out))}")
    if json:
        print(json_text.dumps(results.as_json(result), ensure_ascii=False, allow_nan=False))
    elif not out:
        print(results.as_text(result))


def _idle(order: Order, course: Course) -> Iterator[str]:
    """What was asked for and changes nothing in this run, though it is no mistake to ask."""
    if order.people is None:
        who = "one typical person, who is drawn by no chance; give --people to draw some"
        if order.seed is not None:
            yield f"seed: {order.seed} changes nothing for {who}"
        if order.workers is not None and order.workers > 1:
            yield f"workers: {order.workers} share out people, but this is {who}"
        doses = [dose for phase in course.protocol.phases for doses in phase.doses for dose in doses]
        if all(dose.weight == "actual" for dose in doses):
            where = "one typical person: no dose here goes by ideal weight"
            if order.height:
                yield f"height: {order.height} changes nothing for {where}"
            if order.sex and not order.effect:
                yield f"sex: {order.sex} changes nothing for {where}"
    if order.drug and order.dose:
        from regrow.catalog import drugs

        drug = drugs.get(order.drug)
        if drug.id == "placebo":
            yield f"dose: {order.dose} of placebo is nothing of any drug: every session is shown with 0 mg"
        elif not any(route.inputs for route in drug.routes.values()):
            yield f"dose: {order.dose} of {drug.id} changes nothing: its effect does not depend on a dose here"


def _gives_a_drug(course: Course) -> bool:
    """Whether there is anything to leave out for the line of the same visits without the drug."""
    doses = (dose for phase in course.protocol.phases for doses in phase.doses for dose in doses)
    return any(dose.drug not in ("placebo", "pill") for dose in doses)


def _carry_out_large(order: Order, out: tuple[Path, ...], *, json: bool) -> None:
    """As `carry_out`, for more people than lie in memory well: part by part, to files that grow."""
    from regrow import crowd, results, simulate
    from regrow.exchange import growing

    for path in out:
        if path.suffix.lower() not in growing.ENDINGS:
            sentence = (
                f"out: {path} cannot hold {order.people} people, at most {simulate.LARGE}; write .parquet or .nc, or "
                "simulate fewer"
            )
            raise Refusal("OUT-LARGE", sentence, field="out", value=str(path))
    course = read_course(order)
    assert order.people is not None
    asked = crowd.Crowd(
        course,
        order.people,
        _seed(order),
        _stated(order, course),
        tuple(simulate.output_times(course, every_h=_every(order) or 168.0).tolist()),
        _own_equations(order),
    )
    kept = "" if order.every else ", and outputs are kept weekly, at 24 h and at the end (--every says otherwise)"
    _notice(f"above {simulate.LARGE} people steps are longer and in single precision after the plasma{kept}")

    def then(result: Result) -> None:
        for caution in (*_idle(order, course), *result.cautions):
            _notice(caution)
        if "D" in result.error:
            _notice(f"a sample solved again finely differs by at most {result.error['D']:.1g} of the largest score")
        if json:
            said.append(json_text.dumps(results.as_json(result), ensure_ascii=False, allow_nan=False))
        elif not out:
            said.append(results.as_text(result))

    said: list[str] = []
    with _progress() as progress:
        crowd.write(asked, out, workers=order.workers or 1, progress=progress, notice=_notice, then=then)
    if out:
        _notice(f"wrote {', '.join(map(str, out))}")
    for text in said:
        print(text)


def _notice(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)


def simulated(order: Order) -> Result:
    """The run that the order asks for, with a progress bar once it takes over a second."""
    from regrow import simulate

    course, people = read(order)
    with _progress() as progress:
        every = _every(order)
        equations = _own_equations(order)
        if order.model == "all":
            return simulate.side_by_side(course, people, every_h=every, workers=order.workers or 1, progress=progress)
        return simulate.run(
            course, people, every_h=every, workers=order.workers or 1, progress=progress, equations=equations
        )


def _own_equations(order: Order) -> str | None:
    if order.mechanism is None:
        return None
    if order.model == "all":
        sentence = "mechanism: own equations run with one plasma model, not with all; choose one with --model"
        raise Refusal("MECHANISM-MODEL", sentence, field="model", value="all")
    text = _equations(order.mechanism)
    _refuse_unnamed(order, text)
    return text


def _refuse_unnamed(order: Order, text: str) -> None:
    """Refuses with MECHANISM-UNUSED what is told of people or belief and own equations `text` have no name for."""
    from regrow.catalog import conditions
    from regrow.readouts import READOUTS

    named = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"(//|#).*", "", text)))
    condition = conditions.find(order.condition or None)
    starts: set[str] = set()
    if condition is not None:
        shown = (need for name in condition.readouts for need in READOUTS[name].needs)
        starts = {*condition.sets, *shown, *(("M0",) if condition.baseline else ())}
    wanted = {
        "baseline": {"M0"} if order.baseline else set(),
        "belief": {"X"} if order.belief != "open" else set(),
        "condition": starts,
    }
    for option, names in wanted.items():
        if names and not names & named:
            sentence = (
                f"{option}: the equations given do not name {' or '.join(sorted(names))}, so it would change nothing; "
                "leave it out, or use that name in the text"
            )
            raise Refusal("MECHANISM-UNUSED", sentence, field=option, value=getattr(order, option))


def _every(order: Order) -> float | None:
    return units.read(order.every, "h", "every") if order.every else None


def export(order: Order, form: str, out: Path) -> tuple[str, ...]:
    """Writes the course that the order asks for to `out` in a form that others own (sbml, nonmem, c); gives notices."""
    from importlib import import_module

    course, people = read(order)
    equations = _own_equations(order)
    return import_module(f"regrow.exchange.{FORMS[form]}").export(course, people, out, equations)


def _equations(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
        sentence = f"mechanism: {path} cannot be read as text ({why}); give the path of an .ant file"
        raise Refusal("MECHANISM-FILE", sentence, field="mechanism", value=str(path)) from problem


def read(order: Order) -> tuple[Course, Population]:
    """The course and the people that an order states; refuses what it cannot read, naming the option."""
    course = read_course(order)
    return course, _people(order, course)


def read_course(order: Order) -> Course:
    """The course that an order states; refuses what it cannot read, naming the option."""
    from regrow import regimen
    from regrow.catalog import drugs, protocols
    from regrow.mechanism import switches

    drug = drugs.get(order.drug) if order.drug else None
    protocol = protocols.get(order.protocol)
    usual = drug.usual if drug else None
    # A comparator that is not given by the protocol's route is given by its usual one.
    route = order.route
    if drug and usual and not route and (not order.dose or protocol.doses[0].route not in drug.routes):
        route = usual.route
    protocol = regimen.revise(
        protocol,
        drug=drug.id if drug else None,
        dose=order.dose or (usual.dose if usual else None),
        route=route or None,
        duration=order.duration or (usual.duration if usual and not order.dose and route == usual.route else None),
        days=order.days or None,
    )
    if usual and not order.dose:
        protocol = replace(protocol, assumed=(*protocol.assumed, f"dose {usual.dose}: {usual.source}"))
    elif usual and route and not order.route:
        protocol = replace(protocol, assumed=(*protocol.assumed, f"route {route}: {usual.source}"))
    chosen = [switches.get(name, "without") for name in order.without]
    chosen += [switches.get(name, "with") for name in order.with_]
    course = regimen.Course(
        protocol=protocol,
        belief=order.belief,
        switches=tuple(switch.id for switch in chosen),
        model=_model(order, drug),
        effects=_effects(order, drug),
        condition=order.condition or None,
        until_h=units.read(order.until, "h", "until") if order.until else None,
    )
    if order.workers is not None and order.workers < 1:
        sentence = f"workers: {order.workers} is below 1; give the number of processes to use, 1 or more"
        raise Refusal("WORKERS-RANGE", sentence, field="workers", value=order.workers)
    return course


def _model(order: Order, drug: drugs.Drug | None) -> str:
    """The plasma model's id, or "all"; refuses with MODEL-DRUG one for a comparator that brings its own."""
    from regrow.catalog import models

    if drug is not None and not drug.shares and not drug.model and order.model:
        sentence = (
            f"model: {order.model} is of ketamine in plasma, and {drug.id} has no plasma model; leave the model out"
        )
        raise Refusal("MODEL-DRUG", sentence, field="model", value=order.model)
    if drug is not None and drug.model and order.model:
        if order.model != "all" and models.get(order.model).id == drug.model:
            return drug.model
        sentence = f"model: {order.model} does not hold for {drug.id}, which runs on {drug.model}; leave the model out"
        raise Refusal("MODEL-DRUG", sentence, field="model", value=order.model)
    return order.model if order.model == "all" else models.get(order.model or models.DEFAULT).id


def _effects(order: Order, drug: drugs.Drug | None) -> tuple[str, ...]:
    """The ids of covariate effects; refuses with MODEL-EFFECT where no one plasma model of a ketamine is run."""
    if order.effect and order.model == "all":
        sentence = f"effect: {order.effect[0]} belongs to one plasma model, not to all; choose one with --model"
        raise Refusal("MODEL-EFFECT", sentence, field="effect", value=order.effect[0])
    if order.effect and drug is not None and not drug.shares:
        sentence = f"effect: {order.effect[0]} is of ketamine in the body, and {drug.id} is none; leave it out"
        raise Refusal("MODEL-EFFECT", sentence, field="effect", value=order.effect[0])
    return order.effect


def _people(order: Order, course: Course) -> Population:
    from regrow.people import Population

    stated = _stated(order, course)
    if order.people is None:
        return Population.of(stated.person(), _seed(order))
    return Population.draw(order.people, _seed(order), stated)


def _stated(order: Order, course: Course) -> Stated:
    """What is stated about the people; refuses a baseline or a seed that no run could use."""
    from regrow.catalog import conditions
    from regrow.people import Stated, check_count, uniform

    stated = Stated.read(order.weight, order.height, order.age, order.sex, order.baseline)
    condition = conditions.find(course.condition)
    if condition and condition.baseline is not None and stated.baseline is None:
        stated = replace(stated, baseline=condition.baseline)
    if isinstance(stated.baseline, int | float) and not 0 < stated.baseline < 60:
        sentence = f"baseline: {order.baseline} is an end of the MADRS; give points between 0 and 60, for example 33"
        raise Refusal("BASELINE-RANGE", sentence, field="baseline", value=order.baseline)
    uniform(_seed(order), [0], "seed")  # refuses a seed that no run could use
    if order.people is not None:
        check_count(order.people)
    return stated


def _seed(order: Order) -> int:
    return 1 if order.seed is None else order.seed


@contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """A callback that draws a bar on standard error once a second has passed; silent before."""
    started = time.monotonic()
    bar = None
    task = None

    def tell(share: float) -> None:
        nonlocal bar, task
        if bar is None:
            if time.monotonic() - started < 1.0 or share >= 1.0:
                return
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True)
            bar.start()
            task = bar.add_task("simulating", total=1.0)
        assert task is not None
        bar.update(task, completed=share)

    try:
        yield tell
    finally:
        if bar is not None:
            bar.stop()
