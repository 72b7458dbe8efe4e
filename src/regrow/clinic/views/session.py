"""The session screen: gate, start, rounds, recovery, discharge, sign-off; and the one door for entries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe

from regrow.clinic import access, cards, facts, pictures, rems
from regrow.clinic.actions import session as actions
from regrow.clinic.actions.payloads import number
from regrow.clinic.middleware import refused, wants_json
from regrow.clinic.models import Session
from regrow.clinic.planning import arithmetic
from regrow.clinic.session import leave_findings
from regrow.clinic.states import State
from regrow.clinic.views import act_of, allow, who, writes
from regrow.clinic.views.board import card_context, colleagues
from regrow.refusal import Refusal
from regrow.safety import BLADDER_SYMPTOMS, pump_sheet
from regrow.safety.dose import VIALS

# What a form sends around an entry, and the entry's own fields; everything else is its payload.
ENVELOPE = {"csrfmiddlewaretoken", "view", "next"}
ENTRY = ("kind", "key", "expect", "made_at", "sent_at", "ahead_ms", "by", "device")
MANY = {"symptoms", "bladder", "aldrete", "padss"}
ALDRETE = ("activity", "breathing", "circulation", "consciousness", "SpO2")
PADSS = ("vital signs", "walking", "nausea", "pain", "IV site")


def _known_rems(session: Session, s: State, card: cards.Card, medicines: tuple[str, ...], lots: list[str]) -> Any:
    """The fields of the monitoring form: as kept last, else as the record knows them."""
    first = not facts.last_dose_before(session.course.patient, session)
    told = rems.known(
        s,
        patient=session.course.patient,
        site=session.chair.site.name,
        first=first,
        medicines=medicines,
        prescriber=", ".join(s.begun_with.get("prescribers") or card.prescribers),
        lots=lots,
    )
    held = {**told, **s.rems.get("fields", {})}
    return [(f, held.get(f.name, "")) for f in rems.form().fields]


def _register(movements: list[Any], kinds: tuple[str, ...]) -> dict[str, Any]:
    mg = {kind: sum(m.mg for m in movements if m.kind == kind) for kind in kinds}
    gap = round(mg["drawn"] - mg["given"] - mg["wasted"], 3)
    after = "drawn" if not mg["drawn"] else "given" if not mg["given"] else "wasted"
    return {"mg": {**mg, "gap": gap}, "next_kind": after, "movement_kinds": kinds}


def _pump(session: Session, weight: float | None, mg: float | None, asked: dict[str, str]) -> dict[str, Any]:
    """The mL of the dose for a vial and a bag; the vial of the newest drawn lot where none is asked for."""
    course = session.course
    if not weight or not mg or course.drug != "ketamine":
        return {}
    drawn = session.movements.filter(kind="drawn").select_related("lot").last()
    vial = number("vial", asked.get("vial") or (drawn.lot.strength if drawn else VIALS[1]), 1, 100, "mg/mL")
    bag = number("bag", asked.get("bag") or 100, 1, 1000, "mL") if course.duration_min else None
    return {"vial": vial, "bag": bag, "vials": VIALS, "sheet": pump_sheet(mg, weight, course.duration_min, vial, bag)}


def _last_time(session: Session, now: datetime, settings: Any) -> dict[str, Any] | None:
    """How this person's session before went, for whoever prepares the next one; None before the first."""
    before = access.session_before(session)
    s = facts.state_of(before, access.facts_of([before])[before.pk], now, settings) if before else None
    if s is None or s.started is None or s.order is None:
        return None
    seen = [r.vitals for r in s.readings if r.at >= s.started]
    return {
        "session": before,
        "s": s,
        "highest": max((v for v in seen if v.sbp is not None), key=lambda v: v.sbp or 0, default=None),
        "felt": max((v.dissociation for v in seen if v.dissociation is not None), default=None),
        "chips": list(dict.fromkeys(what for _, what in s.chips)),
    }


