"""Who may do what: every address by every role, strangers and nobody included; locks, links, CSRF, the log."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import PIN, new_course, new_lot, new_patient
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import get_resolver

from regrow.clinic import chain
from regrow.clinic.actions import staff as staff_actions
from regrow.clinic.models import Entry, Patient

CAST = ("doctor", "nurse", "desk", "reader", "administrator")
# address: who may look, who may write ("" for an address that has no such method)
TABLE = {
    "/": ("doctor nurse desk reader administrator", ""),
    "/pin": ("doctor nurse desk reader administrator", "doctor nurse desk reader administrator"),
    "/unlock": ("doctor nurse desk reader administrator", "doctor nurse desk reader administrator"),
    "/enquiries": ("doctor nurse desk reader", "doctor nurse desk"),
    "/enquiries/{enquiry}": ("doctor nurse desk reader", "doctor nurse desk"),
    "/patients": ("doctor nurse desk reader", ""),
    "/patients/new": ("doctor nurse desk reader", "doctor nurse desk"),
    "/patients/{patient}": ("doctor nurse desk reader", ""),
    "/patients/{patient}/edit": ("doctor nurse desk reader", "doctor nurse desk"),
    "/patients/{patient}/chart/trial": ("", "doctor nurse"),
    "/patients/{patient}/medicines/{medicine}/stop": ("", "doctor nurse"),
    "/patients/{patient}/evaluation": ("doctor nurse reader", "doctor nurse"),
    "/patients/{patient}/evaluation/{evaluation}": ("doctor nurse reader", "doctor nurse"),
    "/patients/{patient}/evaluation/{evaluation}/sign": ("", "doctor"),
    "/patients/{patient}/decide": ("", "doctor"),
    "/patients/{patient}/course": ("doctor nurse reader", "doctor nurse"),
    "/courses/{course}": ("doctor nurse reader", ""),
    "/courses/{course}/sign": ("", "doctor"),
    "/courses/{course}/second": ("", "doctor"),
    "/courses/{course}/consent": ("", "doctor nurse"),
    "/courses/{course}/book": ("", "doctor nurse desk"),
    "/courses/{course}/end": ("", "doctor"),
    "/bookings/{session}": ("", "doctor nurse desk"),
    "/board": ("doctor nurse reader", ""),
    "/sessions/{session}": ("doctor nurse reader", ""),
    "/sessions/{session}/panel": ("doctor nurse reader", ""),
    "/sessions/{session}/sheet": ("doctor nurse reader", ""),
    "/sessions/{session}/entries": ("", "doctor nurse"),
    "/sessions/{session}/register": ("", "doctor nurse"),
    "/duty": ("", "doctor"),
    "/register": ("doctor nurse reader administrator", ""),
    "/register/lots": ("", "doctor nurse"),
    "/register/{lot}": ("doctor nurse reader administrator", "doctor nurse"),
    "/settings": ("doctor nurse desk reader administrator", "administrator"),
    "/staff": ("administrator", "administrator"),
    "/staff/{member}": ("administrator", "administrator"),
    "/staff/{member}/invite": ("", "administrator"),
    "/chairs": ("", "administrator"),
    "/log": ("administrator", ""),
}
# Not in the table: open to all by design, or allauth's own, or a stream tested on a real server.
ELSEWHERE = {"health", "enter/<str:token>", "sign-out", "sw.js", "accounts/", "accounts/2fa/", "board/stream"}


@pytest.fixture
def world(cast):
    """One of everything, and the names that addresses need."""
    key = cast.key()
    cast["desk"].post("/enquiries", {"key": key, "site": cast.site.pk, "name": "Ask Er", "contact": "555"})
    patient = new_patient(cast)
    cast["nurse"].post(f"/patients/{patient.key}/chart/medicine", {"name": "sertraline"})
    course = new_course(cast, patient)
    return {
        "enquiry": key,
        "patient": patient.key,
        "medicine": patient.medicines.get().pk,
        "evaluation": course.evaluation.key,
        "course": course.key,
        "session": course.sessions.get(number=1).key,
        "lot": new_lot(cast).key,
        "member": cast.staff["nurse"].pk,
    }


def test_every_address_stands_in_the_table_of_roles():
    known = {str(p.pattern) for p in get_resolver("regrow.clinic.urls").url_patterns} - ELSEWHERE
    shapes = {re.sub(r"<[^>]+>", "*", each) for each in known} - {"patients/*/chart/*"}
    table = {re.sub(r"\{[^}]+\}", "*", each.strip("/")) for each in TABLE} - {"patients/*/chart/trial"}
    assert shapes == table


def test_each_role_reaches_what_the_table_says_and_nothing_else(cast, world):
    wrong = []
    for address, (look, write) in TABLE.items():
        path = address.format(**world)
        for name in CAST:
            seen = cast[name].get(path).status_code
            if (seen in (200, 302)) != (name in look.split()) or seen not in (200, 302, 403, 405):
                wrong.append((name, "GET", address, seen))
            wrote = cast[name].post(path, {}).status_code
            if (wrote not in (403, 405)) != (name in write.split()) or wrote >= 500:
                wrong.append((name, "POST", address, wrote))
    assert wrong == []


def test_nobody_is_sent_to_the_sign_in_from_every_address(cast, world):
    for address in TABLE:
        path = address.format(**world)
        for answer in (cast["nobody"].get(path), cast["nobody"].post(path, {})):
            assert answer.status_code == 302
            assert answer.headers["Location"].startswith("/accounts/login/"), address


def test_a_stranger_of_another_site_finds_nothing_by_a_guessed_or_stolen_name(cast, world):
    for address, (look, write) in TABLE.items():
        if "{" not in address or "member" in address:
            continue
        path = address.format(**world)
        if look:
            assert cast["stranger"].get(path).status_code == 404, address
        if write:
            assert cast["stranger"].post(path, {"lot": world["lot"]}).status_code == 404, address


def test_the_front_desk_sees_bookings_but_no_chart(cast, world):
    page = cast["desk"].get(f"/patients/{world['patient']}").content.decode()
    assert "Chair 1" in page
    for word in ("sertraline", "Eligibility", "ketamine", "Weight"):
        assert word not in page


def test_every_answer_has_the_strict_policy_and_is_not_stored(cast, world):
    for path in ("/board", "/accounts/login/", "/health", "/nothing-here"):
        answer = cast["nurse"].get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"].startswith(("no-store", "max-age=0"))
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_no_page_carries_inline_script_or_style(cast, world):
    for path in (
        "/board",
        f"/sessions/{world['session']}",
        f"/patients/{world['patient']}",
        "/settings",
        "/accounts/login/",
    ):
        page = (cast["nobody"] if "login" in path else cast["nurse"]).get(path).content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
        assert "<script>" not in page


def test_a_form_without_its_csrf_token_writes_nothing(cast, world):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.staff["nurse"].user)
    before = Patient.objects.count()
    sent = {"key": cast.key(), "site": cast.site.pk, "name": "No Token", "born": "1980-01-01", "sex": "male"}
    assert strict.post("/patients/new", sent).status_code == 403
    assert Patient.objects.count() == before


def test_a_one_time_link_works_once_under_a_new_session_and_not_after_its_time(cast):
    person = cast.staff["nurse"]
    token = staff_actions.new_link(person.user, cast.now())
    client = Client()
    client.get("/accounts/login/")
    planted = client.session.session_key
    assert client.get(f"/enter/{token}").status_code == 302
    assert client.session.session_key != planted
    assert client.get("/board").status_code == 200
    assert Client().get(f"/enter/{token}").status_code == 403
    late = staff_actions.new_link(person.user, cast.now())
    cast.wait(24 * 60 + 1)
    assert Client().get(f"/enter/{late}").status_code == 403
    assert Client().get("/enter/guess").status_code == 403


def test_idleness_locks_writing_and_never_the_picture(cast, running, settings):
    settings.CLINIC = replace(settings.CLINIC, idle_minutes=10)
    cast["nurse"].get("/board")
    cast.wait(11)
    assert cast["nurse"].get("/board").status_code == 200
    assert cast["nurse"].get(f"/sessions/{running.key}").status_code == 200
    assert cast.entry("nurse", running, "chip", 423, what="nausea")["code"] == "LOCKED"
    assert cast["nurse"].post("/unlock", {"secret": "000000"}).status_code == 422
    cast.entry("nurse", running, "chip", 423, what="nausea")
    assert cast["nurse"].post("/unlock", {"secret": PIN, "next": "//evil.example"}).headers["Location"] == "/"
    cast.entry("nurse", running, "chip", what="nausea")


def test_five_wrong_pins_lock_the_unlocking(cast, settings):
    for _ in range(5):
        assert cast["reader"].post("/unlock", {"secret": "111222"}).status_code == 422
    assert cast["reader"].post("/unlock", {"secret": PIN}).status_code == 429


def test_a_second_factor_is_asked_where_the_clinic_requires_it(cast, settings):
    settings.CLINIC = replace(settings.CLINIC, require_mfa=True)
    answer = cast["nurse"].get("/board")
    assert answer.status_code == 302
    assert "/2fa/" in answer.headers["Location"]
    assert cast["nurse"].post("/duty", {}).status_code == 302


def test_nobody_can_sign_up(cast):
    page = cast["nobody"].get("/accounts/signup/")
    assert page.status_code in (200, 302)
    cast["nobody"].post(
        "/accounts/signup/", {"username": "me", "password1": "long enough 1", "password2": "long enough 1"}
    )
    from django.contrib.auth import get_user_model

    assert not get_user_model().objects.filter(username="me").exists()


def test_wrong_passwords_lock_out_the_right_one(cast):
    user = cast.staff["nurse"].user
    user.set_password("right horse battery")
    user.save()
    for _ in range(5):
        cast["nobody"].post("/accounts/login/", {"login": "nurse", "password": "wrong"})
    cast["nobody"].post("/accounts/login/", {"login": "nurse", "password": "right horse battery"})
    assert cast["nobody"].get("/board").status_code == 302
    cast.wait(6)
    cast["nobody"].post("/accounts/login/", {"login": "nurse", "password": "right horse battery"})
    assert cast["nobody"].get("/board").status_code == 200


def test_someone_no_longer_active_is_out_at_once(cast):
    row = cast.staff["reader"]
    row.active = False
    row.save()
    assert cast["reader"].get("/board").status_code == 302


def test_an_expired_licence_signs_nothing(cast):
    row = cast.staff["doctor"]
    row.licence_until = cast.now().date() - timedelta(days=1)
    row.save()
    answer = cast["doctor"].post("/duty", {"site": cast.site.pk, "on": "yes"})
    assert answer.status_code == 422
    assert "R-ST-01" in answer.content.decode() or "licence" in answer.content.decode()


def test_reads_and_writes_of_a_patient_stand_in_a_whole_chain(cast, world):
    cast["reader"].get(f"/patients/{world['patient']}")
    rows = cast["administrator"].get(f"/log?patient={world['patient']}").context["rows"]
    assert ("reader", "read patient") in {(r.actor, r.action) for r in rows}
    assert ("doctor", "sign course") in {(r.actor, r.action) for r in rows}
    assert chain.verify().faults == ()


def test_the_database_itself_refuses_to_change_what_is_written_once(cast, running):
    row = Entry.objects.filter(session=running).first()
    for change in (lambda: Entry.objects.filter(pk=row.pk).update(kind="note"), lambda: row.delete()):
        with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
            change()


def test_a_changed_a_missing_and_a_cut_row_are_found_by_the_check(cast, running):
    with connection.cursor() as cursor:
        for table in ("entry", "logrow"):
            for verb in ("update", "delete"):
                cursor.execute(f"DROP TRIGGER clinic_{table}_no_{verb}")
        cursor.execute("UPDATE clinic_entry SET kind = 'note' WHERE kind = 'vitals'")
        assert any("Entry" in f and "changed" in f for f in chain.verify().faults)
        cursor.execute("UPDATE clinic_logrow SET actor = 'nobody' WHERE id = 5")
        assert "log row 5 was changed" in chain.verify().faults
        cursor.execute("DELETE FROM clinic_logrow WHERE id = 7")
        assert any("7 is missing" in f for f in chain.verify().faults)
        cursor.execute("DELETE FROM clinic_logrow WHERE id > 20")
        assert "the end of the log is missing" in chain.verify().faults
