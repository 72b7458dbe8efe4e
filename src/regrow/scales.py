"""What a score means: scoring, bands, response, remission, relapse, reliable change, one scale read as another.

The one thing to know: everything here is a value in, a value out. A `Scale` is read from `catalog/scales/<id>.toml` by
`regrow.catalog.scales`; scores may be one number or an array of people. A link between two scales is a published table
of corresponding totals, read between its points; it holds for groups, and its spread says how far one person may lie.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from regrow.refusal import Refusal

_FALL = re.compile(r"\s*-\s*(\d+(?:\.\d+)?)\s*(%|points?)\s*")
_CUT = re.compile(r"\s*(<=|<|>=|>)\s*(\d+(?:\.\d+)?)\s*")
_EDGE = 1e-9  # half of 33 is 16.5: a score that meets a threshold exactly must not fail by rounding


@dataclass(frozen=True)
class Rule:
    """A rule over a score: a fall from baseline ("-50 %", "-10 points") or a cut-off ("<= 10", "< 5", ">= 9")."""

    kind: str
    value: float

    def met(self, score: Any, baseline: Any = None) -> Any:
        """Whether the score meets the rule: a bool, or an array of them. nan never does; a fall needs a baseline."""
        if self.kind in ("fall_percent", "fall_points"):
            if baseline is None:
                raise Refusal("SCALE-BASELINE", "baseline: none given; a fall is counted from one", field="baseline")
            fall = np.multiply(baseline, self.value / 100) if self.kind == "fall_percent" else self.value
            return _plain((np.subtract(baseline, score) >= fall - _EDGE) & np.greater(baseline, 0))
        compare = {"<=": np.less_equal, "<": np.less, ">=": np.greater_equal, ">": np.greater}[self.kind]
        return _plain(compare(score, self.value))


def rule(text: str) -> Rule:
    """The rule that a text states: "-50 %", "-10 points", "<= 10", "< 5", ">= 9". Refuses with SCALE-RULE."""
    if found := _FALL.fullmatch(text):
        return Rule("fall_percent" if found[2] == "%" else "fall_points", float(found[1]))
    if found := _CUT.fullmatch(text):
        return Rule(found[1], float(found[2]))
    sentence = f"rule: {text!r} is none of '-50 %', '-10 points', '<= 10', '< 5', '>= 9'; write one of these forms"
    raise Refusal("SCALE-RULE", sentence, field="rule", value=text)


@dataclass(frozen=True)
class Band:
    """A named range of totals, both ends included."""

    name: str
    low: int
    high: int


@dataclass(frozen=True)
class Relapse:
    """Relapse: `readings` consecutive readings, first to last at least `apart_days`, at `at_least` points or more, or
    with `gain_lost` (a share) of the gain from baseline to the best score lost again; whichever is given."""

    at_least: float | None
    gain_lost: float | None
    readings: int
    apart_days: float


@dataclass(frozen=True)
class Link:
    """Corresponding totals of two scales, ascending: `points` of (own, other); `sd_own`, `sd_other`: spread of one
    person's score around the score read from the other scale, in points of the own and of the other scale."""

    other: str
    points: tuple[tuple[float, float], ...]
    sd_own: float
    sd_other: float
    source: str


@dataclass(frozen=True)
class Gain:
    """Share of improvement on this scale for a share of improvement in depression, with the range the sources span.

    `entry` and `entry_sd` are the score of people treated for what the scale measures, where nobody states theirs;
    `otherwise` and `otherwise_sd` that of people treated for something else. Where the scale goes its own way from day
    to day, `swing` is the SD of the logarithm of the score about what the gain says; `rated_sd` is that of one rating.
    """

    value: float
    low: float
    high: float
    source: str
    entry: float | None = None
    entry_sd: float = 0.0
    otherwise: float | None = None
    otherwise_sd: float = 0.0
    swing: float = 0.0
    rated_sd: float = 0.0


@dataclass(frozen=True)
class Cluster:
    """Items `first` to `last` (from 1) of which `needs` must score `at_least` or more."""

    name: str
    first: int
    last: int
    needs: int
    at_least: int


