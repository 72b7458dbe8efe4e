"""Who may do what: every address by every role, strangers and nobody included; locks, links, CSRF, the log."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.webauthn.internal import auth as webauthn
from conftest import PIN, new_course, new_lot, new_patient
from cryptography.exceptions import InvalidSignature
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import get_resolver

import regrow.clinic
from regrow.clinic import chain
from regrow.clinic.actions import staff as staff_actions
from regrow.clinic.models import Entry, LogRow, Patient, Staff

JSON = {"accept": "application/json"}
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
    "/patients/{patient}/decide": ("", "doctor"),
    "/patients/{patient}/course": ("doctor nurse reader", "doctor nurse"),
    "/courses/{course}": ("doctor nurse reader", ""),
    "/courses/{course}/sign": ("", "doctor"),
    "/courses/{course}/second": ("", "doctor"),
    "/courses/{course}/consent": ("", "doctor nurse"),
    "/courses/{course}/book": ("doctor nurse desk", "doctor nurse desk"),
    "/courses/{course}/end": ("", "doctor"),
    "/bookings/{session}": ("", "doctor nurse desk"),
    "/diary": ("doctor nurse desk reader", ""),
    "/board": ("doctor nurse reader", ""),
    "/board/chairs/{chair}": ("doctor nurse reader", ""),
    "/sessions/{session}": ("doctor nurse reader", ""),
    "/sessions/{session}/panel": ("doctor nurse reader", ""),
    "/sessions/{session}/sheet": ("doctor nurse reader", ""),
    "/sessions/{session}/leaving": ("doctor nurse reader", ""),
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
# What anyone reaches, with the answer to a stranger's GET; and the stream, which a real server tests besides.
OPEN = {
    "health": 200,
    "enter/<str:token>": 403,
    "sw.js": 200,
    "accounts/login/": 200,
    "accounts/2fa/authenticate/": 302,
}
# One's own account: the sign-in for a stranger, and never a fault for a member of the staff.
OWN = {
    "sign-out",
    "accounts/logout/",
    "accounts/reauthenticate/",
    "accounts/password/change/",
    "accounts/password/set/",
    "accounts/2fa/",
    "accounts/2fa/reauthenticate/",
    "accounts/2fa/totp/activate/",
    "accounts/2fa/totp/deactivate/",
    "accounts/2fa/recovery-codes/",
    "accounts/2fa/recovery-codes/generate/",
    "accounts/2fa/recovery-codes/download/",
    "accounts/2fa/webauthn/",
    "accounts/2fa/webauthn/add/",
    "accounts/2fa/webauthn/reauthenticate/",
    "accounts/2fa/webauthn/keys/<int:pk>/remove/",
    "accounts/2fa/webauthn/keys/<int:pk>/edit/",
}
# What the sign-in package offers and this clinic does not: 404 for everyone.
CLOSED = {
    "accounts/signup/",
    "accounts/inactive/",
    "accounts/email/",
    "accounts/confirm-email/",
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$",
    "accounts/login/code/confirm/",
    "accounts/password/reset/",
    "accounts/password/reset/done/",
    "accounts/password/reset/key/done/",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
}
STREAM = {"board/stream": "doctor nurse reader"}


def routes(patterns: Any = None, before: str = "") -> Iterator[str]:
    """Every route of the clinic, those of included packages too."""
    for each in get_resolver("regrow.clinic.urls").url_patterns if patterns is None else patterns:
        route = before + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from routes(each.url_patterns, route)
        else:
            yield route


def example(route: str) -> str:
    """An address of a route whose names nobody chose."""
    return "/" + re.sub(r"\(\?P<[^>]+>[^)]*\)|<[^>]+>", "guess", route).replace("^", "").replace("$", "")


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
        "chair": cast.chairs[0].pk,
        "lot": new_lot(cast).key,
        "member": cast.staff["nurse"].pk,
    }


def shape(route: str) -> str:
    return re.sub(r"<[^>]+>|\{[^}]+\}", "*", route.strip("/"))


def test_every_address_has_its_row_in_one_of_the_tables():
    tabled = {shape(each.replace("/chart/trial", "/chart/*")) for each in TABLE}
    others = [shape(each) for each in (*OPEN, *OWN, *CLOSED, *STREAM)]
    assert tabled.isdisjoint(others)
    assert sorted(shape(each) for each in routes()) == sorted([*tabled, *others])


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


def test_no_address_takes_a_method_it_does_not_know(cast, world):
    for address in TABLE:
        path = address.format(**world)
        for method in ("put", "patch", "delete"):
            for name in ("doctor", "administrator"):
                assert getattr(cast[name], method)(path).status_code == 405, (method, address)


def test_nobody_is_sent_to_the_sign_in_from_every_address(cast, world):
    addresses = [a.format(**world) for a in TABLE] + [example(route) for route in (*OWN, *STREAM)]
    for path in (*addresses, "/nothing/here", "/admin/"):
        for answer in (cast["nobody"].get(path), cast["nobody"].post(path, {})):
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith("/accounts/login/"), path
        for answer in (cast["nobody"].get(path, headers=JSON), cast["nobody"].post(path, {}, headers=JSON)):
            assert (answer.status_code, answer.json()["code"]) == (401, "SIGNED-OUT"), path


def test_what_is_open_tells_a_stranger_nothing_and_what_is_closed_is_closed_to_everyone(cast):
    for route, status in OPEN.items():
        assert cast["nobody"].get(example(route)).status_code == status, route
    for route in CLOSED:
        for name in ("nobody", *CAST):
            assert cast[name].get(example(route)).status_code == 404, (name, route)
            assert cast[name].post(example(route), {}).status_code == 404, (name, route)


def test_each_reaches_their_own_account_and_only_those_who_may_see_the_board_its_stream(cast):
    for name in CAST:
        for route in OWN - {"sign-out"}:
            assert cast[name].get(example(route)).status_code in (200, 302, 403, 404), (name, route)
        answer = cast[name].get("/board/stream")
        assert answer.status_code == (200 if name in STREAM["board/stream"] else 403)
    assert cast["stranger"].get(f"/board/stream?site={cast.site.pk}").status_code == 404
    assert cast["nurse"].get("/board/stream?site=²").status_code == 404


def test_each_kind_of_entry_is_refused_to_every_role_but_those_of_the_chair(cast, running):
    from regrow.clinic.states import KINDS

    for kind in sorted(KINDS):
        for name, status in (
            ("desk", 403),
            ("reader", 403),
            ("administrator", 403),
            ("stranger", 404),
            ("nobody", 401),
        ):
            cast.entry(name, running, kind, status, expect=0)
    for name in ("nurse", "colleague"):
        assert cast.entry(name, running, "decision", 403, rule="R-BP-01", reason="I think so")["code"] == "FORBIDDEN"
    assert chain.verify().faults == ()


def test_a_stranger_of_another_site_finds_nothing_by_a_guessed_or_stolen_name(cast, world):
    for address, (look, write) in TABLE.items():
        if "{" not in address or "member" in address:
            continue
        path = address.format(**world)
        if look:
            assert cast["stranger"].get(path).status_code == 404, address
        if write:
            assert cast["stranger"].post(path, {"lot": world["lot"]}).status_code == 404, address


def test_a_name_of_one_record_opens_no_other(cast, world):
    """Guessed and borrowed numbers: what belongs to another person, or to another site, is not there."""
    from regrow.clinic.models import Chair

    other = new_patient(cast, "Sam Other")
    nurse, doctor, boss = cast["nurse"], cast["doctor"], cast["administrator"]
    assert nurse.get(f"/patients/{other.key}/evaluation/{world['evaluation']}").status_code == 404
    assert doctor.post(f"/patients/{other.key}/evaluation/{world['evaluation']}", {"sign": "yes"}).status_code == 404
    assert nurse.post(f"/patients/{other.key}/medicines/{world['medicine']}/stop", {}).status_code == 422
    far = Chair.objects.create(site=cast.other_site, name="Far")
    for path, sent in (
        (f"/bookings/{world['session']}", {"chair": far.pk, "at": "2026-12-01T10:00"}),
        ("/duty", {"site": cast.other_site.pk, "on": "yes"}),
        ("/enquiries", {"site": cast.other_site.pk, "key": cast.key(), "name": "A", "contact": "b"}),
        ("/register/lots", {"site": cast.other_site.pk, "drug": "ketamine", "number": "X", "strength": "50"}),
    ):
        before = LogRow.objects.exclude(action__startswith="read").count()
        status = doctor.post(path, sent).status_code
        assert status in (404, 422), (path, status)
        assert LogRow.objects.exclude(action__startswith="read").count() == before, path
    assert nurse.get(f"/board?site={cast.other_site.pk}").status_code == 404
    for path in (f"/staff/{cast.staff['stranger'].pk}", "/staff/999999999999999999999999"):
        assert boss.get(path).status_code == 404
        assert boss.post(path, {"active": ""}).status_code == 404
    assert boss.post("/chairs", {"site": cast.other_site.pk, "name": "Mine"}).status_code == 404


@pytest.mark.both_databases
def test_an_administrator_reads_the_log_of_their_own_sites_only(cast, world):
    from conftest import _person

    boss = Client()
    boss.force_login(_person("far", "administrator", "Far Boss", cast.other_site).user)
    cast["stranger"].get("/board")
    theirs = {row.actor for row in boss.get("/log").context["rows"]}
    assert theirs <= {"far", "stranger"}
    assert list(boss.get(f"/log?patient={world['patient']}").context["rows"]) == []
    assert "stranger" not in {row.actor for row in cast["administrator"].get("/log").context["rows"]}
    assert [row.pk for row in boss.get("/staff").context["rows"]] == [
        p.pk for p in (Staff.objects.get(name="Dr Stranger"), Staff.objects.get(name="Far Boss"))
    ]


def test_the_search_finds_nobody_of_another_site(cast, world):
    page = cast["stranger"].get("/patients", {"search": "Robin"}).content.decode()
    assert "Robin Example" not in page
    assert "Robin Example" in cast["desk"].get("/patients", {"search": "robin"}).content.decode()


def test_the_front_desk_sees_bookings_but_no_chart(cast, world):
    page = cast["desk"].get(f"/patients/{world['patient']}").content.decode()
    assert "Chair 1" in page
    for word in ("sertraline", "Eligibility", "ketamine", "Weight"):
        assert word not in page


def test_every_answer_has_the_strict_policy_and_is_not_stored(cast, world):
    addresses = [a.format(**world) for a in TABLE] + [example(route) for route in (*OPEN, *OWN, *CLOSED)]
    for path in (*addresses, "/nothing-here"):
        for name in ("nurse", "nobody"):
            for answer in (cast[name].get(path), cast[name].post(path, {})):
                said = answer.headers
                assert said["Content-Security-Policy"].startswith("default-src 'self'"), path
                assert "unsafe" not in said["Content-Security-Policy"]
                assert said["Cache-Control"].startswith(("no-store", "max-age=0")), path
                assert said["X-Frame-Options"] == "DENY", path
                assert said["X-Content-Type-Options"] == "nosniff", path
                assert said["Referrer-Policy"] == "same-origin", path
                assert said["Cross-Origin-Opener-Policy"] == "same-origin", path


def test_a_request_for_another_host_is_refused(cast):
    for host in ("evil.example", "testserver.evil.example", "testserver:80@evil.example"):
        answer = cast["nurse"].get("/board", headers={"host": host})
        assert answer.status_code == 400
        assert host not in answer.content.decode()
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    link = cast["administrator"].post(
        f"/staff/{cast.staff['nurse'].pk}/invite", headers={"x-forwarded-host": "evil.example"}
    )
    assert "http://testserver/enter/" in link.content.decode()
    assert "evil" not in link.content.decode()


def test_cookies_are_for_this_site_alone_and_the_sessions_for_no_script(cast):
    answer = Client().get("/accounts/login/")
    assert answer.cookies["csrftoken"]["samesite"] == "Lax"
    token = staff_actions.new_link(cast.staff["nurse"].user, cast.now())
    cookie = Client().get(f"/enter/{token}").cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_a_body_too_big_too_deep_or_with_a_file_writes_nothing(cast, running):
    path = f"/sessions/{running.key}/entries"
    before = Entry.objects.count()
    big = cast["nurse"].post(path, {"kind": "note", "key": cast.key(), "text": "x" * 1_100_000})
    assert big.status_code in (400, 413)
    wide = cast["nurse"].post(path, {f"f{n}": "1" for n in range(1100)})
    assert wide.status_code in (400, 413)
    deep = cast["nurse"].post(path, "[" * 100_000, content_type="application/json", headers=JSON)
    assert (deep.status_code, deep.json()["code"]) == (422, "ENTRY-JSON")
    file = io.BytesIO(b"<script>alert(1)</script>")
    file.name = "../../evil.html"
    sent = cast["nurse"].post(path, {"kind": "note", "key": cast.key(), "text": file}, headers=JSON)
    assert (sent.status_code, sent.json()["code"]) == (422, "ENTRY-MISSING")
    assert Entry.objects.count() == before


NASTY = ("²", "a\x00b", "-1", "9" * 40, "1e309", "nan", "2026-02-30", "<script>alert(1)</script>", "é" * 3000)


def junk(names: Iterable[str], turn: int) -> dict[str, str]:
    """Every field filled with something that is not meant for it, another thing in each turn."""
    return {name: NASTY[(place + turn) % len(NASTY)] for place, name in enumerate(sorted(names))}


@pytest.mark.parametrize("name", ["doctor", "administrator"])
def test_junk_in_every_field_of_every_form_is_refused_and_never_a_fault(cast, world, name):
    source = "".join(p.read_text() for p in Path(regrow.clinic.__file__).parent.rglob("*.py"))
    fields = set(re.findall(r'(?:POST|GET|form)\.get(?:list)?\("(\w+)"', source)) | {
        "name",
        "born",
        "mg",
        "weeks",
        "role",
    }
    for address, (look, write) in TABLE.items():
        path = address.format(**world)
        for turn in range(3):
            if name in write:
                answer = cast[name].post(path, junk(fields, turn))
                assert answer.status_code < 500, (path, turn)
                assert "<script>alert(1)" not in answer.content.decode(), path
            if name in look:
                assert cast[name].get(path, junk(fields, turn)).status_code < 500, (path, turn)


def test_junk_in_every_field_of_every_entry_is_refused_by_code_and_field(cast, running):
    from regrow.clinic.actions.payloads import _FIELDS, RANGES

    fields = {**_FIELDS, "vitals": (*RANGES, "symptoms"), "correct": ("of", "payload", "reason")}
    for kind, known in fields.items():
        for turn in range(len(NASTY)):
            sent = {"kind": kind, "key": cast.key(), "payload": junk(known, turn), "expect": cast.version(running)}
            answer = cast["doctor"].post(
                f"/sessions/{running.key}/entries", sent, content_type="application/json", headers=JSON
            )
            said = answer.json()
            if answer.status_code != 201:  # free text may hold nearly anything
                assert answer.status_code in (409, 422), (kind, turn, said)
                assert re.fullmatch(r"[A-Z][A-Z0-9-]+", said["code"]), said
                assert said["sentence"].endswith("."), said
                assert said["field"], said
    assert not any("\\u0000" in json.dumps(row.payload) for row in Entry.objects.all())
    assert chain.verify().faults == ()


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


def forged(*_):
    raise InvalidSignature


@pytest.mark.parametrize("sent", ["", "x", "[]", "{}", '{"id": 3}', '{"rawId": 3, "response": 4}'])
def test_a_mangled_passkey_unlocks_nothing_and_counts_as_a_wrong_try(cast, sent):
    for _ in range(5):
        assert cast["reader"].post("/unlock", {"credential": sent}).status_code == 422
    assert cast["reader"].post("/unlock", {"secret": PIN}).status_code == 429


def test_a_passkey_with_a_forged_signature_unlocks_nothing(cast, monkeypatch):
    monkeypatch.setattr(webauthn, "parse_authentication_response", lambda _: None)
    monkeypatch.setattr(webauthn, "complete_authentication", forged)
    assert cast["reader"].post("/unlock", {"credential": '{"id": "a"}'}).status_code == 422


def test_at_a_bare_number_a_passkey_is_told_to_be_impossible_before_it_is_tried(cast, settings):
    settings.ALLOWED_HOSTS = ["192.168.7.5", "localhost"]
    for path in ("/pin", "/accounts/2fa/"):
        at_a_number = cast["nurse"].get(path, headers={"host": "192.168.7.5:8000"}).content.decode()
        assert "opened at a number (192.168.7.5)" in at_a_number
        assert "No passkey here" not in cast["nurse"].get(path, headers={"host": "localhost:8000"}).content.decode()


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


def test_a_new_colleague_comes_in_by_a_link_sets_a_password_and_a_second_factor_and_signs_in_with_both(cast, settings):
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    settings.CLINIC = replace(settings.CLINIC, require_mfa=True)
    token = staff_actions.new_link(cast.staff["nurse"].user, cast.now())
    client = Client()
    assert client.get(f"/enter/{token}").status_code == 302
    assert client.get("/board").headers["Location"] == "/accounts/2fa/totp/activate/"
    word = "right horse battery"
    answer = client.post("/accounts/password/set/", {"password1": word, "password2": word})
    assert answer.status_code == 302, answer.content
    client.post("/accounts/login/", {"login": "nurse", "password": word})
    page = client.get("/accounts/2fa/totp/activate/", follow=True)
    if "totp_svg" not in page.context:  # the password is asked once more
        page = client.post(
            page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], {"password": word}, follow=True
        )
    secret = page.context["form"].secret

    def code() -> str:
        return format_hotp_value(hotp_value(secret, int(cast.now().timestamp()) // 30))

    answer = client.post("/accounts/2fa/totp/activate/", {"code": code()})
    assert answer.status_code == 302, answer.content
    assert client.get("/board").status_code == 200
    cast.wait(2)
    again = Client()
    answer = again.post("/accounts/login/", {"login": "nurse", "password": word})
    assert answer.headers["Location"].startswith("/accounts/2fa/authenticate/")
    assert again.get("/board").status_code == 302
    assert again.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    before = again.session.session_key
    assert again.post("/accounts/2fa/authenticate/", {"code": code()}).status_code == 302
    assert again.session.session_key != before
    assert again.get("/board").status_code == 200


def test_every_change_of_a_record_has_its_migration(db):
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_nobody_can_sign_up(cast):
    sent = {"username": "me", "password1": "long enough 1", "password2": "long enough 1"}
    assert cast["nobody"].post("/accounts/signup/", sent).status_code == 404
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


@pytest.mark.both_databases
def test_reads_and_writes_of_a_patient_stand_in_a_whole_chain(cast, world):
    cast["reader"].get(f"/patients/{world['patient']}")
    rows = cast["administrator"].get(f"/log?patient={world['patient']}").context["rows"]
    assert ("reader", "read patient") in {(r.actor, r.action) for r in rows}
    assert ("doctor", "sign course") in {(r.actor, r.action) for r in rows}
    assert chain.verify().faults == ()


@pytest.mark.both_databases
def test_the_database_itself_refuses_to_change_what_is_written_once(cast, running):
    row = Entry.objects.filter(session=running).first()
    for change in (lambda: Entry.objects.filter(pk=row.pk).update(kind="note"), lambda: row.delete()):
        with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
            change()


@pytest.mark.both_databases
def test_a_changed_a_missing_and_a_cut_row_are_found_by_the_check(cast, running):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")  # what only its superuser may do
        else:
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
