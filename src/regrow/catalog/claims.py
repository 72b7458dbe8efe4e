"""The field's own claims, each answered: what five clinics' pages say, whether it holds, on what evidence.

The one thing to know: a quotation is at most twelve words and letter for letter; a false claim is answered, never
repeated to a patient. `model` names the number that the model can set beside a claim; it is computed elsewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from regrow import catalog, units
from regrow.catalog.form import Form

Verdict = Literal["true", "partly", "false", "unknown"]
_QUESTION = re.compile(r"([a-z0-9-]+)(?:\(([a-z -]+)\))?\.([a-z0-9_]+)(?:@(\d+(?:\.\d+)?)\s*(min|h|d|wk))?")


class Question(Form):
    """A number of the model: a read-out of a protocol's typical course at `at_h`, or a key of its summary (no time).

    `condition` is what is treated, "" for depression.
    """

    protocol: str
    name: str
    at_h: float | None
    condition: str = ""


class Claim(Form):
    """One claim: where it stands, whether it holds and why.

    `contradicts` names other claims, of the same or another document, that cannot hold beside it. `confidence` says
    whether the evidence was read or recalled.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    file: str
    quote: str
    verdict: Verdict
    evidence: Annotated[str, Field(min_length=10)]
    citations: tuple[str, ...]
    model: str | None = None
    shows: str | None = None
    contradicts: tuple[str, ...] = ()
    confidence: Literal["seen", "memory"] = "seen"

    @property
    def question(self) -> Question | None:
        """The number that the model can show for it, or None."""
        if self.model is None:
            return None
        found = _QUESTION.fullmatch(self.model)
        if not found:  # pragma: no cover - the form forbids it
            raise ValueError(self.model)
        hours = units.read(f"{found[4]} {found[5]}", "h", "model") if found[4] else None
        return Question(protocol=found[1], name=found[3], at_h=hours, condition=found[2] or "")

    @model_validator(mode="after")
    def _hangs_together(self) -> Claim:
        if len(self.quote.split()) > 12:
            raise ValueError(f"quote has {len(self.quote.split())} words; twelve at most")
        if self.model is not None and not _QUESTION.fullmatch(self.model):
            raise ValueError(f"model = {self.model!r}: write PROTOCOL.READ-OUT@TIME or PROTOCOL.SUMMARY-KEY")
        if (self.model is None) != (self.shows is None):
            raise ValueError("model and shows stand together: name the number and say what it is")
        if self.verdict in ("true", "false") and not self.citations:
            raise ValueError(f"verdict {self.verdict!r} needs a citation; without one it is 'unknown' or 'partly'")
        return self


class Claims(Form):
    """The file as a whole: file name to whose page it is, and every claim."""

    document: dict[str, str] = {}
    claim: tuple[Claim, ...]

    @model_validator(mode="after")
    def _name_each_other(self) -> Claims:
        nameless = {claim.file for claim in self.claim} - set(self.document)
        if self.document and nameless:
            raise ValueError(f"{', '.join(sorted(nameless))} has no line under [document]; say whose page it is")
        by_id = {claim.id: claim for claim in self.claim}
        if len(by_id) < len(self.claim):
            raise ValueError("two claims share an id; give each its own")
        for claim in self.claim:
            for other in claim.contradicts:
                if other not in by_id or claim.id not in by_id[other].contradicts:
                    raise ValueError(
                        f"claim {claim.id!r} contradicts {other!r}, which does not say so of it; name both ways"
                    )
        return self


@lru_cache(maxsize=1)
def _file() -> Claims:
    return catalog.read(catalog.folder("claims.toml"), Claims, "claims")


def claims() -> tuple[Claim, ...]:
    """Every claim, in the order of the documents. Refuses with CLAIMS-FILE when the file breaks its form."""
    return _file().claim


def documents() -> dict[str, str]:
    """File name to whose page it is, in the order of the documents."""
    return _file().document


def get(wanted: str) -> Claim:
    """The claim of that id or unique beginning of one. Refuses with UNKNOWN-CLAIM naming the nearest."""
    by_id = {claim.id: claim for claim in claims()}
    return by_id[catalog.choose("claim", wanted, tuple(by_id))]


def contradictions() -> tuple[tuple[Claim, Claim], ...]:
    """Each pair of claims that cannot both hold, once."""
    by_id = {claim.id: claim for claim in claims()}
    return tuple((claim, by_id[other]) for claim in claims() for other in claim.contradicts if claim.id < other)


__all__ = ["Claim", "Claims", "Question", "claims", "contradictions", "documents", "get"]
