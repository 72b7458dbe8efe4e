"""What is given in one visit: doses by route, rates and weights, nasal devices, and the session that holds them.

The one thing to know: a dose is stated as clinicians state it (mg, mg/kg, a rate, per ideal weight, as hydrochloride)
and `Dose.mg` turns it into mg of base for one person or for an array of people. Nothing here knows a schedule; that is
`regimen.py`. Times are h from the session's start, days from the first treatment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regrow.refusal import Refusal
from regrow.units import read, read_as, write

if TYPE_CHECKING:
    import numpy as np

    Numbers = float | np.ndarray

ROUTES = ("iv", "im", "sc", "intranasal", "oral", "sublingual", "rectal")
AMOUNT_UNITS = ("mg", "mg/kg", "mg/h", "mg/kg/h")
WEIGHTS = ("actual", "ideal", "adjusted")
KETAMINES = ("ketamine", "esketamine", "arketamine")
# mg of hydrochloride that hold 1 mg of base, the same for the racemate and both enantiomers (Ketalar and Spravato
# labels: 10 mg/mL base = 11.53 mg/mL hydrochloride; 28 mg = 32.3 mg).
HYDROCHLORIDE_PER_BASE = 1.153
DEVICE_MG, DEVICES, DEVICE_GAP_H = 28.0, 3, 5 / 60  # esketamine nasal device (Spravato label): 28 mg, 5 min apart
DEFAULT_DOSE, DEFAULT_DURATION = "0.5 mg/kg", "40 min"  # where a source states none: shown as assumed

_ROUTE_NAMES = {"nasal": "intranasal", "in": "intranasal", "po": "oral", "sl": "sublingual", "buccal": "sublingual"}
_ROUTE_NAMES |= {"intravenous": "iv", "intramuscular": "im", "subcutaneous": "sc", "pr": "rectal"}
_INFUSIBLE = ("iv", "sc")
LAST_DAY = 3653.0  # ten years, beyond which a day is a slip of the pen
_LONGEST_H = 30 * 24.0
_SAME_TIME_H = 1e-9


def _refuse(code: str, field: str, value: object, sentence: str) -> Refusal:
    return Refusal(code, f"{field}: {value!r} {sentence}", field=field, value=value)


# --- doses ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dose:
    """One amount of one drug by one route: all at once (`duration_h` 0) or at a constant rate over `duration_h`.

    `amount` is in `unit` (mg, mg/kg, mg/h, mg/kg/h), per kg of the `weight` named (actual, ideal by Devine, adjusted),
    counted as `salt` (base or hydrochloride). `offset_h` is its start within the session; `device` is the place of a
    nasal device in its session (1, 2, 3), 0 for everything else. Refuses with DOSE-RANGE, DURATION-RANGE, DOSE-UNIT,
    UNKNOWN-ROUTE, ROUTE-DURATION (a route that cannot be infused) and RATE-NO-DURATION.
    """

    drug: str
    amount: float
    unit: str = "mg/kg"
    route: str = "iv"
    duration_h: float = 0.0
    offset_h: float = 0.0
    salt: str = "base"
    weight: str = "actual"
    device: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount >= 0):
            raise _refuse("DOSE-RANGE", "dose", f"{self.amount:g} {self.unit}", "is not 0 or more; give at least 0")
        for field, hours in (("duration", self.duration_h), ("offset", self.offset_h)):
            if not 0 <= hours <= _LONGEST_H:
                limit = f"is outside 0 to {_LONGEST_H:g} h; give a time within that range"
                raise _refuse("DURATION-RANGE", field, write(hours, "h", 4), limit)
        for field, value, known in (("unit", self.unit, AMOUNT_UNITS), ("weight", self.weight, WEIGHTS)):
            if value not in known:
                raise _refuse("DOSE-UNIT", f"dose {field}", value, f"is not known; use {', '.join(known)}")
        if self.salt not in ("base", "hydrochloride"):
            raise _refuse("DOSE-UNIT", "dose salt", self.salt, "is not known; use base or hydrochloride")
        if self.route not in ROUTES:
            raise _refuse("UNKNOWN-ROUTE", "route", self.route, f"is not known; use {', '.join(ROUTES)}")
        if self.duration_h > 0 and self.route not in _INFUSIBLE:
            sentence = (
                f"is given for route {self.route}, but only {' and '.join(_INFUSIBLE)} run in over time; leave it out"
            )
            raise _refuse("ROUTE-DURATION", "duration", write(self.duration_h * 60, "min", 4), sentence)
        if self.unit.endswith("/h") and self.duration_h == 0:
            sentence = 'is a rate; say how long it runs, for example "40 min"'
            if self.route not in _INFUSIBLE:
                sentence = (
                    f'is a rate, but a dose by route {self.route} goes in at once; give an amount such as "35 mg"'
                )
            raise _refuse("RATE-NO-DURATION", "dose", self.text, sentence)

    @classmethod
    def of(
        cls, text: str, drug: str = "ketamine", route: str = "iv", duration: str | None = None, at: str = "0 min"
    ) -> Dose:
        """The dose that clinical text states, such as "0.5 mg/kg", "35 ug/kg/min", "0.5 mg/kg ideal", "57.7 mg HCl".

        Behind the unit may stand the weight meant (actual, ideal, adjusted) and what the mass counts (base,
        hydrochloride or HCl), also as a UCUM annotation: "0.5 mg/kg{ideal}". Without `duration` it is given at once.
        """
        words = re.sub(r"[{}]", " ", text).split() if isinstance(text, str) else []
        weight, salt = "actual", "base"
        while len(words) > 1 and (last := words[-1].lower()) in (*WEIGHTS, "base", "hydrochloride", "hcl"):
            words.pop()
            if last in WEIGHTS:
                weight = last
            else:
                salt = "base" if last == "base" else "hydrochloride"
        amount, unit = read_as(" ".join(words) if words else text, AMOUNT_UNITS, "dose")
        hours = 0.0 if duration is None else read(duration, "h", "duration")
        return cls(drug, amount, unit, route_named(route), hours, read(at, "h", "offset"), salt, weight)

    @property
    def text(self) -> str:
        """The dose as `Dose.of` reads it, to six digits: "0.5 mg/kg"."""
        words = [write(self.amount, self.unit, 6)]
        words += [self.weight] if self.weight != "actual" else []
        words += [self.salt] if self.salt != "base" else []
        return " ".join(words)

    @property
    def end_h(self) -> float:
        """When it has all been given, in h from the session's start."""
        return self.offset_h + self.duration_h

    def mg(self, weight_kg: Numbers, height_cm: Numbers | None = None, female: bool | np.ndarray | None = None) -> Any:
        """mg of base in all: a float for one person, an array (n,) for arrays; a rate times its duration.

        Ideal and adjusted weight need height and sex (HEIGHT-MISSING); hydrochloride is reckoned for the ketamines
        alone (SALT-FACTOR).
        """
        mass: Any = self.amount * (self.duration_h if self.unit.endswith("/h") else 1.0)
        if self.unit.startswith("mg/kg"):
            mass = mass * self._dosing_weight(weight_kg, height_cm, female)
        elif getattr(weight_kg, "ndim", 0):
            mass = mass + 0.0 * weight_kg  # the same mg for everyone, still one value for each
        if self.salt == "base":
            return mass
        if self.drug not in KETAMINES:
            sentence = (
                "is dosed as hydrochloride, which is reckoned for the ketamines only; give the dose in mg of base"
            )
            raise _refuse("SALT-FACTOR", "drug", self.drug, sentence)
        return mass / HYDROCHLORIDE_PER_BASE

    def _dosing_weight(self, weight_kg: Any, height_cm: Any, female: Any) -> Any:
        if self.weight == "actual":
            return weight_kg
        if height_cm is None or female is None or _any_missing(height_cm):
            sentence = f"height: not known, but the dose is per {self.weight} weight; give height and sex"
            raise Refusal("HEIGHT-MISSING", sentence, field="height")
        ideal = ideal_weight(height_cm, female)
        return ideal if self.weight == "ideal" else adjusted_weight(weight_kg, ideal)


def _any_missing(values: Any) -> bool:
    missing = values != values  # nan is the only value that is not itself
    return bool(missing.any()) if getattr(missing, "ndim", 0) else bool(missing)


def ideal_weight(height_cm: Any, female: Any) -> Any:
    """Ideal body weight in kg by Devine (1974): 50 (men) or 45.5 (women) plus 2.3 for each inch over 60 inches.

    Below 60 inches, where Devine states nothing, the value at 60 inches (assumed). Takes numbers or arrays.
    """
    inches = height_cm / 2.54 - 60
    over = inches * (inches > 0)
    return 50.0 - 4.5 * female + 2.3 * over


def adjusted_weight(weight_kg: Any, ideal_kg: Any) -> Any:
    """Adjusted body weight in kg: ideal plus 0.4 of what the person weighs beyond it. Takes numbers or arrays."""
    return ideal_kg + 0.4 * (weight_kg - ideal_kg)


def route_named(text: str) -> str:
    """The house's name of a route, also for nasal, in, po, sl, buccal, intravenous ...; refuses with UNKNOWN-ROUTE."""
    name = str(text).strip().lower()
    name = _ROUTE_NAMES.get(name, name)
    if name not in ROUTES:
        raise _refuse("UNKNOWN-ROUTE", "route", text, f"is not known; use {', '.join(ROUTES)}")
    return name


