"""NONMEM's rules for events, record by record: when a dose enters, with which values, and what a reset clears.

The one thing to know is the clock. A covariate holds over the interval that *ends* at its record (next value carried
backward, `nocb`, as in NONMEM): between records i-1 and i everything has the values of record i. This holds for the
equations, for the bioavailability, duration and rate of a dose that enters in that interval, whether it was lagged or
added by ADDL, and for the rate of a running infusion with RATE -1. A lag is taken from the record that states the dose,
for that dose, its ADDL and the doses implied by SS. `locf` instead lets a value hold from its own record until the
next. What a dose that enters at its own record needs comes from that record under both.

At one time the order is: doses of earlier records that enter now (lagged or ADDL), then the records in the order of the
file; a record's own row shows the state after its own event. EVID 3 and 4, and SS 1 and 3, cancel running infusions and
all doses still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from regrow.exchange.flow import Cycle, Flow, at_rest
from regrow.exchange.records import Record
from regrow.refusal import Refusal

#: at most so many infusions of a steady state may overlap, or of its doses wait for their lag
_MOST_AT_ONCE = 1000

#: two times closer than this share of the larger one are the same time
_SAME = 1e-11


@dataclass(frozen=True)
class Setting:
    """What holds at each record of one individual.

    `flows` moves the states, `key` tells which records share all parameters, `initial` gives the states after a
    reset, and `absorption` the lag, f, dur or rate of a compartment, each by the place of the record.
    """

    states: tuple[str, ...]
    flow: Callable[[int], Flow]
    key: Sequence[int]
    initial: Callable[[int], np.ndarray]
    absorption: Callable[[str, str, int], float]
    locf: bool = False


@dataclass
class _Coming:
    """A dose of `record` that enters at `time`, and `left` more of it, `step` h apart."""

    time: float
    record: Record
    step: float = 0.0
    left: int = 0


@dataclass
class _Running:
    """An infusion: what is `left` of it, at a `rate`, or at the modelled one (None), into state number `state`."""

    record: Record
    state: int
    left: float
    rate: float | None


@dataclass
class _Walk:
    records: Sequence[Record]
    setting: Setting
    x: np.ndarray
    now: float
    coming: list[_Coming] = field(default_factory=list)
    running: list[_Running] = field(default_factory=list)
    ahead: dict[int, np.ndarray] = field(default_factory=dict)  # states at records already passed over

    # --- moving -----------------------------------------------------------------------------------------------------

    def go(self, place: int) -> None:
        """Moves to the time of record number `place`; doses of earlier records that enter until then are given."""
        if place in self.ahead:
            self.x, self.now = self.ahead.pop(place), self.records[place].time
            return
        values = place - 1 if self.setting.locf and place else place
        target = self.records[place].time
        while True:
            due = min((c.time for c in self.coming), default=np.inf)
            if due <= target or _same(due, target):
                stop = target if _same(due, target) else max(due, self.now)
                self._move(stop, values)
                self.enter_due(stop, place if stop == target else values)
                continue
            self._move(target, values, place)
            return

    def _move(self, until: float, values: int, place: int | None = None) -> None:
        """Moves to `until`, stopping where infusions end; `place` where that is a record and nothing is in between."""
        while self.now < until and not _same(self.now, until):
            rates = np.zeros(len(self.x))
            ends = until
            for infusion in self.running:
                rate = self._rate(infusion, values)
                rates[infusion.state] += rate
                ends = min(ends, self.now + infusion.left / rate)
            flow = self.setting.flow(values)
            if _same(ends, until):
                ends = until
            stops = [ends]
            if place is not None and ends == until and not self.running:
                stops += self._plain_times_after(place, values)
            start = self.now
            moved = flow.move(self.x, rates, start, [stop - start for stop in stops])
            for infusion in self.running:
                infusion.left -= self._rate(infusion, values) * (ends - start)
            least = 1e-15 * max(1.0, abs(ends))  # what is over before the clock can show it
            self.running = [i for i in self.running if i.left > least * self._rate(i, values)]
            self.x, self.now = moved[0], ends
            if place is not None:
                self.ahead |= {place + 1 + k: x for k, x in enumerate(moved[1:])}
        self.now = until

    def _plain_times_after(self, place: int, values: int) -> list[float]:
        """Times of the records behind `place` that are reached with the same values and without any event."""
        due = min((c.time for c in self.coming), default=np.inf)
        out: list[float] = []
        key = self.setting.key
        for k in range(place + 1, len(self.records)):
            record = self.records[k]
            other = key[k - 1 if self.setting.locf else k] != key[values]
            if self.records[k - 1].evid not in (0, 2) or record.evid not in (0, 2) or other:
                break
            if record.time >= due or _same(record.time, due):
                break
            out.append(record.time)
        return out

    def _rate(self, infusion: _Running, values: int) -> float:
        if infusion.rate is not None:
            return infusion.rate
        return self._positive("rate", infusion.record, values)

    # --- doses ------------------------------------------------------------------------------------------------------

    def enter_due(self, until: float, values: int) -> None:
        """Gives the doses of earlier records that enter by `until`, with the values that hold at place `values`."""
        for coming in sorted(self.coming, key=lambda c: (c.time, c.record.number)):
            while coming.time <= until or _same(coming.time, until):
                self._enter(coming.record, values)
                if not coming.left:
                    self.coming.remove(coming)
                    break
                coming.left -= 1
                coming.time += coming.step
                if not (coming.time <= until or _same(coming.time, until)):
                    break

    def _enter(self, record: Record, values: int) -> None:
        """Gives the dose of `record` now, with the values that hold at place `values`."""
        amount, rate, _ = self._shape(record, values)
        state = self.setting.states.index(record.compartment)
        if rate is None and record.rate != -1:
            self.x = self.x.copy()
            self.x[state] += amount
        elif amount > 0:
            self.running.append(_Running(record, state, amount, rate))

    def _shape(self, record: Record, values: int) -> tuple[float, float | None, float]:
        """(amount that enters, rate (None: at once, or modelled), duration in h) of a dose."""
        share = self.setting.absorption("f", record.compartment, values)
        if not (np.isfinite(share) and share >= 0):
            raise self._bad("f", record, values, share, "0 or above")
        amount = share * record.amount
        if record.rate > 0:
            return amount, record.rate, amount / record.rate
        if record.rate == -2:
            duration = self._positive("dur", record, values)
            return amount, amount / duration, duration
        if record.rate == -1:
            return amount, None, amount / self._positive("rate", record, values)
        return amount, None, 0.0

    def _positive(self, kind: str, record: Record, values: int) -> float:
        value = self.setting.absorption(kind, record.compartment, values)
        if not (np.isfinite(value) and value > 0):
            raise self._bad(kind, record, values, value, "above 0")
        return value

    def _bad(self, kind: str, record: Record, values: int, value: float, limit: str) -> Refusal:
        name = f"{kind}_{record.compartment}"
        at = self.records[values]
        shown = "not given" if np.isnan(value) else f"{value:g}"
        sentence = (
            f"data: record {at.number} (line {at.line}): {name} is {shown}, but the dose of record {record.number} "
            f"(RATE {record.rate:g}) needs a number {limit}; give {name} as a column or in the model text"
        )
        return Refusal("DATA-DOSE", sentence, field=name, value=value)

    def dose(self, place: int) -> None:
        """Carries out the dose of record number `place`, the current one."""
        record = self.records[place]
        lag = self.setting.absorption("lag", record.compartment, place)
        if not (np.isfinite(lag) and lag >= 0):
            raise self._bad("lag", record, place, lag, "0 or above")
        if record.steady in (1, 3):
            self.cancel()
        if record.steady and record.amount == 0 and record.interval == 0:
            self._constant(place, lag)
            return
        if record.steady:
            self._repeat(place, lag)
        if record.additional:
            first = record.time + lag + record.interval
            self.coming.append(_Coming(first, record, record.interval, record.additional - 1))
        if lag > 0:
            self.coming.append(_Coming(record.time + lag, record))
        else:
            self._enter(record, place)

    def _constant(self, place: int, lag: float) -> None:
        """The state under an infusion that has always run and stops now."""
        record = self.records[place]
        if lag > 0:
            sentence = (
                f"data: record {record.number}: lag_{record.compartment} is {lag:g} at a constant infusion (SS with "
            )
            sentence += "AMT 0), which ends at its record; give that dose without a lag"
            raise Refusal("DATA-DOSE", sentence, field=f"lag_{record.compartment}", value=lag)
        rates = np.zeros(len(self.x))
        rate = self._positive("rate", record, place) if record.rate == -1 else record.rate
        rates[self.setting.states.index(record.compartment)] = rate
        self._settle(at_rest(rates), 1.0, place)

    def _repeat(self, place: int, lag: float) -> None:
        """The state under doses that have always been given, and those of them that go on or are still to enter."""
        record = self.records[place]
        amount, rate, duration = self._shape(record, place)
        rate = amount / duration if duration > 0 else rate
        state = self.setting.states.index(record.compartment)
        every = record.interval
        if max(duration, lag) > _MOST_AT_ONCE * every:
            sentence = (
                f"data: record {record.number} (line {record.line}): II is {every:g} h, of which its infusion "
                f"({duration:g} h) or lag ({lag:g} h) is more than {_MOST_AT_ONCE} times as long; give a longer II, or "
                "a constant infusion (SS 1, AMT 0, II 0)"
            )
            raise Refusal("DATA-DOSE", sentence, field="II", value=every)
        none = np.zeros(len(self.x))
        if rate is None or amount == 0:
            bolus = none.copy()
            bolus[state] = amount
            cycle = Cycle(every, bolus, none, 0.0, none)
        else:
            overlapping = np.floor(duration / every * (1 + 1e-12))
            share = max(0.0, duration - overlapping * every)
            first, then = none.copy(), none.copy()
            first[state], then[state] = rate * (overlapping + (share > 0)), rate * overlapping
            cycle = Cycle(every, none, first, share, then)
        back = lag - np.floor(lag / every * (1 + 1e-12)) * every  # how long before the next entry the record stands
        self._settle(cycle, every - max(back, 0.0), place)
        earlier = 1
        while True:
            entered = record.time + lag - earlier * every
            waiting = entered > record.time or _same(entered, record.time)
            if waiting:
                self.coming.append(_Coming(entered, record))
            elif amount > 0 and rate is not None and record.time - entered < duration * (1 - 1e-12):
                left = amount - rate * (record.time - entered)
                self.running.append(_Running(record, state, left, None if record.rate == -1 else rate))
            else:
                break
            earlier += 1

    def _settle(self, cycle: Cycle, phase: float, place: int) -> None:
        steady = self.records[place].steady
        alone = steady == 2
        here = self.x if steady == 3 else self.setting.initial(place)  # SS 3 says that the search begins here
        start = np.zeros_like(self.x) if alone else here
        settled = self.setting.flow(place).steady(cycle, phase, start, alone=alone)
        self.x = self.x + settled if alone else settled

    def cancel(self) -> None:
        """Stops running infusions and forgets doses still to come."""
        self.coming.clear()
        self.running.clear()
        self.ahead.clear()


def walk(records: Sequence[Record], setting: Setting) -> np.ndarray:
    """The states (states, records) of one individual at each of its records, after the record's own event."""
    out = np.empty((len(setting.states), len(records)))
    going = _Walk(records, setting, setting.initial(0), records[0].time)
    for place, record in enumerate(records):
        if record.evid in (3, 4):
            going.cancel()
            going.x, going.now = setting.initial(place), record.time
        else:
            going.go(place)
        if record.evid in (1, 4):
            going.dose(place)
            going.enter_due(record.time, place)
        out[:, place] = going.x
    return out


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= _SAME * max(1.0, abs(a), abs(b)) if np.isfinite(a) and np.isfinite(b) else False
