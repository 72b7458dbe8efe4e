"""The model's equations as a page: each with its unit and the author's own words, each number with status and source.

The one thing to know: nothing is written here twice. Formulas come from the SBML of the model text, words from the
text's comments, values from `parameters.toml` and the plasma model's file; a changed equation changes this page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from regrow import __version__, engine, mechanism
from regrow.catalog import models, structures
from regrow.exchange import files
from regrow.page.shell import document

ENDINGS = (".html", ".md")
NOTICE = "Not a medical device. These are the equations that regrow calculates with: a model, not a patient."
_BARE = ("", "dimensionless")
_DEFINED = re.compile(r"^\s*([A-Za-z_]\w*)\s*('|:)?\s*=(?!=)")


@dataclass(frozen=True)
class Number:
    """A parameter as the page shows it."""

    value: float
    unit: str
    status: str
    source: str
    meaning: str
    spread: str = ""
    measure: str = ""


def write(out: Path, model: str = "d1", *, joined: tuple[str, ...] = ()) -> None:
    """Writes the page of plasma model `model` and the mechanism to `out` (.html or .md), whole or not at all.

    `joined` names optional parts of the text. Refuses with OUT-ENDING, OUT-FOLDER, UNKNOWN-MODEL, UNKNOWN-MODULE.
    """
    files.check(out, ENDINGS)
    content = page(model, joined=joined, form=out.suffix.lower()[1:]).encode()
    files.publish({out: lambda stream: files.put(stream, content)})


def page(
    model: str = "d1", *, joined: tuple[str, ...] = (), form: str = "md", parts: Mapping[str, str] | None = None
) -> str:
    """The page as HTML or Markdown; `parts` may give the text itself, part by part, in place of the shipped one."""
    plasma = models.get(model)
    structure = structures.get(plasma.structure).text
    text = parts or mechanism.parts(structure, modules=(*mechanism.CORE, *joined))
    compiled = engine.compile_model("\n".join(text.values()))
    numbers = _numbers(plasma)
    source = _Source(compiled)
    shown = [_part(name, part, source, numbers) for name, part in text.items() if name != "units"]
    lead = (
        f"regrow {__version__}. Plasma model {plasma.id}: {plasma.title}. Hours, litres, mg of base, mg/L, umol/L; a "
        "score counts as dimensionless."
    )
    return _as_html(lead, shown) if form == "html" else _as_markdown(lead, shown)


def _numbers(plasma: models.Model) -> dict[str, Number]:
    found = {}
    for name, p in mechanism.parameters().items():
        spread = ""
        if p.spread:
            spread = f"log-normal, omega {p.spread.omega:g}" if p.spread.omega else f"normal, SD {p.spread.sd:g}"
        found[name] = Number(p.value, p.unit, p.status, p.source, p.meaning, spread, p.measure)
    for name, quantity in structures.get(plasma.structure).parameters.items():
        row = plasma.parameters.get(name)
        if row is None:
            if quantity.neutral is not None:
                why = "not in this plasma model: the value that switches it off"
                found[name] = Number(quantity.neutral, quantity.unit, "not used", why, quantity.what)
            continue
        spread = ""
        if row.spread:
            spread = (
                f"log-normal, variance {row.spread.omega2:g}"
                if row.spread.omega2 is not None
                else f"SD {row.spread.logit_sd:g} on the logit"
            )
        found[name] = Number(row.value, row.unit, row.status, row.source, quantity.what, spread, row.measure or "")
    return found


# --- the text, part by part -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Equation:
    """`name` is a state with a rate, a derived quantity, or a value at the start; `kind` rate, rule or start."""

    name: str
    kind: str
    unit: str
    math: Any
    words: str


@dataclass(frozen=True)
class Part:
    name: str
    title: str
    head: str
    equations: tuple[Equation, ...]
    numbers: tuple[tuple[str, Number | None, str], ...]  # name, what is known, unit in the text


class _Source:
    """The formulas of a compiled model by name, as libSBML's trees."""

    def __init__(self, model: engine.Model) -> None:
        import libsbml

        self.model = model
        self.document = libsbml.readSBMLFromString(model.sbml)
        sbml = self.document.getModel()
        self.rules = {}
        for k in range(sbml.getNumRules()):
            rule = sbml.getRule(k)
            self.rules["rate" if rule.isRate() else "rule", rule.getVariable()] = rule.getMath()
        for k in range(sbml.getNumInitialAssignments()):
            start = sbml.getInitialAssignment(k)
            self.rules["start", start.getSymbol()] = start.getMath()

    def names(self, math: Any) -> list[str]:
        if math.isName():
            return [math.getName()]
        return [name for k in range(math.getNumChildren()) for name in self.names(math.getChild(k))]


