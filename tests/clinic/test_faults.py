"""Twenty kills -9 at random moments while eight people write, on SQLite and on a real PostgreSQL.

Nothing acknowledged is lost, nothing is doubled, and the chain of hashes is whole. `bench/faults` runs 200 kills.
"""

import threading
import time

import pytest
from clinic import storm
from clinic.postgresql import postgresql
from clinic.serving import Clinic


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))]
)
def test_what_was_acknowledged_is_stored_once_each_though_the_server_was_killed_twenty_times(database, tmp_path):
    url = postgresql().new_database() if database == "postgresql" else ""
    clinic = Clinic(tmp_path / "data", database=url)
    found = storm.run(clinic, kills=20)
    clinic.close()
    assert found.odd == []
    assert len(found.acknowledged) > 20
    assert found.stored == found.acknowledged
    assert found.chain.endswith(" 0 faults"), found.chain


def test_a_backup_taken_while_people_write_restores_to_a_whole_clinic_with_all_that_was_acknowledged(tmp_path):
    clinic = Clinic(tmp_path / "data")
    found, stop = storm.Storm(), threading.Event()
    writers = [storm.Writer(clinic, name, n, found, stop) for n, name in enumerate(storm.WRITERS)]
    for each in writers:
        each.start()
    while len(found.acknowledged) < 5:
        time.sleep(0.01)
    before = set(found.acknowledged)
    done = clinic.command("backup", str(tmp_path / "copy"))
    stop.set()
    for each in writers:
        each.join(timeout=60)
    clinic.close()
    assert done.returncode == 0, done.stdout + done.stderr
    restored = Restored(tmp_path / "restored")
    done = clinic.command("restore", str(tmp_path / "copy"), folder=restored.folder)
    assert done.returncode == 0, done.stderr
    assert before <= set(storm.stored(restored))
    assert clinic.command("verify-log", folder=restored.folder).stdout.endswith(" 0 faults\n")


class Restored:
    """A folder that holds a clinic which nobody serves."""

    database = ""

    def __init__(self, folder):
        self.folder = folder
