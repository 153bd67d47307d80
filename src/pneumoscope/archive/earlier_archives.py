"""Know the members of ZIP and TAR archives from an earlier manifest, so that those that did not change are not opened again."""

import base64
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from pneumoscope.archive import dicomdirs, manifest_table
from pneumoscope.archive.containers import REPEATED
from pneumoscope.archive.manifest_table import ManifestTable
from pneumoscope.archive.sources import Source

MOST_NOTED = 100_000
"""Archives of which a manifest notes what was left out; its footer grows with them."""
CUT = "archive that could not be read to the end"
"""Kind of an archive of which some members were listed, and others may be missing."""
_LISTED_AGAIN = {dicomdirs.NAME, REPEATED, CUT}
"""Kinds for which an archive is listed again: their members are compared with others, or they are named again."""


@dataclass(frozen=True)
class LeftOut:
    """What was left out of archives, as a manifest notes it for its next update.

    Parameters
    ----------
    kinds : mapping of str to mapping
        Number of members by kind, by the location and version of the archive (`key_of`), where any were left out; `CUT` counts
        the archive.
    whole : bool
        Whether every archive with members that were left out is in it.
    """

    kinds: Mapping[str, Mapping[str, int]]
    whole: bool = True


def key_of(archive: Source) -> str:
    """Name a version of an archive.

    Parameters
    ----------
    archive : Source
        The archive, or a member of it.

    Returns
    -------
    str
        Its version and location.
    """
    return f"{archive.etag} {archive.location}"


class EarlierArchives:
    """The members of archives in a manifest, in a temporary database on the disk. Close it to remove the database.

    Parameters
    ----------
    table : ManifestTable, optional
        The earlier manifest; None where there is none.
    """

    def __init__(self, table: ManifestTable | None) -> None:
        self._table = table
        self._left_out = decoded(manifest_table.noted_archives(table.location)) if table else LeftOut({}, whole=False)

    def close(self) -> None:
        """Remove the database."""
        if "_database" in self.__dict__:
            self._database.close()

    @cached_property
    def _database(self) -> sqlite3.Connection:
        """Filled for the first archive: most manifests have none."""
        database = sqlite3.connect("")  # a temporary file
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("CREATE TABLE members (archive TEXT, member BLOB)")
        members = (row.source for row in self._table.rows() if row.source.member) if self._table else ()
        rows = ((key_of(member), msgspec.json.encode(member)) for member in members)
        database.executemany("INSERT INTO members VALUES (?, ?)", rows)
        database.execute("CREATE INDEX by_archive ON members (archive)")
        return database

    def members(self, archive: Source) -> list[tuple[Source, str]]:
        """List the members of an archive as they were.

        Parameters
        ----------
        archive : Source
            The archive, with its version.

        Returns
        -------
        list of tuple of Source and str
            Each radiograph, and each member that was left out with its kind, which stands for its name as well. Empty where the
            archive must be listed: its version is new or unknown, its members are compared with others, or
            its end could not be read.
        """
        left_out = self._left_out.kinds.get(key_of(archive), {})
        if not self._table or not archive.etag or left_out.keys() & _LISTED_AGAIN or not (left_out or self._left_out.whole):
            return []
        found = self._database.execute("SELECT member FROM members WHERE archive = ?", (key_of(archive),)).fetchall()
        others = [(replace(archive, member=kind), kind) for kind, count in left_out.items() for _ in range(count)]
        return [*((msgspec.json.decode(member, type=Source), "") for (member,) in found), *others] if found else []


def encoded(left_out: LeftOut) -> str:
    """Write what was left out of archives as text.

    Parameters
    ----------
    left_out : LeftOut
        Counts.

    Returns
    -------
    str
        Compressed JSON, base 64.
    """
    return base64.b64encode(zlib.compress(msgspec.json.encode(left_out))).decode()


def decoded(text: bytes) -> LeftOut:
    """Read what was left out of archives.

    Parameters
    ----------
    text : bytes
        As `encoded`; empty where nothing is noted.

    Returns
    -------
    LeftOut
        Counts; of a text that is empty or damaged those of no archive, so that all are listed again.
    """
    try:
        return msgspec.json.decode(zlib.decompress(base64.b64decode(text)), type=LeftOut)
    except (ValueError, zlib.error):
        return LeftOut({}, whole=False)