@dataclass(frozen=True)
class Scale:
    """One rating scale: its structure, its thresholds and its links. No item texts; those stay with the catalog."""

    id: str
    name: str
    ranges: tuple[tuple[int, int], ...]
    total: tuple[float, float] | None
    higher_is_worse: bool
    scoring: str  # sum | mean | none
    groups: tuple[tuple[int, ...], ...]  # items (from 1) of which only the highest counts; () = every item counts
    missing_allowed: int
    bands: tuple[Band, ...]
    response_rule: Rule | None
    remission_rule: Rule | None
    relapse_rule: Relapse | None
    look_back_h: float
    important_change: float | None
    reliable_points: float | None
    alert_items: tuple[tuple[int, int], ...]  # (item from 1, alert at or above); a blank one alerts too
    clusters: tuple[Cluster, ...]
    links: tuple[Link, ...]
    gain: Gain | None
    why_unlinked: str

    def response(self, score: Any, baseline: Any) -> Any:
        """Whether the score is a response by this scale's rule: bool or array."""
        return self._needs(self.response_rule, "response").met(score, baseline)

    def remission(self, score: Any) -> Any:
        """Whether the score is a remission by this scale's rule: bool or array."""
        return self._needs(self.remission_rule, "remission").met(score)

    def band(self, score: float) -> Band | None:
        """The band a total falls into, rounded half up; None where the scale has no bands or the score is nan."""
        if not math.isfinite(score):
            return None
        whole = math.floor(score + 0.5)
        return next((band for band in self.bands if band.low <= whole <= band.high), None)

    def reliable(self, before: Any, after: Any) -> Any:
        """Whether a change exceeds what the scale's own error makes: bool or array. Refuses where none is published."""
        if self.reliable_points is None:
            sentence = f"{self.name}: no reliable change is published in this file; judge by the important change"
            raise Refusal("SCALE-NO-RULE", sentence, field="reliable_change", value=self.name)
        return _plain(np.abs(np.subtract(after, before)) >= self.reliable_points)

    def looks_back_past(self, hours: float) -> bool:
        """Whether a score taken `hours` after a dose also asks about the time before it (PHQ-9: two weeks)."""
        return self.look_back_h > hours

    def _needs(self, found: Rule | None, what: str) -> Rule:
        if found is None:
            sentence = f"{self.name}: has no rule of {what}; state one, such as '-50 %' or '<= 10'"
            raise Refusal("SCALE-NO-RULE", sentence, field=what, value=self.name)
        return found


@dataclass(frozen=True)
class Score:
    """A scored form. `total` is None where it cannot be scored, and `why` says so; `missing` and `alerts` number items
    from 1; `prorated` says that missing items were filled with the mean of the answered ones."""

    total: float | None
    missing: tuple[int, ...]
    prorated: bool
    alerts: tuple[int, ...]
    why: str = ""


def score(scale: Scale, answers: Sequence[float | None]) -> Score:
    """The scored form: total, missing items, alerts. A blank is never a 0.

    `answers`: one per item in order, None for a blank. Up to `missing_allowed` blanks are prorated (sum x items /
    answered, rounded half up), more are not scorable. Refuses with SCALE-ANSWERS (their number) and SCALE-ANSWER (one
    that is not a whole number in its item's range).
    """
    if len(answers) != len(scale.ranges):
        sentence = f"{scale.name}: {len(answers)} answers for {len(scale.ranges)} items; give one each, a blank as none"
        raise Refusal("SCALE-ANSWERS", sentence, field="answers", value=len(answers))
    for number, (given, (low, high)) in enumerate(zip(answers, scale.ranges, strict=True), start=1):
        if given is not None and not (low <= given <= high and given == int(given)):
            sentence = f"{scale.name}: item {number} is {given}; it takes a whole number from {low} to {high}"
            raise Refusal("SCALE-ANSWER", sentence, field=f"item {number}", value=given)
    missing = tuple(number for number, given in enumerate(answers, start=1) if given is None)
    alerts = tuple(item for item, cut in scale.alert_items if (given := answers[item - 1]) is None or given >= cut)
    if scale.scoring == "none":
        return Score(None, missing, False, alerts, f"{scale.name} has no total")
    if len(missing) > scale.missing_allowed:
        why = f"{len(missing)} items missing, {scale.missing_allowed} allowed"
        return Score(None, missing, False, alerts, why)
    known = [given for given in answers if given is not None]
    if scale.scoring == "mean":
        return Score(sum(known) / len(known), missing, bool(missing), alerts)
    if scale.groups:
        return Score(float(sum(max(known[i - 1] for i in group) for group in scale.groups)), (), False, alerts)
    total = sum(known)
    if missing:
        total = math.floor(total * len(answers) / len(known) + 0.5)
    return Score(float(total), missing, bool(missing), alerts)


