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

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder, self.port, self.more = folder, free_port(), more
        self.base = f"{'https' if more else 'http'}://127.0.0.1:{self.port}"
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
            *self.more,
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.links = dict(self._line() for _ in range(5))
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not come up")

    def _line(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"demo ([a-z-]+) (https?://\S+)\n", line)
        assert found, (line, self.process.stderr.read() if self.process.stderr else "")
        return found[1], found[2]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def person(self, role: str, *handlers: urllib.request.BaseHandler) -> Person:
        return Person(self.base, self.links[role], *handlers)


class Person:
    """Someone signed in by their link, with a cookie jar."""

    def __init__(self, base: str, link: str, *handlers: urllib.request.BaseHandler) -> None:
        self.base = base
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar), *handlers)
        self.get(link.removeprefix(base))

    def get(self, path: str) -> str:
        with self.opener.open(self.base + path, timeout=20) as answer:
            return answer.read().decode()

    def send(self, path: str, body: dict, more: dict | None = None) -> tuple[int, dict]:
        token = next((c.value for c in self.jar if c.name == "csrftoken"), "")
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-CSRFToken": token or ""}
        headers |= more or {}
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


@pytest.fixture(scope="module")
def nurse(server):
    """The nurse, signed in once for the module: a demo link, as any link, works one time."""
    return server.person("nurse")


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


def test_a_demo_link_is_printed_for_every_role_and_every_page_is_marked(server, nurse):
    assert set(server.links) == {"prescriber", "nurse", "front-desk", "reader", "administrator"}
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


def test_an_entry_reaches_an_open_board_and_the_beat_goes_on(server, nurse):
    reader = server.person("reader")
    session = first_session(reader)
    seen: list[str] = []

    def watch() -> None:
        with reader.opener.open(server.base + "/board/stream", timeout=20) as stream:
            for line in stream:
                seen.append(line.decode())
                if sum("event: beat" in x for x in seen) >= 4 and any("137/86" in x for x in seen):
                    return

    board = threading.Thread(target=watch, daemon=True)
    board.start()
    time.sleep(1)
    signs = {"sbp": 137, "dbp": 86, "hr": 74, "spo2": 98, "rr": 14}
    status, said = nurse.send(f"/sessions/{session}/entries", {"kind": "vitals", "key": "a" * 24, "payload": signs})
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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    import ipaddress
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=1))
    made = made.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = made.add_extension(host, critical=False).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    return folder / "cert.pem", folder / "key.pem"


def test_over_tls_cookies_are_secure_the_browser_is_told_to_stay_and_a_form_of_another_site_is_refused(
    certificate, tmp_path
):
    import ssl

    cert, key = certificate
    made = Server(tmp_path / "data", "--cert", str(cert), "--key", str(key))
    try:
        trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(cert)))
        nurse = made.person("nurse", trust)
        assert {c.name for c in nurse.jar} >= {"sessionid"}
        page = nurse.get("/board")
        assert all(c.secure for c in nurse.jar)
        with nurse.opener.open(made.base + "/board", timeout=20) as answer:
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        path = f"/sessions/{re.findall(r'/sessions/([0-9a-f]{24})', page)[0]}/entries"
        entry = {"kind": "note", "key": "t" * 24, "payload": {"text": "sent over TLS"}}
        assert nurse.send(path, entry, {"Referer": "https://evil.example/"})[0] == 403
        assert nurse.send(path, entry, {"Origin": "https://evil.example"})[0] == 403
        assert nurse.send(path, entry, {"Referer": made.base + "/board"})[0] == 201
    finally:
        made.kill()


def test_the_options_of_serve_are_refused_by_code_and_field(tmp_path):
    for words, code in (
        (("--cert", "x.pem"), "TLS-PAIR"),
        (("--cert", "x.pem", "--key", "y.pem"), "NO-FILE"),
        (("--port", "70000"), "USAGE"),
        (("--host", "0.0.0.0"), "TLS-NEEDED"),
        (("--host", "::"), "TLS-NEEDED"),
        (("--host", "regrow.lan"), "TLS-NEEDED"),
    ):
        refused = run("serve", *words, "--data", str(tmp_path / "none"))
        assert refused.returncode == 2
        assert re.match(rf"regrow: {code}: ", refused.stderr) or code == "USAGE", refused.stderr
        assert re.fullmatch(r"regrow: [A-Z][A-Z0-9-]*: [^\n]+\n", refused.stderr), refused.stderr
    assert not (tmp_path / "none").exists()


def test_wrong_settings_are_refused_by_name(tmp_path):
    (tmp_path / "clinic.toml").write_text("colour = 1\n")
    refused = run("serve", "--data", str(tmp_path))
    assert refused.returncode == 2
    assert refused.stderr.startswith("regrow: CLINIC-TOML: ")
