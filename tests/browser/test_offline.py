"""The tablet without its server, in Chromium: what was typed is kept, counted, sent in order, once, with its time."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clinic.serving import Clinic, seed_folder
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

import regrow.clinic

pytestmark = pytest.mark.xdist_group("browser")
# The bench runs the same test with two real minutes.
PATIENCE_MS = 60000
expect.set_options(timeout=PATIENCE_MS)
# What breaks the content policy shows in the title, which the tests read.
COMPLAIN = "addEventListener('securitypolicyviolation', (event) => { document.title = 'CSP ' + event.blockedURI; })"
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
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(COMPLAIN)
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


def kept(clinic: Clinic, *kinds: str) -> list[tuple[Any, ...]]:
    """The rows once they are of these kinds, in this order."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while [kind for kind, *_ in rows(clinic)] != list(kinds):
        assert time.monotonic() < end, rows(clinic)
        time.sleep(0.1)
    return rows(clinic)


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
    expect(page.locator("body.dead")).to_be_visible()
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
    time.sleep(1)
    page.locator("summary", has_text="Pause").click()
    page.get_by_role("button", name="the person asks").first.click()
    waiting(page, 4)
    time.sleep(1)  # a time is known as well as the way to the server is quick: what a hand does in turn keeps its turn
    page.get_by_role("button", name="Resume").click()
    waiting(page, 5)
    clinic.start()
    waiting(page, 0)
    expect(page.locator("#queue")).to_contain_text("ready")
    expect(page.locator("#pulse")).to_contain_text("Live")
    moments = [moment for *_, moment, _ in kept(clinic, "vitals", "chip", "vitals", "pause", "resume")]
    assert moments == sorted(set(moments))
    expect(page.locator("#panel .signs")).to_contain_text("133/80")
    page.get_by_role("button", name="dizziness").click()
    kept(clinic, "vitals", "chip", "vitals", "pause", "resume", "chip")
    assert clinic.command("verify-log").returncode == 0
    context.close()


def test_a_board_in_a_background_tab_turns_red_within_three_seconds_and_says_so_in_its_title(browser, clinic):
    context = tablet(browser, clinic, "reader")
    page = opened(context, clinic, "/board")
    other = context.new_page()  # now in front; the board lies behind it
    other.goto("about:blank")
    other.bring_to_front()
    clinic.kill()
    expect(page).to_have_title(re.compile("^!! NO CONNECTION"))
    expect(page.locator("#pulse")).to_contain_text("NO CONNECTION")
    clinic.start()
    expect(page.locator("#pulse")).to_contain_text("Live")
    expect(page).not_to_have_title(re.compile("NO CONNECTION"))
    context.close()


def test_the_silence_that_a_board_bears_is_under_three_seconds_and_counted_by_a_worker(browser, clinic):
    text = (Path(regrow.clinic.__file__).parent / "static" / "clinic" / "beat.js").read_text()
    wait = {name: int(ms) for name, ms in re.findall(r"(SILENT_MS|LOOK_MS) = (\d+)", text)}
    assert wait["SILENT_MS"] + wait["LOOK_MS"] < 3000
    context = tablet(browser, clinic, "reader")
    page = opened(context, clinic, "/board")
    assert [worker.url.rsplit("/", 1)[1] for worker in page.workers] == ["beat.js"]
    assert page.title().endswith("Board · Demo clinic")  # nothing broke the content policy
    context.close()


def test_a_server_that_hangs_without_a_word_is_dead_too_and_nothing_typed_is_lost(browser, clinic):
    context = tablet(browser, clinic)
    page = opened(context, clinic, session_path(clinic))
    clinic.say("stop")  # the process stands still; the network stays open
    expect(page.locator("body.dead")).to_be_visible()
    page.get_by_role("button", name="nausea").click()
    waiting(page, 1)
    clinic.say("go")
    waiting(page, 0)
    expect(page.locator("#pulse")).to_contain_text("Live")
    assert [kind for kind, *_ in rows(clinic)] == ["chip"]
    context.close()


