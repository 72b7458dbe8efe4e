"""The claims of the source documents: quoted to the letter, answered with evidence, contradictions shown."""

from collections import Counter
from pathlib import Path

import pytest

from regrow import catalog
from regrow.catalog.claims import Claims, claims, contradictions, documents, get
from regrow.evidence import answers
from regrow.refusal import Refusal

PAIN = ("half-pain", "two-weeks-pain", "crps-series", "suicidal-first")
SOURCES = Path(__file__).parents[3] / "shared" / "sources"


def sources() -> list[Path]:
    """The documents' texts where they lie beside the checkout; none elsewhere."""
    return sorted(SOURCES.glob("*.txt"))


def test_at_least_forty_claims_of_all_five_documents_are_answered():
    assert len(claims()) >= 40
    files = Counter(claim.file for claim in claims())
    assert len(files) == 5
    assert min(files.values()) >= 5


def test_every_verdict_occurs_and_none_is_given_without_a_reason():
    assert {claim.verdict for claim in claims()} == {"true", "partly", "false", "unknown"}
    for claim in claims():
        assert claim.evidence.endswith("."), claim.id


def test_quotations_stand_in_the_document_letter_for_letter():
    texts = {path.name: path.read_text(encoding="utf-8") for path in sources()}
    for claim in claims():
        assert len(claim.quote.split()) >= 3, claim.id
        assert claim.quote == claim.quote.strip(), claim.id
        assert not texts or claim.quote in texts[claim.file], claim.id


def test_the_known_falsehoods_are_called_false():
    for name in ("approved-2012", "not-addictive", "few-side-effects", "few-or-none", "snri", "four-hours"):
        assert get(name).verdict == "false", name


def test_contradictions_between_documents_are_shown_as_pairs():
    pairs = {frozenset((one.id, other.id)) for one, other in contradictions()}
    assert frozenset(("four-hours", "six-months")) in pairs
    assert frozenset(("breaks-connections", "krystal-regrow")) in pairs
    assert any(one.file != other.file for one, other in contradictions())


def test_the_model_is_asked_for_a_number_that_can_be_named():
    asked = [claim.question for claim in claims() if claim.question is not None]
    assert len(asked) >= 30
    assert get("raises-glutamate").question is not None
    question = get("raises-glutamate").question
    assert question is not None
    assert (question.protocol, question.name, question.at_h) == ("single", "glutamate", pytest.approx(26 / 60))


def test_every_document_is_named_by_whose_page_it_is():
    assert set(documents()) == {claim.file for claim in claims()}


def test_pain_and_ideation_are_asked_of_people_who_have_them():
    for name in PAIN:
        question = get(name).question
        assert question is not None
        assert question.condition, name


def asked(protocol, questions):
    return dict.fromkeys(questions, (1.5, "points"))


def test_a_clinician_reads_verdict_reason_number_and_sources_of_every_claim():
    text = answers.as_text(answers.answers(asked))
    plain = " ".join(text.split())
    assert text.startswith(f"{len(claims())} claims of 5 documents: ")
    assert max(map(len, text.splitlines())) <= 100
    for claim in claims():
        assert f'"{claim.quote}"' in plain, claim.id
        assert claim.evidence in plain, claim.id
    assert plain.count("Model: 1.5 points") == sum(claim.question is not None for claim in claims())
    assert plain.count(' against "') >= len(contradictions()) - 1


def test_the_contradictions_stand_together_with_who_says_what():
    plain = " ".join(answers.as_text(answers.answers(asked)).split())
    tail = plain[plain.index("contradict each other") :]
    assert "effects that last about four hours" in tail
    assert "up to 6-months" in tail
    assert "breaking down the connection" in tail
    assert "VIP Ketamine Clinics" in tail


CLAIM = {
    "id": "a",
    "file": "x.txt",
    "quote": "so it is",
    "verdict": "true",
    "evidence": "It was seen.",
    "citations": ["Doe 2020"],
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quote": " ".join(["word"] * 13)}, "twelve at most"),
        ({"verdict": "true", "citations": []}, "needs a citation"),
        ({"model": "single"}, "PROTOCOL"),
        ({"model": "single.madrs@4h"}, "stand together"),
        ({"contradicts": ["b"]}, "name both ways"),
        ({"verdict": "perhaps"}, "partly"),
        ({"colour": "red"}, "not permitted"),
    ],
)
def test_a_claim_that_breaks_its_form_is_refused(tmp_path, changes, says):
    text = "[[claim]]\n" + "".join(
        f"{key} = {value!r}\n" for key, value in {**CLAIM, **changes}.items()
    )  # Python's repr of text and lists of text is TOML too
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(Refusal, match="CLAIMS-FILE") as caught:
        catalog.read(path, Claims, "claims")
    assert says in caught.value.sentence
