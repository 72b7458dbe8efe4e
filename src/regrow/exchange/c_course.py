"""A person's course as one C file that any C99 compiler turns into a program printing the course.

The one thing to know: the equations in it come from the one model text through the same writing of the kernel as our
own machine code; `engine/c_program.py` makes the file, this module says what goes in front of it.
"""

from __future__ import annotations

from pathlib import Path

from regrow import __version__
from regrow.engine.c_program import program
from regrow.exchange import files
from regrow.exchange.unrolled import unroll
from regrow.people import Population
from regrow.readouts import READOUTS
from regrow.refusal import Refusal
from regrow.regimen import Course


def export(course: Course, people: Population, out: Path, equations: str | None = None) -> tuple[str, ...]:
    """Writes the course of one person to `out` (.c); gives the cautions of the run and how to compile it.

    Refuses with EXPORT-PEOPLE more than one person, with OUT-ENDING, OUT-FOLDER, and as `simulate` does.
    """
    files.check(out, (".c",))
    if people.n != 1:
        sentence = f"people: a C file holds one person, not {people.n}; leave --people out, or write --people 1"
        raise Refusal("EXPORT-PEOPLE", sentence, field="people", value=people.n)
    (one,) = unroll(course, people, equations)
    needed = dict.fromkeys(name for row in READOUTS.values() for name in row.needs)
    outputs = tuple(name for name in needed if name in one.model.outputs)
    how = f"cc -std=c99 -O2 -o course {out.name} -lm && ./course > course.csv"
    head = [
        f"/* {course.protocol.title}. Source: {course.protocol.source}.",
        f" * Written by regrow {__version__}, plasma model {one.setup.model.id}. Not a medical device.",
        f" * {how}",
        " * Hours, litres, mg of base, mg/L, umol/L. */",
    ]
    safe = [line.replace("*/", "* /") if k < 3 else line for k, line in enumerate(head)]
    text = "\n".join([*safe, program(one.model, one.values, one.events, one.times, outputs)]).encode()
    files.publish({out: lambda stream: files.put(stream, text)})
    return (*one.cautions, f"wrote {out}; to run it: {how}")
