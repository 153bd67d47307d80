"""The files of a manifest in little memory: about 60 bytes a file, where objects take a thousand."""

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

_KEY_BYTES = 16
Keys = NDArray[np.bytes_]
"""Hashes of names, in place of the names: two names of one hash do not occur, not even on purpose."""


@dataclass(frozen=True)
class Item:
    """A file to read.

    Parameters
    ----------
    name : str
        Its name in every output: relative, with forward slashes.
    file : Path
        Where it lies.
    """

    name: str
    file: Path


class Items(Sequence[Item]):
    """Files to read in their order; each `Item` is made when it is asked for.

    Parameters
    ----------
    items : iterable of Item
        The files.

    Examples
    --------
    >>> items = Items([Item("a.png", Path("in/a.png")), Item("b.png", Path("in/b.png"))])
    >>> len(items), items[1].name, items.find("b.png"), items.find("c.png")
    (2, 'b.png', 1, None)
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._folders, self._folder_of = _Texts(), array("I")
        self._files = _Texts()
        self._name_bytes = array("I")
        self._other_names: dict[int, str] = {}
        keys, folder = bytearray(), b""
        for at, item in enumerate(items):
            parent, file = os.fsencode(item.file.parent), os.fsencode(item.file.name)
            if not at or parent != folder:
                self._folders.append(folder := parent)
            self._folder_of.append(len(self._folders) - 1)
            self._files.append(file)
            self._add_name(at, item.name, parent + b"/" + file)
            keys += key_of(item.name)
        self.keys = keys_of(keys)

    def _add_name(self, at: int, name: str, path: bytes) -> None:
        """Keep the length of a name that is the end of its path, as most are, and any other name itself."""
        n_bytes = len(name.encode())
        is_end = 0 < n_bytes <= len(path) and path[len(path) - n_bytes :] == name.encode()
        self._name_bytes.append(n_bytes if is_end else 0)
        if not is_end:
            self._other_names[at] = name

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> "Items": ...

    def __getitem__(self, index: int | slice) -> "Item | Items":
        if isinstance(index, slice):
            return Items(self[k] for k in range(len(self))[index])
        at = range(len(self))[index]
        folder, file = self._folders[self._folder_of[at]], self._files[at]
        n_bytes, path = self._name_bytes[at], folder + b"/" + file
        name = path[len(path) - n_bytes :].decode() if n_bytes else self._other_names[at]
        return Item(name, Path(os.fsdecode(folder), os.fsdecode(file)))

    def __iter__(self) -> Iterator[Item]:
        return (self[k] for k in range(len(self)))

    def find(self, name: str) -> int | None:
        """Find the file of a name.

        Parameters
        ----------
        name : str
            Name of a file.

        Returns
        -------
        int or None
            Its index; None if no file has the name.
        """
        key = keys_of(key_of(name))
        place = int(np.searchsorted(self.keys, key, sorter=self.order)[0])
        if place == len(self):
            return None
        at = int(self.order[place])
        return at if self.keys[at] == key[0] else None

    def of_one_name(self) -> Iterator[tuple[int, ...]]:
        """Find names that several files have.

        Yields
        ------
        tuple of int
            Indices of files of one name, ascending.
        """
        ordered = self.keys[self.order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(self) else np.zeros(0, np.intp)
        sizes = np.diff(starts, append=len(self))
        for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
            yield tuple(self.order[start : start + size].tolist())

    @cached_property
    def order(self) -> NDArray[np.integer]:
        """The order in which the keys ascend, indices of shape (n,)."""
        return np.argsort(self.keys, kind="stable").astype(np.uint32 if len(self) < 2**32 else np.uint64)


class _Texts:
    """Byte strings, one after the other."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._ends = array("Q")

    def append(self, text: bytes) -> None:
        self._content += text
        self._ends.append(len(self._content))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> bytes:
        return bytes(self._content[self._ends[at - 1] if at else 0 : self._ends[at]])


def key_of(name: str) -> bytes:
    """Hash a name.

    Parameters
    ----------
    name : str
        Name of a file.

    Returns
    -------
    bytes
        Sixteen bytes, by which names are looked up.
    """
    return hashlib.blake2b(name.encode(), digest_size=_KEY_BYTES).digest()


def keys_of(joined: bytes | bytearray) -> Keys:
    """Split joined keys.

    Parameters
    ----------
    joined : bytes
        Keys by `key_of`, one after the other.

    Returns
    -------
    ndarray of bytes, shape (n,)
        The keys, which can be sorted and compared.
    """
    return np.frombuffer(bytes(joined), f"S{_KEY_BYTES}")
