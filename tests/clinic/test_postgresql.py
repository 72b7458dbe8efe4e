"""The same code on a real PostgreSQL: migrations, the tests marked for both databases, the commands."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from clinic.postgresql import postgresql
from clinic.serving import environment, seed_folder

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


def test_a_clinic_moves_from_its_file_to_postgresql_whole_or_not_at_all(tmp_path):
    folder, database = tmp_path / "data", postgresql().new_database()
    seed_folder(folder, chairs=2)
    env = environment(folder)

    def regrow(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "regrow", *words], capture_output=True, text=True, env=env)

    def held(base) -> dict[str, int]:
        return {t: base.execute(f'SELECT COUNT(*) FROM "{t}"').fetchone()[0] for t in tables}

    refused = regrow("move", "--data", str(folder))
    assert (refused.returncode, refused.stderr[:24]) == (2, "regrow: NOT-POSTGRESQL: ")
    toml = folder / "clinic.toml"
    before = regrow("verify-log", "--data", str(folder)).stdout
    toml.write_text(toml.read_text() + f'database = "{database}"\n')
    refused = regrow("serve", "--demo", "--port", "0", "--data", str(folder))
    assert (refused.returncode, refused.stderr[:19]) == (2, "regrow: NOT-MOVED: ")

    file = sqlite3.connect(folder / "clinic.sqlite3")
    rows = file.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    tables = sorted({name for (name,) in rows} - {"django_migrations", "clinic_cache"})
    there = file.execute("SELECT name FROM clinic_site").fetchone()
    file.execute("UPDATE clinic_site SET name = ?", ["x" * 90])  # PostgreSQL takes 80 letters
    file.commit()
    refused = regrow("move", "--data", str(folder))
    assert (refused.returncode, refused.stderr[:19]) == (2, "regrow: NOT-WHOLE: ")
    with psycopg.connect(database) as base:
        assert sum(held(base).values()) == held(base)["auth_permission"] + held(base)["django_content_type"]
    file.execute("UPDATE clinic_site SET name = ?", there)
    file.commit()

    done = regrow("move", "--data", str(folder))
    assert done.returncode == 0, done.stderr
    assert regrow("verify-log", "--data", str(folder)).stdout == before
    with psycopg.connect(database) as base:
        assert held(base) == held(file)
        assert base.execute("SELECT payload, measured_at FROM clinic_entry ORDER BY id DESC").fetchone()
        base.execute("INSERT INTO clinic_site (name) VALUES ('another')")  # its number is a new one
    with pytest.raises(sqlite3.IntegrityError, match="moved to PostgreSQL"):
        file.execute(
            "INSERT INTO clinic_logrow SELECT id + 100000, at, actor, action, patient, model, row, digest, "
            "previous, hash FROM clinic_logrow LIMIT 1"
        )
    refused = regrow("move", "--data", str(folder))
    assert (refused.returncode, refused.stderr[:15]) == (2, "regrow: MOVED: ")
    file.execute("DROP TRIGGER clinic_moved_to_postgresql")  # as if it were another clinic's file
    file.commit()
    refused = regrow("move", "--data", str(folder))
    assert (refused.returncode, refused.stderr[:19]) == (2, "regrow: NOT-EMPTY: ")
    file.close()


def test_a_moved_file_is_not_served(tmp_path):
    file = sqlite3.connect(tmp_path / "clinic.sqlite3")
    file.execute("CREATE TABLE clinic_logrow (id)")
    file.execute("CREATE TRIGGER clinic_moved_to_postgresql BEFORE INSERT ON clinic_logrow BEGIN SELECT 1; END")
    file.close()
    command = [sys.executable, "-m", "regrow", "serve", "--port", "0", "--data", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path))
    assert (refused.returncode, refused.stderr[:15]) == (2, "regrow: MOVED: ")


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
