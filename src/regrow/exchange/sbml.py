"""SBML Level 3: a person's course as a file that any SBML simulator runs, and such a file back into a run of ours.

The one thing to know: the equations are the model text's own SBML. The export adds three things: the person's value of
every parameter, a parameter `input_<state>` for the rate of infusions (added to that state's rate rule), and one event
for each time at which something happens, holding all that happens then, so that no simulator has to guess an order.
The import takes exactly this apart again, so a file comes back as the doses it was written from.

Rules of SBML that matter: an event whose trigger `time >= t` shall fire at t = 0 needs `initialValue="false"`, and a
bare number has no unit, so every number here carries its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from regrow import __version__, engine, mechanism
from regrow.catalog import structures
from regrow.engine.text import UNDECLARED
from regrow.exchange import files
from regrow.exchange.unrolled import Unrolled, unroll
from regrow.people import Population
from regrow.readouts import READOUTS
from regrow.refusal import Failure, Refusal
from regrow.regimen import Course

ENDINGS = (".xml", ".sbml")
_INPUT = "input_"
_AFTER_H = 28 * 24.0  # how long an imported course is followed after its last event


# --- out ------------------------------------------------------------------------------------------------------------


def export(course: Course, people: Population, out: Path, equations: str | None = None) -> tuple[str, ...]:
    """Writes the course of one person to `out` as SBML Level 3 Version 2; gives the cautions of the run.

    Refuses with EXPORT-PEOPLE more than one person, with OUT-ENDING, OUT-FOLDER, and as `simulate` does.
    """
    files.check(out, ENDINGS)
    if people.n != 1:
        sentence = f"people: an SBML file holds one person, not {people.n}; leave --people out, or write --people 1"
        raise Refusal("EXPORT-PEOPLE", sentence, field="people", value=people.n)
    (one,) = unroll(course, people, equations)
    text = to_sbml(one).encode()
    files.publish({out: lambda stream: files.put(stream, text)})
    return one.cautions


def to_sbml(one: Unrolled) -> str:
    """The SBML text of a person's course; libSBML's consistency and unit checks have nothing to say about it."""
    import libsbml

    document = libsbml.readSBMLFromString(one.model.sbml)
    model = document.getModel()
    model.setId(f"regrow_{re.sub(r'[^A-Za-z0-9_]', '_', one.course.protocol.id)}")
    model.setMetaId(model.getId())
    model.setName(one.course.protocol.title)
    model.setNotes(_notes(one))
    known = _meanings(one)
    for name, value in one.values.items():
        parameter = model.getParameter(name)
        parameter.setValue(value)
        if name in known:
            meaning, origin = known[name]
            parameter.setName(meaning)
            parameter.setNotes(_html([origin]))
    for state in one.model.states:
        if not (model.getParameter(state).isSetValue() or model.getInitialAssignmentBySymbol(state)):
            model.getParameter(state).setValue(0.0)  # what a text that gives no start means
    events = _Events(model, one.events)
    events.write()
    said = _complaints(document, own=one.setup.equations is not None)
    if said:
        raise Failure("SBML-CHECK", f"the SBML that was made is not sound, so nothing was written: {said[0]}")
    return _every_digit(libsbml.writeSBMLToString(document), [*one.values.values(), *events.numbers])


def _every_digit(text: str, numbers: Iterable[float]) -> str:
    """The file with `numbers` to all their digits: libSBML writes 15, and an event would then miss its output time."""
    whole = {f"{number:.15g}": repr(float(number)) for number in numbers}
    return re.sub(
        r'(<cn [^>]*> |value=")([-+.e0-9]+)(?=[" ])', lambda m: m[1] + whole.get(m[2], m[2]).removesuffix(".0"), text
    )


def _complaints(document: Any, *, own: bool) -> list[str]:
    """What libSBML says about a document with every check on; `own` equations may leave units out."""
    import libsbml

    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, not own)
    document.checkConsistency()
    errors = [document.getError(k) for k in range(document.getNumErrors())]
    return [" ".join(e.getMessage().split()) for e in errors if not (own and e.getErrorId() in UNDECLARED)]


def _html(lines: Sequence[str]) -> str:
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f'<body xmlns="http://www.w3.org/1999/xhtml">{body}</body>'


def _notes(one: Unrolled) -> str:
    course = one.course
    shown = [f"{name}: {row.title} [{row.unit}] from {', '.join(row.needs)}" for name, row in READOUTS.items()
             if set(row.needs) <= set(one.model.outputs)]  # fmt: skip
    return _html(
        [
            f"regrow {__version__}: {course.protocol.title}. Source: {course.protocol.source}.",
            f"Plasma model {one.setup.model.id} ({one.setup.model.citation}); belief {course.belief}; "
            f"switches {', '.join(course.switches) or 'none'}; simulate to {course.hours:g} h.",
            "Hours, litres, mg of base, mg/L, umol/L. Not a medical device.",
            *one.cautions,
            "Read-outs: " + "; ".join(shown) + ".",
        ]
    )


def _meanings(one: Unrolled) -> dict[str, tuple[str, str]]:
    """What each parameter is, and where its value comes from."""
    known = {name: (p.meaning, f"{p.status}: {p.source}") for name, p in mechanism.parameters().items()}
    for name, quantity in structures.get(one.setup.model.structure).parameters.items():
        row = one.setup.model.parameters.get(name)
        origin = f"{row.status}: {row.source}" if row else "not in this model: the value that switches it off"
        known[name] = (quantity.what, origin)
    return known


class _Events:
    """Writes doses, jumps and changes into a libSBML model."""

    def __init__(self, model: Any, events: Sequence[engine.Event]) -> None:
        self.model = model
        self.events = events
        self.clock = model.getTimeUnits()
        self.numbers: list[float] = []

    def write(self) -> None:
        infused = dict.fromkeys(e.state for e in self.events if isinstance(e, engine.Infusion))
        for state in infused:
            self._input(state)
        edges = {e.time for e in self.events}
        edges |= {e.time + e.duration for e in self.events if isinstance(e, engine.Infusion)}
        for number, time in enumerate(sorted(edges), 1):
            self._event(number, time, self._rates(time, infused) | self._moves(time))

    def _input(self, state: str) -> None:
        import libsbml

        parameter = self.model.createParameter()
        parameter.setId(_INPUT + state)
        parameter.setName(f"rate of infusion into {state}")
        parameter.setConstant(False)
        parameter.setValue(0.0)
        if units := self._rate_unit(state):
            parameter.setUnits(units)
        rule = self.model.getRateRuleByVariable(state)
        whole = libsbml.ASTNode(libsbml.AST_PLUS)
        whole.addChild(rule.getMath().deepCopy())
        name = libsbml.ASTNode(libsbml.AST_NAME)
        name.setName(_INPUT + state)
        whole.addChild(name)
        rule.setMath(whole)

    def _rate_unit(self, state: str) -> str:
        """The id of the unit of a state's rate, made where the model has none; "" where the state has no unit."""
        import libsbml

        units = self.model.getParameter(state).getUnits()
        if not units or not self.clock:
            return ""
        made = f"{units}_by_{self.clock}"
        if self.model.getUnitDefinition(made) is None:
            definition = self.model.createUnitDefinition()
            definition.setId(made)
            for of, sign in ((units, 1), (self.clock, -1)):
                parts = self.model.getUnitDefinition(of)
                if parts is None:
                    unit = definition.createUnit()
                    unit.setKind(libsbml.UnitKind_forName(of))
                    unit.setExponent(sign)
                    unit.setScale(0)
                    unit.setMultiplier(1.0)
                    continue
                for k in range(parts.getNumUnits()):
                    unit = parts.getUnit(k).clone()
                    unit.setExponent(sign * unit.getExponentAsDouble())
                    definition.addUnit(unit)
        return made

    def _rates(self, time: float, infused: Mapping[str, None]) -> dict[str, Any]:
        """The infusion rates that begin to hold at a time, where something starts or ends."""
        out = {}
        for state in infused:
            own = [e for e in self.events if isinstance(e, engine.Infusion) and e.state == state]
            if any(time in (e.time, e.time + e.duration) for e in own):
                rate = sum(float(e.amount) / e.duration for e in own if e.time <= time < e.time + e.duration)
                out[_INPUT + state] = self._number(rate, self._rate_unit(state))
        return out

    def _moves(self, time: float) -> dict[str, Any]:
        """What the boluses, jumps and changes of one time do together, as a formula for each variable."""
        import libsbml

        moves: dict[str, tuple[float, float]] = {}
        out: dict[str, Any] = {}
        for event in self.events:
            if event.time != time or isinstance(event, engine.Infusion):
                continue
            if isinstance(event, engine.Change):
                self.model.getParameter(event.parameter).setConstant(False)
                units = self.model.getParameter(event.parameter).getUnits()
                out[event.parameter] = self._number(float(event.value), units)
                continue
            keep, add = (1.0, event.amount) if isinstance(event, engine.Bolus) else (event.keep, event.add)
            before = moves.get(event.state, (1.0, 0.0))
            moves[event.state] = (float(keep) * before[0], float(keep) * before[1] + float(add))
        for state, (keep, add) in moves.items():
            units = self.model.getParameter(state).getUnits()
            name = libsbml.ASTNode(libsbml.AST_NAME)
            name.setName(state)
            if keep != 1.0:
                kept = libsbml.ASTNode(libsbml.AST_TIMES)
                kept.addChild(self._number(keep, "dimensionless"))
                kept.addChild(name)
                name = kept
            total = libsbml.ASTNode(libsbml.AST_PLUS)
            total.addChild(name)
            total.addChild(self._number(add, units))
            out[state] = total
        return out

    def _number(self, value: float, units: str) -> Any:
        import libsbml

        self.numbers.append(float(value))
        node = libsbml.ASTNode(libsbml.AST_REAL)
        node.setValue(float(value))
        if units:
            node.setUnits(units)
        return node

    def _event(self, number: int, time: float, assigned: Mapping[str, Any]) -> None:
        import libsbml

        event = self.model.createEvent()
        event.setId(f"event_{number}")
        event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(False)
        trigger.setPersistent(True)
        due = libsbml.ASTNode(libsbml.AST_RELATIONAL_GEQ)
        clock = libsbml.ASTNode(libsbml.AST_NAME_TIME)
        clock.setName("time")
        due.addChild(clock)
        due.addChild(self._number(time, self.clock))
        trigger.setMath(due)
        for variable, formula in assigned.items():
            assignment = event.createEventAssignment()
            assignment.setVariable(variable)
            assignment.setMath(formula)


