"""Ask stores for size and version of the files of a table, several at the same time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from urllib.parse import urlsplit

from pneumoscope.archive import sources
from pneumoscope.archive.errors import MissingSourceError, SourceError
from pneumoscope.archive.sources import Source
from pneumoscope.radiograph.errors import RadiographError

_AT_ONCE = 16
_ROWS_AHEAD = 256
_PATIENCE = 3
"""Files in a row that a server does not answer for, after which it is asked once for each, without further tries."""


@dataclass(frozen=True)
class Asked:
    """A file of a table, and what its store says of it.

    Parameters
    ----------
    name : str
        Its name in the manifest.
    source : Source
        Where it lies; with size and version where they are known.
    modified : float, optional
        Time of its last change, seconds since 1970.
    problem : str
        Why its store said nothing, in one sentence; empty where it did, or was not asked.
    """

    name: str
    source: Source
    modified: float | None = None
    problem: str = ""


def completed(rows: Iterable[tuple[str, Source]]) -> Iterator[Asked]:
    """Ask for what a table does not say of its files.

    Parameters
    ----------
    rows : iterable of tuple of str and Source
        Name and place of each file. One with a hash, or with version and size, is not asked for.

    Yields
    ------
    Asked
        Each file, in the order of the table; of one that is missing only what the table says, because reading it will say so.

    Raises
    ------
    CredentialsError
        A store accepts no request.
    """
    remaining, unanswered = iter(rows), Counter[str]()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while ahead := [*islice(remaining, _ROWS_AHEAD)]:
            yield from pool.map(partial(_asked, unanswered), ahead)


def _asked(unanswered: Counter[str], row: tuple[str, Source]) -> Asked:
    name, source = row
    if source.sha256 or (source.etag and source.size is not None):
        return Asked(name, source)
    host = urlsplit(source.location).netloc
    try:
        stored = sources.stored(source.location, patient=unanswered[host] < _PATIENCE)
    except MissingSourceError:
        unanswered[host] = 0
        return Asked(name, source)
    except (SourceError, RadiographError, OSError) as error:
        unanswered[host] += 1
        problem = str(error) if isinstance(error, SourceError | RadiographError) else "the file could not be opened"
        return Asked(name, source, problem=problem)
    unanswered[host] = 0
    size = source.size if source.size is not None or source.member else stored.size
    return Asked(name, replace(source, size=size, etag=source.etag or stored.etag), stored.modified)
