"""Keep the files of an archive in the order of their names, each once, in a temporary database on the disk."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec

from pneumoscope import PneumoscopeError
from pneumoscope.archive import dicomdirs, locations
from pneumoscope.archive.containers import REPEATED
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.earlier_archives import CUT, MOST_NOTED, LeftOut, key_of
from pneumoscope.archive.entries import UNREAD, Entry
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.sources import Source

_LISTED = 3
"""Files that a note names."""


class SortedEntries:
    """The radiographs of several sources. Close it to remove the database."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file
        self._database.execute("PRAGMA journal_mode=OFF")
        columns = "name BLOB PRIMARY KEY, place TEXT, folded TEXT, row BLOB, answered INTEGER"
        self._database.execute(f"CREATE TABLE files ({columns}) WITHOUT ROWID")
        self.count = 0
        self.unanswered = 0
        self._first_unanswered: list[Entry] = []
        self._noted: dict[str, Counter[str]] = {}
        self._all_noted = True
        self._unread: set[str] = set()

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def add(self, entries: Iterable[Entry], left_out: Counter[str], notes: list[str]) -> None:
        """Add the files of one source.

        Parameters
        ----------
        entries : iterable of Entry
            The files.
        left_out : Counter
            Gets the number of files that are no radiographs, by kind.
        notes : list of str
            Gets what a user should know.

        Raises
        ------
        ArchiveError
            Two files would have one name.
        """
        directories = []
        for entry in entries:
            if entry.note:
                notes.append(entry.note)
            kind = entry.kind
            if not kind and not self._insert(entry) and entry.source.member:
                kind = REPEATED
            if kind:
                left_out[kind] += 1
                self._note(entry.source, kind)
            if kind in UNREAD:
                self._unread.add(entry.name)
            if entry.kind == dicomdirs.NAME:
                directories.append(entry)
        for directory in directories:
            notes += self._compare(directory)

    def _note(self, source: Source, kind: str) -> None:
        """Note a member of an archive that is left out, or an archive with a damaged end, for the next update of the manifest."""
        key, of_archive = key_of(source), bool(source.member) or kind == CUT
        if of_archive and (key in self._noted or len(self._noted) < MOST_NOTED):
            self._noted.setdefault(key, Counter())[kind] += 1
        self._all_noted = self._all_noted and (not of_archive or key in self._noted)

    @property
    def left_out_of_archives(self) -> LeftOut:
        """What was left out of each archive."""
        return LeftOut(self._noted, self._all_noted)

    @property
    def unanswered_note(self) -> str:
        """Which files of tables no store answered for, in one sentence; empty where each did."""
        if not self._first_unanswered:
            return ""
        named = ", ".join(f"'{entry.name}'" for entry in self._first_unanswered)
        more = ", …" if self.unanswered > _LISTED else ""
        return (
            f"{self.unanswered} URL(s) gave no size and version; what an earlier manifest says of them is kept: "
            f"{named}{more} ({self._first_unanswered[0].unanswered})"
        )

    def in_unread(self, name: str) -> str:
        """Find the folder or archive that a file of an earlier manifest lies in and that could not be read this time.

        Parameters
        ----------
        name : str
            Name of the file.

        Returns
        -------
        str
            Name of the folder or archive; empty where all that it may lie in were read.
        """
        parts = name.split("/")
        places = (".", *("/".join(parts[:k]) for k in range(1, len(parts) + 1)))
        return next((place for place in places if place in self._unread), "")

    def _insert(self, entry: Entry) -> bool:
        """Whether the file is new; a file that two sources hold is kept once, and of members of one name in a TAR the last."""
        place = f"{entry.source.location}\0{entry.source.member}"
        row = msgspec.json.encode(Row(entry.name, entry.source, entry.modified))
        name = entry.name.encode()
        try:
            record = name, place, entry.name.casefold(), row, not entry.unanswered
            self._database.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)", record)
        except sqlite3.IntegrityError:
            (earlier,) = self._database.execute("SELECT place FROM files WHERE name = ?", (name,)).fetchone()
            if earlier != place:
                first, second = (_shown(one) for one in (earlier, place))
                raise ArchiveError(
                    f"two files would both be called '{entry.name}', '{first}' and '{second}'; rename one, give them different "
                    "names in a table of URLs, or build a manifest of each source"
                ) from None
            if entry.source.offset is not None:
                self._database.execute("UPDATE files SET row = ? WHERE name = ?", (row, name))
            return False
        self.count += 1
        if entry.unanswered:
            self.unanswered += 1
            self._first_unanswered += [entry] if self.unanswered <= _LISTED else []
        return True

    def _compare(self, directory: Entry) -> Iterator[str]:
        """Compare a DICOMDIR with the files of its medium; files that it lists and that are missing become rows, too."""
        try:
            images = dicomdirs.images_of(content_of(directory.source))
        except (PneumoscopeError, OSError) as error:
            yield f"'{directory.name}': {error}"
            return
        self._database.execute("CREATE INDEX IF NOT EXISTS by_folded ON files (folded)")
        folder = directory.name[: -len(dicomdirs.NAME)]
        on_medium = self._count_below(folder)
        missing = [image for image in dict.fromkeys(images) if not self._has(folder + image)]
        for image in missing:
            self._insert(Entry(folder + image, _beside(directory.source, image)))
        if missing:
            named = ", ".join(missing[:_LISTED]) + (", …" if len(missing) > _LISTED else "")
            yield f"'{directory.name}' lists {len(missing)} image(s) that are missing: {named}"
        unlisted = on_medium - (len(set(images)) - len(missing))
        if unlisted > 0:
            yield f"'{directory.name}' does not list {unlisted} radiograph(s) of its folder; they are read all the same"

    def _has(self, name: str) -> bool:
        """Whether there is a file of this name, in letters of any case, as media of ISO 9660 and their copies have it."""
        query = "SELECT 1 FROM files WHERE folded IN (?, ?)"
        return self._database.execute(query, (name.casefold(), f"{name.casefold()};1")).fetchone() is not None

    def _count_below(self, folder: str) -> int:
        first, last = folder.encode(), folder.encode() + b"\xff"
        (count,) = self._database.execute("SELECT COUNT(*) FROM files WHERE name BETWEEN ? AND ?", (first, last)).fetchone()
        return int(count)

    def rows(self) -> Iterator[tuple[Row, bool]]:
        """Read the files in the order of their names.

        Yields
        ------
        tuple of Row and bool
            The row of a manifest, and whether its store said what was asked.
        """
        for row, answered in self._database.execute("SELECT row, answered FROM files ORDER BY name"):
            yield msgspec.json.decode(row, type=Row), bool(answered)


def _shown(place: str) -> str:
    location, _, member = place.partition("\0")
    return "/".join(filter(None, (locations.shown(location), member)))


def _beside(directory: Source, image: str) -> Source:
    """Where a file of a DICOMDIR should lie."""
    if directory.member:
        return Source(directory.location, directory.member[: -len(dicomdirs.NAME)] + image, etag=directory.etag)
    return replace(Source(""), location=directory.location[: -len(dicomdirs.NAME)] + image)