def _part(name: str, text: str, source: _Source, numbers: Mapping[str, Number]) -> Part:
    lines = text.splitlines()
    head: list[str] = []
    while lines and lines[0].startswith("//"):
        head.append(lines.pop(0).removeprefix("//").removeprefix(" "))
    equations: list[Equation] = []
    words: list[str] = []
    for line in lines:
        if line.startswith("//"):
            words.append(line.removeprefix("//").strip())
            continue
        if not line.strip():
            words = []
            continue
        for statement in line.split("//")[0].split(";"):
            if found := _DEFINED.match(statement):
                kind = {"'": "rate", ":": "rule", None: "start"}[found[2]]
                math = source.rules.get((kind, found[1]))
                if math is not None:
                    unit = source.model.units.get(found[1], "")
                    equations.append(Equation(found[1], kind, unit, math, " ".join(words)))
                    words = []
    used = dict.fromkeys(name for equation in equations for name in source.names(equation.math))
    own = [name for name in used if name in source.model.parameters]
    rows = tuple((name, numbers.get(name), source.model.units.get(name, "")) for name in own)
    title = head[0].rstrip(".") if head else name
    return Part(name, title, "\n".join(head[1:]).strip("\n"), tuple(equations), rows)


# --- Markdown -------------------------------------------------------------------------------------------------------


def _as_markdown(lead: str, parts: list[Part]) -> str:
    import libsbml

    out = ["# The equations of the model", "", NOTICE, "", lead, ""]
    for part in parts:
        out += [f"## {part.title}", "", "```", part.head, "```", ""]
        for equation in part.equations:
            if equation.words:
                out += [equation.words, ""]
            formula = libsbml.formulaToL3String(equation.math).replace(" dimensionless", "")
            unit = f"    [{_unit(equation.unit)}]" if equation.unit not in _BARE else ""
            out += [f"    {_left(equation)} = {formula}{unit}", ""]
        if part.numbers:
            out += ["| name | value | unit | status | what it is | source |", "|---|---|---|---|---|---|"]
            out += [f"| {' | '.join(cell.replace('|', '/') for cell in _cells(*row))} |" for row in part.numbers]
            out.append("")
    return "\n".join(out)


def _unit(written: str) -> str:
    """A unit of the text as people write it: mg_per_L is mg/L."""
    short = {
        "dimensionless": "1",
        "hour": "h",
        "litre": "L",
        "L_per_hour": "L/h",
        "per_hour": "1/h",
        "per_min": "1/min",
    }
    return short.get(written, written.replace("_per_hour", "/h").replace("_per_", "/"))


def _left(equation: Equation) -> str:
    return {"rate": f"d{equation.name}/dt", "rule": equation.name, "start": f"{equation.name}(0)"}[equation.kind]


def _cells(name: str, number: Number | None, unit: str) -> list[str]:
    if number is None:
        return [name, "", _unit(unit), "given by the run", "", ""]
    more = f"{number.meaning}; spread {number.spread}" if number.spread else number.meaning
    source = f"{number.source}. Would be settled by: {number.measure}" if number.measure else number.source
    return [name, f"{number.value:.6g}", number.unit, number.status, more, source]


