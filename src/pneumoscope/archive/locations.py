"""Tell paths from URLs, and write both for programs and for people."""

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from pneumoscope.archive.errors import SourceError


def is_url(location: str) -> bool:
    """Tell a URL from a path.

    Parameters
    ----------
    location : str
        Path or URL.

    Returns
    -------
    bool
        Whether it has a scheme, such as ``s3://``.
    """
    scheme, separator, _ = location.partition("://")
    return bool(separator) and scheme.replace("+", "").replace("-", "").isalnum()


def local_path(location: str) -> Path | None:
    """Find the path of a location on this machine's file system.

    Parameters
    ----------
    location : str
        Path or URL.

    Returns
    -------
    Path or None
        The path; None for a location elsewhere.

    Raises
    ------
    SourceError
        A ``file://`` URL names another machine, or a path that is not absolute.
    """
    if location.startswith("file://"):
        parts = urlsplit(location)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise SourceError("a file:// URL must hold an absolute path on this machine: file:///folder/file")
        return Path(os.fsdecode(unquote_to_bytes(parts.path)))
    return None if is_url(location) else Path(location)


def location_of(path: Path) -> str:
    """Write a path as a location that every file system and Parquet can hold.

    Parameters
    ----------
    path : Path
        Path of a file, absolute or relative.

    Returns
    -------
    str
        The absolute path, or a ``file://`` URL where its name is no Unicode.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links
    try:
        str(absolute).encode()
    except UnicodeEncodeError:
        return absolute.as_uri()
    return str(absolute)


def shown(location: str) -> str:
    """Write a location for people: without user, password, query and fragment, which may be secret.

    Parameters
    ----------
    location : str
        Path or URL.

    Returns
    -------
    str
        The rest of it.
    """
    if not is_url(location):
        return location
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def beside(location: str, name: str) -> str:
    """Name a file by its path relative to the folder of another one.

    Parameters
    ----------
    location : str
        Path of the other file.
    name : str
        Relative path.

    Returns
    -------
    str
        Absolute path.
    """
    return location_of((local_path(location) or Path(location)).parent / name)
