"""Files that are there whole or not at all: written under a temporary name, then renamed."""

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO


@contextmanager
def binary(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file `path` when the context ends well.

    After an exception (a full disk, an interruption) an earlier file is as it was and no temporary file is left. Missing
    folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def text(path: Path) -> Iterator[TextIO]:
    """The same for UTF-8 text, with line ends as they are written."""
    with binary(path) as stream:
        wrapped = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        yield wrapped
        wrapped.detach()
