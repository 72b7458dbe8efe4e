"""Published studies, one TOML each: what was given to whom and what was seen. The form is a fixed contract.

`get("murrough2013-ajp")` reads a study of the shelf, `read(path)` any file of the same form, from anywhere. A file that
breaks the form is refused with EVIDENCE-FILE, which names the file, the line, the key, the value and the way out.

The one thing to know: a study says what its authors reported and nothing else. What was recalled rather than read, and
what overlaps another study, carries `use = "check"`: it is shown and never counted. Nobody moves a figure from one use
to another after seeing its verdict.
"""

from __future__ import annotations

import math
import re
import tomllib
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)

from regrow import catalog
from regrow.catalog import scales
from regrow.catalog.drugs import Route
from regrow.catalog.form import Form
from regrow.catalog.located import line_of
from regrow.catalog.notation import (
    ALIASES,
    ANALYTES,
    BACKGROUNDS,
    CONDITIONS,
    DRUGS,
    MEASURES,
    amount,
    duration,
    rule,
    when,
)
from regrow.catalog.notation import unit as spelled
from regrow.refusal import Refusal

_UNITS = {
    "concentration": ("ng/mL", "ug/mL", "ug/L", "mg/L", "nmol/mL", "nmol/L", "umol/L"),
    "cmax": ("ng/mL", "ug/mL", "ug/L", "mg/L", "nmol/mL", "nmol/L", "umol/L"),
    "auc": ("ng h/mL", "ng min/mL", "ug h/L", "ug h/mL", "mg h/L", "ng*h/mL", "ng.h/mL"),
    "tmax": ("h", "min"),
}
_WITHOUT_A_FILE = {"headache NRS": (0.0, 10.0), "pain VAS": (0.0, 100.0)}  # scales that are nothing but their range
# Units of what is counted in points, mmHg or beats: None is the measure's own. Others (morphine in mg) are free.
_OWN = {**dict.fromkeys(("SBP", "DBP", "MAP"), "mmHg"), "HR": "1/min"}
_RATIOS = ("odds ratio", "risk ratio", "hazard ratio")
WITHOUT_DURATION = ("intranasal", "oral", "sublingual", "rectal")


def _known(names: tuple[str, ...], what: str):
    """A check that a text is one of `names`, whatever its case; the refusal names the nearest."""

    def check(text: str) -> str:
        by_case = {name.lower(): name for name in names}
        also = ALIASES.get(text.lower(), text)
        wanted = also if also.lower() in by_case else text
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


class Wrong(ValueError):
    """What is wrong with a table as a whole, and which key in it is at fault."""

    def __init__(self, sentence: str, *where: str | int, value: object = None) -> None:
        super().__init__(sentence)
        self.where, self.value = where, {} if value is None else value