def test_two_nurses_who_pause_and_stop_apart_see_the_conflict_and_keep_it_as_a_note(browser, clinic):
    away, here = tablet(browser, clinic), tablet(browser, clinic, "kim")
    page, other = opened(away, clinic, session_path(clinic)), opened(here, clinic, session_path(clinic))
    away.route("**/entries", lambda route: route.abort())  # this tablet's way to the server is cut
    page.locator("summary", has_text="Pause").click()
    page.get_by_role("button", name="the person asks").first.click()
    waiting(page, 1)
    other.locator("summary", has_text="Stop").click()
    other.get_by_role("button", name="oxygen or breathing").last.click()
    expect(other.locator("#panel")).to_contain_text("watched after the drug")
    away.unroute("**/entries")
    expect(page.locator("#queue .problem")).to_contain_text("CHANGED-MEANWHILE")
    expect(page.locator("#queue .problem")).to_contain_text("pause, the person asks")
    expect(page.locator("#panel")).to_contain_text("watched after the drug")
    page.get_by_role("button", name="Keep it as a note").click()
    expect(page.locator("#queue .problem")).to_have_count(0)
    waiting(page, 0)
    stop, note = kept(clinic, "stop", "note")
    assert (stop[1], note[1]) == ("kim", "diaz")
    assert "pause, the person asks" in note[4]
    away.close()
    here.close()


def test_what_one_nurse_typed_waits_for_her_though_another_signs_in_on_the_tablet(browser, clinic):
    context = tablet(browser, clinic)
    page = opened(context, clinic, session_path(clinic))
    page.route("**/entries", lambda route: route.abort())
    page.get_by_role("button", name="nausea").click()
    waiting(page, 1)
    page.close()
    cookie = {"name": "sessionid", "url": clinic.base}
    context.add_cookies([{**cookie, "value": clinic.seeded["cookies"]["kim"]}])
    page = opened(context, clinic, session_path(clinic))
    expect(page.locator("#queue")).to_contain_text("1 entry waits for R. Diaz, who must sign in here")
    page.get_by_role("button", name="dizziness").click()
    assert [who for _, who, *_ in kept(clinic, "chip")] == ["kim"]
    expect(page.locator(".saved")).to_be_visible()
    context.add_cookies([{**cookie, "value": clinic.seeded["cookies"]["diaz"]}])
    page.reload()
    waiting(page, 0)
    assert [who for _, who, *_ in kept(clinic, "chip", "chip")] == ["kim", "diaz"]
    context.close()


def test_a_tablet_on_plain_http_says_that_it_keeps_nothing_and_when_nothing_was_kept(browser, clinic):
    context = tablet(browser, clinic)
    page = context.new_page()
    page.goto(f"http://clinic.test:{clinic.port}{session_path(clinic)}")
    expect(page.locator("#queue")).to_contain_text("No offline queue: this page came over plain HTTP")
    page.get_by_role("button", name="nausea").click()
    kept(clinic, "chip")
    clinic.kill()
    page.get_by_role("button", name="dizziness").click()
    expect(page.locator(".told.problem").last).to_contain_text("NOT KEPT")
    assert [kind for kind, *_ in rows(clinic)] == ["chip"]
    context.close()


def test_a_tablet_whose_clock_is_seven_minutes_ahead_is_told_and_its_entries_bear_the_true_time(browser, clinic):
    context = tablet(browser, clinic)
    context.add_init_script("{ const now = Date.now.bind(Date); Date.now = () => now() + 7 * 60000; }")
    page = opened(context, clinic, session_path(clinic))
    expect(page.locator("#pulse")).to_contain_text("This tablet's clock is 7 min ahead")
    before = time.time()
    type_vitals(page, 127)
    ((_, _, _, measured, payload),) = kept(clinic, "vitals")
    true = datetime.fromisoformat(measured).replace(tzinfo=UTC).timestamp()
    assert before - 2 < true < time.time() + 2
    assert json.loads(payload)["clock_off_s"] == pytest.approx(420, abs=3)
    context.close()


def test_an_idle_tablet_keeps_its_board_and_its_alarms_and_sends_what_waits_after_the_pin(browser, seeded, tmp_path):
    clinic = Clinic(tmp_path / "data", like=seeded, toml="idle_minutes = 0\n")
    context = tablet(browser, clinic)
    page = opened(context, clinic, session_path(clinic))
    board = opened(context, clinic, "/board")
    expect(board.locator(".lockbar")).to_contain_text("Writing is locked")
    expect(board.locator(".live").first).to_contain_text("drug running")
    page.get_by_role("button", name="nausea").click()
    page.wait_for_url("**/unlock*")
    assert rows(clinic) == []
    expect(board.locator("#pulse")).to_contain_text("Live")
    context.close()
    clinic.close()
