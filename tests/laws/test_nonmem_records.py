"""What a NONMEM data set may say, and how it is refused: record, column, value, limit and way out."""

from collections.abc import Callable
from pathlib import Path

import pytest
from nonmem_models import ONE_COMPARTMENT, column, run

from regrow.exchange import nonmem
from regrow.refusal import Refusal

HEAD = "ID,TIME,EVID,AMT,RATE,SS,II,ADDL,CMT"
DOSE = "1,0,1,100,0,0,0,0,1"
SEEN = "1,4,0,0,0,0,0,0,2"
SEEN9 = "1,11.5,0,0,0,0,0,0,2"


def data(*rows: str, head: str = HEAD) -> str:
    return "\n".join([head, *rows]) + "\n"


def refused(tmp_path: Path, text: str, model: str = ONE_COMPARTMENT) -> Refusal:
    with pytest.raises(Refusal) as caught:
        run(tmp_path, model, text)
    assert not (tmp_path / "out.csv").exists()
    return caught.value


def notices(tmp_path: Path, text: str, model: str = ONE_COMPARTMENT) -> str:
    (tmp_path / "data.csv").write_text(text)
    (tmp_path / "model.ant").write_text(model)
    return " | ".join(nonmem.simulate(tmp_path / "data.csv", tmp_path / "model.ant", tmp_path / "out.csv"))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,8:30,0,0,0,0,0,0,2", ["TIME", "8:30", "8.5"]),
        ("1,2024-03-01,0,0,0,0,0,0,2", ["TIME", "2024-03-01", "hours"]),
        ("1,.,0,0,0,0,0,0,2", ["TIME", "number"]),
        (".,4,0,0,0,0,0,0,2", ["ID"]),
        ("1,4,5,0,0,0,0,0,2", ["EVID", "'5'", "4 reset"]),
        ("1,4,0.5,0,0,0,0,0,2", ["EVID"]),
        ("1,4,1,ten,0,0,0,0,2", ["AMT", "'ten'"]),
        ("1,4,1,1_0,0,0,0,0,2", ["AMT", "'1_0'"]),
        ("1,4,1,inf,0,0,0,0,2", ["AMT", "'inf'"]),
        ("1,4,1,-5,0,0,0,0,2", ["AMT", "below 0"]),
        ("1,4,1,.,0,0,0,0,2", ["AMT", "give its amount"]),
        ("1,4,1,10,-3,0,0,0,2", ["RATE", "'-3'", "-2"]),
        ("1,4,1,10,0,4,12,0,2", ["SS", "'4'"]),
        ("1,4,0,0,0,0,12,0,2", ["II", "EVID 0"]),
        ("1,4,1,1e400,0,0,0,0,2", ["AMT", "'1e400'"]),
        ("1,4,0,0,0,0,0,0,1.5", ["CMT", "'1.5'", "1 depot, 2 central"]),
        ("1,4,0,0,0,0,0,0,7", ["CMT", "'7'", "1 depot, 2 central"]),
        ("1,4,1,10,0,1,0,0,2", ["II", "SS 1"]),
        ("1,4,1,10,0,0,0,2,2", ["II", "ADDL 2"]),
        ("1,4,1,10,0,0,12,1.5,2", ["ADDL", "'1.5'"]),
        ("1,4,1,10,0,0,-12,1,2", ["II", "'-12'"]),
        ("1,4,1,10,0,0,0,0,3", ["CMT", "'3'", "1 depot, 2 central"]),
        ("1,4,1,10,0,0,0,0,gut", ["CMT", "'gut'", "central"]),
        ("1,4,0,0,0,0,0,0,gut", ["CMT", "'gut'"]),
        ("1,4,2,0,0,0,0,0,-1", ["CMT", "turned off"]),
        ("1,4,0,10,0,0,0,0,2", ["AMT", "EVID 0", "EVID 1"]),
        ("1,4,3,0,5,0,0,0,2", ["RATE", "EVID 3"]),
        ("1,4,1,0,10,0,0,0,2", ["AMT", "infusion"]),
        ("1,4,1,0,-2,1,0,0,2", ["RATE", "constant infusion"]),
        ("1,4,1,0,10,1,0,2,2", ["ADDL", "constant infusion"]),
        ("1,4,1,1000,1,1,0.5,0,2", ["II", "1000 h", "1000 times"]),
        ("1,-1,0,0,0,0,0,0,2", ["TIME", "sort"]),
        ("1,4,0,0,0,0,0,0", ["8 cells", "9"]),
    ],
)
def test_a_wrong_cell_is_refused_with_its_record_column_and_value(row: str, words: list[str], tmp_path: Path) -> None:
    refusal = refused(tmp_path, data(DOSE, row))
    assert refusal.code.startswith("DATA-")
    assert all(word in refusal.sentence for word in words), refusal.sentence
    if "cells" not in refusal.sentence:
        assert "record 2 (line 3)" in refusal.sentence


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (HEAD + ",WTT", ["WTT", "parameters are"]),
        (HEAD + ",BIOAVAIL", ["BIOAVAIL", "BIOAV?"]),
        (HEAD + ",lag_gut", ["lag_gut", "depot, central"]),
        (HEAD + ",lag_central", ["lag_central", "computes"]),
        (HEAD + ",cp", ["cp", "computes"]),
        (HEAD + ",Time", ["TIME", "Time", "same name"]),
        (HEAD + ",", ["column 10", "no name"]),
        ("SUBJ" + HEAD[2:] + ",TAD", ["ID"]),
        (HEAD + ",DATE", ["DATE", "count TIME in hours"]),
        (HEAD + ",ALAG1", ["ALAG1", "lag_depot?"]),
        ("#" + HEAD + ",X", ["'1'", "without #"]),
    ],
)
def test_a_column_that_is_not_understood_is_refused_by_name(head: str, words: list[str], tmp_path: Path) -> None:
    refusal = refused(tmp_path, data(DOSE + ",1", SEEN + ",1", head=head))
    assert all(word in refusal.sentence for word in words), refusal.sentence


