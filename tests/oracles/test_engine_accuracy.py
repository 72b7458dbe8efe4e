"""Whole courses by every route keep mood, synapses, plasma, occupancy and BDNF within the bars of issue 3.

`bench/accuracy` does the same over a thousand people and three seeds.
"""

from __future__ import annotations

import numpy as np
import pytest
from course_oracle import BARS, arm, misses, reference

OUTPUTS = tuple(BARS)


@pytest.mark.parametrize(("routes", "sessions"), [("iv", 6), ("nasal", 6), ("mixed", 8)])
def test_every_read_out_keeps_its_bar_against_a_tight_reference(routes: str, sessions: int) -> None:
    some = arm(routes, sessions, 3, seed=2)
    wanted = np.stack([reference(some, person, OUTPUTS) for person in range(some.n)], axis=1)
    found = some.solved(OUTPUTS)
    apart = misses(OUTPUTS, found.values, wanted)
    for output, (_, bar) in BARS.items():
        assert apart[output].max() <= bar, output
    # large populations: fewer steps, and single precision beyond the plasma
    quick = some.solved(OUTPUTS, accuracy="standard", precision="mixed", target=1.0)
    apart = misses(OUTPUTS, quick.values, wanted)
    assert apart["D"].max() <= 5e-4
    assert apart["density"].max() <= 1e-4
    assert max(apart["C_S"].max(), apart["C_R"].max()) <= 1e-6


def test_a_large_bolus_keeps_every_bar_and_a_coarse_grid_that_does_not_is_made_finer() -> None:
    some = arm("iv bolus", 2, 2, seed=5)
    wanted = np.stack([reference(some, person, OUTPUTS) for person in range(some.n)], axis=1)
    found = some.solved(OUTPUTS)
    assert not found.notices
    apart = misses(OUTPUTS, found.values, wanted)
    for output, (_, bar) in BARS.items():
        assert apart[output].max() <= bar, output
    coarse = some.solved(OUTPUTS, accuracy="standard", precision="mixed")
    assert "a finer grid was used for all" in " ".join(coarse.notices)
    assert misses(OUTPUTS, coarse.values, wanted)["D"].max() <= 1e-4


def test_an_anaesthetic_is_halved_until_it_holds_and_never_left_to_the_slow_solver() -> None:
    """2 mg/kg in a minute and then 41 ug/kg/min, to a fifth of the bar: BDNF is off on the finest grid of the house."""
    some = arm("anaesthetic", 1, 2, seed=1)
    asked = 2e-5
    found = some.solved(OUTPUTS, target=asked)
    assert max(found.error.values()) <= asked
    assert "so a finer grid was used for all" in " ".join(found.notices)
    assert "general" not in " ".join(found.notices)
    wanted = np.stack([reference(some, person, OUTPUTS) for person in range(some.n)], axis=1)
    apart = misses(OUTPUTS, found.values, wanted)
    for output, (_, bar) in BARS.items():
        assert apart[output].max() <= bar, output
