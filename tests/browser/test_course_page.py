"""The page of a course in Chromium: no flaw that axe can find, in light and dark, from phone to desk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from synthetic_course import course

from regrow import page

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("page") / "course.html"
    page.write(course(people=40, days=(0, 3, 7, 10, 14, 17, 24, 31, 38), ruled=6), place)
    return place


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (820, "dark"), (1440, "light")])
def test_the_page_fits_asks_for_nothing_and_has_no_flaw_that_axe_finds(browser, file, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    complaints: list[str] = []
    view = context.new_page()
    view.on("request", lambda request: asked.append(request.url))
    view.on("console", lambda message: complaints.append(message.text))
    view.goto(file.as_uri())
    assert view.evaluate("document.documentElement.scrollWidth") == width
    view.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert view.evaluate("document.documentElement.scrollWidth") == width
    assert asked == [file.as_uri()]
    found = Axe().run(view)
    assert found.violations_count == 0, found.generate_report()
    assert complaints == []
    context.close()


def test_no_letter_of_a_chart_leaves_its_paper_or_meets_another(browser, file):
    view = browser.new_page(viewport={"width": 1100, "height": 900})
    view.goto(file.as_uri())
    flaws = view.evaluate(
        """() => [...document.querySelectorAll('svg.chart')].filter(s => s.getBoundingClientRect().width).flatMap(s => {
            const paper = s.getBoundingClientRect();
            const boxes = [...s.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
            const out = boxes.filter(([, b]) => b.left < paper.left - 1 || b.right > paper.right + 12
                || b.top < paper.top - 1 || b.bottom > paper.bottom + 1).map(([w]) => `outside: ${w}`);
            boxes.forEach(([w, a], i) => boxes.slice(i + 1).forEach(([v, b]) => {
                if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
                    out.push(`${w} meets ${v}`);
            }));
            return out;
        })"""
    )
    assert flaws == []
    view.close()


def test_on_paper_the_page_is_light_and_shows_no_folded_numbers(browser, file):
    view = browser.new_page(color_scheme="dark")
    view.goto(file.as_uri())
    view.emulate_media(media="print", color_scheme="dark")
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert view.evaluate("getComputedStyle(document.querySelector('details.data')).display") == "none"
    view.close()
