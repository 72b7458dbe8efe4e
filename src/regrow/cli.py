"""The command line: parse, call, print. Heavy imports live inside the commands, so that `--help` is quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from regrow import __version__
from regrow.refusal import Refusal

# Typer carries its own copy of click and shows only the leaves of its errors; the root is found through one of them.
ParserError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

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


def _say(code: str, sentence: str) -> None:
    print(f"regrow: {code}: {' '.join(sentence.split())}", file=sys.stderr)


def main(args: list[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 could not finish, 2 bad input, 130 interrupted."""
    try:
        code = app(args, standalone_mode=False)
    except Refusal as refusal:
        _say(refusal.code, refusal.sentence)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        _say("INTERRUPTED", "stopped by the keyboard; nothing was written.")
        sys.exit(130)
    except ParserError as problem:
        _say("USAGE", f"{problem} `regrow --help` lists what there is.")
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
