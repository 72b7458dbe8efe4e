"""The fit: parameters of status *calibrated* that have a prior, to the figures of use calibration.

`calibrate(studies)` gives a `Calibration`: values with their uncertainty, what the figures identify, how far studies
lie apart. `regrow.evidence.written` writes it into the files, comments and layout kept.

The one thing to know: it is a maximum of the posterior. Each figure counts by its own error and the spread between
studies; figures of one arm and of one study share what that study has of its own, so that sixty figures of one trial
are not sixty trials. Chance is common to all parameter sets, so the same call gives the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from regrow import mechanism
from regrow.catalog import evidence
from regrow.catalog.evidence import Contrast, Study
from regrow.evidence import measure, verdict
from regrow.evidence.arms import SEED, Arms, Place
from regrow.evidence.verdict import Z95
from regrow.mechanism import Prior
from regrow.people import Population, normal
from regrow.refusal import Refusal

PEOPLE, FEWEST = 128, 8
STEP = 0.02  # of a finite difference, on the scale a parameter is fitted on; predictions are smooth in it
ROUNDS = 20
# Share of the spread between studies that belongs to the study, to the arm, and to the figure alone: misfits of one
# study's figures agree that much (docs/decisions/0073).
OF_STUDY, OF_ARM, OF_FIGURE = 0.4, 0.2, 0.4
SAME_PEOPLE = 0.5  # share of a figure's own error that its arm's people bring, whatever is counted in them (assumed)
SOFT = 0.5  # standard errors from which a misfit counts less than by its square, so that odd trials pull little
# Standard error of a figure printed without one, by kind (assumed: that of a study of about 20 people an arm).
UNSTATED = {"points": 2.5, "share": 11.0, "difference": 2.5, "share_difference": 12.0}
UNSTATED_OTHERWISE = 0.3
AS_STUDIES = 4.0  # what `between.toml` assumes counts as so many studies
# What belongs to the drug alone, and what the rival's fit puts in its place: left out where the fit does without one.
OF_DRUG = ("theta_W", "k_severe", "k_P", "k_F", "F_max", "tau_n", "phi", "tau_S", "felt")
WITHOUT_DRUG = {"theta_W": 0.0, "felt": 0.0}


@dataclass(frozen=True)
class Knob:
    """One number that is fitted: a parameter's value, or its spread between people."""

    name: str
    of: Literal["value", "spread"]
    prior: Prior
    shipped: float

    @property
    def title(self) -> str:
        return self.name if self.of == "value" else f"{self.name} (spread)"

    def to_scale(self, value: float) -> float:
        return math.log(value) if self.prior.scale == "log" else value

    def from_scale(self, x: float) -> float:
        return math.exp(x) if self.prior.scale == "log" else float(x)


def knobs(drug: bool = True) -> tuple[Knob, ...]:
    """All that is fitted, in the order of `parameters.toml`; without `drug` only what acts without one."""
    found = []
    for name, parameter in mechanism.parameters().items():
        if not drug and name in OF_DRUG:
            continue
        if parameter.prior is not None:
            found.append(Knob(name, "value", parameter.prior, parameter.value))
        if parameter.spread_prior is not None and parameter.spread is not None:
            spread = parameter.spread
            found.append(Knob(name, "spread", parameter.spread_prior, spread.sd or spread.omega))
    return tuple(found)


def shelf(use: str = "calibration") -> list[Study]:
    """The studies of the shelf with this use, in the order of their ids."""
    return [study for study in map(evidence.get, evidence.ids()) if study.use == use]


