"""The sections of the page as HTML: each function takes the facts of a run and gives one section.

The one thing to know: every text from outside passes `e`; sections hold no styling beyond class names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from regrow.chart import number
from regrow.dosing import DEVICE_MG, KETAMINES
from regrow.page import figures, story
from regrow.page.facts import DAY_H, REMISSION_AT, Facts, Session, Spread, spread

if TYPE_CHECKING:
    from regrow.catalog.scales import RelapseOf

ROUTES = {
    "iv": "into a vein",
    "im": "into a muscle",
    "sc": "under the skin",
    "intranasal": "as a nasal spray",
    "oral": "by mouth",
    "sublingual": "under the tongue",
    "rectal": "into the rectum",
}
INJECTED = ("iv", "im", "sc")


def e(text: object) -> str:
    return escape(str(text))


def section(name: str, title: str, *parts: str) -> str:
    body = "\n".join(part for part in parts if part)
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{e(title)}</h2>\n{body}\n</section>'


def bullets(items: Iterable[str], kind: str = "") -> str:
    inside = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{inside}</ul>" if inside else ""


def table(label: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table in a box that scrolls by itself on small screens; the first cell of a row is its head."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    classes = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{e(label)}"><table{classes}>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _with_range(found: Spread, *, one: bool, digits: int = 0, sign: bool = False) -> str:
    """The middle value, and beneath it where 9 in 10 people lie."""

    def say(value: float) -> str:
        if not isfinite(value):
            return "-"
        text = f"{value:{'+' if sign else ''}.{digits}f}"
        return text.replace("-", "\N{MINUS SIGN}") if float(text) else "0"

    if one or not isfinite(found.median) or say(found.p5) == say(found.p95):
        return say(found.median)
    return f"{say(found.median)} <small>{say(found.p5)} to {say(found.p95)}</small>"


def day(hours: float) -> str:
    days = hours / DAY_H
    return f"day {days:.0f}" if days == round(days) else f"day {days:.1f}"


def eyebrow(facts: Facts) -> str:
    """What stands above the page's title: what was given, and that it is simulated."""
    given = f" with {' and '.join(map(named, facts.drugs))}" if facts.drugs else ""
    return e(f"A treatment course{given}, simulated")


def named(drug: str) -> str:
    """A drug as it is called within a sentence: "ketamine", "SSRI", "MK-801"."""
    from regrow.catalog import drugs
    from regrow.refusal import Refusal

    try:
        name = re.split(r"[,(]", drugs.get(drug).title)[0].strip()
    except Refusal:
        return drug
    return name if name[1:2].isupper() else name.lower()


# --- in short -------------------------------------------------------------------------------------------------------


def in_short(facts: Facts, without_drug: Facts | None) -> str:
    """The score and the shares of people at the start, after a day, after a week and at the end."""
    moments = [("24h", DAY_H, "24 hours"), ("7d", 7 * DAY_H, "7 days")]
    moments = [moment for moment in moments if moment[1] < facts.end]
    moments.append(("end", facts.end, f"End, {day(facts.end)}"))
    start = spread(facts.baseline)
    scores = [spread(facts.at("madrs", hours)) for _, hours, _ in moments]
    rows = [
        ["Score (MADRS)", *(_with_range(found, one=facts.one) for found in [start, *scores])],
        ["Change", "", *(_with_range(spread(facts.at("madrs", h) - facts.baseline), one=facts.one, sign=True)
                         for _, h, _ in moments)],
    ]  # fmt: skip
    if facts.people == 1:
        words = "A typical person: the model's middle values, without chance. Most people do better or worse than this."
        if not facts.one:
            words += f" In small type what differs between the {facts.among}."
    else:
        rows.append(["Responding", "", *(f"{facts.response_percent(h, n):.0f} %" for n, h, _ in moments)])
        rows.append(["In remission", "", *(f"{facts.remission_percent(h, n):.0f} %" for n, h, _ in moments)])
        words = (
            f"Of {facts.people:,} simulated people the middle one, and in small type {facts.among}. "
            f"Responding: a score at most half of one's own at the start. Remission: {REMISSION_AT:.0f} points or less."
        )
    if without_drug is not None:
        bare = [spread(without_drug.at("madrs", hours)) for _, hours, _ in moments]
        rows.append(["Score, no drug", "", *(_with_range(found, one=facts.one) for found in bare)])
    head = [facts.middle.capitalize(), "Start", *(title for _, _, title in moments)]
    return section("short", "In short", table("Scores and shares", head, rows, "key"), f'<p class="soft">{words}</p>')


