"""The command line: parse, call, print. Heavy imports live inside the commands, so that `--help` is quick."""

from __future__ import annotations

import json as json_text
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regrow import __version__
from regrow.clinic import commands as clinic
from regrow.refusal import Refusal

if TYPE_CHECKING:
    from regrow.order import Order

# Typer carries its own copy of click and shows only the leaves of its errors; the root is found through one of them.
ParserError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

INTERRUPTED = 130

app = typer.Typer(
    help="Plan, deliver and follow ketamine treatment on a mechanistic model. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _print_json(value: object) -> None:
    typer.echo(json_text.dumps(value, ensure_ascii=False, allow_nan=False))


@app.command()
def protocols(json: Json = False) -> None:
    """List the protocols: who states them, on which days."""
    from regrow.catalog import protocols as shelf

    rows = [shelf.describe(shelf.get(id)) for id in shelf.ids()]
    if json:
        _print_json(rows)
        return
    for row in rows:
        days = ", ".join(f"{day:g}" for day in row["days"]) or "none stated: give --days"
        typer.echo(f"{row['id']:22} {row['title']}\n{'':22} days {days}\n{'':22} {row['source']}")


@app.command()
def models(json: Json = False) -> None:
    """List the published pharmacokinetic models: their people, routes and source."""
    from regrow.catalog import models as shelf

    rows = [
        {
            "id": m.id,
            "title": m.title,
            "people": m.people.studied.who,
            "routes": list(m.routes),
            "drugs": list(m.drugs),
            "site": m.site,
            "missing": list(m.missing),
            "source": m.citation,
            "doi": list(m.doi),
            "confidence": m.confidence,
            "errata": list(m.errata),
            "effects": [{"id": x.id, "what": x.what, "source": x.source, "note": x.note} for x in m.effect],
        }
        for m in map(shelf.get, shelf.ids())
    ]
    if json:
        _print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['id']:18} {row['title']}")
        typer.echo(f"{'':18} {row['people']}; {', '.join(row['routes'])}")
        typer.echo(f"{'':18} {row['source']}")
        for effect in row["effects"]:
            typer.echo(f"{'':18} --effect {effect['id']}: {effect['what']}")


@app.command()
def switches(json: Json = False) -> None:
    """List what `--without` and `--with` can change, and what each changes in the equations."""
    from regrow.mechanism import switches as table

    rows = [
        {
            "name": switch.id,
            "kind": switch.kind,
            "changes": switch.what,
            "honest": switch.honest,
            "intervention": switch.intervention.id,
            "strength": switch.strength,
            "evidence": list(switch.evidence),
        }
        for switch in table.switches().values()
    ]
    if json:
        _print_json(rows)
        return
    for row in rows:
        typer.echo(f"--{row['kind']:7} {row['name']:18} {row['changes']}")


