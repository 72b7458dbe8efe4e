"""From simulated people to the figure a study reports: scores on its scale, its rule of response, its visits, its peak.

The one thing to know: people are rated as the study rated them. Response and remission come from rated scores with
rating noise on the study's scale; *ever* looks at every visit; a peak is each person's own. A share is the mean of each
person's chance over all that a rater might write, so that it moves smoothly with every parameter.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from regrow import scales as rules
from regrow.catalog import conditions
from regrow.catalog.evidence import Arm, Figure, Study, range_of
from regrow.catalog.notation import Rule, duration, rule, when
from regrow.evidence import side_effects
from regrow.evidence.side_effects import SIGNS
from regrow.evidence.simulated import Simulated, Unpredictable
from regrow.evidence.verdict import Family, Sample
from regrow.refusal import Refusal

PAIN = ("pain NRS", "headache NRS", "pain VAS")
# Mean and SD at entry, of 10 points, where none is stated; assumed, as pain_0.
PAIN_ENTRY = (7.2, 1.5)
# One rating of a chronic pain around its own mean, of 10 points: SD 1.61 (0.656 between people) over the entries of an
# electronic diary in 125 people with fibromyalgia (Harris 2005, Arthritis Rheum 52:3670, abstract).
PAIN_SD, PAIN_SD_OMEGA = 1.49, 0.39  # median and SD of the logarithm that give those
# Longer and shorter Hamilton scales have no published table; their totals are taken in proportion to the 17 items
# (assumed from usual totals at entry: 12, 28, 30 and 32 beside 22).
HAMILTON = {"HDRS": 1.0, "HDRS-6": 0.55, "HDRS-24": 1.3, "HDRS-25": 1.35, "HDRS-28": 1.45}
# The same sixteen items rated by a clinician: their totals are taken as alike (assumed).
ALIKE = {"QIDS-C-16": "QIDS-SR-16"}
# Remission without a rule of its own: at or below (the contract's; QIDS and PHQ-9 "at most 5" and "below 5"), then the
# usual cut-offs of scales on which the contract is silent (convention, recalled).
REMISSION = {"MADRS": 10.0, "HDRS-17": 7.0, "QIDS-SR-16": 5.0, "PHQ-9": 4.0, "SSI": 3.0}
REMISSION |= {"HDRS": 7.0, "HDRS-21": 7.0, "QIDS-C-16": 5.0, "GAD-7": 4.0, "HAM-A": 7.0}


def span_of(of: str) -> float:
    """The length of a scale in points (60 for MADRS); 60 for pressure and pulse, which keep their own unit."""
    if of in HAMILTON:
        return HAMILTON[of] * span_of("HDRS-17")
    low, high = range_of(ALIKE.get(of, of)) or (0.0, 60.0)
    return high - low


def sample(sim: Simulated, study: Study, arm: Arm, figure: Figure) -> Sample:
    """The simulated people's values of one figure, with the statistic the study takes of them.

    Raises Unpredictable, with a sentence, for a scale, an event or an analyte the model has nothing to say on.
    """
    refused = conditions.refusal(figure.of, study.population.condition)
    if refused is not None:
        raise Unpredictable(f"{figure.of}: {refused}")
    hours = when(figure.at).from_first_dose(arm.days)
    if figure.is_concentration:
        return _level(sim, figure, hours)
    if figure.what == "effect" or (figure.is_share and figure.of in side_effects.REPORTED):
        return _effect(sim, study, arm, figure, hours)
    if figure.what == "relapse":
        return _relapse(sim, study, arm, figure, hours)
    statistic = "median" if figure.median is not None else "mean"
    if figure.what in ("score", "change"):
        values = score(sim, study, arm, figure.of, hours)
        if figure.what == "change":
            values = values - baseline(sim, study, arm, figure.of)
        if figure.unit == "%":
            own = baseline(sim, study, arm, figure.of)
            values = 100 * values / np.where(own > 0, own, np.nan)
            values = np.nan_to_num(values)
        family = _family(figure)
        span = 100.0 if figure.unit == "%" else span_of(figure.of)
        return Sample(values, statistic, family, span, note(figure.of))
    return Sample(_reached(sim, study, arm, figure, hours), "share", "share", 60.0, note(figure.of))


def _family(figure: Figure) -> Family:
    if figure.of in ("SBP", "DBP", "HR"):
        return "pressure"
    # Dissociation follows the drug's level and is never below zero: studies differ by a factor, not by points.
    return "level" if figure.of == "CADSS" else "points"


def note(of: str) -> str:
    """What the reader must know of how a score on this scale was made, or nothing."""
    if of in HAMILTON and of != "HDRS":
        return f"{of} in proportion to HDRS-17 (assumed; no published table)"
    if of in ALIKE:
        return f"{of} taken as {ALIKE[of]} (assumed alike)"
    gain = _gain(of)
    return f"{of} by its share of the improvement in depression ({gain.low:g} to {gain.high:g})" if gain else ""


# --- scores ---------------------------------------------------------------------------------------------------------


def score(sim: Simulated, study: Study, arm: Arm, of: str, hours: float) -> np.ndarray:
    """Every person's score (n,) on a scale at a time, as rated; a sign (SBP) as it is."""
    if of == "MADRS":
        return sim.rated(hours)
    if of in SIGNS:
        return sim.at(SIGNS[of], hours)
    if of in PAIN:
        return _pain(sim, study, arm, of, hours)
    return _on_scale(sim, study, arm, of, sim.rated(hours), hours)


