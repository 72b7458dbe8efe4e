"""Model text (Antimony) to checked SBML, and SBML to an expression graph.

The one thing to know: units are checked by libSBML after every bare number of the text was marked dimensionless.
Without that a bare number fits any unit and hides real errors. What libSBML says becomes a Refusal that names the
equation.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from regrow.engine.expression import Graph
from regrow.refusal import Refusal

#: Units that a text may use without defining them; a text's own definition of the same name wins.
UNITS = {
    "hour": "3600 second",
    "minute": "60 second",
    "day": "86400 second",
    "kg": "kilogram",
    "g": "1e-3 kilogram",
    "mg": "1e-6 kilogram",
    "ug": "1e-9 kilogram",
    "ng": "1e-12 kilogram",
    "L": "litre",
    "mL": "1e-3 litre",
    "mol": "mole",
    "umol": "1e-6 mole",
    "nmol": "1e-9 mole",
    "mmHg": "133.322387415 pascal",
    "cm": "1e-2 metre",
    "time_unit": "3600 second",
}

UNDECLARED = {20702, 99505, 99506, 99508}  # libSBML: "units not declared, cannot be checked"
_ANTIMONY = threading.Lock()  # the library keeps its models in one place for the whole process


@dataclass
class Equations:
    """A model as expressions: what the SBML says, no more."""

    sbml: str
    graph: Graph = field(default_factory=Graph)
    rates: dict[str, int] = field(default_factory=dict)  # state -> its rate
    assignments: dict[str, int] = field(default_factory=dict)  # derived name -> expression, in the text's order
    initial: dict[str, int] = field(default_factory=dict)  # name -> expression at the start
    defaults: dict[str, float] = field(default_factory=dict)  # parameter -> the value the text gives
    parameters: list[str] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what could not be checked


def to_sbml(text: str) -> str:
    """SBML Level 3 of an Antimony text. Raises Refusal MODEL-TEXT with Antimony's own words and line."""
    import antimony

    wrapped = re.search(r"^\s*(model|module)\b", text, re.MULTILINE) is not None
    if wrapped:
        source, shift = text, 0
    else:
        prelude = [f"unit {name} = {UNITS[name]};" for name in _units_left_open(text)]
        source, shift = "\n".join(["model *regrow()", *prelude, text, "end", ""]), len(prelude) + 1
    with _ANTIMONY:
        antimony.clearPreviousLoads()
        if antimony.loadAntimonyString(source) < 0:
            said = " ".join((antimony.getLastError() or "").split())
            said = re.sub(r"line (\d+)", lambda m: f"line {int(m[1]) - shift}", said)
            raise Refusal("MODEL-TEXT", f"the model text cannot be read: {said}", field="model")
        main = antimony.getMainModuleName()
        others = [
            name for name in re.findall(r"^\s*(?:model|module)\s+\*?\s*(\w+)", source, re.MULTILINE) if name != main
        ]
        if idle := [name for name in others if not re.search(rf":\s*{name}\s*\(", source)]:
            sentence = f"the model text has more than one model; {', '.join(idle)} would not be run. Give one in a file"
            raise Refusal("MODEL-TEXT", sentence, field="model", value=idle)
        return antimony.getSBMLString(main) or ""


def _units_left_open(text: str) -> list[str]:
    """Names of `UNITS` that the text uses as units without defining them; others stay free for variables."""
    code = re.sub(r"(//|#).*", "", text)
    own = set(re.findall(r"\bunit\s+(\w+)\s*=", code))
    said = re.findall(r"\bunit\s+\w+\s*=([^;\n]*)|\bhas\s+([^;,\n]*)", code)
    used = {word for pair in said for part in pair for word in re.findall(r"[A-Za-z_]\w*", part)} | {"time_unit"}
    return [name for name in UNITS if name in used and name not in own]


def read(text: str) -> Equations:
    """The equations of an Antimony text, checked by libSBML.

    Raises Refusal: MODEL-TEXT (not Antimony), MODEL-UNITS (units do not agree), MODEL-INVALID (not a consistent
    model), MODEL-UNSUPPORTED (reactions, events, delays, algebraic rules), each naming the place.
    """
    code = re.sub(r"(//|#).*", "", text)
    written = re.findall(r"\b(\w+)\s+has\s+([^;,\n]+?)\s*(?:[;,\n]|$)", code)
    return read_sbml(to_sbml(text), dict(written))