Weight = Annotated[str, typer.Option(help='Body weight, such as "80 kg".')]
Height = Annotated[str, typer.Option(help='Height, such as "170 cm"; a dose per ideal weight needs it.')]
Age = Annotated[str, typer.Option(help='Age, such as "45 y".')]
Sex = Annotated[str, typer.Option(help="female or male.")]
Baseline = Annotated[str, typer.Option(help="MADRS before treatment, 0 to 60.")]
Condition = Annotated[
    str, typer.Option(help="What is treated, such as depression, ptsd, crps or migraine; adds its read-outs.")
]
Drug = Annotated[
    str,
    typer.Option(help="Give this drug instead: ketamine, esketamine, arketamine, placebo, midazolam, ssri, ect ..."),
]
Dose = Annotated[str, typer.Option(help='Give this dose instead, such as "0.5 mg/kg".')]
Route = Annotated[
    str, typer.Option(help="Give by this route instead: iv, im, sc, intranasal, oral, sublingual or rectal.")
]
Duration = Annotated[str, typer.Option(help='Infuse over this time, such as "40 min"; "0 min" is a bolus.')]
Days = Annotated[str, typer.Option(help='Session days from the first, such as "0,3,7".')]
People = Annotated[int | None, typer.Option(help="Draw this many people; without it one typical person.")]
Seed = Annotated[int | None, typer.Option(help="Same seed, same people; 1 if none is given.")]
Until = Annotated[str, typer.Option(help='Simulate until, such as "26 weeks".')]
Belief = Annotated[
    str,
    typer.Option(help="What people believe they get: open, saline-blind, active-placebo, masked; none: no expectancy."),
]
Without = Annotated[list[str] | None, typer.Option(help="Take steps of the mechanism away: `switches` lists them.")]
With = Annotated[
    list[str] | None, typer.Option("--with", help="Add a medicine, a gene or stress: `switches` lists them.")
]
Effect = Annotated[list[str] | None, typer.Option(help="Interactions, kidney, liver, genotype: `models` lists them.")]
Mechanism = Annotated[Path | None, typer.Option(help="Equations of your own (.ant) after the plasma.")]
Every = Annotated[str, typer.Option(help='Keep outputs this often, such as "1 week", not closely at each session.')]
Workers = Annotated[int | None, typer.Option(help="Processes that share the people of a large population.")]


@app.command()
def simulate(
    context: typer.Context,
    protocol: Annotated[str, typer.Argument(help="A protocol's id (a unique prefix is enough) or a .toml file.")] = "",
    weight: Weight = "",
    height: Height = "",
    age: Age = "",
    sex: Sex = "",
    baseline: Baseline = "",
    condition: Condition = "",
    drug: Drug = "",
    dose: Dose = "",
    route: Route = "",
    duration: Duration = "",
    days: Days = "",
    people: People = None,
    seed: Seed = None,
    until: Until = "",
    every: Every = "",
    belief: Belief = "open",
    without: Without = None,
    with_: With = None,
    effect: Effect = None,
    model: Annotated[
        str, typer.Option(help="Plasma model, or all: `models` lists them; with --data an .ant file.")
    ] = "",
    mechanism: Mechanism = None,
    workers: Workers = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(help="Write .html (a page), .svg (its chart), .csv, .parquet or .nc (all numbers)."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Records of a NONMEM data set, run through --model.")] = None,
    clock: Annotated[str, typer.Option(help="With --data, how long a covariate holds: nocb or locf.")] = "nocb",
    json: Json = False,
) -> None:
    """Simulate a treatment course from dose to mood, or the records of a NONMEM data set."""
    if data is not None:
        _simulate_records(context, data, model, tuple(out or ()), clock)
        return
    _refuse_given(context, ("clock",), "belongs to --data; leave it out, or give a data set")
    if not protocol:
        sentence = "protocol: none is given; name one (`regrow protocols` lists them), or give --data with --model"
        raise Refusal("PROTOCOL-MISSING", sentence, field="protocol")
    order = _order(locals())
    from regrow.order import carry_out

    carry_out(order, tuple(out or ()), json=json)


def _order(options: Mapping[str, Any]) -> Order:
    """The order that a command's options make: each field of `Order` is the option of its name."""
    from regrow.order import Order

    known: dict[str, Any] = {name: value for name, value in options.items() if name in Order.__dataclass_fields__}
    for name in ("without", "with_", "effect"):
        known[name] = tuple(known[name] or ())
    return Order(**known)


def _given(context: typer.Context) -> list[str]:
    """The names of the parameters that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _refuse_given(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuses with OPTION-UNUSED the first of `names` that was typed, so that nothing typed is ignored."""
    for name in _given(context):
        if name in names:
            option = name if name == "protocol" else f"--{name.rstrip('_')}"
            value = context.params[name]
            raise Refusal("OPTION-UNUSED", f"{option}: {value} {why}", field=option, value=value)


def _simulate_records(context: typer.Context, data: Path, model: str, out: tuple[Path, ...], clock: str) -> None:
    others = [name for name in context.params if name not in ("data", "model", "out", "clock")]
    _refuse_given(context, others, "says nothing to a data set, whose records and columns say all; leave it out")
    if "model" not in _given(context) or len(out) != 1:
        missing = "model" if "model" not in _given(context) else "out"
        sentence = f"{missing}: --data needs --model MODEL.ant and one --out PRED.csv; give both"
        raise Refusal("DATA-OPTIONS", sentence, field=missing, value=[str(path) for path in out])
    from regrow.exchange import nonmem

    for notice in nonmem.simulate(data, Path(model), out[0], clock=clock):
        print(f"note: {notice}", file=sys.stderr)


@app.command()
def equations(
    out: Annotated[Path | None, typer.Option(help="Write .html or .md; without it, Markdown is printed.")] = None,
    model: Annotated[str, typer.Option(help="The plasma model before the mechanism: `models` lists them.")] = "d1",
    with_: Annotated[list[str] | None, typer.Option("--with", help="A switch that joins equations: habenula.")] = None,
) -> None:
    """Show every equation with its units, and every number with its status and source."""
    from regrow.mechanism import switches as table
    from regrow.page import equations as page

    joined = table.joining(with_ or ())
    if out is None:
        typer.echo(page.page(model, joined=joined), nl=False)
    else:
        page.write(out, model, joined=joined)
        print(f"note: wrote {out}", file=sys.stderr)


evidence = typer.Typer(help="Hold the model against published studies.", no_args_is_help=True)
app.add_typer(evidence, name="evidence")


@evidence.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Evidence files, from the shelf or from anywhere.")],
    json: Json = False,
) -> None:
    """Simulate every arm of the studies and print prediction beside observation, with a verdict on each figure."""
    from regrow.evidence import check as held

    report = held(files)
    typer.echo(report.to_json() if json else report.as_text())


