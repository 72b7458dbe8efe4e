"""Who is treated: one person, or a drawn population, and the randomness that makes each person the same everywhere.

The one thing to know: chance is counted, not streamed. Every random number is a function of (seed, person, purpose)
alone, so person 17 is the same person in a run of 100 or of a million, in any chunk, on any worker, and a new purpose
never shifts an old one. What is stated is fixed for all; only the rest is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from regrow.refusal import Refusal
from regrow.units import number, read

# What a person may be: the physical limits of the house; published models narrow them further, by id.
WEIGHT_KG, HEIGHT_CM, AGE_Y, BASELINE = (30.0, 250.0), (100.0, 230.0), (0.0, 120.0), (0.0, 60.0)
MOST_PEOPLE = 10_000_000

# The typical person: the house's default, assumed.
TYPICAL_WEIGHT_KG, TYPICAL_AGE_Y, TYPICAL_FEMALE, TYPICAL_BASELINE = 70.0, 45.0, True, 33.0


@dataclass(frozen=True)
class Spread:
    """A normal spread between people, cut off at `low` and `high`: mean and SD before cutting off."""

    mean: float
    sd: float
    low: float = -math.inf
    high: float = math.inf

    def at(self, z: np.ndarray) -> np.ndarray:
        """The value of each standard-normal number in `z`, by rank: the cut-off tails are spread over the rest."""
        from scipy.special import ndtr, ndtri

        if self.sd == 0:
            return np.full(np.shape(z), self.mean)
        below, above = ndtr((self.low - self.mean) / self.sd), ndtr((self.high - self.mean) / self.sd)
        return np.clip(self.mean + self.sd * ndtri(below + ndtr(z) * (above - below)), self.low, self.high)


# Who is drawn where nothing is stated: adults with treatment-resistant depression.
# Age, sex, BMI: measured, 580 people of SUSTAIN-2 (PMC7387766, table 4), 50.7 (13.33) y, 63.4 % women, 28.0 (5.81).
# Severity: the mean is the typical person's (assumed), the SD measured at the start of TRANSFORM-1 and -2 (PMC8921149,
# table 4: 5.0 to 6.1 in four groups). Height: means of US adults (NHANES 2015-2018, recalled), SD 2.85 and 2.58 inches
# (NHES 1960-62, read). Assumed: BMI is log-normal, the same in both sexes and at every age, and severity does not go
# with the body. Weight follows from BMI and height, which correlates it with both height and sex.
FEMALE_SHARE = 0.634
AGE = Spread(50.7, 13.33, 18.0, 85.0)
HEIGHT_OF_WOMEN, HEIGHT_OF_MEN = Spread(161.3, 6.55, 140.0, 185.0), Spread(175.3, 7.24, 152.0, 200.0)
BMI_MEAN, BMI_SD, BMI_LOW, BMI_HIGH = 28.0, 5.81, 17.0, 50.0
SEVERITY = Spread(TYPICAL_BASELINE, 5.5, 20.0, 56.0)
WEIGHT_WITH_HEIGHT = 0.4  # rank correlation within a sex where a study states weight alone; assumed, as BMI implies it


@dataclass(frozen=True)
class Person:
    """One person. `height_cm` None is not known: only a dose per ideal weight needs it. `baseline` is MADRS, 0-60.

    Refuses with WEIGHT-RANGE, HEIGHT-RANGE, AGE-RANGE, BASELINE-RANGE what no person is.
    """

    weight_kg: float = TYPICAL_WEIGHT_KG
    height_cm: float | None = None
    age_y: float = TYPICAL_AGE_Y
    female: bool = TYPICAL_FEMALE
    baseline: float = TYPICAL_BASELINE

    def __post_init__(self) -> None:
        _within("WEIGHT-RANGE", "weight", self.weight_kg, WEIGHT_KG, " kg")
        if self.height_cm is not None:
            _within("HEIGHT-RANGE", "height", self.height_cm, HEIGHT_CM, " cm")
        _within("AGE-RANGE", "age", self.age_y, AGE_Y, " y")
        _within("BASELINE-RANGE", "baseline", self.baseline, BASELINE, " MADRS points")


@dataclass(frozen=True)
class Stated:
    """What is stated about the people, None for what is not: a number for everyone, or a `Spread` between them.

    `female` is True or False for everyone, or the share of women. A spread is cut off at what a person may be. Refuses
    as `Person` does, and with SPREAD-BAD.
    """

    weight_kg: float | Spread | None = None
    height_cm: float | Spread | None = None
    age_y: float | Spread | None = None
    female: bool | float | None = None
    baseline: float | Spread | None = None

    def __post_init__(self) -> None:
        means = self._means()
        share = means.pop("female")
        if share is not None:
            _within("SEX-UNKNOWN", "share of women", float(share), (0.0, 1.0), "")
        Person(**{name: value for name, value in means.items() if value is not None})
        for name, value in vars(self).items():
            if isinstance(value, Spread) and not 0 <= value.sd < math.inf:
                sentence = f"{name}: the SD {value.sd:g} is not 0 or more; give the SD between people"
                raise Refusal("SPREAD-BAD", sentence, field=name, value=value.sd)

    @classmethod
    def read(cls, weight: str = "", height: str = "", age: str = "", sex: str = "", baseline: str = "") -> Stated:
        """What the text of the options states: "80 kg", "170 cm", "45 y", "female" or "male", "33"; "" states nothing.

        Refuses as `units.read` and `units.number` do, and with SEX-UNKNOWN.
        """
        known = {"female": True, "f": True, "woman": True, "male": False, "m": False, "man": False}
        if sex and sex.strip().lower() not in known:
            raise Refusal("SEX-UNKNOWN", f"sex: {sex!r} is not known; use female or male", field="sex", value=sex)
        return cls(
            weight_kg=read(weight, "kg", "weight") if weight else None,
            height_cm=read(height, "cm", "height") if height else None,
            age_y=read(age, "a", "age") if age else None,
            female=known[sex.strip().lower()] if sex else None,
            baseline=number(baseline, "baseline") if baseline else None,
        )

    def _means(self) -> dict[str, Any]:
        return {name: value.mean if isinstance(value, Spread) else value for name, value in vars(self).items()}

    def person(self) -> Person:
        """The typical person with what is stated in place of the defaults; of a spread, its mean."""
        means = self._means()
        if means["female"] is not None:
            means["female"] = bool(means["female"] >= 0.5)
        return Person(**{name: value for name, value in means.items() if value is not None})


@dataclass(frozen=True, eq=False)
class Population:
    """People as arrays (n,), one value each: what every calculation takes.

    `index` is who each one is (person 17 is 17 in any part); `typical` says that random effects are 0. Take parts with
    `people[10:20]` or `people[array]`. `height_cm` is nan where it is not known.
    """

    seed: int
    index: np.ndarray
    weight_kg: np.ndarray
    height_cm: np.ndarray
    age_y: np.ndarray
    female: np.ndarray
    baseline: np.ndarray
    typical: bool = False

    @classmethod
    def of(cls, person: Person, seed: int = 1) -> Population:
        """One typical person as a population of one."""
        height = math.nan if person.height_cm is None else person.height_cm
        return cls(
            seed,
            np.arange(1),
            np.array([float(person.weight_kg)]),
            np.array([float(height)]),
            np.array([float(person.age_y)]),
            np.array([person.female]),
            np.array([float(person.baseline)]),
            typical=True,
        )

    @classmethod
    def draw(cls, n: int, seed: int = 1, stated: Stated | None = None, first: int = 0) -> Population:
        """People `first` to `first + n - 1` of the population of `seed`, with what is stated and the rest drawn.

        Refuses with PEOPLE-RANGE and SEED-BAD.
        """
        check_count(n)
        if first < 0:
            sentence = f"people: the first, {first}, is below 0; count people from 0"
            raise Refusal("PEOPLE-RANGE", sentence, field="people", value=first)
        given = stated or Stated()
        index = np.arange(first, first + n)

        def z(purpose: str) -> np.ndarray:
            return normal(seed, index, f"person:{purpose}")

        share = FEMALE_SHARE if given.female is None else float(given.female)
        female = uniform(seed, index, "person:sex") < share
        age = _stated(given.age_y, AGE_Y, lambda: z("age"), AGE)
        if given.height_cm is None:
            z_height = z("height")
            height = np.where(female, HEIGHT_OF_WOMEN.at(z_height), HEIGHT_OF_MEN.at(z_height))
        else:
            height = _stated(given.height_cm, HEIGHT_CM, lambda: z("height"))
        if given.weight_kg is None:
            weight = np.clip(_bmi(z("weight")) * (height / 100) ** 2, *WEIGHT_KG)
        else:
            own = math.sqrt(1 - WEIGHT_WITH_HEIGHT**2)
            weight = _stated(given.weight_kg, WEIGHT_KG, lambda: WEIGHT_WITH_HEIGHT * z("height") + own * z("weight"))
        baseline = _stated(given.baseline, BASELINE, lambda: z("baseline"), SEVERITY)

        def wide(column: Any) -> np.ndarray:
            return np.broadcast_to(column, (n,)).astype(float)

        return cls(seed, index, wide(weight), wide(height), wide(age), female, wide(baseline))

    @property
    def n(self) -> int:
        """How many people."""
        return len(self.index)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, part: slice | np.ndarray) -> Population:
        columns = ("index", "weight_kg", "height_cm", "age_y", "female", "baseline")
        return replace(self, **{name: getattr(self, name)[part] for name in columns})

    def columns(self) -> Iterator[tuple[str, np.ndarray, str]]:
        """Each covariate: its name, its values (n,), its unit."""
        units = {"weight_kg": "kg", "height_cm": "cm", "age_y": "a", "female": "1", "baseline": "MADRS points"}
        return ((name, getattr(self, name), unit) for name, unit in units.items())

    def person(self, place: int) -> Person:
        """The person at `place` in this population (not the index)."""
        height = float(self.height_cm[place])
        return Person(
            float(self.weight_kg[place]),
            None if math.isnan(height) else height,
            float(self.age_y[place]),
            bool(self.female[place]),
            float(self.baseline[place]),
        )


def check_count(n: int) -> None:
    """Refuses with PEOPLE-RANGE a number of people that cannot be drawn."""
    if not 1 <= n <= MOST_PEOPLE:
        sentence = f"people: {n} is outside 1 to {MOST_PEOPLE}; give how many people to draw"
        raise Refusal("PEOPLE-RANGE", sentence, field="people", value=n)


def _stated(value: float | Spread | None, limits: tuple[float, float], z: Any, default: Spread | None = None) -> Any:
    spread = default if value is None else value
    if isinstance(spread, Spread):
        spread = replace(spread, low=max(spread.low, limits[0]), high=min(spread.high, limits[1]))
        return spread.at(z())
    return spread


def _bmi(z: np.ndarray) -> np.ndarray:
    sigma = math.sqrt(math.log(1 + (BMI_SD / BMI_MEAN) ** 2))
    mean = math.log(BMI_MEAN) - sigma**2 / 2
    return np.exp(Spread(mean, sigma, math.log(BMI_LOW), math.log(BMI_HIGH)).at(z))


def _within(code: str, field: str, value: float, limits: tuple[float, float], unit: str) -> None:
    if not limits[0] <= value <= limits[1]:
        low, high = limits
        sentence = f"{field}: {value:g}{unit} is outside {low:g} to {high:g}{unit}; give a value within that range"
        raise Refusal(code, sentence, field=field, value=value)


# --- randomness -----------------------------------------------------------------------------------------------------

_NEAR = 1024  # people further apart than this are counted to apart rather than through
_BLOCK = 1 << 14  # people drawn at once: memory stays flat


def uniform(seed: int, person: Any, purpose: str) -> np.ndarray:
    """Uniform numbers strictly between 0 and 1, one for each index in `person` (any shape), for one purpose.

    A function of (seed, person, purpose) alone: Philox4x64-10 (Salmon et al. 2011) with the person as counter and a
    128-bit hash of seed and purpose as key. Refuses with SEED-BAD, and with PEOPLE-RANGE an index below 0.
    """
    return ((_words(seed, person, purpose) >> np.uint64(12)) + 0.5) * 2.0**-52


def normal(seed: int, person: Any, purpose: str) -> np.ndarray:
    """Standard-normal numbers, one for each index in `person`: the inverse normal distribution of `uniform`."""
    from scipy.special import ndtri

    return ndtri(uniform(seed, person, purpose))


@lru_cache(maxsize=4096)
def _key(seed: int, purpose: str) -> tuple[int, int]:
    from hashlib import blake2b

    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        sentence = f"seed: {seed!r} is not a whole number from 0 to 2^63 - 1; give one, for example 1"
        raise Refusal("SEED-BAD", sentence, field="seed", value=seed)
    digest = blake2b(f"{int(seed)}\0{purpose}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _words(seed: int, person: Any, purpose: str) -> np.ndarray:
    key = _key(seed, purpose)
    index = np.asarray(person)
    if index.size and (index.dtype.kind not in "iu" or index.min() < 0):
        sentence = f"person: index {index.min()} is not a whole number from 0; count people from 0"
        raise Refusal("PEOPLE-RANGE", sentence, field="person", value=index.min().item())
    if index.ndim == 1 and index.size and index[-1] - index[0] == index.size - 1 and (np.diff(index) == 1).all():
        return _counted(key, int(index[0]), index.size)  # neighbours in order, as nearly always
    people, back = np.unique(index, return_inverse=True)
    words = np.empty(people.size, np.uint64)
    cuts = np.flatnonzero(np.diff(people) > _NEAR) + 1
    for start, stop in zip([0, *cuts], [*cuts, people.size], strict=True):
        place = start
        while place < stop:
            low = int(people[place])
            end = int(np.searchsorted(people[place:stop], low + _BLOCK)) + place
            count = int(people[end - 1]) - low + 1
            words[place:end] = _counted(key, low, count)[people[place:end] - low]
            place = end
    return words[back].reshape(index.shape)


def _counted(key: tuple[int, int], low: int, count: int) -> np.ndarray:
    """The words of the people `low` to `low + count - 1`."""
    words = np.empty(count, np.uint64)
    for first in range(0, count, _BLOCK):
        part = words[first : first + _BLOCK]
        # Each person is one count of the generator, which gives four words; the first is theirs.
        source = np.random.Philox(key=np.array(key, np.uint64), counter=np.array([low + first, 0, 0, 0], np.uint64))
        part[:] = np.asarray(source.random_raw(4 * len(part)))[::4]
    return words
