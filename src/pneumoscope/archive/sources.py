"""Open a file wherever it lies: on a disk, in an object store, on a web server, or inside a ZIP or TAR archive.

Everything is bounded as files on a disk are: at most `MAX_FILE_BYTES`, a limit of time, retries by the client library. Messages
name no user, password or signature of a URL.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from pneumoscope import PneumoscopeError
from pneumoscope.archive import http_files
from pneumoscope.archive.errors import (
    ArchiveError,
    ChangedSourceError,
    CredentialsError,
    MissingSourceError,
    RefusedSourceError,
    SourceError,
    UnavailableSourceError,
)
from pneumoscope.archive.locations import local_path, shown
from pneumoscope.radiograph.errors import TooLargeError, UnreadableFileError
from pneumoscope.radiograph.files import content_of
from pneumoscope.radiograph.limits import MAX_FILE_BYTES

_CONNECT_S, _READ_S, _ATTEMPTS = 10, 60, 6
_BLOCK = 2**20
_CLOCK_CODES = ("RequestTimeTooSkewed", "RequestExpired")
_CREDENTIAL_CODES = (
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "InvalidSecurity", "SignatureDoesNotMatch", "TokenRefreshRequired",
)  # fmt: skip
_S3_OPTIONS = {
    "use_listings_cache": False,  # it grows with the store, and a listing would not show what was written since
    "config_kwargs": {
        "connect_timeout": _CONNECT_S,
        "read_timeout": _READ_S,
        "retries": {"mode": "standard", "max_attempts": _ATTEMPTS},
    },
}


@dataclass(frozen=True)
class Source:
    """Where a file lies, and what is known of it.

    Parameters
    ----------
    location : str
        Absolute path, or URL of a file system that fsspec knows (``s3://``, ``https://``, …).
    member : str
        Name of the file inside the archive at `location`; empty where `location` is the file itself.
    offset : int, optional
        Position of the content of a member in its TAR archive, in bytes.
    size : int, optional
        Size of the file in bytes; None where it is unknown.
    etag : str
        Version of the file at `location` (`Stored.etag`); empty where it is unknown.
    sha256 : str
        SHA-256 of the content, hexadecimal; empty where it is unknown.
    """

    location: str
    member: str = ""
    offset: int | None = None
    size: int | None = None
    etag: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Stored:
    """What a file system says of a file.

    Parameters
    ----------
    size : int, optional
        Size in bytes; None where the file system does not say.
    etag : str
        Changes when the content does: the ETag of an object or of a web page; of a file on a disk its size and the time of its
        last change. Empty where the file system says nothing of the kind.
    modified : float, optional
        Time of the last change, seconds since 1970.
    """

    size: int | None
    etag: str
    modified: float | None


def file_system(location: str) -> tuple[Any, str]:
    """Choose the file system of a location.

    Parameters
    ----------
    location : str
        Path or URL.

    Returns
    -------
    fs : fsspec.AbstractFileSystem
        The file system, with retries and limits of time.
    path : str
        The location's path in it.

    Raises
    ------
    SourceError
        There is no such file system, or its package is not installed.
    """
    path = local_path(location)
    if path is not None:
        return fsspec.filesystem("file"), str(path)
    scheme = location.partition("://")[0]
    try:
        chosen: tuple[Any, str] = fsspec.core.url_to_fs(location, **(_S3_OPTIONS if scheme in ("s3", "s3a") else {}))
    except ImportError as error:
        raise SourceError(f"'{scheme}://' needs a package that is not installed: pip install {_package(scheme)}") from error
    except ValueError as error:
        raise SourceError(
            f"'{scheme}://' is no file system that is known here; use a path, s3://, https:// or another"
        ) from error
    return chosen


def _package(scheme: str) -> str:
    return {"gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}.get(scheme, "s3fs")


def stored(location: str, *, patient: bool = True) -> Stored:
    """Ask the file system for size and version of a file.

    Parameters
    ----------
    location : str
        Path or URL.
    patient : bool
        Ask a web server again that does not answer.

    Returns
    -------
    Stored
        Size, version and time of the last change.

    Raises
    ------
    SourceError
        Of a named class: the file is missing, may not be opened, or its store did not answer.
    """
    path = local_path(location)
    if path is not None:
        return _stored_on_disk(path)
    with failures(location):
        if http_files.serves(location):
            answer = http_files.head(location, patient=patient)
            return Stored(answer.size, answer.etag, answer.modified)
        fs, name = file_system(location)
        return stored_of(fs.info(name))


def _stored_on_disk(path: Path) -> Stored:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise MissingSourceError("the file is not there; restore it, or build the manifest again with --update") from error
    return Stored(status.st_size, f"{status.st_size:x}-{status.st_mtime_ns:x}", status.st_mtime_ns / 1e9)


def stored_of(details: dict[str, Any]) -> Stored:
    """Read size and version from what a file system of fsspec says of a file.

    Parameters
    ----------
    details : dict
        As `fsspec.AbstractFileSystem.info` returns them.

    Returns
    -------
    Stored
        Size, version and time of the last change.
    """
    etag = details.get("ETag") or details.get("etag") or details.get("md5Hash") or ""
    modified = details.get("LastModified") or details.get("updated") or details.get("mtime")
    seconds = modified.timestamp() if isinstance(modified, datetime) else modified
    return Stored(details.get("size"), str(etag).strip('"'), seconds if isinstance(seconds, int | float) else None)


@contextmanager
def place_of_results(location: str) -> Iterator[None]:
    """Turn what a file system raises of the place of results into one sentence.

    Parameters
    ----------
    location : str
        Path or URL of a file that is written, or of the folder that is listed.

    Raises
    ------
    ArchiveError
        There is no such bucket.
    SourceError
        As `failures`.
    """
    try:
        with failures(location):
            yield
    except MissingSourceError as error:
        raise ArchiveError(
            f"nothing can be written at '{shown(location)}', because there is no such bucket; make it, or choose another place"
        ) from error


@contextmanager
def failures(location: str) -> Iterator[None]:
    """Turn what a file system raises into one sentence without secrets.

    Parameters
    ----------
    location : str
        Path or URL.

    Raises
    ------
    SourceError
        Of a named class.
    """
    try:
        yield
    except PneumoscopeError:
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        raise MissingSourceError("the file is not there; restore it, or build the manifest again with --update") from error
    except PermissionError as error:
        _require_credentials(error)
        raise RefusedSourceError("the store refuses access to the file; check its permissions and your credentials") from error
    except Exception as error:  # each client library has classes of its own, and their texts quote signed URLs
        if local_path(location) is not None:
            reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
            raise UnavailableSourceError(f"the file could not be read ({reason}); check its disk") from error
        if type(error).__name__ == "FileExpired":  # s3fs: the version that was opened is no longer there
            raise ChangedSourceError("the file was changed while it was read; build the manifest again with --update") from error
        _require_credentials(error)
        raise UnavailableSourceError(
            f"the store of the file did not answer after {_ATTEMPTS} tries ({type(error).__name__}); check the connection"
        ) from error


def whole(source: Source) -> bytes:
    """Read a file that is no member of an archive.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    bytes
        Its content, at most `MAX_FILE_BYTES` bytes.

    Raises
    ------
    ChangedSourceError
        Its version differs from the manifest's.
    SourceError
        Of another named class: it is missing, refused, or its store did not answer.
    RadiographError
        It is larger than any radiograph, or no regular file.
    """
    path = local_path(source.location)
    if path is not None:
        return _from_disk(path, source)
    with failures(source.location):
        if http_files.serves(source.location):
            return http_files.whole(source.location, source.etag, MAX_FILE_BYTES)
        with opened(source.location, source.etag) as stream:
            return bounded(stream)


def _from_disk(path: Path, source: Source) -> bytes:
    try:
        read = content_of(path)
    except FileNotFoundError as error:
        raise MissingSourceError("the file is not there; restore it, or build the manifest again with --update") from error
    check_etag(source.etag, _stored_on_disk(path).etag)  # after reading, so that a change while it was read is noticed
    return read


def check_etag(expected: str, found: str) -> None:
    """Make sure that a file has the version that a manifest states.

    Parameters
    ----------
    expected : str
        The manifest's; empty if it states none.
    found : str
        The file system's.

    Raises
    ------
    ChangedSourceError
        They differ.
    """
    if expected and expected != found:
        raise ChangedSourceError("the file was changed after the manifest was built; build the manifest again with --update")


@contextmanager
def opened(location: str, etag: str = "") -> Iterator[BinaryIO]:
    """Open a file of any file system for reading at any position.

    Parameters
    ----------
    location : str
        Path or URL.
    etag : str
        The version that is wanted; empty for any.

    Yields
    ------
    BinaryIO
        A stream that can seek.

    Raises
    ------
    ChangedSourceError
        The file has another version.
    SourceError
        As `stored`.
    """
    path = local_path(location)
    if path is not None:
        check_etag(etag, _stored_on_disk(path).etag)
        if not path.is_file():
            raise UnreadableFileError("the path is no regular file but a folder, pipe, device or socket; give a file")
        with path.open("rb") as local:
            yield local
    else:
        with open_remote(location, etag) as stream:
            yield stream


def open_remote(location: str, etag: str = "") -> BinaryIO:
    """Open a file elsewhere for reading at any position.

    Parameters
    ----------
    location : str
        URL.
    etag : str
        The version that is wanted; empty for any.

    Returns
    -------
    BinaryIO
        A stream that can seek.

    Raises
    ------
    ChangedSourceError
        The file has another version.
    """
    if http_files.serves(location):
        return cast(BinaryIO, http_files.open_ranges(location, etag))
    fs, name = file_system(location)
    try:
        stream = fs.open(name, "rb", block_size=_BLOCK)
    except OSError:
        fs.cat_file(name, start=0, end=1)  # the answer to a HEAD request has no body, and so no reason
        raise
    # Of the stream, whose reads ask for this version: the object may be replaced at any time.
    details = getattr(stream, "details", None) or fs.info(name)
    try:
        check_etag(etag, stored_of(details).etag)
    except ChangedSourceError:
        stream.close()
        raise
    return cast(BinaryIO, stream)


def _require_credentials(error: Exception) -> None:
    """Raise a `CredentialsError` for what concerns every request to a store; the codes are those of Amazon S3."""
    code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code", "")
    name = type(error).__name__
    local = type(error).__module__.startswith("botocore") and ("Credential" in name or "Token" in name)
    if code in _CLOCK_CODES:
        raise CredentialsError("the store refuses the time of a request; set the clock of this machine and run again") from error
    if local or code in _CREDENTIAL_CODES:
        raise CredentialsError(
            f"the store does not accept the credentials ({code or name}); renew them on every machine and run again"
        ) from error


def objects_below(location: str) -> Iterator[tuple[str, Stored]]:
    """List the files below a prefix of a store, in flat memory where the store gives pages.

    Parameters
    ----------
    location : str
        URL.

    Yields
    ------
    tuple of str and Stored
        Name below the prefix, with forward slashes, and what the store says of the file.

    Raises
    ------
    SourceError
        The store did not answer, or refuses access.
    """
    with failures(location):
        fs, root = file_system(location)
        start = len(root.rstrip("/")) + 1
        pages = _pages_of_s3(fs, root) if location.startswith(("s3://", "s3a://")) else _files_of(fs, root)
        for path, details in pages:
            yield path[start:], stored_of(details)


def _pages_of_s3(fs: Any, root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    bucket, key, _ = fs.split_path(root)
    asked = {"Bucket": bucket, "Prefix": f"{key.rstrip('/')}/" if key else ""}
    while True:
        page = fs.call_s3("list_objects_v2", **asked)
        for one in page.get("Contents", ()):
            if not one["Key"].endswith("/"):  # a folder that some programs create
                yield f"{bucket}/{one['Key']}", one | {"size": one["Size"]}
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _files_of(fs: Any, root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    fs.invalidate_cache()
    for folder, _, files in fs.walk(root, detail=True):
        for name, details in files.items():
            yield f"{folder}/{name}", details


def bounded(stream: BinaryIO | io.BufferedIOBase) -> bytes:
    """Read a stream to its end.

    Parameters
    ----------
    stream : binary stream
        The stream.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    TooLargeError
        It has more than `MAX_FILE_BYTES` bytes.
    """
    read = stream.read(MAX_FILE_BYTES + 1)
    if len(read) > MAX_FILE_BYTES:
        raise TooLargeError(f"the file has more than {MAX_FILE_BYTES:,} bytes, more than any radiograph; it was not read")
    return bytes(read)
