"""The evidence report: what it shows, that it stands alone and appears whole or not at all, and its dull rivals."""

from functools import cache
from html import escape
from html.parser import HTMLParser

import pytest

from regrow import report
from regrow.catalog import evidence
from regrow.catalog.claims import claims
from regrow.chart import Forest, Row, forest_svg, forest_table
from regrow.evidence import rivals
from regrow.evidence.calibrate import WITHOUT_DRUG
from regrow.evidence.checking import check_study, tally
from regrow.evidence.predict import predict_arm
from regrow.refusal import Refusal
from regrow.report import comparators, forests, pages

pytestmark = pytest.mark.xdist_group("evidence report")  # what its tests share is made once, not in each worker

SOME = ("murrough2013-ajp", "lii2023", "otto2021", "takahashi2021", "dakwar2019")
REST = ("index.html", "comparators.html", "comparators.svg", "claims.html")
PEOPLE = 30


@cache
def shelf():
    def ask(_, questions):
        return dict.fromkeys(questions, (1.5, "points"))

    return report.gather([evidence.get(name) for name in SOME], people=PEOPLE, ask=ask)


@cache
def texts():
    return pages.all_pages(shelf())


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.outside = [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"])
        if tag in ("script", "link", "img", "iframe") or "src" in found or "style" in found:
            self.outside.append(tag)


def test_there_is_a_page_for_every_study_one_for_the_shelf_and_one_of_treatments():
    assert set(texts()) == {*(f"{name}.html" for name in SOME), *REST}


def test_every_page_stands_alone_and_every_link_leads_somewhere():
    for name, text in texts().items():
        if name.endswith(".html"):
            reader = Reader()
            reader.feed(text)
            assert reader.outside == [], name
            assert all(link in texts() or link.startswith("https://doi.org/") for link in reader.links), name
            assert "Not a medical device" in text


def test_the_first_page_opens_with_the_counts_and_then_what_is_missed():
    text = texts()["index.html"]
    order = [text.index(f'id="{name}"') for name in ("short", "missed", "rivals", "sharp", "calibration", "validation")]
    assert order == sorted(order)
    assert "Esketamine in Japan" in text
    found = tally([row for row in shelf().report.rows if row.use == "calibration"])
    assert f"<td>{found.n}</td>" in text


def test_what_no_such_model_meets_is_named_with_studies_that_there_are():
    for kind in ("unmet", "hole"):
        assert len(pages.unmet(kind)) >= 3
    for row in [*pages.unmet(), *pages.unmet("hole")]:
        assert set(row["studies"]) <= set(evidence.ids())
        assert row["why"].endswith(".")


def test_every_figure_of_every_study_stands_on_its_page_with_a_verdict():
    for name in SOME:
        text = texts()[f"{name}.html"]
        rows = [row for row in shelf().report.rows if row.study == name]
        assert text.count("not predicted: ") == sum(row.predicted is None for row in rows)
        assert text.count(", covered") + text.count(", not covered") >= sum(row.predicted is not None for row in rows)


def test_plasma_and_mood_are_laid_over_their_predictions():
    plasma = shelf().charts["otto2021"]
    assert plasma
    assert all(chart.log for chart in plasma)
    mood = [chart for chart in shelf().charts["lii2023"] if "score MADRS" in chart.title]
    assert len(mood) == 2


def test_misses_stand_first_in_a_forest():
    rows = [row for row in shelf().report.rows if row.use == "validation"]
    for forest in forests.of_shelf(rows, "validation"):
        hits = [row.hit for row in forest.rows]
        assert hits == sorted(hits)


def test_a_forest_draws_every_row_and_marks_what_lies_outside():
    forest = Forest(
        "a <plot> & more",
        (Row("one", (50, 40, 60), (55, 45, 65), True), Row("two", (150, None, None), (20, 0, 300), False)),
        "%",
        x_range=(0, 100),
    )
    text = forest_svg(forest)
    assert text.count("<circle") == 2  # one seen, one in the legend; the other is a tip at the edge
    assert "&lt;plot&gt;" in text
    assert "style=" not in text
    assert "two" in forest_table(forest)


# --- rivals ---------------------------------------------------------------------------------------------------------


def test_the_model_without_its_drug_gives_both_arms_of_a_trial_the_same():
    study = evidence.get("murrough2013-ajp")
    rows = rivals.no_drug_rows([study], people=PEOPLE, seed=1)
    both = [row.predicted.value for row in rows if row.figure.what == "change" and row.predicted]
    assert both[0] == pytest.approx(both[1], abs=1e-6)  # midazolam sedates and does nothing to the mood


def test_the_model_without_its_drug_says_nothing_of_plasma_and_does_better_than_the_drug_left_out():
    study = evidence.get("daly2018")
    bare = rivals.no_drug_rows([study], people=PEOPLE, seed=1)

    def unfitted(study, arm, figures, people, seed):
        return predict_arm(study, arm, figures, people, seed, scaled=WITHOUT_DRUG)

    left_out = check_study(study, people=PEOPLE, seed=1, predict=unfitted)
    assert sum(bool(row.within) for row in bare) > sum(bool(row.within) for row in left_out)
    levels = rivals.no_drug_rows([evidence.get("peltoniemi2011")], people=PEOPLE, seed=1)
    assert all(row.predicted is None for row in levels)


def test_a_class_mean_never_knows_the_figures_own_study():
    studies = {name: evidence.get(name) for name in ("murrough2013-ajp", "zheng2019")}
    rows = [row for s in studies.values() for row in check_study(s, people=20, seed=1, predict=predict_arm)]
    guessed = rivals.class_means(rows, studies)
    target = next(r for r in guessed if r.study == "murrough2013-ajp" and r.arm == "midazolam" and r.figure.is_share)
    assert target.predicted is not None
    assert target.predicted.value != target.observed.value
    alone = rivals.class_means([row for row in rows if row.study == "murrough2013-ajp"], studies)
    assert alone == []


def test_the_three_are_compared_on_the_same_figures():
    found = shelf().skills
    assert {skill.use for skill in found} == {"calibration", "validation"}
    for use in ("calibration", "validation"):
        assert len({skill.n for skill in found if skill.use == use}) == 1


# --- writing --------------------------------------------------------------------------------------------------------


def test_the_report_appears_whole_and_replaces_an_earlier_one(tmp_path, monkeypatch):
    made, written = shelf(), texts()  # made before what makes them is replaced
    monkeypatch.setattr(report, "gather", lambda *_, **__: made)
    monkeypatch.setattr(pages, "all_pages", lambda _: written)
    report.write(tmp_path / "pages")
    assert {path.name for path in (tmp_path / "pages").iterdir()} == set(texts())
    report.write(tmp_path / "pages")
    assert (tmp_path / "pages" / "index.html").read_text() == texts()["index.html"]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Refusal, match=r"OUT-FOLDER.*holds other things"):
        report.write(tmp_path)
    with pytest.raises(Refusal, match=r"OUT-FOLDER.*does not exist"):
        report.write(tmp_path / "no" / "where")
    with pytest.raises(Refusal, match=r"OUT-FOLDER.*is no folder"):
        report.write(tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_report_that_cannot_be_written_leaves_no_folder(tmp_path, monkeypatch):
    made, written = shelf(), texts()  # made before what makes them is replaced
    monkeypatch.setattr(report, "gather", lambda *_, **__: made)
    monkeypatch.setattr(pages, "all_pages", lambda _: written)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "_writer", lambda _: full)
    with pytest.raises(Exception, match="OUT-DISK"):
        report.write(tmp_path / "pages")
    assert list(tmp_path.iterdir()) == []


def test_treatments_side_by_side_show_published_figures_that_the_shelf_holds():
    named = {t.name: t for t in comparators.treatments()}
    assert len(named) >= 6
    for treatment in named.values():
        found = [p for what in ("response", "remission", "relapse") for p in comparators.published(treatment, what)]
        assert found, treatment.name
        assert all(0 <= value <= 100 and source for _, value, _, source in found)
    assert named["ECT"].arm is None
    assert "<svg" in texts()["comparators.svg"]


def test_every_claim_stands_on_its_page_and_contradictions_have_a_picture():
    text = texts()["claims.html"]
    for claim in claims():
        assert escape(claim.quote) in text, claim.id
    assert text.count("<figure>") == 3
    assert "four hours" in text
