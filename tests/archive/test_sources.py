"""Files wherever they lie: what is read, what is refused, and that no message holds a secret."""

import hashlib
import os
from pathlib import Path

import pytest

from pneumoscope.archive import http_files, locations, sources
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.errors import (
    ChangedSourceError,
    MissingSourceError,
    RefusedSourceError,
    SourceError,
    UnavailableSourceError,
)
from pneumoscope.archive.sources import Source
from pneumoscope.radiograph.errors import TooLargeError, UnreadableFileError
from pneumoscope.radiograph.limits import MAX_FILE_BYTES
from tests.archive.web_server import Site, serving


@pytest.fixture
def site():
    with serving(Site({"/a.dcm": b"content"})) as site:
        yield site


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """The waits between tries are urllib3's, and are not what is tested."""
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", lambda *_: None)


def test_a_path_a_file_url_and_a_web_page_give_the_same_bytes(tmp_path: Path, site: Site) -> None:
    file = tmp_path / "a b.dcm"
    file.write_bytes(b"content")
    for location in (str(file), file.as_uri(), f"{site.url}/a.dcm"):
        stored = sources.stored(location)
        assert stored.size == 7
        assert content_of(Source(location, size=7, etag=stored.etag, sha256=hashlib.sha256(b"content").hexdigest())) == b"content"


@pytest.mark.skipif(os.name != "posix", reason="names are Unicode elsewhere")
def test_a_name_that_is_no_unicode_has_a_location_that_is(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"f\xff.dcm")
    file.write_bytes(b"content")
    location = locations.location_of(file)
    location.encode()
    assert content_of(Source(location)) == b"content"


def test_a_file_that_changed_is_refused_by_version_size_and_hash(tmp_path: Path, site: Site) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(b"content")
    for location in (str(file), f"{site.url}/a.dcm"):
        with pytest.raises(ChangedSourceError, match="changed after the manifest was built"):
            content_of(Source(location, etag="other"))
        with pytest.raises(ChangedSourceError, match="has 7 bytes, not 8 as in the manifest"):
            content_of(Source(location, size=8))
        with pytest.raises(ChangedSourceError, match=r"another SHA-256 .*; or correct the hash in the table of URLs, and update"):
            content_of(Source(location, sha256="0" * 64))


def test_transient_failures_of_a_web_server_are_tried_again(site: Site) -> None:
    site.failures = 3
    assert content_of(Source(f"{site.url}/a.dcm")) == b"content"
    assert len(site.asked) == 4
    site.failures = 99
    with pytest.raises(UnavailableSourceError, match=r"did not give the file after 6 tries \(status 503\)"):
        content_of(Source(f"{site.url}/a.dcm"))


def test_a_connection_that_is_lost_within_the_content_is_made_again(site: Site) -> None:
    site.cuts = 2
    assert content_of(Source(f"{site.url}/a.dcm", size=7)) == b"content"
    site.cuts = 99
    with pytest.raises(UnavailableSourceError, match="did not answer after 6 tries"):
        content_of(Source(f"{site.url}/a.dcm", size=7))


def test_what_a_web_server_refuses_has_a_named_error(site: Site) -> None:
    with pytest.raises(MissingSourceError, match="no such file"):
        content_of(Source(f"{site.url}/b.dcm"))
    site.password = "u:secret"
    with pytest.raises(RefusedSourceError, match="status 401"):
        content_of(Source(f"{site.url}/a.dcm"))
    assert content_of(Source(f"{site.url}/a.dcm".replace("://", "://u:secret@"))) == b"content"


def test_no_message_holds_a_password_or_a_signature(site: Site) -> None:
    site.password = "u:secret"
    for location in (
        f"{site.url}/b.dcm".replace("://", "://u:secret@"),
        f"{site.url}/a.dcm?X-Amz-Signature=secret",
        "nope://u:secret@x/y",
    ):
        with pytest.raises(SourceError) as error:
            content_of(Source(location))
        assert "secret" not in str(error.value)
        assert "secret" not in locations.shown(location)


def test_a_server_that_is_away_is_unavailable_and_quotes_no_url() -> None:
    with pytest.raises(UnavailableSourceError, match=r"did not answer after 6 tries \(MaxRetryError\)") as error:
        content_of(Source("http://127.0.0.1:9/a.dcm?sig=secret"))
    assert "secret" not in str(error.value)


def test_size_limits_hold_as_for_files(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLargeError, match="more than any radiograph; it was not read"):
        content_of(Source("/nowhere", size=MAX_FILE_BYTES + 1))
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 5)
    with pytest.raises(TooLargeError, match="more than 5 bytes"):
        content_of(Source(f"{site.url}/a.dcm"))
    with pytest.raises(UnreadableFileError, match="no regular file"):
        content_of(Source(str(tmp_path)))
    with pytest.raises(MissingSourceError, match="is not there"):
        content_of(Source(str(tmp_path / "gone")))


def test_parts_of_a_web_file_are_read_by_ranges(site: Site) -> None:
    site.files["/big"] = bytes(range(256)) * 8192
    with http_files.open_ranges(f"{site.url}/big", "") as stream:
        stream.seek(-300, os.SEEK_END)
        assert stream.read() == site.files["/big"][-300:]
    assert site.asked[-1].startswith("GET /big bytes=20968")
    site.ranges = False
    with http_files.open_ranges(f"{site.url}/big", "") as stream, pytest.raises(RefusedSourceError, match="does not give parts"):
        stream.read(10)


def test_a_file_system_that_is_not_known_is_named() -> None:
    with pytest.raises(
        SourceError, match=r"'nope://' is no file system that is known here; use a path, s3://, https:// or another"
    ):
        sources.stored("nope://bucket/key")
