"""The session screen: gate, start, rounds, recovery, discharge, sign-off; and the one door for entries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from regrow.clinic import access, cards, facts
from regrow.clinic.actions import session as actions
from regrow.clinic.actions.payloads import CARDS, CHIPS, RANGES, number
from regrow.clinic.actions.plan import block_of
from regrow.clinic.middleware import refused, wants_json
from regrow.clinic.models import Session
from regrow.clinic.planning import arithmetic
from regrow.clinic.session import leave_findings
from regrow.clinic.views import act_of, allow, who, writes
from regrow.refusal import Refusal
from regrow.safety import BLADDER_SYMPTOMS
from regrow.safety.alarms import SYMPTOMS

# What a form sends around an entry, and the entry's own fields; everything else is its payload.
ENVELOPE = {"csrfmiddlewaretoken", "view", "next"}
ENTRY = ("kind", "key", "expect", "made_at", "sent_at", "ahead_ms", "by", "device")
MANY = {"symptoms", "bladder", "aldrete", "padss"}
ALDRETE = ("activity", "breathing", "circulation", "consciousness", "SpO2")
PADSS = ("vital signs", "walking", "nausea", "pain", "IV site")


def context(session: Session, staff: Any, now: datetime, **more: Any) -> dict[str, Any]:
    """Everything the panel of one session shows."""
    settings = access.settings_now()
    held = access.facts_of([session])[session.pk]
    s = facts.state_of(session, held, now, settings)
    card = cards.card(session, s, settings, tuple(p.name for p in access.on_duty(session.chair.site)))
    course, patient = session.course, session.course.patient
    weight, height, bmi = facts.body(patient)
    found: list[Any] = []
    if s.phase == "arrived":
        found = actions.waiting(actions.start_findings(staff, session, s, now, settings), s)
    elif s.phase == "recovery":
        found = actions.waiting(leave_findings(s, now, settings), s)
    line = None
    if weight:
        line = arithmetic(
            facts.text_of_session(session),
            course.drug,
            course.route,
            course.duration_min,
            weight,
            height,
            patient.sex == "female",
            course.basis,
        )
    return {
        "session": session,
        "course": course,
        "patient": patient,
        "s": s,
        "card": card,
        "now": now,
        "settings": settings,
        "found": [(f, done, facts.subject_of(f)) for f, done in found],
        "ready": not any(not done for _, done in found),
        "arithmetic": line,
        "weight": weight,
        "bmi": bmi,
        "chips": CHIPS,
        "emergencies": CARDS,
        "ranges": RANGES,
        "symptoms": SYMPTOMS,
        "bladder": BLADDER_SYMPTOMS,
        "aldrete": ALDRETE,
        "padss": PADSS,
        "movements": session.movements.select_related("lot", "by", "witness"),
        "lots": access.lots(staff).filter(site=session.chair.site, drug=course.drug),
        "colleagues": access.colleagues(staff)
        .filter(sites=session.chair.site, role__in=("nurse", "prescriber"))
        .exclude(pk=staff.pk),
        "entries": session.entries.select_related("author").order_by("-id"),
        "block": block_of(course),
        **more,
    }


@allow("chart.read")
def page(request: HttpRequest, key: str) -> HttpResponse:
    staff, now = who(request), timezone.now()
    session = access.session(staff, key)
    access.saw(staff, now, "session", session.course.patient)
    return render(request, "clinic/session.html", context(session, staff, now, typed={}))


@allow("chart.read")
def panel(request: HttpRequest, key: str) -> HttpResponse:
    staff, now = who(request), timezone.now()
    session = access.session(staff, key)
    return render(request, "clinic/_panel.html", context(session, staff, now, typed={}))


@allow("chart.read")
def sheet(request: HttpRequest, key: str) -> HttpResponse:
    """The run sheet on paper: the session as known now, with room to write by hand."""
    staff, now = who(request), timezone.now()
    session = access.session(staff, key)
    access.saw(staff, now, "run sheet", session.course.patient)
    return render(request, "clinic/sheet.html", context(session, staff, now, rows=range(12)))


def _moment(text: str) -> datetime | None:
    """Milliseconds since 1970 as a device sends them."""
    if not text:
        return None
    try:
        return datetime.fromtimestamp(float(text) / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise Refusal(
            "ENTRY-TIME", f"time {text!r} is not milliseconds since 1970.", field="made_at", value=text
        ) from None


def _ahead(text: str) -> float | None:
    """How far a device says that its clock was ahead (s); None where it did not know."""
    return number("ahead_ms", text, -1e12, 1e12, "ms") / 1000 if text else None


def sent_of(request: HttpRequest) -> tuple[actions.Sent, dict[str, Any]]:
    """The entry a form or a program sends, and the payload as typed."""
    if request.content_type == "application/json":
        try:
            body = json.loads(request.body)
            payload = dict(body.get("payload") or {})
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise Refusal("ENTRY-JSON", "entry: the body is no JSON object with a payload.", field="body") from None
        fields = {k: str(body[k]) for k in ENTRY if body.get(k) is not None}
    else:
        fields = {k: request.POST.get(k, "") for k in ENTRY}
        said = {k: v for k, v in request.POST.items() if k not in ENVELOPE and k not in ENTRY}
        payload = {k: request.POST.getlist(k) if k in MANY else v for k, v in said.items()}
        for score in ("aldrete", "padss"):
            if score in payload and not any(payload[score]):
                del payload[score]
    expect = fields.get("expect", "")
    if expect and not (expect.isascii() and expect.isdigit() and len(expect) < 10):
        raise Refusal("EXPECT-MISSING", f"expect {expect!r} is not a version; reload.", field="expect")
    sent = actions.Sent(
        fields.get("key", ""),
        fields.get("kind", ""),
        payload,
        _moment(fields.get("made_at", "")),
        _moment(fields.get("sent_at", "")),
        int(expect) if expect else None,
        fields.get("device", ""),
        _ahead(fields.get("ahead_ms", "")),
        fields.get("by", ""),
    )
    return sent, payload


@writes("session.write")
def entries(request: HttpRequest, key: str) -> HttpResponse:
    """Keeps one entry. 201 kept, 200 already there, 409 a conflict to show, 422 refused with code and field."""
    staff = who(request)
    session = access.session(staff, key, "session.write")
    typed: dict[str, Any] = {}
    try:
        sent, typed = sent_of(request)
        kept = actions.record(act_of(request), session, sent)
    except Refusal as refusal:
        status = 409 if isinstance(refusal, actions.Conflict) else 422
        if wants_json(request):
            said = {"code": refusal.code, "sentence": refusal.sentence, "field": refusal.field}
            return refused(JsonResponse(said, status=status), refusal.code)
        typed = {**typed, "kind": request.POST.get("kind", "")}
        return refused(_shown(request, session, status, problem=refusal, typed=typed), refusal.code)
    return _kept(request, session, kept)


def _kept(request: HttpRequest, session: Session, kept: actions.Kept) -> HttpResponse:
    """The answer to an entry on disk. Its key stands in a header: without it the tablet's queue lets nothing go."""
    if wants_json(request):
        said = {
            "id": kept.entry.pk,
            "repeated": kept.repeated,
            "at": kept.entry.measured_at.isoformat(),
            "clock_off_s": round(kept.skew),
        }
        response: HttpResponse = JsonResponse(said, status=200 if kept.repeated else 201)
    elif not request.headers.get("HX-Request"):
        where = "board" if request.POST.get("view") == "card" else None
        response = redirect(where) if where else redirect("session", key=session.key)
    else:
        response = _shown(request, session, 200, typed={}, saved=kept)
    response["Regrow-Kept"] = kept.entry.idem
    return response


def _shown(request: HttpRequest, session: Session, status: int, **more: Any) -> HttpResponse:
    staff, now = who(request), timezone.now()
    session = access.session(staff, session.key)
    if request.POST.get("view") == "card":
        card = cards.one(session, now)
        place = cards.Place(session.chair, card, ())
        return render(
            request,
            "clinic/_card.html",
            {"place": place, "card": card, "chips": CHIPS, "now": now, **more},
            status=status,
        )
    name = "clinic/_panel.html" if request.headers.get("HX-Request") else "clinic/session.html"
    return render(request, name, context(session, staff, now, **more), status=status)