def given(text: str, drug: str = "ketamine", route: str = "iv", duration: str | None = None) -> tuple[Dose, ...]:
    """What one session holds when `text` is ordered; an IV dose without `duration` runs 40 min, "0 min" is a bolus."""
    route = route_named(route)
    if duration is None and route == "iv":
        duration = DEFAULT_DURATION
    return ordered(Dose.of(text, drug, route, duration))


def ordered(dose: Dose) -> tuple[Dose, ...]:
    """What one session holds when `dose` is ordered: itself, or one nasal device after the other.

    Esketamine by nose comes from 28 mg devices five minutes apart (`sprays`). A placebo weighs nothing, whatever is
    ordered. Refuses with DEVICE-DOSE what the devices cannot give.
    """
    if dose.drug == "placebo":
        hours = dose.duration_h
        return (Dose("placebo", 0.0, "mg", dose.route, hours, dose.offset_h),)
    if dose.drug != "esketamine" or dose.route != "intranasal":
        return (dose,)
    if dose.unit != "mg" or dose.salt != "base":
        sentence = "is not in mg of base, as the nasal device is; give 28 mg, 56 mg or 84 mg"
        raise _refuse("DEVICE-DOSE", "dose", dose.text, sentence)
    return tuple(replace(each, offset_h=each.offset_h + dose.offset_h) for each in sprays(dose.amount))


def sprays(mg: float) -> tuple[Dose, ...]:
    """The esketamine devices that hold `mg`: 28 mg each, five minutes apart (label). Less than 28 mg is one device.

    Refuses with DEVICE-DOSE what is not 28, 56 or 84 mg and above one device.
    """
    count = max(1, round(mg / DEVICE_MG))
    if count > DEVICES or (mg > DEVICE_MG and abs(mg - count * DEVICE_MG) > 1e-6):
        raise _refuse(
            "DEVICE-DOSE", "dose", f"{mg:g} mg", "is not a number of 28 mg devices up to 3; give 28 mg, 56 mg or 84 mg"
        )
    each = min(mg, DEVICE_MG)
    return tuple(
        Dose("esketamine", each, "mg", "intranasal", offset_h=place * DEVICE_GAP_H, device=place + 1)
        for place in range(count)
    )


def segments(rates: Iterable[tuple[str, str]], drug: str = "ketamine", route: str = "iv") -> tuple[Dose, ...]:
    """An infusion in several rate segments, each (amount or rate, duration), one starting where the last one ends."""
    doses: list[Dose] = []
    for text, duration in rates:
        start = doses[-1].end_h if doses else 0.0
        doses.append(replace(Dose.of(text, drug, route, duration), offset_h=start))
    return tuple(doses)


