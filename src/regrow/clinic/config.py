"""The clinic's own settings: one TOML file in the data folder, secrets from the environment or a file of mode 600.

The one thing to know: everything a clinic owns lives in its data folder; `REGROW_DATA` names it.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from regrow.refusal import Refusal

FILE = "clinic.toml"


@dataclass(frozen=True)
class Config:
    """What clinic.toml may say. Times in minutes; `database` a PostgreSQL URL or "" for SQLite in the data folder."""

    name: str = "Our clinic"
    time_zone: str = "UTC"
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    database: str = ""
    idle_minutes: int = 10
    require_mfa: bool = True
    demo: bool = False
    tls: bool = False


def data_folder() -> Path:
    """The data folder that REGROW_DATA names, or ./clinic-data."""
    return Path(os.environ.get("REGROW_DATA", "clinic-data")).resolve()


def read_config(folder: Path) -> Config:
    """The clinic's settings; refuses an unknown key or a wrong type. The environment adds REGROW_DATABASE_URL,
    REGROW_HOSTS (commas) and REGROW_TLS."""
    path = folder / FILE
    said: dict[str, Any] = {}
    if path.exists():
        try:
            said = tomllib.loads(path.read_text("utf-8"))
        except tomllib.TOMLDecodeError as problem:
            raise Refusal("CLINIC-TOML", f"{FILE} cannot be read: {problem}; mend the line named.") from problem
    known = {f.name: f for f in fields(Config)}
    for key, value in said.items():
        if key not in known:
            raise Refusal("CLINIC-TOML", f"{FILE}: {key!r} is not a setting; known are {', '.join(known)}.", field=key)
        default = known[key].default
        kind = list if isinstance(default, tuple) else type(default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Refusal(
                "CLINIC-TOML", f"{FILE}: {key} must be {kind.__name__}, not {value!r}.", field=key, value=value
            )
    if "hosts" in said:
        said["hosts"] = tuple(said["hosts"])
    if url := os.environ.get("REGROW_DATABASE_URL"):
        said["database"] = url
    if hosts := os.environ.get("REGROW_HOSTS"):
        said["hosts"] = (*said.get("hosts", Config.hosts), *hosts.split(","))
    if os.environ.get("REGROW_TLS"):
        said["tls"] = True
    return Config(**said)


def secret_key(folder: Path) -> str:
    """REGROW_SECRET_KEY, else the key kept in the data folder, made at first use and readable by its owner alone."""
    if key := os.environ.get("REGROW_SECRET_KEY"):
        return key
    path = folder / "secret_key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_urlsafe(50))
    return path.read_text().strip()


def database(config: Config, folder: Path) -> dict[str, Any]:
    """Django's DATABASES entry: SQLite (WAL, synchronous FULL, IMMEDIATE) or PostgreSQL by URL."""
    if not config.database:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / "clinic.sqlite3"),
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    from urllib.parse import parse_qs, unquote, urlsplit

    url = urlsplit(config.database)
    if url.scheme not in ("postgres", "postgresql"):
        raise Refusal("DATABASE-URL", f"database: {url.scheme}:// is not postgresql://; give a PostgreSQL URL.")
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.pop("host", url.hostname or ""),
        "PORT": str(url.port or ""),
        "OPTIONS": query,
    }
