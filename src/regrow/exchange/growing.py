"""NetCDF and Parquet files that grow by stretches of people, so that a large population never lies in memory whole.

The one thing to know: a file made here holds the same names, units and provenance as `files.write` gives; the Parquet
table is packed lightly (LZ4 in place of zstd), because packing would take longer than simulating.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.exchange import files

if TYPE_CHECKING:
    import xarray

ENDINGS = (".nc", ".parquet")
_REPEATING = ("time", "session")  # columns of few values, which a dictionary makes small


class Parquet:
    """A Parquet table that takes Datasets of consecutive people; `close` adds the provenance."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None
        # The disk works while people are solved: else all of it waits for the last sync.
        self._disk = ThreadPoolExecutor(1)
        self._synced: Future[None] | None = None

    def add(self, dataset: xarray.Dataset) -> None:
        import pyarrow.parquet as pq

        for table in files.tables(dataset, for_csv=False):
            if self._writer is None:
                repeating = [name for name in table.schema.names if name in _REPEATING]
                light: Any = {
                    "compression": "lz4",
                    "use_dictionary": repeating,
                    "write_statistics": ["person", *repeating],
                }
                self._writer = pq.ParquetWriter(str(self._path), table.schema, **light)
            self._writer.write_table(table)
        if self._synced is None or self._synced.done():
            self._wait()
            self._synced = self._disk.submit(files.sync, self._path)

    def _wait(self) -> None:
        """Until the disk has what it was given. Raises what went wrong there: it is told once, and then forgotten."""
        done, self._synced = self._synced, None
        if done is not None:
            done.result()

    def close(self, dataset: xarray.Dataset) -> None:
        """`dataset` has the attrs and the sessions of the whole run."""
        if self._writer is not None:
            self._writer.add_key_value_metadata(files.provenance(dataset))
            self._writer.close()
            self._writer = None
        self._wait()
        self._disk.shutdown()

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._disk.shutdown()


class Netcdf:
    """A NetCDF-4 file of `people` people that takes Datasets of consecutive people; `close` adds the provenance."""

    def __init__(self, path: Path, people: int) -> None:
        self._path, self._people, self._at = path, people, 0
        self._file: Any = None

    def add(self, dataset: xarray.Dataset) -> None:
        file: Any = self._file or self._begin(dataset)
        stop = self._at + dataset.sizes["person"]
        for name, variable in dataset.variables.items():
            if "person" in variable.dims:
                place = tuple(slice(self._at, stop) if dim == "person" else slice(None) for dim in variable.dims)
                file[str(name)][place] = variable.to_numpy()
        self._at = stop

    def _begin(self, dataset: xarray.Dataset) -> Any:
        import h5netcdf

        sizes = {str(dim): size for dim, size in dataset.sizes.items()} | {"person": self._people}
        wanted = sum(
            int(np.prod([sizes[str(dim)] for dim in v.dims], dtype=np.int64)) * v.dtype.itemsize
            for v in dataset.variables.values()
        )
        # HDF5 itself must not meet a full disk: it crashes the process there
        room = os.statvfs(self._path.parent)
        if wanted * 1.05 > room.f_bavail * room.f_frsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._file = h5netcdf.File(self._path, "w")
        self._file.dimensions = sizes
        units = files.units(dataset)
        for name, variable in dataset.variables.items():
            values = variable.to_numpy()
            text = values.dtype.kind in "OU"
            kind: Any = np.dtype("i1") if values.dtype == bool else values.dtype
            if text:  # HDF5's own name for text of any length
                kind = np.dtype("O", metadata={"vlen": str})
            made = self._file.create_variable(str(name), tuple(map(str, variable.dims)), kind)
            attrs = dict(variable.attrs) | ({"units": units[str(name)]} if str(name) in units else {})
            if values.dtype == bool:
                attrs["dtype"] = "bool"
            for key, value in attrs.items():
                made.attrs[key] = value
            if "person" not in variable.dims:
                made[...] = values.astype(object) if text else values
        return self._file

    def close(self, dataset: xarray.Dataset) -> None:
        """`dataset` has the attrs of the whole run."""
        if self._file is not None:
            for key, value in dataset.attrs.items():
                if value is not None and not (isinstance(value, list) and not value):
                    self._file.attrs[key] = files.plain(value)
            self._file.close()
            self._file = None

    def abandon(self) -> None:
        if self._file is not None:
            self._file.close()


def sink(path: Path, ending: str, people: int) -> Parquet | Netcdf:
    """A file that grows at `path`, of the kind that `ending` names."""
    return Parquet(path) if ending == ".parquet" else Netcdf(path, people)
