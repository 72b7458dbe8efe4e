"""The symbolic form of a model, from its SBML by SymPy: equations to show, and the reference right-hand side.

The one thing to know: nothing here goes through the kernel's lowering, so a solver that runs on this right-hand
side is an independent witness of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Symbolic:
    """SymPy expressions by name. `assignments` stand in an order in which each uses only earlier ones."""

    states: tuple[str, ...]
    parameters: tuple[str, ...]
    rates: dict[str, sympy.Expr]
    assignments: dict[str, sympy.Expr]
    initial: dict[str, sympy.Expr]
    sbml: str

    @staticmethod
    def of(sbml: str) -> Symbolic:
        """The symbolic form of an SBML text of rate rules and assignments."""
        import libsbml

        document = libsbml.readSBMLFromString(sbml)
        model = document.getModel()
        rates: dict[str, Any] = {}
        assignments: dict[str, Any] = {}
        for k in range(model.getNumRules()):
            rule = model.getRule(k)
            (rates if rule.isRate() else assignments)[rule.getVariable()] = _sympy(rule.getMath())
        initial = {}
        for k in range(model.getNumInitialAssignments()):
            start = model.getInitialAssignment(k)
            initial[start.getSymbol()] = _sympy(start.getMath())
        once = {name: e for name, e in initial.items() if name not in rates}
        parameters = []
        for k in range(model.getNumParameters()):
            item = model.getParameter(k)
            name = item.getId()
            if name in rates and name not in initial:
                initial[name] = _number(item.getValue() if item.isSetValue() else 0.0)
            elif name not in rates and name not in assignments and name not in once:
                parameters.append(name)
        return Symbolic(
            states=tuple(rates),
            parameters=tuple(parameters),
            rates=rates,
            assignments=_in_order(assignments | once),
            initial={s: initial[s] for s in rates},
            sbml=sbml,
        )

    def functions(self, outputs: tuple[str, ...] = ()) -> Functions:
        """Plain Python functions: right-hand side, initial state, outputs; see `Functions`."""
        import sympy

        t = sympy.Symbol("time")
        x = [sympy.Symbol(s) for s in self.states]
        p = [sympy.Symbol(s) for s in self.parameters]

        def full(expression: Any, extra: Mapping[str, Any]) -> Any:
            for name in reversed(list(self.assignments)):
                expression = expression.xreplace({sympy.Symbol(name): self.assignments[name]})
            return expression.xreplace({sympy.Symbol(name): value for name, value in extra.items()})

        def function(expressions: list[Any]) -> Callable[..., Any]:
            return sympy.lambdify([t, x, p], expressions, modules=["numpy"], cse=True)

        known: dict[str, Any] = dict(self.assignments) | {s: sympy.Symbol(s) for s in self.states}
        return Functions(
            states=self.states,
            parameters=self.parameters,
            _rate=function([full(self.rates[s], {}) for s in self.states]),
            _initial=function([full(self.initial[s], self.initial) for s in self.states]),
            _outputs=function([full(known[name], {}) for name in outputs]),
        )


@dataclass(frozen=True)
class Functions:
    """The model as functions of (time, states, parameters by name), for reference solvers."""

    states: tuple[str, ...]
    parameters: tuple[str, ...]
    _rate: Callable[..., Any]
    _initial: Callable[..., Any]
    _outputs: Callable[..., Any]

    def _values(self, parameters: Mapping[str, float]) -> list[float]:
        return [parameters[name] for name in self.parameters]

    def rate(self, time: float, x: Any, parameters: Mapping[str, float]) -> np.ndarray:
        """dx/dt, one number per state."""
        return np.array(self._rate(time, x, self._values(parameters)), dtype=float)

    def bound_rate(self, parameters: Mapping[str, float]) -> Callable[[float, Any], np.ndarray]:
        """dx/dt as a function of time and state with the parameters filled in, as scipy wants it."""
        values = self._values(parameters)
        return lambda t, x: np.array(self._rate(t, x, values), dtype=float)

    def initial(self, parameters: Mapping[str, float], time: float = 0.0) -> np.ndarray:
        """The states at the start."""
        return np.array(self._initial(time, [0.0] * len(self.states), self._values(parameters)), dtype=float)

    def outputs(self, time: Any, x: Any, parameters: Mapping[str, float]) -> np.ndarray:
        """The outputs asked for, shape (outputs, times), at states `x` of shape (states, times)."""
        values = self._outputs(time, list(x), self._values(parameters))
        return np.array([np.broadcast_to(np.asarray(v, dtype=float), np.shape(time)) for v in values])


def _number(value: float) -> Any:
    import sympy

    return sympy.Integer(int(value)) if value == int(value) else sympy.Float(value, 17)


def _in_order(assignments: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}

    def visit(name: str) -> None:
        if name in out:
            return
        for other in sorted(str(s) for s in assignments[name].free_symbols):
            if other in assignments:
                visit(other)
        out[name] = assignments[name]

    for name in assignments:
        visit(name)
    return out


def _sympy(node: Any) -> Any:
    import libsbml as m
    import sympy

    kind = node.getType()
    if node.isNumber():
        return _number(node.getValue())
    if kind in (m.AST_NAME, m.AST_NAME_TIME):
        return sympy.Symbol("time" if kind == m.AST_NAME_TIME else node.getName())
    constants = {m.AST_CONSTANT_E: sympy.E, m.AST_CONSTANT_PI: sympy.pi, m.AST_CONSTANT_TRUE: sympy.true,
                 m.AST_CONSTANT_FALSE: sympy.false}  # fmt: skip
    if kind in constants:
        return constants[kind]
    a = [_sympy(node.getChild(k)) for k in range(node.getNumChildren())]
    if kind == m.AST_FUNCTION_PIECEWISE:
        pairs = [(a[k], a[k + 1]) for k in range(0, len(a) - 1, 2)]
        return sympy.Piecewise(*pairs, *([(a[-1], True)] if len(a) % 2 else []))
    if kind == m.AST_MINUS:
        return -a[0] if len(a) == 1 else a[0] - a[1]
    if kind == m.AST_FUNCTION_LOG:
        return sympy.log(a[1]) / sympy.log(a[0]) if len(a) == 2 else sympy.log(a[0]) / sympy.log(10)
    if kind == m.AST_FUNCTION_ROOT:
        return a[1] ** (1 / a[0]) if len(a) == 2 else sympy.sqrt(a[0])
    many = {
        m.AST_PLUS: sympy.Add, m.AST_TIMES: sympy.Mul, m.AST_DIVIDE: lambda x, y: x / y, m.AST_POWER: sympy.Pow,
        m.AST_FUNCTION_POWER: sympy.Pow, m.AST_FUNCTION_EXP: sympy.exp, m.AST_FUNCTION_LN: sympy.log,
        m.AST_FUNCTION_ABS: sympy.Abs, m.AST_FUNCTION_MIN: sympy.Min, m.AST_FUNCTION_MAX: sympy.Max,
        m.AST_FUNCTION_TANH: sympy.tanh, m.AST_LOGICAL_AND: sympy.And, m.AST_LOGICAL_OR: sympy.Or,
        m.AST_LOGICAL_NOT: sympy.Not, m.AST_RELATIONAL_LT: sympy.Lt, m.AST_RELATIONAL_LEQ: sympy.Le,
        m.AST_RELATIONAL_GT: sympy.Gt, m.AST_RELATIONAL_GEQ: sympy.Ge, m.AST_RELATIONAL_EQ: sympy.Eq,
        m.AST_RELATIONAL_NEQ: sympy.Ne,
    }  # fmt: skip
    return many[kind](*a)
