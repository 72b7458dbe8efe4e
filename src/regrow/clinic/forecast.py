"""The predicted course of a person, from `regrow.simulate`: always labelled simulated, never mixed with measurements.

The one thing to know: a forecast may be absent; the clinic works without one.
"""

from __future__ import annotations

from dataclasses import dataclass

from regrow.clinic.models import Course
from regrow.clinic.planning import Plan


@dataclass(frozen=True)
class Band:
    """One read-out over time: hours, median and the 5th and 95th percentile, in `unit`."""

    name: str
    unit: str
    hours: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def path(self, which: str, width: float = 600, height: float = 160) -> str:
        """An SVG path of one line, scaled to the band."""
        top = max(self.high) or 1.0
        values = getattr(self, which)
        span = self.hours[-1] or 1.0
        marks = [
            f"{t / span * width:.1f},{height - v / top * height:.1f}" for t, v in zip(self.hours, values, strict=True)
        ]
        return "M" + " L".join(marks)

    @property
    def area(self) -> str:
        """The band between the percentiles as one closed path."""
        down = self.path("low").removeprefix("M").split(" L")
        return self.path("high") + " L" + " L".join(reversed(down)) + " Z"


def madrs_band(
    plan: Plan,
    course: Course | None,
    *,
    weight: float,
    age: float,
    female: bool,
    baseline: float | None,
    people: int = 200,
) -> Band | None:
    """The predicted MADRS of people like this one, or None when no forecast can be made."""
    try:
        from regrow.clinic._simulate import madrs  # type: ignore[import-not-found]
    except ImportError:
        return None
    return madrs(plan, course, weight=weight, age=age, female=female, baseline=baseline, people=people)
