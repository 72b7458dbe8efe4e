"""The board: every chair of a site live on one screen."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from regrow.clinic import access, cards
from regrow.clinic.models import Site, Staff
from regrow.clinic.views import allow, who


def colleagues(staff: Staff, site: Site) -> Any:
    """Who could take a chair over: the nurses and prescribers of the site, oneself left out."""
    rows = access.colleagues(staff).filter(sites=site, role__in=("nurse", "prescriber"))
    return rows.exclude(pk=staff.pk)


@allow("board.read")
def board(request: HttpRequest) -> HttpResponse:
    staff, now = who(request), timezone.now()
    mine = list(access.sites(staff))
    site = access.site(staff, request.GET["site"]) if request.GET.get("site") else (mine[0] if mine else None)
    held = cards.held(site, now) if site else None
    places = held.places(now) if held else []
    nurses: dict[str, int] = {}
    for place in places:
        if place.card and place.card.s.nurse:
            nurses[place.card.s.nurse] = nurses.get(place.card.s.nurse, 0) + 1
    access.saw(staff, now, "board")
    context = {
        **cards.words(),
        "site": site,
        "sites": mine,
        "places": places,
        "now": now,
        "settings": access.settings_now(),
        "on_duty": held.duty(now) if held else [],
        "mine_on": bool(site) and staff in access.on_duty(site),
        "nurses": nurses,
        "colleagues": colleagues(staff, site) if site else [],
        "rems_due": access.rems_due(staff, site) if site else [],
    }
    return render(request, "clinic/board.html", context)


@allow("board.read")
def chair(request: HttpRequest, pk: int) -> HttpResponse:
    """One chair's card with what may be done there, for a board whose picture of it has changed."""
    staff, now = who(request), timezone.now()
    place = cards.place(access.chair(staff, pk), now)
    return render(request, "clinic/_card.html", card_context(staff, place))


def card_context(staff: Staff, place: cards.Place, **more: Any) -> dict[str, Any]:
    """Everything one card shows."""
    found = colleagues(staff, place.chair.site)
    return {**cards.words(), "place": place, "card": place.card, "colleagues": found, **more}
