"""The same code on a real PostgreSQL: migrations, the tests marked for both databases, the commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from clinic.postgresql import postgresql
from clinic.serving import environment

pytestmark = pytest.mark.xdist_group("postgresql")
ROOT = Path(__file__).parent.parent.parent


def test_the_tests_marked_for_both_databases_hold_on_postgresql():
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "REGROW_", "DJANGO_"))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-m",
        "both_databases",
        "tests/clinic",
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, "REGROW_DATABASE_URL": postgresql().new_database()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "10 passed" in done.stdout, done.stdout[-400:]


def test_a_clinic_on_postgresql_is_named_in_its_settings_looked_at_and_sent_to_pg_dump_for_backups(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "clinic.toml").write_text(f'name = "On PostgreSQL"\ndatabase = "{postgresql().new_database()}"\n')
    env = environment(folder)

    def regrow(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "regrow", *words, "--data", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, env=env)

    looked = regrow("doctor")
    assert (looked.returncode, "LOOK database: migrations are waiting" in looked.stdout) == (1, True)
    migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    assert subprocess.run(migrate, env=env, capture_output=True).returncode == 0
    looked = regrow("doctor")
    assert "ok   database: every migration is applied" in looked.stdout
    assert "ok   PostgreSQL: synchronous_commit on, fsync on" in looked.stdout
    assert not (folder / "clinic.sqlite3").exists()
    refused = regrow("backup", str(tmp_path / "copy"))
    assert (refused.returncode, refused.stderr[:20]) == (2, "regrow: POSTGRESQL: ")
    assert "pg_dump" in refused.stderr
