"""Read the content of a file of a manifest, wherever it lies, and make sure that it is the file that is meant."""

import hashlib

from pneumoscope.archive import containers
from pneumoscope.archive.errors import ChangedSourceError
from pneumoscope.archive.sources import Source, whole
from pneumoscope.radiograph.errors import TooLargeError
from pneumoscope.radiograph.limits import MAX_FILE_BYTES


def content_of(source: Source) -> bytes:
    """Read a file whole, and make sure that it is the one that the manifest describes.

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
        Its version, size or hash differs from the manifest's.
    SourceError
        Of another named class: it is missing, refused, or its store did not answer.
    RadiographError
        It is larger than any radiograph, or no regular file.
    """
    if source.size is not None and source.size > MAX_FILE_BYTES:
        raise TooLargeError(f"the file has {source.size:,} bytes, more than any radiograph; it was not read")
    read = containers.content(source) if source.member else whole(source)
    if source.size is not None and len(read) != source.size:
        raise ChangedSourceError(
            f"the file has {len(read):,} bytes, not {source.size:,} as in the manifest; correct the table of URLs if it states "
            "that size, and update the manifest"
        )
    if source.sha256 and hashlib.sha256(read).hexdigest() != source.sha256:
        raise ChangedSourceError(f"the content of the file has another SHA-256 than in the manifest; {_way_out(source)}")
    return read


def _way_out(source: Source) -> str:
    """What helps where the hash differs; with a version it was the same until now, so that an update would keep the row."""
    if source.etag:
        return (
            "its version (size and time, or ETag) is the same, so that an update does not notice it: restore the file; or touch "
            "it, and update the manifest with --hash; or build another manifest without --update"
        )
    return "restore the file; or correct the hash in the table of URLs, and update the manifest"