@evidence.command()
def calibrate(
    out: Annotated[Path, typer.Option(help="Folder for the files of parameters and the report of the fit.")] = Path(
        "calibration"
    ),
    people: Annotated[int, typer.Option(help="People simulated for each arm.")] = 128,
    seed: Annotated[int, typer.Option(help="Same seed, same people, same numbers.")] = 20_000,
) -> None:
    """Fit the parameters to the figures of use calibration; write them, and what the figures identify."""
    from regrow.evidence import calibrate as fit
    from regrow.evidence import written

    def tell(message: str) -> None:
        print(message, file=sys.stderr)

    written.check_folder(out)
    found = fit.calibrate(fit.shelf(), people=people, seed=seed, progress=tell)
    tell("the rival, without the drug")
    bare = fit.calibrate(fit.shelf(), people=people, seed=seed, drug=False, progress=tell)
    for path in written.write(found, bare, out):
        typer.echo(path)


@evidence.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder for the pages, made if need be.")],
    people: Annotated[int, typer.Option(help="Simulated people for each arm.")] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same pages.")] = 1,
) -> None:
    """Write the whole shelf as pages: every figure beside its prediction, misses first, rivals, treatments compared."""
    from regrow import report as pages

    def tell(name: str) -> None:
        print(f"report: {name}", file=sys.stderr)

    shelf = pages.write(out, people=people, seed=seed, progress=tell)
    counts = ", ".join(
        f"{use} {found.within} of {found.n} within and {found.covered} covered"
        for use in ("calibration", "validation")
        for found in [shelf.report.tally(use)]
    )
    print(f"report: wrote {out / 'index.html'} ({counts})", file=sys.stderr)


@app.command()
def claims(json: Json = False) -> None:
    """List the field's claims: verdict, evidence, and what the model shows."""
    from regrow.evidence import answers

    if json:
        typer.echo(answers.claims_json())
        return
    typer.echo(answers.as_text(answers.answers(answers.ask_model)), nl=False)


export = typer.Typer(help="Write a course for another program.", no_args_is_help=True)
app.add_typer(export, name="export")
imported = typer.Typer(help="Read what another program wrote.", no_args_is_help=True)
app.add_typer(imported, name="import")

