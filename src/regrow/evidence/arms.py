"""The arms of the calibration figures, prepared once and predicted for many parameter sets at a time.

The one thing to know: every parameter set is tried on the same people with the same chance (common random numbers), as
one more tile of the same run, so that the difference between two sets is the parameters and nothing else. Only the
score and the rate of relapse are solved for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from regrow import engine
from regrow.assembly import Assembly
from regrow.catalog.evidence import Arm, Contrast, Figure, Study
from regrow.catalog.notation import when
from regrow.evidence import measure, predict, verdict
from regrow.evidence.checking import DEPRESSION
from regrow.evidence.simulated import Simulated, Unpredictable
from regrow.people import Population
from regrow.refusal import Refusal
from regrow.regimen import Course, walk
from regrow.simulate import RATING_SD

SEED = 20_000  # not the check's people: a fit must not learn those it is judged on
Scaled = Mapping[str, np.ndarray]
"""Parameter -> what multiplies it, one row for each set and one column for each person (m, n), or (m, 1)."""


@dataclass
class Prepared:
    """One arm with its people and course; `keep` is what does not change between sets."""

    study: Study
    arm: Arm
    figures: tuple[Figure, ...]
    people: Population
    course: Course
    times: np.ndarray
    memo: dict = field(default_factory=dict)

    def scores(self, scaled: Scaled, sets: int) -> tuple[np.ndarray, np.ndarray]:
        """MADRS and rate of relapse per week of every set: two arrays (m, n, times)."""
        n = self.people.n
        crowd = self.people[np.tile(np.arange(n), sets)]
        wide = {name: np.broadcast_to(factor, (sets, n)).reshape(-1) for name, factor in scaled.items()}
        setup = Assembly(self.course, crowd, scaled=wide)
        who = np.arange(crowd.n)
        events = [
            event
            for session in walk(self.course.protocol, self.course.hours / 24)
            for event in setup.events(session, who)
        ]
        events += setup.changes(0.0, math.inf)
        outputs = ("D", "relapse_rate")
        solved = engine.solve(setup.compiled, setup.of(who), events, self.times, outputs, n=crowd.n, whole=False)
        score, rate = (values.reshape(sets, n, len(self.times)) for values in solved.values)
        return score, 168.0 * rate


@dataclass(frozen=True)
class Place:
    """Where one figure stands: the study, the arm or both arms of a contrast."""

    study: Study
    arm: str
    figure: Figure

    @property
    def kind(self) -> str:
        """Which spread between studies applies: a name in `between.toml`."""
        figure = self.figure
        if figure.is_ratio:
            return "ratio"
        if figure.what == "effect":
            return "standardised"
        if isinstance(figure, Contrast):
            return "share_difference" if figure.is_share else "difference"
        if figure.is_share:
            return "share"
        return "time" if figure.what == "relapse" else "points"


class Arms:
    """The depression figures of some studies, and what parameter sets predict for them."""

    def __init__(self, studies: Sequence[Study], people: int, seed: int = SEED) -> None:
        self.prepared: dict[tuple[str, str], Prepared] = {}
        self.places: list[Place] = []
        for study in studies:
            for arm in study.arm:
                own = tuple(f for f in arm.observed if f.of in DEPRESSION)
                shared = tuple(c for c in study.contrast if arm.name in c.arms and c.of in DEPRESSION)
                if own + shared:
                    self._prepare(study, arm, own + shared, people, seed)
            for arm in study.arm:
                self.places += [Place(study, arm.name, f) for f in arm.observed if f.of in DEPRESSION]
            self.places += [Place(study, " - ".join(c.arms), c) for c in study.contrast if c.of in DEPRESSION]

    def _prepare(self, study: Study, arm: Arm, figures: tuple[Figure, ...], people: int, seed: int) -> None:
        hours = max(when(figure.at).from_first_dose(arm.days) for figure in figures)
        times = np.array(sorted({0.0, hours, *predict.visited(figures, arm)}))
        course = predict.course(study, arm, predict.given_days(arm, figures), hours)
        drawn = predict.population(study, arm, people, seed)
        self.prepared[study.id, arm.name] = Prepared(study, arm, figures, drawn, course, times)

    def predicted(self, scaled_for) -> np.ndarray:
        """The central prediction of every figure (sets, figures), nan where there is none.

        `scaled_for(people)` gives what multiplies the parameters of these people, (sets, n) by name, and "leave"
        (sets,).
        """
        samples: dict[tuple[str, str], list[Simulated]] = {}
        for key, one in self.prepared.items():
            scaled = dict(scaled_for(one.people))
            leave = scaled.pop("leave")
            scores, rates = one.scores(scaled, len(leave))
            samples[key] = [
                Simulated(
                    times=one.times,
                    values={"madrs": scores[k], "relapse_per_week": rates[k]},
                    baseline=np.asarray(one.people.baseline, float),
                    seed=one.people.seed,
                    rating_sd=RATING_SD,
                    left=predict.left(one.study) * float(leave[k]),
                    memo=one.memo,
                )
                for k in range(len(leave))
            ]
        sets = len(next(iter(samples.values())))
        return np.array([[self._figure(place, samples, k) for place in self.places] for k in range(sets)])

    def _figure(self, place: Place, samples: Mapping[tuple[str, str], list[Simulated]], k: int) -> float:
        study, figure = place.study, place.figure

        def sample(name: str, asked: Figure) -> verdict.Sample:
            arm = study.named(name)
            return measure.sample(samples[study.id, name][k], study, arm, asked)

        try:
            if not isinstance(figure, Contrast):
                return verdict.central(sample(place.arm, figure))
            first, second = (sample(name, figure.of_each_arm) for name in figure.arms)
            if verdict.standardised(figure):
                return verdict.central_effect(first, second)
            return verdict.central_contrast(first, second, figure.unit)
        except (Unpredictable, Refusal):
            return math.nan
