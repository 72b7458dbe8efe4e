"""The board: every chair of a site live on one screen."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from regrow.clinic import access, cards
from regrow.clinic.views import allow, who


@allow("board.read")
def board(request: HttpRequest) -> HttpResponse:
    staff, now = who(request), timezone.now()
    mine = list(access.sites(staff))
    site = access.site(staff, request.GET["site"]) if request.GET.get("site") else (mine[0] if mine else None)
    places = cards.held(site, now).places(now) if site else []
    nurses: dict[str, int] = {}
    for place in places:
        if place.card and place.card.s.nurse:
            nurses[place.card.s.nurse] = nurses.get(place.card.s.nurse, 0) + 1
    access.saw(staff, now, "board")
    return render(
        request,
        "clinic/board.html",
        {
            "site": site,
            "sites": mine,
            "places": places,
            "now": now,
            "settings": access.settings_now(),
            "on_duty": access.on_duty(site) if site else [],
            "nurses": nurses,
            "chips": cards.CHIP_NAMES,
        },
    )
