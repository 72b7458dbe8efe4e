"""The tablet without its server, in Chromium: what was typed is kept, counted, sent in order, once, with its time."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clinic.serving import Clinic, seed_folder
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

pytestmark = pytest.mark.xdist_group("browser")
# The bench runs the same test with two real minutes.
AWAY_SECONDS = float(os.environ.get("REGROW_AWAY_SECONDS", "3"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    arguments = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP clinic.test 127.0.0.1"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("seed") / "data"
    seed_folder(folder)
    return folder


@pytest.fixture
def clinic(seeded, tmp_path) -> Iterator[Clinic]:
    served = Clinic(tmp_path / "data", like=seeded, toml='hosts = ["127.0.0.1", "localhost", "clinic.test"]\n')
    yield served
    served.close()


def tablet(browser: Browser, clinic: Clinic, username: str = "diaz", **more: Any) -> BrowserContext:
    """A browser signed in as someone; each is a device of its own. What a page complains of fails the test."""
    context = browser.new_context(viewport={"width": 1024, "height": 800}, **more)
    context.set_default_timeout(15000)
    cookie = {"name": "sessionid", "value": clinic.seeded["cookies"][username]}
    context.add_cookies([{**cookie, "url": base} for base in (clinic.base, f"http://clinic.test:{clinic.port}")])
    return context


def session_path(clinic: Clinic, chair: int = 0) -> str:
    return f"/sessions/{clinic.seeded['sessions'][chair]['key']}"


def opened(context: BrowserContext, clinic: Clinic, path: str) -> Page:
    page = context.new_page()
    page.goto(clinic.base + path)
    expect(page.locator("#pulse")).to_contain_text("Live")
    return page


def rows(clinic: Clinic, kinds: str = "'vitals','chip','stop','pause','resume','note'") -> list[tuple[Any, ...]]:
    """(kind, author's user name, idem, measured, payload) of the entries written since the start, in order."""
    base = sqlite3.connect(clinic.folder / "clinic.sqlite3")
    sql = (
        "SELECT e.kind, u.username, e.idem, e.measured_at, e.payload FROM clinic_entry e "
        "JOIN clinic_staff s ON s.id = e.author_id JOIN auth_user u ON u.id = s.user_id "
        f"WHERE e.kind IN ({kinds}) AND e.id > (SELECT MAX(id) FROM clinic_entry WHERE kind = 'start') ORDER BY e.id"
    )
    found = base.execute(sql).fetchall()
    base.close()
    return found


def type_vitals(page: Page, sbp: int) -> None:
    page.get_by_label("Systolic").fill(str(sbp))
    page.get_by_label("Diastolic").fill("80")
    page.get_by_role("button", name="Keep vitals").click()


def waiting(page: Page, count: int) -> None:
    expect(page.locator("#queue")).to_have_attribute("data-count", str(count))


def test_entries_made_while_the_server_is_dead_wait_and_arrive_in_order_once(browser, clinic):
    context = tablet(browser, clinic)
    page = opened(context, clinic, session_path(clinic))
    waiting(page, 0)
    page.wait_for_function("() => navigator.serviceWorker.controller")
    page.reload()  # now the service worker has seen the page
    expect(page.locator("#pulse")).to_contain_text("Live")
    clinic.kill()
    expect(page.locator("body.dead")).to_be_visible(timeout=3500)
    expect(page.locator("#pulse")).to_contain_text("NO CONNECTION")
    assert page.title().startswith("!! NO CONNECTION")
    type_vitals(page, 131)
    waiting(page, 1)
    chip = page.get_by_role("button", name="nausea")
    chip.dblclick()
    waiting(page, 2)
    page.reload()
    expect(page.get_by_role("heading", name="Robin Example0")).to_be_visible()
    waiting(page, 2)
    expect(page.locator("body.dead")).to_be_visible()
    time.sleep(AWAY_SECONDS)
    type_vitals(page, 133)
    waiting(page, 3)
    page.locator("summary", has_text="Pause").click()
    page.get_by_role("button", name="the person asks").first.click()
    waiting(page, 4)
    page.get_by_role("button", name="Resume").click()
    waiting(page, 5)
    clinic.start()
    waiting(page, 0)
    expect(page.locator("#queue")).to_contain_text("ready")
    expect(page.locator("#pulse")).to_contain_text("Live")
    kept = rows(clinic)
    assert [kind for kind, *_ in kept] == ["vitals", "chip", "vitals", "pause", "resume"]
    assert [moment for *_, moment, _ in kept] == sorted(moment for *_, moment, _ in kept)
    assert kept[2][3] > kept[0][3]
    expect(page.locator("#panel .signs")).to_contain_text("133/80")
    page.get_by_role("button", name="dizziness").click()
    expect(page.locator(".saved")).to_contain_text("Kept")
    assert clinic.command("verify-log").returncode == 0
    context.close()
