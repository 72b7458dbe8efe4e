"""The frame around every page: one HTML file that asks for nothing from outside, holds no script, carries its style."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files

from regrow.chart import style
from regrow.page import story


@cache
def sheet() -> str:
    """The style sheet of a page: the charts' colours and the page's own rules."""
    return style() + files("regrow.page").joinpath("page.css").read_text("utf-8")


def document(parts: Iterable[str], *, title: str, heading: str, eyebrow: str, notice: str = story.NOT_A_DEVICE) -> str:
    """The text of one HTML file: heading, notice, the `parts` as they are, and the foot. Titles are escaped here."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8" />',
            '<meta name="viewport" content="width=device-width, initial-scale=1" />',
            f"<title>{escape(title)}</title>",
            f"<style>\n{sheet()}</style>",
            "</head>",
            "<body>",
            '<header class="top">',
            f'<p class="eyebrow">{eyebrow}</p>',
            f"<h1>{escape(heading)}</h1>",
            f'<p class="notice">{notice}</p>',
            "</header>",
            "<main>",
            *parts,
            "</main>",
            f"<footer><p>{notice}</p>"
            "<p>regrow calculates, reminds and refuses; it never starts, changes or stops a drug.</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    )