def context(session: Session, staff: Any, now: datetime, **more: Any) -> dict[str, Any]:
    """Everything the panel of one session shows. `asked` is what the pump helper was asked for."""
    settings = access.settings_now()
    held = access.facts_of([session])[session.pk]
    s = facts.state_of(session, held, now, settings)
    card = cards.card(session, s, settings, tuple(p.name for p in access.on_duty(session.chair.site)))
    course, patient = session.course, session.course.patient
    weight, height, bmi = facts.body(patient)
    medicines = facts.current_medicines(patient, now)
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
    typed = more.get("typed", {})
    last_time = _last_time(session, now, settings) if s.phase in ("booked", "arrived") else None
    movements = list(session.movements.select_related("lot", "by", "witness"))
    problem = more.get("problem")
    try:
        pump = _pump(session, weight, line.mg if line else None, more.pop("asked", {}))
    except Refusal as refusal:
        pump, problem = _pump(session, weight, line.mg if line else None, {}), refusal
    minute = ((s.discharged or now) - s.started).total_seconds() / 60 if s.started else 0.0
    nasal = s.order is not None and bool(s.order.devices)
    return {
        **cards.words(),
        "session": session,
        "course": course,
        "patient": patient,
        "place": cards.Place(session.chair, card, ()),
        "s": s,
        "card": card,
        "now": now,
        "settings": settings,
        "found": [(f, done, facts.subject_of(f)) for f, done in found],
        "ready": not any(not done for _, done in found),
        "arithmetic": line,
        "last_time": last_time,
        "weight": weight,
        "bmi": bmi,
        "medicines": medicines,
        "gate": {**s.gate, **(typed if typed.get("kind") == "gate" else {})},
        "check": {**s.check, **(typed if typed.get("kind") == "check" else {})},
        "bladder": BLADDER_SYMPTOMS,
        "aldrete": ALDRETE,
        "padss": PADSS,
        "movements": movements,
        **_register(movements, ("drawn", "given", "wasted")),
        **pump,
        "lots": access.lots(staff).filter(site=session.chair.site, drug=course.drug),
        "colleagues": colleagues(staff, session.chair.site),
        "entries": session.entries.select_related("author").order_by("-id"),
        "correctable": actions.CORRECTABLE,
        "chart": mark_safe(pictures.vitals(s, settings, card.window, minute)),  # noqa: S308  (drawn from numbers)
        "rems": rems.form() if nasal else None,
        "rems_rows": _known_rems(session, s, card, medicines, [m.lot.number for m in movements]) if nasal else (),
        "rems_until": rems.due(s.started) if s.started else None,
        "yes_no": ("yes", "no"),
        **more,
        "problem": problem,
    }


@allow("chart.read")
def page(request: HttpRequest, key: str) -> HttpResponse:
    staff, now = who(request), timezone.now()
    session = access.session(staff, key)
    access.saw(staff, now, "session", session.course.patient)
    return render(request, "clinic/session.html", context(session, staff, now, asked=request.GET.dict()))


@allow("chart.read")
def panel(request: HttpRequest, key: str) -> HttpResponse:
    staff, now = who(request), timezone.now()
    session = access.session(staff, key)
    return render(request, "clinic/_panel.html", context(session, staff, now, asked=request.GET.dict()))


@allow("chart.read")
def sheet(request: HttpRequest, key: str) -> HttpResponse:
    """The run sheet on paper: the session as known now, with room to write by hand."""
    staff, now = who(request), timezone.now()
    session = access.session(staff, key)
    access.saw(staff, now, "run sheet", session.course.patient)
    return render(request, "clinic/sheet.html", context(session, staff, now, rows=range(12)))


@allow("chart.read")
def leaving(request: HttpRequest, key: str) -> HttpResponse:
    """The sheet a person takes home: no driving, what may be felt, when to call for help."""
    staff, now = who(request), timezone.now()
    session = access.session(staff, key)
    access.saw(staff, now, "discharge sheet", session.course.patient)
    later = session.course.sessions.filter(planned_at__gt=max(now, session.planned_at), cancelled_at=None).first()
    return render(request, "clinic/leaving.html", context(session, staff, now, following=later))


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
        if fields["kind"] == "correct" and "field" in payload:
            payload = {**payload, "payload": {payload.pop("field"): payload.pop("value", "")}}
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
        place = cards.place(session.chair, now)
        return render(request, "clinic/_card.html", card_context(staff, place, **more), status=status)
    name = "clinic/_panel.html" if request.headers.get("HX-Request") else "clinic/session.html"
    return render(request, name, context(session, staff, now, **more), status=status)
