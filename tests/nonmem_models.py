"""Model texts for the tests of NONMEM data sets, and how to run rows through them."""

from __future__ import annotations

import csv
from pathlib import Path

from regrow.exchange import nonmem

#: one compartment with first-order absorption (ADVAN2 TRANS2); absorption parameters come from columns
ONE_COMPARTMENT = """
KA = 1.5; CL = 1.1; V = 20; LAGT = 0; BIOAV = 1; MODE = 0; DUR2 = 1; RAT2 = 1;
depot' = -KA*depot
central' = KA*depot - CL/V*central
CP := central/(V/1000)
lag_central := LAGT
f_central := BIOAV
dur_central := piecewise(DUR2, MODE == 2, 0)
rate_central := piecewise(RAT2, MODE == 1, 0)
"""

#: two compartments and an effect site, with everything about absorption as parameters of the text
TWO_COMPARTMENTS = """
KA = 0.9; CL = 4; V = 12; Q = 3; V2 = 30; KE0 = 0.4; WT = 70;
lag_depot = 0; f_depot = 1; dur_depot = 1; rate_depot = 1;
lag_central = 0; f_central = 1; dur_central = 1; rate_central = 1;
k := CL*(WT/70)^0.75/V
depot' = -KA*depot
central' = KA*depot - (k + Q/V)*central + Q/V2*peripheral
peripheral' = Q/V*central - Q/V2*peripheral
effect' = KE0*(central/V - effect)
CP := central/V
"""


def run(folder: Path, text: str, data: str, clock: str = "nocb") -> list[dict[str, str]]:
    """The rows of the output for a model text and a data set, both as text."""
    (folder / "model.ant").write_text(text)
    (folder / "data.csv").write_text(data)
    nonmem.simulate(folder / "data.csv", folder / "model.ant", folder / "out.csv", clock=clock)
    with (folder / "out.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def column(rows: list[dict[str, str]], name: str) -> list[float]:
    """A column of an output as numbers."""
    return [float(row[name]) for row in rows]