def test_a_file_without_records_or_a_text_without_values_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, HEAD + "\n").code == "DATA-FILE"
    assert refused(tmp_path, "ID|TIME|AMT\n1|0|100\n").code == "DATA-HEADER"
    missing = refused(tmp_path, data(DOSE), ONE_COMPARTMENT.replace("CL = 1.1;", ""))
    assert missing.code == "PARAMETER-MISSING"
    assert "CL" in missing.sentence
    with pytest.raises(Refusal, match="DATA-FILE"):
        nonmem.simulate(tmp_path / "none.csv", tmp_path / "model.ant", tmp_path / "out.csv")
    with pytest.raises(Refusal, match="MODEL-FILE"):
        nonmem.simulate(tmp_path / "data.csv", tmp_path / "none.ant", tmp_path / "out.csv")
    with pytest.raises(Refusal, match="OUT-ENDING"):
        nonmem.simulate(tmp_path / "data.csv", tmp_path / "model.ant", tmp_path / "out.nc")
    with pytest.raises(Refusal, match="CLOCK"):
        nonmem.simulate(tmp_path / "data.csv", tmp_path / "model.ant", tmp_path / "out.csv", clock="middle")


def test_an_empty_covariate_is_refused_where_nonmem_would_take_zero(tmp_path: Path) -> None:
    refusal = refused(tmp_path, data(DOSE + ",1.1", SEEN + ",.", head=HEAD + ",CL"))
    assert "CL" in refusal.sentence
    assert "NONMEM would take 0" in refusal.sentence


def test_an_id_that_comes_again_after_others_is_another_individual_as_in_nonmem_and_that_is_said(
    tmp_path: Path,
) -> None:
    rows = run(tmp_path, ONE_COMPARTMENT, data(DOSE, SEEN, "2" + DOSE[1:], SEEN, DOSE.replace("1,0", "1,6", 1)))
    assert column(rows, "central")[1] > 1
    assert column(rows, "central")[3:] == [0, 0]  # nothing of the first one's dose
    assert "ID: 1 comes again after other individuals (line 5)" in notices(
        tmp_path, (tmp_path / "data.csv").read_text()
    )


