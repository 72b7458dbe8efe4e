"""What a simulation of one arm hands to the check, and the reason when it cannot: the seam between model and verdict.

The one thing to know: only this value crosses. `predict_arm` fills it from `regrow.simulate`; a test fills it with
numbers of its own. A figure that it does not hold is Unpredictable, with a sentence, and never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


class Unpredictable(Exception):
    """The model has nothing to say on a figure; the sentence says why."""


@dataclass(frozen=True)
class Simulated:
    """One arm, simulated: `times` in h from the first dose (t,), people (n,).

    `values` holds read-outs by name, (n, t): "madrs" (latent), "cadss", "sbp", "pain_nrs" ..., and plasma levels in
    ng/mL as "ANALYTE@SITE" ("S-ketamine@venous"). `baseline` (n,) is MADRS as rated at entry, `age_y` (n,) their age.
    `missing` says of a read-out why it is not there, `notes` what was assumed of the people; `left` is the share of
    those who began that counts as no response. `memo` keeps what does not change while the same people are simulated
    again.
    """

    times: np.ndarray
    values: Mapping[str, np.ndarray]
    baseline: np.ndarray
    seed: int = 1
    age_y: np.ndarray | float = 45.0
    rating_sd: float = 3.0
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left: float = 0.0
    memo: dict = field(default_factory=dict, compare=False)

    @property
    def n(self) -> int:
        return len(self.baseline)

    def course(self, name: str) -> np.ndarray:
        """The read-out over all times (n, t). Raises Unpredictable with the reason where there is none."""
        if name not in self.values:
            raise Unpredictable(self.missing.get(name, f"the model has no read-out {name!r} for this arm"))
        return self.values[name]

    def at(self, name: str, hours: float) -> np.ndarray:
        """The read-out of every person (n,) at a time in h, linear between the times solved."""
        course = self.course(name)
        if not self.times[0] <= hours <= self.times[-1] + 1e-9:
            raise Unpredictable(f"{hours:g} h lies outside the simulated {self.times[0]:g} to {self.times[-1]:g} h")
        right = min(int(np.searchsorted(self.times, hours)), len(self.times) - 1)
        left = max(right - 1, 0)
        gap = self.times[right] - self.times[left]
        share = 0.0 if gap == 0 else float(hours - self.times[left]) / float(gap)
        return (1 - share) * course[:, left] + share * course[:, right]

    def until(self, name: str, hours: float) -> tuple[np.ndarray, np.ndarray]:
        """Times (t,) up to `hours` and the read-out at them (n, t)."""
        inside = self.times <= hours + 1e-9
        if inside.sum() < 2:
            raise Unpredictable(f"nothing was simulated up to {hours:g} h")
        return self.times[inside], self.course(name)[:, inside]

    def rated(self, hours: float) -> np.ndarray:
        """MADRS as a rater would write it at that time (n,): noise keyed by person and time, whole points, 0 to 60."""
        from regrow.people import normal

        noise = self.rating_sd * normal(self.seed, np.arange(self.n), f"rating:{hours:.6g}")
        return np.clip(np.round(self.at("madrs", hours) + noise), 0, 60)

    def rated_as(self, hours: float) -> np.ndarray:
        """The chance (n, 61) that a rater writes 0, 1, ... 60 at that time: what `rated` draws one number of."""
        from scipy.special import ndtr

        edges = np.arange(60) + 0.5
        below = ndtr((edges - self.at("madrs", hours)[:, None]) / max(self.rating_sd, 1e-6))
        return np.diff(below, axis=1, prepend=0.0, append=1.0)

    def reading_noise(self, purpose: str) -> np.ndarray:
        """Standard-normal numbers (n,) for one purpose, the same whenever it is asked again."""
        from regrow.people import normal

        return normal(self.seed, np.arange(self.n), f"reading:{purpose}")
