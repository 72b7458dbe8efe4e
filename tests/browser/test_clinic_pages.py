"""Every page of the clinic in Chromium: no flaw that axe finds, in light and in dark; no page wider than its screen.

REGROW_SCREENS=1 pytest tests/browser/test_clinic_pages.py      also renews the pictures in docs/screens
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from clinic.serving import Clinic
from clinic.tablets import Tablet, chromium
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.xdist_group("browser")
SCREENS = Path(__file__).parents[2] / "docs" / "screens"
# who: what they look at; {names} are of the demo's people
PAGES = {
    "lee": [
        "/board",
        "/patients",
        "/patients/{jules}",
        "/patients/{harper}/evaluation/{draft}",
        "/patients/{avery}/course?protocol=standard-2x3",
        "/courses/{second}",
        "/courses/{course}",
        "/sessions/{gate}",
        "/sessions/{running}",
        "/sessions/{spray}",
        "/sessions/{done}",
    ],
    "diaz": [
        "/board",
        "/sessions/{gate}",
        "/sessions/{done}/sheet",
        "/sessions/{done}/leaving",
        "/register",
        "/register/{lot}",
        "/unlock",
        "/pin",
        "/nothing-here",
    ],
    "front": [
        "/diary",
        "/enquiries",
        "/enquiries/{enquiry}",
        "/patients/new?enquiry={enquiry}",
        "/patients/{avery}",
        "/patients/{avery}/edit",
        "/courses/{course}/book?start=2099-05-04T09:00",
        "/settings",
    ],
    "admin": ["/staff", "/staff/1", "/log?verify=yes", "/accounts/2fa/", "/accounts/password/change/"],
}
PICTURES = {
    "board": ("diaz", "/board"),
    "session": ("diaz", "/sessions/{running}"),
    "gate": ("diaz", "/sessions/{gate}"),
    "plan": ("lee", "/patients/{avery}/course?protocol=standard-2x3"),
    "booking": ("front", "/courses/{course}/book?start=2099-05-04T09:00"),
}


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Iterator[Clinic]:
    served = Clinic(tmp_path_factory.mktemp("pages") / "data", chairs=0)
    yield served
    served.close()


@pytest.fixture(scope="module")
def names(clinic) -> dict[str, str]:
    """The keys that addresses need, of the demo's people."""
    base = sqlite3.connect(clinic.folder / "clinic.sqlite3")

    def one(sql: str, *values: str) -> str:
        return base.execute(sql, values).fetchone()[0]

    patient = "SELECT key FROM clinic_patient WHERE name LIKE ? || ' %'"
    session = (
        "SELECT s.key FROM clinic_session s JOIN clinic_course c ON c.id = s.course_id JOIN clinic_patient p "
        "ON p.id = c.patient_id WHERE p.name LIKE ? || ' %' ORDER BY s.number"
    )
    course = (
        "SELECT c.key FROM clinic_course c JOIN clinic_patient p ON p.id = c.patient_id WHERE p.name LIKE ? || ' %'"
    )
    found = {name: one(patient, name) for name in ("Avery", "Harper", "Jules")}
    found = {name.lower(): key for name, key in found.items()}
    for word, name in (("running", "Avery"), ("spray", "Charlie"), ("gate", "Ellis"), ("done", "Morgan")):
        found[word] = one(session, name)
    found |= {"course": one(course, "Avery"), "second": one(course, "Kit")}
    found["draft"] = one("SELECT key FROM clinic_evaluation WHERE signed_at IS NULL")
    found["enquiry"] = one("SELECT key FROM clinic_enquiry ORDER BY id DESC")
    found["lot"] = one("SELECT key FROM clinic_lot")
    base.close()
    return found


def unfold(page: Page) -> None:
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")


def flaws(page: Page, *rules: str) -> list[str]:
    """What axe finds on the page as it stands, in a line each; by some rules alone where they are named."""
    if page.evaluate("() => !window.axe"):
        page.evaluate(Axe().axe_script)
    # Nothing but violations is gathered and brought over: what holds is most of a report, and half of its time.
    found = page.evaluate(
        "async (asked) => (await axe.run(asked)).violations.map((each) => [each.id, each.nodes[0].html])",
        {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})},
    )
    return [f"{page.url} {rule}: {html[:140]}" for rule, html in found]


@pytest.mark.parametrize("username", PAGES)
def test_no_page_has_a_flaw_that_axe_finds_in_light_or_in_dark_or_is_wider_than_a_phone(
    browser, clinic, names, username
):
    tablet = Tablet(browser, clinic, username, width=1440)
    wrong: list[str] = []
    for address in PAGES[username]:
        page = tablet.open(address.format(**names))
        unfold(page)
        page.emulate_media(color_scheme="light")
        wrong += flaws(page)
        page.emulate_media(color_scheme="dark")  # in which nothing but the colours differs
        wrong += [f"dark {flaw}" for flaw in flaws(page, "color-contrast")]
        for width in (390, 820, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("() => document.documentElement.scrollWidth")
            if wide > width:
                wrong.append(f"{address} is {wide} px wide on {width}")
        page.close()
    tablet.close()
    assert wrong == []


def test_the_sign_in_page_has_no_flaw_that_axe_finds(browser, clinic):
    page = browser.new_page()
    page.goto(clinic.base + "/board")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    wrong = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        wrong += flaws(page)
    page.close()
    assert wrong == []


def test_what_is_tapped_at_a_chair_is_large_enough_for_a_glove(browser, clinic, names):
    tablet = Tablet(browser, clinic, "diaz", width=820)
    page = tablet.open("/board")
    sizes = page.evaluate(
        "() => [...document.querySelectorAll('.act button, .act summary, .pick span')].map((each) => "
        "[each.textContent.trim(), each.getBoundingClientRect().height]).filter(([, height]) => height > 0)"
    )
    tablet.close()
    assert len(sizes) > 20
    assert [one for one in sizes if one[1] < 44] == []


def test_a_device_may_be_dark_in_a_bright_clinic_and_stays_so(browser, clinic):
    tablet = Tablet(browser, clinic, "diaz", color_scheme="light")
    page = tablet.open("/board")
    bright = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == dark != bright
    tablet.close()


def test_the_sheets_print_on_white_without_buttons(browser, clinic, names):
    tablet = Tablet(browser, clinic, "diaz", color_scheme="dark")
    for sheet in ("sheet", "leaving"):
        page = tablet.open(f"/sessions/{names['done']}/{sheet}")
        page.emulate_media(media="print")
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("button:visible").count() == 0
        assert page.locator("header:visible, footer:visible").count() == 0
    tablet.close()


def test_the_docs_pictures_are_made_at_three_widths(browser, clinic, names, tmp_path):
    folder = SCREENS if os.environ.get("REGROW_SCREENS") else tmp_path
    folder.mkdir(exist_ok=True)
    tablets = {name: Tablet(browser, clinic, name) for name in ("diaz", "lee", "front")}
    for picture, (username, address) in PICTURES.items():
        page = tablets[username].open(address.format(**names))
        for width in (390, 820, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=folder / f"{picture}-{width}.jpg", type="jpeg", quality=60)
        page.close()
    for each in tablets.values():
        each.close()
    made = sorted(folder.glob("*.jpg"))
    assert len(made) == 15
    assert all(file.stat().st_size < 150_000 for file in made)
