"""The catalog finds things by id or unique prefix, and says what it knows when it does not find one."""

import pytest
from pydantic import BaseModel, ConfigDict

from regrow import catalog
from regrow.refusal import Refusal

NAMES = ["atlanta", "atlanta-six-in-all", "dothan-2", "dothan-3-elapsed", "dothan-3-inclusive", "single"]


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    dose: float


def refused(call, *args):
    with pytest.raises(Refusal) as caught:
        call(*args)
    return caught.value


def test_a_whole_name_wins_over_longer_names_that_begin_with_it():
    assert catalog.choose("protocol", "atlanta", NAMES) == "atlanta"


def test_a_unique_prefix_is_enough():
    assert catalog.choose("protocol", "dothan-3-i", NAMES) == "dothan-3-inclusive"


def test_an_ambiguous_prefix_is_refused_with_all_it_could_mean():
    refusal = refused(catalog.choose, "protocol", "dothan-3", NAMES)
    assert refusal.code == "AMBIGUOUS-PROTOCOL"
    assert "dothan-3-elapsed, dothan-3-inclusive" in refusal.sentence


@pytest.mark.parametrize("wanted", ["atlantic", "Atlanta", " "])
def test_an_unknown_name_is_refused_with_the_nearest(wanted):
    refusal = refused(catalog.choose, "protocol", wanted, NAMES)
    assert refusal.code == "UNKNOWN-PROTOCOL"
    assert "the nearest is" in refusal.sentence
    assert wanted.strip() == "" or "the nearest is atlanta" in refusal.sentence


def test_an_empty_shelf_still_refuses_in_one_sentence():
    assert refused(catalog.choose, "switch", "ampa", []).code == "UNKNOWN-SWITCH"


def test_a_good_file_is_read_into_its_schema(tmp_path):
    path = tmp_path / "thing.toml"
    path.write_text('id = "thing"\ndose = 0.5\n')
    assert catalog.read(path, Thing, "thing") == Thing(id="thing", dose=0.5)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('id = "thing"\ndose = "much"\n', ["key dose", "'much'"]),
        ('id = "thing"\ndose = 1\ncolour = "red"\n', ["key colour", "'red'"]),
        ('id = "thing"\n', ["key dose", "required"]),
        ("id = thing\n", ["not TOML"]),
    ],
)
def test_a_bad_file_is_refused_naming_file_key_and_value(tmp_path, text, names):
    path = tmp_path / "thing.toml"
    path.write_text(text)
    refusal = refused(catalog.read, path, Thing, "thing")
    assert refusal.code == "THING-FILE"
    assert str(path) in refusal.sentence
    assert all(name in refusal.sentence for name in names)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refused(catalog.read, tmp_path / "none.toml", Thing, "thing").code == "THING-FILE"


def test_a_file_whose_id_is_not_its_stem_is_refused(tmp_path, monkeypatch):
    (tmp_path / "one.toml").write_text('id = "two"\ndose = 1\n')
    monkeypatch.setattr(catalog, "folder", lambda kind: tmp_path)
    assert catalog.ids("things-of-this-test") == ["one"]
    refusal = refused(catalog.load, "things-of-this-test", "one", Thing)
    assert refusal.code.endswith("-FILE")
    assert "'one'" in refusal.sentence
