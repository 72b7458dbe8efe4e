"""regrow plans, delivers and follows ketamine treatment on a mechanistic model of how ketamine works.

It is not a medical device: it calculates, reminds and refuses; it never starts, changes or stops a drug.
The public names load lazily (PEP 562), so `import regrow` stays light.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Refusal": "regrow.refusal",
}

__all__ = ["Refusal", "__version__"]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'regrow' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
