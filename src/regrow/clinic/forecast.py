"""What `regrow.simulate` predicts for a person: the course of mood, and when a dose is felt. Always called simulated.

The one thing to know: a forecast is never mixed with measurements and never waited for on the live board. There it is
worked out beside the look at the database, kept, and shown with the next look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from regrow.clinic.states import Order
from regrow.refusal import Refusal

log = logging.getLogger("regrow.forecast")
PEOPLE, SEED = 100, 1
FELT = 4.0  # CADSS above this counts as dissociated (trials; memory)
WATCHED_H = 6.0
SCALES = {"PHQ-9": "phq9", "PHQ9": "phq9"}  # read-outs other than the MADRS that a forecast may be asked in


@dataclass(frozen=True)
class Window:
    """When one dose is felt, minutes from its start, in nine of ten simulated people: `begins` and `over` bound the
    time above CADSS 4, `strongest` is the peak of the typical person. `rise` is the rise of the systolic pressure,
    mmHg, as (minutes, 5th percentile, median, 95th percentile)."""

    begins: float
    strongest: float
    over: float
    rise: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Band:
    """One read-out over days: median, 5th and 95th percentile, and how many respond and remit at the end (percent)."""

    name: str
    days: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    people: int
    response: float | None
    cautions: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def end(self) -> tuple[float, float, float]:
        return self.median[-1], self.low[-1], self.high[-1]


def _population(weight: float, age: float | None, female: bool | None, baseline: float | None = None) -> Any:
    from regrow.people import Population, Stated

    return Population.draw(PEOPLE, SEED, Stated(weight_kg=weight, age_y=age, female=female, baseline=baseline))


@lru_cache(maxsize=512)
def window(drug: str, route: str, mg: float, duration_min: float, weight: float) -> Window | None:
    """The window of one dose (mg of base, weight in kg); None when no model holds for it."""
    import numpy as np

    from regrow import regimen, simulate
    from regrow.catalog import protocols

    try:
        protocol = regimen.revise(
            protocols.get("single"),
            drug=drug,
            dose=f"{mg:g} mg",
            route=route,
            duration=f"{duration_min:g} min" if route == "iv" else None,
        )
        hours = WATCHED_H + duration_min / 60
        course = regimen.Course(protocol=protocol, until_h=hours)
        times = np.arange(0, hours, 5 / 60)
        run = simulate.run(course, _population(weight, None, None), times=list(times))
    except Refusal as refusal:
        log.info("no forecast of %s %s: %s", drug, route, refusal.code)
        return None
    cadss, pressure = run.values.get("cadss"), run.values.get("sbp")
    if cadss is None or pressure is None:
        return None
    minutes = run.times * 60
    felt = cadss > FELT
    who = felt.any(axis=1)
    first = minutes[felt.argmax(axis=1)][who]
    last = minutes[len(minutes) - 1 - felt[:, ::-1].argmax(axis=1)][who]
    if not who.any():
        first = last = np.zeros(1)
    low, mid, high = np.percentile(pressure - pressure[:, :1], (5, 50, 95), axis=0)
    peak = float(minutes[int(np.median(cadss, axis=0).argmax())])
    rows = zip(minutes, low, mid, high, strict=True)
    rise = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in rows)
    return Window(float(np.percentile(first, 5)), peak, float(np.percentile(last, 95)), rise)


def _key(order: Order) -> tuple[str, str, float, float, float] | None:
    if order.weight is None or order.mg <= 0:
        return None
    return order.drug, order.route, round(order.mg, 1), order.duration_min, float(round(order.weight))


def window_of(order: Order | None) -> Window | None:
    """The window of an order, worked out now."""
    key = _key(order) if order else None
    return window(*key) if key else None


class Beside:
    """Works things out beside the caller: None the first time, the answer once it is there."""

    def __init__(self, function: Callable[..., Any], executor: Executor | None = None) -> None:
        self.function = function
        self.executor = executor or ThreadPoolExecutor(1, thread_name_prefix="forecast")
        self.known: dict[Any, Any] = {}

    def __call__(self, *key: Any) -> Any:
        if key not in self.known:
            self.known[key] = None
            self.executor.submit(self._work, key)
        return self.known[key]

    def _work(self, key: Any) -> None:
        try:
            self.known[key] = self.function(*key)
        except Exception:
            log.exception("a forecast failed")


_beside = Beside(window)


def window_beside(order: Order | None) -> Window | None:
    """The window of an order if it is worked out already; else None, and it is being worked out."""
    key = _key(order) if order else None
    return _beside(*key) if key else None


@dataclass(frozen=True)
class Planned:
    """A course for a person, as a forecast is asked for it. `dose`, `duration_min` and `days` as typed over the
    protocol's own, "" or None where not; `weight` in kg, `age` in years, `baseline` on the target `scale`."""

    protocol: str
    dose: str
    duration_min: float | None
    days: str
    route: str
    weight: float
    age: float
    female: bool
    scale: str
    baseline: float | None


def course(planned: Planned) -> Band | None:
    """The predicted course of people like this one on the MADRS (or the PHQ-9 where that is the target scale); None
    when no model holds."""
    try:
        return _course(planned)
    except Refusal as refusal:
        log.info("no forecast of %s: %s", planned.protocol, refusal.code)
        return None


@lru_cache(maxsize=256)
def _course(planned: Planned) -> Band | None:
    import numpy as np

    from regrow import regimen, results, simulate
    from regrow.catalog import protocols, scales

    protocol, duration = protocols.get(planned.protocol), planned.duration_min
    chosen = regimen.revise(
        protocol,
        dose=planned.dose or None,
        route=planned.route if planned.route != protocol.doses[0].route else None,
        duration=f"{duration:g} min" if duration is not None and planned.route == "iv" else None,
        days=planned.days or None,
    )
    asked = planned.scale.strip().upper()
    name = SCALES.get(asked, "madrs")
    madrs = planned.baseline if asked in ("MADRS", *SCALES) else None
    if madrs is not None and name == "phq9":
        madrs = float(scales.link("phq-9", "madrs", madrs).values)
    if madrs is not None and not 0 < madrs < 60:
        madrs = None
    own = ()
    if planned.baseline is not None and madrs is None:  # 15 on another scale is no 15 on this one
        own = (
            f"the baseline of {planned.baseline:g} on {planned.scale} says nothing here: a usual depression is drawn",
        )
    last = chosen.days[-1] if chosen.days else 0.0
    plan = regimen.Course(protocol=chosen, until_h=(last + 28) * 24)
    run = simulate.run(plan, _population(planned.weight, planned.age, planned.female, madrs))
    values = run.values.get(name)
    if values is None:
        return None
    low, mid, high = np.percentile(values, (5, 50, 95), axis=0)
    depth = run.values["madrs"]
    response = float(100 * (depth[:, -1] <= depth[:, 0] / 2).mean())
    return Band(
        {"phq9": "PHQ-9", "madrs": "MADRS"}[name],
        tuple(float(t) / 24 for t in run.times),
        tuple(map(float, mid)),
        tuple(map(float, low)),
        tuple(map(float, high)),
        PEOPLE,
        response,
        (*own, *run.cautions),
        tuple(results.citations(run)),
    )