def read_sbml(sbml: str, written: Mapping[str, str] | None = None) -> Equations:
    """The equations of an SBML text of rate rules and assignments, checked by libSBML; refuses as `read` does.

    `written` holds units as a model text has them, by name; other names have the SBML's own.
    """
    import libsbml

    document = libsbml.readSBMLFromString(sbml)
    model = document.getModel()
    if model is None:
        said = " ".join(document.getError(0).getMessage().split()) if document.getNumErrors() else "no model in it"
        raise Refusal("MODEL-TEXT", f"the SBML cannot be read: {said}", field="model")
    _refuse_what_is_not_equations(model)
    for holder in _math_holders(model):
        _mark_numbers(holder.getMath())
    notes = _check(document)
    named: dict[str, str] = dict(written or {})
    equations = Equations(sbml=libsbml.writeSBMLToString(document), notes=notes)
    graph = equations.graph
    for k in range(model.getNumRules()):
        rule = model.getRule(k)
        target = equations.rates if rule.isRate() else equations.assignments
        target[rule.getVariable()] = _expression(graph, rule.getMath(), rule.getVariable())
    for k in range(model.getNumInitialAssignments()):
        start = model.getInitialAssignment(k)
        equations.initial[start.getSymbol()] = _expression(graph, start.getMath(), start.getSymbol())
    for item in (*_all(model.getListOfParameters()), *_all(model.getListOfCompartments())):
        name = item.getId()
        value = item.getValue() if hasattr(item, "isSetValue") else item.getSize()
        given = item.isSetValue() if hasattr(item, "isSetValue") else item.isSetSize()
        equations.units[name] = named.get(name) or item.getUnits()
        if name in equations.rates:
            if name not in equations.initial:
                equations.initial[name] = graph.number(value if given else 0.0)
        elif name not in equations.assignments:
            if name in equations.initial:  # a parameter computed once, at the start
                continue
            equations.parameters.append(name)
            if given:
                equations.defaults[name] = value
    return equations


def _all(items: Any) -> list[Any]:
    return [items.get(k) for k in range(items.size())]


def _refuse_what_is_not_equations(model: Any) -> None:
    found = {
        "reactions": model.getListOfReactions(),
        "events": model.getListOfEvents(),
        "function definitions": model.getListOfFunctionDefinitions(),
        "species": model.getListOfSpecies(),
    }
    for what, items in found.items():
        if names := [item.getId() for item in _all(items)]:
            raise Refusal(
                "MODEL-UNSUPPORTED",
                f"the model text has {what} ({', '.join(names[:6])}); write rate rules (x' = ...) and assignments "
                "(y := ...), and give doses as events of the run",
                field=what,
                value=names,
            )
    for rule in _all(model.getListOfRules()):
        if rule.isAlgebraic():
            raise Refusal("MODEL-UNSUPPORTED", "the model text has an algebraic rule; write x' = ... or y := ...")


def _math_holders(model: Any) -> list[Any]:
    return [*_all(model.getListOfRules()), *_all(model.getListOfInitialAssignments())]


def _mark_numbers(node: Any) -> None:
    if node.isNumber() and not node.isSetUnits():
        node.setUnits("dimensionless")
    for k in range(node.getNumChildren()):
        _mark_numbers(node.getChild(k))


def _check(document: Any) -> list[str]:
    import libsbml

    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    # a text that declares no unit at all has none that could disagree with the dimensionless numbers in it
    declares = any(p.isSetUnits() for p in _all(document.getModel().getListOfParameters()))
    document.checkConsistency()
    undeclared: dict[str, None] = {}
    for k in range(document.getNumErrors()):
        error = document.getError(k)
        said = " ".join(error.getMessage().split())
        if error.getErrorId() in UNDECLARED:
            named = re.search(r"(<\w+> with id '\w+'|<math> expression '[^']*')", said)
            undeclared[f"units not declared, so not checked: {named[1] if named else said}"] = None
            continue
        if error.getSeverity() < libsbml.LIBSBML_SEV_WARNING:
            continue
        what = "UNITS" if "unit" in error.getCategoryAsString().lower() else "INVALID"
        if what == "UNITS" and not declares:
            undeclared["no units are declared, so those of a piecewise or an assignment were not checked"] = None
            continue
        near = _equation_at(document, error, said)
        hint = " (a number has no unit: give it a name, and the name its unit with `has`)" if what == "UNITS" else ""
        sentence = f"{near}{said[-400:] if len(said) > 700 else said}{hint}"
        raise Refusal(f"MODEL-{what}", sentence, field=near.strip(": "))
    return list(undeclared)


def _equation_at(document: Any, error: Any, said: str) -> str:
    """The name of the equation that an error is about, as 'x: ' in front of libSBML's words."""
    import libsbml

    if quoted := re.search(r"[Tt]he formula '(.+?)' in the math", said):
        for rule in _all(document.getModel().getListOfRules()):
            # libSBML writes a formula in one of its two ways
            if any(
                quoted[1] in write(rule.getMath()) for write in (libsbml.formulaToL3String, libsbml.formulaToString)
            ):
                return f"equation of {rule.getVariable()}: "
    for rule in _all(document.getModel().getListOfRules()):
        if rule.getLine() and rule.getLine() <= error.getLine():
            near = rule
        else:
            continue
        if f"'{near.getVariable()}'" in said:
            return f"equation of {near.getVariable()}: "
    named = re.search(r"variable '(\w+)'|symbol '(\w+)'", said)
    return f"equation of {named[1] or named[2]}: " if named else ""


