"""A compiled model: names, units, the lowered program, and the SBML it came from.

The one thing to know: `compile_model` keeps the lowered program in the cache folder under a hash of the text, so a
second start imports neither Antimony, libSBML nor SymPy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from regrow.engine import cache
from regrow.engine.lower import Program

if TYPE_CHECKING:
    from regrow.engine.symbolic import Symbolic


@dataclass(frozen=True, eq=False)
class Model:
    """What a model text says, ready to be solved.

    `key` is a hash of the text; `units` maps each name to its unit as declared ("" where it was not);
    `defaults` are values that the text itself gives to parameters; `notes` what could not be checked.
    """

    key: str
    program: Program
    sbml: str
    units: dict[str, str]
    defaults: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states, in the text's order: the rows of `start` and `Solution.end`."""
        return self.program.states

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that a run must give values for (those in `defaults` may be left out)."""
        return self.program.parameters

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every state and every derived quantity: what `solve` can give back."""
        return tuple(self.program.outputs)

    @property
    def general(self) -> str | None:
        """Why the cascade scheme cannot take this model (the equation named), or None."""
        return self.program.general

    def symbolic(self) -> Symbolic:
        """The symbolic form (SymPy, from the SBML): equations, right-hand side for reference solvers."""
        from regrow.engine.symbolic import Symbolic

        return Symbolic.of(self.sbml)

    def needs(self, outputs: Iterable[str]) -> frozenset[str]:
        """The parameters that `outputs` depend on, through the whole cascade."""
        return _needs(self.program, frozenset(outputs))


def compile_model(text: str) -> Model:
    """The compiled model of an Antimony text (rate rules and assignments, no `model` wrapper needed).

    Raises Refusal MODEL-TEXT, MODEL-UNITS, MODEL-INVALID, MODEL-UNSUPPORTED, MODEL-CIRCULAR, MODEL-UNKNOWN-NAME.
    """
    return _compile("model", text)


def compile_sbml(sbml: str) -> Model:
    """The compiled model of an SBML text of rate rules and assignments, without events; refuses as `compile_model`."""
    return _compile("sbml", sbml)


@lru_cache(maxsize=64)
def _compile(form: Literal["model", "sbml"], text: str) -> Model:
    key = cache.key(form, text)
    name = f"model-{key}.json"
    kept = cache.load(name)
    if kept is not None:
        try:
            return _from_json(key, kept)
        except (ValueError, KeyError, TypeError):
            pass  # a damaged file is made anew
    from regrow.engine.lower import lower
    from regrow.engine.text import read, read_sbml

    equations = read(text) if form == "model" else read_sbml(text)
    model = Model(
        key=key,
        program=lower(equations),
        sbml=equations.sbml,
        units=equations.units,
        defaults=equations.defaults,
        notes=tuple(equations.notes),
    )
    cache.store(name, json.dumps(asdict(model)).encode())
    return model


def _from_json(key: str, content: bytes) -> Model:
    data = json.loads(content)
    program = data.pop("program")
    program["nodes"] = tuple(tuple(node) for node in program["nodes"])
    for name in ("states", "parameters", "items"):
        program[name] = tuple(program[name])
    program["frozen"] = {name: tuple(v) for name, v in program["frozen"].items()}
    data["notes"] = tuple(data["notes"])
    if data["key"] != key:
        raise ValueError("another model")
    return Model(program=Program(**program), **data)


def _needs(program: Program, outputs: frozenset[str]) -> frozenset[str]:
    from regrow.engine.expression import Graph

    graph = Graph(program.nodes)
    names: set[str] = set()
    todo = [program.outputs[name] for name in outputs]
    seen: set[str] = set()
    while todo:
        found = graph.symbols(todo.pop())
        names |= found
        for state in found & set(program.states) - seen:
            seen.add(state)
            todo += [program.rates[state], program.initial[state]]
    return frozenset(names & set(program.parameters))
