"""Read a table that lists files by URL: CSV or Parquet with a column ``url``."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from pneumoscope.archive import locations, parquet_streams, sources
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.sources import Source

_URL_COLUMNS = ("url", "location", "path")
_DIGITS = frozenset("0123456789abcdef")


def is_table(location: str) -> bool:
    """Tell by its name whether a source is a table.

    Parameters
    ----------
    location : str
        Path or URL.

    Returns
    -------
    bool
        Whether it ends in ``.csv`` or ``.parquet``.
    """
    return locations.shown(location).lower().endswith((".csv", ".parquet"))


def rows_of(location: str) -> Iterator[tuple[str, Source]]:
    """Read the files that a table lists.

    Parameters
    ----------
    location : str
        Path or URL of the table. It has a column ``url`` (or ``location`` or ``path``) and may have ``name``, ``size``,
        ``sha256``, ``etag`` and ``member`` (of a ZIP archive); other columns are ignored. Relative paths start from the folder
        of the table.

    Yields
    ------
    tuple of str and Source
        Name and place of each file; the name is host and path of the URL unless the table gives one.

    Raises
    ------
    ArchiveError
        There is no column of URLs, or a cell has no meaning.
    SourceError
        The table cannot be read.
    """
    with sources.failures(location), sources.opened(location) as stream:
        is_csv = locations.shown(location).lower().endswith(".csv")
        records = csv.DictReader(io.TextIOWrapper(stream, "utf-8-sig", newline="")) if is_csv else _parquet(stream)
        try:
            for number, record in enumerate(records, 2 if is_csv else 1):
                yield _row(record, location, number)
        except (csv.Error, UnicodeDecodeError, pa.ArrowException) as error:
            raise ArchiveError(f"'{locations.shown(location)}' is no CSV (UTF-8) or Parquet table") from error


def _parquet(stream: Any) -> Iterator[Mapping[str, Any]]:
    for batch in pq.ParquetFile(parquet_streams.of_stream(stream)).iter_batches(4096):
        yield from batch.to_pylist()


def _row(record: Mapping[str, Any], location: str, number: int) -> tuple[str, Source]:
    column = next((name for name in _URL_COLUMNS if name in record), None)
    url = str(record[column] or "").strip() if column else ""
    if not url:
        what = f"row {number} has no URL" if column else "it has no column url"
        raise ArchiveError(f"'{locations.shown(location)}' cannot be read as a table of URLs: {what}")
    place = _absolute(url, location)
    sha256, size = _text(record, "sha256").lower(), _text(record, "size")
    if (sha256 and (len(sha256) != 64 or set(sha256) - _DIGITS)) or (size and not size.isdecimal()):
        raise ArchiveError(f"row {number} of '{locations.shown(location)}' has no valid size or sha256")
    member = _text(record, "member")
    source = Source(place, member, None, int(size) if size else None, _text(record, "etag").strip('"'), sha256)
    return _text(record, "name") or "/".join(filter(None, (name_of(url), member))), source


def _text(record: Mapping[str, Any], column: str) -> str:
    value = record.get(column)
    return "" if value is None else str(value).strip()


def _absolute(url: str, table: str) -> str:
    if locations.is_url(url) or url.startswith("/"):
        return url
    return f"{table.rpartition('/')[0] or '.'}/{url}" if locations.is_url(table) else str(locations.beside(table, url))


def name_of(url: str) -> str:
    """Name a file by its URL, without user, password and query.

    Parameters
    ----------
    url : str
        URL or path.

    Returns
    -------
    str
        Host and path, or the path without its root.
    """
    if not locations.is_url(url):
        return url.lstrip("/")
    parts = urlsplit(locations.shown(url))
    return f"{parts.netloc}{unquote(parts.path)}"