def clusters_met(scale: Scale, answers: Sequence[float | None]) -> dict[str, bool]:
    """Whether each cluster of symptoms has enough items (PCL-5: all four together are a provisional diagnosis)."""
    return {
        c.name: sum((given or 0) >= c.at_least for given in answers[c.first - 1 : c.last]) >= c.needs
        for c in scale.clusters
    }


def suicide_triage(answers: Sequence[bool], within_3_months: bool) -> str:
    """The risk the six yes/no answers of the C-SSRS screener give: none, low, moderate or high.

    Low: wish to be dead (1) or thoughts (2) alone. Moderate: method (3), or behaviour (6) longer ago than three months.
    High: intent (4), plan (5), or behaviour within three months. Source: triage of the Columbia Lighthouse screener.
    """
    if len(answers) != 6:
        sentence = f"C-SSRS: {len(answers)} answers; the screener has six; a blank is not a no, ask again"
        raise Refusal("SCALE-ANSWERS", sentence, field="answers", value=len(answers))
    wish, thoughts, method, intent, plan, behaviour = answers
    if intent or plan or (behaviour and within_3_months):
        return "high"
    if method or behaviour:
        return "moderate"
    return "low" if wish or thoughts else "none"


def relapse(scale: Scale, days: Sequence[float], scores: Any, *, baseline: Any, best: Any) -> np.ndarray:
    """The day of the first reading of a confirmed relapse for each person, nan where none: array (n,).

    `days` ascending, (v,); `scores` (n, v) or (v,), after the best score; `baseline`, `best` (n,) or one number.
    A missing reading (nan) neither counts nor breaks a run. Refuses where the scale states no relapse.
    """
    found = scale.relapse_rule
    if found is None:
        sentence = f"{scale.name}: has no rule of relapse; use a scale that has one (MADRS, PHQ-9)"
        raise Refusal("SCALE-NO-RULE", sentence, field="relapse", value=scale.name)
    seen = np.atleast_2d(np.asarray(scores, float))
    limit = np.full(seen.shape[0], np.inf if found.at_least is None else found.at_least)
    if found.gain_lost is not None:
        limit = np.minimum(limit, np.add(best, np.multiply(found.gain_lost, np.subtract(baseline, best))))
    start = np.full(seen.shape[0], np.nan)
    count = np.zeros(seen.shape[0], int)
    when = np.full(seen.shape[0], np.nan)
    for day, column in zip(days, seen.T, strict=True):
        high, known = column >= limit - _EDGE, np.isfinite(column)
        start = np.where(known & ~high, np.nan, np.where(high & (count == 0), day, start))
        count = np.where(known, np.where(high, count + 1, 0), count)
        confirmed = high & (count >= found.readings) & (day - start >= found.apart_days) & np.isnan(when)
        when = np.where(confirmed, start, when)
    return when


def reliable_change(sd: float, reliability: float) -> float:
    """The change that a scale's error alone exceeds in 5 % of stable people: 1.96 SD sqrt(2 (1 - r)). Jacobson 1991."""
    return 1.96 * sd * math.sqrt(2 * (1 - reliability))


