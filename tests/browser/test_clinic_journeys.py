"""The clinic as its people meet it, in Chromium: from the first call to the way home, and what may go wrong."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clinic.serving import PIN, Clinic, seed_folder
from clinic.tablets import Tablet, chromium
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.xdist_group("browser")
PATIENT = "Newton Comer"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def seeded(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("journeys") / "data"
    seed_folder(folder)
    return folder


@pytest.fixture
def clinic(request, seeded, tmp_path) -> Iterator[Clinic]:
    """The clinic with its three chairs in use, or with as many of them as the test asks for."""
    running = getattr(request, "param", 3)
    like = seeded if running == 3 else None
    served = Clinic(tmp_path / "data", running, like=like, toml="idle_minutes = 600\n")
    yield served
    served.close()


@pytest.fixture
def tablet(browser, clinic):
    """Makes a tablet for someone; all are closed at the end, and none may have complained."""
    made: list[Tablet] = []

    def make(username: str, **more) -> Tablet:
        made.append(Tablet(browser, clinic, username, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def jump(clinic: Clinic, minutes: float, *tablets: Tablet) -> None:
    clinic.jump(minutes)
    for each in tablets:
        each.forward()


def session_path(clinic: Clinic, chair: int = 0) -> str:
    return f"/sessions/{clinic.seeded['sessions'][chair]['key']}"


def card(page: Page, clinic: Clinic, chair: int = 0):
    return page.locator(f"#chair-{clinic.seeded['sessions'][chair]['chair']}")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def round_of_vitals(place, sbp: int = 124, dbp: int = 78, felt: int = 0) -> None:
    """One round typed on a card or a session's screen, and kept."""
    if not place.get_by_label("Systolic").is_visible():
        place.locator("summary", has_text="Vitals").first.click()
    for label, value in (
        ("Systolic", sbp),
        ("Diastolic", dbp),
        ("Heart rate", 72),
        ("SpO2 %", 98),
        ("Breaths/min", 14),
    ):
        place.get_by_label(label, exact=True).fill(str(value))
    place.locator("input[name=moaas][value='5']").check(force=True)
    place.locator(f"input[name=dissociation][value='{felt}']").check(force=True)
    place.get_by_role("button", name="Keep vitals").click()


@contextmanager
def kept(page: Page) -> Iterator[None]:
    """What is done within makes one more entry of the session, and its screen shows it before the next is typed."""
    entries = page.locator("#entries > summary")
    before = entries.inner_text()
    yield
    expect(entries).not_to_have_text(before)


def answer(page: Page, **said: str) -> None:
    for name, value in said.items():
        page.locator(f"input[name={name}][value={value}]").check()


def entries(clinic: Clinic) -> list[tuple[str, str]]:
    base = sqlite3.connect(clinic.folder / "clinic.sqlite3")
    found = base.execute("SELECT kind, idem FROM clinic_entry ORDER BY id").fetchall()
    base.close()
    return found


@pytest.mark.parametrize("clinic", [1], indirect=True)
def test_a_newcomer_goes_from_the_first_call_to_the_way_home(clinic, tablet):
    desk, nurse, doctor = tablet("front"), tablet("kim"), tablet("lee")
    today = datetime.now(UTC)

    page = desk.open("/enquiries")
    page.get_by_label("Name").fill(PATIENT)
    page.get_by_label("phone or e-mail").fill("555 0199")
    page.get_by_label("referred by").fill("Dr Family")
    press(page, "Keep enquiry")
    page.get_by_role("link", name="Make a patient record").click()
    expect(page.get_by_label("Name")).to_have_value(PATIENT)  # nothing is typed twice
    page.get_by_label("date of birth").fill("1984-04-04")
    page.get_by_label("sex at birth").select_option("male")
    page.get_by_label("prescription monitoring checked on").fill(today.strftime("%Y-%m-%d"))
    press(page, "Keep")
    page.wait_for_url(re.compile(r"/patients/[0-9a-f]{24}$"))
    patient = page.url.removeprefix(clinic.base)

    page = nurse.open(patient)
    page.locator("summary", has_text="Add a measure").click()
    for kind, value in (
        ("weight", "80"),
        ("height", "180"),
        ("sbp", "122"),
        ("dbp", "78"),
        ("hr", "70"),
        ("urine", ""),
    ):
        page.locator("#measure-kind").select_option(kind)
        page.locator("#measure-value").fill(value)
        page.locator("#measure-taken_at").fill(today.strftime("%Y-%m-%dT00:00"))
        with page.expect_navigation():
            page.locator("form[action$=measure] button").click()
    page.locator("summary", has_text="Add a trial").click()
    for drug in ("sertraline", "venlafaxine"):
        page.locator("#trial-drug").fill(drug)
        page.locator("#trial-max_dose").fill("200 mg")
        page.locator("#trial-weeks").fill("8")
        page.locator("#trial-adequate_dose").check()
        page.locator("#trial-outcome").select_option("none")
        with page.expect_navigation():
            page.locator("form[action$=trial] button").click()
    expect(page.get_by_text("2 adequate failures of 2")).to_be_visible()

    page = doctor.open(patient)
    page.get_by_role("link", name="New evaluation").click()
    page.get_by_label("Indication", exact=True).select_option("depression")
    page.get_by_label("history and findings").fill("Two failed trials. No psychosis.")
    page.get_by_label("suicide risk").select_option("low")
    page.get_by_label("medically cleared").check()
    page.get_by_label("baseline score").fill("19")
    for each in page.locator("fieldset .ask").all():
        each.get_by_label("no", exact=True).check()
    press(page, "Keep the draft")
    press(page, "Sign this evaluation")
    expect(page.locator(".verdict")).to_have_text("eligible")
    page.get_by_role("link", name="Plan a course").click()
    press(page, "Show what it means")
    expect(page.get_by_text("0.5 mg/kg × 80 kg (actual weight) = 40 mg")).to_be_visible()
    expect(page.get_by_role("heading", name="Predicted course simulated")).to_be_visible()
    press(page, "Keep as a draft order")
    press(page, "Sign the order")
    expect(page.get_by_text("Signed by Dr Lee")).to_be_visible()
    course = page.url.removeprefix(clinic.base)
    page.get_by_label("Capacity to consent is present").check()
    expect(page.get_by_text("off-label")).to_be_visible()
    page.get_by_label("The person writes their full name").fill(PATIENT)
    press(page, "Keep the consent")
    expect(page.get_by_text(f"Signed by {PATIENT}")).to_be_visible()

    page = desk.open(f"{course}/book")
    start = datetime.now(UTC) + timedelta(hours=3)
    page.get_by_label("First visit").fill(start.strftime("%Y-%m-%dT%H:%M"))
    press(page, "Propose")
    page.get_by_label("Chair, visit 1", exact=True).select_option(label="Chair 2")  # someone sits in the first
    press(page, "Book all 6 visits")
    expect(page.get_by_text("Chair 2").first).to_be_visible()

    page = nurse.open("/board")
    jump(clinic, 3 * 60, nurse, doctor)
    page.reload()
    page.locator(".later a", has_text="N.C.").click()
    with kept(page):
        press(page, f"{PATIENT} is here")
    with kept(page):
        press(page, "I answer for this chair")
    for label, value in (("Escort, name", "Ann"), ("Hours since food", "8"), ("Hours since drink", "3")):
        page.get_by_label(label).fill(value)
    page.get_by_label("Hours since alcohol").fill("90")
    page.get_by_label("none", exact=True).check()
    answer(page, identity_checked="yes", room_ready="yes", intoxicated="no", new_suicidal_ideation="no")
    answer(page, medicines_changed="no", mania_symptoms="no")
    with kept(page):
        press(page, "Keep the answers")
    with kept(page):
        round_of_vitals(page.locator(".act"))
    expect(page.locator(".findings")).to_contain_text("R-IV-01 no IV line is recorded")
    page.get_by_label("Cannula site").fill("left forearm")
    page.get_by_label("Gauge").fill("22 G")
    answer(page, patent="yes")
    with kept(page):
        press(page, "IV line placed")
    expect(page.get_by_text("Nothing stands against it.")).to_be_visible()
    expect(page.get_by_text("0.80 mL")).to_be_visible()
    page.get_by_label("Read back").fill("400")
    press(page, "Start")
    expect(page.locator(".problem")).to_contain_text("READ-BACK")  # ten times too much is not started
    page.get_by_label("Read back").fill("40")
    press(page, "Start")
    expect(page.locator(".live")).to_contain_text("drug running")
    expect(page.locator("#panel > h1")).to_be_in_viewport()  # what begins is seen from its top
    for minute in (10, 20, 30, 40):
        jump(clinic, 10, nurse)
        if minute == 40:
            page.locator("summary", has_text="Stop").click()
            press(page, "end of the dose")
            expect(page.locator(".live")).to_contain_text("watched after the drug")
        with kept(page):
            round_of_vitals(page.locator(".act"), 120 + minute // 2, felt=2 if minute < 40 else 0)
        expect(page.locator(".rounds .done")).to_have_count(minute // 10)
    expect(page.get_by_role("button", name="Discharge", exact=True)).to_have_count(0)
    with kept(page):
        press(page, "IV line removed, site looked at")
    for _ in range(2):
        jump(clinic, 15, nurse)
        with kept(page):
            round_of_vitals(page.locator(".act"))
    answer(page, oriented="yes", walks="yes", nausea_controlled="yes", crisis_card="yes", escort_present="yes")
    answer(page, new_suicidal_ideation="no", instructions_read_back="yes", no_driving_acknowledged="yes")
    for each in page.locator("select[name=aldrete]").all():
        each.select_option("2")
    with kept(page):
        press(page, "Keep the answers")
    press(page, "Discharge")
    expect(page.locator(".live")).to_contain_text("left, not signed")
    register = page.locator("section", has=page.get_by_role("heading", name="Controlled drug"))
    for kind, mg in (("drawn", "50"), ("given", "40"), ("wasted", "10")):
        register.get_by_label("What", exact=True).select_option(kind)
        register.get_by_label("Amount, mg").fill(mg)
        if kind == "wasted":
            register.get_by_label("Witness", exact=True).select_option(label="R. Diaz")
            register.get_by_label("Witness’s PIN").fill(PIN)
        press(page, "Write in the register")
        expect(register).to_contain_text(f"{kind} {mg} mg, lot")
    expect(register).to_contain_text("adds up")
    press(page, "Sign off the session")
    expect(page.get_by_text("Signed off by J. Kim")).to_be_visible()
    page.get_by_role("link", name="Discharge sheet").click()
    expect(page.get_by_text("Do not drive.")).to_be_visible()
    assert clinic.command("verify-log").returncode == 0


def test_three_chairs_are_watched_and_written_from_one_board(clinic, tablet):
    nurse, reader = tablet("diaz"), tablet("reader")
    page, wall = nurse.open("/board"), reader.open("/board")
    expect(page.locator(".card")).to_have_count(3)
    expect(wall.locator(".act")).to_have_count(0)
    for chair, sbp in enumerate((121, 131, 172)):
        round_of_vitals(card(page, clinic, chair), sbp)
        expect(card(wall, clinic, chair).locator(".signs")).to_contain_text(f"{sbp}/78")
    loud = card(wall, clinic, 2)
    expect(loud.locator(".live")).to_have_class(re.compile("amber"))
    expect(loud.locator(".alarms")).to_contain_text("R-BP-11")

    def loudest_first() -> bool:
        boxes = [card(wall, clinic, chair).bounding_box() for chair in range(3)]
        places = [(box["y"], box["x"]) for box in boxes if box]  # a card that is just being drawn anew has none
        return len(places) == 3 and min(places) == places[2]

    waited = 0
    while not loudest_first():
        assert waited < 30_000, "the loudest chair does not stand first"
        wall.wait_for_timeout(100)
        waited += 100
    card(page, clinic, 0).get_by_role("button", name="nausea", exact=True).last.click()
    expect(card(wall, clinic, 0)).to_contain_text("nausea")
    minutes, seconds = card(wall, clinic, 0).locator("[data-since]").inner_text().split(":")
    given = float(card(wall, clinic, 0).locator("[data-grow]").first.inner_text())
    assert given == pytest.approx(int(minutes) + int(seconds) / 60, abs=0.5)  # 40 mg in 40 min, counted in the browser
    expect(wall.get_by_text(re.compile("effect .* simulated")).first).to_be_visible()
    jump(clinic, 5.2, nurse, reader)  # the high pressure is to be measured again within five minutes
    expect(loud.locator(".is-due")).to_be_visible()


def test_two_nurses_at_one_chair_see_each_other_and_a_stop_wins(clinic, tablet):
    one, two = tablet("diaz").open(session_path(clinic)), tablet("kim").open(session_path(clinic))
    two.get_by_label("Systolic").fill("133")  # in the middle of typing
    one.locator("summary", has_text="Pause").click()
    press(one, "distress")
    expect(one.locator(".live")).to_contain_text("PAUSED")
    expect(two.locator(".live")).to_contain_text("PAUSED")  # the picture follows at once
    expect(two.locator("#meanwhile")).to_be_visible()
    expect(two.get_by_label("Systolic")).to_have_value("133")  # and nothing typed is lost
    two.locator("summary", has_text="Pause").click()
    press(two, "nausea")
    expect(two.locator(".problem")).to_contain_text("CHANGED-MEANWHILE")
    press(one, "Resume")
    expect(two.locator(".live")).to_contain_text("drug running")
    two.locator("summary", has_text="Stop").click()
    press(two, "the person asks")
    expect(one.locator(".live")).to_contain_text("watched after the drug")
    # The chair changes hands only when both say so.
    one.locator("summary", has_text="Hand over").click()
    one.get_by_label("To", exact=True).select_option(label="J. Kim")
    press(one, "Offer")
    expect(one.locator(".live")).to_contain_text("hand-over offered")
    expect(one.locator(".live")).to_contain_text("nurse: R. Diaz")
    press(two, "Take over from R. Diaz")
    expect(one.locator(".live")).to_contain_text("nurse: J. Kim")


class HeldBack:
    """The first answer to an address, taken from the server but kept from the page until `let_go`."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.held = page, []
        page.route(url, self.hold, times=1)

    def hold(self, route: Route) -> None:
        self.held.append((route, route.fetch()))

    def let_go(self) -> None:
        for route, answer in self.held:
            route.fulfill(response=answer)

    def wait(self) -> None:
        while not self.held:
            self.page.wait_for_timeout(20)


def test_a_picture_asked_for_before_a_change_never_stands_after_it(clinic, tablet):
    one = tablet("diaz").open(session_path(clinic))
    two = tablet("kim", service_workers="block").open(session_path(clinic))
    expect(two.locator(".live")).to_contain_text("strongest")  # the forecast, which comes after the picture, is there
    held = HeldBack(two, "**/panel")
    one.locator("summary", has_text="Pause").click()
    press(one, "distress")
    expect(two.locator(".live")).to_contain_text("PAUSED")
    held.wait()
    press(one, "Resume")
    expect(two.locator(".live")).to_contain_text("drug running")
    held.let_go()  # the answer to the first question comes last: it says PAUSED
    expect(one.get_by_role("button", name="Resume", exact=True)).to_have_count(0)
    expect(two.locator("#panel")).to_have_attribute("data-version", one.locator("#panel").get_attribute("data-version"))
    expect(two.locator(".live")).to_contain_text("drug running")
    expect(two.get_by_role("button", name="Resume", exact=True)).to_have_count(0)


@pytest.mark.parametrize("where", ["session", "board"])
def test_no_tap_is_lost_when_its_button_is_drawn_again_and_nothing_half_typed(clinic, tablet, where):
    page = tablet("diaz", service_workers="block").open("/board" if where == "board" else session_path(clinic))
    place = card(page, clinic) if where == "board" else page.locator("#panel")
    expect(place.locator(".live")).to_contain_text("strongest")
    if where == "board":
        place.locator("summary", has_text="Vitals").first.click()
    chip = place.locator(".chips[role=group]").get_by_role("button", name="nausea", exact=True)
    chip.hover()
    page.mouse.down()
    seen = place.locator("input[name=expect]").first.input_value()
    said = {"kind": "pause", "key": "another-nurse-pauses", "expect": seen, "payload": {"reason": "distress"}}
    assert clinic.person("kim").send(f"{session_path(clinic)}/entries", said)[0] == 201
    page.wait_for_timeout(1000)
    page.mouse.up()
    expect(place.locator(".live")).to_contain_text("PAUSED")
    expect(place.locator(".live")).to_contain_text("nausea")
    expect(place.get_by_role("button", name="Resume")).to_be_visible()
    # The answer to one tap arrives while the finger is on the next.
    place.get_by_label("Systolic").fill("141")
    held = HeldBack(page, "**/entries")
    place.locator(".chips[role=group]").get_by_role("button", name="headache", exact=True).click()
    held.wait()
    place.locator(".chips[role=group]").get_by_role("button", name="dizziness", exact=True).hover()
    page.mouse.down()
    held.let_go()
    page.wait_for_timeout(300)
    page.mouse.up()
    expect(place.locator(".live")).to_contain_text("headache, dizziness")
    expect(place.get_by_label("Systolic")).to_have_value("141")
    assert [kind for kind, _ in entries(clinic)].count("chip") == 3


def test_a_refusal_and_what_was_typed_stand_while_others_write_until_they_are_answered(clinic, tablet):
    page = tablet("diaz", service_workers="block").open(session_path(clinic))
    expect(page.locator(".live")).to_contain_text("strongest")
    top = "document.querySelector('.act form.vitals').getBoundingClientRect().top"
    page.evaluate("document.querySelector('.act form.vitals button').scrollIntoView({ block: 'end' })")
    before = page.evaluate(top)
    round_of_vitals(page.locator(".act"), 245)
    expect(page.locator(".act form.vitals p.problem")).to_contain_text("IMPLAUSIBLE")
    expect(
        page.locator(".act form.vitals p.problem")
    ).to_be_in_viewport()  # where the nurse looks, and nothing jumps away
    assert abs(page.evaluate(top) - before) < 200
    page.evaluate("document.activeElement.blur()")
    seen = page.locator("input[name=expect]").first.input_value()
    said = {"kind": "chip", "key": "another-nurse-taps-1", "expect": seen, "payload": {"what": "nausea"}}
    assert clinic.person("kim").send(f"{session_path(clinic)}/entries", said)[0] == 201
    expect(page.locator(".live")).to_contain_text("nausea")
    expect(page.locator("#meanwhile")).to_be_visible()
    page.wait_for_timeout(1000)
    expect(page.locator("p.problem")).to_contain_text("IMPLAUSIBLE")
    expect(page.get_by_label("Systolic")).to_have_value("245")
    page.locator("input[name=confirmed]").check()
    page.get_by_role("button", name="Keep vitals").click()
    expect(page.locator(".live .signs")).to_contain_text("245/78")
    expect(page.locator("p.problem")).to_have_count(0)


def test_a_board_in_the_background_alarms_until_someone_has_seen_it(clinic, tablet):
    nurse = tablet("diaz")
    board = nurse.open("/board")
    board.locator("#sound").click()
    expect(board.locator("#sound")).to_have_text("Alarm sound is on")
    tones = board.evaluate("window.tones")
    front = nurse.open("/patients")
    front.bring_to_front()
    jump(clinic, 15, nurse)  # every round of three chairs is late now
    expect(board).to_have_title(re.compile("^!! 3 RED"))
    board.wait_for_function("before => window.tones > before", arg=tones)
    for chair in range(3):
        place = card(board, clinic, chair)
        place.get_by_label("Alarm").select_option("R-VT-02")
        place.get_by_role("button", name="seen, checking now").click()
        expect(place.locator(".alarms .tag").first).to_have_text("seen")
        expect(place.locator(".live")).to_have_attribute("data-loud", "calm")
    tones = board.evaluate("window.tones")
    time.sleep(0.3)
    assert board.evaluate("window.tones") == tones
    assert board.title().startswith("!! 3 RED")  # silent, and still in sight
    jump(clinic, 5, nurse)  # after five minutes it is heard again
    board.wait_for_function("before => window.tones > before", arg=tones)


def test_a_killed_server_turns_the_board_red_within_three_seconds_and_loses_nothing(clinic, tablet):
    nurse = tablet("diaz")
    page = nurse.open("/board")
    round_of_vitals(card(page, clinic), 127)
    expect(card(page, clinic).locator(".saved")).to_contain_text("Kept")
    before = entries(clinic)
    killed = page.evaluate(
        "() => { new MutationObserver(() => { window.dead ??= performance.now(); }).observe(document.body, "
        "{ attributes: true, attributeFilter: ['class'] }); return performance.now(); }"
    )
    clinic.kill()
    expect(page.locator("body.dead")).to_be_visible()
    assert page.evaluate("() => window.dead") - killed < 3000  # by the page's own clock
    expect(page.locator("#pulse")).to_contain_text("NO CONNECTION")
    clinic.start()
    expect(page.locator("#pulse")).to_contain_text("Live")
    expect(page.locator("body.dead")).to_have_count(0)
    assert entries(clinic) == before
    expect(card(page, clinic).locator(".signs")).to_contain_text("127/78")
    expect(card(page, clinic).locator(".live")).to_contain_text("drug running")
    page.reload()
    minutes = int(card(page, clinic).locator("[data-since]").inner_text().split(":")[0])
    assert minutes >= 12  # the clock of the infusion went on


def test_two_minutes_without_network_in_mid_infusion_are_kept_with_their_time(clinic, tablet):
    nurse = tablet("diaz")
    page = nurse.open(session_path(clinic))
    page.wait_for_function("() => navigator.serviceWorker.controller")
    clinic.kill()  # as seen from the tablet: nothing answers any more
    expect(page.locator("body.dead")).to_be_visible()
    round_of_vitals(page.locator(".act"), 134)
    expect(page.locator("#queue")).to_have_attribute("data-count", "1")
    jump(clinic, 2, nurse)
    press(page, "dizziness")
    expect(page.locator("#queue")).to_have_attribute("data-count", "2")
    clinic.start()
    expect(page.locator("#queue")).to_have_attribute("data-count", "0")
    expect(page.locator("#pulse")).to_contain_text("Live")
    expect(page.locator(".live .signs")).to_contain_text("134/78")
    base = sqlite3.connect(clinic.folder / "clinic.sqlite3")
    sql = "SELECT kind, measured_at FROM clinic_entry WHERE kind IN ('vitals', 'chip') ORDER BY id DESC LIMIT 2"
    (_, chip), (kind, vitals) = base.execute(sql).fetchall()
    base.close()
    apart = datetime.fromisoformat(chip) - datetime.fromisoformat(vitals)
    assert kind == "vitals"
    assert timedelta(minutes=2) <= apart < timedelta(minutes=3)


def test_a_passkey_is_registered_and_unlocks_an_idle_screen_only_with_its_holder(clinic, tablet):
    nurse = tablet("diaz")
    base = clinic.base.replace("127.0.0.1", "localhost")  # a passkey belongs to a name, never to a bare number
    nurse.context.add_cookies([{"name": "sessionid", "value": clinic.seeded["cookies"]["diaz"], "url": base}])
    page = nurse.context.new_page()
    page.goto(f"{base}/pin")
    devices = nurse.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True}
    options = {**key, "hasResidentKey": True, "automaticPresenceSimulation": True}
    device = devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    word = "right horse battery"
    page.goto(f"{base}/accounts/password/set/")
    for field in page.locator("input[type=password]").all():
        field.fill(word)
    with page.expect_navigation():
        page.locator("main form button").first.click()
    page.goto(f"{base}/pin")
    page.get_by_role("link", name="Passkeys and the second factor").click()
    page.goto(f"{base}/accounts/2fa/webauthn/add/")
    if page.locator("input[type=password]").count():  # the password is asked once more
        page.locator("input[type=password]").fill(word)
        with page.expect_navigation():  # until it is loaded its button has no ears
            page.locator("main form button").first.click()
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url(re.compile("/accounts/2fa/(recovery-codes/)?$"))
    jump(clinic, 601, nurse)
    page.goto(f"{base}/unlock?next=/patients")
    expect(page.locator(".lockbar")).to_be_visible()
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    press(page, "Unlock with a passkey")
    expect(page.locator(".told.problem")).to_contain_text("NotAllowedError")
    expect(page.locator(".lockbar")).to_be_visible()
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    page.goto(f"{base}/unlock?next=/patients")
    press(page, "Unlock with a passkey")
    page.wait_for_url("**/patients")
    expect(page.locator(".lockbar")).to_have_count(0)
