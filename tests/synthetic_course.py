"""A Dataset of the form that `simulate` gives, made of simple curves: for tests of files and pages only."""

import numpy as np
import xarray

UNITS = {
    "ketamine_arterial": "ng/mL",
    "ketamine_venous": "ng/mL",
    "norketamine": "ng/mL",
    "effect_site": "umol/L",
    "block_interneuron": "fraction",
    "block_phasic": "fraction",
    "block_resting": "fraction",
    "glutamate": "relative to baseline",
    "p_eef2": "relative to baseline",
    "bdnf": "relative units",
    "mtorc1": "relative units",
    "synaptic_proteins": "relative units",
    "synapse_density": "fraction of healthy",
    "madrs": "points",
    "cadss": "points",
    "sbp": "mmHg",
    "dbp": "mmHg",
    "hr": "1/min",
    "sedation": "MOAA/S points (5 = alert)",
}
IN_SESSION = np.array([0, 5, 10, 15, 20, 30, 40, 45, 50, 60, 70, 80, 90, 105, 120, 180, 240, 360, 480, 720]) / 60


def course(people: int = 60, days: tuple[float, ...] = (0, 3, 7, 10, 14, 17), ruled: int = 99, until_d: float = 45):
    """The Dataset: `people` of them, sessions on `days`; from place `ruled` on, fewer and fewer people have one."""
    random = np.random.default_rng(7)
    starts = np.array(days) * 24.0
    grid = [np.arange(0, until_d * 24 + 1, 24.0), np.arange(0, 168, 6.0), *(start + IN_SESSION for start in starts)]
    t = np.unique(np.concatenate(grid).round(9))
    t = t[t <= until_d * 24]
    weight = 70 + 12 * random.standard_normal(people) if people > 1 else np.array([80.0])
    gain = np.exp(0.7 * random.standard_normal((people, 1))) if people > 1 else np.ones((1, 1))
    baseline = np.clip(33 + 5 * random.standard_normal((people, 1)), 20, 50) if people > 1 else np.array([[33.0]])
    given = np.ones((len(days), people), bool)
    for place in range(ruled, len(days)):
        given[place] = np.arange(people) % (place - ruled + 2) == 0
    plasma, late, week, waning = (np.zeros((people, t.size)) for _ in range(4))
    for place, start in enumerate(starts):
        since = np.maximum(t - start, 0)
        rising = np.minimum(since, 2 / 3)
        shape = (1 - np.exp(-6 * rising)) * np.exp(-1.2 * np.maximum(since - 2 / 3, 0)) * (t >= start)
        who = given[place][:, None]
        plasma += who * shape * (weight[:, None] / 70)
        late += who * (t >= start) * since / 3 * np.exp(1 - since / 3)
        week += who * (t >= start) * (1 - np.exp(-since / 4)) * np.exp(-since / 200)
        waning += who * shape * 0.6**place
    effect = gain * np.minimum(1.6, 0.4 * week)
    values = {
        "ketamine_arterial": 300 * plasma,
        "ketamine_venous": 190 * plasma,
        "norketamine": 60 * late,
        "effect_site": 0.52 * plasma,
        "block_interneuron": 0.26 * plasma,
        "block_phasic": 0.08 * plasma,
        "block_resting": 0.61 * plasma**0.5,
        "glutamate": 1 + 0.28 * plasma,
        "p_eef2": 1 - 0.35 * np.minimum(late, 1.5),
        "bdnf": 0.2 * late,
        "mtorc1": 0.35 * late,
        "synaptic_proteins": 0.5 * week,
        "synapse_density": 0.74 + 0.03 * effect,
        "madrs": np.clip(baseline * np.exp(-0.5 * effect), 0, 60),
        "cadss": 24 * waning,
        "sbp": 124 + 16 * plasma * gain**0.3,
        "dbp": 78 + 10 * plasma,
        "hr": 72 + 6 * plasma,
        "sedation": 5 - 0.8 * plasma,
    }
    variables = {name: (("person", "time"), values[name], {"units": unit}) for name, unit in UNITS.items()}
    texts = {
        "session_phase": ["induction"] * min(6, len(days)) + ["weekly"] * max(0, len(days) - 6),
        "session_drug": ["ketamine"] * len(days),
        "session_route": ["iv"] * len(days),
    }
    variables |= {name: ("session", np.array(words, dtype=object), {}) for name, words in texts.items()}
    variables["session_day"] = ("session", np.array(days, dtype=float), {"units": "d"})
    variables["session_duration_min"] = ("session", np.full(len(days), 40.0), {"units": "min"})
    variables["session_dose_mg"] = (("session", "person"), np.where(given, 0.5 * weight, np.nan), {"units": "mg"})
    for name, rise in {"ketamine_arterial": False, "cadss": False, "sbp": True, "dbp": True, "hr": True}.items():
        windows = [(t >= start) & (t <= start + 12) for start in starts]
        peaks = [values[name][:, w].max(axis=1) - (values[name][:, w][:, 0] if rise else 0) for w in windows]
        variables[f"session_{name}_peak"] = (
            ("session", "person"),
            np.where(given, peaks, np.nan),
            {"units": UNITS[name]},
        )
    variables["weight_kg"] = ("person", weight, {"units": "kg"})
    variables["baseline"] = ("person", baseline[:, 0], {"units": "points"})
    attrs = {
        "title": "Atlanta: twice a week six times, weekly until remission, then monthly",
        "protocol": "atlanta",
        "source": "Taylor Medical Group, Atlanta GA: Ketamine Therapy (clinic page)",
        "note": "The dose is 'based on a person weight'; no number is stated. 'Monthly' is taken as 28 days.",
        "assumed": ["dose 0.5 mg/kg", "duration 60 min"],
        "belief": "open",
        "switches": [],
        "condition": "",
        "models": ["d1"],
        "missing": ["hnk: the model does not carry it"],
        "cautions": ["The source names no dose."],
        "citations": [
            "Kamp J et al. Ketamine pharmacokinetics. Anesthesiology 2020;133:1192",
            {"text": "Murrough JW et al. Am J Psychiatry 2013", "doi": "10.1176/appi.ajp.2013.13030392"},
        ],
        "error": ["madrs: 0.0001"],
        "simulated": "simulated, not observed; not a medical device",
        "seed": 1,
        "version": "0.1.0",
        "parameters_measured": 12,
        "parameters_calibrated": 17,
        "parameters_assumed": 20,
    }
    coords = {
        "person": np.arange(people),
        "time": ("time", t, {"units": "h"}),
        "session": np.arange(1, len(days) + 1),
    }
    return xarray.Dataset(variables, coords=coords, attrs=attrs)
