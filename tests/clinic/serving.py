"""A light server for the tests and benches that need a real one: prepared once, started by a fork in a moment, killed
with -9. The one thing to know: this file runs in processes of its own, so that a test's Django is never touched.

    python serving.py seed FOLDER CHAIRS     a demo clinic with so many infusions begun 12 minutes ago; prints JSON
    python serving.py spawn FOLDER PORT      reads start, kill, stop, go, jump lines; answers each with one line
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

BEGUN_MINUTES_AGO = 12
PIN = "246802"
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "go": signal.SIGCONT, "jump": signal.SIGUSR1}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(folder: Path, database: str = "") -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REGROW_", "DJANGO_"))}
    kept |= {"REGROW_DATA": str(folder), "DJANGO_SETTINGS_MODULE": "regrow.clinic.settings"}
    return kept | ({"REGROW_DATABASE_URL": database} if database else {})


def seed_folder(folder: Path, chairs: int = 3, database: str = "") -> None:
    """Makes the demo clinic of this file in a new folder."""
    folder.mkdir(parents=True)
    (folder / "clinic.toml").write_text('name = "Demo clinic"\ndemo = true\nrequire_mfa = false\n')
    done = subprocess.run(
        [sys.executable, __file__, "seed", str(folder), str(chairs)],
        capture_output=True,
        text=True,
        env=environment(folder, database),
    )
    assert done.returncode == 0, done.stderr
    (folder / "seeded.json").write_text(done.stdout)


class Clinic:
    """A served clinic. `seeded` names its sessions (running, one per chair) and each person's sign-in cookie.

    `like` is the folder of a clinic seeded before (and not served), whose state this one takes over.
    """

    def __init__(
        self, folder: Path, chairs: int = 3, database: str = "", toml: str = "", port: int = 0, like: Path | None = None
    ) -> None:
        self.folder, self.database, self.port = folder, database, port or free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.env = environment(folder, database)
        self.shifted = 0.0  # seconds that the server's clock is put forward
        if like:
            shutil.copytree(like, folder)
        else:
            seed_folder(folder, chairs, database)
        if toml:
            with (folder / "clinic.toml").open("a") as out:
                out.write(toml)
        self.seeded: dict[str, Any] = json.loads((folder / "seeded.json").read_text())
        self.spawn()

    def spawn(self) -> None:
        """Starts the process that forks servers (with the settings as they are now) and the first server."""
        with (self.folder / "server.log").open("w") as log:
            self.nursery = subprocess.Popen(
                [sys.executable, __file__, "spawn", str(self.folder), str(self.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.env,
            )
        self.start()

    def say(self, word: str) -> str:
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(word + "\n")
        self.nursery.stdin.flush()
        return self.nursery.stdout.readline().strip()

    def start(self) -> None:
        self.pid = int(self.say("start"))
        for _ in range(4000):
            try:
                urllib.request.urlopen(self.base + "/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.025)
        raise AssertionError("the server did not come up: " + (self.folder / "server.log").read_text()[-2000:])

    def jump(self, minutes: float) -> None:
        """Puts the server's clock forward, for good; one that is not running wakes up to it."""
        self.shifted += minutes * 60
        (self.folder / "clock").write_text(str(self.shifted))
        if not self.pid:
            return
        self.say("jump")
        for _ in range(2000):
            if (self.folder / "clock.heard").exists():
                break
            time.sleep(0.01)
        (self.folder / "clock.heard").unlink()

    def kill(self) -> None:
        """Ends the server as a power cut would: kill -9."""
        self.say("kill")
        self.pid = 0

    def close(self) -> None:
        self.kill()
        assert self.nursery.stdin is not None
        self.nursery.stdin.close()
        self.nursery.wait(timeout=120)
        assert self.nursery.stdout is not None
        self.nursery.stdout.close()

    def person(self, username: str) -> Person:
        return Person(self.base, self.seeded["cookies"][username])

    def command(self, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A `regrow` command on this clinic's folder, or on another one."""
        command = [sys.executable, "-m", "regrow", *words, "--data", str(folder or self.folder)]
        return subprocess.run(command, capture_output=True, text=True, env=self.env, timeout=600)


class Person:
    """Someone signed in, with a cookie jar."""

    def __init__(self, base: str, session: str) -> None:
        self.base, self.cookies = base, {"sessionid": session, "csrftoken": "c" * 32}

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "X-CSRFToken": "c" * 32}

    def open(self, path: str, timeout: float = 20) -> Any:
        return urllib.request.urlopen(urllib.request.Request(self.base + path, headers=self.headers), timeout=timeout)

    def get(self, path: str) -> str:
        with self.open(path) as answer:
            return answer.read().decode()

    def send(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {**self.headers, "Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read() or b"{}")


CALM = {"sbp": 122, "dbp": 78, "hr": 72, "spo2": 98, "rr": 14, "moaas": 5, "dissociation": 0}


def seed(chairs: int) -> dict[str, Any]:
    """The demo clinic, with an infusion running in each of so many chairs; with the demo's own day for none."""
    import django
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    from regrow.clinic import demo, demo_day
    from regrow.clinic.models import Chair, Site, Staff

    demo.DAY = chairs == 0
    now = datetime.now(UTC)
    demo.seed(now)
    crew = demo_day.Crew(Site.objects.get(), now)
    sessions = []
    for number in range(chairs):
        chair, _ = Chair.objects.get_or_create(site=crew.site, name=f"Chair {number + 1}")
        who = demo_day.Person(f"Robin Example{number}", "1980-01-02", "female", 80, 175)
        course = demo_day.course(crew, demo_day.person(crew, who, 60), 50)
        session = demo_day.booked(crew, course, chair, -BEGUN_MINUTES_AGO, 40)[0]
        demo_day.begun(crew, session, BEGUN_MINUTES_AGO, "diaz", CALM)
        sessions.append({"key": session.key, "chair": chair.pk})
    cookies = {}
    for staff in Staff.objects.select_related("user"):
        store = SessionStore()
        store[SESSION_KEY] = str(staff.user.pk)
        store[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
        store[HASH_SESSION_KEY] = staff.user.get_session_auth_hash()
        store.save()
        cookies[staff.user.username] = store.session_key
    return {"site": crew.site.pk, "sessions": sessions, "cookies": cookies}


class Clock:
    """The served clinic's clock: the real one, put forward by what stands in the folder's file `clock`."""

    def __init__(self, folder: Path) -> None:
        self.file: Path = folder / "clock"
        self.travel: Any = None
        if self.file.exists():
            self.put()
        signal.signal(signal.SIGUSR1, self.heard)

    def put(self) -> None:
        import time_machine

        if self.travel is not None:
            self.travel.stop()
        ahead = timedelta(seconds=float(self.file.read_text()))
        self.travel = time_machine.travel(datetime.now(UTC) + ahead, tick=True)
        self.travel.start()

    def heard(self, *_: object) -> None:
        self.put()
        self.file.with_suffix(".heard").touch()


def spawn(folder: Path, port: int) -> None:
    """Imports everything once, then forks a server at each `start`: no process ever shares a database connection."""
    import django
    import uvicorn

    django.setup()
    import regrow.clinic.asgi
    import regrow.clinic.urls

    child = 0
    for line in sys.stdin:
        word = line.strip()
        if word == "start":
            child = os.fork()
            if child == 0:
                sys.stdin.close()
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # it dies with its parent
                Clock(folder)
                uvicorn.run(
                    regrow.clinic.asgi.application,
                    host="127.0.0.1",
                    port=port,
                    log_config=None,
                    access_log=False,
                    lifespan="off",
                )
                os._exit(0)
            print(child, flush=True)
            continue
        if child:
            os.kill(child, SIGNALS[word])
        if word == "kill" and child:
            os.waitpid(child, 0)
            child = 0
        print("ok", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "seed":
        print(json.dumps(seed(int(sys.argv[3]))))
    else:
        spawn(Path(sys.argv[2]), int(sys.argv[3]))
