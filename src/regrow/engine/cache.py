"""A folder private to the user for what was compiled: lowered models and machine code.

The one thing to know: the folder may hold executable code, so nobody else may write into it (mode 0700, owned by
the user), and a file appears whole or not at all (written under a temporary name, then renamed). A cache that
cannot be used is never an error: things are then compiled anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def _emitter() -> bytes:
    """A hash of this package's own source: what an older regrow made of the same text is never taken for ours."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def key(*parts: object) -> str:
    """A name for content: 32 hexadecimal digits of SHA-256 over the parts and the engine's own source."""
    digest = hashlib.sha256(_emitter())
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:32]


def folder() -> Path | None:
    """The cache folder, made if needed; None where it cannot be made or is not the user's alone.

    REGROW_CACHE names another folder; the empty string turns the cache off.
    """
    wanted = os.environ.get("REGROW_CACHE")
    if wanted == "":
        return None
    if wanted is None:
        from platformdirs import user_cache_dir

        wanted = user_cache_dir("regrow")
    path = Path(wanted) / "engine"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = path.stat()
        if hasattr(os, "getuid"):
            if state.st_uid != os.getuid():
                return None
            if stat.S_IMODE(state.st_mode) & 0o077:
                path.chmod(0o700)
    except OSError:
        return None
    return path


def load(name: str) -> bytes | None:
    """The content kept under `name`, or None."""
    path = folder()
    if path is None:
        return None
    try:
        return (path / name).read_bytes()
    except OSError:
        return None


def store(name: str, content: bytes) -> None:
    """Keeps `content` under `name`; does nothing where the folder cannot be written."""
    path = folder()
    if path is None:
        return
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path, prefix=".new-")
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        Path(temporary).replace(path / name)
    except OSError:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