# --- what was simulated ---------------------------------------------------------------------------------------------


def _people_line(facts: Facts) -> str:
    parts = [f"{facts.people:,} people, drawn by chance (seed {facts.seed})"]
    if facts.people == 1:
        parts = ["one typical person"]
    for name, words, unit in (("weight_kg", "weight", "kg"), ("age_y", "age", "years")):
        if name in facts.data and facts.data[name].dims == ("person",):
            found = spread(facts.data[name].to_numpy())
            low, high = f"{found.p5:.0f}", f"{found.p95:.0f}"
            parts.append(f"{words} {low} {unit}" if low == high else f"{words} {low} to {high} {unit}")
    found = spread(facts.baseline)
    low, high = f"{found.p5:.0f}", f"{found.p95:.0f}"
    parts.append(f"MADRS at the start {low if low == high else f'{low} to {high}'}")
    return ", ".join(parts)


def _model(name: str) -> str:
    from regrow.catalog import models
    from regrow.refusal import Refusal

    try:
        return f"{e(models.get(name).title)} ({e(name)})"
    except Refusal:
        return e(name)


def what(facts: Facts) -> str:
    """Who was simulated, by whose schedule, under which belief, and what was filled in because the source is silent."""
    rows = [("People", e(_people_line(facts)))]
    if facts.condition:
        rows.append(("Condition", e(facts.condition)))
    rows.append(("Schedule", f"{e(facts.title)}. Source: {e(facts.source)}" if facts.source else e(facts.title)))
    if facts.belief:
        rows.append(("Belief", e(story.BELIEFS.get(facts.belief, facts.belief))))
    if facts.switches:
        rows.append(("Changed in the mechanism", e(", ".join(facts.switches))))
    if facts.models and not set(facts.drugs) & story.OTHERS.keys() - {"memantine", "mk-801"}:
        rows.append(("Model of the drug in the blood", "; ".join(_model(name) for name in facts.models)))
    rows.append(("Followed for", f"{facts.end / DAY_H:.0f} days from the first dose"))
    listed = "".join(f"<dt>{e(name)}</dt><dd>{value}</dd>" for name, value in rows)
    cautions = "".join(f'<p class="caution">{e(item)}</p>' for item in facts.cautions)
    notes = bullets(e(sentence) for note in facts.notes for sentence in re.split(r"(?<=[.?]) (?=['A-Z])", note))
    assumed = bullets(e(item) for item in facts.assumed)
    return section(
        "what",
        "What was simulated",
        f'<dl class="facts">{listed}</dl>',
        cautions,
        f"<h3>What the source leaves open</h3>{notes}" if notes else "",
        f"<h3>Assumed here, because the source does not say</h3>{assumed}" if assumed else "",
    )


# --- the schedule ---------------------------------------------------------------------------------------------------


def strength(drug: str, wanted: float | None) -> tuple[float | None, tuple[float, ...]]:
    """The vial to reckon with, in mg of base per mL, and the others that the drug comes in."""
    from regrow.catalog import drugs
    from regrow.refusal import Refusal

    try:
        known = tuple(float(value) for value in drugs.get(drug).strengths_mg_ml)
    except Refusal:
        known = ()
    if wanted is not None:
        return wanted, tuple(value for value in known if value != wanted)
    chosen = 50.0 if 50.0 in known else known[-1] if known else None
    return chosen, tuple(value for value in known if value != chosen)


