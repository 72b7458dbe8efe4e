"""The dose on its way from the order to the pump: every place where a wrong number could slip through."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import CALM, new_course, new_lot, new_patient, to_the_gate
from django.utils import timezone
from test_session import register, to_the_door

from regrow.catalog import protocols
from regrow.clinic import access, chain, facts, forecast, live
from regrow.clinic.models import Duty, Session
from regrow.clinic.planning import arithmetic, plan_of
from regrow.refusal import Refusal
from regrow.safety import Settings


def weigh(cast, patient, kg):
    sent = {"kind": "weight", "value": kg, "taken_at": cast.now().strftime("%Y-%m-%dT%H:%M")}
    assert cast["nurse"].post(f"/patients/{patient.key}/chart/measure", sent).status_code == 302


def decide(cast, who, session, rule, status=201):
    return cast.entry(who, session, "decision", status, rule=rule, reason="weighed and talked over")


def test_minutes_typed_too_long_make_no_mood_course_a_pain_course():
    assert plan_of(protocols.get("standard-2x3"), dose="5 mg/kg", duration_min=180).use == "mood"
    assert plan_of(protocols.get("crps-10-day")).use == "pain"


@pytest.mark.parametrize(
    ("text", "basis", "mg", "line"),
    [
        ("0.5 mg/kg", "actual", 60.0, "0.5 mg/kg × 120 kg (actual weight) = 60 mg; in 40 min: 90 mg/h"),
        ("0.5 mg/kg", "ideal", 28.5, "0.5 mg/kg × 57 kg (ideal weight) = 28.5 mg; in 40 min: 42.75 mg/h"),
        ("0.5 mg/kg ideal", "actual", 28.5, "0.5 mg/kg ideal × 57 kg (ideal weight) = 28.5 mg; in 40 min: 42.75 mg/h"),
        ("0.75 mg/kg/h", "actual", 60.0, "0.75 mg/kg/h × 120 kg (actual weight) × 40 min = 60 mg; in 40 min: 90 mg/h"),
        ("60 mg", "actual", 60.0, "60 mg; in 40 min: 90 mg/h"),
        ("46.12 mg HCl", "actual", 40.0, "46.12 mg HCl = 40 mg of base, as vials are labelled; in 40 min: 60 mg/h"),
    ],
)
def test_the_line_a_nurse_checks_says_the_weight_and_the_salt_that_were_used(text, basis, mg, line):
    a = arithmetic(text, "ketamine", "iv", 40, 120, 165.1, True, basis, vial=50, bag_ml=100)
    assert a.mg == pytest.approx(mg)
    assert a.line == line
    assert a.sheet.draw_ml == pytest.approx(mg / 50)
    assert a.sheet.ml_per_h == pytest.approx(150)


def test_a_yes_to_one_pressure_is_no_yes_to_a_higher_one_and_pounds_are_no_kilograms(cast):
    patient = new_patient(cast)
    session = new_course(cast, patient).sessions.get(number=1)
    cast.go_to(session.planned_at)
    to_the_gate(cast, session)
    cast.entry("nurse", session, "vitals", **{**CALM, "sbp": 162, "dbp": 98})
    decide(cast, "doctor", session, "R-BP-01")
    cast.entry("nurse", session, "vitals", **{**CALM, "sbp": 205, "dbp": 98})
    assert cast.entry("nurse", session, "start", 422, read_back_mg=40)["code"] == "R-BP-01"
    cast.entry("nurse", session, "vitals", **{**CALM, "symptoms": ["chest pain"]})
    assert cast.entry("nurse", session, "start", 422, read_back_mg=40)["code"] == "R-SY-01"
    cast.entry("nurse", session, "vitals", **CALM)
    weigh(cast, patient, 176)
    assert cast.entry("nurse", session, "start", 422, read_back_mg=88)["code"] in ("R-DO-08", "R-DO-12")
    cast.wait(1)
    weigh(cast, patient, 80)
    assert cast.entry("nurse", session, "start", 422, read_back_mg=40)["code"] == "R-DO-12"
    cast.wait(1)
    weigh(cast, patient, 80.4)
    cast.entry("nurse", session, "start", read_back_mg=40.2)
    cast.wait(5)
    assert cast.entry("doctor", session, "rate", 422, mg_per_h=0, reason="off")["code"] == "RATE-RANGE"
    cast.entry("nurse", session, "stop", reason="enough")
    lot = new_lot(cast)
    for _ in range(2):
        cast.wait(15)
        cast.entry("nurse", session, "vitals", **CALM, late_reason="cuff broken")
    to_the_door(cast, session)
    cast.entry("nurse", session, "discharge")
    register(cast, session, lot, 30)
    assert cast.entry("nurse", session, "sign", 422)["code"] == "R-CD-06"
    cast.entry("nurse", session, "sign", reason="pump lost its memory, read from the bag")


def test_a_dose_above_the_cap_on_the_day_wants_another_prescriber_than_the_one_who_signed(cast):
    patient = new_patient(cast)
    session = new_course(cast, patient, dose="80 mg").sessions.get(number=1)  # 1.00 mg/kg when it is signed
    cast.go_to(session.planned_at)
    weigh(cast, patient, 75)
    to_the_gate(cast, session)
    assert cast.entry("nurse", session, "start", 422, read_back_mg=80)["code"] == "R-DO-02"
    assert decide(cast, "doctor", session, "R-DO-02", 422)["code"] == "SECOND-SIGNATURE"
    sent = {"rule": "R-DO-02", "reason": "once only", "course": session.course.key}
    assert cast["doctor"].post(f"/patients/{patient.key}/decide", sent).context["problem"].code == "SECOND-SIGNATURE"
    decide(cast, "second", session, "R-DO-02")
    cast.entry("nurse", session, "start", read_back_mg=80)


def test_a_result_that_is_not_normal_and_a_missing_height_are_seen_and_no_chair_goes_dark(cast):
    patient = new_patient(cast, indication="bipolar depression")
    sent = {"kind": "ecg", "positive": "on", "taken_at": "2026-11-23T08:30"}
    assert cast["nurse"].post(f"/patients/{patient.key}/chart/measure", sent).status_code == 302
    found = facts.judged(patient, facts.signed_evaluation(patient), cast.now(), Settings()).findings
    assert {"R-EL-12", "R-CR-07", "R-CR-14", "R-EL-10"} <= {f.rule for f in found}
    for f in found:
        if f.needs_signature:
            sent = {"rule": f.rule, "subject": facts.subject_of(f), "reason": "weighed and accepted"}
            assert cast["doctor"].post(f"/patients/{patient.key}/decide", sent).status_code == 302
    session = new_course(cast, patient, basis="ideal").sessions.get(number=1)
    patient.measures.filter(kind="height").delete()
    cast.go_to(session.planned_at)
    assert "weigh first" in cast["nurse"].get("/board").content.decode()
    to_the_gate(cast, Session.objects.get(pk=session.pk))
    assert cast.entry("nurse", session, "start", 422, read_back_mg=40)["code"] == "R-DO-08"


def test_the_prescriber_of_last_night_is_not_on_duty_and_one_who_leaves_is_missed_at_the_chair(cast, running):
    site = running.chair.site
    assert [p.name for p in access.on_duty(site)] == ["Dr Lee"]
    cast["doctor"].post("/duty", {"site": site.pk, "on": "no"})
    assert "R-MD-02" in cast["nurse"].get("/board").content.decode()
    cast["doctor"].post("/duty", {"site": site.pk, "on": "yes"})
    assert "R-MD-02" not in cast["nurse"].get("/board").content.decode()
    cast.go_to(cast.now() + timedelta(hours=14))
    assert access.on_duty(site) == []


def test_a_prescriber_says_again_that_they_are_on_duty_before_the_word_has_ended(cast, running):
    site = running.chair.site
    begun = cast.now()
    cast["doctor"].post("/duty", {"site": site.pk, "on": "yes"})  # a second tap within the minute
    assert Duty.objects.count() == 1
    cast.go_to(begun + timedelta(hours=13, minutes=59))
    assert "Stay on duty" in cast["doctor"].get("/board").content.decode()
    cast["doctor"].post("/duty", {"site": site.pk, "on": "yes"})
    cast.go_to(begun + timedelta(hours=27, minutes=58))
    assert [p.name for p in access.on_duty(site)] == ["Dr Lee"]
    assert (Duty.objects.count(), chain.verify().faults) == (2, ())
    cast.go_to(begun + timedelta(hours=27, minutes=59))
    assert access.on_duty(site) == []


def test_an_open_board_sees_by_itself_that_a_word_of_duty_has_ended(cast, running):
    watch = live.Watch(running.chair.site_id)
    until = max(until for _, until in access.duties(running.chair.site))
    cast.go_to(until - timedelta(seconds=1))
    clock = timezone.localtime(until).strftime("%H:%M")
    assert json.loads(watch.look(True)[-1][1])["duty"] == [{"name": "Dr Lee", "until": clock}]
    read_at = watch.read_at
    cast.go_to(until)
    events = watch.look(True)
    assert watch.read_at == read_at
    assert '"duty": []' in events[-1][1]
    assert any(kind == "card" and "R-MD-02" in data for kind, data in events)


def test_what_stands_before_the_door_is_drawn_again_when_time_alone_has_changed_it(cast, running):
    cast.go_to(cast.now() + timedelta(minutes=40))
    cast.entry("nurse", running, "stop", reason="end of the dose")
    settings, ended = access.settings_now(), cast.now()
    held = access.facts_of([running])[running.pk]
    before, after = (
        facts.state_of(running, held, ended + timedelta(minutes=minutes), settings) for minutes in (29.9, 30.1)
    )
    assert "R-DC-01" in before.stands
    assert "R-DC-01" not in after.stands


def test_a_baseline_on_another_scale_is_not_taken_for_one_on_the_models_own():
    asked = forecast.Planned("single", "", None, "", "iv", 80.0, 40.0, True, "MADRS", 20.0)
    own, other, none = (
        forecast.course(replace(asked, scale=scale, baseline=score))
        for scale, score in (("MADRS", 20.0), ("GAD-7", 20.0), ("MADRS", None))
    )
    assert own.median[0] == pytest.approx(20, abs=1)
    assert other.median == none.median != own.median
    assert "baseline of 20 on GAD-7 says nothing here" in other.cautions[0]
    assert other.cautions[1:] == none.cautions


def test_a_pump_sheet_refuses_a_vial_that_is_not_sold():
    with pytest.raises(Refusal, match="VIAL-STRENGTH"):
        arithmetic("0.5 mg/kg", "ketamine", "iv", 40, 80, 175, True, "actual", vial=5)
