"""regrow plans, delivers and follows ketamine treatment on a mechanistic model of how ketamine works.

It is not a medical device: it calculates, reminds and refuses; it never starts, changes or stops a drug.
The public names load lazily (PEP 562), so `import regrow` stays light; `simulate` and `run` are in `regrow.simulate`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing: the less is imported before __main__ sees to Ctrl-C, the better
if TYPE_CHECKING:
    from regrow.catalog.protocols import get as protocol
    from regrow.people import Person, Population, Stated
    from regrow.refusal import Failure, Refusal
    from regrow.regimen import Course
    from regrow.results import summary

__version__ = "0.1.0"

_HOME = {
    "Course": "regimen.Course",
    "Failure": "refusal.Failure",
    "Person": "people.Person",
    "Population": "people.Population",
    "Refusal": "refusal.Refusal",
    "Stated": "people.Stated",
    "protocol": "catalog.protocols.get",
    "summary": "results.summary",
}

__all__ = [
    "Course",
    "Failure",
    "Person",
    "Population",
    "Refusal",
    "Stated",
    "__version__",
    "protocol",
    "summary",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        from importlib import import_module

        module, _, attribute = _HOME[name].rpartition(".")
        return getattr(import_module(f"regrow.{module}"), attribute)
    raise AttributeError(f"module 'regrow' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