_FORMS = {
    "sbml": "One person's course as SBML Level 3: equations, values, and doses as events.",
    "nonmem": "A course as a NONMEM data set, with the model text (.ant) beside it.",
    "c": "One person's course as a C program that prints it.",
}


def _exporter(form: str) -> Callable[..., None]:
    """The command that writes a course in one form: simulate's options, and one file."""

    def command(
        protocol: Annotated[str, typer.Argument(help="A protocol's id (a unique prefix is enough) or a .toml file.")],
        out: Annotated[Path, typer.Option(help="The file to write.")],
        weight: Weight = "",
        height: Height = "",
        age: Age = "",
        sex: Sex = "",
        baseline: Baseline = "",
        condition: Condition = "",
        drug: Drug = "",
        dose: Dose = "",
        route: Route = "",
        duration: Duration = "",
        days: Days = "",
        people: People = None,
        seed: Seed = None,
        until: Until = "",
        belief: Belief = "open",
        without: Without = None,
        with_: With = None,
        effect: Effect = None,
        model: Annotated[str, typer.Option(help="Plasma model: `models` lists them.")] = "",
        mechanism: Mechanism = None,
    ) -> None:
        order = _order(locals())
        from regrow.order import export

        for notice in export(order, form, out):
            print(f"note: {notice}", file=sys.stderr)

    return command


@imported.command("nonmem")
def import_nonmem(
    file: Annotated[Path, typer.Argument(help="A NONMEM data set (CSV).")],
    out: Annotated[Path | None, typer.Option(help="The protocol file (.toml) to write; else it is printed.")] = None,
    drug: Annotated[str, typer.Option(help="What AMT is, where the file does not say; else ketamine.")] = "",
    route: Annotated[str, typer.Option(help="How it was given, where the file does not say; else iv.")] = "",
    id: Annotated[str, typer.Option(help="Which individual, where the file has several.")] = "",
) -> None:
    """Turn the doses of a NONMEM data set into a protocol that `regrow simulate` runs."""
    from regrow.catalog import drugs
    from regrow.exchange import files, nonmem_course

    drug = drugs.get(drug).id if drug else ""
    if out is not None:
        files.check(out, (".toml",))
    text, notices = nonmem_course.protocol(file, drug=drug, route=route, person=id)
    if out is None:
        typer.echo(text, nl=False)
    else:
        content = text.encode()
        files.publish({out: lambda stream: files.put(stream, content)})
    for notice in notices:
        print(f"note: {notice}", file=sys.stderr)


@imported.command("sbml")
def import_sbml(
    file: Annotated[Path, typer.Argument(help="SBML of rate rules, assignments and events at fixed times.")],
    out: Annotated[Path, typer.Option(help="The .csv to write: every output, hour by hour.")],
    until: Until = "",
) -> None:
    """Run an SBML file by regrow's own engine."""
    from regrow import units
    from regrow.exchange import sbml

    for notice in sbml.simulate(file, out, units.read(until, "h", "until") if until else None):
        print(f"note: {notice}", file=sys.stderr)


for _form, _help in _FORMS.items():
    export.command(_form, help=_help)(_exporter(_form))


# `--without ampa vdcc` and `--out a.nc b.html`: several values after one option, as the contract writes them.
_ENDINGS = (".nc", ".parquet", ".csv", ".svg", ".html")


def _spread(args: list[str]) -> list[str]:
    """The arguments with `--opt a b` written as `--opt a --opt b` for the options that take several values."""
    if not args or args[0] not in ("simulate", "export"):
        return args
    spread: list[str] = []
    option = ""
    first = False
    for arg in args:
        if arg.startswith("-"):
            option, first = (arg, True) if arg in ("--without", "--with", "--effect", "--out") else ("", False)
            spread.append(arg)
        elif option and (first or _belongs(option, arg)):
            for value in arg.split(",") if option != "--out" else [arg]:
                spread += [value] if first else [option, value]
                first = False
        else:
            option = ""
            spread.append(arg)
    return spread


