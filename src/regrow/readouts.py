"""What a person can check in a run: the read-outs, their units and how each comes from the model's outputs.

The one thing to know: a read-out that the chosen pharmacokinetic model or equations cannot give is absent with a reason
(`why`), never zero. Everything that leaves `simulate` (Dataset, JSON, page) passes through this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Values = Mapping[str, np.ndarray]  # engine outputs by name, each (people, times)


@dataclass(frozen=True)
class Readout:
    """One read-out: its unit, what it is, the engine outputs it needs, and what people have shown of it.

    One that is `on_request` is offered only where the course names a condition that lists it (`catalog/conditions`).
    `scale` is the catalog's id where it is a rating scale; `fold` says how far its level is uncertain between studies,
    so many times either way (1: no more than people differ).
    """

    name: str
    unit: str
    title: str
    needs: tuple[str, ...]
    compute: Callable[[Values], np.ndarray]
    shown: str
    on_request: bool = False
    scale: str = ""
    fold: float = 1.0


def _of(name: str) -> Callable[[Values], np.ndarray]:
    return lambda v: v[name]


def _plain(name: str, unit: str, title: str, output: str, shown: str) -> Readout:
    """A read-out that is one output of the engine as it stands."""
    return Readout(name, unit, title, (output,), _of(output), shown)


def _plasma(name: str, title: str, outputs: str, shown: str, *, fold: float = 1.0) -> Readout:
    """A level in plasma: the sum of `outputs`, which the model counts in mg/L and clinics read in ng/mL."""
    first, *rest = outputs.split()

    def compute(v: Values) -> np.ndarray:
        return 1000.0 * sum((v[output] for output in rest), v[first])

    return Readout(name, "ng/mL", title, (first, *rest), compute, shown, fold=fold)


def _score(name: str, scale: str, title: str, compute: Callable[[Values], np.ndarray], shown: str) -> Readout:
    return Readout(name, "points", title, ("D",), compute, shown, scale=scale)


def _linked(name: str, scale: str, title: str, shown: str) -> Readout:
    """A depression scale, read from the MADRS by published tables."""

    def compute(v: Values) -> np.ndarray:
        from regrow.catalog import scales

        return scales.link("madrs", scale, np.clip(v["D"], 0.0, 60.0)).values

    return _score(name, scale, title, compute, shown)


def _by_gain(name: str, scale: str, title: str, shown: str) -> Readout:
    """Another target, by its share of the improvement in depression; only where a condition asks for it."""

    def compute(v: Values) -> np.ndarray:
        from regrow import scales as rules
        from regrow.catalog import scales

        found = scales.get(scale)
        assert found.gain is not None
        assert found.gain.entry is not None
        return rules.by_gain(found, found.gain.entry, 1.0 - v["improvement"], 1.0)

    return Readout(name, "points", title, ("improvement",), compute, shown, on_request=True, scale=scale)


_LINKED = "Read from the MADRS by published tables; one person may lie points apart, and single visits more."
_PRESSURE = "Measured: rises with dose and age, back within hours. The largest of several readings lies 6 to 9 higher."

# fmt: off
_ROWS = (
    _plasma("ketamine_arterial", "Ketamine in arterial plasma (S + R)", "C_S C_R",
            "Measured in volunteers; drives the effects."),
    _plasma("ketamine_venous", "Ketamine in venous plasma (S + R)", "Cv_S Cv_R",
            "What a clinic samples; 1.6 to 1.9 times lower than arterial at the end of an infusion."),
    _plasma("norketamine", "Norketamine in plasma", "C_NK",
            "Measured; its part in the antidepressant effect is small and uncertain."),
    _plasma("hnk", "Hydroxynorketamine in plasma", "C_HNK",
            "Uncertain three-fold either way between studies; no effect rests on it here.", fold=3.0),
    _plain("effect_site", "umol/L", "Free ketamine at the receptor", "Ce",
           "Not measurable in people; follows plasma with a half-time of 8.3 min."),
    _plain("block_interneuron", "fraction", "NMDA block, interneurons", "b_I",
           "A prediction: no usable human occupancy study exists."),
    _plain("block_phasic", "fraction", "NMDA block, signal-carrying receptors", "b_S",
           "A prediction; spared at a treatment dose, hit at an anaesthetic one."),
    _plain("block_resting", "fraction", "NMDA block, resting receptors", "B_T", "A prediction from cell experiments."),
    _plain("glutamate", "relative to baseline", "Glutamate surge", "G",
           "Seen in people: Glx +38 % at 26 min by spectroscopy, +13 % glutamine cycling."),
    _plain("p_eef2", "relative to baseline", "p-eEF2", "E", "Seen in mice only."),
    _plain("bdnf", "relative units", "BDNF released", "B",
           "Transient in mice; in people only plasma BDNF, higher in responders."),
    _plain("mtorc1", "relative units", "mTORC1 activity", "M", "Seen in rats; not measured in people."),
    _plain("synaptic_proteins", "relative units", "Synaptic proteins above baseline", "P", "Seen in rats, 2 to 72 h."),
    _plain("synapse_density", "fraction of healthy", "Synapse density", "density",
           "Seen in mice; in people SV2A imaging showed no change at 24 h."),
    _plain("connectivity", "relative to baseline", "Effective connectivity", "connectivity",
           "Insula to default-mode connectivity normalised at 2 days, back at 10, in one human study."),
    _score("madrs", "madrs", "MADRS", _of("D"), "Measured in every trial; noise of rating not included."),
    Readout("relapse_per_week", "1/week", "Rate of relapse", ("relapse_rate",), lambda v: 168.0 * v["relapse_rate"],
            "From relapse curves of groups of people who were well: the share of them that relapses in a week."),
    _linked("phq9", "phq-9", "PHQ-9", f"{_LINKED} Looks back two weeks: not for 24 h."),
    _linked("qids_sr", "qids-sr-16", "QIDS-SR-16", _LINKED),
    _linked("hdrs17", "hdrs-17", "HDRS-17", _LINKED),
    _plain("cadss", "points", "Dissociation (CADSS)", "cadss",
           "Measured: peaks near the end of the infusion, gone within two hours, wanes with repetition."),
    _plain("sbp", "mmHg", "Systolic blood pressure", "sbp", _PRESSURE),
    _plain("dbp", "mmHg", "Diastolic blood pressure", "dbp", _PRESSURE),
    _plain("hr", "1/min", "Heart rate", "hr", "Measured: small rise."),
    _plain("pain_nrs", "points", "Pain (0 to 10)", "pain_nrs",
           "Acute relief follows the drug; lasting relief was seen after days of infusion in CRPS."),
    _plain("sedation", "MOAA/S points (5 = alert)", "Sedation", "sedation",
           "Measured with esketamine spray and infusions."),
    _plain("nausea", "probability in a session", "Nausea", "nausea",
           "Measured: 27 % over eight sessions of esketamine."),
    _plain("dizziness", "probability in a session", "Dizziness", "dizziness",
           "Measured: 29 % over eight sessions of esketamine."),
    Readout("pain_left", "fraction", "Share of the pain that is left", ("pain_left",), _of("pain_left"),
            "As pain, whatever it was at the start.", on_request=True),
    _by_gain("ssi", "SSI", "Suicidal ideation (SSI)", "Falls by more than depression, in open and pooled data."),
    _by_gain("gad7", "GAD-7", "Anxiety (GAD-7)", "Follows depression in open treatment."),
    _by_gain("ham_a", "HAM-A", "Anxiety (HAM-A)", "As the GAD-7 (assumed)."),
    _by_gain("pcl5", "PCL-5", "Post-traumatic stress (PCL-5)", "One trial found no effect, one an effect."),
    _by_gain("caps5", "CAPS-5", "Post-traumatic stress (CAPS-5)", "One trial found no effect, one an effect."),
)
# fmt: on

READOUTS: dict[str, Readout] = {row.name: row for row in _ROWS}


@dataclass(frozen=True)
class Own:
    """What a person's own equations bring: the unit ("" where none is declared) of each name that they compute and no
    read-out of the house shows, and every parameter they use."""

    units: Mapping[str, str]
    parameters: frozenset[str]


def table(own: Own | None) -> dict[str, Readout]:
    """The read-outs of a run: the house's, and what own equations bring under their own names."""
    found = {} if own is None else own.units
    return READOUTS | {name: _plain(name, unit, name, name, "Of the equations given.") for name, unit in found.items()}