def baseline(sim: Simulated, study: Study, arm: Arm, of: str) -> np.ndarray:
    """Every person's score (n,) on a scale at entry; a sign just before the first dose."""
    if of == "MADRS":
        return sim.baseline
    if of in SIGNS:
        return sim.at(SIGNS[of], 0.0)
    if of in PAIN:
        return _pain(sim, study, arm, of, 0.0)
    return _on_scale(sim, study, arm, of, sim.baseline)


def _pain(sim: Simulated, study: Study, arm: Arm, of: str, hours: float) -> np.ndarray:
    """Pain on its scale as rated: the share that is left, of the pain at entry where the study states it."""
    entry, top = arm.baseline or study.population.baseline, span_of(of)
    mean, sd = (share * top / 10 for share in PAIN_ENTRY)
    if entry is not None and (entry.scale or of) in PAIN:
        share = top / span_of(entry.scale or of)
        mean, sd = entry.mean * share, sd if entry.sd is None else entry.sd * share
    start = np.clip(mean + sd * sim.reading_noise("entry:pain"), top / 10, top)
    if hours == 0:
        return start
    return np.clip(start * sim.at("pain_left", hours) + _pain_noise(sim, hours, top), 0, top)


def _pain_noise(sim: Simulated, hours: float, top: float) -> np.ndarray:
    own = PAIN_SD * np.exp(PAIN_SD_OMEGA * sim.reading_noise("swing:pain"))
    return own * top / 10 * sim.reading_noise(f"pain:{hours:.6g}")


def _on_scale(sim: Simulated, study: Study, arm: Arm, of: str, madrs: np.ndarray, hours: float = 0.0) -> np.ndarray:
    """A scale read from MADRS (n,): as rated at `hours`, where the scale goes its own way; at entry (0) as expected."""
    from regrow.catalog import scales

    if of in HAMILTON:
        return scales.link("MADRS", "HDRS-17", madrs).values * HAMILTON[of]
    of = ALIKE.get(of, of)
    gain = _gain(of)
    if gain is None:
        try:
            return scales.link("MADRS", of, madrs).values
        except Refusal as why:
            unknown = why.code == "UNKNOWN-SCALE"
            raise Unpredictable(f"{of}: {'the model has no such read-out' if unknown else why.sentence}") from None
    own = _at_entry(sim, study, arm, of, gain)
    level = rules.by_gain(scales.get(of), own, madrs, np.maximum(sim.baseline, 1.0))
    if hours == 0 or not gain.rated_sd:
        return level
    level = level * _swung(gain, sim.reading_noise(f"swing:{of}:{hours:.6g}"))
    rated = np.round(level + gain.rated_sd * sim.reading_noise(f"rated:{of}:{hours:.6g}"))
    return np.clip(rated, *(scales.get(of).total or (-math.inf, math.inf)))


