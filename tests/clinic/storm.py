"""Eight people write without a pause while the server is killed with -9 again and again: for the test and the bench.

The one thing to know: a writer sends an entry with the same key until it is acknowledged, as the tablet's queue does;
so in the end what is stored must be exactly what was acknowledged, each once.
"""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from clinic.serving import Clinic, Person

WRITERS = ("diaz", "kim", "lee", "ruiz") * 2
MARK = "storm-"


@dataclass
class Storm:
    """What came of it: keys acknowledged, answers that were neither kept nor repeated, and what the database holds."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    odd: list[tuple[int, Any]] = field(default_factory=list)
    kills: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    chain: str = ""


class Writer(threading.Thread):
    """One person on one connection, writing notes, taps and vitals in all sessions in turn."""

    def __init__(self, clinic: Clinic, username: str, number: int, storm: Storm, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.person: Person = clinic.person(username)
        self.port, self.number, self.storm, self.stop = clinic.port, number, storm, stop
        self.paths = [f"/sessions/{s['key']}/entries" for s in clinic.seeded["sessions"]]

    def run(self) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            key = f"{MARK}{self.number}-{count:08d}"
            body = (
                {"kind": "note", "payload": {"text": key}},
                {"kind": "chip", "payload": {"what": "nausea"}},
                {"kind": "vitals", "payload": {"sbp": 120 + count % 20, "dbp": 80}},
            )[count % 3]
            self.until_acknowledged(self.paths[count % len(self.paths)], {**body, "key": key})

    def until_acknowledged(self, path: str, body: dict[str, Any]) -> None:
        headers = {**self.person.headers, "Content-Type": "application/json", "Accept": "application/json"}
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request("POST", path, json.dumps(body), headers)
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
                continue
            finally:
                connection.close()
            if answer.status in (200, 201) and answer.headers["Regrow-Kept"] == body["key"]:
                self.storm.acknowledged[body["key"]] += 1
                self.storm.repeated += answer.status == 200
            else:
                self.storm.odd.append((answer.status, said[:300]))
            return


def run(clinic: Clinic, kills: int, entries: int = 0, seed: int = 1) -> Storm:
    """Kills the server so many times at random moments; goes on until so many entries are acknowledged; then counts."""
    storm, stop, dice = Storm(), threading.Event(), random.Random(seed)
    writers = [Writer(clinic, name, n, storm, stop) for n, name in enumerate(WRITERS)]
    for each in writers:
        each.start()
    share = max(1, entries // max(kills, 1))  # entries that a life brings on average, so that both are reached together
    while storm.kills < kills or len(storm.acknowledged) < entries:
        wanted = len(storm.acknowledged) + dice.randint(1, 2 * share - 1)
        while len(storm.acknowledged) < wanted:  # every life of the server writes something
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.15))
        clinic.kill()
        storm.kills += 1
        clinic.start()
    stop.set()
    for each in writers:
        each.join(timeout=60)
    clinic.kill()
    storm.stored = Counter(stored(clinic))
    storm.chain = clinic.command("verify-log").stdout.strip()
    return storm


def stored(clinic: Any) -> list[str]:
    """The keys of the storm's entries, read from the database beside the program."""
    sql = f"SELECT idem FROM clinic_entry WHERE idem LIKE '{MARK}%'"
    if clinic.database:
        import psycopg

        with psycopg.connect(clinic.database) as base:
            return [row[0] for row in base.execute(sql)]  # type: ignore[arg-type]
    base = sqlite3.connect(clinic.folder / "clinic.sqlite3")
    found = [row[0] for row in base.execute(sql)]
    base.close()
    return found
