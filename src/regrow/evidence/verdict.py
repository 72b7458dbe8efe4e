"""What a study saw against what the model expects of such a study: intervals, z, within, covered.

The one thing to know: the predicted interval is that of *the figure as this study would have seen it*: its number of
people drawn, the same statistic, and the spread between studies on top (`between.toml`). Every rule of the verdict is
that of the evidence contract; nothing here knows of drugs or of simulation.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from regrow.catalog.evidence import Contrast, Figure

DRAWS = 4000  # studies drawn for an interval; its ends then move by about 1 % of its width between seeds
Z95 = 1.959963984540054
FREEDOM = 19  # studies of use calibration, which tell the spread between studies: it is drawn as Student's t

Family = Literal["points", "share", "pressure", "level", "time", "standardised", "ratio"]


@dataclass(frozen=True)
class Sample:
    """What one arm gives for one figure: `values` of the simulated people (n,), and the statistic a study takes.

    `family` says which spread between studies applies, `span` is the length of the scale in points (60 for MADRS).
    """

    values: np.ndarray
    statistic: Literal["mean", "median", "share", "standardised"]
    family: Family
    span: float = 60.0
    note: str = ""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, None where there is nothing to make one from."""

    value: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class Judgement:
    """`z` the difference over the pooled standard error; `within` and `covered` as the contract defines them."""

    z: float | None
    within: bool
    covered: bool


@lru_cache(maxsize=1)
def between() -> dict[str, float]:
    """The spread between studies of each family (`between.toml`), one standard deviation."""
    return {name: float(row["value"]) for name, row in _between().items()}


def between_assumed() -> dict[str, float]:
    """The spread between studies as it was assumed before any fit, of the families that the calibration estimates."""
    return {name: float(row["assumed"]) for name, row in _between().items() if "assumed" in row}


def _between() -> dict[str, dict]:
    return tomllib.loads((Path(__file__).parent / "between.toml").read_text(encoding="utf-8"))


def wilson(percent: float, n: int) -> tuple[float, float]:
    """The 95 % interval in per cent of a share seen in n people (Wilson 1927)."""
    p, z2 = percent / 100, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def standardised(figure: Figure) -> bool:
    """Whether the figure is an effect in standard deviations (signs of the body are reported in their own units)."""
    in_own_unit = figure.unit not in (None, "SD") or figure.of in ("SBP", "DBP", "HR", "CADSS")
    return figure.what == "effect" and not figure.is_share and not in_own_unit


def observed(figure: Figure, n: int | tuple[int, int] | None) -> Estimate:
    """The reported figure with its interval: from ci95, else se, else sd and n, else Wilson for a per cent.

    With n the interval of a mean is Student's, of a difference with the n of its own pairs, else with its SD pooled
    over both arms; of a median with quartiles, 1.58 IQR / sqrt(n) (McGill 1978). An effect in standard deviations has
    an sd of one by its meaning: n, or the n of both arms, gives its interval (Hedges and Olkin 1985).
    """
    value = figure.value
    if figure.ci95 is not None:
        return Estimate(value, figure.ci95)
    se = figure.se
    if se is None and standardised(figure) and n:
        se = effect_se(value, n)
    if isinstance(n, tuple):  # a difference: its SD is of its own pairs, else pooled over both arms
        if se is None and figure.sd is not None and figure.n is None:
            se = figure.sd * math.sqrt(1 / n[0] + 1 / n[1])
        n = figure.n
    if se is None and figure.sd is not None and n:
        se = figure.sd / math.sqrt(n)
    if se is not None:
        half = se * (_student(n - 1) if n and n > 1 else Z95)
        return Estimate(value, (value - half, value + half))
    if figure.iqr is not None and n:
        half = 1.58 * (figure.iqr[1] - figure.iqr[0]) / math.sqrt(n)
        return Estimate(value, (value - half, value + half))
    if figure.is_share and n and not isinstance(figure, Contrast):
        return Estimate(value, wilson(value, n))
    return Estimate(value, None)


def effect_se(d: float, n: int | tuple[int, int]) -> float:
    """The standard error of an effect d seen in n people, or between two arms of n each (Hedges and Olkin 1985)."""
    if isinstance(n, tuple):
        return math.sqrt(1 / n[0] + 1 / n[1] + d * d / (2 * sum(n)))
    return math.sqrt(1 / n + d * d / (2 * n))