# --- HTML -----------------------------------------------------------------------------------------------------------


def _as_html(lead: str, parts: list[Part]) -> str:
    body = []
    for part in parts:
        shown = [f'<section aria-labelledby="{part.name}"><h2 id="{part.name}">{escape(part.title)}</h2>']
        shown.append(
            f'<div class="scroll" tabindex="0" role="group" aria-label="in words"><pre>{escape(part.head)}</pre></div>'
        )
        for equation in part.equations:
            if equation.words:
                shown.append(f"<p>{escape(equation.words)}</p>")
            unit = f'<span class="soft">{escape(_unit(equation.unit))}</span>' if equation.unit not in _BARE else ""
            shown.append(
                f'<div class="scroll equation" tabindex="0" role="group" aria-label="{escape(_left(equation))}">'
                f'<math displaystyle="true"><mrow>{_math_left(equation)}<mo>=</mo>{mathml(equation.math)}</mrow></math>'
                f"{unit}</div>"
            )
        if part.numbers:
            head = "".join(
                f'<th scope="col">{h}</th>' for h in ("name", "value", "unit", "status", "what it is", "source")
            )
            rows = "".join(_row(*row) for row in part.numbers)
            shown.append(
                f'<div class="scroll" tabindex="0" role="group" aria-label="numbers of {escape(part.name)}">'
                f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
            )
        body.append("\n".join([*shown, "</section>"]))
    contents = "".join(f'<li><a href="#{part.name}">{escape(part.title)}</a></li>' for part in parts)
    title = "The equations of the model"
    return document(
        [f"<p>{escape(lead)}</p><ul>{contents}</ul>", *body],
        title=f"{title} - regrow",
        heading=title,
        eyebrow="How ketamine works, as equations",
        notice=NOTICE,
    )


def _row(name: str, number: Number | None, unit: str) -> str:
    _, value, shown, status, meaning, source = _cells(name, number, unit)
    tag = f'<span class="tag {_TAGS.get(status, "model")}">{escape(status)}</span>' if status else ""
    return (
        f'<tr><th scope="row"><math>{_name(name)}</math></th><td class="number">{escape(value)}</td>'
        f"<td>{escape(shown)}</td><td>{tag}</td><td>{escape(meaning)}</td><td><small>{escape(source)}</small></td></tr>"
    )


_TAGS = {"measured": "people", "calibrated": "partly", "assumed": "animals"}


def _math_left(equation: Equation) -> str:
    name = _name(equation.name)
    if equation.kind == "rate":
        return f"<mfrac><mrow><mi>d</mi>{name}</mrow><mrow><mi>d</mi><mi>t</mi></mrow></mfrac>"
    return name if equation.kind == "rule" else f"<mrow>{name}<mo>(</mo><mn>0</mn><mo>)</mo></mrow>"


_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "kappa": "κ", "lambda": "λ", "omega": "ω", "phi": "φ", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "theta": "θ", "xi": "ξ",
}  # fmt: skip


def _name(name: str) -> str:
    """A name with what stands behind its first underscore as a subscript."""
    first, _, rest = name.partition("_")
    letter = first.rstrip("0123456789")
    if letter in _GREEK and letter != first:
        first, rest = letter, "_".join(part for part in (first.removeprefix(letter), rest) if part)
    base = f"<mi>{_GREEK.get(first, escape(first))}</mi>"
    below = escape(rest.replace("_", ", "))
    return f"<msub>{base}<mtext>{below}</mtext></msub>" if rest else base


def mathml(math: Any) -> str:
    """A libSBML formula as presentation MathML, in the order in which it was written."""
    return _Mathml()(math)


