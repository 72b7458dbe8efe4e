"""What a person who reads a run should be careful with, though the run could be made: one plain sentence each.

The one thing to know: nothing is refused here. A refusal is for what cannot be; a caution is for what a clinic would
sign twice, what the course leaves out, and what was stated but changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from regrow import safety
from regrow.people import Population
from regrow.regimen import KETAMINES, Course, Dose, Session, opening

# The clinic's rules on one dose: cap, absolute alert, ceiling, rate and bolus against pain.
_DOSE_RULES = ("R-DO-02", "R-DO-03", "R-DO-04", "R-DO-05", "R-DO-06")


def of_course(course: Course) -> Iterator[str]:
    """Cautions on what the course leaves out."""
    hours = course.hours
    held, _ = opening(course.protocol, hours / 24)
    left_out = [day for day in course.protocol.days if day * 24 >= hours]
    if left_out:
        yield (
            f"until: the run ends on day {hours / 24:.3g}, before {len(left_out)} of the {len(course.protocol.days)} "
            f"sessions of the fixed part; they are not simulated"
        )
    if held and hours < (end := held[-1].start_h + held[-1].duration_h):
        yield f"until: the run ends {(end - hours) * 60:.0f} min before the dose of day {held[-1].day:g} has all run in"


def of_doses(sessions: Sequence[Session], people: Population) -> Iterator[str]:
    """Cautions on doses above a clinic's caps, in the words of the clinic's rules: each dose once, for the person whom
    it reaches highest. Infusions longer than those for mood are held to the rules on pain."""
    settings = safety.Settings()
    for doses in dict.fromkeys(session.doses for session in sessions):
        for drug, route in dict.fromkeys((d.drug, d.route) for d in doses if d.drug in KETAMINES):
            same = [d for d in doses if (d.drug, d.route) == (drug, route)]
            mg = _mg(same, people)
            minutes = 60 * sum(d.duration_h for d in same)
            at_once = _mg([d for d in same if not d.duration_h], people)
            pain = minutes > settings.iv_longest
            most = int(np.argmax(mg / people.weight_kg))
            facts = safety.DoseFacts(
                drug,
                route,
                round(float(mg[most]), 6),
                float(people.weight_kg[most]),
                minutes,
                "pain" if pain else "mood",
                bolus_mg=float(at_once[most]) if pain else 0.0,
            )
            if facts.mg > 0:
                loudest = next((f for f in safety.dose_findings(facts, settings) if f.rule in _DOSE_RULES), None)
                if loudest is not None:
                    yield f"dose: {loudest.sentence} (the clinic's rule {loudest.rule}; simulated all the same)"


def _mg(doses: Sequence[Dose], people: Population) -> np.ndarray:
    """mg of base of all doses together, per person (n,)."""
    total = np.zeros(people.n)
    for dose in doses:
        total += dose.mg(people.weight_kg, people.height_cm, people.female)
    return total
