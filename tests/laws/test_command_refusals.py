"""Bad input on the command line: each refused with its own code, on one line, with nothing written and nothing ignored.

The commands run in this process through the same `main` that `regrow` calls; a few that need a process of their own
(a full disk, Ctrl-C, a closed output) start one.
"""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from regrow import cli

LINE = re.compile(r"regrow: ([A-Z][A-Z0-9-]*): (.+)\n")
PROTOCOL = 'id = "mine"\ntitle = "Mine"\nsource = "me"\nconfidence = "own"\n'
PHASE = '\n[[phase]]\nname = "p"\ndays = [0, 3]\n'


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder and gives the code and sentence of its refusal."""
    (tmp_path / "there").mkdir()
    place = tmp_path / "there"
    monkeypatch.chdir(place)

    def run(*args: str) -> tuple[str, str]:
        before = sorted(path.name for path in place.iterdir())
        with pytest.raises(SystemExit) as stopped:
            cli.main(list(args))
        out, err = capsys.readouterr()
        last = err.splitlines(keepends=True)[-1]
        found = LINE.fullmatch(last)
        assert found, err
        assert stopped.value.code == 2, err
        assert out == ""
        assert sorted(path.name for path in place.iterdir()) == before
        return found[1], found[2]

    return run


BAD = [
    # person
    ("--weight 80", "UNIT-MISSING", ["weight", "'80'", '"80 kg"']),
    ("--weight 80_cm", "UNIT-DIMENSION", ["weight", "'80 cm'", "length", '"80 kg"']),
    ("--weight 80_KG", "UNIT-UNKNOWN", ["weight", "'KG'", "did you mean kg?"]),
    ("--weight 0.8_kg", "WEIGHT-RANGE", ["0.8 kg", "30 to 250 kg"]),
    ("--weight 800_kg", "WEIGHT-RANGE", ["800 kg", "30 to 250 kg"]),
    ("--weight -80_kg", "WEIGHT-RANGE", ["-80 kg", "30 to 250 kg"]),
    ("--weight nan_kg", "NUMBER-BAD", ["weight", "'nan kg'", '"80 kg"']),
    ("--weight inf_kg", "NUMBER-BAD", ["weight", "'inf kg'"]),
    ("--weight 80,5_kg", "NUMBER-BAD", ["weight", "decimal point"]),
    ("--height 170", "UNIT-MISSING", ["height", '"170 cm"']),
    ("--height 20_cm", "HEIGHT-RANGE", ["20 cm", "100 to 230 cm"]),
    ("--age 45", "UNIT-MISSING", ["age", '"45 y"']),
    ("--age 10_y", "MODEL-AGE", ["10 y", "d1", "18 to 120 y"]),
    ("--age 130_y", "AGE-RANGE", ["130 y", "0 to 120 y"]),
    ("--sex x", "SEX-UNKNOWN", ["'x'", "female or male"]),
    ("--baseline nan", "NUMBER-BAD", ["baseline", "'nan'"]),
    ("--baseline 61", "BASELINE-RANGE", ["61", "0 to 60"]),
    ("--baseline 0", "BASELINE-RANGE", ["0", "between 0 and 60"]),
    # dose
    ("--dose 0.5", "UNIT-MISSING", ["dose", '"0.5 mg/kg"']),
    ("--dose 40_min", "UNIT-DIMENSION", ["dose", "time", "mass"]),
    ("--dose -1_mg", "DOSE-RANGE", ["-1 mg", "at least 0"]),
    ("--dose 20_mg/kg", "DOSE-CEILING", ["20 mg/kg", "iv", "15 mg/kg"]),
    ("--dose 20_mg/kg --route im", "DOSE-CEILING", ["20 mg/kg", "im", "15 mg/kg"]),
    ("--dose 11_mg/kg --route oral", "DOSE-CEILING", ["11 mg/kg", "oral", "10 mg/kg"]),
    ("--dose 4_mg/kg --route nasal", "DOSE-CEILING", ["4 mg/kg", "intranasal", "3 mg/kg"]),
    ("--dose 0.5_mg/kg_ideal", "HEIGHT-MISSING", ["height", "ideal"]),
    ("--drug esketamine --route nasal --dose 30_mg", "DEVICE-DOSE", ["30 mg", "28 mg, 56 mg or 84 mg"]),
    ("--route spinal", "UNKNOWN-ROUTE", ["'spinal'", "iv, im, sc"]),
    ("--route oral --dose 20_mg/h", "RATE-NO-DURATION", ["'20 mg/h'", "oral", "at once", '"35 mg"']),
    ("--route oral --duration 40_min", "ROUTE-DURATION", ["oral", "leave it out"]),
    ("--drug ssri --route iv", "DRUG-ROUTE", ["ssri", "'iv'", "oral"]),
    ("--duration 40", "UNIT-MISSING", ["duration", '"40 min"']),
    ("--duration -1_min", "DURATION-RANGE", ["0 to 720 h"]),
    ("--drug aspirin", "UNKNOWN-DRUG", ["'aspirin'", "the nearest is", "esketamine"]),
    # days, time
    ("--days 0,0", "DAYS-BAD", ["'0,0'", "0,3,7"]),
    ("--days 3,1", "DAYS-BAD", ["'3,1'", "begins on day 1", '"0,2"']),
    ("--days 0,nan", "DAYS-BAD", ["'0,nan'"]),
    ("--days 0,0.01", "OVERLAP", ["day 0.01", "before", "one iv infusion at a time"]),
    ("--until 3", "UNIT-MISSING", ["until"]),
    ("--until 0_d", "UNTIL-RANGE", ["0 h", "26 weeks"]),
    ("--until 100_y", "UNTIL-RANGE", ["3653 d"]),
    ("--every 1", "UNIT-MISSING", ["every"]),
    ("--every 0_h", "EVERY-RANGE", ["every"]),
    ("--every 1_s", "EVERY-RANGE", ["every", "2,419,200 outputs", "0.4 min"]),
    # people, chance, machine
    ("--people 0", "PEOPLE-RANGE", ["0", "10000000"]),
    ("--people 2.5", "USAGE", ["--people", "'2.5'", "whole number"]),
    ("--people=many", "USAGE", ["--people", "'many'", "whole number"]),
    ("--seed -1", "SEED-BAD", ["-1", "2^63"]),
    ("--workers 0", "WORKERS-RANGE", ["0", "1 or more"]),
    # model
    ("--belief hopeful", "UNKNOWN-BELIEF", ["'hopeful'", "masked"]),
    ("--without amapa", "UNKNOWN-SWITCH", ["'amapa'", "the nearest is ampa"]),
    ("--without lithium", "UNKNOWN-SWITCH", ["--with lithium"]),
    ("--with val66met met66met", "SWITCH-CONFLICT", ["val66met", "met66met"]),
    ("--model herd2007", "UNKNOWN-MODEL", ["'herd2007'", "the nearest is"]),
    ("--model d", "AMBIGUOUS-MODEL", ["d1", "domino1984"]),
    ("--model domino1984 --route oral", "MODEL-ROUTE", ["domino1984", "oral"]),
    ("--model memantine-label", "MODEL-DRUG", ["memantine-label", "ketamine"]),
    ("--drug memantine --model simons2022", "MODEL-DRUG", ["simons2022", "memantine-label", "leave the model out"]),
    ("--drug memantine --model all", "MODEL-DRUG", ["all", "memantine-label"]),
    ("--effect aspirin", "MODEL-EFFECT", ["d1", "'aspirin'", "clarithromycin", "hepatic-moderate"]),
    ("--model kamp2020 --effect rifampicin", "MODEL-EFFECT", ["kamp2020", "'rifampicin'", "none"]),
    ("--model all --effect rifampicin", "MODEL-EFFECT", ["all", "choose one with --model"]),
    ("--drug placebo --effect rifampicin", "MODEL-EFFECT", ["placebo", "leave it out"]),
    ("--drug placebo --model all", "MODEL-DRUG", ["placebo has no plasma model", "leave the model out"]),
    ("--drug midazolam --route sublingual", "DRUG-ROUTE", ["midazolam", "'sublingual'", "iv, sc"]),
    ("--weight --height 170_cm", "OPTION-EMPTY", ["--weight", "--height follows"]),
    ("--mechanism nowhere.ant", "MECHANISM-FILE", ["nowhere.ant", "No such file"]),
    # output
    ("--out course.xlsx", "OUT-ENDING", [".xlsx", ".html"]),
    ("--out course", "OUT-ENDING", ["no ending"]),
    ("--out nowhere/course.nc", "OUT-FOLDER", ["nowhere", "does not exist"]),
    ("--out a.nc b.csv ./a.nc", "OUT-TWICE", ["a.nc"]),
    # what no run may swallow
    ("--weight=", "OPTION-EMPTY", ["--weight", "empty"]),
    ("--weight 80_kg --weight 90_kg", "OPTION-TWICE", ["'80 kg'", "'90 kg'"]),
    ("--wieght 80_kg", "USAGE", ["--wieght"]),
    ("standard-2x3", "USAGE", ["standard-2x3"]),
]


@pytest.mark.parametrize(("words", "code", "names"), BAD, ids=[words for words, _, _ in BAD])
def test_bad_input_is_refused_naming_field_value_limit_and_way_out(refused, words, code, names):
    found, sentence = refused("simulate", "single", *(word.replace("_", " ") for word in words.split()))
    assert found == code
    for name in names:
        assert name in sentence


@pytest.mark.parametrize(
    ("protocol", "code", "names"),
    [
        ("atlants", "UNKNOWN-PROTOCOL", ["'atlants'", "the nearest is atlanta"]),
        ("lif", "AMBIGUOUS-PROTOCOL", ["lifschutz-q2w", "lifschutz-q4w", "lifschutz-step"]),
        ("sacramento", "PROTOCOL-NO-DAYS", ["'sacramento'", '--days "0,3,7"']),
        ("vip-series", "PROTOCOL-NO-DAYS", ["'vip-series'", '--days "0,3,7"']),
        ("", "PROTOCOL-MISSING", ["protocol"]),
        ("nowhere.toml", "PROTOCOL-FILE", ["nowhere.toml", "cannot be read"]),
    ],
)
def test_a_protocol_that_there_is_not_is_refused_with_the_nearest(refused, protocol, code, names):
    found, sentence = refused("simulate", protocol)
    assert found == code
    for name in names:
        assert name in sentence


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("id = ", ["not TOML"]),
        (PROTOCOL + 'colour = "red"' + PHASE, ["colour", "'red'"]),
        (PROTOCOL + 'dose = "0.5"' + PHASE, ["dose", "'0.5'", "has no unit"]),
        (PROTOCOL + PHASE.replace("0, 3", "3, 0"), ["[3.0, 0.0]", "rising days"]),
        (PROTOCOL + PHASE.replace("0, 3", "1, 3"), ["begins on day 1"]),
        (PROTOCOL + PHASE.replace("3", '"3"'), ["days.1", "'3'", "number"]),
        (PROTOCOL + PHASE.replace("3", "true"), ["days.1", "True", "number"]),
        (PROTOCOL + 'dose = "99 mg/kg"' + PHASE, None),
    ],
)
def test_a_broken_protocol_file_is_refused_naming_file_key_and_value(refused, text, names):
    Path("mine.toml").write_text(text)
    code, sentence = refused("simulate", "mine.toml")
    assert code == ("PROTOCOL-FILE" if names else "DOSE-CEILING")
    for name in names or ["99 mg/kg"]:
        assert name in sentence


def test_a_folder_that_may_not_be_written_to_is_refused(refused):
    if os.geteuid() == 0:
        # Root may write anywhere; a file in the folder's place cannot be one for root either.
        Path("locked").write_text("")
    else:
        Path("locked").mkdir(mode=0o500)
    assert refused("simulate", "single", "--out", "locked/course.html")[0] == "OUT-FOLDER"


# --- no argument is silent -------------------------------------------------------------------------------------------

RECORDS = ["--data", "records.csv", "--model", "model.ant", "--out", "pred.csv"]
CLINIC = ["--data", "nowhere"]
# Every option and argument of every command, with a run that cannot use it; None where every run of the command can.
CANNOT_USE: dict[tuple[str, str], list[str] | None] = {
    ("protocols", "--json"): None,
    ("models", "--json"): None,
    ("switches", "--json"): None,
    ("claims", "--json"): None,
    ("equations", "--out"): ["--out", "equations.pdf"],
    ("equations", "--model"): ["--model", "herd2007"],
    ("equations", "--with"): ["--with", "lithium"],
    ("evidence check", "files"): ["nowhere.toml"],
    ("evidence check", "--json"): None,
    ("evidence report", "--out"): ["--out", "mine.toml"],
    ("evidence report", "--people"): ["--out", "pages", "--people", "3"],
    ("evidence report", "--seed"): ["--out", "pages", "--seed", "-1"],
    ("evidence calibrate", "--people"): ["--people", "3"],
    ("evidence calibrate", "--seed"): ["--seed", "-1"],
    ("evidence calibrate", "--out"): ["--out", "mine.toml"],
    ("simulate", "protocol"): ["single", *RECORDS],
    **{
        ("simulate", option): [option, value, *RECORDS]
        for option, value in {
            "--weight": "80 kg",
            "--height": "170 cm",
            "--age": "45 y",
            "--sex": "female",
            "--baseline": "33",
            "--condition": "crps",
            "--drug": "ketamine",
            "--dose": "0.5 mg/kg",
            "--route": "iv",
            "--duration": "40 min",
            "--days": "0,3",
            "--people": "10",
            "--seed": "2",
            "--until": "7 d",
            "--every": "1 h",
            "--belief": "none",
            "--without": "ampa",
            "--with": "lithium",
            "--effect": "rifampicin",
            "--mechanism": "own.ant",
            "--workers": "2",
        }.items()
    },
    ("simulate", "--json"): ["--json", *RECORDS],
    ("simulate", "--model"): ["single", "--drug", "memantine", "--model", "simons2022"],
    ("simulate", "--out"): ["single", "--out", "course.pdf"],
    ("simulate", "--data"): ["--data", "records.csv", "--out", "pred.csv"],
    ("simulate", "--clock"): ["single", "--clock", "locf"],
    ("serve", "--demo"): None,
    ("serve", "--host"): None,
    ("serve", "--port"): ["--port", "70000"],
    ("serve", "--data"): ["--data", "mine.toml"],
    ("serve", "--cert"): ["--cert", "mine.toml"],
    ("serve", "--key"): ["--key", "mine.toml"],
    ("doctor", "--data"): CLINIC,
    ("backup", "out"): ["copy.db", *CLINIC],
    ("backup", "--data"): ["copy.db", *CLINIC],
    ("restore", "file"): ["nowhere.db", *CLINIC],
    ("restore", "--data"): ["nowhere.db", *CLINIC],
    ("move", "--data"): CLINIC,
    ("verify-log", "--data"): CLINIC,
    ("link", "username"): ["nobody", *CLINIC],
    ("link", "--data"): ["nobody", *CLINIC],
    ("import nonmem", "file"): ["nowhere.csv"],
    ("import nonmem", "--out"): ["records.csv", "--out", "course.pdf"],
    ("import nonmem", "--drug"): ["records.csv", "--route", "im", "--drug", "aspirin"],
    ("import nonmem", "--route"): ["records.csv", "--route", "spinal"],
    ("import nonmem", "--id"): ["records.csv", "--id", "7"],
    ("import sbml", "file"): ["nowhere.xml", "--out", "course.csv"],
    ("import sbml", "--out"): ["mine.toml", "--out", "course.pdf"],
    ("import sbml", "--until"): ["mine.toml", "--until", "3", "--out", "course.csv"],
}
# `export` takes simulate's options: a value of each that no course can use.
NO_COURSE = {
    "protocol": "atlants",
    "--weight": "0.8 kg",
    "--height": "20 cm",
    "--age": "10 y",
    "--sex": "x",
    "--baseline": "61",
    "--condition": None,
    "--drug": "aspirin",
    "--dose": "0.5",
    "--route": "spinal",
    "--duration": "40",
    "--days": "3,1",
    "--people": "0",
    "--seed": "-1",
    "--until": "3",
    "--belief": "hopeful",
    "--without": "lithium",
    "--with": "ampa",
    "--effect": "aspirin",
    "--model": "herd2007",
    "--mechanism": "nowhere.ant",
    "--out": "nowhere/course.xml",
}


def commands(command, path=()):
    below = getattr(command, "commands", None)
    if not below:
        yield " ".join(path), command
        return
    for name, found in below.items():
        yield from commands(found, (*path, name))


def arguments() -> list[tuple[str, str]]:
    """Every option and argument of every command of `regrow`, as the parser itself knows them."""
    root = typer.main.get_command(cli.app)
    return [(name, parameter.opts[0]) for name, command in commands(root) for parameter in command.params]


def exports(form: str) -> dict[tuple[str, str], list[str] | None]:
    """The rows of one form of `export`."""
    written = ["--out", "course.xml"]
    rows: dict[tuple[str, str], list[str] | None] = {}
    for option, value in NO_COURSE.items():
        args = ["single", option, str(value), *(written if option != "--out" else [])]
        rows[f"export {form}", option] = None if value is None else args if option != "protocol" else [value, *written]
    return rows


for form in sorted({name.split()[1] for name, _ in arguments() if name.startswith("export ")}):
    CANNOT_USE |= exports(form)


def test_every_argument_of_every_command_stands_in_the_table_of_runs_that_cannot_use_it():
    assert set(arguments()) == set(CANNOT_USE), "a new option needs a row: a run that cannot use it, or None"


@pytest.mark.parametrize(
    ("name", "args"),
    [(f"{command} {option}", [*command.split(), *args]) for (command, option), args in CANNOT_USE.items() if args],
)
def test_an_argument_that_a_run_cannot_use_is_refused_not_ignored(refused, name, args):
    Path("mine.toml").write_text(PROTOCOL + PHASE)
    Path("records.csv").write_text("ID,TIME,AMT,EVID,CMT\n1,0,35,1,1\n1,24,35,1,1\n")
    code, sentence = refused(*args)
    # What the parser itself refuses must name the option, or it refuses for another reason than the one meant.
    assert code != "USAGE" or name.split()[-1] in sentence
    if args[0] == "simulate" and "records.csv" in args and "--weight" in name:
        assert code == "OPTION-UNUSED"


OWN = "var R has mg_per_L; const k has per_hour; k = 1; R = 0; R' = k * (C_S - R); // no M0, no X"


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [
        ("--baseline", "20", "M0"),
        ("--belief", "masked", "X"),
        ("--condition", "crps", "pain_left"),
        ("--with", "lithium", "lambda_Li"),
        ("--without", "ampa", "q_AMPA"),
    ],
)
@pytest.mark.parametrize("command", [["simulate"], ["export", "sbml"], ["export", "nonmem"], ["export", "c"]])
def test_what_own_equations_have_no_name_for_is_refused_not_ignored(refused, command, option, value, name):
    Path("own.ant").write_text(OWN)
    written = {"simulate": "x.csv", "sbml": "x.xml", "nonmem": "x.csv", "c": "x.c"}[command[-1]]
    code, sentence = refused(*command, "single", "--mechanism", "own.ant", option, value, "--out", written)
    assert code in ("MECHANISM-UNUSED", "SWITCH-UNUSED")
    assert name in sentence


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--seed", "2"], "seed: 2 changes nothing for one typical person"),
        (["--workers", "2"], "workers: 2 share out people"),
        (["--height", "150 cm"], "height: 150 cm changes nothing for one typical person"),
        (["--sex", "male"], "sex: male changes nothing for one typical person"),
        (["--drug", "ssri", "--dose", "20 mg"], "dose: 20 mg of ssri changes nothing"),
        (["--effect", "grapefruit"], "grapefruit changes only what is swallowed"),
        (["--drug", "placebo", "--dose", "0.5 mg/kg"], "dose: 0.5 mg/kg of placebo"),
        (["--until", "3 d", "--days", "0,2,4,6"], "before 2 of the 4 sessions"),
        (["--until", "20 min"], "20 min before the dose of day 0 has all run in"),
        (["--dose", "2 mg/kg"], "above 1.5 mg/kg, the ceiling here"),
        (["--dose", "1.2 mg/kg"], "above the cap of 1 mg/kg"),
        (["--condition", "gout"], "'gout' is not known and changes nothing"),
        (["--weight", "120 kg"], "53 to 93 kg; this person, 120 kg, is outside"),
    ],
)
def test_what_is_taken_but_changes_little_is_said_on_standard_error(capsys, args, says):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["simulate", "single", *args])
    out, err = capsys.readouterr()
    assert stopped.value.code == 0
    assert says in err
    assert all(line.startswith("note: ") for line in err.splitlines())
    assert "note" not in out


def test_a_dose_within_the_caps_brings_no_caution_and_a_pain_infusion_is_held_to_the_rules_on_pain(capsys):
    for args in (["standard-2x3"], ["crps-10-day"]):
        with pytest.raises(SystemExit):
            cli.main(["simulate", *args])
        assert "beyond what a clinic gives" not in capsys.readouterr().err


# --- the disk, the keyboard, the pipe ---------------------------------------------------------------------------------


def regrow(*args: str, **how) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "regrow", *args], capture_output=True, text=True, timeout=120, **how)


@pytest.mark.parametrize("ending", ["html", "nc"])
def test_a_full_disk_ends_with_1_one_line_and_the_old_file_whole(tmp_path, ending):
    place = tmp_path / f"course.{ending}"
    place.write_text("the course before")

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    # No cached kernel may be cut off either, so the run gets none to write.
    done = regrow("simulate", "single", "--out", str(place), preexec_fn=little_room)
    assert done.returncode == 1, done.stderr
    assert LINE.fullmatch(done.stderr.splitlines(keepends=True)[-1])[1] == "OUT-DISK"  # type: ignore[index]
    assert done.stdout == ""
    assert place.read_text() == "the course before"
    assert os.listdir(tmp_path) == [place.name]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_half_way_ends_with_130_and_the_old_file_whole(tmp_path, workers):
    """Ctrl-C reaches every process of the terminal: the one asked, and its workers while they start or work."""
    place = tmp_path / "course.nc"
    place.write_text("the course before")
    asked = ["simulate", "atlanta", "--people", "200000", "--workers", workers, "--out", str(place)]
    with subprocess.Popen(
        [sys.executable, "-m", "regrow", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # whoever starts the tests in the background may have them ignore Ctrl-C, and a child inherits that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as child:
        status = Path(f"/proc/{child.pid}/status")
        while child.poll() is None and "Threads:\t1\n" in status.read_text():
            time.sleep(0.05)  # until numpy's or the engine's threads run
        time.sleep(1.0)  # the run itself takes minutes
        assert child.poll() is None
        os.killpg(child.pid, signal.SIGINT)
        try:
            out, err = child.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # else leaving the block waits for the whole run
            raise
    assert child.returncode == 130, err
    assert out == ""
    last = err.splitlines(keepends=True)[-1]
    assert LINE.search(last)[1] == "INTERRUPTED"  # type: ignore[index]
    assert "Traceback" not in err
    assert place.read_text() == "the course before"
    assert os.listdir(tmp_path) == [place.name]


def test_a_standard_output_without_room_ends_with_1_and_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "regrow", "protocols"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 1
    assert LINE.fullmatch(done.stderr)[1] == "OUT-WRITE"  # type: ignore[index]