def amount(value: float, digits: int) -> str:
    """A dose as it is written in medicine: a zero before the point, none at the end (5 mg, never 5.0 mg)."""
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _dose(session: Session, mg_per_ml: float | None) -> tuple[str, str]:
    """A session's dose in mg and its volume, the middle person's with where 9 in 10 lie."""
    mg = spread(session.mg)

    def say(per: float, digits: int, unit: str) -> str:
        middle, low, high = (amount(value / per, digits) for value in (mg.median, mg.p5, mg.p95))
        return f"{middle} {unit}" + ("" if low == high else f" <small>{low} to {high}</small>")

    if session.route == "intranasal" and session.drug == "esketamine" and mg.median % DEVICE_MG == 0:
        devices = mg.median / DEVICE_MG
        return say(1, 1, "mg"), f"{devices:.0f} device{'s' if devices > 1 else ''} of {DEVICE_MG:.0f} mg"
    if mg_per_ml is None or session.route not in INJECTED:
        return say(1, 1, "mg"), "-"
    return say(1, 1, "mg"), say(mg_per_ml, 2, "mL")


def _given(session: Session) -> str:
    how = " and ".join(ROUTES.get(part, part) for part in session.route.split("+"))
    if not session.minutes:
        return e(f"{how} at once" if session.route in INJECTED else how)
    hours = session.minutes / 60
    return e(f"{how} over {f'{session.minutes:.0f} min' if hours < 3 else f'{number(hours)} h'}")


def schedule(facts: Facts, mg_per_ml: float | None) -> str:
    """Every session: its day, dose in mg and mL, how it is given, and for how many people where a score decides."""
    if not facts.sessions:
        return section("schedule", "Schedule", "<p>No session was given.</p>")
    first = facts.sessions[0]
    vial, others = strength(first.drug, mg_per_ml)
    parted = any(session.percent < 99.95 for session in facts.sessions)
    phases = len({session.phase for session in facts.sessions}) > 1
    ways = {_given(session) for session in facts.sessions}
    rows = []
    for session in facts.sessions:
        dose, volume = _dose(session, vial)
        row = [str(session.number), f"{session.day:g} <small>week {int(session.day // 7) + 1}</small>", dose, volume]
        if len(ways) > 1:
            row.append(_given(session))
        if phases:
            row.append(e(session.phase))
        if parted:
            row.append(f"{session.percent:.0f} %")
        rows.append(row)
    volume = f"Volume <small>at {vial:g} mg/mL</small>" if vial and first.route in INJECTED else "Amount"
    head = ["Session", "Day", "Dose <small>of base</small>", volume]
    head += ["How"] if len(ways) > 1 else []
    head += ["Phase"] if phases else []
    head += ["People <small>on that day</small>"] if parted else []
    words = []
    if vial and first.route in INJECTED:
        also = [f"{amount(float(np.nanmedian(first.mg)) / other, 2)} mL at {other:g} mg/mL" for other in others]
        words.append(
            f"The volume is for a vial of {vial:g} mg/mL. "
            + (f"The first dose is {' or '.join(also)}. " if also else "")
            + "Read the vial before drawing up."
        )
    if parted:
        words.append(
            "Where a score decides whether a session is held, people part: shown are the sessions of the person whose "
            "number of sessions is the middle one, and the last column says how many people have one on that day."
        )
    count = len(facts.sessions)
    opening = f"{count} session{'s' if count > 1 else ''} with {e(named(first.drug) if first.drug else 'the drug')}"
    opening += f", {'each ' if count > 1 else ''}given {ways.pop()}." if len(ways) == 1 else "."
    return section(
        "schedule",
        "Schedule",
        f"<p>{opening} Day 0 is the first.</p>",
        table("Schedule", head, rows, "lines"),
        *(f'<p class="soft">{word}</p>' for word in words),
    )


# --- mood -----------------------------------------------------------------------------------------------------------


