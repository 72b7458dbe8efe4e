"""What holds for every scale of the shelf and every link, and what a scale file is refused for."""

import tomllib
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow import catalog, scales
from regrow.catalog import scales as shelf
from regrow.refusal import Refusal

ALL = shelf.ids()
JOINED = [(a, b) for a, b in permutations(["madrs", "hdrs-17", "hdrs-21", "qids-sr-16", "phq-9"], 2)]


@pytest.mark.parametrize("name", ALL)
def test_every_scale_loads_with_a_licence_and_answers_to_its_id_and_its_name(name):
    file = shelf.read(name)
    assert file.licence.text
    assert shelf.get(name) is shelf.get(name)
    assert shelf.read(file.name).id == name


@pytest.mark.parametrize("name", ALL)
def test_item_texts_stand_only_where_anybody_may_reproduce_them(name):
    file = shelf.read(name)
    assert not file.texts or file.licence.kind in ("free", "own")


@pytest.mark.parametrize("name", ALL)
def test_the_lowest_and_highest_forms_give_the_ends_of_the_range(name):
    scale = shelf.get(name)
    low, high = (scales.score(scale, [r[end] for r in scale.ranges]).total for end in (0, 1))
    assert scale.total == (None if low is None else (low, high))


@pytest.mark.parametrize("name", ALL)
def test_a_blank_form_is_never_scored_as_nought(name):
    scale = shelf.get(name)
    found = scales.score(scale, [None] * len(scale.ranges))
    assert found.total is None
    assert found.why
    assert found.alerts == tuple(item for item, _ in scale.alert_items)


@pytest.mark.parametrize("name", ["phq-9", "gad-7"])
def test_one_blank_more_than_allowed_is_not_scorable(name):
    scale = shelf.get(name)
    blanks = scale.missing_allowed
    answers = [None] * blanks + [1] * (len(scale.ranges) - blanks)
    assert scales.score(scale, answers).prorated
    assert scales.score(scale, answers).total == len(scale.ranges)
    assert scales.score(scale, [None, *answers[:-1]]).total is None


@given(st.lists(st.integers(0, 3), min_size=9, max_size=9), st.integers(0, 8))
def test_raising_one_answer_never_lowers_the_phq_9(answers, item):
    raised = [min(3, a + (i == item)) for i, a in enumerate(answers)]
    phq = shelf.get("phq-9")
    assert scales.score(phq, raised).total >= scales.score(phq, answers).total


@pytest.mark.parametrize("pair", JOINED, ids="-to-".join)
def test_a_link_rises_keeps_within_the_range_and_says_its_spread(pair):
    own, other = map(shelf.get, pair)
    low, high = own.total
    found = shelf.link(*pair, np.linspace(low, high, 241))
    assert np.all(np.diff(found.values) >= 0)
    assert other.total[0] <= found.values.min()
    assert found.values.max() <= other.total[1]
    assert found.values[0] == 0
    assert 0.5 < found.sd < 0.3 * other.total[1]
    assert found.sources


@pytest.mark.parametrize("pair", [p for p in JOINED if scales.linked(*map(shelf.get, p))], ids="-to-".join)
def test_a_link_read_there_and_back_is_the_score_itself(pair):
    """Over the part of the range that both scales reach."""
    there = shelf.link(pair[0], pair[1], np.arange(0, 25))
    np.testing.assert_allclose(shelf.link(pair[1], pair[0], there.values).values, np.arange(0, 25), atol=1e-9)


def test_a_chain_of_links_adds_up_its_spreads():
    direct, chained = shelf.link("phq-9", "madrs", 15), shelf.link("phq-9", "hdrs-17", 15)
    assert chained.via == ("MADRS",)
    assert len(chained.sources) == 2
    assert chained.sd > shelf.link("madrs", "hdrs-17", 24).sd
    assert direct.via == ()


def test_a_link_keeps_shape_and_missing_scores():
    found = shelf.link("madrs", "phq-9", np.array([[10.0, np.nan], [33.0, 60.0]])).values
    assert found.shape == (2, 2)
    assert np.isnan(found[0, 1])


@pytest.mark.parametrize("name", [n for n in ALL if n not in {p[0] for p in JOINED} and n != "gad-7"])
def test_a_scale_without_a_published_table_is_refused_with_the_reason(name):
    with pytest.raises(Refusal) as refused:
        shelf.link("madrs", name, 20)
    assert refused.value.code == "SCALE-UNLINKED"
    assert shelf.get(name).why_unlinked in str(refused.value)


@pytest.mark.parametrize("scores", [-0.1, 28, [3, np.inf]])
def test_a_score_outside_its_scale_is_refused_not_clipped(scores):
    with pytest.raises(Refusal) as refused:
        shelf.link("phq-9", "madrs", scores)
    assert refused.value.code == "SCALE-RANGE"


@pytest.mark.parametrize(
    ("answers", "code"),
    [([1] * 8, "SCALE-ANSWERS"), ([4] + [0] * 8, "SCALE-ANSWER"), ([0.5] + [0] * 8, "SCALE-ANSWER")],
)
def test_a_form_that_cannot_be_is_refused(answers, code):
    with pytest.raises(Refusal) as refused:
        scales.score(shelf.get("phq-9"), answers)
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["-50", "10", "<= ten", "50 %", ""])
def test_a_rule_in_another_form_is_refused(text):
    with pytest.raises(Refusal) as refused:
        scales.rule(text)
    assert refused.value.code == "SCALE-RULE"


@pytest.mark.parametrize(
    ("text", "score", "meets"),
    [
        ("-30 %", 7, True),
        ("-30 %", 7.1, False),
        ("<= 12", 12, True),
        ("< 5", 5, False),
        (">= 9", 9, True),
        ("> 4", 4, False),
    ],
)
def test_a_rule_holds_on_its_own_side_of_the_threshold(text, score, meets):
    assert scales.rule(text).met(score, 10) is meets


GOOD = (catalog.folder("scales") / "phq-9.toml").read_text()
BROKEN = {
    "without a licence": (GOOD[: GOOD.index("[licence]")] + GOOD[GOOD.index("[bands]") :], "licence"),
    "with texts under a licence for structure": (GOOD.replace('kind = "free"', 'kind = "structure"'), "texts"),
    "with a wrong check digit": (GOOD.replace("44261-6", "44261-5"), "check digit"),
    "with a gap between bands": (GOOD.replace('["mild", 5, 9]', '["mild", 6, 9]'), "gap"),
    "with a total its items do not give": (GOOD.replace("total = [0, 27]", "total = [0, 28]"), "total"),
    "with a link that falls": (GOOD.replace("[15, 24], [27, 48]", "[15, 24], [27, 20]"), "ascend"),
    "with an unknown key": (GOOD.replace("by = ", 'colour = "blue"\nby = '), "colour"),
    "with no word on links": (GOOD[: GOOD.index("[[link]]")], "why_unlinked"),
    "with a rule nobody can read": (GOOD.replace('rule = "< 5"', 'rule = "below five"'), "rule"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_scale_file_is_refused(fault, tmp_path):
    text, word = BROKEN[fault]
    assert text != GOOD
    tomllib.loads(text)
    (tmp_path / "phq-9.toml").write_text(text)
    with pytest.raises(Refusal) as refused:
        catalog.read(tmp_path / "phq-9.toml", shelf.ScaleFile, "scale")
    assert refused.value.code == "SCALE-FILE"
    assert word in str(refused.value)


def test_an_unknown_scale_is_refused_with_the_nearest_name():
    with pytest.raises(Refusal, match="phq-9"):
        shelf.get("PHQ-8")
