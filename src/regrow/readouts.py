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


def _plasma(*names: str) -> Callable[[Values], np.ndarray]:
    # The model counts plasma in mg/L; clinics read ng/mL.
    return lambda v: 1000.0 * sum((v[name] for name in names[1:]), v[names[0]])


def _linked(scale: str) -> Callable[[Values], np.ndarray]:
    def compute(values: Values) -> np.ndarray:
        from regrow.catalog import scales

        return scales.link("madrs", scale, np.clip(values["D"], 0.0, 60.0)).values

    return compute


def _by_gain(scale: str) -> Callable[[Values], np.ndarray]:
    def compute(values: Values) -> np.ndarray:
        from regrow import scales as rules
        from regrow.catalog import scales

        found = scales.get(scale)
        assert found.gain is not None
        assert found.gain.entry is not None
        return rules.by_gain(found, found.gain.entry, 1.0 - values["improvement"], 1.0)

    return compute


def _target(name: str, scale: str, title: str, shown: str) -> Readout:
    return Readout(name, "points", title, ("improvement",), _by_gain(scale), shown, on_request=True, scale=scale)


_LINKED = "Read from the MADRS by published tables; one person may lie points apart, and single visits more."


def _row(
    name: str,
    unit: str,
    title: str,
    needs: str,
    compute: Callable[[Values], np.ndarray],
    shown: str,
    fold: float = 1.0,
) -> Readout:
    return Readout(name, unit, title, tuple(needs.split()), compute, shown, fold=fold)


def _score(name: str, scale: str, title: str, compute: Callable[[Values], np.ndarray], shown: str) -> Readout:
    return Readout(name, "points", title, ("D",), compute, shown, scale=scale)


_PRESSURE = "Measured: rises with dose and age, back within hours. The largest of several readings lies 6 to 9 higher."