@pytest.mark.parametrize(
    "other",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: "  " + text.replace(",", "  ").replace("\n", "\n "),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "# made by hand\n\n" + text.replace(",0,", ",.,") + "#\n",
        lambda text: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()),
    ],
)
def test_a_data_set_says_the_same_however_its_cells_and_lines_are_set_apart(
    tmp_path: Path, other: Callable[[str], str]
) -> None:
    text = data("1,1,1,100,0,1,12,2,1", "1,4.5,1,50,25,2,12,0,2", "1,9,3,0,0,0,0,0,1", "1,9.25,4,1E2,0,0,0,0,1", SEEN9)
    plain = run(tmp_path, ONE_COMPARTMENT, text)
    found = run(tmp_path, ONE_COMPARTMENT, other(text))
    for name in ("depot", "central", "CP"):
        assert column(found, name) == column(plain, name)


def test_a_rate_or_duration_that_is_to_be_modelled_but_is_not_given_is_refused(tmp_path: Path) -> None:
    bare = "KA = 1.5; k = 0.1;\ndepot' = -KA*depot\ncentral' = KA*depot - k*central\n"
    for rate, name in (("-1", "rate_central"), ("-2", "dur_central")):
        refusal = refused(tmp_path, data(f"1,0,1,100,{rate},0,0,0,central"), bare)
        assert name in refusal.sentence
        assert "record 1" in refusal.sentence
    refusal = refused(tmp_path, data(DOSE + ",-2", head=HEAD + ",LAGT").replace("0,0,1,-2", "0,0,2,-2"))
    assert "lag_central is -2" in refusal.sentence


def test_a_model_that_keeps_what_it_gets_has_no_steady_state_and_says_which_state(tmp_path: Path) -> None:
    collecting = ONE_COMPARTMENT + "auc' = central\n"
    steady = data("1,0,1,100,0,1,12,0,2", SEEN)
    assert "auc never comes to rest" in refused(tmp_path, steady, collecting).sentence
    grows = "VM = 1; KM = 5;\ndepot' = -0.9*depot\ncentral' = 0.9*depot - VM*central/(KM + central)\n"
    refusal = refused(tmp_path, data("1,0,1,100,0,1,12,0,2", SEEN), grows)
    assert refusal.code == "STEADY-STATE"
    assert "central" in refusal.sentence
    clock = "k = 0.1;\ndepot' = -0.9*depot\ncentral' = 0.9*depot - k*(1 + 0.1*time)*central\n"
    assert "clock" in refused(tmp_path, data("1,0,1,100,0,1,12,0,2", SEEN), clock).sentence


def test_what_is_kept_but_not_used_is_said(tmp_path: Path) -> None:
    said = notices(tmp_path, data(DOSE + ",.,1,A", SEEN + ",12,0,A", head=HEAD + ",DV,MDV,ARM"))
    assert "DV:" in said
    assert "MDV:" in said
    assert "ARM:" in said
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header.startswith(HEAD + ",DV,MDV,ARM,depot,central,CP")


def test_what_changes_nothing_is_said(tmp_path: Path) -> None:
    bare = ONE_COMPARTMENT.partition("lag_central")[0]
    head = HEAD + ",lag_central,dur_depot"
    none = notices(tmp_path, data("1,0,1,0,0,0,0,0,1,2,3", "1,4,0,0,0,0,0,0,1000,2,3", head=head), bare)
    assert "doses of 0 give nothing" in none
    assert "lag_central: kept and not used; no dose goes into central" in none
    assert "dur_depot: kept and not used; no dose with RATE -2 goes into depot" in none
    assert "output compartment" in none