def mood(facts: Facts, without_drug: Facts | None) -> str:
    """The score over the course, and how much of it is expectancy."""
    parts = [figures.figure(figures.mood(facts, without_drug), narrow=True)]
    if without_drug is not None and facts.end > DAY_H:
        fell = float(np.median(facts.baseline - facts.at("madrs", DAY_H)))
        bare = float(np.median(without_drug.baseline - without_drug.at("madrs", DAY_H)))
        parts.append(
            f"<p>A day after the first dose the middle person is {fell:.1f} points down. The same visits without the "
            f"drug give {bare:.1f} points: that part is expectancy and the course of time.</p>"
        )
    elif set(facts.drugs) & {"placebo", "pill"}:
        parts.append("<p>No drug is given: all of this is expectancy and the course of time.</p>")
    elif facts.belief == "none":
        parts.append("<p>Expectancy is switched off in this run: what is shown is the drug's part alone.</p>")
    else:
        parts.append("<p>This prediction includes expectancy; the drug alone would show less.</p>")
    parts.append(f"<p>{story.EXPECTANCY}</p>")
    return section("mood", "Predicted mood", *parts)


def pain(facts: Facts) -> str:
    """Pain over the course, where the run names a condition that hurts; else nothing."""
    if not facts.has("pain_nrs"):
        return ""
    start, end = spread(facts.at("pain_nrs", 0.0)), spread(facts.at("pain_nrs", facts.end))
    lowest = spread(np.nanmin(facts.curve("pain_nrs"), axis=1))
    words = (
        f"The {facts.middle} has {start.median:.1f} of 10 points at the start, {lowest.median:.1f} at the best moment "
        f"and {end.median:.1f} on {day(facts.end)}. What is known of this relief stands under what was simulated."
    )
    return section("pain", "Predicted pain", figures.figure(figures.pain(facts), narrow=True), f"<p>{words}</p>")


_RULES = {"<=": "at most", "<": "below", ">=": "at least", ">": "above"}


def _rule(text: str) -> str:
    """A scale's rule in words: "-50 %" is "50 % lower", "<= 10" is "at most 10"."""
    if text.startswith("-"):
        return f"{text.removeprefix('-').strip()} lower"
    sign, _, value = text.partition(" ")
    return f"{_RULES.get(sign, sign)} {value}"


def _relapse(rule: RelapseOf) -> str:
    """A scale's relapse in words: "at least 10 or 50 % of the gain lost, 2 visits in a row"."""
    parts = [f"at least {rule.at_least:g}"] if rule.at_least is not None else []
    parts += [f"{100 * rule.gain_lost:.0f} % of the gain lost"] if rule.gain_lost is not None else []
    return f"{' or '.join(parts)}, {rule.readings} visits in a row"


def scales(facts: Facts) -> str:
    """The course on every rating scale that the run gives, each judged by its own rule."""
    from regrow.catalog import scales as shelf

    rows = []
    for name, id in facts.scales.items():
        file = shelf.read(id)
        prefix = "" if name == "madrs" else f"{name}_"

        def share(key: str, rule: str, prefix: str = prefix) -> str:
            value = facts.summary.get(f"{prefix}{key}")
            return "-" if value is None else f"{value:.0f} % <small>{e(rule)}</small>"

        row = [e(file.name), *(_with_range(_stated(facts.summary.get(f"{name}_{key}")), one=facts.one)
                               for key in ("baseline", "end"))]  # fmt: skip
        if facts.people > 1:
            row.append(share("response_end_percent", _rule(file.response.rule) if file.response else ""))
            row.append(share("remission_end_percent", _rule(file.remission.rule) if file.remission else ""))
            row.append(share("relapse_percent", _relapse(file.relapse) if file.relapse else ""))
        rows.append(row)
    if len(rows) < 2:
        return ""
    head = ["Scale", "Start", f"End, {day(facts.end)}"]
    if facts.people > 1:
        head += ["Responding", "In remission", "Relapsed <small>of those who had responded</small>"]
    words = (
        "Only MADRS is predicted. The others are read from it: depression scales by published tables, the rest by the "
        "share of improvement that studies report. One person may lie several points apart. Anxiety, post-traumatic "
        "stress and suicidal ideation are shown when the run names such a condition."
    )
    return section("scales", "On each scale", table("Scales", head, rows), f'<p class="soft">{words}</p>')


def _stated(value: object) -> Spread:
    """A number of the summary as a spread: one number, or median with 5th and 95th percentile."""
    nan = float("nan")
    if isinstance(value, dict):
        low, middle, high = (nan if value[key] is None else float(value[key]) for key in ("p5", "median", "p95"))
        return Spread(low, nan, middle, nan, high)
    number = nan if value is None else float(str(value))
    return Spread(number, number, number, number, number)