class _Mathml:
    """Writes a tree; `tight` is how strongly what stands around binds an operand: 1 sum, 2 product, 3 power."""

    def __call__(self, math: Any, tight: int = 0) -> str:
        import libsbml as m

        kind = math.getType()
        if math.isNumber():
            return (
                f"<mn>{math.getValue():.12g}</mn>"
                if math.getValue() >= 0
                else self._bracket(f"<mn>{math.getValue():.12g}</mn>", tight > 0)
            )
        if kind == m.AST_NAME_TIME:
            return "<mi>t</mi>"
        if math.isName():
            return _name(math.getName())
        if kind == m.AST_PLUS:
            return self._bracket(self._joined(math, "<mo>+</mo>", 1), tight > 1)
        if kind == m.AST_MINUS and math.getNumChildren() == 1:
            return self._bracket(f"<mo>−</mo>{self(math.getChild(0), 2)}", tight > 0)
        if kind == m.AST_MINUS:
            return self._bracket(f"{self(math.getChild(0), 1)}<mo>−</mo>{self(math.getChild(1), 2)}", tight > 1)
        if kind == m.AST_TIMES:
            first = math.getChild(0)
            if first.getType() == m.AST_MINUS and first.getNumChildren() == 1:  # -a b, not (-a) b
                rest = [self(math.getChild(k), 2) for k in range(1, math.getNumChildren())]
                product = "<mo>·</mo>".join([self(first.getChild(0), 2), *rest])
                return self._bracket(f"<mo>−</mo>{product}", tight > 0)
            return self._bracket(self._joined(math, "<mo>·</mo>", 2), tight > 2)
        if kind == m.AST_DIVIDE:
            made = f"<mfrac><mrow>{self(math.getChild(0))}</mrow><mrow>{self(math.getChild(1))}</mrow></mfrac>"
            return self._bracket(made, tight > 2)
        if kind in (m.AST_POWER, m.AST_FUNCTION_POWER):
            return f"<msup><mrow>{self(math.getChild(0), 3)}</mrow><mrow>{self(math.getChild(1))}</mrow></msup>"
        if kind == m.AST_FUNCTION_PIECEWISE:
            return self._cases(math)
        return self._function(math)

    def _joined(self, math: Any, sign: str, tight: int) -> str:
        return sign.join(self(math.getChild(k), tight) for k in range(math.getNumChildren()))

    def _bracket(self, inside: str, needed: bool) -> str:
        return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>" if needed else f"<mrow>{inside}</mrow>"

    def _cases(self, math: Any) -> str:
        children = [self(math.getChild(k)) for k in range(math.getNumChildren())]
        rows = [
            f"<mtr><mtd>{v}</mtd><mtd><mtext>if </mtext>{c}</mtd></mtr>"
            for v, c in zip(children[::2], children[1::2], strict=False)
        ]
        if len(children) % 2:
            rows.append(f"<mtr><mtd>{children[-1]}</mtd><mtd><mtext>else</mtext></mtd></mtr>")
        return f"<mrow><mo>{{</mo><mtable>{''.join(rows)}</mtable></mrow>"

    def _function(self, math: Any) -> str:
        import libsbml as m

        signs = {
            m.AST_RELATIONAL_LT: "&lt;", m.AST_RELATIONAL_LEQ: "≤", m.AST_RELATIONAL_GT: "&gt;",
            m.AST_RELATIONAL_GEQ: "≥", m.AST_RELATIONAL_EQ: "=", m.AST_RELATIONAL_NEQ: "≠", m.AST_LOGICAL_AND: "and",
            m.AST_LOGICAL_OR: "or",
        }  # fmt: skip
        if sign := signs.get(math.getType()):
            return f"<mrow>{self._joined(math, f'<mo>{sign}</mo>', 1)}</mrow>"
        word = math.getName() or m.formulaToL3String(math).split("(")[0]
        return f"<mrow><mi>{escape(word)}</mi><mo>(</mo>{self._joined(math, '<mo>,</mo>', 0)}<mo>)</mo></mrow>"