# --- in -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Imported:
    """A model read from SBML (its parameters' values are its `defaults`) and what its events do."""

    model: engine.Model
    events: tuple[engine.Event, ...]

    def solve(self, outputs: Sequence[str], times: Sequence[float] | np.ndarray) -> engine.Solution:
        """The outputs at `times` (h) by our own kernel; values (outputs, 1, times)."""
        return engine.solve(self.model, {}, self.events, np.asarray(times, float), outputs)


def read(path: Path) -> Imported:
    """The model and the events of an SBML file of rate rules, assignments and events at fixed times.

    Refuses with SBML-FILE, SBML-EVENT (an event whose time or effect is not a plain number, named), and as the engine
    refuses a text (reactions, species, algebraic rules, units that do not agree).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        words = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise Refusal("SBML-FILE", f"sbml: {path} cannot be read: {words}", field="file", value=str(path)) from None
    return from_sbml(text)


def from_sbml(text: str) -> Imported:
    """As `read`, from the text of the file."""
    import libsbml

    document = libsbml.readSBMLFromString(text)
    model = document.getModel()
    if model is None or document.getNumErrors(libsbml.LIBSBML_SEV_ERROR):
        said = " ".join(document.getError(0).getMessage().split()) if document.getNumErrors() else "no model in it"
        raise Refusal("SBML-FILE", f"sbml: the file is no sound SBML: {said}", field="file")
    acts = [act for k in range(model.getNumEvents()) for act in _Act.of(model, model.getEvent(k))]
    events = _infusions(model, acts)
    events += [act.event(model) for act in acts]
    while model.getNumEvents():
        model.removeEvent(0)
    compiled = engine.compile_sbml(libsbml.writeSBMLToString(document))
    return Imported(compiled, tuple(sorted(events, key=lambda event: event.time)))


def simulate(path: Path, out: Path, until_h: float | None = None) -> tuple[str, ...]:
    """Runs an SBML file by our own kernel and writes every output to `out` (CSV): each hour, and at each event.

    `until_h` None takes 28 days after the last event. Gives notices. Refuses as `read` does, and with OUT-ENDING or
    OUT-FOLDER a file that cannot be written.
    """
    files.check(out, (".csv",))
    course = read(path)
    last = max((event.time for event in course.events), default=0.0)
    horizon = last + _AFTER_H if until_h is None else until_h
    events = {edge for event in course.events for edge in _edges(event) if 0 <= edge <= horizon}
    times = np.array(sorted({0.0, *np.arange(0.0, horizon, 1.0).tolist(), *events, horizon}))
    solved = course.solve(course.model.outputs, times)
    lines = [",".join(("time", *course.model.outputs))]
    lines += [",".join(f"{v:.12g}" for v in row) for row in np.vstack([times, solved.values[:, 0]]).T]
    content = ("\n".join(lines) + "\n").encode()
    files.publish({out: lambda stream: files.put(stream, content)})
    late = [f"{len(course.events)} events and {len(course.model.states)} states read; time in h, to {horizon:g} h"]
    return (*late, *course.model.notes, *solved.notices)


def _edges(event: engine.Event) -> tuple[float, ...]:
    return (event.time, event.time + event.duration) if isinstance(event, engine.Infusion) else (event.time,)


@dataclass
class _Act:
    """One assignment of one event: variable becomes keep * variable + add, at `time`."""

    name: str
    time: float
    variable: str
    keep: float
    add: float

    @staticmethod
    def of(model: Any, event: Any) -> list[_Act]:
        name = event.getId() or "an event without id"
        time = _time(event, name)
        return [_act(model, event.getEventAssignment(k), name, time) for k in range(event.getNumEventAssignments())]

    def event(self, model: Any) -> engine.Event:
        if model.getRateRuleByVariable(self.variable) is None:
            if self.keep:
                raise _bad(self.name, f"changes {self.variable} by its own value; give it a number")
            return engine.Change(self.time, self.variable, self.add)
        if self.keep == 1.0:
            return engine.Bolus(self.time, self.variable, self.add)
        return engine.Jump(self.time, self.variable, self.keep, self.add)


def _bad(name: str, sentence: str) -> Refusal:
    return Refusal("SBML-EVENT", f"sbml: {name} {sentence}", field=name)


def _time(event: Any, name: str) -> float:
    import libsbml

    math = event.getTrigger().getMath() if event.isSetTrigger() else None
    later = {libsbml.AST_RELATIONAL_GEQ: (0, 1), libsbml.AST_RELATIONAL_GT: (0, 1)}
    later |= {libsbml.AST_RELATIONAL_LEQ: (1, 0), libsbml.AST_RELATIONAL_LT: (1, 0)}
    places = later.get(math.getType()) if math is not None else None
    if math is None or places is None or math.getChild(places[0]).getType() != libsbml.AST_NAME_TIME:
        raise _bad(name, "is not triggered by the clock; regrow runs events at fixed times, written time >= number")
    number = math.getChild(places[1])
    if not number.isNumber():
        raise _bad(name, "has a trigger time that is not a number; write time >= number")
    delay = 0.0
    if event.isSetDelay():
        if not event.getDelay().getMath().isNumber():
            raise _bad(name, "has a delay that is not a number; write a number")
        delay = event.getDelay().getMath().getValue()
    if number.getValue() == 0 and event.getTrigger().getInitialValue():
        raise _bad(name, "would never fire: its trigger is true from the start; set its initialValue to false")
    return number.getValue() + delay


def _act(model: Any, assignment: Any, name: str, time: float) -> _Act:
    """The assignment as keep and add; refuses one that is not linear in its own variable with numbers."""
    from regrow.engine.expression import Graph
    from regrow.engine.plan import Evaluator
    from regrow.engine.text import _expression

    variable = assignment.getVariable()
    graph = Graph()
    e = _expression(graph, assignment.getMath(), name)
    parts = graph.linear(e, frozenset({variable}))
    constants = {p.getId(): p.getValue() for p in map(model.getParameter, range(model.getNumParameters()))
                 if p.getConstant() and p.isSetValue()}  # fmt: skip
    if parts is None or any(graph.symbols(part) - set(constants) for part in parts.values()):
        sentence = f"sets {variable} to a formula of other moving quantities; write a number times {variable} plus one"
        raise _bad(name, sentence)
    graph_only: Any = SimpleNamespace(nodes=graph.nodes)
    evaluate = Evaluator(graph_only, constants, 1)
    found = {key: float(evaluate(part)[0]) for key, part in parts.items()}
    return _Act(name, time, variable, found.get(variable, 0.0), found.get("", 0.0))


def _infusions(model: Any, acts: list[_Act]) -> list[engine.Event]:
    """The infusions behind `input_` parameters: taken out of the rules, the parameters and `acts`."""
    found: list[engine.Event] = []
    for name in dict.fromkeys(act.variable for act in acts if act.variable.startswith(_INPUT)):
        state = name.removeprefix(_INPUT)
        rule, parameter = model.getRateRuleByVariable(state), model.getParameter(name)
        own = sorted((act for act in acts if act.variable == name), key=lambda act: act.time)
        if rule is None or parameter is None or _last_term(rule.getMath()) != name or any(act.keep for act in own):
            continue  # not of our making: it stays a parameter that changes
        if parameter.getValue() != 0 or own[-1].add != 0:
            continue
        rule.setMath(rule.getMath().getChild(0).deepCopy())
        model.removeParameter(name)
        for act, after in itertools.pairwise(own):
            if act.add:
                length = after.time - act.time
                found.append(engine.Infusion(act.time, state, act.add * length, length))
        acts[:] = [act for act in acts if act.variable != name]
    return found


def _last_term(math: Any) -> str:
    import libsbml

    if math.getType() != libsbml.AST_PLUS or math.getNumChildren() != 2:
        return ""
    return math.getChild(1).getName() or ""