# --- how it works ---------------------------------------------------------------------------------------------------

_TAGS = {story.PEOPLE: "people", story.PARTLY: "partly", story.ANIMALS: "animals", story.MODEL: "model"}


def steps(facts: Facts) -> str:
    """Each step from dose to mood: its curve, one plain sentence, and what is known of it in people.

    Under a drug that is no ketamine only the curves that move, and a sentence on what that drug does instead.
    """
    if not facts.ketamine:
        return _other_steps(facts)
    drug = next((name for name in facts.drugs if name in KETAMINES), "the drug").capitalize()
    items = []
    for place, which in enumerate(story.STEPS, start=1):
        chart = figures.step(facts, which, drug)
        if chart is None:
            drawn = f'<p class="soft">Not in this run: {e(facts.why_missing(which.curves[0].readout))}.</p>'
        else:
            drawn = figures.figure(chart)
        items.append(
            f"<li><h3>{place}. {e(which.title.format(drug=drug))}</h3>{drawn}<p>{e(which.says)}</p>"
            f'<p class="known"><span class="tag {_TAGS[which.status]}">{which.status}</span> {e(which.people)}</p></li>'
        )
    return _listed_steps(facts, "From the first dose to mood, in the order in which it happens.", items)


def _other_steps(facts: Facts) -> str:
    shown = [(which, figures.step(facts, which)) for which in story.STEPS if figures.moves(facts, which)]
    items = [f"<li><h3>{e(which.bare)}</h3>{figures.figure(chart)}</li>" for which, chart in shown if chart is not None]
    still = [which.bare for which in story.STEPS if figures.moves(facts, which) is False]
    words = " ".join(story.OTHERS.get(drug, story.UNNAMED).mood for drug in facts.drugs)
    if still:
        words += f" Nothing moves in: {'; '.join(still)}."
    return _listed_steps(facts, words, items)


def _listed_steps(facts: Facts, words: str, items: list[str]) -> str:
    if items and facts.sessions and facts.sessions[0].minutes:
        words += " Grey: while the drug runs in."
    if items and not facts.one:
        words += f" Lines show the {facts.middle}, the shading about them {facts.among}."
    return section(
        "steps",
        "How it works, step by step",
        f"<p>{e(words)}</p>",
        f'<ol class="steps">{"".join(items)}</ol>' if items else "",
    )


# --- side effects ---------------------------------------------------------------------------------------------------


def _chosen(sessions: list[Session]) -> list[Session]:
    """All sessions of a short course; of a long one the first six and the last."""
    return sessions if len(sessions) <= 8 else [*sessions[:6], sessions[-1]]


