"""The field's claims with what the model shows beside each: a number that anybody can compute again.

The one thing to know: the verdict rests on the published evidence, never on the model; the number only says what these
equations make of the same question. One typical person answers, a drawn population where the question is a share.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
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

VERDICTS = {"true": "true", "partly": "partly", "false": "false", "unknown": "cannot be known"}

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


def as_text(rows: list[dict[str, Any]], width: int = 100) -> str:
    """The answers for people: counts, then document by document each claim with verdict, reason, number and sources.

    Pairs of claims that cannot both hold stand at the end.
    """
    counts = {word: sum(row["verdict"] == key for row in rows) for key, word in VERDICTS.items()}
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    lines = [f"{len(rows)} claims of {len({row['file'] for row in rows})} documents: {said}."]
    lines += textwrap.wrap(
        "The verdict rests on the published evidence; the number is what the model makes of the same question. "
        "Simulated, not observed; not a medical device.",
        width,
    )
    for file in dict.fromkeys(row["file"] for row in rows):
        lines += ["", f"{claims.documents().get(file, '')} ({file})".strip()]
        for row in rows:
            if row["file"] == file:
                lines += ["", *_claim_lines(row, width)]
    by_id = {row["id"]: row for row in rows}
    pairs = [(one, other) for one, other in claims.contradictions() if one.id in by_id and other.id in by_id]
    if pairs:
        lines += ["", f"{len(pairs)} pairs of claims contradict each other:"]
    for one, other in pairs:
        sides = (f'"{c.quote}" ({claims.documents().get(c.file, c.file)}: {VERDICTS[c.verdict]})' for c in (one, other))
        lines += textwrap.wrap(
            "  - " + "  against  ".join(sides), width, subsequent_indent="    ", break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"


def _claim_lines(row: dict[str, Any], width: int) -> list[str]:
    indent = " " * 11
    recalled = " (recalled, not read)" if row["confidence"] == "memory" else ""
    blocks = [f'"{row["quote"]}"', row["evidence"] + recalled]
    if row["model"] is not None:
        value, unit = row["model"]["value"], row["model"]["unit"]
        number = "no number" if value is None else f"{value:.3g}{'' if unit == '1' else f' {unit}'}"
        blocks.append(f"Model: {number}, {row['model']['shows']} [{row['model']['asks']}]")
    if row["citations"]:
        blocks.append(f"Sources: {'; '.join(row['citations'])}")
    wrapped = (
        textwrap.wrap(block, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        for block in blocks
    )
    lines = [line for lines in wrapped for line in lines]
    label = row["verdict"].upper()
    return [f"  {label:<8} {lines[0].lstrip()}", *lines[1:]]


def ask_model(protocol: str, questions: tuple[Question, ...]) -> dict[Question, tuple[float | None, str]]:
    """What the model gives for each question about one protocol: the typical person's value, a population's share."""
    found: dict[Question, tuple[float | None, str]] = {}
    for condition in dict.fromkeys(question.condition for question in questions):
        found |= _ask_of(protocol, condition, tuple(q for q in questions if q.condition == condition))
    return found


def _ask_of(protocol: str, condition: str, questions: tuple[Question, ...]) -> dict[Question, tuple[float | None, str]]:
    course = Course(protocols.get(protocol), condition=condition or None)
    times = sorted({q.at_h for q in questions if q.at_h is not None and q.at_h <= course.hours})
    late = max((q.at_h for q in questions if q.at_h is not None), default=0.0)
    if late > course.hours:
        course = replace(course, until_h=late)
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
