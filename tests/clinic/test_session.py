"""A session through HTTP, from the gate to the sign-off, by a jumped clock."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from conftest import CALM, GATE, LEAVE, PIN, begin, new_course, new_lot, new_patient, to_the_gate
from django.utils import timezone

from regrow.catalog import protocols
from regrow.clinic import access, chain, facts, rems
from regrow.clinic.models import Entry, Session
from regrow.clinic.states import Reading, State
from regrow.safety import CONDITIONS, Vitals


def state(cast, session):
    session = Session.objects.get(pk=session.pk)
    held = access.facts_of([session])[session.pk]
    return facts.state_of(session, held, cast.now(), access.settings_now())


def rules(cast, session):
    return {f.rule: f.severity.name for f in state(cast, session).alarms}


def register(cast, session, lot, mg):
    for kind, amount, witness in (
        ("drawn", mg + 10, ""),
        ("given", mg, ""),
        ("wasted", 10, cast.staff["colleague"].pk),
    ):
        sent = {
            "lot": lot.key,
            "key": cast.key(),
            "kind": kind,
            "mg": round(amount, 3),
            "witness": witness,
            "witness_pin": PIN if witness else "",
        }
        answer = cast["nurse"].post(f"/sessions/{session.key}/register", sent)
        assert answer.status_code == 302, answer.context["problem"]


def to_the_door(cast, session):
    s = state(cast, session)
    if s.order.route == "iv":
        cast.entry("nurse", session, "line", what="removed")
    cast.entry("nurse", session, "check", **LEAVE)
    cast.entry("nurse", session, "vitals", **CALM)


def run_to_the_end(cast, session, lot):
    """Rounds when they are due, a stop at the planned end, discharge as soon as the rules allow, sign-off."""
    mg = begin(cast, session)
    for _ in range(100):
        s = state(cast, session)
        if s.phase == "recovery":
            observed = s.ended if s.order.watch.from_end else s.started
            leave_at = observed + timedelta(minutes=s.order.watch.observe)
            if cast.now() >= leave_at:
                break
            cast.go_to(min(s.due, leave_at))
        elif s.planned_end is not None and s.planned_end <= s.due:
            cast.go_to(s.planned_end)
            cast.entry("nurse", session, "stop", reason="end of the dose")
            continue
        elif s.planned_end is None:
            cast.wait(5)
            cast.entry("nurse", session, "dose")
            continue
        else:
            cast.go_to(s.due)
        cast.entry("nurse", session, "vitals", **CALM)
    to_the_door(cast, session)
    assert state(cast, session).given_mg == pytest.approx(mg, rel=1e-6)
    cast.entry("nurse", session, "discharge")
    register(cast, session, lot, mg)
    cast.entry("nurse", session, "sign")
    s = state(cast, session)
    assert s.phase == "signed"
    assert all(r.status == "done" for r in s.rounds)
    return s


@pytest.mark.both_databases
def test_an_infusion_runs_from_the_gate_to_the_sign_off_and_every_round_ends_done(cast):
    course = new_course(cast, new_patient(cast))
    session = course.sessions.get(number=1)
    lot = new_lot(cast)
    cast.go_to(session.planned_at)
    s = run_to_the_end(cast, session, lot)
    assert (s.order.mg, s.order.duration_min) == (40, 40)
    assert access.balance(lot) == 100000 - 50
    assert chain.verify().faults == ()


@pytest.mark.parametrize("protocol", protocols.ids())
def test_every_protocol_of_the_catalog_is_walked_to_its_end(cast, protocol):
    patient = new_patient(cast, indication="pain" if protocol.startswith("crps") else "depression")
    drug = "esketamine" if protocol.startswith("esketamine") else "ketamine"
    lot = new_lot(cast, drug)
    days = {"days": "0,3,7"} if not protocols.get(protocol).days else {}
    if drug == "esketamine" and "eu" in protocol:
        sent = {"name": "eu_label", "value": 1, "reason": "EU label holds here"}
        assert cast["administrator"].post("/settings", sent).status_code == 302
        patient.born = date(1958, 1, 1)
        patient.save()
        sent = {"kind": "ecg", "taken_at": "2026-11-23T08:30"}
        cast["nurse"].post(f"/patients/{patient.key}/chart/measure", sent)
        decide_all(cast, patient)
    course = new_course(cast, patient, protocol, **days)
    assert course.sessions.count() == len(course.days)
    for session in course.sessions.order_by("number"):
        cast.go_to(session.planned_at)
        stamp = cast.now().strftime("%Y-%m-%dT%H:%M")
        for kind, value in (("weight", 80), ("urine", "")):
            cast["nurse"].post(
                f"/patients/{patient.key}/chart/measure", {"kind": kind, "value": value, "taken_at": stamp}
            )
        run_to_the_end(cast, session, lot)
    assert course.sessions.filter(closed_at=None).count() == 0
    assert chain.verify().faults == ()


def test_an_injection_is_walked_to_its_end_with_its_own_watch(cast):
    patient = new_patient(cast)
    course = new_course(cast, patient, "standard-2x3", route="im", dose="0.5 mg/kg")
    assert (course.route, course.duration_min) == ("im", 0)
    session = course.sessions.get(number=1)
    cast.go_to(session.planned_at)
    s = run_to_the_end(cast, session, new_lot(cast))
    assert s.order.mg == 40
    assert s.discharged - s.started >= timedelta(minutes=90)
    dues = [round((r.due - s.started).total_seconds() / 60) for r in s.rounds[:7]]
    assert dues == [5, 10, 20, 30, 40, 50, 60]


def test_an_injection_may_be_given_in_parts_and_never_above_the_order(cast):
    course = new_course(cast, new_patient(cast), "standard-2x3", route="im", dose="0.5 mg/kg")
    session = course.sessions.get(number=1)
    cast.go_to(session.planned_at)
    to_the_gate(cast, session)
    cast.entry("nurse", session, "start", read_back_mg=40, first_mg=25, site="left deltoid")
    assert state(cast, session).phase == "running"
    cast.wait(10)
    assert cast.entry("nurse", session, "dose", 422, mg=16)["code"] == "DOSE-ABOVE"
    cast.entry("nurse", session, "dose", mg=15)
    s = state(cast, session)
    assert (s.phase, s.given_mg) == ("recovery", 40)


@pytest.fixture
def spray(cast):
    """A first session of 56 mg of nasal esketamine, its first device given."""
    course = new_course(cast, new_patient(cast), "esketamine-us")
    session = course.sessions.get(number=1)
    cast.go_to(session.planned_at)
    begin(cast, session)
    return session


def test_five_minutes_lie_between_two_sprays(cast, spray):
    assert state(cast, spray).given_mg == 28
    cast.wait(4.5)
    assert cast.entry("nurse", spray, "dose", 422)["code"] == "DEVICE-GAP"
    cast.wait(0.5)
    cast.entry("nurse", spray, "dose")
    s = state(cast, spray)
    assert (s.phase, s.given_mg) == ("recovery", 56)
    assert cast.entry("nurse", spray, "dose", 422)["code"] == "PHASE"


def test_the_two_hours_run_from_the_first_spray_and_the_pressure_at_forty_minutes_is_asked_for(cast, spray):
    cast.wait(5)
    cast.entry("nurse", spray, "dose")
    for minutes in (10, 31, 14, 15, 15, 15, 14):  # the reading at 40 min is missing
        cast.wait(minutes)
        cast.entry("nurse", spray, "vitals", **CALM, late_reason="asleep, watched")
    cast.entry("nurse", spray, "check", **LEAVE)
    assert cast.entry("nurse", spray, "discharge", 422)["code"] == "R-DC-01"
    cast.wait(1)
    assert cast.entry("nurse", spray, "discharge", 422)["code"] == "R-DC-14"
    cast.entry("doctor", spray, "decision", rule="R-DC-14", reason="asleep and calm, taken at 46 min")
    cast.entry("nurse", spray, "discharge")


def test_the_monitoring_form_is_filled_from_the_record_and_due_in_seven_days(cast, spray):
    cast.wait(5)
    cast.entry("nurse", spray, "dose")
    for minutes, felt in ((10, 4), (15, 6), (10, 3), (15, 2), (15, 0), (15, 0), (15, 0), (15, 0), (5, 0)):
        cast.wait(minutes)
        cast.entry("nurse", spray, "vitals", **{**CALM, "dissociation": felt, "sbp": 122 + felt})
    cast.entry("nurse", spray, "check", **LEAVE)
    cast.entry("nurse", spray, "discharge")
    page = cast["nurse"].get(f"/sessions/{spray.key}")
    told = {field.name: value for field, value in page.context["rems_rows"]}
    assert told["dose_mg"] == "56"
    assert told["first_treatment"] == "yes"
    assert (told["bp_before"], told["bp_40"], told["bp_end"]) == ("122/78", "125/78", "122/78")
    assert (told["dissociation"], told["dissociation_times"], told["sedation"]) == ("yes", "15 to 70", "no")
    assert told["total_minutes"] == "120"
    started = state(cast, spray).started
    assert page.context["rems_until"] == started + timedelta(days=7)
    assert "not yet sent" in cast["nurse"].get("/board").content.decode()
    said = cast.entry("nurse", spray, "rems", 422, r_dose_mg="56", sent="yes")
    assert said["code"] == "REMS-MISSING"
    cast.entry("nurse", spray, "rems", **{f"r_{name}": value for name, value in told.items()}, sent="yes")
    assert cast.entry("nurse", spray, "rems", 422, r_colour="red")["code"] == "ENTRY-FIELD"
    assert state(cast, spray).rems["form_version"] == "2026-06"
    assert "not yet sent" not in cast["nurse"].get("/board").content.decode()


def test_a_series_is_booked_whole_or_not_at_all_and_each_clash_is_shown(cast):
    from regrow.clinic.models import Chair

    first = new_course(cast, new_patient(cast))
    Chair.objects.filter(site=cast.site).exclude(pk=first.sessions.first().chair_id).delete()
    patient = new_patient(cast, "Sam Second")
    start = first.sessions.first().planned_at
    with pytest.raises(AssertionError):
        new_course(cast, patient)  # at the same hour of the same days: the one chair is taken
    course = patient.courses.get()
    assert course.sessions.count() == 0
    page = cast["desk"].get(f"/courses/{course.key}/book?start={start:%Y-%m-%dT%H:%M}")
    assert page.context["clashes"] == 6
    later = [s.planned_at + timedelta(hours=4) for s in first.sessions.all()]
    sent = {f"at_{n}": f"{at:%Y-%m-%dT%H:%M}" for n, at in enumerate(later, start=1)}
    sent["at_6"] = f"{first.sessions.last().planned_at:%Y-%m-%dT%H:%M}"
    answer = cast["desk"].post(f"/courses/{course.key}/book", {"start": f"{start:%Y-%m-%dT%H:%M}", **sent})
    assert (answer.status_code, answer.context["clashes"], course.sessions.count()) == (422, 1, 0)
    sent["at_6"] = f"{first.sessions.last().planned_at + timedelta(hours=4):%Y-%m-%dT%H:%M}"
    assert cast["desk"].post(f"/courses/{course.key}/book", sent).status_code == 302
    assert course.sessions.count() == 6


def test_an_alarm_that_someone_has_seen_is_silent_for_five_minutes_unless_it_grows_louder(cast, running):
    cast.entry("nurse", running, "vitals", **{**CALM, "spo2": 93})
    s = state(cast, running)
    assert (s.severity.name, s.loud.name) == ("AMBER", "AMBER")
    cast.entry("nurse", running, "ack", rule="R-OX-11", reason="seen, checking now")
    s = state(cast, running)
    assert (s.severity.name, s.loud) == ("AMBER", None)
    cast.wait(4.9)
    assert state(cast, running).loud is None
    cast.wait(0.1)
    assert state(cast, running).loud.name == "AMBER"
    cast.entry("nurse", running, "ack", rule="R-OX-11", reason="seen, checking now")
    cast.entry("nurse", running, "vitals", **{**CALM, "spo2": 91})
    assert state(cast, running).loud.name == "RED"


def decide_all(cast, patient):
    from regrow.safety import Settings

    evaluation = facts.signed_evaluation(patient)
    for f in facts.judged(patient, evaluation, cast.now(), Settings()).findings:
        if f.needs_signature:
            sent = {"rule": f.rule, "subject": facts.subject_of(f), "reason": "weighed and accepted"}
            assert cast["doctor"].post(f"/patients/{patient.key}/decide", sent).status_code == 302


@pytest.fixture
def booked(cast):
    course = new_course(cast, new_patient(cast))
    session = course.sessions.get(number=1)
    cast.go_to(session.planned_at)
    return session


def test_no_start_without_a_prescriber_on_duty(cast, booked):
    to_the_gate(cast, booked)
    cast["doctor"].post("/duty", {"site": cast.site.pk, "on": "no"})
    assert cast.entry("nurse", booked, "start", 422, read_back_mg=40)["code"] == "R-MD-01"


def test_no_start_with_an_unanswered_gate(cast, booked):
    cast["doctor"].post("/duty", {"site": cast.site.pk, "on": "yes"})
    cast.entry("nurse", booked, "arrive")
    cast.entry("nurse", booked, "nurse")
    cast.entry("nurse", booked, "vitals", **CALM)
    assert cast.entry("nurse", booked, "start", 422, read_back_mg=40)["code"].startswith("R-GA-")


def test_high_pressure_holds_the_start_until_a_prescriber_decides(cast, booked):
    to_the_gate(cast, booked)
    cast.entry("nurse", booked, "vitals", **{**CALM, "sbp": 165})
    assert cast.entry("nurse", booked, "start", 422, read_back_mg=40)["code"] == "R-BP-01"
    cast.entry("nurse", booked, "decision", 403, rule="R-BP-01", reason="I think so")
    cast.entry("doctor", booked, "decision", rule="R-BP-01", reason="known, asymptomatic")
    cast.entry("nurse", booked, "start", read_back_mg=40)


def test_what_nobody_may_override_is_refused_to_a_prescriber_too(cast, booked):
    cast.entry("nurse", booked, "arrive")
    said = cast.entry("doctor", booked, "decision", 422, rule="R-GA-03", reason="no escort needed")
    assert said["code"] == "R-GA-03"


def test_a_wrong_read_back_does_not_start(cast, booked):
    to_the_gate(cast, booked)
    assert cast.entry("nurse", booked, "start", 422, read_back_mg=400)["code"] == "READ-BACK"


def test_a_new_suicidal_thought_holds_the_start(cast, booked):
    to_the_gate(cast, booked)
    cast.entry("nurse", booked, "gate", **{**GATE, "new_suicidal_ideation": "yes"})
    assert cast.entry("nurse", booked, "start", 422, read_back_mg=40)["code"] == "R-GA-07"


def test_a_new_suicidal_thought_calls_from_every_board_until_a_prescriber_has_decided(cast, booked):
    to_the_gate(cast, booked)
    assert "R-SU-11" not in rules(cast, booked)
    cast.entry("nurse", booked, "gate", **{**GATE, "new_suicidal_ideation": "yes"})
    assert rules(cast, booked)["R-SU-11"] == "RED"
    assert "new suicidal thoughts: stay" in cast["doctor"].get("/board").content.decode()
    cast.entry("doctor", booked, "decision", rule="R-GA-07", reason="spoken with, goes on today")
    assert "R-SU-11" not in rules(cast, booked)
    cast.entry("nurse", booked, "start", read_back_mg=40)
    cast.wait(40)
    cast.entry("nurse", booked, "stop", reason="end of the dose")
    cast.entry("nurse", booked, "check", **{**LEAVE, "new_suicidal_ideation": "yes"})
    assert rules(cast, booked)["R-SU-11"] == "RED"
    cast.entry("doctor", booked, "decision", rule="R-DC-08", reason="safety plan made, goes home with Ann")
    assert "R-SU-11" not in rules(cast, booked)


def test_a_start_made_offline_is_refused(cast, booked):
    to_the_gate(cast, booked)
    made = (cast.now() - timedelta(minutes=5)).timestamp() * 1000
    body = {
        "kind": "start",
        "key": cast.key(),
        "expect": cast.version(booked),
        "payload": {"read_back_mg": 40},
        "made_at": made,
        "sent_at": cast.now().timestamp() * 1000,
    }
    answer = cast["nurse"].post(
        f"/sessions/{booked.key}/entries", body, content_type="application/json", headers={"accept": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "START-OFFLINE")


def test_vitals_are_due_at_ten_minutes_late_at_fifteen_and_escalate_at_twenty(cast, running):
    cast.wait(9.9)
    assert "R-VT-01" not in rules(cast, running)
    cast.wait(0.1)
    assert rules(cast, running)["R-VT-01"] == "AMBER"
    cast.wait(4.9)
    assert "R-VT-02" not in rules(cast, running)
    cast.wait(0.1)
    assert rules(cast, running)["R-VT-02"] == "RED"
    cast.wait(5)
    assert "prescriber" in next(f.sentence for f in state(cast, running).alarms if f.rule == "R-VT-02")
    cast.entry("nurse", running, "vitals", **CALM)
    assert [r.status for r in state(cast, running).rounds] == ["late", "open"]


def test_a_reason_for_a_late_round_may_be_written_beside_it_afterwards(cast, running):
    cast.wait(35)
    late = cast.entry("nurse", running, "vitals", **CALM)
    page = cast["nurse"].get(f"/sessions/{running.key}").content.decode()
    assert 'value="late_reason"' in page
    sent = {"kind": "correct", "key": cast.key(), "of": late["id"], "field": "late_reason", "value": "cuff broken"}
    sent |= {"reason": "no reason was given"}
    assert cast["nurse"].post(f"/sessions/{running.key}/entries", sent).status_code == 302
    first = state(cast, running).rounds[0]
    assert (first.status, first.reason, first.by) == ("late", "cuff broken", "Nurse Diaz")
    page = cast["nurse"].get(f"/sessions/{running.key}").content.decode()
    assert 'value="late_reason"' not in page


def test_two_nurses_who_take_one_round_keep_both_and_the_second_is_told(cast, running):
    cast.wait(10)
    cast.entry("nurse", running, "vitals", **{**CALM, "sbp": 165})
    cast.wait(1)
    sent = {**{k: str(v) for k, v in CALM.items()}, "kind": "vitals", "key": cast.key(), "view": "panel"}
    page = cast["colleague"].post(f"/sessions/{running.key}/entries", sent, headers={"HX-Request": "true"})
    assert "Nurse Diaz kept this round too, at" in page.content.decode()
    s = state(cast, running)
    assert [(r.status, r.by) for r in s.rounds[:2]] == [("done", "Nurse Diaz"), ("again", "Nurse Kim")]
    assert [r.vitals.sbp for r in s.readings[-2:]] == [165, 122]
    assert (s.due - s.started).total_seconds() == 16 * 60  # the higher of the two is rechecked in five minutes


def test_a_ticked_step_that_holds_the_drug_says_so_until_the_record_holds_it_too(cast, running):
    cast.wait(5)
    cast.entry("nurse", running, "step", card="severe hypertension", step="pause the drug")
    words = "the record has the drug running on"
    assert words in cast["colleague"].get("/board").content.decode()
    cast.entry("nurse", running, "pause", reason="pressure")
    assert words not in cast["colleague"].get("/board").content.decode()
    cast.entry("nurse", running, "resume")
    assert words not in cast["colleague"].get("/board").content.decode()


def test_a_missed_round_ends_with_its_reason(cast, running):
    cast.wait(11)
    cast.entry("nurse", running, "miss", 422, reason="")
    cast.entry("nurse", running, "miss", reason="vomiting, cuff off")
    first = state(cast, running).rounds[0]
    assert (first.status, first.reason) == ("missed", "vomiting, cuff off")


def test_a_pause_stops_the_count_of_milligrams_and_moves_the_end(cast, running):
    cast.wait(10)
    cast.entry("nurse", running, "pause", reason="dizzy")
    cast.wait(5)
    s = state(cast, running)
    assert s.given_mg == pytest.approx(10)
    assert s.planned_end is None
    cast.entry("nurse", running, "resume")
    s = state(cast, running)
    assert s.planned_end - s.started == timedelta(minutes=45)
    cast.wait(10)
    cast.entry("nurse", running, "rate", mg_per_h=30, reason="slower")
    cast.wait(10)
    assert state(cast, running).given_mg == pytest.approx(25)
    cast.entry("nurse", running, "stop", reason="enough")
    s = state(cast, running)
    assert (s.phase, s.given_mg) == ("recovery", pytest.approx(25))
    assert len(s.segments) == 3


def test_a_faster_rate_than_ordered_is_a_prescribers(cast, running):
    cast.wait(5)
    assert cast.entry("nurse", running, "rate", 422, mg_per_h=70, reason="hurry")["code"] == "RATE-ABOVE"
    cast.entry("doctor", running, "rate", mg_per_h=70, reason="hurry")
    assert cast.entry("doctor", running, "rate", 422, mg_per_h=121, reason="hurry")["code"] == "RATE-RANGE"


@pytest.mark.both_databases
def test_a_stop_wins_over_a_pause_sent_with_the_same_view(cast, running):
    seen = cast.version(running)
    cast.wait(5)
    cast.entry("nurse", running, "pause", reason="dizzy", expect=seen)
    cast.entry("colleague", running, "stop", reason="stopped", expect=seen)
    said = cast.entry("nurse", running, "resume", 409, expect=seen)
    assert said["code"] == "CHANGED-MEANWHILE"
    assert state(cast, running).phase == "recovery"


@pytest.mark.both_databases
def test_a_double_tap_is_one_entry_and_a_key_with_other_content_is_a_conflict(cast, running):
    key = cast.key()
    cast.entry("nurse", running, "chip", key=key, what="nausea")
    assert cast.entry("nurse", running, "chip", 200, key=key, what="nausea")["repeated"]
    assert cast.entry("nurse", running, "chip", 409, key=key, what="sleepy")["code"] == "KEY-REUSED"
    assert Entry.objects.filter(kind="chip").count() == 1


@pytest.mark.both_databases
def test_an_entry_made_offline_keeps_its_true_time_whatever_the_devices_clock_says(cast, running):
    cast.wait(20)
    ahead = timedelta(minutes=7)
    made = cast.now() - timedelta(minutes=11) + ahead
    body = {
        "kind": "vitals",
        "key": cast.key(),
        "payload": CALM,
        "made_at": made.timestamp() * 1000,
        "sent_at": (cast.now() + ahead).timestamp() * 1000,
    }
    answer = cast["nurse"].post(
        f"/sessions/{running.key}/entries",
        body,
        content_type="application/json",
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 201
    row = Entry.objects.get(pk=answer.json()["id"])
    assert abs((row.measured_at - (cast.now() - timedelta(minutes=11))).total_seconds()) < 1
    assert row.payload["clock_off_s"] == 420
    assert row.made_at == datetime.fromtimestamp(made.timestamp(), tz=UTC)
    assert state(cast, running).rounds[0].status == "done"


def sent_late(cast, session, who, minutes, **more):
    """Posts an entry made so many minutes ago by a clock that is right; `more` goes beside the payload."""
    now = cast.now().timestamp() * 1000
    body = {"key": cast.key(), "payload": CALM, "made_at": now - minutes * 60000, "sent_at": now, "kind": "vitals"}
    return cast[who].post(
        f"/sessions/{session.key}/entries",
        {**body, **more},
        content_type="application/json",
        headers={"accept": "application/json"},
    )


def test_a_device_whose_clock_was_set_between_making_and_sending_still_tells_the_true_time(cast, running):
    cast.wait(20)
    now = cast.now()
    ahead = {"made_at": (now + timedelta(minutes=7 - 11)).timestamp() * 1000, "ahead_ms": 7 * 60000}
    answer = sent_late(cast, running, "nurse", 0, **ahead)  # seven minutes ahead then, right now
    row = Entry.objects.get(pk=answer.json()["id"])
    assert abs((row.measured_at - (now - timedelta(minutes=11))).total_seconds()) < 1
    jumped = {"made_at": now.timestamp() * 1000 + 120000, "sent_at": now.timestamp() * 1000 + 125000, "ahead_ms": 0}
    answer = sent_late(cast, running, "nurse", 0, **jumped)  # right then, two minutes ahead now
    row = Entry.objects.get(pk=answer.json()["id"])
    assert abs((row.measured_at - (now - timedelta(seconds=5))).total_seconds()) < 1
    assert row.payload["clock_off_s"] == 125


def test_two_entries_of_one_tablet_keep_their_order_though_one_was_longer_under_way(cast, running):
    cast.wait(10)
    now = cast.now().timestamp() * 1000
    times = []
    for made, under_way in ((-60000, 300), (-59950, 50), (-50000, 50)):
        when = {"made_at": now + made, "sent_at": now - under_way}
        answer = sent_late(cast, running, "nurse", 0, kind="note", payload={"text": str(made)}, **when)
        times.append(Entry.objects.get(pk=answer.json()["id"]).measured_at)
    first, second, third = times
    assert first == second < third
    assert (third - first).total_seconds() == pytest.approx(9.75)


def test_what_was_seen_before_the_discharge_is_kept_though_it_arrives_after_it(cast, running):
    cast.wait(40)
    cast.entry("nurse", running, "vitals", **CALM, late_reason="cuff broken, watched without")
    cast.entry("nurse", running, "stop", reason="end")
    cast.wait(30)
    cast.entry("nurse", running, "vitals", **CALM, late_reason="cuff broken, watched without")
    to_the_door(cast, running)
    cast.entry("nurse", running, "discharge")
    cast.wait(5)
    assert sent_late(cast, running, "nurse", 45).status_code == 201
    assert sent_late(cast, running, "nurse", 1).json()["code"] == "PHASE"  # nobody sat there any more


def test_an_entry_of_one_nurse_is_not_sent_under_the_name_of_another(cast, running):
    answer = sent_late(cast, running, "colleague", 1, by=str(cast.staff["nurse"].pk))
    assert (answer.status_code, answer.json()["code"]) == (409, "OTHER-PERSON")
    assert "Regrow-Kept" not in answer.headers
    assert sent_late(cast, running, "nurse", 1, by=str(cast.staff["nurse"].pk)).status_code == 201


def test_the_answer_names_what_is_on_disk_and_what_was_refused_so_that_a_queue_may_let_it_go(cast, running):
    kept = sent_late(cast, running, "nurse", 0, key="k" * 24)
    assert kept.headers["Regrow-Kept"] == "k" * 24
    refused = sent_late(cast, running, "nurse", 0, payload={"sbp": 500})
    assert refused.headers["Regrow-Refused"] == "ENTRY-RANGE"
    assert sent_late(cast, running, "stranger", 0).headers["Regrow-Refused"] == "NOT-FOUND"
    assert sent_late(cast, running, "desk", 0).headers["Regrow-Refused"] == "FORBIDDEN"
    assert "Regrow-Kept" not in sent_late(cast, running, "nobody", 0).headers


def test_an_entry_that_says_when_it_was_made_but_not_when_it_was_sent_is_refused(cast, running):
    body = {"kind": "vitals", "key": cast.key(), "payload": CALM, "made_at": cast.now().timestamp() * 1000}
    headers, where = {"accept": "application/json"}, f"/sessions/{running.key}/entries"
    answer = cast["nurse"].post(where, body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "SENT-AT-MISSING")
    body["sent_at"] = body["made_at"]
    assert cast["nurse"].post(where, body, content_type="application/json", headers=headers).status_code == 201


def test_an_entry_from_the_future_or_of_yesterday_is_refused(cast, running):
    for minutes in (5, -25 * 60):
        made = (cast.now() + timedelta(minutes=minutes)).timestamp() * 1000
        body = {
            "kind": "vitals",
            "key": cast.key(),
            "payload": CALM,
            "made_at": made,
            "sent_at": cast.now().timestamp() * 1000,
        }
        answer = cast["nurse"].post(
            f"/sessions/{running.key}/entries",
            body,
            content_type="application/json",
            headers={"accept": "application/json"},
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "ENTRY-TIME")


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"sbp": 301}, "ENTRY-RANGE", "systolic pressure"),
        ({"sbp": "abc"}, "ENTRY-VALUE", "systolic pressure"),
        ({"spo2": 101}, "ENTRY-RANGE", "SpO2"),
        ({"sbp": 80, "dbp": 90}, "ENTRY-RANGE", "dbp"),
        ({"sbp": 230, "dbp": 100}, "IMPLAUSIBLE", "confirmed"),
        ({"hr": "nan"}, "ENTRY-RANGE", "heart rate"),
        ({"pulse": 70}, "ENTRY-FIELD", "pulse"),
        ({}, "VITALS-EMPTY", "sbp"),
    ],
)
def test_impossible_vitals_are_refused_with_their_field_and_unusual_ones_ask_back(cast, running, values, code, field):
    said = cast.entry("nurse", running, "vitals", 422, **values)
    assert (said["code"], said["field"]) == (code, field)
    if code == "IMPLAUSIBLE":
        cast.entry("nurse", running, "vitals", **values, confirmed="yes")


@pytest.mark.both_databases
def test_a_correction_is_a_new_entry_and_the_old_one_stays(cast, running):
    cast.wait(10)
    wrong = cast.entry("nurse", running, "vitals", **{**CALM, "sbp": 185})
    assert rules(cast, running)["R-BP-12"] == "AMBER"
    cast.entry("nurse", running, "correct", of=wrong["id"], reason="typing error", payload={"sbp": 125})
    assert state(cast, running).last.vitals.sbp == 125
    assert Entry.objects.get(pk=wrong["id"]).payload["sbp"] == 185
    start = Entry.objects.get(session=running, kind="start")
    assert (
        cast.entry("nurse", running, "strike", 422, of=start.pk, reason="did not happen")["code"] == "NOT-CORRECTABLE"
    )


def test_a_closed_session_says_who_was_there_then_and_takes_an_adverse_event_of_the_day_after(cast):
    course = new_course(cast, new_patient(cast))
    session, lot = course.sessions.get(number=1), new_lot(cast)
    cast.go_to(session.planned_at)
    run_to_the_end(cast, session, lot)
    cast["doctor"].post("/duty", {"site": cast.site.pk, "on": "no"})
    cast.wait(24 * 60)
    page = cast["nurse"].get(f"/sessions/{session.key}").content.decode()
    assert "nurse at the end: <strong>Nurse Diaz</strong> · prescriber at the start: Dr Lee" in page
    assert "1440" not in page  # the chart ends when the person left
    cast.entry("nurse", session, "event", what="headache since yesterday", severity="mild")
    assert state(cast, session).phase == "signed"
    assert cast.entry("nurse", session, "chip", 422, what="headache")["code"] == "PHASE"


def test_what_stands_on_the_evaluation_is_kept_before_it_is_signed_and_a_nurse_signs_nothing(cast):
    patient = new_patient(cast)
    sent = {"key": cast.key(), "indication": "depression", "summary": "As first written.", "suicide_risk": "low"}
    sent |= {"target_scale": "PHQ-9", "response_target": "half", "stop_rule": "six"}
    path = f"/patients/{patient.key}/evaluation"
    assert cast["nurse"].post(path, sent).status_code == 302
    assert cast["nurse"].post(path, {**sent, "sign": "yes"}).status_code == 403
    refused = cast["doctor"].post(path, {**sent, "sign": "yes"})
    assert (refused.status_code, refused.context["problem"].code) == (422, "EVALUATION-OPEN")
    sent |= {f"c_{code}": "no" for code in CONDITIONS}
    assert cast["doctor"].post(path, {**sent, "baseline_score": "28", "sign": "yes"}).status_code == 422  # PHQ-9: to 27
    assert cast["doctor"].post(path, {**sent, "summary": "As read over.", "sign": "yes"}).status_code == 302
    signed = facts.signed_evaluation(patient)
    assert (signed.summary, signed.signed_by.name) == ("As read over.", "Dr Lee")


def test_whoever_prepares_the_second_session_sees_how_the_first_one_went(cast, running):
    again = running.course.sessions.get(number=2)
    cast.wait(10)
    cast.entry("nurse", running, "vitals", **{**CALM, "sbp": 151, "dissociation": 6})
    cast.entry("nurse", running, "chip", what="nausea")
    cast.entry("nurse", running, "stop", reason="distress", given_mg=9.5)
    page = cast["nurse"].get(f"/sessions/{again.key}").content.decode()
    words = "9.5 of 40 mg (distress). Highest BP 151/78 mmHg. Dissociation up to 6 of 10. Told or seen: nausea."
    assert words in page
    assert "Last time" not in cast["nurse"].get(f"/sessions/{running.key}").content.decode()


def test_the_sheets_say_what_was_given_and_who_took_the_person_home(cast, running):
    cast.wait(10)
    cast.entry("nurse", running, "stop", reason="the person asks", given_mg=9.5)
    cast.entry("nurse", running, "check", **LEAVE, escort_name="Bo Brother")
    home = cast["nurse"].get(f"/sessions/{running.key}/leaving").content.decode()
    assert "You had 9.5 mg of ketamine (40 mg were ordered) from" in home
    assert ("Bo Brother" in home, "Ann Friend" in home) == (True, False)
    sheet = cast["nurse"].get(f"/sessions/{running.key}/sheet").content.decode()
    assert "(the person asks). Given 9.5 mg of 40 mg." in sheet


@pytest.mark.parametrize(("rr", "spo2", "said"), [(0, 97, "yes"), (8, 90, "no"), (7, 97, "yes"), (None, 89, "yes")])
def test_the_monitoring_form_counts_no_breath_as_respiratory_depression_and_dates_by_the_clinics_clock(rr, spo2, said):
    begun = datetime(2026, 11, 24, 2, tzinfo=UTC)
    reading = Reading(1, begun + timedelta(minutes=20), "N", Vitals(20, rr=rr, spo2=spo2))
    person = SimpleNamespace(name="Robin", born=date(1980, 5, 5), sex="female", rems_enrolled=None)
    s = State(started=begun, readings=(reading,))
    with timezone.override("America/Chicago"):
        form = rems.known(s, patient=person, site="Main", first=True, medicines=(), prescriber="Dr Lee", lots=())
    assert (form["respiratory_depression"], form["date"]) == (said, "2026-11-23")


def test_a_step_of_an_emergency_shows_when_it_was_done(cast, running):
    page = cast["nurse"].get(f"/sessions/{running.key}").content.decode()
    assert "✓" not in page
    cast.entry("nurse", running, "step", card="seizure", step="airway")
    page = cast["nurse"].get(f"/sessions/{running.key}").content.decode()
    assert page.count("✓") == 1
    assert "seizure: airway (Nurse Diaz)" in page


def test_a_tap_on_the_wrong_button_is_taken_back_by_one_tap_and_the_record_keeps_both(cast, running):
    def page() -> str:
        return cast["nurse"].get(f"/sessions/{running.key}").content.decode()

    wrong = cast.entry("nurse", running, "chip", what="vomiting")
    assert (">That was wrong</button>" in page(), "chip: vomiting" in page()) == (True, True)
    board = cast["nurse"].get("/board").content.decode()
    assert ">That was wrong</button>" in board
    assert ">That was wrong</button>" not in cast["colleague"].get("/board").content.decode()
    cast.entry("nurse", running, "strike", of=wrong["id"], reason="that was wrong")
    assert state(cast, running).chips == ()
    assert (">That was wrong</button>" in page(), "Taken back" in page()) == (
        False,
        True,
    )  # a second tap meets no button
    assert Entry.objects.filter(pk=wrong["id"]).exists()
    assert chain.verify().faults == ()


def test_a_stop_tapped_by_mistake_is_taken_back_while_the_person_sits_there_and_not_after(cast, running):
    cast.wait(10)
    stop = cast.entry("nurse", running, "stop", reason="end of the dose")
    cast.wait(1)
    cast.entry("nurse", running, "strike", of=stop["id"], reason="that was wrong")
    s = state(cast, running)
    assert (s.phase, s.given_mg) == ("running", pytest.approx(11))
    pause = cast.entry("nurse", running, "pause", reason="pressure")
    stop = cast.entry("nurse", running, "stop", reason="pressure")
    refused = cast.entry("nurse", running, "strike", 422, of=pause["id"], reason="that was wrong")
    assert (refused["code"], "recovery" in refused["sentence"]) == ("NOT-CORRECTABLE", True)
    for kind in ("start", "gate", "nurse"):
        of = running.entries.filter(kind=kind).first().pk
        assert cast.entry("nurse", running, "strike", 422, of=of, reason="not so")["code"] == "NOT-CORRECTABLE"


def test_the_wrong_person_marked_as_here_is_taken_back(cast, booked):
    here = cast.entry("nurse", booked, "arrive")
    cast.entry("nurse", booked, "strike", of=here["id"], reason="that was wrong")
    assert state(cast, booked).phase == "booked"
    to_the_gate(cast, booked)
    cast.entry("nurse", booked, "start", read_back_mg=40)


def test_a_discharge_before_its_criteria_is_refused_with_what_is_missing(cast, running):
    cast.wait(40)
    cast.entry("nurse", running, "vitals", **CALM, late_reason="cuff broken, watched without")
    cast.entry("nurse", running, "stop", reason="end")
    cast.wait(15)
    cast.entry("nurse", running, "vitals", **CALM)
    cast.wait(14)
    to_the_door(cast, running)
    assert cast.entry("nurse", running, "discharge", 422)["code"] == "R-DC-01"
    cast.wait(1)
    cast.entry("nurse", running, "check", escort_present="no")
    assert cast.entry("nurse", running, "discharge", 422)["code"] == "R-DC-10"
    cast.entry("nurse", running, "check", escort_present="yes")
    cast.entry("nurse", running, "discharge")


def test_a_hand_over_needs_both_and_nobody_else(cast, running):
    cast.entry("doctor", running, "nurse", 409)
    cast.entry("colleague", running, "accept", 422)
    cast.entry("nurse", running, "offer", to=cast.staff["colleague"].pk)
    cast.entry("doctor", running, "accept", 422)
    assert state(cast, running).nurse == "Nurse Diaz"
    cast.entry("colleague", running, "accept")
    assert state(cast, running).nurse == "Nurse Kim"


def test_a_second_person_cannot_be_put_into_a_taken_chair(cast, running):
    course = new_course(cast, new_patient(cast, "Sam Other"))
    session = course.sessions.get(number=1)
    session.chair = running.chair
    session.save()
    assert cast.entry("nurse", session, "arrive", 422)["code"] == "CHAIR-TAKEN"


def test_the_gap_to_the_last_dose_holds_the_next(cast, booked):
    run_to_the_end(cast, booked, new_lot(cast))
    nxt = booked.course.sessions.get(number=2)
    cast.wait(60 * 10)
    to_the_gate(cast, nxt)
    said = cast.entry("nurse", nxt, "start", 422, read_back_mg=40)
    assert said["code"] == "R-SC-01"


def test_the_register_must_add_up_before_the_sign_off(cast, running):
    lot = new_lot(cast)
    cast.wait(40)
    cast.entry("nurse", running, "stop", reason="end")
    cast.wait(30)
    cast.entry("nurse", running, "vitals", **CALM, late_reason="cuff broken, watched without")
    to_the_door(cast, running)
    cast.entry("nurse", running, "discharge")
    assert cast.entry("nurse", running, "sign", 422)["code"] == "REGISTER-EMPTY"
    sent = {"lot": lot.key, "key": cast.key(), "kind": "drawn", "mg": 50}
    cast["nurse"].post(f"/sessions/{running.key}/register", sent)
    assert cast.entry("nurse", running, "sign", 422)["code"] == "R-CD-01"


def test_waste_needs_a_witness_with_their_own_pin(cast, running):
    lot = new_lot(cast)
    sent = {"lot": lot.key, "key": cast.key(), "kind": "wasted", "mg": 5}
    answer = cast["nurse"].post(f"/sessions/{running.key}/register", sent)
    assert (answer.status_code, answer.context["problem"].code) == (422, "R-CD-02")
    sent |= {"witness": cast.staff["colleague"].pk, "witness_pin": "000000"}
    answer = cast["nurse"].post(f"/sessions/{running.key}/register", sent)
    assert (answer.status_code, answer.context["problem"].code) == (422, "WITNESS-PIN")


@pytest.mark.both_databases
def test_the_screens_of_a_running_session_answer(cast, running):
    for path in ("", "/panel", "/sheet"):
        for name in ("nurse", "doctor", "reader"):
            assert cast[name].get(f"/sessions/{running.key}{path}").status_code == 200
    page = cast["nurse"].get("/board").content.decode()
    assert "R.E." in page
    assert "ketamine 40 mg IV in 40 min" in page
    answer = cast["nurse"].post(
        f"/sessions/{running.key}/entries",
        {"kind": "chip", "key": cast.key(), "what": "nausea", "view": "card"},
        headers={"hx-request": "true"},
    )
    assert answer.status_code == 200
    assert f'id="chair-{running.chair.pk}"' in answer.content.decode()
