"""Keep small files of a data set in a folder or in an object store: each is written whole or not at all."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pneumoscope import atomic_files
from pneumoscope.archive import journal, locations, sources
from pneumoscope.archive.errors import ArchiveError, MissingSourceError
from pneumoscope.archive.sources import Stored


@dataclass(frozen=True)
class Store:
    """Files below a folder or a prefix of an object store.

    Parameters
    ----------
    root : str
        Path or URL.
    """

    root: str

    @property
    def folder(self) -> Path | None:
        """The folder on this machine's file system; None for an object store."""
        return locations.local_path(self.root)

    def location(self, name: str) -> str:
        """Name the place of a file.

        Parameters
        ----------
        name : str
            Its name in the store, with forward slashes.

        Returns
        -------
        str
            Path or URL.
        """
        return f"{self.root.rstrip('/')}/{name}"

    def only_writer(self) -> AbstractContextManager[None]:
        """Hold the lock of a folder. An object store needs none: a put that creates a file fails where another was first.

        Returns
        -------
        context manager
            The lock.

        Raises
        ------
        FolderInUseError
            Another process holds the lock.
        """
        return journal.only_writer(self.folder) if self.folder else nullcontext()

    def read(self, name: str) -> bytes | None:
        """Read a file.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        bytes or None
            Its content; None where there is none of this name.

        Raises
        ------
        SourceError
            The store did not answer, or refuses access.
        """
        location = self.location(name)
        if self.folder:
            path = self.folder / name
            return path.read_bytes() if path.is_file() else None
        try:
            with sources.failures(location), sources.opened(location) as stream:
                return stream.read()
        except MissingSourceError:
            return None

    def exists(self, name: str) -> bool:
        """Tell whether there is a file.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        bool
            Whether there is one of this name.

        Raises
        ------
        ArchiveError
            There is a folder of this name, the store did not answer, or it refuses access.
        """
        if self.folder and (self.folder / name).is_dir():
            raise ArchiveError(f"'{self.folder / name}' is a folder where a file must lie; remove it, and run the command again")
        try:
            sources.stored(self.location(name))
        except MissingSourceError:
            return False
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of an earlier one.

        Parameters
        ----------
        name : str
            Its name.
        content : bytes
            Its content.

        Raises
        ------
        SourceError, OSError
            It cannot be written.
        """
        if self.folder:
            with atomic_files.binary(self.folder / name) as stream:
                stream.write(content)
            return
        with sources.place_of_results(self.location(name)):
            fs, path = sources.file_system(self.location(name))
            fs.pipe_file(path, content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one of this name; an object store decides this itself, by a conditional put.

        Parameters
        ----------
        name : str
            Its name.
        content : bytes
            Its content.

        Returns
        -------
        bool
            Whether it was written; False where there is one, which is left as it is.

        Raises
        ------
        SourceError, OSError
            It cannot be written.
        """
        if self.folder:
            if self.exists(name):
                return False
            self.replace(name, content)
            return True
        with sources.place_of_results(self.location(name)):
            fs, path = sources.file_system(self.location(name))
            try:
                fs.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> None:
        """Remove a file; it need not exist.

        Parameters
        ----------
        name : str
            Its name.

        Raises
        ------
        SourceError, OSError
            It cannot be removed.
        """
        if self.folder:
            (self.folder / name).unlink(missing_ok=True)
            return
        with sources.failures(self.location(name)):
            fs, path = sources.file_system(self.location(name))
            if fs.exists(path):
                fs.rm_file(path)

    def files(self, prefix: str) -> Iterator[tuple[str, Stored]]:
        """List the files below a folder of the store.

        Parameters
        ----------
        prefix : str
            The folder's name.

        Yields
        ------
        tuple of str and Stored
            Name in the store, and what its file system says of it; files that are being written are left out.

        Raises
        ------
        ArchiveError
            There is no such bucket.
        SourceError
            The store did not answer, or refuses access.
        """
        if self.folder:
            yield from self._files_in_folder(self.folder / prefix)
            return
        with sources.place_of_results(self.location(prefix)):
            for name, stored in sources.objects_below(self.location(prefix)):
                yield f"{prefix}/{name}", stored

    def _files_in_folder(self, folder: Path) -> Iterator[tuple[str, Stored]]:
        assert self.folder
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".part":
                yield path.relative_to(self.folder).as_posix(), sources.stored(str(path))