def _expression(graph: Graph, node: Any, where: str) -> int:
    """An SBML formula as a node of the graph. Raises Refusal MODEL-UNSUPPORTED naming function and equation."""
    import libsbml as m

    def walk(n: Any) -> int:
        kind = n.getType()
        if n.isNumber():
            return graph.number(n.getValue())
        if kind == m.AST_NAME:
            return graph.symbol(n.getName())
        if kind == m.AST_NAME_TIME:
            return graph.symbol("time")
        if kind == m.AST_CONSTANT_E:
            return graph.number(2.718281828459045)
        if kind == m.AST_CONSTANT_PI:
            return graph.number(3.141592653589793)
        if kind in (m.AST_CONSTANT_TRUE, m.AST_CONSTANT_FALSE):
            one = graph.number(1.0)
            return graph.op("eq", one, one if kind == m.AST_CONSTANT_TRUE else graph.number(0.0))
        children = [n.getChild(k) for k in range(n.getNumChildren())]
        if kind == m.AST_FUNCTION_PIECEWISE:
            return piecewise(children)
        a = [walk(c) for c in children]
        if kind in chains:
            out = a[0] if a else graph.number(neutral.get(kind, 0.0))
            for other in a[1:]:
                out = graph.op(chains[kind], out, other)
            return out
        if kind == m.AST_MINUS:
            return graph.op("neg", a[0]) if len(a) == 1 else graph.op("sub", a[0], a[1])
        if kind == m.AST_FUNCTION_LN:
            return graph.op("log", a[0])
        if kind == m.AST_FUNCTION_LOG:
            base, x = a if len(a) == 2 else (graph.number(10.0), a[0])
            return graph.op("div", graph.op("log", x), graph.op("log", base))
        if kind == m.AST_FUNCTION_ROOT:
            degree, x = a if len(a) == 2 else (graph.number(2.0), a[0])
            return graph.op("pow", x, graph.op("div", graph.number(1.0), degree))
        if kind == m.AST_FUNCTION_TANH:
            grown = graph.op("exp", graph.op("mul", graph.number(-2.0), graph.op("abs", a[0])))
            one = graph.number(1.0)
            size = graph.op("div", graph.op("sub", one, grown), graph.op("add", one, grown))
            return graph.op("select", graph.op("lt", a[0], graph.number(0.0)), graph.op("neg", size), size)
        if kind in plain:
            return graph.op(plain[kind], *a)
        if kind in (m.AST_RELATIONAL_GT, m.AST_RELATIONAL_GEQ):
            return graph.op("lt" if kind == m.AST_RELATIONAL_GT else "le", a[1], a[0])
        if kind == m.AST_RELATIONAL_NEQ:
            return graph.op("not", graph.op("eq", a[0], a[1]))
        raise Refusal(
            "MODEL-UNSUPPORTED",
            f"equation of {where}: '{n.getName() or m.formulaToL3String(n)}' is not among the functions a model may "
            "use (+ - * / ^ exp ln log sqrt abs tanh min max piecewise)",
            field=where,
        )

    def piecewise(children: list[Any]) -> int:
        pairs, rest = children[: len(children) // 2 * 2], children[len(children) // 2 * 2 :]
        if not rest:
            raise Refusal("MODEL-UNSUPPORTED", f"equation of {where}: piecewise needs a last value for all other cases")
        out = walk(rest[0])
        for k in range(len(pairs) - 2, -1, -2):
            out = graph.op("select", walk(pairs[k + 1]), walk(pairs[k]), out)
        return out

    chains = {m.AST_PLUS: "add", m.AST_TIMES: "mul", m.AST_FUNCTION_MAX: "max", m.AST_FUNCTION_MIN: "min",
              m.AST_LOGICAL_AND: "and", m.AST_LOGICAL_OR: "or"}  # fmt: skip
    neutral = {m.AST_TIMES: 1.0}
    plain = {m.AST_DIVIDE: "div", m.AST_POWER: "pow", m.AST_FUNCTION_POWER: "pow", m.AST_FUNCTION_EXP: "exp",
             m.AST_FUNCTION_ABS: "abs", m.AST_RELATIONAL_LT: "lt", m.AST_RELATIONAL_LEQ: "le",
             m.AST_RELATIONAL_EQ: "eq", m.AST_LOGICAL_NOT: "not"}  # fmt: skip
    return walk(node)