def _swung(gain: rules.Gain, z: np.ndarray) -> np.ndarray:
    """What a score is multiplied by on one day, one in the mean, from standard-normal numbers."""
    return np.exp(gain.swing * z - gain.swing**2 / 2)


def _at_entry(sim: Simulated, study: Study, arm: Arm, of: str, gain: rules.Gain) -> np.ndarray:
    """Every person's score (n,) at entry: as stated, else as usual for people who are, or are not, treated for it."""
    from regrow.catalog import scales

    entry = arm.baseline or study.population.baseline
    treated = conditions.find(study.population.condition)
    if entry is not None and (entry.scale or of) == of:
        mean, sd = entry.mean, entry.sd
    elif gain.otherwise is not None and (treated is None or treated.id != scales.read(of).measures):
        mean, sd = gain.otherwise, gain.otherwise_sd
    else:
        mean, sd = gain.entry, gain.entry_sd
    if mean is None:
        raise Unpredictable(f"{of}: no score at entry is stated, and the model needs one for this scale")
    low, high = scales.get(of).total or (-math.inf, math.inf)
    own = np.clip(mean + (sd or 0.0) * sim.reading_noise(f"entry:{of}"), max(low, mean / 4), high)
    return np.maximum(np.round(own), 1.0) if gain.rated_sd else own


def _gain(of: str) -> rules.Gain | None:
    """The gain that joins a scale to depression, or None: it has none, or the house does not know the scale."""
    from regrow.catalog import scales

    try:
        return scales.get(of).gain
    except Refusal:
        return None


# --- shares ---------------------------------------------------------------------------------------------------------


def rule_of(figure: Figure) -> Rule:
    """What counts: the figure's own rule, else -50 % for a response, the scale's usual cut-off for a remission."""
    if figure.rule is not None:
        return rule(figure.rule)
    if figure.what == "response":
        return Rule("fall", 50.0)
    if figure.of not in REMISSION:
        raise Unpredictable(f"{figure.of}: no usual cut-off of remission; the file states none (rule = '<= ...')")
    return Rule("at most", REMISSION[figure.of])


def _met(wanted: Rule, score: np.ndarray, entry: np.ndarray) -> np.ndarray:
    edge = 1e-9
    if wanted.kind == "fall":
        return (entry - score >= entry * wanted.value / 100 - edge) & (entry > 0)
    if wanted.kind == "rise":
        return score - entry >= wanted.value - edge
    compare = {"at most": np.less_equal, "at least": np.greater_equal, "below": np.less, "above": np.greater}
    return compare[wanted.kind](score, wanted.value)


def visits(figure: Figure, arm: Arm, hours: float) -> list[float]:
    """The hours at which the study looked, up to `hours`: as it states them, else 24 h after each session, and the end.

    A bare number is that many visits, evenly spaced; numbers in a list are days.
    """
    stated = figure.visits
    if isinstance(stated, int):
        return [hours * (place + 1) / stated for place in range(stated)]
    if stated:
        found = [24.0 * v if isinstance(v, int | float) else when(v).from_first_dose(arm.days) for v in stated]
    else:
        found = [24.0 * (day - arm.days[0]) + 24 for day in arm.days]
    return sorted({v for v in found if v < hours - 1e-9} | {hours})


