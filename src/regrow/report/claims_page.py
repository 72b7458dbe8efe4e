"""The field's claims as a page: each with its verdict, evidence and number, and pictures where documents contradict.

The one thing to know: a false claim stands here beside its answer and nowhere else; the page is not for patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from regrow.catalog import claims, protocols
from regrow.chart import Chart, Limit, Line, Rug, Span, number
from regrow.evidence.answers import VERDICTS
from regrow.page.figures import figure
from regrow.page.sections import bullets, e, section, table
from regrow.people import Person, Population
from regrow.regimen import Course
from regrow.simulate import Result, run

DAY = 24.0


def pictures() -> list[Chart]:
    """What the model draws of the two contradictions: how long it lasts, and what happens to synapses."""
    one = _typical("single", 28)
    six = _typical("standard-3x2", 182)
    return [_lasting(one, "After one infusion", 28), _lasting(six, "After six infusions", 182), _synapses(one)]


def _typical(protocol: str, days: float) -> Result:
    return run(replace(Course(protocols.get(protocol)), until_h=days * DAY), Population.of(Person()))


def _lasting(result: Result, title: str, days: float) -> Chart:
    madrs = result.values["madrs"][0]
    layers = [
        Span(0.0, 4.0, "four hours"),
        Line(result.times, madrs, "typical person"),
        Limit(float(result.people.baseline[0]) / 2, "response: half the start"),
        Rug([held.session.day * DAY for held in result.sessions], "infusion"),
    ]
    return Chart(
        f"{title}: \u201cabout four hours\u201d against \u201cup to 6-months\u201d",
        tuple(layers),
        unit="MADRS, points",
        description="Simulated score of a typical person; lower is better.",
        x_range=(0.0, days * DAY),
        y_range=(0.0, 40.0),
        width=720,
        height=260,
    )


def _synapses(result: Result) -> Chart:
    until = result.times <= 14 * DAY
    line = Line(result.times[until], result.values["synapse_density"][0][until], "typical person")
    return Chart(
        "\u201cBreaking down the connection\u201d against \u201cregrow synapses\u201d",
        (line, Limit(1.0, "healthy")),
        unit="synapses, share of healthy",
        description="Simulated density of synapses after one infusion; seen in animals, not in people.",
        x_range=(0.0, 14 * DAY),
        y_range=(0.6, 1.02),
        width=720,
        height=260,
    )


def claims_sections(rows: Sequence[dict[str, Any]], charts: Sequence[Chart]) -> list[str]:
    """The sections of the page: counts, contradictions with their pictures, then each document."""
    counts = ", ".join(f"{sum(row['verdict'] == key for row in rows)} {word}" for key, word in VERDICTS.items())
    words = (
        f"{len(rows)} checkable claims of five clinics' pages: {counts}. The verdict rests on the published evidence; "
        "the number is what the model makes of the same question."
    )
    pairs = [
        f'\u201c{e(one.quote)}\u201d <span class="soft">({_who(one)})</span> against \u201c{e(other.quote)}\u201d '
        f'<span class="soft">({_who(other)})</span>'
        for one, other in claims.contradictions()
    ]
    parts = [
        '<p><a href="index.html">All studies</a></p>',
        section("counts", "In short", f"<p>{words}</p>"),
        section(
            "against",
            "Where the documents contradict each other",
            *(figure(chart, narrow=True, caption=True) for chart in charts),
            bullets(pairs),
        ),
    ]
    for place, (file, whose) in enumerate(claims.documents().items()):
        listed = [_claim(row) for row in rows if row["file"] == file]
        head = ["Claim", "verdict", "evidence", "what the model shows"]
        parts.append(section(f"document-{place + 1}", whose, table(whose, head, listed, "lines")))
    return parts


def _who(claim: claims.Claim) -> str:
    return f"{e(claims.documents()[claim.file])}: {VERDICTS[claim.verdict]}"


def _claim(row: dict[str, Any]) -> list[str]:
    recalled = " (recalled, not read)" if row["confidence"] == "memory" else ""
    sources = f" <small>{e('; '.join(row['citations']))}</small>" if row["citations"] else ""
    shown = "-"
    if row["model"] is not None and row["model"]["value"] is not None:
        unit = "" if row["model"]["unit"] == "1" else f" {row['model']['unit']}"
        value = number(float(np.asarray(row["model"]["value"])))
        shown = f"{value}{e(unit)} <small>{e(row['model']['shows'])}</small>"
    quote = f"\u201c{e(row['quote'])}\u201d"
    return [quote, VERDICTS[row["verdict"]], f"{e(row['evidence'])}{recalled}{sources}", shown]