def side_effects(facts: Facts, limits: figures.Limits) -> str:
    """Dissociation, pressure, pulse and sedation in the first session, and their peaks session by session."""
    if not facts.ketamine and "midazolam" not in facts.drugs:
        told = "".join(f"<p>{e(story.OTHERS.get(drug, story.UNNAMED).body)}</p>" for drug in facts.drugs)
        return section("body", "Side effects in the session", told, f"<p>{story.DECIDE}</p>")
    names = ("cadss", "sbp", "hr", "sedation") if facts.ketamine else ("sedation",)
    charts = [figures.figure(chart, caption=True) for chart in figures.body(facts, limits, names)]
    later = figures.tolerance(facts) if facts.ketamine else None
    if later is not None:
        charts.append(figures.figure(later, caption=True))
    columns = [
        ("Dissociation <small>CADSS</small>", lambda s: facts.peak("cadss", s), 0, False),
        ("after <small>minutes</small>", lambda s: facts.minutes_to_peak("cadss", s), 0, False),
        ("Systolic rise <small>mmHg</small>", lambda s: facts.peak("sbp", s, rise=True), 0, True),
        ("after <small>minutes</small>", lambda s: facts.minutes_to_peak("sbp", s), 0, False),
        ("Diastolic rise <small>mmHg</small>", lambda s: facts.peak("dbp", s, rise=True), 0, True),
        ("Pulse rise <small>per minute</small>", lambda s: facts.peak("hr", s, rise=True), 0, True),
        ("Sedation <small>lowest MOAA/S</small>", lambda s: facts.peak("sedation", s, lowest=True), 1, False),
    ]
    columns = columns if facts.ketamine else columns[-1:]
    shown = _chosen(facts.sessions)
    cells: list[list[str]] = [[f"{session.number} <small>day {session.day:g}</small>"] for session in shown]
    head = ["Session"]
    for title, of, digits, sign in columns:
        found = [of(session) for session in shown]
        if any(values is not None and np.isfinite(values).any() for values in found):
            head.append(title)
            for row, values in zip(cells, found, strict=True):
                over = spread(np.array([np.nan]) if values is None else values)
                row.append(_with_range(over, one=facts.one, digits=digits, sign=sign))
    left_out = len(facts.sessions) - len(shown)
    words = f"The {left_out} sessions between are left out here." if left_out else ""
    if any(cell == "-" for row in cells for cell in row):
        words += " A dash: of a session that a score decided on the peaks are kept, not each minute."
    if charts and facts.ketamine:
        words = f"Dotted and dashed lines: where a clinic's alarms would begin. {words}"
    if charts and facts.sessions[0].minutes:
        words = f"Grey: while the drug runs in. {words}"
    by_session = table("Peaks by session", head, cells) if len(head) > 1 else ""
    peaks = f"<h3>The strongest moment of each session</h3>{by_session}" if by_session else ""
    return section(
        "body",
        "Side effects in the session",
        f"<p>{story.SIDE_EFFECTS if facts.ketamine else story.OTHERS['midazolam'].body}</p>",
        f"<p>{story.R_ALONE}</p>" if facts.drugs == ["arketamine"] else "",
        f'<div class="pairs">{"".join(charts)}</div>' if charts else "",
        peaks,
        f'<p class="soft">{words}</p>' if words else "",
        f"<p>{story.RISKS}</p>" if facts.ketamine else "",
        f"<p>{story.DECIDE}</p>",
        f"<p>{story.APPROVAL}</p>" if facts.ketamine else "",
    )


# --- limits of knowledge, sources ------------------------------------------------------------------------------------


def unknown(facts: Facts) -> str:
    """What nobody knows, and what this run does not carry."""
    missing = bullets(e(_readable(item)) for item in facts.missing)
    return section(
        "unknown",
        "What is not known",
        bullets(e(item) for item in (story.UNKNOWN if facts.ketamine else story.UNKNOWN_OF_OTHERS)),
        f"<h3>Not in this run</h3>{missing}" if missing else "",
    )


def _readable(missing: str) -> str:
    """What the run lacks, by the read-out's title: "Pain (0 to 10): nobody here is in pain"."""
    from regrow.readouts import READOUTS

    name, _, why = missing.partition(": ")
    return f"{READOUTS[name].title if name in READOUTS else name}: {why}"


def sources(facts: Facts) -> str:
    """The papers the run leaned on, how sure its numbers are, and how to get the same numbers again."""
    papers = [
        e(paper.text) + (f' <a href="https://doi.org/{e(paper.doi)}">doi:{e(paper.doi)}</a>' if paper.doi else "")
        for paper in facts.citations
    ]
    rows = []
    if facts.statuses:
        total = sum(facts.statuses.values())
        counts = ", ".join(f"{count} {name}" for name, count in facts.statuses.items())
        words = (
            "Measured: read from a study. Calibrated: fitted to studies. Assumed: chosen, because nothing was found."
        )
        rows.append(("Numbers of the mechanism", f"{total}: {counts}. {words}"))
    if facts.error is not None:
        share = f"at most {number(100 * facts.error)} % of the highest value of each curve"
        rows.append(("Numerical error, estimated", share))
    same = f"regrow {facts.version}, protocol {facts.protocol}, seed {facts.seed}, and the options under which it ran"
    rows.append(("To get the same numbers", e(same)))
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return section(
        "sources",
        "What this run leaned on",
        bullets(papers) or "<p>The run names no papers.</p>",
        f'<dl class="facts">{listed}</dl>',
    )
