"""Every schedule of the catalog has the session days of its source, and says what the source leaves open."""

import json

import pytest

from regrow import dosing
from regrow.catalog import drugs, protocols
from regrow.refusal import Refusal
from regrow.regimen import opening, revise, walk

TWICE_A_WEEK_3_WEEKS = [0, 3, 7, 10, 14, 17]
LABEL_8_WEEKS = [0, 3, 7, 10, 14, 17, 21, 24, 28, 35, 42, 49]

# id: the fixed days, and the days projected behind them where the source goes on (rules over a score unmet).
DAYS = {
    "single": ([0], []),
    "atlanta": (TWICE_A_WEEK_3_WEEKS, [24, 31, 38, 45]),
    "atlanta-six-in-all": ([0, 3, 7, 10, 17, 24], [52, 80, 108]),
    "sacramento": ([], None),
    "vip-series": ([], None),
    "lifschutz-q2w": (TWICE_A_WEEK_3_WEEKS, [31, 45, 59, 73]),
    "lifschutz-q4w": (TWICE_A_WEEK_3_WEEKS, [45, 73, 101]),
    "lifschutz-step": ([*TWICE_A_WEEK_3_WEEKS, 31, 45], [73, 101]),
    "dothan-2": ([0, 3, 7, 10, 14, 17], []),
    "dothan-3-inclusive": ([0, 1, 3, 7, 10, 14, 17], []),
    "dothan-3-elapsed": ([0, 2, 4, 7, 10, 14, 17], []),
    "standard-2x3": (TWICE_A_WEEK_3_WEEKS, []),
    "standard-3x2": ([0, 2, 4, 7, 9, 11], []),
    "esketamine-us": (LABEL_8_WEEKS, [56, 63, 70]),
    "esketamine-eu-65": (LABEL_8_WEEKS, [56, 63, 70]),
    "esketamine-mdsi-us": ([0, 3, 7, 10, 14, 17, 21, 24], []),
    "crps-10-day": ([0, 1, 2, 3, 4, 7, 8, 9, 10, 11], []),
}
STATED = sorted(name for name, (_, projected) in DAYS.items() if projected is not None)


def code_of(call, *args) -> str:
    with pytest.raises(Refusal) as caught:
        call(*args)
    return caught.value.code


def test_the_catalog_holds_these_protocols():
    assert set(DAYS) <= set(protocols.ids())


@pytest.mark.parametrize("name", sorted(DAYS))
def test_the_fixed_days_are_those_of_the_source(name):
    assert protocols.get(name).days == DAYS[name][0]


@pytest.mark.parametrize("name", STATED)
def test_the_projected_days_are_those_of_the_source(name):
    protocol = protocols.get(name)
    fixed, projected = DAYS[name]
    assert protocol.open_ended is bool(projected)
    found = [session.day for session in walk(protocol, 182)]
    assert found[: len(fixed) + len(projected)] == [*fixed, *projected]
    if not projected:
        assert found == fixed


@pytest.mark.parametrize("name", ["sacramento", "vip-series"])
def test_a_source_without_a_schedule_is_listed_and_refused_until_days_are_given(name):
    protocol = protocols.get(name)
    assert "The prescriber states the days." in protocol.note
    assert code_of(opening, protocol) == "PROTOCOL-NO-DAYS"
    assert [session.day for session in walk(revise(protocol, days="0,3,7"), 99)] == [0, 3, 7]


def test_atlanta_is_weekly_until_remission_at_two_visits_then_every_28_days():
    found = [session.day for session in walk(protocols.get("atlanta"), 120, [False, True, True])]
    assert found == [*TWICE_A_WEEK_3_WEEKS, 24, 31, 38, 66, 94]


def test_atlanta_s_dose_is_assumed_and_its_infusion_lasts_an_hour():
    protocol = protocols.get("atlanta")
    (dose,) = protocol.doses
    assert (dose.text, dose.route, dose.duration_h) == ("0.5 mg/kg", "iv", 1.0)
    assert protocol.assumed == ("dose 0.5 mg/kg", "duration 60 min")
    assert protocols.describe(protocol)["dose"] is None


@pytest.mark.parametrize("name", ["dothan-2", "lifschutz-step"])
def test_where_the_source_states_no_dose_the_default_is_shown_as_assumed(name):
    protocol = protocols.get(name)
    assert protocol.assumed == ("dose 0.5 mg/kg", "duration 40 min")
    assert protocol.doses[0].duration_h * 60 == pytest.approx(40)


@pytest.mark.parametrize(
    ("name", "mg"),
    [
        ("esketamine-us", [56, 84, 84, 84]),
        ("esketamine-eu-65", [28, 56, 84, 84]),
        ("esketamine-mdsi-us", [84, 84, 84, 84]),
    ],
)
def test_an_esketamine_label_gives_its_doses_from_28_mg_devices(name, mg):
    protocol = protocols.get(name)
    sessions = walk(protocol, 182)
    assert [session.mg(70.0) for session in sessions[:4]] == pytest.approx(mg)
    assert sessions[-1].mg(70.0) == pytest.approx(mg[-1])
    assert {dose.route for session in sessions for dose in session.doses} == {"intranasal"}
    assert len(sessions[0].doses) == mg[0] / 28
    assert protocol.assumed == ()
    assert protocol.choices


