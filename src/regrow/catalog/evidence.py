"""Published studies, one TOML each: what was given to whom and what was seen. The form is a fixed contract.

`get("murrough2013-ajp")` reads a study of the shelf, `read(path)` any file of the same form, from anywhere. A file that
breaks the form is refused with EVIDENCE-FILE, which names the file, the line, the key, the value and the way out.

The one thing to know: a study says what its authors reported and nothing else. What was recalled rather than read, and
what overlaps another study, carries `use = "check"`: it is shown and never counted. Nobody moves a figure from one use
to another after seeing its verdict.
"""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from regrow import catalog
from regrow.catalog.notation import ALIASES, ANALYTES, BACKGROUNDS, CONDITIONS, MEASURES, amount, duration, rule, when
from regrow.refusal import Refusal

_UNITS = {
    "concentration": ("ng/mL", "ug/mL", "ug/L", "mg/L", "nmol/mL", "nmol/L", "umol/L"),
    "cmax": ("ng/mL", "ug/mL", "ug/L", "mg/L", "nmol/mL", "nmol/L", "umol/L"),
    "auc": ("ng h/mL", "ng min/mL", "ug h/L", "ug h/mL", "mg h/L", "ng*h/mL", "ng.h/mL"),
    "tmax": ("h", "min"),
}
SMALL = {"MADRS": 10.0, "HDRS-17": 7.0, "QIDS-SR-16": 5.0, "PHQ-9": 4.0, "SSI": 3.0}  # remission: at or below


def _known(names: tuple[str, ...], what: str):
    """A check that a text is one of `names`, whatever its case; the refusal names the nearest."""

    def check(text: str) -> str:
        wanted = ALIASES.get(text, text)
        by_case = {name.lower(): name for name in names}
        if wanted.lower() in by_case:
            return by_case[wanted.lower()]
        near = get_close_matches(wanted.lower(), by_case, n=1, cutoff=0)
        raise ValueError(f"unknown {what}; the nearest is {by_case[near[0]]!r} (known: {', '.join(names)})")

    return AfterValidator(check)


def _parsed(parse):
    """A check that a text can be read by `parse`; the text itself stays, as written by the study's author."""

    def check(text: str) -> str:
        try:
            parse(text)
        except Refusal as why:
            raise ValueError(why.sentence) from None
        return text

    return AfterValidator(check)