@dataclass(frozen=True)
class Target:
    """One figure on the scale it is fitted on: ratios and times as logarithms."""

    place: Place
    seen: float
    error: float
    between: float
    sign: float
    log: bool

    @classmethod
    def of(cls, place: Place, between: Mapping[str, float]) -> Target:
        figure, study = place.figure, place.study
        kind = place.kind
        sizes = tuple(study.named(name).n or study.population.n for name in place.arm.split(" - "))
        n = (sizes[0], sizes[1]) if isinstance(figure, Contrast) else figure.n or sizes[0]
        seen = verdict.observed(figure, n)
        log = kind in ("ratio", "time")
        span = measure.span_of(figure.of) / 60 if kind in ("points", "difference") and figure.unit != "%" else 1.0
        value, error = seen.value, UNSTATED.get(kind, UNSTATED_OTHERWISE) * span
        if seen.ci95 is not None:
            low, high = np.log(seen.ci95) if log else seen.ci95
            error = max(float(high - low) / (2 * Z95), 1e-6)
        better_is_more = kind in ("share", "share_difference", "ratio", "time")
        worse = figure.what == "relapse" and kind != "time"
        sign = (1.0 if better_is_more else -1.0) * (-1.0 if worse else 1.0)
        return cls(place, math.log(value) if log else value, error, between[kind] * span, sign, log)

    def off(self, predicted: np.ndarray) -> np.ndarray:
        """Predictions minus what was seen; a figure without a prediction counts as far off, and moves nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = (np.log(np.maximum(predicted, 1e-4)) if self.log else predicted) - self.seen
        return np.where(np.isfinite(gap), gap, 3 * math.hypot(self.error, self.between))

    def as_spread(self, gap: float, span: float) -> tuple[float, float]:
        """A misfit of the fit and the figure's own error on the scale of `between.toml`: shares as logits."""
        if self.place.kind != "share":
            return gap / span, self.error / span
        # Half a person of fifty keeps a share of none or all finite.
        seen, expected = (min(max(p, 1.0), 99.0) / 100 for p in (self.seen, self.seen + gap))
        slope = 100 * max(expected * (1 - expected), seen * (1 - seen))
        return math.log(expected / (1 - expected) * (1 - seen) / seen), self.error / slope


LOGIT = 25.0  # percentage points of a logit about one half: the spread of a share in the fit


def spread_between(kind: str, between: Mapping[str, float]) -> float:
    """The spread between studies on the scale of the fit: that of a share is stated as a logit."""
    return between[kind] * LOGIT if kind == "share" else between[kind]


def factor(
    people: Population, name: str, value: Any = None, spread: np.ndarray | float | None = None
) -> np.ndarray | float:
    """What turns the shipped values of these people into those of another value and spread of one parameter."""
    row = mechanism.parameters()[name]
    value = row.value if value is None else value
    if row.spread is None:
        return value / row.value
    z = normal(people.seed, people.index, f"parameter:{name}")
    if row.spread.sd:
        return (value + (row.spread.sd if spread is None else spread) * z) / (row.value + row.spread.sd * z)
    return value / row.value * np.exp(((row.spread.omega if spread is None else spread) - row.spread.omega) * z)