def test_the_crps_series_gives_4_hours_at_0_35_mg_per_kg_and_hour():
    session = walk(protocols.get("crps-10-day"), 30)[0]
    assert session.duration_h == 4
    assert session.mg(70.0) == pytest.approx(98.0)


@pytest.mark.parametrize("name", sorted(DAYS))
def test_a_protocol_is_described_as_plain_data(name):
    described = protocols.describe(protocols.get(name))
    assert json.loads(json.dumps(described)) == described
    assert {"id", "title", "source", "phases", "days", "note"} <= set(described)
    assert described["id"] == name
    assert described["title"]
    assert described["source"]


@pytest.mark.parametrize(("prefix", "name"), [("atlanta-six", "atlanta-six-in-all"), ("crps", "crps-10-day")])
def test_a_unique_prefix_finds_a_protocol(prefix, name):
    assert protocols.get(prefix).id == name


def test_an_unknown_protocol_is_answered_with_the_nearest():
    with pytest.raises(Refusal, match="the nearest is dothan-2") as caught:
        protocols.get("dohtan-2")
    assert caught.value.code == "UNKNOWN-PROTOCOL"
    assert code_of(protocols.get, "esketamine") == "AMBIGUOUS-PROTOCOL"


HEAD = 'id = "mine"\ntitle = "Mine"\nsource = "me"\nconfidence = "own"\n'
PHASE = '\n[[phase]]\nname = "p"\ndays = [0, 3]\n'


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return write


def test_a_file_is_read_as_the_catalog_is(file):
    protocol = protocols.get(file(f'{HEAD}dose = "1 mg/kg"\nroute = "im"\n{PHASE}'))
    assert protocol.days == [0, 3]
    assert protocol.doses[0].text == "1 mg/kg"
    assert protocol.assumed == ()


def test_a_file_may_hold_several_doses_routes_and_rates_in_a_session(file):
    session = """
session = [
  { dose = "0.1 mg/kg", duration = "5 min" },
  { dose = "10 ug/kg/min", duration = "40 min", at = "5 min" },
  { dose = "50 mg", route = "oral", at = "1 h" },
]
"""
    protocol = protocols.get(file(f"{HEAD}{session}{PHASE}"))
    first = opening(protocol)[0][0]
    assert first.route == "iv+oral"
    assert first.mg(80.0) == pytest.approx(8 + 32 + 50)
    assert protocol.assumed == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (HEAD + 'dose = "0.5"' + PHASE, ["key dose", "'0.5'", "has no unit"]),
        (HEAD + 'dose = "0.5 cm"' + PHASE, ["key dose", "needed"]),
        (HEAD + 'route = "spinal"' + PHASE, ["key route", "'spinal'"]),
        (HEAD + 'colour = "red"' + PHASE, ["key colour", "'red'"]),
        (HEAD + PHASE + "every_days = 7\n", ["key days", "either days or every_days"]),
        (HEAD + PHASE + 'dose = "1 mg"\ndoses = ["1 mg"]\n', ["key doses", "not several"]),
        (HEAD + 'dose = "1 mg"\nsession = [{ dose = "1 mg" }]' + PHASE, ["key session", "inside session"]),
        (HEAD + PHASE + "until = { scale = 'MADRS' }\n", ["key until", "at_most or fall_percent"]),
        (HEAD + PHASE + "until = { scale = 'MADRS', at_most = 'low' }\n", ["key phase.0.until.at_most", "'low'"]),
        (HEAD.replace("mine", "My Own") + PHASE, ["key id", "'My Own'"]),
        (HEAD.replace("own", "sure") + PHASE, ["key confidence", "'sure'"]),
        ("id = ", ["not TOML"]),
    ],
)
def test_a_bad_file_is_refused_naming_file_key_value_and_way_out(file, text, names):
    path = file(text)
    with pytest.raises(Refusal) as caught:
        protocols.get(path)
    assert caught.value.code == "PROTOCOL-FILE"
    assert path in caught.value.sentence
    assert "\n" not in caught.value.sentence
    for name in names:
        assert name in caught.value.sentence


def test_a_missing_file_is_refused():
    assert code_of(protocols.get, "no/such.toml") == "PROTOCOL-FILE"


def test_the_nasal_device_of_dosing_is_the_drug_file_s():
    device = drugs.route("esketamine", "intranasal").device
    assert device is not None
    assert (device.mg, device.gap_h) == (dosing.DEVICE_MG, pytest.approx(dosing.DEVICE_GAP_H))
