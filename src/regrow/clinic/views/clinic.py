"""The clinic itself: duty, staff, chairs, the numbers of the rules, the log."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from regrow.clinic import access, chain
from regrow.clinic.actions import staff as actions
from regrow.clinic.actions.payloads import number
from regrow.clinic.forms import StaffForm
from regrow.clinic.models import Staff
from regrow.clinic.views import act_of, allow, who, writes
from regrow.refusal import Refusal
from regrow.safety import RULES, Settings


@writes("duty.write")
def duty(request: HttpRequest) -> HttpResponse:
    site = access.site(who(request), request.POST.get("site", ""))
    try:
        actions.go_on_duty(act_of(request), site, request.POST.get("on") == "yes")
    except Refusal as refusal:
        return render(
            request, "clinic/message.html", {"title": "Not on duty", "sentence": refusal.sentence}, status=422
        )
    return redirect(f"/board?site={site.pk}")


@allow("settings.read", "settings.write")
def settings_page(request: HttpRequest) -> HttpResponse:
    """Every number of the safety rules with default, range, source; a change by the administrator with a reason."""
    problem = None
    if request.method == "POST":
        try:
            value = number(request.POST.get("name", ""), request.POST.get("value", ""), -1e9, 1e9)
            actions.change_setting(act_of(request), request.POST.get("name", ""), value, request.POST.get("reason", ""))
            return redirect("settings")
        except Refusal as refusal:
            problem = refusal
    now = access.settings_now()
    values = now.values()
    rows = [{**row, "value": values[row["name"]]} for row in Settings.table()]
    return render(
        request,
        "clinic/settings.html",
        {
            "rows": rows,
            "version": now.version,
            "changes": access.setting_changes()[:50],
            "problem": problem,
            "rules": sorted(RULES.values(), key=lambda r: r.id),
        },
        status=422 if problem else 200,
    )


@allow("staff.write", "staff.write")
def staff_page(request: HttpRequest) -> HttpResponse:
    form, problem = StaffForm(request.POST or None), None
    mine = list(access.sites(who(request)))
    if request.method == "POST" and form.is_valid():
        try:
            username = request.POST.get("username", "").strip()
            if not username.isidentifier():
                raise Refusal("USERNAME", f"user name {username!r}: letters, digits and _ only.", field="username")
            actions.record_staff(act_of(request), username, form.cleaned_data, mine)
            return redirect("staff")
        except Refusal as refusal:
            problem = refusal
    bad = request.method == "POST"
    rows = Staff.objects.filter(sites__in=mine).distinct().select_related("user")
    return render(
        request,
        "clinic/staff.html",
        {"rows": rows, "form": form, "sites": mine, "problem": problem},
        status=422 if bad else 200,
    )


def _member(request: HttpRequest, pk: int) -> Staff:
    from django.http import Http404

    row = Staff.objects.filter(sites__in=access.sites(who(request)), pk=pk).first()
    if row is None:
        raise Http404
    return row


@allow("staff.write", "staff.write")
def staff_member(request: HttpRequest, pk: int) -> HttpResponse:
    row, problem = _member(request, pk), None
    form = StaffForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        try:
            values = {**form.cleaned_data, "active": request.POST.get("active") == "on"}
            actions.change_staff(act_of(request), Staff.objects.get(pk=pk), values)
            return redirect("staff")
        except Refusal as refusal:
            problem = refusal
    return render(
        request,
        "clinic/staff_member.html",
        {"row": row, "form": form, "problem": problem},
        status=422 if request.method == "POST" else 200,
    )


@writes("staff.write")
def invite(request: HttpRequest, pk: int) -> HttpResponse:
    row = _member(request, pk)
    token = actions.invite(act_of(request), row)
    link = request.build_absolute_uri(f"/enter/{token}")
    return render(request, "clinic/invited.html", {"row": row, "link": link})


@writes("staff.write")
def chairs(request: HttpRequest) -> HttpResponse:
    site = access.site(who(request), request.POST.get("site", ""))
    name = request.POST.get("name", "").strip()[:40]
    if name:
        actions.add_chair(act_of(request), site, name)
    return redirect("staff")


@allow("log.read")
def log_page(request: HttpRequest) -> HttpResponse:
    """The newest rows of the log, those of one patient if asked, and the check of the whole chain on request."""
    staff = who(request)
    wanted = request.GET.get("patient", "")
    check = chain.verify() if request.GET.get("verify") else None
    access.saw(staff, timezone.now(), "log")
    return render(
        request, "clinic/log.html", {"rows": access.log_rows(staff, wanted)[:200], "check": check, "wanted": wanted}
    )
