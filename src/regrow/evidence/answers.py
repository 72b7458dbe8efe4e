"""The field's claims with what the model shows beside each: a number that anybody can compute again.

The one thing to know: the verdict rests on the published evidence, never on the model; the number only says what these
equations make of the same question. One typical person answers, a drawn population where the question is a share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from regrow.catalog import claims, protocols, scales
from regrow.catalog.claims import Question
from regrow.people import Person, Population
from regrow.readouts import READOUTS
from regrow.refusal import Refusal
from regrow.regimen import Course
from regrow.results import summary
from regrow.simulate import Result, run

PEOPLE = 1000
SHARES = ("response_percent", "remission_percent")  # at a time, of a drawn population
_UNITS = {
    "percent": "%",
    "mmhg": "mmHg",
    "ng_ml": "ng/mL",
    "madrs": "points",
    "cadss": "points",
    "synapse": "fraction of healthy",
}

Ask = Callable[[str, tuple[Question, ...]], Mapping[Question, tuple[float | None, str]]]
"""Protocol and the questions about it -> value and unit of each."""


def claims_json(ask: Ask | None = None) -> str:
    """The contract's array: id, quote, file, verdict, evidence, citations, and `model`, the number shown, or null."""
    return json.dumps(answers(ask or ask_model), ensure_ascii=False, allow_nan=False, indent=1)


def answers(ask: Ask) -> list[dict[str, Any]]:
    """One object for each claim, in the order of the documents, with the numbers that `ask` gives."""
    wanted: dict[str, dict[Question, None]] = {}
    for claim in claims.claims():
        if claim.question is not None:
            wanted.setdefault(claim.question.protocol, {})[claim.question] = None
    shown = {name: ask(name, tuple(questions)) for name, questions in wanted.items()}
    rows = []
    for claim in claims.claims():
        model = None
        if claim.question is not None:
            value, unit = shown[claim.question.protocol][claim.question]
            model = {"asks": claim.model, "shows": claim.shows, "value": value, "unit": unit}
        rows.append(
            {
                "id": claim.id,
                "quote": claim.quote,
                "file": claim.file,
                "verdict": claim.verdict,
                "evidence": claim.evidence,
                "citations": list(claim.citations),
                "model": model,
                "contradicts": list(claim.contradicts),
                "confidence": claim.confidence,
            }
        )
    return rows


def ask_model(protocol: str, questions: tuple[Question, ...]) -> dict[Question, tuple[float | None, str]]:
    """What the model gives for each question about one protocol: the typical person's value, a population's share."""
    course = Course(protocols.get(protocol))
    times = sorted({q.at_h for q in questions if q.at_h is not None and q.at_h <= course.hours})
    late = max((q.at_h for q in questions if q.at_h is not None), default=0.0)
    if late > course.hours:
        course = Course(course.protocol, until_h=late)
        times = sorted({*times, late})
    crowd: list[Result] = []

    def population() -> Result:
        if not crowd:
            crowd.append(run(course, Population.draw(PEOPLE), times=times))
        return crowd[0]

    one = run(course, Population.of(Person()), times=times)
    totals = summary(one)
    found: dict[Question, tuple[float | None, str]] = {}
    for question in questions:
        if question.name in SHARES and question.at_h is not None:
            found[question] = _share(population(), question.name, question.at_h), "%"
        elif question.at_h is not None:
            found[question] = _readout(one, question.name, question.at_h)
        elif question.name.endswith("_percent"):
            found[question] = summary(population())[question.name], "%"
        elif question.name in totals:
            found[question] = totals[question.name], _unit(question.name)
        else:
            sentence = f"model: {question.name!r} is no key of the summary; known: {', '.join(totals)}"
            raise Refusal("CLAIM-QUESTION", sentence, field="model", value=question.name)
    return found


def _share(result: Result, name: str, at_h: float) -> float:
    rated, madrs = result.rated(at_h), scales.get("madrs")
    reached = madrs.response(rated, result.people.baseline) if name == SHARES[0] else madrs.remission(rated)
    return round(100 * float(np.mean(reached)), 1)


def _readout(result: Result, name: str, at_h: float) -> tuple[float | None, str]:
    if name not in READOUTS:
        sentence = f"model: {name!r} is no read-out; known: {', '.join(READOUTS)}"
        raise Refusal("CLAIM-QUESTION", sentence, field="model", value=name)
    value = float(f"{float(result.at(name, at_h)[0]):.4g}") if name in result.values else None
    return value, READOUTS[name].unit


def _unit(name: str) -> str:
    return next((unit for part, unit in _UNITS.items() if part in name), "1")
