"""NONMEM's event rules against an own witness that writes every dose out and adds or integrates."""

from pathlib import Path

import numpy as np
import pytest
from nonmem_models import TWO_COMPARTMENTS, column, run
from nonmem_oracle import Row, by_sum, by_walk, data_set
from scipy.integrate import solve_ivp

STATES = ("depot", "central", "peripheral", "effect")


def states(rows: list[dict[str, str]]) -> np.ndarray:
    return np.array([column(rows, name) for name in STATES])


def watched(doses: list[Row], *, until: float = 96.0, every: float = 1.7, **same: float) -> list[Row]:
    """The doses with observation records between them, also at the very times of the doses."""
    clock = sorted({0.0, *np.arange(0.0, until, every).tolist(), *(d.time for d in doses)})
    rows: list[Row] = []
    for t in clock:
        rows += [d for d in doses if d.time == t]
        rows.append(Row(t, **same))
    return rows


def drawn(seed: int) -> list[Row]:
    """A course of one to four records with anything that NONMEM allows, by chance."""
    chance = np.random.default_rng(seed)
    same = {
        "lag": float(chance.choice([0.0, 0.0, 0.7, 3.3, 8.0, 13.5])),
        "f": float(chance.choice([1.0, 0.4, 1.6])),
        "dur": float(chance.choice([0.5, 2.0, 9.0])),
        "r": float(chance.choice([3.0, 12.0, 40.0])),
        "cl": float(chance.choice([2.0, 4.0, 9.0])),
    }
    doses = []
    time = 0.0
    for number in range(int(chance.integers(1, 5))):
        evid = int(chance.choice([1, 1, 1, 4, 3])) if number else int(chance.choice([1, 4]))
        if evid == 3:
            doses.append(Row(time, 3, **same))
        else:
            ss = int(chance.choice([0, 0, 1, 2]))
            addl = int(chance.choice([0, 0, 1, 4]))
            ii = float(chance.choice([6.0, 8.0, 12.0, 24.0])) if ss or addl else 0.0
            rate = float(chance.choice([0.0, 0.0, 7.0, 25.0, -1.0, -2.0]))
            doses.append(Row(time, evid, 100.0, rate, ss, ii, addl, int(chance.integers(1, 3)), **same))
        time = round(time + float(chance.choice([4.0, 6.5, 12.0, 24.0])), 6)
    return watched(doses, **same)


def test_sixty_courses_by_chance_agree_with_the_sum_of_their_doses(tmp_path: Path) -> None:
    people = [drawn(seed) for seed in range(60)]
    assert {d.ss for rows in people for d in rows} == {0, 1, 2}
    assert {d.rate for rows in people for d in rows} == {0.0, 7.0, 25.0, -1.0, -2.0}
    found = states(run(tmp_path, TWO_COMPARTMENTS.partition("lag_depot")[0] + _EQUATIONS, data_set(people)))
    first = 0
    for seed, rows in enumerate(people):
        expected = by_sum(rows)
        ours = found[:, first : first + len(rows)]
        first += len(rows)
        scale = np.abs(expected).max(axis=1, keepdims=True) + 1e-12
        assert np.abs(ours - expected).max() / scale.max() < 1e-9, (seed, [d for d in rows if d.evid])


# the equations without the parameters of absorption, which the data sets of these tests give as columns
_EQUATIONS = TWO_COMPARTMENTS[TWO_COMPARTMENTS.index("k := ") :]
NO_ABSORPTION = TWO_COMPARTMENTS.partition("lag_depot")[0] + _EQUATIONS


@pytest.mark.parametrize("rate", [0.0, 10.0, -1.0, -2.0])
@pytest.mark.parametrize("lag", [0.0, 5.0, 12.0, 31.0])
def test_steady_state_is_what_a_long_past_of_doses_gives_whatever_the_lag(
    rate: float, lag: float, tmp_path: Path
) -> None:
    same = {"lag": lag, "f": 0.6, "dur": 30.0, "r": 2.5}
    rows = watched([Row(0, 1, 100, rate, 1, 12, 2, 2, **same)], **same)
    ours = states(run(tmp_path, NO_ABSORPTION, data_set([rows])))
    assert ours == pytest.approx(by_sum(rows), rel=1e-9)


def test_a_constant_infusion_has_come_to_rest_at_its_record_and_stops_there(tmp_path: Path) -> None:
    doses = [Row(0, 1, 0, 20, 1), Row(10, 1, 0, -1, 2, r=5.0, cmt=2)]
    rows = watched(doses, r=5.0)
    assert states(run(tmp_path, NO_ABSORPTION, data_set([rows]))) == pytest.approx(by_sum(rows), rel=1e-9)


