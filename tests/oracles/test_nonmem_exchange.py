"""A course as a NONMEM data set and back: the same numbers through `simulate --data`, and the same protocol again."""

import csv
from pathlib import Path

import numpy as np
import pytest

from regrow.catalog import protocols
from regrow.exchange import nonmem, nonmem_course
from regrow.exchange.unrolled import unroll
from regrow.order import Order, read
from regrow.refusal import Refusal
from regrow.simulate import run

COURSES = {
    "a series of infusions": Order("standard-2x3", until="18 d"),
    "nasal devices": Order("esketamine-us", until="8 d"),
    "by mouth, for two people": Order("single", route="oral", dose="1 mg/kg", days="0,2", people=2, until="7 d"),
    "a parameter that changes": Order("single", with_=("rapamycin-oral",), until="10 d"),
    "a drug that is no ketamine": Order("single", drug="midazolam", until="3 d"),
}


def exported(order: Order, folder: Path) -> Path:
    nonmem_course.export(*read(order), folder / "course.csv")
    return folder / "course.csv"


def predicted(data: Path) -> list[dict[str, str]]:
    nonmem.simulate(data, data.with_suffix(".ant"), data.with_name("out.csv"))
    with data.with_name("out.csv").open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["EVID"] == "0"]


@pytest.mark.parametrize("name", COURSES)
def test_the_exported_records_give_the_course_that_was_simulated(name: str, tmp_path: Path) -> None:
    seen = predicted(exported(COURSES[name], tmp_path))
    for number, one in enumerate(unroll(*read(COURSES[name])), 1):
        rows = [row for row in seen if row["ID"] == str(number)]
        hours = np.array([float(row["TIME"]) for row in rows])
        assert np.array_equal(hours, one.times)
        drug = [name for name in ("C_S", "central_S", "midazolam") if name in one.model.outputs]
        for output, close in (("D", 1e-4), ("density", 1e-4), ("X", 1e-9), *((name, 1e-9) for name in drug)):
            ours = one.solve((output,))[0]
            theirs = np.array([float(row[output]) for row in rows])
            assert np.abs(ours - theirs).max() <= close * np.abs(ours).max() + 1e-12, output


@pytest.mark.parametrize("name", COURSES)
def test_the_imported_protocol_simulates_to_the_same_course(name: str, tmp_path: Path) -> None:
    course, people = read(COURSES[name])
    text, notices = nonmem_course.protocol(exported(COURSES[name], tmp_path), person=str(people.n))
    (tmp_path / "again.toml").write_text(text)
    protocols.get(tmp_path / "again.toml")
    order = COURSES[name]
    again = Order(str(tmp_path / "again.toml"), until=f"{course.hours} h", people=order.people, with_=order.with_)
    first, second = run(course, people), run(*read(again))
    assert [held.session.day for held in second.sessions] == [held.session.day for held in first.sessions]
    for held, other in zip(first.sessions, second.sessions, strict=True):
        assert (held.session.drug, held.session.route, len(held.session.doses)) == (
            other.session.drug,
            other.session.route,
            len(other.session.doses),
        )
        assert held.mg[-1] == pytest.approx(other.mg[-1], rel=1e-12)
    for readout in ("madrs", "synapse_density"):
        assert second.values[readout][-1] == pytest.approx(first.values[readout][-1], rel=1e-6)
    assert any("--until" in notice for notice in notices)


def test_what_a_record_cannot_say_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="EXPORT-JUMP") as caught:
        exported(Order("single", without=("new-spines",)), tmp_path)
    assert "export sbml" in caught.value.sentence
    assert not list(tmp_path.iterdir())


HEAD = "ID,TIME,AMT,RATE,EVID,II,ADDL,SS,WT\n"


def foreign(folder: Path, *rows: str, **options: str) -> tuple[str, tuple[str, ...]]:
    (folder / "log.csv").write_text(HEAD + "\n".join(rows) + "\n")
    return nonmem_course.protocol(folder / "log.csv", **options)


def test_the_doses_of_others_become_sessions(tmp_path: Path) -> None:
    rows = ("7,48,40,60,1,0,0,0,80", "7,49,.,.,0,.,.,.,80", "7,120,30,45,1,72,2,0,80", "7,500,.,.,0,.,.,.,80")
    text, notices = foreign(tmp_path, *rows)
    (tmp_path / "log.toml").write_text(text)
    protocol = protocols.get(tmp_path / "log.toml")
    assert protocol.days == [0, 3, 6, 9]
    assert [phase.doses[0][0].amount for phase in protocol.phases] == [40, 30]
    assert all(phase.doses[0][0].duration_h == pytest.approx(2 / 3) for phase in protocol.phases)
    assert any("WT" in notice for notice in notices)
    assert any("48 h" in notice for notice in notices)


@pytest.mark.parametrize(
    ("row", "options", "word"),
    [
        ("7,0,40,0,1,0,0,0,80", {}, "--route"),
        ("7,0,40,-2,1,0,0,0,80", {}, "RATE"),
        ("7,0,40,60,1,12,0,1,80", {}, "SS"),
        ("7,0,40,60,4,0,0,0,80", {}, "EVID"),
        ("7,0,0,60,1,0,0,0,80", {}, "AMT"),
        ("7,0,ten,60,1,0,0,0,80", {}, "'ten'"),
        ("7,0,40,60,1,0,0,0,80", {"person": "8"}, "'8'"),
        ("7,0,40,60,1,0,0,0,80", {"route": "by drone"}, "by drone"),
        ("7,0,.,.,0,0,0,0,80", {}, "nobody a dose"),
        ("7,0,40,60,1,0,0,0,80\n8,0,40,60,1,0,0,0,80", {}, "--id"),
        ("7,5,40,60,1,0,0,0,80\n7,4,40,60,1,0,0,0,80", {}, "TIME"),
    ],
)
def test_what_a_course_does_not_have_is_refused_by_name(
    row: str, options: dict[str, str], word: str, tmp_path: Path
) -> None:
    with pytest.raises(Refusal) as caught:
        foreign(tmp_path, row, **options)
    assert word in caught.value.sentence
