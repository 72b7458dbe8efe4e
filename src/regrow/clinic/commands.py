"""The clinic's commands: serve, doctor, backup, restore, move, verify-log, link. Django is imported inside them only.

The one thing to know: a backup is a copy that was opened, checked and hashed before it is called one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from regrow.refusal import Refusal

Data = Annotated[Path, typer.Option("--data", help="The clinic's data folder.")]
DEFAULT, DEMO = Path("clinic-data"), Path("demo-data")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _django(data: Path, *, must_exist: bool = True) -> None:
    """Sets Django up on a data folder."""
    from regrow.clinic.config import read_config

    if must_exist and not data.exists():
        raise Refusal(
            "NO-DATA", f"data: {data} does not exist; give --data the clinic's folder.", field="data", value=str(data)
        )
    if data.exists() and not data.is_dir():
        raise Refusal("NO-DATA", f"data: {data} is no folder; give the clinic's folder.", field="data", value=str(data))
    data.mkdir(parents=True, exist_ok=True)
    os.environ["REGROW_DATA"] = str(data.resolve())
    read_config(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "regrow.clinic.settings"
    import django

    django.setup()


def serve(
    demo: Annotated[bool, typer.Option("--demo", help="Serve invented people.")] = False,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder.")] = None,
    cert: Annotated[Path | None, typer.Option("--cert", help="TLS certificate; needed off localhost.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="TLS key.")] = None,
) -> None:
    """Serve the clinic: assess, plan, run infusions on a live board, discharge."""
    if (cert is None) != (key is None):
        raise Refusal("TLS-PAIR", "cert, key: give both or neither.", field="cert")
    for name, path in (("cert", cert), ("key", key)):
        if path is not None and not path.is_file():
            raise Refusal("NO-FILE", f"{name}: {path} does not exist; give a file.", field=name, value=str(path))
    folder = data or (DEMO if demo else DEFAULT)
    from regrow.clinic.config import read_config

    if demo:
        from regrow.clinic.demo import prepare

        prepare(folder)
    if cert:
        os.environ["REGROW_TLS"] = "1"
    elif not demo and not _loopback(host) and not read_config(folder).tls:
        raise Refusal(
            "TLS-NEEDED",
            f"host: {host} is open to the network without TLS; give --cert and --key, or say tls = true in "
            "clinic.toml where a proxy in front does the TLS.",
            field="host",
            value=host,
        )
    if host not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::"):  # noqa: S104  (compared, not bound)
        os.environ["REGROW_HOSTS"] = ",".join(filter(None, [os.environ.get("REGROW_HOSTS", ""), host]))
    _django(folder, must_exist=False)
    from django.conf import settings
    from django.core.management import call_command
    from django.utils import timezone

    if settings.CLINIC.demo and not demo:
        raise Refusal(
            "IS-A-DEMO", f"data: {folder} is a demo; serve it with --demo or give another folder.", field="data"
        )
    from regrow.clinic.moving import look

    look(folder)
    call_command("migrate", interactive=False, verbosity=0)
    scheme = "https" if cert else "http"
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104
    base = f"{scheme}://{shown}:{port}"
    if demo:
        from regrow.clinic.demo import links, seed

        seed(timezone.now())
        for role, token in links(timezone.now()):
            print(f"demo {role} {base}/enter/{token}", flush=True)
    else:
        first = _first_administrator()
        if first:
            print(f"administrator {base}/enter/{first}", flush=True)
            _say("regrow: this link makes you the first administrator; it works once, for 24 hours.")
    _say(f"regrow: serving {settings.CLINIC.name} on {base}. Stop with Ctrl-C.")
    import uvicorn

    uvicorn.run(
        "regrow.clinic.asgi:application",
        host=host,
        port=port,
        log_config=None,  # Django's settings have set the logs up
        access_log=False,
        lifespan="off",
        ssl_certfile=str(cert) if cert else None,
        ssl_keyfile=str(key) if key else None,
        timeout_graceful_shutdown=2,
    )


def _loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first_administrator() -> str | None:
    """The token of the first administrator's link, while nobody has used one; no default password exists."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import make_password
    from django.utils import timezone

    from regrow.clinic.actions.staff import new_link
    from regrow.clinic.models import OneTimeLink, Site, Staff

    if OneTimeLink.objects.filter(used_at__isnull=False).exists():
        return None
    staff = Staff.objects.filter(role="administrator").first()
    if staff is None:
        if Staff.objects.exists():
            return None
        site = Site.objects.create(name="Main site")
        user = get_user_model().objects.create(username="administrator", password=make_password(None))
        staff = Staff.objects.create(user=user, role="administrator", name="Administrator")
        staff.sites.add(site)
    return new_link(staff.user, timezone.now())


