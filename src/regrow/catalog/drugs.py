"""The drugs: what a dose of each is, by which routes it may go in, and in what shape it then arrives.

One file per drug in `drugs/`. The one thing to know: a route names depots and shares, never a concentration; the
pharmacokinetic model (`models.py`) says what the depots do, and may state its own shape for a route.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from regrow import units
from regrow.catalog import find, load
from regrow.catalog import ids as _ids
from regrow.catalog.form import Form
from regrow.refusal import Refusal

Route = Literal["iv", "im", "sc", "intranasal", "oral", "sublingual", "rectal"]
Confidence = Literal["fulltext", "abstract", "secondary", "memory"]


class Part(Form):
    """One stream of a dose: into which depot, which share of the dose, over how long, after what lag.

    `share` is a number or the name of a model parameter; `rest_of` takes what that share leaves; `later` names a factor
    on the share for every device after the first.
    """

    into: str
    share: float | str = 1.0
    rest_of: str | None = None
    later: str | None = None
    over: str = "0 h"
    lag: str = "0 h"

    @property
    def over_h(self) -> float:
        return units.read(self.over, "h", "over")

    @property
    def lag_h(self) -> float:
        return units.read(self.lag, "h", "lag")


class Device(Form):
    """A spray device: the mg of base it holds, its number of sprays and the rest before the next device."""

    mg: float
    sprays: int
    gap: str

    @property
    def gap_h(self) -> float:
        return units.read(self.gap, "h", "gap")


class Given(Form):
    """A route of a drug: its physical ceiling (mg/kg base), how it is given and the shape in which it arrives.

    An infusion of at most `slow_mg_kg_h` is held by that rate alone and does not count against the ceiling. What is
    taken `at_home` is no visit: nobody expects more of that tablet than of the next."""

    ceiling_mg_kg: float
    slow_mg_kg_h: float | None = None
    given: Literal["infusion or bolus", "at once", "device"]
    inputs: tuple[Part, ...]
    device: Device | None = None
    at_home: bool = False
    source: str

    @model_validator(mode="after")
    def _device_stated(self) -> Given:
        if (self.device is not None) != (self.given == "device"):
            raise ValueError('a route given by "device" needs a device, and no other route has one')
        return self


class Usual(Form):
    """What a session gives of a comparator whose dose is not stated, and where that comes from."""

    dose: str
    route: Route
    duration: str | None = None
    source: str


class Drug(Form):
    """One drug. `shares` splits a dose into the enantiomers.

    `model` names the drug's own pharmacokinetic model where the ketamine shelf does not hold for it; `sets` gives
    parameters of the mechanism their value under this drug (as a switch does); `moves` names states that each session
    moves towards 1, by the share that a parameter states; `felt` says that people notice that they got it. `unknown`
    lists read-outs that have no number under this drug: null, never zero. `usual` is the dose a run takes where none
    is stated.
    """

    id: str
    title: str
    shares: dict[Literal["S", "R"], float] = {}
    strengths_mg_ml: tuple[float, ...] = ()
    model: str | None = None
    sets: dict[str, float] = {}
    moves: dict[str, str] = {}
    felt: bool = False
    unknown: tuple[str, ...] = ()
    usual: Usual | None = None
    notes: tuple[str, ...] = ()
    source: str
    confidence: Confidence
    routes: dict[Route, Given] = {}

    @model_validator(mode="after")
    def _whole(self) -> Drug:
        if self.shares and abs(sum(self.shares.values()) - 1.0) > 1e-9:
            raise ValueError("the enantiomer shares must add up to 1")
        return self


def ids() -> list[str]:
    """The ids of all drugs in the catalog, sorted."""
    return _ids("drugs")


def get(drug: str | Drug) -> Drug:
    """The drug of an id or of a unique prefix. Refuses with UNKNOWN-DRUG, naming the nearest."""
    return drug if isinstance(drug, Drug) else load("drugs", find("drugs", drug), Drug)


def route(drug: str | Drug, route: str) -> Given:
    """How the drug goes in by `route`. Refuses with DRUG-ROUTE where no data say how, naming the routes that exist."""
    found = get(drug)
    for name, given in found.routes.items():
        if name == route:
            return given
    known = ", ".join(found.routes) or "none: it is never simulated as a dose"
    sentence = f"route: {found.id} has no data for route {route!r}; routes with data: {known}"
    raise Refusal("DRUG-ROUTE", sentence, field="route", value=route)


def ceilings(drug: str | Drug) -> dict[str, float]:
    """The physical ceiling of each route in mg of base per kg (assumed, far above any clinic's cap)."""
    return {str(name): given.ceiling_mg_kg for name, given in get(drug).routes.items()}


def slow_rates(drug: str | Drug) -> dict[str, float]:
    """The rate of each route, mg of base per kg and h, up to which an infusion does not count against the ceiling."""
    rows = get(drug).routes.items()
    return {str(name): given.slow_mg_kg_h for name, given in rows if given.slow_mg_kg_h is not None}