# --- sessions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """One visit: its day from the first treatment (fractions allowed), its doses, and the phase it belongs to.

    Refuses with OVERLAP infusions of one route that run at the same time, and with DAYS-BAD an impossible day.
    """

    day: float
    doses: tuple[Dose, ...]
    phase: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.day <= LAST_DAY:
            raise _refuse(
                "DAYS-BAD", "day", self.day, f"is outside 0 to {LAST_DAY:g}; give days from the first treatment"
            )
        check_overlap((self,))

    @property
    def start_h(self) -> float:
        """Its start in h from day 0."""
        return self.day * 24.0

    @property
    def duration_h(self) -> float:
        """From the session's start until all has been given."""
        return max((dose.end_h for dose in self.doses), default=0.0)

    @property
    def drug(self) -> str:
        """Its drugs in the order given, joined by "+": "ketamine"."""
        return "+".join(dict.fromkeys(dose.drug for dose in self.doses))

    @property
    def route(self) -> str:
        """Its routes in the order given, joined by "+": "iv", "iv+oral"."""
        return "+".join(dict.fromkeys(dose.route for dose in self.doses))

    def mg(self, weight_kg: Numbers, height_cm: Numbers | None = None, female: bool | np.ndarray | None = None) -> Any:
        """mg of base of all its doses together: a float, or an array (n,) for arrays."""
        return sum((dose.mg(weight_kg, height_cm, female) for dose in self.doses), start=0.0 * weight_kg)


def check_overlap(sessions: Sequence[Session]) -> None:
    """Refuses with OVERLAP two infusions of one route that run at the same time, within or across sessions."""
    runs = [(s.start_h + d.offset_h, s.start_h + d.end_h, d, s) for s in sessions for d in s.doses if d.duration_h > 0]
    latest: dict[str, tuple[float, float, Dose, Session]] = {}
    for run in sorted(runs, key=lambda run: run[:2]):
        start, _, dose, session = run
        before = latest.get(dose.route)
        if before and start < before[1] - _SAME_TIME_H:
            early = write((before[1] - start) * 60, "min", 4)
            sentence = (
                f"infusion: {dose.text} on day {session.day:g} begins {early} before the {dose.route} infusion of day "
                f"{before[3].day:g} ends; one {dose.route} infusion at a time: start it later or shorten the first"
            )
            raise Refusal("OVERLAP", sentence, field="infusion", value=dose.text)
        if not before or run[1] > before[1]:
            latest[dose.route] = run


def check_ceilings(
    sessions: Sequence[Session],
    ceilings: Mapping[str, float],
    weight_kg: Numbers,
    height_cm: Numbers | None = None,
    female: bool | np.ndarray | None = None,
    slow: Mapping[str, float] | None = None,
) -> None:
    """Refuses with DOSE-CEILING a course that gives more than a route's ceiling, mg/kg in any 24 hours.

    `ceilings` holds mg of base per kg of actual weight by route, from the drug's file; a route that it does not name
    has none. An infusion of at most the `slow` rate of its route, mg/kg/h, does not count: the body clears it
    as it comes (decision 0120). For a population each dose counts as it falls on the person for whom it is largest.
    """
    import numpy as np

    heaviest = {
        dose: float(np.max(dose.mg(weight_kg, height_cm, female) / weight_kg)) for s in sessions for dose in s.doses
    }
    for route, ceiling in ceilings.items():
        runs = [
            (s.start_h + d.offset_h, s.start_h + d.end_h, heaviest[d])
            for s in sessions
            for d in s.doses
            if d.route == route and not _is_slow(d, heaviest[d], (slow or {}).get(route))
        ]
        for start in {time for begin, end, _ in runs for time in (begin, end - 24.0)}:
            total = sum(size * _share(begin, end, start, start + 24.0) for begin, end, size in runs)
            if total > ceiling * (1 + 1e-9):
                day = max(start, 0.0) / 24.0
                above = f"mg/kg by route {route} in the 24 h from day {day:.3g} is above the ceiling of"
                sentence = f"dose: {total:.4g} {above} {ceiling:g} mg/kg; give less"
                raise Refusal("DOSE-CEILING", sentence, field="dose", value=total)


def _is_slow(dose: Dose, mg_per_kg: float, rate: float | None) -> bool:
    return rate is not None and dose.duration_h > 0 and mg_per_kg <= rate * dose.duration_h * (1 + 1e-9)


def _share(begin: float, end: float, start: float, stop: float) -> float:
    if end == begin:
        return float(start <= begin < stop)
    return max(0.0, min(end, stop) - max(begin, start)) / (end - begin)