def link(username: str, data: Data = DEFAULT) -> None:
    """Print a new one-time sign-in link for a member of staff (the path; put your address in front)."""
    _django(data)
    from django.utils import timezone

    from regrow.clinic.actions.staff import new_link
    from regrow.clinic.models import Staff

    staff = Staff.objects.filter(user__username=username, active=True).first()
    if staff is None:
        raise Refusal("NO-SUCH-USER", f"user {username!r} is not active staff; see the staff page.", field="username")
    print(f"/enter/{new_link(staff.user, timezone.now())}")


def verify_log(data: Data = DEFAULT) -> None:
    """Check the whole hash chain: every log row and every row written once. Exit 1 when it is not whole."""
    _django(data)
    from regrow.clinic.chain import verify

    check = verify()
    for fault in check.faults:
        print(f"fault: {fault}")
    print(f"{check.rows} rows, head {check.head or '-'}, {len(check.faults)} faults")
    if check.faults:
        raise typer.Exit(1)


def backup(out: Path, data: Data = DEFAULT) -> None:
    """Write a verified copy of the clinic's SQLite database to a new file (PostgreSQL: use pg_dump)."""
    import hashlib
    import sqlite3

    _django(data)
    from django.conf import settings

    name = settings.DATABASES["default"]["NAME"]
    if "sqlite" not in settings.DATABASES["default"]["ENGINE"]:
        raise Refusal(
            "POSTGRESQL", "backup: this clinic is on PostgreSQL; use pg_dump and restore with pg_restore.", field="data"
        )
    if out.exists():
        raise Refusal("FILE-EXISTS", f"out: {out} exists already; give a new file name.", field="out", value=str(out))
    part = out.with_name(out.name + ".part")
    part.unlink(missing_ok=True)
    source, copy = sqlite3.connect(name), sqlite3.connect(part)
    with copy:
        source.backup(copy)
    good = copy.execute("PRAGMA integrity_check").fetchone()[0]
    copy.close()
    source.close()
    if good != "ok":
        part.unlink()
        raise Refusal("BACKUP-BAD", f"backup: the copy is not whole ({good}); nothing was kept.", field="out")
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    part.replace(out)
    faults = _faults_of(out)
    print(f"{out} sha256 {digest} {len(faults)} faults in the log")
    if faults:
        raise typer.Exit(1)


