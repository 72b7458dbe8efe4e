"""The controlled-drug register: lots, movements, balances."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from regrow.clinic import access
from regrow.clinic.actions import register as actions
from regrow.clinic.actions.payloads import number
from regrow.clinic.forms import LotForm
from regrow.clinic.models import Session
from regrow.clinic.views import act_of, allow, who, writes
from regrow.refusal import Refusal


def _page(request: HttpRequest, status: int = 200, **more: object) -> HttpResponse:
    staff = who(request)
    rows = [(lot, access.balance(lot)) for lot in access.lots(staff)]
    more.setdefault("form", LotForm())
    return render(request, "clinic/register.html", {"rows": rows, "sites": access.sites(staff), **more}, status=status)


@allow("register.read")
def page(request: HttpRequest) -> HttpResponse:
    access.saw(who(request), timezone.now(), "register")
    return _page(request)


@writes("register.write")
def new_lot(request: HttpRequest) -> HttpResponse:
    form = LotForm(request.POST)
    site = access.site(who(request), request.POST.get("site", ""))
    if not form.is_valid():
        return _page(request, 422, form=form)
    try:
        row = actions.record_lot(act_of(request), site, form.cleaned_data)
    except Refusal as refusal:
        return _page(request, 422, form=form, problem=refusal)
    return redirect("lot", key=row.key)


@allow("register.read", "register.write")
def lot(request: HttpRequest, key: str) -> HttpResponse:
    """One lot with all its lines; a new line by POST."""
    staff = who(request)
    row = access.lot(staff, key)
    problem = None
    if request.method == "POST":
        try:
            _move(request, key, None)
            return redirect("lot", key=key)
        except Refusal as refusal:
            problem = refusal
    else:
        access.saw(staff, timezone.now(), f"lot {row.number}")
    rows = row.movements.select_related("by", "witness", "session__course__patient")
    return render(
        request,
        "clinic/lot.html",
        {
            "lot": row,
            "rows": rows,
            "balance": access.balance(row),
            "problem": problem,
            "colleagues": access.colleagues(staff).exclude(pk=staff.pk),
        },
        status=422 if problem else 200,
    )


def _move(request: HttpRequest, lot_key: str, session: Session | None) -> None:
    act, form = act_of(request), request.POST
    kind = form.get("kind", "")
    kinds = ("drawn", "given", "wasted") if session else ("received", "returned", "counted", "wasted")
    if kind not in kinds:
        raise Refusal("MOVEMENT-KIND", f"register: {kind!r} is none of {', '.join(kinds)}.", field="kind", value=kind)
    mg = number("mg", form.get("mg", ""), 0, 100000, "mg")
    witness = actions.witness_by_pin(act, form.get("witness", ""), form.get("witness_pin", ""))
    row = access.lot(act.staff, lot_key, "register.write")
    actions.move(act, row, form.get("key", ""), kind, mg, session, witness, form.get("note", ""))


@writes("register.write")
def session_movement(request: HttpRequest, key: str) -> HttpResponse:
    """A line of the register that belongs to a session: drawn, given, wasted."""
    from regrow.clinic.views.session import context

    staff = who(request)
    session = access.session(staff, key, "session.write")
    try:
        _move(request, request.POST.get("lot", ""), session)
    except Refusal as refusal:
        name = "clinic/_panel.html" if request.headers.get("HX-Request") else "clinic/session.html"
        return render(request, name, context(session, staff, timezone.now(), problem=refusal, typed={}), status=422)
    if request.headers.get("HX-Request"):
        return render(request, "clinic/_panel.html", context(session, staff, timezone.now(), typed={}))
    return redirect("session", key=key)
