"""Tablets for the browser tests: Chromium, each context a device signed in as someone, its clock put forward with the
server's. The one thing to know: whatever a page complains of on its console fails the test at its end.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clinic.serving import Clinic
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

BLOCKED = "Content Security Policy"  # what Chromium says when a page asks for something its own rules forbid
# The device's clock is put forward as the server's is; its monotonic clock goes on as it was.
CLOCK = """{
  const real = Date.now.bind(Date), Real = Date, ahead = () => Number(localStorage.getItem("test-ahead") || 0);
  const now = () => real() + ahead();
  window.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(now()); }
    static now() { return now(); }
  };
}"""
# Sound cannot be heard here: each tone that would sound is counted.
EARS = """{
  window.tones = 0;
  window.AudioContext = class {
    constructor() { this.state = "suspended"; this.currentTime = 0; this.destination = {}; }
    async resume() { this.state = "running"; }
    async suspend() { this.state = "suspended"; }
    createOscillator() { window.tones += 1; return { frequency: {}, connect: (x) => x, start() {}, stop() {} }; }
    createGain() { return { gain: {}, connect: (x) => x }; }
  };
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=arguments)
        yield running
        running.close()


class Tablet:
    """One device, signed in as someone."""

    def __init__(self, browser: Browser, clinic: Clinic, username: str, width: int = 1024, **more: Any) -> None:
        self.clinic = clinic
        self.context: BrowserContext = browser.new_context(viewport={"width": width, "height": 800}, **more)
        self.context.set_default_timeout(60000)
        expect.set_options(timeout=60000)  # a busy machine is no failure
        self.context.add_init_script(CLOCK)
        self.context.add_init_script(EARS)
        self.complaints: list[str] = []
        cookie = {"name": "sessionid", "value": clinic.seeded["cookies"][username], "url": clinic.base}
        self.context.add_cookies([cookie])

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if BLOCKED in said.text else None)
        page.goto(self.clinic.base + path)
        self.forward()
        if page.locator("#pulse").count():
            expect(page.locator("#pulse")).to_contain_text("Live")
        return page

    def forward(self) -> None:
        """Puts this device's clock where the server's is."""
        for page in self.context.pages:
            page.evaluate("(ms) => localStorage.setItem('test-ahead', ms)", self.clinic.shifted * 1000)

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []
