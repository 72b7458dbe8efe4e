"""The real server in a process of its own: its promises at the door, the live stream, and kill -9."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """`regrow serve --demo` on a folder; `kill` is kill -9."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in ("REGROW_DATA", "DJANGO_SETTINGS_MODULE")}
        command = [
            sys.executable,
            "-m",
            "regrow",
            "serve",
            "--demo",
            "--port",
            str(self.port),
            "--data",
            str(self.folder),
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.links = dict(self._line() for _ in range(5))
        for _ in range(200):
            try:
                urllib.request.urlopen(self.base + "/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not come up")

    def _line(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"demo ([a-z-]+) (http://\S+)\n", line)
        assert found, (line, self.process.stderr.read() if self.process.stderr else "")
        return found[1], found[2]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def person(self, role: str) -> Person:
        return Person(self.base, self.links[role])


class Person:
    """Someone signed in by their link, with a cookie jar."""

    def __init__(self, base: str, link: str) -> None:
        self.base = base
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.get(link.removeprefix(base))

    def get(self, path: str) -> str:
        with self.opener.open(self.base + path, timeout=20) as answer:
            return answer.read().decode()

    def send(self, path: str, body: dict) -> tuple[int, dict]:
        token = next((c.value for c in self.jar if c.name == "csrftoken"), "")
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-CSRFToken": token or ""}
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), headers)
        try:
            with self.opener.open(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or b"{}")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("demo") / "data")
    yield made
    made.kill()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("REGROW_DATA", "DJANGO_SETTINGS_MODULE")}
    return subprocess.run(
        [sys.executable, "-m", "regrow", *arguments], capture_output=True, text=True, timeout=120, env=environment
    )


pytestmark = pytest.mark.xdist_group("server")


def test_health_answers_anyone_and_the_board_sends_a_stranger_to_the_sign_in(server):
    with urllib.request.urlopen(server.base + "/health", timeout=5) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(Stay).open(server.base + "/board", timeout=5)
    assert refused.value.code == 302
    assert refused.value.headers["Location"].startswith("/accounts/login/")
    refused.value.close()


def test_a_demo_link_is_printed_for_every_role_and_every_page_is_marked(server):
    assert set(server.links) == {"prescriber", "nurse", "front-desk", "reader", "administrator"}
    nurse = server.person("nurse")
    for path in ("/board", "/patients", "/register", "/settings"):
        assert "DEMO: nobody here is real" in nurse.get(path)


def test_static_files_come_from_the_server_itself(server):
    for path in ("/static/clinic/site.css", "/static/clinic/board.js", "/static/django_htmx/htmx-4.min.js"):
        with urllib.request.urlopen(server.base + path, timeout=5) as answer:
            assert answer.status == 200


def first_session(person: Person, site: str = "/board") -> str:
    found = re.findall(r"/sessions/([0-9a-f]{24})", person.get(site))
    assert found
    return found[0]


def test_an_entry_reaches_an_open_board_and_the_beat_goes_on(server):
    reader, doctor = server.person("reader"), server.person("prescriber")
    session = first_session(reader)
    seen: list[str] = []

    def watch() -> None:
        with reader.opener.open(server.base + "/board/stream", timeout=20) as stream:
            for line in stream:
                seen.append(line.decode())
                if sum("event: beat" in x for x in seen) >= 4 and any("before the drug" in x for x in seen):
                    return

    board = threading.Thread(target=watch, daemon=True)
    board.start()
    time.sleep(1)
    status, said = doctor.send(f"/sessions/{session}/entries", {"kind": "arrive", "key": "a" * 24, "payload": {}})
    assert status == 201, said
    board.join(timeout=15)
    assert not board.is_alive(), seen[-6:]


def test_a_backup_is_checked_restored_and_refused_when_it_was_changed(server, tmp_path):
    copy = tmp_path / "copy.sqlite3"
    done = run("backup", str(copy), "--data", str(server.folder))
    assert done.returncode == 0, done.stderr
    assert "0 faults" in done.stdout
    assert run("backup", str(copy), "--data", str(server.folder)).returncode == 2
    assert run("restore", str(copy), "--data", str(tmp_path / "new")).returncode == 0
    assert run("verify-log", "--data", str(tmp_path / "new")).returncode == 0
    import sqlite3

    bad = sqlite3.connect(copy)
    bad.execute("DROP TRIGGER clinic_decision_no_update")
    bad.execute("DROP TRIGGER clinic_logrow_no_update")
    bad.execute("UPDATE clinic_logrow SET actor = 'x' WHERE id = 3")
    bad.commit()
    bad.close()
    refused = run("restore", str(copy), "--data", str(tmp_path / "other"))
    assert refused.returncode == 2
    assert refused.stderr.startswith("regrow: BACKUP-BAD:")
    assert not (tmp_path / "other" / "clinic.sqlite3").exists()


def test_a_demo_folder_takes_no_real_people_from_a_backup(server, tmp_path):
    import sqlite3

    copy, folder = tmp_path / "copy", tmp_path / "demo"
    assert run("backup", str(copy), "--data", str(server.folder)).returncode == 0
    base = sqlite3.connect(copy)
    base.execute("UPDATE clinic_patient SET demo = 0")
    base.commit()
    base.close()
    folder.mkdir()
    (folder / "clinic.toml").write_text("demo = true\n")
    refused = run("restore", str(copy), "--data", str(folder))
    assert (refused.returncode, refused.stderr[:20]) == (2, "regrow: NOT-A-DEMO: ")
    assert [p.name for p in folder.iterdir()] == ["clinic.toml"]


def test_the_demo_refuses_a_folder_that_is_no_demo_and_the_clinic_refuses_a_demo(server, tmp_path):
    (tmp_path / "clinic.toml").write_text('name = "Real"\n')
    refused = run("serve", "--demo", "--data", str(tmp_path))
    assert (refused.returncode, refused.stderr[:20]) == (2, "regrow: NOT-A-DEMO: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clinic.toml"]
    refused = run("serve", "--data", str(server.folder))
    assert (refused.returncode, refused.stderr[:19]) == (2, "regrow: IS-A-DEMO: ")


def test_the_doctor_finds_the_database_set_for_durability(server):
    done = run("doctor", "--data", str(server.folder))
    assert "ok   SQLite: journal wal, synchronous 2" in done.stdout
    assert done.returncode == 0, done.stdout


def test_wrong_settings_are_refused_by_name(tmp_path):
    (tmp_path / "clinic.toml").write_text("colour = 1\n")
    refused = run("serve", "--data", str(tmp_path))
    assert refused.returncode == 2
    assert refused.stderr.startswith("regrow: CLINIC-TOML: ")