def _reached(sim: Simulated, study: Study, arm: Arm, figure: Figure, hours: float) -> np.ndarray:
    if figure.of in SIGNS or figure.of in PAIN:
        wanted, entry = rule_of(figure), baseline(sim, study, arm, figure.of)

        def chance(at: float) -> np.ndarray:
            return _met(wanted, score(sim, study, arm, figure.of, at), entry).astype(float)
    else:
        writes = _writes(sim, study, arm, figure)

        def chance(at: float) -> np.ndarray:
            return np.einsum("ij,ij->i", sim.rated_as(at), writes)

    if figure.ever:
        at = [chance(visit) for visit in visits(figure, arm, hours)]
        reached = _twice_running(at) if figure.sustained else 1 - np.prod([1 - now for now in at], axis=0)
    elif figure.sustained:
        # "true" says no length: held for the last week. Rated daily within a week, weekly beyond, as studies do.
        held = duration(figure.sustained) if isinstance(figure.sustained, str) else min(168.0, hours - 24.0)
        days = np.arange(max(hours - held, min(24.0, hours)), hours, 24.0 if held < 168.0 else 168.0)
        reached = np.prod([chance(at) for at in [*days, hours]], axis=0)
    else:
        reached = chance(hours)
    return reached * (1 - sim.left)


def _twice_running(at: list[np.ndarray]) -> np.ndarray:
    """Each person's chance (n,) to be there at two visits running, from the chance at each: `ever` and `sustained`."""
    low, high, reached = np.ones_like(at[0]), np.zeros_like(at[0]), np.zeros_like(at[0])
    for now in at:
        reached = reached + high * now
        low, high = (low + high) * (1 - now), low * now
    return reached


def _writes(sim: Simulated, study: Study, arm: Arm, figure: Figure) -> np.ndarray:
    """The chance that each MADRS from 0 to 60 that a rater may write counts as the figure's response or remission:
    (n, 61), 0 or 1 except on a scale that goes its own way."""
    key = (study.id, arm.name, figure.what, figure.of, figure.rule)
    if key not in sim.memo:
        wanted, entry = rule_of(figure), baseline(sim, study, arm, figure.of)
        gain = None if figure.of == "MADRS" else _gain(figure.of)
        rows = []
        for written in range(61):
            madrs = np.full(sim.n, float(written))
            level = madrs if figure.of == "MADRS" else _on_scale(sim, study, arm, figure.of, madrs)
            if gain is not None and gain.rated_sd:
                rows.append(_chance(gain, figure.of, wanted, level, entry))
            else:
                rows.append(_met(wanted, level, entry))
        sim.memo[key] = np.stack(rows, axis=1).astype(float)
    return sim.memo[key]