class Problem:
    """Residuals of the figures and of the priors as functions of the numbers fitted."""

    def __init__(
        self,
        studies: Sequence[Study],
        people: int = PEOPLE,
        seed: int = SEED,
        drug: bool = True,
        between: Mapping[str, float] | None = None,
    ) -> None:
        self.knobs = knobs(drug)
        self.drug = drug
        self.people = people
        self.arms = Arms(studies, people, seed)
        known = verdict.between_assumed() if between is None else between
        self.between = {kind: spread_between(kind, known) for kind in known}
        self.targets = [Target.of(place, self.between) for place in self.arms.places]
        self.low, self.high = (
            np.array([k.to_scale(getattr(k.prior, end)) for k in self.knobs]) for end in ("low", "high")
        )
        self.middle = np.array([k.to_scale(k.prior.value) for k in self.knobs])
        self.sd = np.array([k.prior.sd for k in self.knobs])
        self.shipped = np.array([k.to_scale(k.shipped) for k in self.knobs])
        self._seen: dict[bytes, np.ndarray] = {}

    def scaled(self, people: Population, sets: np.ndarray) -> dict[str, np.ndarray]:
        """What multiplies the shipped parameters of these people under each set (m, knobs), by name."""
        tried: dict[str, dict[str, np.ndarray]] = {}
        for column, knob in enumerate(self.knobs):
            values = np.array([knob.from_scale(x) for x in sets[:, column]])[:, None]
            tried.setdefault(knob.name, {})[knob.of] = values
        found = {name: np.asarray(factor(people, name, **new)) for name, new in tried.items()}
        found["leave"] = found["leave"][:, 0]
        if not self.drug:
            found |= {name: np.full((len(sets), 1), x) for name, x in WITHOUT_DRUG.items()}
        return found

    def predicted(self, sets: np.ndarray) -> np.ndarray:
        """The figures under each set (m, figures); what was asked before is not computed again."""
        new = [x for x in sets if x.tobytes() not in self._seen]
        if new:
            rows = self.arms.predicted(lambda people: self.scaled(people, np.array(new)))
            self._seen |= {x.tobytes(): row for x, row in zip(new, rows, strict=True)}
        return np.array([self._seen[x.tobytes()] for x in sets])

    def off(self, sets: np.ndarray) -> np.ndarray:
        """Prediction minus figure, on the scale of the fit (m, figures)."""
        predicted = self.predicted(sets)
        return np.stack([target.off(predicted[:, k]) for k, target in enumerate(self.targets)], axis=1)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """How the figures move with each number fitted (figures, knobs), all differences in one run."""
        steps = np.where(x + STEP > self.high, -STEP, STEP)
        sets = np.vstack([x, x + np.diag(steps)])
        off = self.off(sets)
        return ((off[1:] - off[0]) / steps[:, None]).T

    @cached_property
    def whitener(self) -> np.ndarray:
        """The matrix that makes the errors of the figures independent and of size one."""
        targets = self.targets
        covariance = np.diag([(1 - SAME_PEOPLE) * t.error**2 + OF_FIGURE * t.between**2 for t in targets])
        people = self._of_people()
        covariance += people @ people.T
        own = np.array([t.sign * t.between for t in targets])
        contrast = np.array([" - " in t.place.arm for t in targets])
        study = np.array([t.place.study.id for t in targets])
        arm = np.array([t.place.arm for t in targets])
        same = (study[:, None] == study) & (contrast[:, None] == contrast)
        covariance += np.outer(own, own) * same * (OF_STUDY + OF_ARM * (arm[:, None] == arm))
        return np.linalg.inv(np.linalg.cholesky(covariance))

    def _of_people(self) -> np.ndarray:
        """How chance in the people of each arm moves each figure (figures, arms): a contrast moves with both."""
        arms = {key: k for k, key in enumerate(self.arms.prepared)}
        found = np.zeros((len(self.targets), len(arms)))
        for row, target in zip(found, self.targets, strict=True):
            names = target.place.arm.split(" - ") if isinstance(target.place.figure, Contrast) else [target.place.arm]
            load = target.sign * target.error * math.sqrt(SAME_PEOPLE / len(names))
            for name, side in zip(names, (1, -1), strict=False):
                row[arms[target.place.study.id, name]] = side * load
        return found

    def residuals(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([self.whitener @ self.off(x[None])[0], (x - self.middle) / self.sd])

    def slopes(self, x: np.ndarray) -> np.ndarray:
        return np.vstack([self.whitener @ self.jacobian(x), np.diag(1 / self.sd)])


@dataclass(frozen=True)
class Fitted:
    """One number that was fitted: `sd` on the scale it was fitted on, `ci95` on its own."""

    knob: Knob
    value: float
    sd: float
    ci95: tuple[float, float]
    identified: Literal["figures", "prior", "bound"]


@dataclass(frozen=True)
class Calibration:
    """What a fit gave. `cost` is half the sum of squares it ended at, `rounds` how many Jacobians it took."""

    fitted: tuple[Fitted, ...]
    problem: Problem
    x: np.ndarray
    cost: float
    rounds: int
    between: Mapping[str, float]
    left_out: Mapping[str, float]

    def scaled(self, people: Population) -> dict[str, Any]:
        """What multiplies the shipped parameters of these people under the fit: for `check`, as `scaled`."""
        found = self.problem.scaled(people, self.x[None])
        return {
            name: factor[0] if np.size(factor[0]) > 1 else float(np.squeeze(factor[0]))
            for name, factor in found.items()
        }


def calibrate(
    studies: Sequence[Study],
    *,
    people: int = PEOPLE,
    seed: int = SEED,
    drug: bool = True,
    start: np.ndarray | None = None,
    rounds: int = ROUNDS,
    tolerance: float = 2e-4,
    between: Mapping[str, float] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Calibration:
    """The parameters that the figures of `studies` and the priors make most probable.

    It starts from the priors, or from `start`, and stops when a round gains less than `tolerance` of the misfit.
    `drug=False` fits the same figures with the drug switched off: the dull rival. `between` replaces the spread between
    studies that `between.toml` assumes. Refuses with PEOPLE-RANGE and SEED-BAD.
    """
    from scipy.optimize import least_squares

    if people < FEWEST:
        sentence = f"people: {people} is below {FEWEST}; give at least so many for each arm, {PEOPLE} for a fit to ship"
        raise Refusal("PEOPLE-RANGE", sentence, field="people", value=people)
    if not 0 <= seed < 65536:
        sentence = f"seed: {seed} is outside 0 to 65535; give a whole number within that range"
        raise Refusal("SEED-BAD", sentence, field="seed", value=seed)
    problem = Problem(studies, people, seed, drug, between)
    taken = [0]

    def slopes(x: np.ndarray) -> np.ndarray:
        taken[0] += 1
        if progress:
            progress(f"round {taken[0]}: misfit {0.5 * float(np.sum(problem.residuals(x) ** 2)):.2f}")
        return problem.slopes(x)

    edge = 1e-6 * (problem.high - problem.low)
    begin = np.clip(problem.middle if start is None else start, problem.low + edge, problem.high - edge)
    found = least_squares(
        problem.residuals,
        begin,
        slopes,  # type: ignore[arg-type]  # scipy's stub knows only the names of its own schemes
        bounds=(problem.low, problem.high),
        loss="soft_l1",
        f_scale=SOFT,
        x_scale=problem.sd,
        ftol=tolerance,
        xtol=tolerance / 2,
        max_nfev=rounds,
    )
    x = np.asarray(found.x)
    slope = problem.slopes(x)
    apart, left_out = _leaving_out(problem, x, slope)
    weight = (1 + (problem.residuals(x) / SOFT) ** 2) ** -0.5
    covariance = np.linalg.inv(slope.T @ (slope * weight[:, None]))
    fitted = tuple(_fitted(problem, k, x[k], math.sqrt(covariance[k, k])) for k in range(len(x)))
    return Calibration(fitted, problem, x, float(found.cost), taken[0], apart, left_out)


def _fitted(problem: Problem, k: int, x: float, sd: float) -> Fitted:
    knob = problem.knobs[k]
    low, high = problem.low[k], problem.high[k]
    at_bound = min(x - low, high - x) < 0.01 * (high - low)
    ends = (max(low, x - Z95 * sd), min(high, x + Z95 * sd))
    known: Literal["figures", "prior", "bound"] = (
        "bound" if at_bound else ("figures" if sd < 0.75 * knob.prior.sd else "prior")
    )
    return Fitted(knob, knob.from_scale(x), sd, (knob.from_scale(ends[0]), knob.from_scale(ends[1])), known)


def _leaving_out(problem: Problem, x: np.ndarray, slope: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """The spread between studies by kind, and each study's mean misfit, when the fit does without that study.

    The fit without a study is one step of Gauss and Newton away from the fit with all. What is left of the squared
    misfit once each figure's own error is taken off is the spread; every study counts the same, and so does the spread
    stated before, as AS_STUDIES of them.
    """
    residual = problem.residuals(x)
    off, jacobian = problem.off(x[None])[0], problem.jacobian(x)
    ids = [t.place.study.id for t in problem.targets]
    gaps: dict[str, dict[str, list[float]]] = {}
    misfit: dict[str, float] = {}
    for study in dict.fromkeys(ids):
        mine = np.array([name == study for name in ids])
        kept = np.concatenate([~mine, np.ones(len(x), bool)])
        weight = (1 + (residual[kept] / SOFT) ** 2) ** -0.25  # soft_l1, as in the fit
        rows = slope[kept] * weight[:, None]
        step, *_ = np.linalg.lstsq(rows, -residual[kept] * weight, rcond=None)
        moved = np.clip(x + step, problem.low, problem.high) - x
        without = off[mine] + jacobian[mine] @ moved
        targets = [t for t, m in zip(problem.targets, mine, strict=True) if m]
        misfit[study] = float(
            np.mean([abs(g) / math.hypot(t.error, t.between) for g, t in zip(without, targets, strict=True)])
        )
        for gap, target in zip(without, targets, strict=True):
            kind = target.place.kind
            gap, error = target.as_spread(gap, target.between / problem.between[kind])
            gaps.setdefault(kind, {}).setdefault(study, []).append(gap**2 - error**2)
    apart = {}
    for kind, by_study in gaps.items():
        # Few studies tell a spread badly: what was assumed counts as so many studies more.
        known = [float(np.mean(values)) for values in by_study.values()]
        stated = verdict.between_assumed()[kind]
        square = (sum(known) + AS_STUDIES * stated**2) / (len(known) + AS_STUDIES)
        apart[kind] = math.sqrt(max(square, 0.0))
    return apart, misfit
