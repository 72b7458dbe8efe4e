"""Model text to kernel to numbers. Knows no pharmacology.

`compile_model(text)` reads Antimony and checks it; `solve(...)` runs it over people. README.md in this folder
explains the scheme. Names are loaded when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regrow.engine.events import Bolus, Change, Event, Infusion, Jump
    from regrow.engine.model import Model, compile_model, compile_sbml
    from regrow.engine.run import Solution, solve, threads

_HOME = {
    "Bolus": "events",
    "Change": "events",
    "Event": "events",
    "Infusion": "events",
    "Jump": "events",
    "Model": "model",
    "compile_model": "model",
    "compile_sbml": "model",
    "Solution": "run",
    "solve": "run",
    "threads": "run",
}

__all__ = [
    "Bolus",
    "Change",
    "Event",
    "Infusion",
    "Jump",
    "Model",
    "Solution",
    "compile_model",
    "compile_sbml",
    "solve",
    "threads",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"regrow.engine.{_HOME[name]}"), name)
    raise AttributeError(f"module 'regrow.engine' has no attribute '{name}'")