def _faults_of(file: Path) -> list[str]:
    """The faults of the hash chain in a database file, read by a fresh process that touches nothing else."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "clinic.sqlite3").write_bytes(file.read_bytes())
        environment = {**os.environ, "REGROW_SECRET_KEY": "only-for-this-check"}
        environment.pop("REGROW_DATABASE_URL", None)
        done = subprocess.run(  # noqa: S603  (this program, by itself)
            [sys.executable, "-m", "regrow", "verify-log", "--data", folder],
            capture_output=True,
            text=True,
            env=environment,
            timeout=600,
            check=False,
        )
    if done.returncode == 0:
        return []
    return [line for line in done.stdout.splitlines() if line.startswith("fault")] or [done.stderr.strip()[-300:]]


def _is_demo(data: Path) -> bool:
    from regrow.clinic.config import read_config

    return data.exists() and read_config(data).demo


def _real_people(file: Path) -> int:
    """How many people in a backup were not invented for a demo."""
    import sqlite3

    base = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return base.execute("SELECT COUNT(*) FROM clinic_patient WHERE NOT demo").fetchone()[0]
    except sqlite3.DatabaseError as problem:
        raise Refusal("BACKUP-BAD", f"file: {file} is no backup of a clinic ({problem}).", field="file") from problem
    finally:
        base.close()


def restore(file: Path, data: Data) -> None:
    """Put a backup into a new data folder, after its hash chain was checked; never over a clinic that is there."""
    if not file.is_file():
        raise Refusal("NO-FILE", f"file: {file} does not exist.", field="file", value=str(file))
    target = data / "clinic.sqlite3"
    if target.exists():
        raise Refusal(
            "FILE-EXISTS", f"data: {data} already holds a clinic; give a new folder.", field="data", value=str(data)
        )
    if _is_demo(data) and _real_people(file):
        raise Refusal(
            "NOT-A-DEMO",
            f"data: {data} is a demo and {file} holds {_real_people(file)} real people; give --data another folder.",
            field="data",
            value=str(data),
        )
    faults = _faults_of(file)
    if faults:
        raise Refusal("BACKUP-BAD", f"file: {file} is not whole ({faults[0]}); take an older backup.", field="file")
    data.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(file.read_bytes())
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(target)
    print(f"{target} restored and checked")


def move(data: Data = DEFAULT) -> None:
    """Carry a clinic from the SQLite file of its folder to the empty PostgreSQL that clinic.toml names as `database`.

    Moved whole or not at all; the file stays as it was and takes no writes any more.
    """
    _django(data)
    from regrow.clinic.moving import move as carry

    tables, rows, head = carry(data)
    print(f"moved: {tables} tables, {rows} rows, log head {head}, 0 faults; the file is kept and takes no more writes")


def doctor(data: Data = DEFAULT) -> None:
    """Look at this clinic's installation and say what is not as it should be. Exit 1 when something must be done."""
    import shutil

    _django(data)
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from regrow.clinic.chain import verify
    from regrow.clinic.models import Staff

    rows: list[tuple[bool, str]] = []

    def look(good: bool, text: str) -> None:
        rows.append((good, text))

    try:
        call_command("migrate", check_unapplied=True, verbosity=0)
        look(True, "database: every migration is applied")
    except SystemExit:
        look(False, "database: migrations are waiting; start `regrow serve` once")
        _report(rows)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            journal = cursor.execute("PRAGMA journal_mode").fetchone()[0]
            full = cursor.execute("PRAGMA synchronous").fetchone()[0]
        look(journal == "wal" and full == 2, f"SQLite: journal {journal}, synchronous {full} (wal and 2 are needed)")
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
            commit, sync = cursor.fetchone()
        look(commit != "off" and sync == "on", f"PostgreSQL: synchronous_commit {commit}, fsync {sync} (neither off)")
    free = shutil.disk_usage(data).free / 1e9
    look(free > 2, f"disk: {free:.1f} GB free (2 are needed)")
    secret = data / "secret_key"
    look(not secret.exists() or secret.stat().st_mode & 0o077 == 0, "secret_key: readable by its owner alone")
    look(settings.CLINIC.require_mfa or settings.CLINIC.demo, "second factor: asked of everyone")
    check = verify()
    look(not check.faults, f"log: {check.rows} rows, {len(check.faults)} faults")
    people = Staff.objects.filter(active=True)
    look(people.filter(role="administrator").exists(), "staff: there is an administrator")
    look(
        settings.CLINIC.tls or bool(os.environ.get("REGROW_TLS")) or settings.CLINIC.demo,
        "TLS: on (serve --cert --key, or tls = true behind a proxy); else no offline queue",
    )
    _report(rows)


def _report(rows: list[tuple[bool, str]]) -> Any:
    for good, text in rows:
        print(f"{'ok  ' if good else 'LOOK'} {text}")
    raise typer.Exit(0 if all(good for good, _ in rows) else 1)


def attach(app: typer.Typer) -> None:
    """Puts the clinic's commands on the command line."""
    for function in (serve, doctor, backup, restore, move, verify_log, link):
        app.command(name=function.__name__.replace("_", "-"))(function)
