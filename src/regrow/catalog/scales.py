"""Reader of `catalog/scales/*.toml`: one file per rating scale, its id the file's stem ("madrs", "phq-9", "pain-nrs").

The one thing to know: most scales belong to somebody. A file without a licence is refused at load, and so is a file
that carries item texts without a licence that lets everybody reproduce them; structure and thresholds are facts.
`get` answers to the name as papers write it too ("HDRS-17", "pain NRS").
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, model_validator

from regrow import catalog, scales
from regrow.catalog.form import Form
from regrow.refusal import Refusal

Confidence = Literal["fulltext", "abstract", "secondary", "memory", "house"]


class Items(Form):
    """A run of items with the same range."""

    count: int = Field(ge=1)
    low: int
    high: int


class Fact(Form):
    """A statement with where it comes from."""

    source: str
    confidence: Confidence


class Licence(Fact):
    """`free`: anybody may reproduce the texts. `structure`: facts only, the form is held by the clinic. `own`: ours."""

    kind: Literal["free", "structure", "own"]
    text: str = Field(min_length=10)


class Bands(Fact):
    bands: tuple[tuple[str, int, int], ...]


class RuleOf(Fact):
    rule: str
    note: str = ""


class RelapseOf(Fact):
    at_least: float | None = None
    gain_lost: float | None = Field(default=None, gt=0, le=1)
    readings: int = Field(default=2, ge=1)
    apart_days: float = Field(default=0, ge=0)


class Points(Fact):
    points: float = Field(gt=0)
    note: str = ""


class Alert(Form):
    item: int = Field(ge=1)
    at_least: int
    what: str


class ClusterOf(Form):
    name: str
    first: int = Field(ge=1)
    last: int
    needs: int
    at_least: int


class LinkOf(Fact):
    other: str
    points: tuple[tuple[float, float], ...] = Field(min_length=2)
    sd_own: float = Field(gt=0)
    sd_other: float = Field(gt=0)
    sd_status: Literal["measured", "calibrated", "assumed"]

    @model_validator(mode="after")
    def _ascends(self) -> LinkOf:
        for before, after in zip(self.points, self.points[1:], strict=False):
            if not (before[0] < after[0] and before[1] < after[1]):
                raise ValueError(f"points must ascend in both scales; {after} follows {before}")
        return self


class GainOf(Fact):
    value: float = Field(gt=0)
    low: float
    high: float
    entry: float | None = Field(default=None, gt=0)
    entry_sd: float = Field(default=0.0, ge=0)
    otherwise: float | None = Field(default=None, gt=0)
    otherwise_sd: float = Field(default=0.0, ge=0)
    swing: float = Field(default=0.0, ge=0)
    rated_sd: float = Field(default=0.0, ge=0)


class Code(Form):
    """A LOINC code; `what` says its meaning, so that a panel is never taken for a total."""

    code: str
    what: str

    @model_validator(mode="after")
    def _holds(self) -> Code:
        if not scales.loinc_holds(self.code):
            raise ValueError(f"{self.code} is no LOINC code: its check digit is wrong; look the code up at loinc.org")
        return self


class ScaleFile(Form):
    """One scale as its file states it; `scale` is the value the rest of regrow works with."""

    id: str
    name: str
    title: str
    measures: str
    by: Literal["clinician", "patient", "either"]
    confidence: Confidence
    source: str
    licence: Licence
    items: tuple[Items, ...]
    total: tuple[float, float] | None = None
    higher_is: Literal["worse", "better"] = "worse"
    scoring: Literal["sum", "mean", "none"] = "sum"
    groups: tuple[tuple[int, ...], ...] = ()
    missing_allowed: int = Field(default=0, ge=0)
    missing_source: str = ""
    look_back_hours: float = Field(ge=0)
    look_back_note: str = ""
    bands: Bands | None = None
    response: RuleOf | None = None
    remission: RuleOf | None = None
    relapse: RelapseOf | None = None
    important_change: Points | None = None
    reliable_change: Points | None = None
    screen: RuleOf | None = None
    alert: tuple[Alert, ...] = ()
    cluster: tuple[ClusterOf, ...] = ()
    link: tuple[LinkOf, ...] = ()
    gain: GainOf | None = None
    why_unlinked: str = ""
    loinc: tuple[Code, ...] = ()
    texts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def _fits(self) -> ScaleFile:
        n = sum(run.count for run in self.items)
        if self.texts and self.licence.kind == "structure":
            raise ValueError("item texts need a licence of kind 'free' or 'own'; this one holds structure only")
        if self.texts and len(self.texts) != n:
            raise ValueError(f"{len(self.texts)} item texts for {n} items")
        if (self.total is None) != (self.scoring == "none"):
            raise ValueError("a total range and a way of scoring go together")
        if self.groups and sorted(i for group in self.groups for i in group) != list(range(1, n + 1)):
            raise ValueError(f"groups must hold each of the {n} items once")
        if self.groups and self.missing_allowed:
            raise ValueError("groups are scored from complete forms; missing_allowed must be 0")
        if self.total and self.total != self._range():
            raise ValueError(f"total {self.total} does not follow from the items, which give {self._range()}")
        if self.bands and self.total:
            edges = [edge for _, low, high in self.bands.bands for edge in (low, high + 1)]
            if edges[0] != self.total[0] or edges[-1] != self.total[1] + 1 or edges[1:-1:2] != edges[2:-1:2]:
                raise ValueError("bands must cover the total range without gap or overlap")
        if not (self.link or self.gain or self.why_unlinked):
            raise ValueError("state a link, a gain, or why_unlinked")
        for rule in (self.response, self.remission, self.screen):
            if rule:
                scales.rule(rule.rule)
        return self

    def _range(self) -> tuple[float, float]:
        ranges = [(run.low, run.high) for run in self.items for _ in range(run.count)]
        if self.groups:
            ranges = [ranges[group[0] - 1] for group in self.groups]
        low, high = (float(sum(r[end] for r in ranges)) for end in (0, 1))
        return (low / len(ranges), high / len(ranges)) if self.scoring == "mean" else (low, high)

    def scale(self) -> scales.Scale:
        """The value that scores, judges and links."""
        bands = self.bands.bands if self.bands else ()
        return scales.Scale(
            id=self.id,
            name=self.name,
            ranges=tuple((run.low, run.high) for run in self.items for _ in range(run.count)),
            total=self.total,
            higher_is_worse=self.higher_is == "worse",
            scoring=self.scoring,
            groups=self.groups,
            missing_allowed=self.missing_allowed,
            bands=tuple(scales.Band(*band) for band in bands),
            response_rule=scales.rule(self.response.rule) if self.response else None,
            remission_rule=scales.rule(self.remission.rule) if self.remission else None,
            relapse_rule=scales.Relapse(
                self.relapse.at_least, self.relapse.gain_lost, self.relapse.readings, self.relapse.apart_days
            )
            if self.relapse
            else None,
            look_back_h=self.look_back_hours,
            important_change=self.important_change.points if self.important_change else None,
            reliable_points=self.reliable_change.points if self.reliable_change else None,
            alert_items=tuple((alert.item, alert.at_least) for alert in self.alert),
            clusters=tuple(scales.Cluster(c.name, c.first, c.last, c.needs, c.at_least) for c in self.cluster),
            links=tuple(scales.Link(k.other, k.points, k.sd_own, k.sd_other, k.source) for k in self.link),
            gain=scales.Gain(**self.gain.model_dump(exclude={"confidence", "note"})) if self.gain else None,
            why_unlinked=self.why_unlinked,
        )


def ids() -> list[str]:
    """The ids of all scales, sorted."""
    return catalog.ids("scales")


def read(wanted: str) -> ScaleFile:
    """The file of one scale with sources, licence, codes and, where free, texts. Accepts id, name or unique prefix.

    Refuses with UNKNOWN-SCALE, AMBIGUOUS-SCALE, SCALE-FILE.
    """
    return catalog.load("scales", _as_id(wanted), ScaleFile)


def _as_id(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.strip().lower())


@lru_cache(maxsize=128)
def get(wanted: str) -> scales.Scale:
    """The scale that scores, judges and links. Accepts id, name or unique prefix; refuses as `read` does."""
    return read(wanted).scale()


def link(source: str, target: str, scores: Any) -> scales.Linked:
    """The scores of `source` read on `target` by the shortest chain of published tables (`scales.link`).

    Refuses with SCALE-UNLINKED and the reason where no chain joins the two.
    """
    first, last = get(source), get(target)
    return scales.link(first, last, scores, _between(first.id, last.id))


@lru_cache(maxsize=256)
def _between(source: str, target: str) -> tuple[scales.Scale, ...]:
    first, last = get(source), get(target)
    if first.id == last.id:
        raise Refusal("SCALE-UNLINKED", f"{first.name} is linked with itself; name two scales", field="scale")
    paths, reached = [(first,)], {first.id}
    others = [first, last] if scales.linked(first, last) else [get(id) for id in ids()]
    while paths:
        longer = []
        for path in paths:
            for there in others:
                if there.id not in reached and scales.linked(path[-1], there):
                    if there.id == last.id:
                        return path[1:]
                    reached.add(there.id)
                    longer.append((*path, there))
        paths = longer
    raise Refusal("SCALE-UNLINKED", scales.why_unlinked(first, last), field="scale", value=last.name)