def _student(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def central(sample: Sample) -> float:
    """The statistic over all simulated people: the predicted value."""
    values = np.asarray(sample.values, float)
    if sample.statistic == "share":
        return 100 * float(values.mean())
    if sample.statistic == "median":
        return float(np.median(values))
    if sample.statistic == "standardised":
        return float(values.mean() / values.std(ddof=1))
    return float(values.mean())


def draws(sample: Sample, n: int, rng: np.random.Generator, spread: bool = True) -> np.ndarray:
    """The statistic as DRAWS studies of n people each would see it; `spread` adds that between studies."""
    values = np.asarray(sample.values, float)
    shift = rng.standard_t(FREEDOM, DRAWS) if spread else np.zeros(DRAWS)
    if sample.statistic == "share":
        # Half a person keeps a share of 0 or 1 of the simulated from being certain.
        p = (min(values.sum(), len(values)) + 0.5) / (len(values) + 1)
        logit = math.log(p / (1 - p)) + between()["share"] * shift
        return 100 * rng.binomial(n, 1 / (1 + np.exp(-logit))) / n
    if sample.statistic == "standardised":
        d = central(sample)
        return rng.normal(d, effect_se(d, n), DRAWS) + between()["standardised"] * shift
    if sample.statistic == "median":
        seen = np.median(rng.choice(values, (DRAWS, min(n, 200))), axis=1)
    else:
        seen = rng.normal(values.mean(), values.std(ddof=1) / math.sqrt(n), DRAWS)
    if sample.family in ("level", "time"):
        return seen * np.exp(between()[sample.family] * shift)
    if sample.family == "pressure":
        return seen + between()["pressure"] * shift
    return seen + between()["points"] * (sample.span / 60) * shift


def predicted(sample: Sample, n: int, seed: int) -> Estimate:
    """The predicted figure and its interval for a study of n people."""
    rng = np.random.default_rng(seed)
    return Estimate(central(sample), _interval(draws(sample, n, rng)))


def predicted_contrast(
    first: Sample, second: Sample, n: tuple[int, int], seed: int, unit: str | None = None
) -> Estimate:
    """The predicted first arm minus the second, or their ratio (`unit` "hazard ratio", "odds ratio", "risk ratio").

    The spread between studies is that of a difference: what arms of one study share falls out.
    """
    rng = np.random.default_rng(seed)
    draws_one, draws_two = draws(first, n[0], rng, spread=False), draws(second, n[1], rng, spread=False)
    shift = rng.standard_t(FREEDOM, DRAWS)
    if unit and unit.endswith("ratio"):
        kind = unit.split()[0]
        clipped = (np.clip(d, 50 / size, 100 - 50 / size) for d, size in zip((draws_one, draws_two), n, strict=True))
        seen = ratio(kind, *clipped) * np.exp(between()["ratio"] * shift)
        return Estimate(central_contrast(first, second, unit), _interval(seen))
    if first.statistic == "share":
        tau = between()["share_difference"]
    elif first.family == "pressure":
        tau = between()["pressure_difference"]
    else:
        tau = between()["difference"] * first.span / 60
    return Estimate(central_contrast(first, second), _interval(draws_one - draws_two + tau * shift))


def central_contrast(first: Sample, second: Sample, unit: str | None = None) -> float:
    """The predicted first arm minus the second, or their ratio, without its interval."""
    one, two = central(first), central(second)
    if not (unit and unit.endswith("ratio")):
        return one - two
    floor = 50 / max(len(first.values), 1)
    return float(ratio(unit.split()[0], *np.clip((one, two), floor, 100 - floor)))


def central_effect(first: Sample, second: Sample) -> float:
    """The predicted standardised difference of two arms (Cohen d, pooled SD), without its interval."""
    a, b = np.asarray(first.values, float), np.asarray(second.values, float)
    return float((a.mean() - b.mean()) / math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))


def predicted_effect(first: Sample, second: Sample, n: tuple[int, int], seed: int) -> Estimate:
    """The predicted standardised difference of two arms (Cohen d, pooled SD)."""
    d = central_effect(first, second)
    se = math.hypot(effect_se(d, n), between()["standardised"])
    return Estimate(d, (d - Z95 * se, d + Z95 * se))


def ratio(kind: str, first, second):
    """Hazard, odds or risk ratio of two shares in per cent; a hazard ratio by proportional hazards."""
    p, q = first / 100, second / 100
    if kind == "risk":
        return p / q
    if kind == "odds":
        return (p / (1 - p)) / (q / (1 - q))
    return np.log1p(-p) / np.log1p(-q)


def _interval(seen: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(seen, [0.025, 0.975])
    return float(low), float(high)


def tolerance(figure: Figure, span: float) -> float | None:
    """How far a prediction may lie off a figure whose interval is narrower; None where the contract grants nothing.

    10 percentage points; 3 MADRS points, 2 for a contrast, and as much of the length of any other scale; 3 and 2 mmHg.
    """
    if figure.is_ratio:
        return None
    if figure.is_share:
        return 10.0
    if standardised(figure):
        return None
    return (2.0 if isinstance(figure, Contrast) else 3.0) * span / 60


def judge(figure: Figure, seen: Estimate, expected: Estimate, span: float) -> Judgement:
    """The verdict of the contract on one figure."""
    gap = abs(expected.value - seen.value)
    if seen.ci95 is None and figure.is_concentration:
        low, high = sorted((abs(expected.value), abs(seen.value)))
        within = low > 0 and high / low <= 1.5
    else:
        mercy = tolerance(figure, span) if not figure.is_concentration else None
        inside = seen.ci95 is not None and seen.ci95[0] <= expected.value <= seen.ci95[1]
        within = inside or (mercy is not None and gap <= mercy + 1e-9)
    covered = expected.ci95 is not None and expected.ci95[0] <= seen.value <= expected.ci95[1]
    widths = [e.ci95[1] - e.ci95[0] for e in (seen, expected) if e.ci95 is not None]
    pooled = math.hypot(*widths) / (2 * Z95)
    return Judgement((expected.value - seen.value) / pooled if pooled > 0 else None, within, covered)
