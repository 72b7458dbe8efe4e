"""A simulated course as a file: NetCDF, Parquet or CSV, and any file replaced whole or not at all.

The one thing to know: nothing is written in place. `publish` writes every file under a temporary name in its folder,
brings it to the disk, and only then gives all of them their names; a full disk, an error or Ctrl-C on the way leaves
what was there before.

NetCDF holds the whole Dataset. Parquet and CSV hold one row per person and time, one column per read-out, and beside
them the latest session begun (counted from 1; 0 before the first) and its dose. A Parquet column has its plain name and
carries its unit in the field's metadata; a CSV has no place for metadata and a comment line breaks readers, so there
the unit is part of the name: `madrs_points`, `ketamine_arterial_ng_ml`. CSV values have single precision (7 digits).
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from regrow.refusal import Failure, Refusal

if TYPE_CHECKING:
    import pyarrow
    import xarray

Writer = Callable[[BinaryIO], None]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ROWS = 200_000  # of a table held in memory at a time


# --- files that appear whole or not at all --------------------------------------------------------------------------


def check(path: str | Path, endings: tuple[str, ...]) -> Path:
    """The place a file would be written to, once it is clear that it could be; refuses with OUT-ENDING or OUT-FOLDER.

    Meant to be asked before a long run, so that a slip in a name costs no time.
    """
    place = Path(path)
    if place.suffix.lower() not in endings:
        known = " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))
        what = f"ends in {place.suffix}, which is not a format of ours" if place.suffix else "has no ending"
        raise Refusal("OUT-ENDING", f"out: {place} {what}; end it in {known}", field="out", value=str(path))
    folder = place.parent
    if not folder.is_dir():
        sentence = f"out: the folder {folder} does not exist; make it first, or write to one that does"
    elif place.exists() and not place.is_file():
        sentence = f"out: {place} is there and is not a plain file; choose another name"
    elif not os.access(folder, os.W_OK | os.X_OK):
        sentence = f"out: the folder {folder} may not be written to; choose another, or change its permissions"
    else:
        return place
    raise Refusal("OUT-FOLDER", sentence, field="out", value=str(path))


def check_all(paths: Sequence[str | Path], endings: tuple[str, ...]) -> list[Path]:
    """The places of several files; refuses as `check` does, and with OUT-TWICE a file that is named twice."""
    places = [check(path, endings) for path in paths]
    seen: set[Path] = set()
    for place in places:
        if place.resolve() in seen:
            raise Refusal(
                "OUT-TWICE", f"out: {place} is named twice; name each file once", field="out", value=str(place)
            )
        seen.add(place.resolve())
    return places


def publish(files: Mapping[Path, Writer]) -> None:
    """Writes every file, then lets all of them appear at once, replacing what was there; all or none.

    Each writer gets a binary stream. Fails with OUT-DISK (no room) or OUT-WRITE (the system's own words).
    """
    with staged(list(files)) as places:
        for (place, writer), temporary in zip(files.items(), places, strict=True):
            try:
                with temporary.open("r+b") as stream:
                    writer(stream)
            except OSError as problem:
                raise failure(place, problem) from problem


@contextmanager
def staged(targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Empty files to write in place of `targets`; on leaving they reach the disk and appear all at once, or none.

    An error on the way removes them and leaves what was there before. Fails as `publish` does.
    """
    pairs: list[tuple[Path, Path]] = []
    place = Path()
    try:
        for place in targets:
            target = place.resolve()  # a link stays a link to its file
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            pairs.append((temporary, target))
            if target.exists():
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
            os.close(descriptor)
        yield [temporary for temporary, _ in pairs]
        for temporary, _ in pairs:
            with temporary.open("r+b") as stream:
                os.fsync(stream.fileno())
        for temporary, place in pairs:
            os.replace(temporary, place)
        for folder in {target.parent for _, target in pairs}:
            sync(folder)
    except OSError as problem:
        raise failure(place, problem) from problem
    finally:
        for temporary, _ in pairs:
            temporary.unlink(missing_ok=True)


def sync(place: Path) -> None:
    """Until the disk has this file, or this folder's names."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def failure(place: Path, problem: OSError) -> Failure:
    if problem.errno in _NO_ROOM:
        sentence = f"out: no room for {place}; nothing was left there: free some space or write to another disk"
        return Failure("OUT-DISK", sentence)
    words = problem.strerror or str(problem)
    return Failure("OUT-WRITE", f"out: {place} could not be written ({words}); nothing was left there")


# --- what a Dataset says of itself ----------------------------------------------------------------------------------


def units(dataset: xarray.Dataset) -> dict[str, str]:
    """The unit of each variable that states one, by its own `units` or by the Dataset's table of them."""
    table = dataset.attrs.get("units")
    table = json.loads(table) if isinstance(table, str) else dict(table or {})
    own = {str(name): str(v.attrs["units"]) for name, v in dataset.variables.items() if "units" in v.attrs}
    return {**{name: unit for name, unit in table.items() if name in dataset.variables}, **own}


def plain(value: Any) -> Any:
    """An attribute as NetCDF can hold it: text, a number or a list of either stays, all else becomes JSON text."""
    import numpy as np

    if isinstance(value, str | np.ndarray) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if isinstance(value, list | tuple):
        kinds = {type(item) for item in value}
        if kinds and (kinds == {str} or kinds <= {int, float}):
            return list(value)
    return json.dumps(value, ensure_ascii=False, default=_jsonable)


def _jsonable(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


# --- NetCDF ---------------------------------------------------------------------------------------------------------


def netcdf(dataset: xarray.Dataset) -> bytes | memoryview:
    """The Dataset as a NetCDF-4 file in memory. HDF5 itself must not meet a full disk: it crashes the process there."""
    whole = dataset.copy(deep=False)
    whole.attrs = {str(key): plain(value) for key, value in dataset.attrs.items() if value is not None}
    found = units(dataset)
    for name, variable in whole.variables.items():
        variable.attrs = {key: plain(value) for key, value in variable.attrs.items() if value is not None}
        if str(name) in found:
            variable.attrs["units"] = found[str(name)]
    packed = {
        str(name): {"zlib": True, "complevel": 1, "shuffle": True}
        for name, variable in whole.data_vars.items()
        if variable.dtype.kind == "f" and variable.size > 1
    }
    return whole.to_netcdf(None, engine="h5netcdf", encoding=packed)


# --- tables ---------------------------------------------------------------------------------------------------------


def csv_name(name: str, unit: str) -> str:
    """A column's name with its unit, in letters, digits and underscores: ("hr", "1/min") is "hr_per_min".

    What counts in ones ("1") has its name alone; a year ("a") is a y.
    """
    words = re.sub(r"\(.*?\)", "", {"1": "", "a": "y"}.get(unit, unit))
    words = re.sub(r"^\s*1?/", "per ", words).replace("%", "percent").replace("µ", "u")
    slug = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return f"{name}_{slug}" if slug and not name.endswith(f"_{slug}") else name


def _latest_session(dataset: xarray.Dataset) -> dict[str, Any]:
    """For each person and time the latest session begun, from 1, and its dose: columns beside the read-outs."""
    import numpy as np

    if "session_day" not in dataset or "session" not in dataset.sizes:
        return {}
    starts = np.asarray(dataset["session_day"], dtype=float) * 24.0
    times = np.asarray(dataset["time"], dtype=float)
    people = dataset.sizes["person"]
    doses = (
        dataset["session_dose_mg"].transpose("session", "person").to_numpy() if "session_dose_mg" in dataset else None
    )
    number = np.zeros((people, times.size), dtype=np.int32)
    dose = np.full((people, times.size), np.nan)
    for place in np.argsort(starts, kind="stable"):
        begun = slice(np.searchsorted(times, starts[place] - 1e-9), None)  # times ascend
        given = slice(None) if doses is None or np.isfinite(doses[place]).all() else np.isfinite(doses[place])
        number[given, begun] = place + 1
        if doses is not None:
            dose[given, begun] = doses[place][given, None]
    return {"session": number, **({} if doses is None else {"session_dose_mg": dose})}


def tables(dataset: xarray.Dataset, *, for_csv: bool) -> Iterator[pyarrow.Table]:
    """The rows, some hundred thousand at a time: person, time, the latest session, then every read-out."""
    import numpy as np
    import pyarrow as pa

    found = units(dataset)
    people, times = dataset.sizes["person"], dataset.sizes["time"]
    wide = {str(n): v for n, v in dataset.data_vars.items() if set(v.dims) <= {"person", "time"} and v.dims}
    fits = ({"person", "time"}, {"person", "session"})
    strange = [str(n) for n, v in dataset.data_vars.items() if not any(set(v.dims) <= dims for dims in fits)]
    if strange:
        names = ", ".join(strange)
        sentence = f"out: {names} cannot stand in a table of person and time; write a .nc file instead"
        raise Refusal("OUT-TABLE", sentence, field="out", value=names)
    # plain arrays (people, times), or one row of them for all: labels would take longer than the copying
    columns: dict[str, np.ndarray] = {
        "person": np.asarray(dataset["person"])[:, None],
        "time": np.asarray(dataset["time"], dtype=float)[None, :],
    }
    columns |= _latest_session(dataset)
    for name, variable in wide.items():
        values = variable.transpose(*(dim for dim in ("person", "time") if dim in variable.dims)).to_numpy()
        if values.ndim < 2:
            values = values[:, None] if "person" in variable.dims else values[None, :]
        columns[name] = values.astype(np.float32) if for_csv and values.dtype.kind == "f" else values
    block = max(1, _ROWS // max(1, times))
    found_here = {"time": "h", "session_dose_mg": "mg", **found}
    for first in range(0, people, block):
        rows = slice(first, min(first + block, people))
        n = rows.stop - rows.start
        fields, arrays = [], []
        for name, values in columns.items():
            part = values if len(values) == 1 else values[rows]
            known = part.dtype.kind == "f" and not np.isnan(part).any()  # quicker than what pyarrow does to find out
            array = pa.array(np.broadcast_to(part, (n, times)).reshape(-1), from_pandas=not known)
            unit = found_here.get(name, "")
            shown = csv_name(name, unit) if for_csv else name
            fields.append(pa.field(shown, array.type, metadata={"units": unit} if unit else None))
            arrays.append(array)
        yield pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def provenance(dataset: xarray.Dataset) -> dict[str, str]:
    """What a table cannot hold, as JSON text for a Parquet file's metadata: the attrs and the sessions."""
    sessions = {
        str(name): {"dims": list(v.dims), "values": v.to_numpy().tolist(), "unit": units(dataset).get(str(name), "")}
        for name, v in dataset.variables.items()
        if set(v.dims) <= {"session"}
    }
    attrs = json.dumps(dict(dataset.attrs), ensure_ascii=False, default=_jsonable)
    return {"regrow.attrs": attrs, "regrow.sessions": json.dumps(sessions, ensure_ascii=False, default=_jsonable)}


def parquet(dataset: xarray.Dataset, stream: BinaryIO) -> None:
    """Writes the Dataset as a Parquet table: one row per person and time; see the module's words on columns."""
    import pyarrow.parquet as pq

    writer = None
    try:
        for table in tables(dataset, for_csv=False):
            if writer is None:
                schema = table.schema.with_metadata(provenance(dataset))
                writer = pq.ParquetWriter(stream, schema, compression="zstd")
            writer.write_table(table.replace_schema_metadata(writer.schema.metadata))
    finally:
        if writer is not None:
            writer.close()


def csv(dataset: xarray.Dataset, stream: BinaryIO) -> None:
    """Writes the Dataset as CSV: a header with units in the names, then one row per person and time."""
    from pyarrow.csv import WriteOptions, write_csv

    for place, table in enumerate(tables(dataset, for_csv=True)):
        write_csv(table, stream, WriteOptions(include_header=place == 0, quoting_header="none"))


# --- the door -------------------------------------------------------------------------------------------------------


def writer(dataset: xarray.Dataset, ending: str) -> Writer:
    """What writes the Dataset into a stream, by the ending of the file: .nc, .parquet or .csv."""
    if ending == ".parquet":
        return lambda stream: parquet(dataset, stream)
    if ending == ".csv":
        return lambda stream: csv(dataset, stream)
    return lambda stream: put(stream, netcdf(dataset))


def put(stream: BinaryIO, content: bytes | memoryview) -> None:
    """Writes the content whole, as `publish` wants it."""
    stream.write(content)


ENDINGS = (".nc", ".parquet", ".csv")


def write(dataset: xarray.Dataset, *paths: str | Path) -> None:
    """Writes the Dataset to each path by its ending, all or none.

    Refuses with OUT-ENDING, OUT-FOLDER, OUT-TWICE, OUT-TABLE.
    """
    places = check_all(paths, ENDINGS)
    publish({place: writer(dataset, place.suffix.lower()) for place in places})
