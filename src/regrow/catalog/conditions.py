"""What ketamine is given for, one row each: what a run can show of it, how sure that is, and what is refused and why.

The one thing to know: only depression was calibrated. Other targets are read from it by a gain (`catalog/scales`) or
come from the body's equations (pain); where nothing holds one up, a sentence says so in place of a number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from regrow import catalog
from regrow.catalog.form import Form


class Condition(Form):
    """One condition. `baseline` is MADRS, None for the house's; `sets` are the parameters it starts from.

    `readouts` are those it adds to a run; `refused` maps what studies report of it to the reason for no prediction.
    """

    id: Annotated[str, Field(pattern=r"^[a-z -]+$")]
    names: tuple[str, ...] = ()
    title: str
    confidence: Literal["fulltext", "abstract", "secondary", "memory"]
    says: str
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    intervention: str | None = None
    readouts: tuple[str, ...] = ()
    sets: dict[str, float] = {}
    baseline: Annotated[float, Field(gt=0, lt=60)] | None = None
    refused: dict[str, str] = {}


class _Conditions(Form):
    condition: tuple[Condition, ...]

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> _Conditions:
        names = [name for row in self.condition for name in (row.id, *row.names)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} names two conditions; give each name to one")
        return self


@lru_cache(maxsize=1)
def conditions() -> tuple[Condition, ...]:
    """Every condition, in the order of the file. Refuses with CONDITIONS-FILE when the file breaks its form."""
    return catalog.read(catalog.folder("conditions.toml"), _Conditions, "conditions").condition


def find(text: str | None) -> Condition | None:
    """The condition that a text names, whatever its case; None where it is none of them.

    A longer text is taken for the condition whose name it holds ("chronic pain after surgery"), the longest name first.
    """
    wanted = " ".join((text or "").lower().split())
    known = sorted(
        ((name, row) for row in conditions() for name in (row.id, *row.names)), key=lambda pair: -len(pair[0])
    )
    exact = next((row for name, row in known if name == wanted), None)
    return exact or next((row for name, row in known if len(name) > 3 and name in wanted), None)


def refusal(of: str, condition: str | None = None) -> str | None:
    """Why what studies report as `of` is not predicted, by the condition itself or else by another; None if nothing."""
    own = find(condition)
    rows = (*((own,) if own else ()), *conditions())
    return next((row.refused[of] for row in rows if of in row.refused), None)


__all__ = ["Condition", "conditions", "find", "refusal"]