def _spread(value: object) -> object:
    return {"mean": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the lower end stands above the upper one; write [low, high]")
    return pair


Interval = Annotated[tuple[float, float], AfterValidator(_ordered)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
At = Annotated[str, _parsed(when)]
Length = Annotated[str, _parsed(duration)]
DoseText = Annotated[str, _parsed(amount)]
RuleText = Annotated[str, _parsed(rule)]
Condition = Annotated[str, _known(CONDITIONS, "condition")]
Measure = Annotated[str, _known(MEASURES + ANALYTES, "scale or analyte")]


_hours = duration  # the field of an arm that is named duration hides the function


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Moments(Part):
    """A covariate of the people: mean and SD, or median and range, as the study prints them."""

    mean: float | None = None
    median: float | None = None
    sd: Annotated[float, Field(ge=0)] | None = None
    range: Interval | None = None
    iqr: Interval | None = None

    @property
    def centre(self) -> float | None:
        return self.mean if self.mean is not None else self.median

    @model_validator(mode="after")
    def _has_a_centre(self):
        if self.mean is None and self.median is None and self.range is None:
            raise ValueError("gives no mean; write { mean = ..., sd = ... }")
        return self


Moments = Annotated[_Moments, BeforeValidator(_spread)]


class Baseline(Part):
    scale: Measure | None = None
    mean: float
    sd: Annotated[float, Field(ge=0)] | None = None
    n: Count | None = None


class Population(Part):
    """Who was treated. Only `condition` and `n` must be there."""

    condition: Condition
    n: Count
    setting: Literal["trial", "inpatient", "emergency", "clinic"] = "trial"
    weight_kg: Moments | None = None
    height_cm: Moments | None = None
    age_y: Moments | None = None
    female_percent: Moments | None = None
    failed_treatments: Moments | None = None
    episode_months: Moments | None = None
    ect_failed_percent: Moments | None = None
    bipolar_percent: Moments | None = None
    chronic_suicidality: bool = False
    enriched: bool | str = False
    baseline: Baseline | None = None


class Figure(Part):
    """One number of a study with its spread: a mean, a median or a per cent."""

    what: Literal[
        "score", "change", "response", "remission", "relapse", "concentration", "cmax", "tmax", "auc", "effect"
    ]
    of: Measure
    at: At
    mean: float | None = None
    median: float | None = None
    percent: float | None = None
    sd: Annotated[float, Field(ge=0)] | None = None
    se: Annotated[float, Field(ge=0)] | None = None
    ci95: Interval | None = None
    iqr: Interval | None = None
    n: Count | None = None
    unit: str | None = None
    rule: RuleText | None = None
    ever: bool = False
    visits: int | tuple[str | float, ...] | None = None
    sustained: bool | str = False
    adjusted: bool = False
    site: Literal["arterial", "venous"] | None = None
    status: Literal["stated", "assumed"] = "stated"
    note: str | None = None

    @property
    def value(self) -> float:
        """The reported central value: mean, median or per cent."""
        found = next((v for v in (self.mean, self.median, self.percent) if v is not None), None)
        if found is None:  # pragma: no cover - the form forbids it
            raise ValueError("a figure without a value")
        return found

    @property
    def is_share(self) -> bool:
        return self.percent is not None

    @property
    def is_concentration(self) -> bool:
        return self.what in ("concentration", "cmax", "tmax", "auc")

    @model_validator(mode="after")
    def _hangs_together(self):
        given = [k for k in ("mean", "median", "percent") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(f"gives {' and '.join(given) or 'no value'}; write one of mean, median, percent")
        if self.percent is not None and not self._lowest() <= self.percent <= 100:
            raise ValueError(f"percent = {self.percent:g} lies outside {self._lowest():g} to 100")
        if self.is_concentration != (self.of in ANALYTES):
            wanted = "an analyte such as 'ketamine'" if self.is_concentration else "a scale such as 'MADRS'"
            raise ValueError(f"what = {self.what!r} of {self.of!r}: name {wanted}")
        if self.unit is not None and self.what in _UNITS and self.unit not in _UNITS[self.what]:
            raise ValueError(
                f"unit = {self.unit!r} is not one for {self.what}; write one of {', '.join(_UNITS[self.what])}"
            )
        return self

    def _lowest(self) -> float:
        return 0.0


class Contrast(Figure):
    """The first arm minus the second, as the study reports it (or, with `unit`, their hazard, odds or risk ratio)."""

    arms: tuple[str, str]

    def _lowest(self) -> float:
        return -100.0  # a difference of two shares


class Arm(Part):
    """What one group was given, and what was seen in it."""

    name: str
    drug: str
    dose: DoseText | tuple[DoseText, ...] | None = None
    route: Literal["iv", "im", "sc", "intranasal", "oral", "sublingual", "rectal"] | None = None
    duration: Length | tuple[Length, ...] | None = None
    days: tuple[float, ...]
    belief: Literal["open", "saline-blind", "active-placebo", "masked", "none"]
    background: tuple[Annotated[str, _known(BACKGROUNDS, "background")], ...] = ()
    n: Count | None = None
    baseline: Annotated[Baseline, BeforeValidator(_spread)] | None = None
    mean_sessions: Positive | None = None
    titrated: bool | str = False
    note: str | None = None
    observed: tuple[Figure, ...] = ()

    @property
    def doses(self) -> tuple[str, ...]:
        """One dose per session, as written."""
        given = () if self.dose is None else (self.dose,) if isinstance(self.dose, str) else self.dose
        return given * len(self.days) if len(given) == 1 else given

    @property
    def durations_h(self) -> tuple[float, ...]:
        """Hours each session's dose takes; 0 for a bolus, a spray or a tablet."""
        given = self.duration
        texts = () if given is None else (given,) if isinstance(given, str) else given
        hours = tuple(_hours(text) for text in texts) or (0.0,)
        return hours * len(self.days) if len(hours) == 1 else hours

    @model_validator(mode="after")
    def _hangs_together(self):
        if self.dose is None and self.drug not in ("ect", "ssri", "antidepressant", "psychotherapy", "none"):
            raise ValueError(f"dose is missing for {self.drug!r}; write dose = '0.5 mg/kg', or '0 mg' for a placebo")
        if self.dose is not None and self.route is None:
            raise ValueError("route is missing; write one of iv, im, sc, intranasal, oral, sublingual, rectal")
        if not self.days or list(self.days) != sorted(self.days):
            raise ValueError("days must be at least one session start, in rising order, such as [0, 3, 7]")
        for key, count in (("dose", len(self.doses)), ("duration", len(self.durations_h))):
            if count not in (0, len(self.days)):
                raise ValueError(f"{key} lists {count} for {len(self.days)} sessions; give one, or one per session")
        return self


class Study(Part):
    """A published study: its people, its arms, its figures."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    citation: Annotated[str, Field(min_length=8)]
    doi: str | None = None
    pmid: str | None = None
    url: str | None = None
    confidence: Literal["fulltext", "abstract", "secondary", "memory"]
    use: Literal["calibration", "validation", "check"]
    overlaps: tuple[str, ...] = ()
    design: Literal["parallel", "crossover", "open", "cohort", "meta-analysis"] | None = None
    analysis: Literal["itt", "completers", "km-cumulative"] = "itt"
    n_started: Count | None = None
    assessor: Literal["blind", "open", "self"] | None = None
    note: str | None = None
    population: Population
    arm: Annotated[tuple[Arm, ...], Field(min_length=1)]
    contrast: tuple[Contrast, ...] = ()

    @property
    def figures(self) -> int:
        """How many figures the study reports, contrasts included."""
        return sum(len(arm.observed) for arm in self.arm) + len(self.contrast)

    def named(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arm if arm.name == name)

    @model_validator(mode="after")
    def _hangs_together(self):
        names = [arm.name for arm in self.arm]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two arms are named {name!r}; give each its own name")
        for number, contrast in enumerate(self.contrast, start=1):
            for name in contrast.arms:
                if name not in names:
                    raise ValueError(
                        f"contrast {number} names the arm {name!r}; the arms are {', '.join(map(repr, names))}"
                    )
        if self.confidence == "memory" and self.use != "check":
            raise ValueError(
                f"use = {self.use!r} for figures from memory; write use = 'check' until they have been read"
            )
        return self


def _line_of(text: str, where: tuple[int | str, ...]) -> int:
    """The line (from 1) of the deepest key of `where` that the text spells out; 1 when none is found."""
    path: list[tuple[str, int]] = []  # the table a line stands in, with its index among its siblings
    counts: dict[tuple[Any, ...], int] = {}
    best, depth = 1, 0
    wanted: list[tuple[str, int]] = []
    for step in where:
        if isinstance(step, str):
            wanted.append((step, 0))
        elif wanted:
            wanted[-1] = (wanted[-1][0], step)
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*(\[\[?)\s*([\w.-]+)\s*\]\]?", line)
        key = re.match(r"\s*([\w-]+)\s*=", line)
        if header:
            parts = header[2].split(".")
            path = path[: len(parts) - 1]
            path += [(part, 0) for part in parts[len(path) : -1]]
            place = (*path, parts[-1])
            index = counts.get(place, -1) + 1 if header[1] == "[[" else 0
            counts[place] = index
            path = [*path, (parts[-1], index)]
            here = path
        elif key:
            here = [*path, (key[1], 0)]
        else:
            continue
        agrees = len(here) <= len(wanted) and all(
            a == b if level < len(path) else a[0] == b[0]
            for level, (a, b) in enumerate(zip(here, wanted, strict=False))
        )
        if agrees and len(here) > depth:
            best, depth = number, len(here)
    return best


def parse(text: str, name: str) -> Study:
    """The study that a TOML text holds; `name` is the file's name, for refusals.

    Raises Refusal EVIDENCE-FILE naming file, line, key, value and way out.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise Refusal(
            "EVIDENCE-FILE", f"{name}: not TOML: {problem}. Mend that line.", field="file", value=name
        ) from None
    try:
        return Study.model_validate(data)
    except ValidationError as problem:
        first = min(problem.errors(include_url=False), key=lambda e: (e["type"] == "missing", -len(e["loc"])))
        # A union's own branch names are no keys of the file.
        where = tuple(
            s
            for s in first["loc"]
            if isinstance(s, int) or re.fullmatch(r"(?!(?:str|tuple|float|int|bool)$)[a-z0-9_]+", s)
        )
        key = ".".join(str(step) for step in where) or "study"
        value = first["input"]
        shown = "" if isinstance(value, dict | list) or first["type"] == "missing" else f" = {value!r}"
        message = first["msg"].removeprefix("Value error, ")
        named = re.match(r"(\w+)\b", message)
        if first["type"] == "value_error" and isinstance(value, dict) and named and named[1] in value:
            where = (*where, named[1])  # the whole table was judged, and the sentence opens with the key at fault
        way = {
            "missing": f"the key is missing; add {where[-1] if where else 'it'}",
            "extra_forbidden": "no such key in the form of an evidence file; take it out or spell it as the form does",
        }.get(first["type"], message[:1].lower() + message[1:] if message[:2].istitle() else message)
        raise Refusal(
            "EVIDENCE-FILE", f"{name}, line {_line_of(text, where)}: {key}{shown}: {way}.", field=key, value=value
        ) from None


def read(path: str | Path) -> Study:
    """The study in a file of the evidence form, from anywhere.

    Raises Refusal EVIDENCE-FILE when the file cannot be read or breaks the form.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
        raise Refusal(
            "EVIDENCE-FILE", f"{path}: {why}; name a TOML file of the evidence form.", field="file", value=str(path)
        ) from None
    return parse(text, str(path))


def ids() -> list[str]:
    """The ids of the shelf, in order."""
    return catalog.ids("evidence")


def get(wanted: str) -> Study:
    """The study of that id or unique beginning of one.

    Refuses with UNKNOWN-EVIDENCE naming the nearest id, AMBIGUOUS-EVIDENCE, and EVIDENCE-FILE.
    """
    return _read_once(path_of(wanted))


def path_of(wanted: str) -> Path:
    """Where the file of that id or unique beginning of one lies. Refuses as `get` does."""
    return catalog.folder("evidence") / f"{catalog.find('evidence', wanted)}.toml"


_read_once = lru_cache(maxsize=256)(read)