def test_an_item_of_nonmem_feeds_the_parameter_of_its_name(tmp_path: Path) -> None:
    text = ONE_COMPARTMENT + "AMT = 7; TIME = 7; DV = 7;\nsaid := AMT + TIME + DV\n"
    found = run(tmp_path, text, data(DOSE + ",.", SEEN + ",0.5", head=HEAD + ",DV"))
    assert column(found, "said") == [100.0, 4.5]


def test_numbers_of_individuals_that_differ_in_the_last_of_many_digits_are_kept_apart(tmp_path: Path) -> None:
    rows = [f"2024112600000001{k},{t},{e},{a},0,0,0,0,1" for k in (2, 3) for t, e, a in ((0, 1, 100 * k), (4, 0, 0))]
    found = column(run(tmp_path, ONE_COMPARTMENT, data(*rows)), "CP")
    assert found[3] == pytest.approx(1.5 * found[1], rel=1e-9)


def test_a_state_that_is_no_number_any_more_is_refused_with_its_record(tmp_path: Path) -> None:
    refusal = refused(tmp_path, data(DOSE, "1,1e300,0,0,0,0,0,0,2"))
    assert refusal.code == "MODEL-VALUE"
    assert "record 2 (line 3" in refusal.sentence


def test_without_evid_an_amount_makes_a_dose_and_that_is_said(tmp_path: Path) -> None:
    said = notices(tmp_path, "ID,TIME,AMT,MDV\n1,0,100,1\n1,2,.,0\n1,2,.,1\n")
    assert "EVID: there is no such column" in said
    assert "first compartment, depot" in said
    whole = run(tmp_path, ONE_COMPARTMENT, data(DOSE, "1,2,0,0,0,0,0,0,0", "1,2,2,0,0,0,0,0,0"))
    alone = run(tmp_path, ONE_COMPARTMENT, "ID,TIME,AMT,MDV\n1,0,100,1\n1,2,.,0\n1,2,.,1\n")
    assert column(whole, "CP") == column(alone, "CP")
    assert column(whole, "CP")[1] > 0


def test_rows_marked_as_comments_are_left_out_and_counted(tmp_path: Path) -> None:
    text = data(".," + DOSE, "C,1,oops,,,,,,,", ".," + SEEN, head="C," + HEAD)
    assert "1 rows marked C" in notices(tmp_path, "# a line of its own\n" + text)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    assert "column C is 'x'" in refused_again(tmp_path, text.replace("C,1,oops", "x,1,oops"))


def refused_again(tmp_path: Path, text: str) -> str:
    (tmp_path / "out.csv").unlink()
    return refused(tmp_path, text).sentence


def test_case_does_not_count_and_the_text_may_take_any_column_as_parameter(tmp_path: Path) -> None:
    plain = run(tmp_path, ONE_COMPARTMENT, data(DOSE + ",2.5", SEEN + ",2.5", head=HEAD + ",CL"))
    lower = run(tmp_path, ONE_COMPARTMENT, data(DOSE + ",2.5", SEEN + ",2.5", head=HEAD.lower() + ",cl"))
    named = run(tmp_path, ONE_COMPARTMENT, data(DOSE[:-1] + "Depot,2.5", SEEN + ",2.5", head=HEAD + ",CL"))
    assert column(plain, "CP") == column(lower, "CP") == column(named, "CP")
    assert column(plain, "CP") != column(run(tmp_path, ONE_COMPARTMENT, data(DOSE, SEEN)), "CP")


def test_lag_and_bioavailability_may_stand_in_a_column_or_in_the_text(tmp_path: Path) -> None:
    bare = ONE_COMPARTMENT.partition("lag_central")[0]
    rows = [f"1,{t},0,0,0,0,0,0,2" for t in (1, 3, 5)]
    by_text = run(tmp_path, bare + "lag_depot = 2; f_depot = 0.4;", data(DOSE, *rows))
    head = HEAD + ",LAG_DEPOT,F_1"
    by_column = run(tmp_path, bare, data(*(row + ",2,0.4" for row in (DOSE, *rows)), head=head))
    by_rule = run(tmp_path, bare + "L = 1; lag_depot := 2*L; f_1 := 0.4;", data(DOSE, *rows))
    assert column(by_text, "CP")[1] == 0.0
    assert column(by_text, "CP")[2] > 0.0
    assert column(by_text, "CP") == column(by_column, "CP") == column(by_rule, "CP")
    twice = data(*(row + ",2" for row in (DOSE, *rows)), head=HEAD + ",lag_1")
    (tmp_path / "out.csv").unlink()
    assert "given twice" in refused(tmp_path, twice, bare + "lag_depot = 2;").sentence