READOUTS: dict[str, Readout] = {
    row.name: row
    for row in (
        _row(
            "ketamine_arterial",
            "ng/mL",
            "Ketamine in arterial plasma (S + R)",
            "C_S C_R",
            _plasma("C_S", "C_R"),
            "Measured in volunteers; drives the effects.",
        ),
        _row(
            "ketamine_venous",
            "ng/mL",
            "Ketamine in venous plasma (S + R)",
            "Cv_S Cv_R",
            _plasma("Cv_S", "Cv_R"),
            "What a clinic samples; 1.6 to 1.9 times lower than arterial at the end of an infusion.",
        ),
        _row(
            "norketamine",
            "ng/mL",
            "Norketamine in plasma",
            "C_NK",
            _plasma("C_NK"),
            "Measured; its part in the antidepressant effect is small and uncertain.",
        ),
        _row(
            "hnk",
            "ng/mL",
            "Hydroxynorketamine in plasma",
            "C_HNK",
            _plasma("C_HNK"),
            "Uncertain three-fold either way between studies; no effect rests on it here.",
            fold=3.0,
        ),
        _row(
            "effect_site",
            "umol/L",
            "Free ketamine at the receptor",
            "Ce",
            _of("Ce"),
            "Not measurable in people; follows plasma with a half-time of 8.3 min.",
        ),
        _row(
            "block_interneuron",
            "fraction",
            "NMDA block, interneurons",
            "b_I",
            _of("b_I"),
            "A prediction: no usable human occupancy study exists.",
        ),
        _row(
            "block_phasic",
            "fraction",
            "NMDA block, signal-carrying receptors",
            "b_S",
            _of("b_S"),
            "A prediction; spared at a treatment dose, hit at an anaesthetic one.",
        ),
        _row(
            "block_resting",
            "fraction",
            "NMDA block, resting receptors",
            "B_T",
            _of("B_T"),
            "A prediction from cell experiments.",
        ),
        _row(
            "glutamate",
            "relative to baseline",
            "Glutamate surge",
            "G",
            _of("G"),
            "Seen in people: Glx +38 % at 26 min by spectroscopy, +13 % glutamine cycling.",
        ),
        _row("p_eef2", "relative to baseline", "p-eEF2", "E", _of("E"), "Seen in mice only."),
        _row(
            "bdnf",
            "relative units",
            "BDNF released",
            "B",
            _of("B"),
            "Transient in mice; in people only plasma BDNF, higher in responders.",
        ),
        _row("mtorc1", "relative units", "mTORC1 activity", "M", _of("M"), "Seen in rats; not measured in people."),
        _row(
            "synaptic_proteins",
            "relative units",
            "Synaptic proteins above baseline",
            "P",
            _of("P"),
            "Seen in rats, 2 to 72 h.",
        ),
        _row(
            "synapse_density",
            "fraction of healthy",
            "Synapse density",
            "density",
            _of("density"),
            "Seen in mice; in people SV2A imaging showed no change at 24 h.",
        ),
        _row(
            "connectivity",
            "relative to baseline",
            "Effective connectivity",
            "connectivity",
            _of("connectivity"),
            "Insula to default-mode connectivity normalised at 2 days, back at 10, in one human study.",
        ),
        _score("madrs", "madrs", "MADRS", _of("D"), "Measured in every trial; noise of rating not included."),
        _row(
            "relapse_per_week",
            "1/week",
            "Rate of relapse",
            "relapse_rate",
            lambda v: 168.0 * v["relapse_rate"],
            "From relapse curves of groups of people who were well: the share of them that relapses in a week.",
        ),
        _score("phq9", "phq-9", "PHQ-9", _linked("phq-9"), f"{_LINKED} Looks back two weeks: not for 24 h."),
        _score("qids_sr", "qids-sr-16", "QIDS-SR-16", _linked("qids-sr-16"), _LINKED),
        _score("hdrs17", "hdrs-17", "HDRS-17", _linked("hdrs-17"), _LINKED),
        _row(
            "cadss",
            "points",
            "Dissociation (CADSS)",
            "cadss",
            _of("cadss"),
            "Measured: peaks near the end of the infusion, gone within two hours, wanes with repetition.",
        ),
        _row(
            "sbp",
            "mmHg",
            "Systolic blood pressure",
            "sbp",
            _of("sbp"),
            _PRESSURE,
        ),
        _row(
            "dbp",
            "mmHg",
            "Diastolic blood pressure",
            "dbp",
            _of("dbp"),
            _PRESSURE,
        ),
        _row("hr", "1/min", "Heart rate", "hr", _of("hr"), "Measured: small rise."),
        _row(
            "pain_nrs",
            "points",
            "Pain (0 to 10)",
            "pain_nrs",
            _of("pain_nrs"),
            "Acute relief follows the drug; lasting relief was seen after days of infusion in CRPS.",
        ),
        _row(
            "sedation",
            "MOAA/S points (5 = alert)",
            "Sedation",
            "sedation",
            _of("sedation"),
            "Measured with esketamine spray and infusions.",
        ),
        _row(
            "nausea",
            "probability in a session",
            "Nausea",
            "nausea",
            _of("nausea"),
            "Measured: 27 % over eight sessions of esketamine.",
        ),
        _row(
            "dizziness",
            "probability in a session",
            "Dizziness",
            "dizziness",
            _of("dizziness"),
            "Measured: 29 % over eight sessions of esketamine.",
        ),
        Readout(
            "pain_left",
            "fraction",
            "Share of the pain that is left",
            ("pain_left",),
            _of("pain_left"),
            "As pain, whatever it was at the start.",
            on_request=True,
        ),
        _target("ssi", "SSI", "Suicidal ideation (SSI)", "Falls by more than depression, in open and pooled data."),
        _target("gad7", "GAD-7", "Anxiety (GAD-7)", "Follows depression in open treatment."),
        _target("ham_a", "HAM-A", "Anxiety (HAM-A)", "As the GAD-7 (assumed)."),
        _target("pcl5", "PCL-5", "Post-traumatic stress (PCL-5)", "One trial found no effect, one an effect."),
        _target("caps5", "CAPS-5", "Post-traumatic stress (CAPS-5)", "One trial found no effect, one an effect."),
    )
}