def _number(value: object) -> object:
    """Only a number is a number: no text that looks like one, no true or false."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number; write it without quotes, such as 12.5")
    return value


def _spread(value: object) -> object:
    return {"mean": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _held(value: bool | str) -> bool | str:
    """How long a response lasted: true, or a length of time."""
    if isinstance(value, str):
        try:
            duration(value)
        except Refusal as why:
            raise ValueError(f"{why.sentence}; or true") from None
    return value


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the lower end stands above the upper one; write [low, high]")
    return pair


Number = Annotated[float, BeforeValidator(_number)]
Interval = Annotated[tuple[Number, Number], AfterValidator(_ordered)]
Positive = Annotated[Number, Field(gt=0)]
AtLeast0 = Annotated[Number, Field(ge=0)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_number)]
Text = Annotated[str, Field(min_length=1)]
At = Annotated[str, _parsed(when)]
Length = Annotated[str, _parsed(duration)]
DoseText = Annotated[str, _parsed(amount)]
DrugName = Annotated[str, Field(min_length=1), AfterValidator(lambda name: DRUGS.get(name.lower(), name))]
RuleText = Annotated[str, _parsed(rule)]
Condition = Annotated[str, _known(CONDITIONS, "condition")]
Measure = Annotated[str, _known(MEASURES + ANALYTES, "scale or analyte")]


_hours = duration  # the field of an arm that is named duration hides the function


class _Moments(Form):
    """A covariate of the people: mean and SD, or median and range, as the study prints them."""

    mean: Number | None = None
    median: Number | None = None
    sd: AtLeast0 | None = None
    range: Interval | None = None
    iqr: Interval | None = None

    @property
    def centre(self) -> float | None:
        return self.mean if self.mean is not None else self.median

    @property
    def middle(self) -> float | None:
        """The centre, else the middle of the quartiles or of the range."""
        ends = self.iqr or self.range
        return self.centre if self.centre is not None or ends is None else (ends[0] + ends[1]) / 2

    @property
    def spread(self) -> float | None:
        """The SD: as stated, else from quartiles or a range that stands alone, as of a normal spread (Wan 2014)."""
        if self.sd is not None:
            return self.sd
        if self.iqr is not None:
            return (self.iqr[1] - self.iqr[0]) / 1.35
        return (self.range[1] - self.range[0]) / 4 if self.centre is None and self.range is not None else None

    @model_validator(mode="after")
    def _has_a_centre(self):
        if self.mean is None and self.median is None and self.range is None:
            raise ValueError("gives no mean; write { mean = ..., sd = ... }")
        return self


def _within(low: float, high: float):
    """A check that the middle of a covariate is one that people have."""

    def check(found: _Moments) -> _Moments:
        if found.centre is not None and not low <= found.centre <= high:
            raise Wrong(f"{found.centre:g} lies outside {low:g} to {high:g}", value=found.centre)
        return found

    return AfterValidator(check)


Moments = Annotated[_Moments, BeforeValidator(_spread)]


class Baseline(Form):
    scale: Measure | None = None
    mean: Number
    sd: AtLeast0 | None = None
    n: Count | None = None

    @model_validator(mode="after")
    def _lies_on_its_scale(self):
        _on_scale(self.scale, self.mean, "mean")
        return self


def range_of(of: str) -> tuple[float, float] | None:
    """The lowest and the highest score of a scale; None where the house does not know it."""
    try:
        return _WITHOUT_A_FILE.get(of) or scales.get(of).total
    except Refusal:
        return None


def _on_scale(of: str | None, value: float, key: str, *, change: bool = False) -> None:
    """Refuses a score that its scale cannot give: a MADRS of 75, a fall of 80 points."""
    low, high = range_of(of or "") or (-math.inf, math.inf)
    low = low - high if change else low
    if not low <= value <= high:
        raise Wrong(f"{value:g} is no {'change' if change else 'score'} of {of}, {low:g} to {high:g}", key, value=value)


class Population(Form):
    """Who was treated. Only `condition` and `n` must be there."""

    condition: Condition
    n: Count
    setting: Literal["trial", "inpatient", "emergency", "clinic"] = "trial"
    weight_kg: Annotated[Moments, _within(2, 300)] | None = None
    height_cm: Annotated[Moments, _within(40, 230)] | None = None
    age_y: Annotated[Moments, _within(0, 120)] | None = None
    female_percent: Annotated[Moments, _within(0, 100)] | None = None
    failed_treatments: Annotated[Moments, _within(0, 100)] | None = None
    episode_months: Annotated[Moments, _within(0, 1200)] | None = None
    ect_failed_percent: Annotated[Moments, _within(0, 100)] | None = None
    bipolar_percent: Annotated[Moments, _within(0, 100)] | None = None
    chronic_suicidality: StrictBool = False
    enriched: StrictBool | str = False
    baseline: Baseline | None = None


class Figure(Form):
    """One number of a study with its spread: a mean, a median or a per cent."""

    what: Literal[
        "score", "change", "response", "remission", "relapse", "concentration", "cmax", "tmax", "auc", "effect"
    ]
    of: Measure
    at: At
    mean: Number | None = None
    median: Number | None = None
    percent: Number | None = None
    sd: AtLeast0 | None = None
    se: AtLeast0 | None = None
    ci95: Interval | None = None
    iqr: Interval | None = None
    n: Count | None = None
    unit: Text | None = None
    rule: RuleText | None = None
    ever: StrictBool = False
    visits: Count | tuple[At | AtLeast0, ...] | None = None
    sustained: Annotated[StrictBool | str, AfterValidator(_held)] = False
    adjusted: StrictBool = False
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
            sentence = f"gives {' and '.join(given) or 'no value'}; write one of mean, median, percent"
            raise Wrong(sentence, *given[1:2])
        if self.is_concentration != (self.of in ANALYTES):
            wanted = "an analyte such as 'ketamine'" if self.is_concentration else "a scale such as 'MADRS'"
            raise Wrong(f"does not go with what = {self.what!r}: name {wanted}", "of", value=self.of)
        known = self._units()
        if self.unit is not None and known and self.unit not in known:
            raise Wrong(f"is not a unit of {self.what}; write one of {', '.join(known)}", "unit", value=self.unit)
        if self.what in ("response", "remission") and not self.is_share and not self.is_ratio:
            ratio = f", or unit = '{_RATIOS[0]}'" if isinstance(self, Contrast) else ""
            sentence = f"a {self.what} is a share of people; write percent = 64, say{ratio}"
            raise Wrong(sentence, given[0], value=self.value)
        if self.what in ("score", "change", "tmax", "auc", "cmax", "concentration") and self.is_share:
            sentence = f"a {self.what} is no share of people; write mean = {self.percent:g}, with unit = '%' if so"
            raise Wrong(sentence, "percent")
        if self.percent is not None and not self._lowest() <= self.percent <= 100:
            low = self._lowest()
            raise Wrong(f"lies outside {low:g} to 100", "percent", value=self.percent)
        if self.is_concentration and self.value < 0 and not isinstance(self, Contrast):
            raise Wrong("lies below 0", given[0], value=self.value)
        if self.site is not None and not self.is_concentration:
            raise Wrong("belongs to plasma levels; take it out", "site", value=self.site)
        if self.what in ("score", "change") and self.unit in (None, "points"):
            change = self.what == "change" or isinstance(self, Contrast)
            _on_scale(self.of, self.value, given[0], change=change)
        return self

    @model_validator(mode="before")
    @classmethod
    def _unit_as_the_house_spells_it(cls, given: object) -> object:
        if isinstance(given, dict) and isinstance(given.get("unit"), str):
            return given | {"unit": spelled(given["unit"], str(given.get("what")))}
        return given

    def _units(self) -> tuple[str, ...]:
        """The units this figure may have; none named where any may."""
        if self.what in _UNITS:
            return _UNITS[self.what]
        ratios = _RATIOS if isinstance(self, Contrast) else ()
        if self.is_share or self.what in ("response", "remission"):
            return ("percentage points", "%", *ratios)
        if self.what == "relapse":
            return ratios or ("d", "wk", "mo")
        own = _OWN.get(self.of, "points")
        if self.of not in _OWN and range_of(self.of) is None:
            return ()
        return (own, "%") if self.what in ("score", "change") else ("SD", own, *ratios)

    @property
    def is_ratio(self) -> bool:
        """Whether it is the hazard, odds or risk ratio of two arms."""
        return False

    def _lowest(self) -> float:
        return 0.0


class Contrast(Figure):
    """The first arm minus the second, as the study reports it (or, with `unit`, their hazard, odds or risk ratio)."""

    arms: tuple[str, str]

    def _lowest(self) -> float:
        return -100.0  # a difference of two shares

    @property
    def is_ratio(self) -> bool:
        return (self.unit or "").endswith("ratio")

    @property
    def of_each_arm(self) -> Contrast:
        """What each of the two arms is asked for: a ratio compares shares, so it asks for theirs."""
        if not self.is_ratio or self.is_share:
            return self
        return self.model_copy(update={"mean": None, "percent": self.value, "unit": None})

    @model_validator(mode="after")
    def _sets_two_apart(self):
        if self.arms[0] == self.arms[1]:
            raise Wrong("sets an arm against itself; name two arms", "arms", value=" - ".join(self.arms))
        return self


class Arm(Form):
    """What one group was given, and what was seen in it."""

    name: Text
    drug: DrugName
    dose: DoseText | tuple[DoseText, ...] | None = None
    route: Route | None = None
    duration: Length | tuple[Length, ...] | None = None
    days: tuple[Number, ...]
    belief: Literal["open", "saline-blind", "active-placebo", "masked", "none"]
    background: Annotated[
        tuple[Annotated[str, _known(BACKGROUNDS, "background")], ...],
        BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
    ] = ()
    n: Count | None = None
    baseline: Annotated[Baseline, BeforeValidator(_spread)] | None = None
    mean_sessions: Positive | None = None
    titrated: StrictBool | str = False
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
            raise Wrong(f"dose is missing for {self.drug!r}; write dose = '0.5 mg/kg', or '0 mg' for a placebo")
        if self.dose is not None and self.route is None:
            raise Wrong("route is missing; write one of iv, im, sc, intranasal, oral, sublingual, rectal")
        if not self.days or list(self.days) != sorted(self.days):
            raise Wrong("must be at least one session start, in rising order, such as [0, 3, 7]", "days")
        for key, count in (("dose", len(self.doses)), ("duration", len(self.durations_h))):
            if count not in (0, len(self.days)):
                raise Wrong(f"lists {count} for {len(self.days)} sessions; give one, or one per session", key)
        if self.duration is not None and any(self.durations_h) and self.route in WITHOUT_DURATION:
            raise Wrong(f"an {self.route} dose takes no time; take it out", "duration", value=self.duration)
        for place, figure in enumerate(self.observed):
            self.reaches(figure, "observed", place)
        return self

    def reaches(self, figure: Figure, *where: str | int) -> None:
        """Refuses a figure whose time counts from a session that this arm does not have."""
        session = when(figure.at).session
        if session is not None and session > len(self.days):
            sentence = f"names session {session}, but {self.name!r} has {len(self.days)}; count sessions from 1"
            raise Wrong(sentence, *where, "at", value=figure.at)


class Study(Form):
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

    @model_validator(mode="before")
    @classmethod
    def _cumulative_is_ever(cls, given: object) -> object:
        """A response or remission that Kaplan and Meier counted is one reached at any visit so far."""
        if not isinstance(given, dict) or given.get("analysis") != "km-cumulative":
            return given

        def ever(figure: object) -> object:
            if not isinstance(figure, dict) or figure.get("what") not in ("response", "remission"):
                return figure
            return {"ever": True} | figure

        def all_ever(figures: object) -> object:
            return [ever(figure) for figure in figures] if isinstance(figures, list) else figures

        counted = {key: all_ever(given[key]) for key in ("contrast",) if key in given}
        if isinstance(given.get("arm"), list):
            counted["arm"] = [
                arm | {"observed": all_ever(arm["observed"])} if isinstance(arm, dict) and "observed" in arm else arm
                for arm in given["arm"]
            ]
        return given | counted

    @model_validator(mode="after")
    def _hangs_together(self):
        names = [arm.name for arm in self.arm]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise Wrong("two arms bear that name; give each its own", "arm", place, "name", value=name)
        for place, contrast in enumerate(self.contrast):
            for name in contrast.arms:
                if name not in names:
                    known = ", ".join(map(repr, names))
                    raise Wrong(f"there is no such arm; the arms are {known}", "contrast", place, "arms", value=name)
                self.named(name).reaches(contrast, "contrast", place)
        if self.confidence == "memory" and self.use != "check":
            raise Wrong(
                "figures from memory are a check until they have been read; write use = 'check'", "use", value=self.use
            )
        return self


def parse(text: str, name: str) -> Study:
    """The study that a TOML text holds; `name` is the file's name, for refusals.

    Raises Refusal EVIDENCE-FILE naming file, line, key, value and way out.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        found = re.search(r"\(at line (\d+)", str(problem))
        place = int(found[1]) if found else len(text.splitlines()) or 1
        sentence = f"{name}, line {place}: not TOML: {problem}; mend that line."
        raise Refusal("EVIDENCE-FILE", sentence, field="file", value=name) from None
    try:
        return Study.model_validate(data)
    except ValidationError as problem:
        raise _refusal(text, name, problem) from None