@dataclass(frozen=True)
class Linked:
    """Scores read on another scale: `values` in the shape given, `sd` the spread of one person around them in points,
    `via` the scales between, `sources` the tables used."""

    values: np.ndarray
    sd: float
    via: tuple[str, ...]
    sources: tuple[str, ...]


def link(source: Scale, target: Scale, scores: Any, via: Sequence[Scale] = ()) -> Linked:
    """The scores of `source` read on `target`, kept within its range, by published tables, linear between their points.

    `via`: scales to step over where no table joins the two directly; their spreads add in quadrature, each carried to
    the target's points by the slope of the step. Refuses with SCALE-UNLINKED and the reason, and with SCALE-RANGE
    a score outside the source's range; nan stays nan.
    """
    values = np.asarray(scores, float)
    low, high = source.total or (-math.inf, math.inf)
    if np.any((values < low) | (values > high)):
        wrong = float(values[(values < low) | (values > high)][0])
        sentence = f"{source.name}: {wrong:g} lies outside its range {low:g} to {high:g}; check scale and unit"
        raise Refusal("SCALE-RANGE", sentence, field="scores", value=wrong)
    chain = (source, *via, target)
    variance, sources = 0.0, []
    for here, there in pairwise(chain):
        step = _step(here, there)
        if step is None:
            raise Refusal("SCALE-UNLINKED", why_unlinked(here, there), field="scale", value=there.name)
        xs, ys, sd, text = step
        values = np.interp(values, xs, ys)
        variance = variance * ((ys[-1] - ys[0]) / (xs[-1] - xs[0])) ** 2 + sd**2
        sources.append(text)
    low, high = target.total or (-math.inf, math.inf)
    return Linked(np.clip(values, low, high), math.sqrt(variance), tuple(s.name for s in via), tuple(sources))


def linked(source: Scale, target: Scale) -> bool:
    """Whether one published table joins the two."""
    return _step(source, target) is not None


def why_unlinked(source: Scale, target: Scale) -> str:
    """One sentence: why a score of `source` cannot be read on `target`."""
    reason = target.why_unlinked or source.why_unlinked or "no published table joins them"
    return f"{target.name} cannot be read from {source.name}: {reason}"


def _step(source: Scale, target: Scale) -> tuple[np.ndarray, np.ndarray, float, str] | None:
    for found in source.links:
        if found.other == target.name:
            xs, ys = np.array(found.points, float).T
            return xs, ys, found.sd_other, found.source
    for found in target.links:
        if found.other == source.name:
            ys, xs = np.array(found.points, float).T
            return xs, ys, found.sd_own, found.source
    return None


def by_gain(scale: Scale, own_baseline: Any, depression: Any, depression_baseline: Any) -> np.ndarray:
    """The score on a scale that has its own gain: own baseline x (1 - gain x improved share of the depression score).

    Arrays of people broadcast; the result stays within the scale's range. Refuses with SCALE-UNLINKED and the reason
    where no gain can be cited.
    """
    if scale.gain is None:
        sentence = f"{scale.name} has no gain: {scale.why_unlinked or 'none is published'}"
        raise Refusal("SCALE-UNLINKED", sentence, field="scale", value=scale.name)
    improved = 1 - np.divide(depression, depression_baseline)
    low, high = scale.total or (-math.inf, math.inf)
    return np.clip(np.multiply(own_baseline, 1 - scale.gain.value * improved), low, high)


def loinc_holds(code: str) -> bool:
    """Whether a LOINC code has the check digit its number demands (mod 10), which catches most invented codes.

    It says nothing about the meaning: 69737-5 is the GAD-7 panel, not its total, and has a right check digit.
    """
    found = re.fullmatch(r"(\d{1,7})-(\d)", code)
    if not found:
        return False
    digits = [int(d) for d in reversed(found[1])]
    weighted = [sum(divmod(2 * d, 10)) if place % 2 == 0 else d for place, d in enumerate(digits)]
    return (10 - sum(weighted) % 10) % 10 == int(found[2])


def _plain(found: Any) -> Any:
    return bool(found) if np.ndim(found) == 0 else found
