"""What the server writes on stderr holds nothing that a person typed: no name, no date of birth, no note, no search."""

import io
import json
import logging

import pytest
from conftest import CALM, begin, new_course, new_patient

from regrow.clinic.logs import Lines

NAME, BORN, NOTE = "Zerlina Quixote", "1981-07-19", "weeps about the lighthouse"


@pytest.fixture
def lines():
    """Everything that any logger of the process would write, as it would be written."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Lines())
    root, regrow = logging.getLogger(), logging.getLogger("regrow")
    levels = root.level, regrow.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    regrow.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(levels[0])
    regrow.setLevel(levels[1])


def test_a_whole_visit_leaves_no_name_birth_date_note_or_search_in_the_logs(cast, lines):
    patient = new_patient(cast, NAME, born=BORN)
    session = new_course(cast, patient).sessions.get(number=1)
    cast.go_to(session.planned_at)
    begin(cast, session)
    cast.entry("nurse", session, "note", text=NOTE)
    cast.entry("nurse", session, "vitals", 422, **{**CALM, "sbp": NOTE})
    assert NAME in cast["nurse"].get("/patients", {"search": NAME}).content.decode()
    cast["stranger"].get(f"/patients/{patient.key}", {"name": NAME})
    written = lines.getvalue()
    for secret in (*NAME.split(), "Quix", BORN, "1981", NOTE, "lighthouse", patient.key, session.key):
        assert secret not in written
    rows = [json.loads(line) for line in written.splitlines()]
    asked = [row for row in rows if row["logger"] == "regrow.request"]
    assert {"sessions/<str:key>/entries", "patients/new"} <= {row["route"] for row in asked}
    refused = next(row for row in asked if row.get("code") == "ENTRY-VALUE")
    assert (refused["method"], refused["status"], refused["staff"]) == ("POST", 422, cast.staff["nurse"].pk)


def test_a_fault_is_logged_by_its_kind_and_place_without_its_message(cast, lines, monkeypatch):
    def fails(*_):
        raise ValueError(f"duplicate key: {NAME}")

    monkeypatch.setattr("regrow.clinic.access.patients", fails)
    cast["nurse"].raise_request_exception = False
    answer = cast["nurse"].get("/patients")
    assert answer.status_code == 500
    assert "SERVER-FAULT" in answer.content.decode()  # said in the clinic's own words, with a way out
    assert NAME not in answer.content.decode()
    written = lines.getvalue()
    assert NAME not in written
    fault = next(row for row in map(json.loads, written.splitlines()) if row["logger"] == "regrow.fault")
    assert (fault["fault"], fault["route"]) == ("ValueError", "patients")
    assert any("views/intake.py" in place for place in fault["places"])