def _refusal(text: str, name: str, problem: ValidationError) -> Refusal:
    """The first thing wrong with a file, as one sentence with its line."""
    first = min(problem.errors(include_url=False), key=lambda e: (e["type"] == "missing", -len(e["loc"])))
    # A union's own branch names are no keys of the file.
    branches = r"(?!(?:str|tuple|float|int|bool|constrained)$)[\w.-]+"
    where = tuple(s for s in first["loc"] if isinstance(s, int) or re.fullmatch(branches, s))
    value, message = first["input"], first["msg"].removeprefix("Value error, ")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, Wrong):  # a whole table was judged, and it says which of its keys is at fault
        where, value = (*where, *cause.where), cause.value
    named = ".".join(f"{step + 1}" if isinstance(step, int) else step for step in where)
    value = f"{value:g}" if isinstance(value, float) else repr(value)
    shown = "" if first["type"] == "missing" or value[0] in "{[" else f" = {value}"
    way = {
        "missing": f"the key is missing; add {where[-1] if where else 'it'}",
        "extra_forbidden": "no such key in the form of an evidence file; take it out or spell it as the form does",
    }.get(first["type"], message[:1].lower() + message[1:] if message[:2].istitle() else message)
    line = line_of(text, where)
    sentence = f"{name}, line {line}: {named or 'study'}{shown}: {way.rstrip('.')}."
    return Refusal("EVIDENCE-FILE", " ".join(sentence.split()), field=named or "study", value=value)


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
