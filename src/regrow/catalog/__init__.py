"""All that is data, and its only reader: one TOML file per thing, found by its folder.

`drugs/ models/ protocols/ scales/ evidence/` hold one file per drug, parameter set, protocol, scale and study; the
file's stem is the id. Nothing is registered anywhere: a file put into the folder is there. Files are parsed one at a
time, when asked for, and checked against a schema that knows every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from regrow.refusal import Refusal

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    T = TypeVar("T", bound=BaseModel)
else:
    T = TypeVar("T")

_SINGULAR = {"drugs": "drug", "models": "model", "protocols": "protocol", "scales": "scale", "evidence": "evidence"}


def folder(kind: str) -> Path:
    """The folder that holds the files of one kind (`drugs`, `models`, `protocols`, `scales`, `evidence`)."""
    return Path(__file__).parent / kind


@lru_cache
def _ids(kind: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder(kind).glob("*.toml")))


def ids(kind: str) -> list[str]:
    """The ids of one kind, sorted: the stems of the files in its folder. No file is opened."""
    return list(_ids(kind))


def find(kind: str, wanted: str) -> str:
    """The id that `wanted` names: itself, or the only id that begins so.

    Refuses with UNKNOWN-<KIND> naming the nearest id, and with AMBIGUOUS-<KIND> naming all that begin so.
    """
    return choose(_SINGULAR.get(kind, kind), wanted, _ids(kind))


def choose(noun: str, wanted: str, names: Sequence[str]) -> str:
    """The one of `names` that `wanted` names: itself, or the only one that begins so. Refuses as `find` does.

    `noun` says what is chosen ("protocol", "switch"); it is the field of the refusal and the end of its code.
    """
    text = wanted.strip()
    if text in names:
        return text
    code = noun.upper().replace(" ", "-")
    begins = [name for name in names if text and name.startswith(text)]
    if len(begins) == 1:
        return begins[0]
    if begins:
        sentence = f"{noun}: {wanted!r} begins {len(begins)} names: {', '.join(begins)}; write one of them out"
        raise Refusal(f"AMBIGUOUS-{code}", sentence, field=noun, value=wanted)
    near = get_close_matches(text.lower(), names, n=1, cutoff=0.0)
    hint = f"; the nearest is {near[0]}" if near else ""
    listed = f"; known: {', '.join(names)}" if len(names) <= 24 else f"; {len(names)} are known"
    raise Refusal(f"UNKNOWN-{code}", f"{noun}: {wanted!r} is not known{hint}{listed}", field=noun, value=wanted)


def load(kind: str, id: str, schema: type[T]) -> T:
    """The file of one id, checked against `schema`; `id` may be a unique prefix. Read once, then kept.

    Refuses as `find` and `read` do, and with <KIND>-FILE where the file's own `id` is not its stem.
    """
    return _load(kind, find(kind, id), schema)


@lru_cache(maxsize=1024)
def _load(kind: str, id: str, schema: type[T]) -> T:
    found = read(folder(kind) / f"{id}.toml", schema, _SINGULAR.get(kind, kind))
    stated = getattr(found, "id", id)
    if stated != id:
        raise _bad_file(_SINGULAR.get(kind, kind), f"{id}.toml", "id", stated, f"the id must be the file's stem {id!r}")
    return found


def read(path: Path, schema: type[T], noun: str) -> T:
    """The TOML file at `path`, checked against the pydantic `schema`.

    Refuses with <NOUN>-FILE, naming file, key, value and what is expected: a file that cannot be read, text that is not
    TOML, an unknown or missing key, a wrong value.
    """
    from pydantic import ValidationError

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as why:
        expected = f"the file cannot be read ({why.strerror}); give the path of a readable .toml file"
        raise _bad_file(noun, str(path), "path", path.name, expected) from why
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise _bad_file(noun, str(path), "text", path.name, f"it is not TOML: {why}; mend that place") from why
    try:
        return schema.model_validate(content)
    except ValidationError as why:
        raise _first_error(noun, path, why) from why


def _first_error(noun: str, path: Path, why: ValidationError) -> Refusal:
    problems = why.errors(include_url=False)
    first = problems[0]
    inner = first.get("ctx", {}).get("error")
    key, value, expected = ".".join(str(step) for step in first["loc"]), first["input"], first["msg"]
    if isinstance(inner, Refusal):  # refused by the house's own rules, which name the value better than the whole table
        key, value, expected = key or inner.field, inner.value, inner.sentence
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _bad_file(noun, str(path), key or "file", value, f"{expected}{more}")


def _bad_file(noun: str, file: str, key: str, value: object, expected: str) -> Refusal:
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    sentence = " ".join(f"{file}: key {key} with value {shown}: {expected}".split())
    return Refusal(f"{noun.upper()}-FILE", sentence, field=key, value=value)