def _chance(gain: rules.Gain, of: str, wanted: Rule, level: np.ndarray, entry: np.ndarray) -> np.ndarray:
    """Each person's chance (n,) that the score written meets the rule, where the scale swings about `level` (n,)."""
    from scipy.special import ndtr

    from regrow.catalog import scales

    low, high = scales.get(of).total or (0, 0)
    scores = np.arange(low, high + 1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    at = level[:, None, None] * _swung(gain, nodes)[:, None]
    below = ndtr((scores[:-1] + 0.5 - at) / gain.rated_sd)
    written = np.diff(below, axis=2, prepend=0.0, append=1.0)  # (n, nodes, scores)
    met = _met(wanted, scores[None, :], entry[:, None])
    return np.einsum("nks,k,ns->n", written, weights / weights.sum(), met)


# --- relapse --------------------------------------------------------------------------------------------------------


def _relapse_span(figure: Figure, arm: Arm, hours: float) -> tuple[float, float]:
    """From when on relapse counts, a day after the session named (else the last one), and for how long after it, h."""
    at = when(figure.at)
    begin = hours - at.hours if at.session is not None else 24.0 * (arm.days[-1] - arm.days[0])
    return begin + 24.0, at.hours


def watched(figure: Figure, arm: Arm, hours: float) -> list[float]:
    """The hours at which relapse is looked for: twice weekly for three months at most, else weekly."""
    start, _ = _relapse_span(figure, arm, hours)
    step = 84.0 if hours - start <= 24 * 90 else 168.0
    return [start, *np.arange(start + step, hours + 1e-6, step)]


def _relapse(sim: Simulated, study: Study, arm: Arm, figure: Figure, hours: float) -> Sample:
    """Relapse among those who are well a day after the session named (else the last one).

    Well is a response, for an enriched trial a remission (MADRS 12 or less). A relapse is a MADRS of 22 or more at two
    visits in a row (the rule of the esketamine trials), or the figure's own bound; or the event whose rate the model
    gives, if that comes first. Where fewer than half relapse, the mean rate so far is taken to go on.
    """
    start, followed = _relapse_span(figure, arm, hours)
    if start >= hours:
        raise Unpredictable(f"relapse at {figure.at} would come before anybody is well")
    enriched = bool(study.population.enriched)
    limit = np.full(sim.n, 12.0) if enriched else np.floor(sim.baseline / 2)
    well = _rated_at_most(sim, start, limit)
    if well.sum() < 10 and well.mean() < 0.1:
        raise Unpredictable(f"only {well.sum():.0f} of {sim.n} simulated people are well when relapse begins to count")
    at = watched(figure, arm, hours)
    alive = _free_of_relapse(sim, at, _relapse_bound(sim, figure))
    free = (well[:, None] * alive).sum(axis=0) / well.sum()
    if figure.is_share:
        return Sample((1 - alive[:, -1]) * well / well.mean(), "share", "share")
    if free[-1] > 0.999:
        raise Unpredictable("nobody who is well relapses")
    # Days since the last session at which 200 people, evenly spaced, relapse.
    rate = -math.log(max(free[-1], 1e-9)) / (hours - start)
    left = (np.arange(200) + 0.5) / 200
    # A relapse that two visits confirm is dated to the first of them.
    dated = np.append(free[1:], free[-1])
    dated[0] = 1.0
    day = np.interp(-left, -dated, np.asarray(at) - start + 24.0)
    day = np.where(left < free[-1], followed + np.log(max(free[-1], 1e-9) / left) / rate, day)
    return Sample(day / duration(f"1 {figure.unit or 'd'}"), "median", "time")


def _relapse_bound(sim: Simulated, figure: Figure) -> np.ndarray:
    """The MADRS (n,) from which a rating counts as relapse: the figure's rule, on its own scale, else the usual 22.

    A fall such as "-50 %" is a response that is lost: more than half of the score at entry is back.
    """
    from regrow.catalog import scales

    of = ALIKE.get(figure.of, figure.of)
    if of != "MADRS" and of not in HAMILTON and not _linked(of):
        raise Unpredictable(f"{figure.of}: relapse is followed in depression alone, on scales joined to the MADRS")
    if figure.rule is None:
        known = scales.get("MADRS").relapse_rule
        return np.full(sim.n, float((known and known.at_least) or 22.0))
    wanted = rule(figure.rule)
    if wanted.kind == "fall":
        return np.floor(sim.baseline * (1 - wanted.value / 100)) + 1
    if wanted.kind not in ("at least", "above"):
        raise Unpredictable(
            f"{figure.rule!r} is no rule of relapse; write '>= 22', or '-50 %' for a response that is lost"
        )
    bound = wanted.value
    if of != "MADRS":
        name = "HDRS-17" if of in HAMILTON else of
        bound = float(scales.link(name, "MADRS", np.array([bound / HAMILTON.get(of, 1.0)])).values[0])
    return np.full(sim.n, np.floor(bound) + 1 if wanted.kind == "above" else np.ceil(bound))


def _linked(of: str) -> bool:
    """Whether a table joins the scale to the MADRS."""
    from regrow.catalog import scales

    try:
        return scales.link(of, "MADRS", np.array([10.0])) is not None
    except Refusal:
        return False


def _rated_at_most(sim: Simulated, hours: float, limit: np.ndarray) -> np.ndarray:
    """Each person's chance (n,) to be rated at or below a limit (n,)."""
    from scipy.special import ndtr

    return ndtr((limit + 0.5 - sim.at("madrs", hours)) / max(sim.rating_sd, 1e-6))


def _free_of_relapse(sim: Simulated, at: list[float], bound: np.ndarray) -> np.ndarray:
    """Each person's chance (n, visits) to have had no relapse by each visit: no two high ratings in a row, no event."""
    rate = sim.values.get("relapse_per_week")
    low, high = np.ones(sim.n), np.zeros(sim.n)
    free = [np.ones(sim.n)]
    for before, now in pairwise(at):
        high_now = 1 - _rated_at_most(sim, now, bound - 1)
        spared = 1.0
        if rate is not None:
            mean = (sim.at("relapse_per_week", before) + sim.at("relapse_per_week", now)) / 2
            spared = np.exp(-mean * (now - before) / 168.0)
        low, high = spared * (low + high) * (1 - high_now), spared * low * high_now
        free.append(low + high)
    return np.stack(free, axis=1)


# --- side effects ---------------------------------------------------------------------------------------------------


def _effect(sim: Simulated, study: Study, arm: Arm, figure: Figure, hours: float) -> Sample:
    if figure.of in side_effects.REPORTED:
        return Sample(side_effects.reported(sim, arm, figure, hours), "share", "share")
    if figure.of in ("SBP", "DBP", "HR", "CADSS") or (figure.of == "MOAA/S" and figure.is_share):
        return _peak(sim, arm, figure, hours)
    if figure.is_share:
        return Sample(_reached(sim, study, arm, figure, hours), "share", "share")
    change = score(sim, study, arm, figure.of, hours) - baseline(sim, study, arm, figure.of)
    return Sample(change, "standardised", "standardised", span_of(figure.of), note(figure.of))


def _peak(sim: Simulated, arm: Arm, figure: Figure, hours: float) -> Sample:
    """Each person's largest rise: in the mean of their sessions, or whether it met the rule in any of them."""
    seen = side_effects.peaks(sim, arm, figure.of, hours)
    if not figure.is_share:
        rises = [rise for rise, _ in seen]
        own = np.max(rises, axis=0) if figure.ever else np.mean(rises, axis=0)
        return Sample(own, "mean", _family(figure), span_of(figure.of))
    if figure.rule is None:
        raise Unpredictable(f"{figure.of}: the file does not say what counts (rule = '>= 180' or '>= +40')")
    wanted = rule(figure.rule)
    reached = [_met(wanted, rise if wanted.kind == "rise" else level, np.zeros(sim.n)) for rise, level in seen]
    return Sample(np.any(reached, axis=0), "share", "share")


# --- plasma ---------------------------------------------------------------------------------------------------------

_PER_NG_ML = {"ng/mL": 1.0, "ug/L": 1.0, "ug/mL": 1e-3, "mg/L": 1e-3}
_MOLAR = {"nmol/mL": 1e-3, "nmol/L": 1.0, "umol/L": 1e-3}  # of nmol/L
_MASS = {"ketamine": 237.73, "norketamine": 223.70, "HNK": 239.70, "DHNK": 221.68}  # g/mol
_AREA = {**dict.fromkeys(("ng h/mL", "ng*h/mL", "ng.h/mL", "ug h/L"), 1.0), "ng min/mL": 60.0, "ug h/mL": 1e-3}
_AREA["mg h/L"] = 1e-3


def _level(sim: Simulated, figure: Figure, hours: float) -> Sample:
    name = f"{figure.of}@{figure.site or 'venous'}"
    statistic = "median" if figure.median is not None else "mean"
    if figure.what == "concentration":
        return Sample(sim.at(name, hours) * _factor(figure), statistic, "level")
    times, course = sim.until(name, hours)
    if figure.what == "cmax":
        return Sample(course.max(axis=1) * _factor(figure), statistic, "level")
    if figure.what == "auc":
        return Sample(np.trapezoid(course, times, axis=1) * _AREA[figure.unit or "ng h/mL"], statistic, "level")
    peak = times[np.argmax(course, axis=1)]
    return Sample(peak * (60.0 if figure.unit == "min" else 1.0), statistic, "time")


def _factor(figure: Figure) -> float:
    unit = figure.unit or "ng/mL"
    if unit in _PER_NG_ML:
        return _PER_NG_ML[unit]
    return 1000 / _MASS[figure.of.removeprefix("S-").removeprefix("R-")] * _MOLAR[unit]
