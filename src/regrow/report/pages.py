"""The pages of the evidence report as HTML: the shelf, each study, treatments side by side.

The one thing to know: the first page opens with what is missed. Counts come from the report, sentences about what no
such model meets from `evidence/unmet.toml`; nothing is left out because it looks bad.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from regrow.catalog import conditions
from regrow.catalog.evidence import Study
from regrow.chart import Chart, number
from regrow.evidence.checking import Row, Tally, is_depression, tally, unit_of
from regrow.evidence.verdict import Estimate
from regrow.page.figures import figure
from regrow.page.sections import bullets, e, section, table
from regrow.page.shell import document
from regrow.report import comparators, forests
from regrow.report.claims_page import claims_sections

if TYPE_CHECKING:
    from regrow.report import Shelf

NOTICE = "Not a medical device. Predictions are simulated; what was observed is as the papers named here report it."
TITLE = "regrow: the model held against published studies"
WORDS = (
    "<b>Within</b>: the predicted value lies in the study's own 95 % interval (or within 10 percentage points, 3 MADRS "
    "points, 2 for a difference, where that is narrower). <b>Covered</b>: the observed value lies in the interval "
    "predicted for such a study. A figure that cannot be predicted counts as a miss."
)
# The bars that the project set itself before the fit: share within, share covered (by study in brackets).
BARS = {"calibration": "80 / 95", "validation": "55 (45) / 85"}
SHARP = {
    "share": ("Response and remission, percentage points", 65.0, 17.0),
    "points": ("MADRS, points", 24.0, 4.0),
    "contrast": ("MADRS, differences between arms", 14.0, 4.0),
}


def all_pages(shelf: Shelf) -> dict[str, str]:
    """File name to text of every page."""
    found = {"index.html": index(shelf)}
    for study in shelf.studies.values():
        found[f"{study.id}.html"] = study_page(study, shelf)
    if shelf.curves is not None:
        found["comparators.html"] = comparators_page(shelf.curves)
        found["comparators.svg"] = comparators.picture(shelf.curves)
    if shelf.claims:
        found["claims.html"] = document(
            claims_sections(shelf.claims, shelf.pictures),
            title=f"Claims - {TITLE}",
            heading="The field's claims, answered",
            eyebrow=TITLE,
            notice=NOTICE,
        )
    return found


# --- the shelf ------------------------------------------------------------------------------------------------------


def index(shelf: Shelf) -> str:
    """The first page: counts, sharpness, rivals, what stays missed, forest plots, the list of studies."""
    rows = shelf.report.rows
    counts = f"{len(shelf.studies)} studies, {len(rows)} figures, {shelf.report.people} simulated people for each arm"
    parts = [
        _in_short(shelf),
        _unmet(shelf),
        _skill(shelf),
        _sharpness(shelf),
        _beside(),
        *(_forests(rows, use) for use in ("calibration", "validation")),
        _unpredicted(rows),
        _targets(rows),
        _studies(shelf),
    ]
    return document(
        parts, title=TITLE, heading="The model held against published studies", eyebrow=f"{counts}", notice=NOTICE
    )


def _in_short(shelf: Shelf) -> str:
    rows = []
    for use in ("calibration", "validation", "check"):
        for name, keep in (("depression", is_depression), ("all figures", lambda _: True)):
            found = shelf.report.tally(use, keep)
            bar = BARS.get(use, "-") if name == "depression" else ""
            label = f"{use.capitalize()}, {name}" + (" (shown, never counted)" if use == "check" else "")
            rows.append(
                [label, str(found.n), str(found.studies), _share(found, "within"), _share(found, "covered"), bar]
            )
    head = ["Figures", "n", "studies", "within % (by study)", "covered % (by study)", "bar"]
    return section(
        "short",
        "In short",
        table("Verdicts", head, rows),
        f'<p class="soft">{WORDS} The bars are for depression, set before any fit; in brackets the average of each '
        "study's own share.</p>",
    )


def _share(found: Tally, which: str) -> str:
    whole, by_study = getattr(found, f"{which}_percent"), getattr(found, f"{which}_percent_by_study")
    return "-" if whole is None else f"{whole:.0f} ({by_study:.0f})"


def unmet(kind: Literal["unmet", "hole"] = "unmet") -> list[dict[str, Any]]:
    """What no model of this kind meets, stated before any fit, or the holes that fits found: title, studies, why."""
    return tomllib.loads(files("regrow.evidence").joinpath("unmet.toml").read_text(encoding="utf-8"))[kind]


def _listed(shelf: Shelf, kind: Literal["unmet", "hole"], intro: str) -> str:
    items = []
    for row in unmet(kind):
        own = [r for r in shelf.report.rows if r.study in row["studies"]]
        if not own:
            continue
        links = ", ".join(_link(name, shelf) for name in row["studies"])
        found = tally(own)
        items.append(
            f"<b>{e(row['title'])}.</b> {e(row['why'])} <span class='soft'>{links}: "
            f"{found.within} of {found.n} figures within.</span>".replace("'", '"')
        )
    return f"<p>{intro}</p>{bullets(items)}" if items else ""


def _unmet(shelf: Shelf) -> str:
    missed = [r for r in shelf.report.rows if r.use != "check" and r.within is False and not r.covered]
    worst = sorted(missed, key=lambda row: -abs(row.z or 0.0))[:20]
    rows = [
        [_link(row.study, shelf), e(row.arm), e(forests.short(row)), _say(row.observed), _say(row.predicted), row.use]
        for row in worst
    ]
    head = ["Study", "arm", "figure", "observed", "predicted", "use"]
    return section(
        "missed",
        "What is missed",
        _listed(shelf, "unmet", "Named before any fit, because a model that met them would need a knob for one study:"),
        _listed(shelf, "hole", "What the model gets wrong, found by its fits:"),
        f"<h3>The farthest of the {len(missed)} figures that are neither within nor covered</h3>" if rows else "",
        table("Misses", head, rows, "lines") if rows else "<p>No figure is both outside and uncovered.</p>",
    )


def _link(name: str, shelf: Shelf) -> str:
    return f'<a href="{e(name)}.html">{e(name)}</a>' if name in shelf.studies else e(name)


def _say(found: Estimate | None) -> str:
    if found is None:
        return "-"
    ends = f" <small>{number(found.ci95[0])} to {number(found.ci95[1])}</small>" if found.ci95 else ""
    return f"{number(found.value)}{ends}".replace("-", "\N{MINUS SIGN}")


def _skill(shelf: Shelf) -> str:
    rows = []
    for skill in shelf.skills:
        errors = ["-" if v is None else f"{v:.1f}" for v in (skill.error[k] for k in ("share", "points", "contrast"))]
        within = "-" if skill.within_percent is None else f"{skill.within_percent:.0f}"
        rows.append([f"{skill.use.capitalize()}: {e(skill.name)}", str(skill.n), within, *errors])
    if not rows:
        return ""
    head = ["", "figures", "within %", "mean error, % of people", "mean error, points", "mean error, differences"]
    return section(
        "rivals",
        "Beside two dull rivals",
        "<p>The same figures of depression, guessed by two that know less. <b>No drug</b>: this model with every "
        "ketamine taken out and all that is left, expectancy above all, fitted anew to the calibration figures. "
        "<b>Mean of its class</b>: the mean of the calibration figures of the same kind, drug class and time, from "
        "other studies. A model is worth having only where it errs less.</p>",
        table("Rivals", head, rows),
    )


def _sharpness(shelf: Shelf) -> str:
    rows = []
    for kind, (name, widest, farthest) in SHARP.items():
        for use in ("calibration", "validation"):
            found = shelf.report.sharpness(kind, use)  # type: ignore[arg-type]
            if found.n:
                width, error = found.mean_width or 0.0, found.mean_absolute_error or 0.0
                rows.append(
                    [f"{name}, {use}", str(found.n), f"{width:.1f}", f"{widest:g}", f"{error:.1f}", f"{farthest:g}"]
                )
    head = ["", "figures", "mean width of the 95 % interval", "bar", "mean absolute error", "bar"]
    words = "Intervals must be narrow as well as true: one that holds everything says nothing."
    return section("sharp", "How sharp the predictions are", f"<p>{words}</p>", table("Sharpness", head, rows))


def _beside() -> str:
    words = (
        "How ketamine compares with a tablet, ECT, the spray and placebo in onset, size and durability: <a "
        'href="comparators.html">treatments side by side</a>. What clinics say of it, claim by claim: <a '
        'href="claims.html">the field\'s claims, answered</a>.'
    )
    return section("beside", "Treatments side by side, and the field's claims", f"<p>{words}</p>")


def _forests(rows: Iterable[Row], use: str) -> str:
    drawn = [forests.figure_html(forest) for forest in forests.of_shelf(rows, use)]
    words = {
        "calibration": "These the parameters were fitted to. Misses stand first.",
        "validation": "These the parameters never saw. Misses stand first.",
    }[use]
    return section(use, f"{use.capitalize()} figures", f"<p>{words}</p>", *drawn) if drawn else ""


def _unpredicted(rows: Iterable[Row]) -> str:
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row.predicted is None and row.use != "check":
            reasons.setdefault(row.why, []).append(row)
    listed = [
        [e(why), str(len(found)), ", ".join(sorted({f'<a href="{e(r.study)}.html">{e(r.study)}</a>' for r in found}))]
        for why, found in sorted(reasons.items(), key=lambda pair: -len(pair[1]))
    ]
    words = "Each keeps its place in the counts, as a miss."
    return section(
        "silent", "Not predicted, and why", f"<p>{words}</p>", table("Reasons", ["Why", "figures", "studies"], listed)
    )


def _targets(rows: Sequence[Row]) -> str:
    listed = []
    for condition in conditions.conditions():
        own = [r for r in rows if conditions.find(r.condition) is condition and r.use != "check"]
        if condition.says and own:
            found = tally(own)
            says = f"{e(condition.says)} <small>{e('; '.join(condition.sources))} ({condition.confidence})</small>"
            listed.append([e(condition.title), f"{found.within} / {found.covered} of {found.n}", says])
    head = ["Condition", "within / covered", "what the model says of it"]
    return section("targets", "Other conditions", table("Conditions", head, listed, "lines")) if listed else ""


def _studies(shelf: Shelf) -> str:
    listed = []
    for study in shelf.studies.values():
        found = tally([row for row in shelf.report.rows if row.study == study.id])
        counts = [str(found.n), str(found.within), str(found.covered)]
        listed.append([_link(study.id, shelf), e(study.population.condition), study.use, study.confidence, *counts])
    head = ["Study", "condition", "use", "read as", "figures", "within", "covered"]
    return section("studies", "All studies", table("Studies", head, listed))


# --- one study ------------------------------------------------------------------------------------------------------


def study_page(study: Study, shelf: Shelf) -> str:
    """One study: who was treated, its figures as a forest plot and a table, its course over the prediction."""
    rows = [row for row in shelf.report.rows if row.study == study.id]
    drawn = "".join(forests.figure_html(forest) for forest in forests.of_study(rows))
    charts = "".join(_small(chart) for chart in shelf.charts.get(study.id, ()))
    parts = [
        '<p><a href="index.html">All studies</a></p>',
        _facts(study, rows),
        section("forest", "Observed and predicted", drawn) if drawn else "",
        section(
            "time",
            "Over time",
            "<p>Darker band: 95 % of studies of this size, with the spread between studies. Lighter band: 9 in 10 "
            "simulated people. Dots: what was observed, with the study's own 95 % interval.</p>",
            f'<div class="pairs">{charts}</div>',
        )
        if charts
        else "",
        section("figures", "Every figure", _figures(rows)),
    ]
    return document(parts, title=f"{study.id} - {TITLE}", heading=study.id, eyebrow=e(study.citation), notice=NOTICE)


def _small(chart: Chart) -> str:
    return figure(chart, caption=True)


def _facts(study: Study, rows: Sequence[Row]) -> str:
    people = study.population
    found = tally(rows)
    uses = {
        "calibration": "calibration: the parameters were fitted to it",
        "validation": "validation: the parameters never saw it",
        "check": "check: recalled or overlapping another study, shown and never counted",
    }
    facts = [
        ("People", f"{people.n}, {people.condition}, {people.setting}"),
        ("Use", uses[study.use]),
        ("Read as", study.confidence),
        ("Verdict", f"{found.within} of {found.n} figures within, {found.covered} covered"),
    ]
    if study.doi:
        facts.insert(0, ("Paper", f'<a href="https://doi.org/{e(study.doi)}">doi:{e(study.doi)}</a>'))
    if study.overlaps:
        facts.append(("Overlaps", e(", ".join(study.overlaps))))
    if study.note:
        facts.append(("Note", e(study.note)))
    arms = [
        f"<b>{e(arm.name)}</b>: {e(', '.join(dict.fromkeys(arm.doses)) or arm.drug)} {e(arm.drug)}"
        f"{f' {arm.route}' if arm.route else ''}, {len(arm.days)} session{'s' if len(arm.days) > 1 else ''}, "
        f"belief {arm.belief}{f', beside {e(chr(44).join(arm.background))}' if arm.background else ''}"
        for arm in study.arm
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    return section("study", "The study", f'<dl class="facts">{listed}</dl>', bullets(arms))


def _figures(rows: Sequence[Row]) -> str:
    listed = []
    for row in rows:
        says = forests.verdict_of(row) if row.predicted else f"not predicted: {e(row.why)}"
        marks = (" *" if row.figure.status == "assumed" else "") + (
            f" <small>{e(row.note)}</small>" if row.note else ""
        )
        listed.append(
            [
                e(row.arm),
                e(forests.short(row)),
                e(unit_of(row.figure)),
                _say(row.observed),
                _say(row.predicted),
                says + marks,
            ]
        )
    head = ["Arm", "figure", "unit", "observed", "predicted", "verdict"]
    words = "* An input of this figure was assumed rather than stated." if any("*" in r[-1] for r in listed) else ""
    return table("Figures", head, listed, "lines") + (f'<p class="soft">{words}</p>' if words else "")


# --- treatments side by side ----------------------------------------------------------------------------------------


def comparators_page(curves: comparators.Curves) -> str:
    """Onset, size and durability of treatments, published figures and model curves marked apart."""
    charts = (
        comparators.onset(curves),
        comparators.size(curves),
        comparators.size(curves, "remission"),
        comparators.durability(curves),
    )
    names = "".join(
        f'<li class="tone{t.tone}"><b>{e(t.name)}</b>{"" if t.arm else " (no equations: published figures alone)"}</li>'
        for t in comparators.treatments()
    )
    rows = [
        [e(t.name), what, f"{hours / 24:.3g}", f"{value:.3g}", ("from memory: " if recalled else "") + e(source)]
        for t in comparators.treatments()
        for what in ("response", "remission", "relapse")
        for hours, value, recalled, source in comparators.published(t, what)  # type: ignore[arg-type]
    ]
    head = ["Treatment", "figure", "day", "% of people", "source"]
    parts = [
        '<p><a href="index.html">All studies</a></p>',
        section(
            "read",
            "How to read it",
            "<p>Dots are published figures, carets such as were recalled and not read; each comes from its own trial "
            "with its own people, and people who had failed many treatments answer less to any. Lines are simulated, "
            "for one and the same people (MADRS 33 at the start). Both are drawn together to show shapes: two dots of "
            "different trials are not to be read off against each other.</p>",
            f'<ul class="tones">{names}</ul>',
        ),
        section("curves", "Onset, size, durability", *(figure(chart, narrow=True, caption=True) for chart in charts)),
        section("sources", "The published figures", table("Published", head, rows, "lines")),
    ]
    return document(
        parts,
        title=f"Treatments side by side - {TITLE}",
        heading="Treatments side by side",
        eyebrow=TITLE,
        notice=NOTICE,
    )