def _belongs(option: str, arg: str) -> bool:
    if option == "--out":
        return arg.endswith(_ENDINGS)
    if option == "--effect":
        from regrow.catalog import models as shelf

        known = {name for model in shelf.ids() for name in shelf.effects(model)}
    else:
        from regrow.mechanism import switches as table

        known = set(table.switches())
    return all(name in known for name in arg.split(","))


def _check_values(args: list[str]) -> None:
    """Refuses an empty value (OPTION-EMPTY, such as an unset shell variable leaves) and an option that takes one value
    but is given two (OPTION-TWICE): neither may be read as something else."""
    command = typer.main.get_command(app)
    place = 0
    while isinstance(commands := getattr(command, "commands", None), dict) and place < len(args):
        if args[place] not in commands:
            break
        command, place = commands[args[place]], place + 1
    options = {spelling: option for option in command.params for spelling in option.opts if spelling.startswith("-")}
    seen: dict[str, str] = {}
    for here, arg in enumerate(args[place:], start=place):
        name, joined, value = arg.partition("=")
        option = options.get(name) if arg.startswith("--") else None
        if option is None or getattr(option, "is_flag", False):
            continue
        value = value if joined else args[here + 1] if here + 1 < len(args) else "?"
        if not value.strip() or (not joined and value in options):
            what = "empty" if not value.strip() else f"missing: {value} follows at once"
            sentence = f"{name}: its value is {what}; give one, or leave the option out"
            raise Refusal("OPTION-EMPTY", sentence, field=name, value=value)
        if name in seen and not getattr(option, "multiple", False):
            sentence = f"{name}: given twice, {seen[name]!r} and {value!r}; give it once"
            raise Refusal("OPTION-TWICE", sentence, field=name, value=value)
        seen[name] = value


def _say(code: str, sentence: str) -> None:
    print(f"regrow: {code}: {' '.join(sentence.split())}", file=sys.stderr)


def _in_words(problem: Exception, args: list[str]) -> str:
    """The parser's complaint on one line, with the option and the value it is about, which the parser leaves out."""
    if type(problem).__name__ == "NoArgsIsHelpError":
        return f"{' '.join(['regrow', *args])}: a command is missing."
    if isinstance(problem, typer.BadParameter) and problem.param is not None and problem.message:
        spellings = [text for text in problem.param.opts if text.startswith("-")] or [problem.param.name or ""]
        pairs = [(arg.partition("=")[0], arg.partition("=")[2]) for arg in args if "=" in arg]
        pairs += pairwise(args)
        typed = next(((option, value) for option, value in pairs if option in spellings), (spellings[0], ""))
        kind = "a whole number is needed" if "integer" in problem.message else problem.message
        return f"{typed[0]}: {typed[1]!r}: {kind}."
    return str(problem).rstrip(".") + "."


clinic.attach(app)


def main(args: list[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 could not finish, 2 bad input, 130 interrupted."""
    from regrow.refusal import Failure

    given = sys.argv[1:] if args is None else args
    try:
        given = _spread(given)
        _check_values(given)
        code = app(given, standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # the parser has caught it already
            raise KeyboardInterrupt
    except Refusal as refusal:
        _say(refusal.code, refusal.sentence)
        sys.exit(2)
    except Failure as failure:
        _say(failure.code, failure.sentence)
        sys.exit(1)
    except (typer.Abort, KeyboardInterrupt):
        _say("INTERRUPTED", "stopped by the keyboard; nothing was written.")
        sys.exit(INTERRUPTED)
    except ParserError as problem:
        _say("USAGE", f"{_in_words(problem, given)} `regrow --help` lists what there is.")
        sys.exit(2)
    except OSError as problem:
        # Standard output is gone (closed or full): drop what waits for it, or Python complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say("OUT-WRITE", f"{problem.filename or 'standard output'}: {problem.strerror}; nothing more was written.")
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
