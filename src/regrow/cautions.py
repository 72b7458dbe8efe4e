"""What a person who reads a run should be careful with, though the run could be made: one plain sentence each.

The one thing to know: nothing is refused here. A refusal is for what cannot be; a caution is for what a clinic would
sign twice, what the course leaves out, and what was stated but changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from regrow.dosing import KETAMINES, Dose, Session
from regrow.people import Population
from regrow.regimen import Course, opening
from regrow.safety import DoseFacts, Settings, dose_findings
from regrow.safety.dose import PAIN_MIN

# What a clinic's rules say of the dose itself; the other rules ask for facts that a simulated person has not.
_OF_THE_DOSE = frozenset({"R-DO-02", "R-DO-03", "R-DO-04", "R-DO-05", "R-DO-06", "R-DO-09"})


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


OLDER_Y = 65.0


def of_people(sessions: Iterable[Session], people: Population) -> Iterator[str]:
    """What the label says of older people, where all are: the read-outs show the middle of them, not the largest."""
    drugs = {dose.drug for session in sessions for dose in session.doses}
    if people.n and float(np.min(people.age_y)) >= OLDER_Y and drugs & {"ketamine", "esketamine"}:
        yield (
            f"pressure: from {OLDER_Y:g} years a rise of 40 mmHg or more came to 17 % of people over eight sessions of "
            "esketamine, below to 8 % (US label); measure it before, at 40 min and until it is back"
        )


def of_doses(sessions: Iterable[Session], people: Population) -> Iterator[str]:
    """A sentence for each limit of a clinic that a session passes, for the person who gets most per kg.

    Infusions longer than those for mood are held to the rules on pain.
    """
    settings = Settings()
    for doses in dict.fromkeys(session.doses for session in sessions):
        for drug, route in dict.fromkeys((d.drug, d.route) for d in doses if d.drug in KETAMINES):
            own = [d for d in doses if (d.drug, d.route) == (drug, route)]
            mg = _mg(own, people)
            most = int(np.argmax(mg / people.weight_kg))
            minutes = sum(d.duration_h for d in own) * 60
            pain = route == "iv" and minutes > PAIN_MIN
            at_once = _mg([d for d in own if not d.duration_h], people)[most] if pain else 0.0
            facts = DoseFacts(
                drug,
                route,
                round(float(mg[most]), 1),
                float(people.weight_kg[most]),
                minutes,
                use="pain" if pain else "mood",
                bolus_mg=float(at_once),
            )
            for finding in dose_findings(facts, settings) if facts.mg > 0 else ():
                if finding.rule in _OF_THE_DOSE:
                    yield f"beyond what a clinic gives ({finding.rule}): {finding.sentence}"


def _mg(doses: Sequence[Dose], people: Population) -> np.ndarray:
    """mg of base of all doses together, per person (n,)."""
    total = np.zeros(people.n)
    for dose in doses:
        total += dose.mg(people.weight_kg, people.height_cm, people.female)
    return total
