"""Read columns of a file of results; what is wrong with the file is one sentence that names it and says what to do."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pneumoscope.archive import locations, parquet_streams, result_table, sources
from pneumoscope.archive.errors import ArchiveError, DamagedResultsError, SourceError
from pneumoscope.archive.store import Store

READ_AGAIN = "remove it, and run  pneumoscope archive read  again"
_DAMAGE = (pa.ArrowException, ValueError, KeyError, OverflowError)
"""What damaged bytes raise, besides errors of a file system that have no number."""


def read(store: Store, name: str, columns: Sequence[str]) -> pa.Table:
    """Read columns of the results of a shard.

    Parameters
    ----------
    store : Store
        The data set.
    name : str
        Name of the file in the data set.
    columns : sequence of str
        Names of the columns (`result_table.COLUMNS`).

    Returns
    -------
    pyarrow.Table
        The columns in this order.

    Raises
    ------
    DamagedResultsError
        The file is damaged, or has no such columns of these types.
    ArchiveError
        It cannot be read from its store.
    """
    location = store.location(name)
    try:
        with sources.failures(location), sources.opened(location) as stream:
            try:
                file = pq.ParquetFile(parquet_streams.of_stream(stream), page_checksum_verification=True)
                _require(store, name, file.schema_arrow, columns)
                table = file.read([*columns], use_threads=False).select([*columns])
                table.validate(full=True)
            except _DAMAGE as error:
                raise damaged(store, name, "is damaged") from error
            except OSError as error:
                if error.errno is not None:
                    raise
                raise damaged(store, name, "is damaged") from error
    except SourceError as error:
        raise ArchiveError(f"the results '{locations.shown(location)}' cannot be read: {error}") from error
    return table


def _require(store: Store, name: str, schema: pa.Schema, columns: Sequence[str]) -> None:
    for column in columns:
        found = schema.get_all_field_indices(column)
        if len(found) != 1 or schema.field(found[0]).type != result_table.SCHEMA.field(column).type:
            raise damaged(
                store, name, f"is no file of results of this version (its column {column} is missing or of another type)"
            )


def damaged(store: Store, name: str, what: str) -> DamagedResultsError:
    """Make the error of a file of results.

    Parameters
    ----------
    store : Store
        The data set.
    name : str
        Name of the file in the data set.
    what : str
        What is wrong with it.

    Returns
    -------
    DamagedResultsError
        The error.
    """
    every = f"pneumoscope archive verify {locations.shown(store.root)}"
    return DamagedResultsError(f"'{locations.shown(store.location(name))}' {what}; {READ_AGAIN} (every such file:  {every})")