def changing(seed: int) -> list[Row]:
    """Up to twenty records of any kind and in any order, at whose every one the values may change."""
    chance = np.random.default_rng([5, seed])
    time = float(chance.choice([0.0, 5.0, -3.0]))
    held = {"cl": 4.0, "f": 1.0, "dur": 3.0, "r": 9.0, "lag": 0.0}
    choices = {"cl": [4.0, 6.0, 9.0], "f": [1.0, 0.4, 1.7, 0.0], "dur": [0.5, 3.0, 26.0], "r": [2.0, 9.0, 40.0]}
    choices["lag"] = [0.0, 0.0, 1.5, 6.0, 13.0]
    rows = []
    for _ in range(int(chance.integers(4, 21))):
        held |= {name: float(chance.choice(values)) for name, values in choices.items() if chance.random() < 0.4}
        evid = int(chance.choice([0, 0, 0, 1, 1, 1, 2, 3, 4]))
        cmt = int(chance.integers(1, 3))
        if evid in (3, 4) and chance.random() < 0.3:
            time = 0.0  # a reset may set the clock back
        if evid not in (1, 4):
            rows.append(Row(time, evid, cmt=cmt, **held))
        elif (ss := int(chance.choice([0, 0, 1, 2, 3]))) and chance.random() < 0.25:
            rows.append(Row(time, evid, 0.0, float(chance.choice([5.0, -1.0])), ss, cmt=cmt, **held | {"lag": 0.0}))
        else:
            addl = int(chance.choice([0, 0, 1, 3, 10]))
            ii = float(chance.choice([4.0, 6.0, 6.5, 12.0, 24.0])) if ss or addl else 0.0
            rate = float(chance.choice([0.0, 0.0, 4.0, 20.0, -1.0, -2.0]))
            rows.append(Row(time, evid, 100.0, rate, ss, ii, addl, cmt, **held))
        time += float(chance.choice([0.0, 0.0, 0.5, 1.5, 6.0, 6.5, 12.0, 30.0]))
    return rows


@pytest.mark.parametrize("clock", ["nocb", "locf"])
def test_values_that_change_act_by_the_one_documented_clock_whatever_the_doses_and_resets(
    clock: str, tmp_path: Path
) -> None:
    people = [changing(seed) for seed in range(40)]
    found = states(run(tmp_path, NO_ABSORPTION, data_set(people), clock))
    first = 0
    for seed, rows in enumerate(people):
        expected = by_walk(rows, locf=clock == "locf")
        ours = found[:, first : first + len(rows)]
        first += len(rows)
        assert np.abs(ours - expected).max() <= 1e-8 * (np.abs(expected).max() + 1e-9), (seed, rows)


SATURABLE = """
VMAX = 12; KM = 3; V = 12; KA = 0.9; KIN = 5; KOUT = 0.2;
depot' = -KA*depot
central' = KA*depot - VMAX*central/(KM*V + central)
answer' = KIN*(1 - central/(central + 40)) - KOUT*answer
answer = KIN/KOUT
"""


@pytest.mark.parametrize(("rate", "lag"), [(0.0, 0.0), (0.0, 4.0), (20.0, 0.0), (4.0, 3.0)])
def test_a_saturable_model_comes_to_the_state_that_many_doses_reach(rate: float, lag: float, tmp_path: Path) -> None:
    columns = f"ID,TIME,EVID,AMT,RATE,SS,II,ADDL,CMT,lag_central\n1,%s,1,60,{rate},%s,12,%s,2,{lag}\n"
    times = [60 * 12 + t for t in (0.0, 2.0, 7.0, 11.9)]
    later = "".join(f"1,{t},0,0,0,0,0,0,2,{lag}\n" for t in times)
    settled = run(tmp_path, SATURABLE, columns % (60 * 12, 1, 0) + later)
    given = run(tmp_path, SATURABLE, columns % (0, 0, 59) + f"1,{60 * 12},1,60,{rate},0,0,0,2,{lag}\n" + later)
    for name in ("central", "answer"):
        assert column(settled[1:], name) == pytest.approx(column(given[2:], name), rel=3e-6)


TARGET_MEDIATED = """
KEL = 0.05; V = 3; KON = 0.5; KOFF = 0.05; KSYN = 1; KDEG = 0.1; KINT = 0.03; WT = 70;
drug' = -KEL*WT/70*drug - KON*drug*target/V + KOFF*both
target = KSYN/KDEG
target' = KSYN - KDEG*target - KON*drug*target/V + KOFF*both
both' = KON*drug*target/V - (KOFF + KINT)*both
"""


def test_drug_that_its_target_takes_away_agrees_with_an_integrator_far_below_the_digits_of_nonmem(
    tmp_path: Path,
) -> None:
    weights = (50.0, 60.0, 80.0, 100.0)
    rows = [f"{k},{t},{int(t == 0)},{100 * (t == 0)},20,{w}" for k, w in enumerate(weights) for t in (0, 2, 9, 30, 60)]
    rows = [row.replace(",0,20,", ",0,0,") if ",0,0,20," in row else row for row in rows]
    found = run(tmp_path, TARGET_MEDIATED, "ID,TIME,EVID,AMT,RATE,WT\n" + "\n".join(rows) + "\n")

    def rates(_: float, x: np.ndarray, weight: float, into: float) -> list[float]:
        bound = 0.5 * x[0] * x[1] / 3
        left = into - 0.05 * weight / 70 * x[0] - bound + 0.05 * x[2]
        return [left, 1 - 0.1 * x[1] - bound + 0.05 * x[2], bound - 0.08 * x[2]]

    for k, weight in enumerate(weights):
        x = np.array([0.0, 10.0, 0.0])
        expected = [x]
        for begin, end, into in ((0, 2, 20.0), (2, 5, 20.0), (5, 9, 0.0), (9, 30, 0.0), (30, 60, 0.0)):
            x = solve_ivp(rates, (begin, end), x, "LSODA", rtol=1e-11, atol=1e-12, args=(weight, into)).y[:, -1]
            expected += [x] if end != 5 else []
        ours = np.array([column(found[5 * k : 5 * k + 5], name) for name in ("drug", "target", "both")])
        assert np.abs(ours - np.array(expected).T).max() < 1e-5 * np.abs(expected).max()
