"""A clinic carried from the SQLite file of its folder to the PostgreSQL that its settings name.

The one thing to know: it is moved whole or not at all. The file takes no writes while it is copied, the copy is one
transaction that is checked before it is kept, and after it the file takes no writes for ever, so that no server left
running writes where nobody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import DatabaseError, connection, connections, models, transaction

from regrow.clinic import chain
from regrow.clinic.config import Config, database
from regrow.refusal import Refusal

FILE, SOURCE = "clinic.sqlite3", "moved_from"
FROZEN = "clinic_moved_to_postgresql"
# Django makes these itself in a new database; the file's own rows, with the numbers others name them by, replace them.
REMADE = (Permission, ContentType)
BATCH = 1000


def _file(folder: Path) -> bool:
    """True when the folder holds a clinic of its own in SQLite; its connection is opened beside the clinic's."""
    if not (folder / FILE).is_file():
        return False
    connections.databases[SOURCE] = {**connections.databases["default"], **database(Config(), folder)}
    return True


def frozen(alias: str = SOURCE) -> bool:
    """True when this SQLite file was moved away before."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1 FROM sqlite_master WHERE name = %s", [FROZEN])
        return cursor.fetchone() is not None


def look(folder: Path) -> None:
    """Refuses to serve a file that was moved away (MOVED), and an empty PostgreSQL beside a file that was not
    (NOT-MOVED)."""
    if connection.vendor == "sqlite":
        if frozen("default"):
            raise Refusal(
                "MOVED",
                f"data: {folder / FILE} was moved to PostgreSQL; name that as `database` in clinic.toml.",
                field="database",
            )
    elif _file(folder) and not frozen() and "clinic_staff" in connections[SOURCE].introspection.table_names():
        raise Refusal(
            "NOT-MOVED",
            f"database: {folder / FILE} holds a clinic that is not in this PostgreSQL; run `regrow move`, or take the "
            "file out of the folder.",
            field="database",
        )


def _tables() -> list[type[models.Model]]:
    """Every table the clinic's program owns, those between two others included."""
    return [m for m in apps.get_models(include_auto_created=True) if m._meta.managed and not m._meta.proxy]


def _rows(model: type[models.Model]) -> Iterator[models.Model]:
    return model._base_manager.using(SOURCE).order_by("pk").iterator(BATCH)


def _filled() -> str | None:
    """The first table of the target that holds a row which Django did not make itself."""
    held = (m for m in _tables() if m not in REMADE and m._base_manager.exists())
    return next((m._meta.db_table for m in held), None)


def _copied() -> dict[str, int]:
    """Every row of the file in PostgreSQL, counted there, by table."""
    tables = _tables()
    for model in REMADE:
        model._base_manager.all().delete()
    for model in tables:
        rows = _rows(model)
        while some := [_fresh(row) for row in islice(rows, BATCH)]:
            model._base_manager.using("default").bulk_create(some)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)
    return {m._meta.db_table: m._base_manager.count() for m in tables}


def _fresh(row: models.Model) -> models.Model:
    row._state.db, row._state.adding = "default", True
    return row


@contextmanager
def _whole() -> Iterator[None]:
    """Says what the database did not take by its kind alone: its own words may name a person."""
    try:
        yield
    except DatabaseError as problem:
        raise Refusal(
            "NOT-WHOLE", f"move: PostgreSQL refused a row ({type(problem).__name__}); nothing was moved.", field="data"
        ) from problem


def move(folder: Path) -> tuple[int, int, str]:
    """Moves the clinic; returns tables, rows and the head of the log, which is the same before and after.

    Refuses NOT-POSTGRESQL, NO-DATA, MOVED, NOT-EMPTY and, with nothing kept, a log or a count that is not whole.
    """
    if connection.vendor != "postgresql":
        raise Refusal(
            "NOT-POSTGRESQL",
            'database: this clinic is on SQLite; write database = "postgresql://…" into clinic.toml first.',
            field="database",
        )
    if not _file(folder):
        raise Refusal("NO-DATA", f"data: {folder} holds no {FILE} to move.", field="data", value=str(folder))
    if frozen():
        raise Refusal("MOVED", f"data: {folder / FILE} was moved before; it is only kept.", field="data")
    call_command("migrate", database=SOURCE, interactive=False, verbosity=0)
    call_command("migrate", interactive=False, verbosity=0)
    with transaction.atomic(using=SOURCE):  # from here on no server writes to the file
        counts = {m._meta.db_table: m._base_manager.using(SOURCE).count() for m in _tables()}
        with _whole(), transaction.atomic():
            if (table := _filled()) is not None:
                raise Refusal(
                    "NOT-EMPTY", f"database: {table} holds rows already; give a new, empty one.", field="database"
                )
            there = _copied()
            wrong = [f"{table}: {n} of {counts[table]} rows" for table, n in there.items() if n != counts[table]]
            check = chain.verify()
            if wrong or check.faults:
                raise Refusal("NOT-WHOLE", f"move: {(*wrong, *check.faults)[0]}; nothing was moved.", field="data")
        with connections[SOURCE].cursor() as cursor:
            cursor.execute(
                f"CREATE TRIGGER {FROZEN} BEFORE INSERT ON clinic_logrow "
                "BEGIN SELECT RAISE(ABORT, 'this clinic was moved to PostgreSQL'); END"
            )
    return len(counts), sum(counts.values()), check.head
