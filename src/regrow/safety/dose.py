"""How much: the arithmetic from mg/kg to mL/h, and the rules that hold a dose to the clinic's limits.

The one thing to know: a dose above a cap needs a second signature, above a ceiling it is never given here. Worked
check: 80 kg, 0.5 mg/kg in 40 min is 40 mg, 60 mg/h, 150 mL/h from a 0.4 mg/mL bag, 0.8 mL of a 50 mg/mL
vial.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regrow.dosing import adjusted_weight, ideal_weight
from regrow.refusal import Refusal
from regrow.safety.finding import Clearance, Finding, Say, amber, judge, never, red, rule
from regrow.safety.settings import Settings

H02 = "H-02 a wrong dose"
PRESCRIBER = Clearance.PRESCRIBER
PAIN_MIN = 100  # an infusion planned longer than this is one for pain (Andrade 2017: 2 to 100 min for mood, read)
VIALS = (10.0, 50.0, 100.0)  # mg/mL sold in the US (NDC directory, read)


@dataclass(frozen=True)
class Weights:
    """The three weights a dose may be based on, kg: actual, ideal (Devine) and adjusted; bmi in kg/m2."""

    actual: float
    ideal: float
    adjusted: float
    bmi: float


def weights(weight_kg: float, height_cm: float, female: bool) -> Weights:
    """Actual, ideal (Devine) and adjusted weight, as a simulated dose counts them (`regrow.dosing`).

    Refuses with WEIGHT-RANGE and HEIGHT-RANGE. Source: APA 2017 mentions ideal weight from BMI 30 (memory).
    """
    if not 25 <= weight_kg <= 350:
        raise Refusal("WEIGHT-RANGE", f"weight {weight_kg:g} kg is outside 25 to 350 kg; weigh again.", field="weight")
    if not 100 <= height_cm <= 250:
        raise Refusal(
            "HEIGHT-RANGE", f"height {height_cm:g} cm is outside 100 to 250 cm; measure again.", field="height"
        )
    ideal = ideal_weight(height_cm, female)
    return Weights(weight_kg, ideal, adjusted_weight(weight_kg, ideal), weight_kg / (height_cm / 100) ** 2)


@dataclass(frozen=True)
class DoseSheet:
    """One dose worked out: mg, mg/kg, and where it is an infusion mg/h, mg/kg/h, mL/h; mL to draw from the vial."""

    mg: float
    mg_per_kg: float
    weight: float
    duration_min: float
    mg_per_h: float | None
    mg_per_kg_h: float | None
    draw_ml: float
    ml_per_h: float | None


def pump_sheet(
    mg: float, weight: float, duration_min: float, vial_mg_ml: float, bag_ml: float | None = None
) -> DoseSheet:
    """The arithmetic of one dose; `bag_ml` is the whole volume after mixing. Refuses a vial that is not sold."""
    if vial_mg_ml not in VIALS:
        raise Refusal(
            "VIAL-STRENGTH",
            f"vial strength {vial_mg_ml:g} mg/mL is none of 10, 50, 100 mg/mL; read the label again.",
            field="vial",
            value=vial_mg_ml,
        )
    hours = duration_min / 60
    return DoseSheet(
        mg=mg,
        mg_per_kg=mg / weight,
        weight=weight,
        duration_min=duration_min,
        mg_per_h=mg / hours if hours else None,
        mg_per_kg_h=mg / hours / weight if hours else None,
        draw_ml=mg / vial_mg_ml,
        ml_per_h=bag_ml / hours if hours and bag_ml else None,
    )


@dataclass(frozen=True)
class DoseFacts:
    """One planned dose. route: iv im sc oral sublingual intranasal; use: mood or pain; mg of base; durations in min.

    `bolus_mg` is a loading bolus before a pain infusion; `basis` is actual, ideal, adjusted or "" (not chosen);
    `weight` is the actual weight, kg, `weight_before` the one measured before it; `per_kg` says that the mg follow from
    the weight; `first_mg` the first dose of this person's earlier courses, None for the first course.
    `pain_indication` is True when pain is what the evaluation names.
    """

    drug: str
    route: str
    mg: float
    weight: float | None
    duration_min: float = 0
    use: str = "mood"
    weight_age_days: float | None = 0
    bmi: float | None = None
    basis: str = "actual"
    basis_chosen: bool = False
    bolus_mg: float = 0
    first_mg: float | None = None
    age: float | None = None
    first_of_course: bool = False
    per_kg: bool = False
    weight_before: float | None = None
    pain_indication: bool = True


def _per_kg(f: DoseFacts) -> float | None:
    return f.mg / f.weight if f.weight else None


@rule(
    "R-DO-01",
    "dose",
    "Weight of today",
    hazard=H02,
    source="Atlanta clinic 'based on a person weight' (read); 7 d assumed",
)
def fresh_weight(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.weight is None:
        yield never("no weight is recorded; weigh the person.")
    elif f.weight_age_days is None or f.weight_age_days > s.weight_days:
        yield never(
            f"the weight is {f.weight_age_days or 0:g} days old; {s.weight_days:g} count. Weigh again.",
            days=f.weight_age_days,
            limit_d=s.weight_days,
        )


@rule(
    "R-DO-02",
    "dose",
    "Dose above the clinic's cap",
    hazard=H02,
    source="caps assumed; Andrade 2017 and 2019 report 0.1 to 0.75 IV and to 7 oral (read); KADS SC (memory)",
)
def cap(f: DoseFacts, s: Settings) -> Iterator[Say]:
    per_kg = _per_kg(f)
    if f.use == "pain" or per_kg is None:
        return
    flat = {"sublingual": s.cap_sl, "intranasal": s.cap_nasal if f.drug == "ketamine" else None}
    each = {"iv": s.cap_iv, "im": s.cap_im, "sc": s.cap_sc, "oral": s.cap_po}
    if f.drug == "esketamine":
        each |= dict.fromkeys(("iv", "im", "sc"), s.esk_cap)
    if f.route in each and per_kg > each[f.route] + 1e-9:
        limit = each[f.route]
        yield red(
            f"{f.mg:g} mg is {per_kg:.2f} mg/kg {f.route.upper()}, above the cap of {limit:g} mg/kg: a second "
            "prescriber signs.",
            Clearance.SECOND,
            mg_per_kg=round(per_kg, 3),
            limit=limit,
        )
    elif flat.get(f.route) is not None and f.mg > flat[f.route] + 1e-9:
        yield red(
            f"{f.mg:g} mg {f.route}, above the cap of {flat[f.route]:g} mg: a second prescriber signs.",
            Clearance.SECOND,
            mg=f.mg,
            limit=flat[f.route],
        )


@rule("R-DO-03", "dose", "Absolute alert", hazard=H02, source="assumed")
def alert(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.route in ("iv", "im", "sc") and f.use == "mood" and f.mg > s.alert_mg:
        yield red(
            f"{f.mg:g} mg in one session, alert above {s.alert_mg:g} mg: a second prescriber signs.",
            Clearance.SECOND,
            mg=f.mg,
            limit=s.alert_mg,
        )


@rule("R-DO-04", "dose", "Ceiling", hazard=H02, source="oral: highest that Andrade 2019 reports (read); others assumed")
def ceiling(f: DoseFacts, s: Settings) -> Iterator[Say]:
    unknown = f.per_kg and (f.weight is None or f.bmi is None)  # then other rules say what is missing
    if f.mg <= 0 and not unknown:
        yield never(f"a dose of {f.mg:g} mg is not a dose.", mg=f.mg)
    per_kg = _per_kg(f)
    each = {"iv": s.ceiling_iv, "im": s.ceiling_im, "sc": s.ceiling_im, "oral": s.ceiling_po}
    if f.drug == "esketamine":
        each |= dict.fromkeys(("iv", "im", "sc"), s.esk_ceiling)
    if f.drug not in ("ketamine", "esketamine") or f.route not in (*each, "intranasal", "sublingual"):
        yield never(f"{f.drug} by route {f.route}: no limit is laid down here, so it is not given here.")
    if f.use == "mood" and per_kg is not None and f.route in each and per_kg > each[f.route] + 1e-9:
        yield never(
            f"{per_kg:.2f} mg/kg {f.route.upper()} is above {each[f.route]:g} mg/kg, the ceiling here. Check the "
            "unit and the decimal point.",
            mg_per_kg=round(per_kg, 3),
            limit=each[f.route],
        )
    if f.use == "mood" and f.drug == "ketamine" and f.route in ("intranasal", "sublingual") and f.mg > s.ceiling_flat:
        yield never(
            f"{f.mg:g} mg {f.route} is above {s.ceiling_flat:g} mg, the ceiling here.", mg=f.mg, limit=s.ceiling_flat
        )


@rule("R-DO-05", "dose", "Pain infusion rate", hazard=H02, source="ASRA 2018 chronic pain (read)")
def pain_rate(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.use != "pain" or not f.weight:
        return
    if f.route != "iv" or f.duration_min <= 0:
        yield never("a pain infusion has a duration and runs into a vein; at once it is a bolus.")
        return
    rate = (f.mg - f.bolus_mg) / f.weight / (f.duration_min / 60)
    if rate > s.pain_rate_ceiling + 1e-9:
        yield never(
            f"{rate:.2f} mg/kg/h is above {s.pain_rate_ceiling:g}, the ceiling here.",
            rate=round(rate, 3),
            limit=s.pain_rate_ceiling,
        )
    elif rate > s.pain_rate_cap + 1e-9:
        yield red(
            f"{rate:.2f} mg/kg/h is above {s.pain_rate_cap:g}: a second prescriber signs.",
            Clearance.SECOND,
            rate=round(rate, 3),
            limit=s.pain_rate_cap,
        )


@rule("R-DO-06", "dose", "Pain bolus", hazard=H02, source="ASRA 2018 chronic pain (read)")
def pain_bolus(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.weight and f.bolus_mg / f.weight > s.pain_bolus_cap + 1e-9:
        yield red(
            f"bolus {f.bolus_mg / f.weight:.2f} mg/kg is above {s.pain_bolus_cap:g}: a second prescriber signs.",
            Clearance.SECOND,
            mg_per_kg=round(f.bolus_mg / f.weight, 3),
            limit=s.pain_bolus_cap,
        )


@rule("R-DO-07", "dose", "Esketamine devices", hazard=H02, source="Spravato US label; EU and UK labels (read)")
def devices(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.drug != "esketamine" or f.route != "intranasal":
        return
    if f.mg not in (28, 56, 84):
        yield never(f"{f.mg:g} mg is none of 28, 56, 84 mg (1, 2, 3 devices).", mg=f.mg)
        return
    eu_old = bool(s.eu_label) and f.age is not None and f.age >= 65
    if f.mg == 28 and not eu_old:
        yield red("28 mg is no labelled dose here (EU and UK: from 65 years).", Clearance.PRESCRIBER, mg=f.mg)
    if eu_old and f.first_of_course and f.mg != 28:
        yield red(
            f"from 65 years the first dose is 28 mg on this label, not {f.mg:g} mg.", Clearance.PRESCRIBER, mg=f.mg
        )


@rule(
    "R-DO-08", "dose", "Weight basis from BMI 30", hazard=H02, source="APA 2017 (memory); later data against it (read)"
)
def basis(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.per_kg and f.bmi is None:
        yield never("no height is recorded, so the BMI is not known; measure the height.")
    if f.bmi is not None and f.bmi >= s.bmi_basis and not f.basis_chosen:
        yield red(
            f"BMI {f.bmi:.1f} kg/m2, from {s.bmi_basis:g} the prescriber picks actual, ideal or adjusted weight.",
            Clearance.NEVER,
            bmi=f.bmi,
            limit=s.bmi_basis,
        )


@rule("R-DO-09", "dose", "Infusion time", hazard=H02, source="Andrade 2017: 2 to 100 min (read); 20 min assumed")
def duration(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.route != "iv" or f.use != "mood":
        return
    if f.duration_min < s.iv_shortest:
        yield never(
            f"{f.duration_min:g} min is faster than {s.iv_shortest:g} min.", min=f.duration_min, limit=s.iv_shortest
        )
    elif f.duration_min < s.iv_fast:
        yield red(
            f"{f.duration_min:g} min is fast, below {s.iv_fast:g} min: is a 0 missing?",
            Clearance.PRESCRIBER,
            min=f.duration_min,
            limit=s.iv_fast,
        )
    elif f.duration_min > s.iv_longest:
        yield amber(
            f"{f.duration_min:g} min is slower than {s.iv_longest:g} min.",
            Clearance.PRESCRIBER,
            min=f.duration_min,
            limit=s.iv_longest,
        )


@rule("R-DO-10", "dose", "Dose creep", hazard="H-08 misuse", source="label: monitor abuse (read); 50 % assumed")
def creep(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.first_mg and f.mg > f.first_mg * (1 + s.creep_percent / 100) + 1e-9:
        yield amber(
            f"{f.mg:g} mg is more than {s.creep_percent:g} % above the first dose of {f.first_mg:g} mg.",
            Clearance.PRESCRIBER,
            mg=f.mg,
            first_mg=f.first_mg,
        )


@rule("R-DO-11", "dose", "Pain rules only for pain", hazard=H02, source="assumed: a long infusion has other limits")
def for_pain(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if f.use == "pain" and not f.pain_indication:
        yield red("a pain infusion, but the evaluation does not name pain: is this the protocol?", PRESCRIBER)


@rule("R-DO-12", "dose", "Weight believable", hazard=H02, source="assumed: pounds for kilograms double a dose")
def believable(f: DoseFacts, s: Settings) -> Iterator[Say]:
    if not f.per_kg or f.weight is None:
        return
    if f.weight_before and abs(f.weight / f.weight_before - 1) * 100 > s.weight_jump + 1e-9:
        yield never(
            f"weight {f.weight:g} kg, before it {f.weight_before:g} kg: more than {s.weight_jump:g} % apart (pounds "
            "for kilograms?). Weigh again; a second weighing that agrees settles it.",
            weight=f.weight,
            before=f.weight_before,
        )
    if f.bmi is not None and not s.bmi_low <= f.bmi <= s.bmi_high:
        yield red(
            f"BMI {f.bmi:.1f} kg/m2, outside {s.bmi_low:g} to {s.bmi_high:g}: are weight and height in kg and cm?",
            PRESCRIBER,
            bmi=round(f.bmi, 1),
        )


def dose_findings(facts: DoseFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every finding on one planned dose, loudest first."""
    return judge("dose", facts, settings)