@pytest.mark.parametrize(
    "before", ["", "CP := central/V\ncentral = 0\n", "/* central' = 0 */ kept := central // central'\n"]
)
def test_compartments_are_numbered_by_their_equations_whatever_the_text_names_before(
    before: str, tmp_path: Path
) -> None:
    text = f"{before}KA = 1.5; K = 0.05; V = 20\ndepot' = -KA*depot\ncentral' = KA*depot - K*central\nlag_1 := 1"
    rows = run(tmp_path, text, "ID,TIME,EVID,AMT,CMT\n1,0,1,100,1\n1,0,1,7,2\n1,1,0,.,2\n")
    assert list(rows[0])[5:7] == ["depot", "central"]
    assert column(rows, "central")[:2] == [0.0, 7.0]
    assert column(rows, "depot") == [0.0, 0.0, 100.0]


def test_individuals_do_not_touch_each_other_and_their_order_does_not_count(tmp_path: Path) -> None:
    people = [[f"{k},0,1,{50 * k},0,1,{4 + k},2,1", f"{k},3,0,0,0,0,0,0,2", f"{k},30,0,0,0,0,0,0,2"] for k in (1, 2, 3)]
    together = run(tmp_path, ONE_COMPARTMENT, data(*(row for rows in people for row in rows)))
    turned = run(tmp_path, ONE_COMPARTMENT, data(*(row for rows in reversed(people) for row in rows)))
    alone = [row for rows in people for row in run(tmp_path, ONE_COMPARTMENT, data(*rows))]
    assert together == alone
    assert sorted(map(str, together)) == sorted(map(str, turned))


def test_a_reset_may_set_the_clock_back(tmp_path: Path) -> None:
    rows = [DOSE, "1,5,0,0,0,0,0,0,2", "1,0,4,100,0,0,0,0,1", "1,5,0,0,0,0,0,0,2"]
    found = column(run(tmp_path, ONE_COMPARTMENT, data(*rows)), "CP")
    assert found[1] == found[3] > 0


def test_what_the_text_computes_once_is_computed_anew_at_every_record(tmp_path: Path) -> None:
    text = "CL = 2; V = 20; k = CL/V;\ncentral' = -k*central\n"
    rows = ["1,0,1,100,0,0,0,0,1,2", "1,5,0,0,0,0,0,0,1,4", "1,9,0,0,0,0,0,0,1,1"]
    found = column(run(tmp_path, text, data(*rows, head=HEAD + ",CL")), "central")
    assert found[1] == pytest.approx(100 * 2.718281828459045 ** (-5 * 4 / 20), rel=1e-10)
    assert found[2] == pytest.approx(found[1] * 2.718281828459045 ** (-4 * 1 / 20), rel=1e-10)


def test_doses_into_a_text_of_states_that_start_above_zero_leave_and_restore_the_start(tmp_path: Path) -> None:
    text = "kin = 5; kout = 0.5;\nx' = kin - kout*x\nx = kin/kout\n"
    rows = ["1,0,0,0,0,0,0,0,1", "1,4,1,20,0,0,0,0,1", "1,4,0,0,0,0,0,0,1", "1,6,3,0,0,0,0,0,1", "1,9,1,5,0,2,12,0,1"]
    found = column(run(tmp_path, text, data(*rows)), "x")
    assert found[:4] == pytest.approx([10, 30, 30, 10], rel=1e-12)
    assert found[4] == pytest.approx(10 + 5 / (1 - 2.718281828459045 ** (-0.5 * 12)), rel=1e-10)
