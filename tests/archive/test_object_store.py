"""Object stores: a server of S3's API in a process of its own (moto's), as sources and as the place of results."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import s3fs

from pneumoscope import radiograph as radiographs
from pneumoscope.archive import ArchiveError, Options, local_engine, manifest_building, manifest_table, shards, sources
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.errors import ChangedSourceError, MissingSourceError, RefusedSourceError, UnavailableSourceError
from pneumoscope.archive.sources import Source
from pneumoscope.archive.store import Store
from pneumoscope.cli.main import SOME_FILES_FAILED, USER_MISTAKE
from pneumoscope.reader import DEFAULT_BUNDLE, Reader
from tests.archive.conftest import SAMPLE
from tests.archive.test_containers import tarred, zipped
from tests.cli.run import run
from tests.free_port import free_port

pytestmark = pytest.mark.slow  # a server, and a client that takes seconds to start


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("ACCESS_KEY_ID", "x"),
            ("SECRET_ACCESS_KEY", "y"),
            ("DEFAULT_REGION", "us-east-1"),
            ("ENDPOINT_URL", url),
        ):
            patch.setenv(f"AWS_{name}", value)
        s3fs.S3FileSystem.clear_instance_cache()
        _wait_for(url, process)
        yield url
        process.kill()
        process.wait()
        s3fs.S3FileSystem.clear_instance_cache()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=60).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server of objects did not start")


@pytest.fixture
def bucket(server: str, request: pytest.FixtureRequest) -> str:
    """A new bucket with three radiographs, a note and a file that is no image."""
    name = f"b-{abs(hash(request.node.name)):x}"
    fs = s3fs.S3FileSystem()
    fs.mkdir(name)
    for number, file in enumerate(sorted(SAMPLE.rglob("*.jp*g"))[:3]):
        fs.put_file(str(file), f"{name}/in/patient {number}/1.2.{number}")
    fs.pipe_file(f"{name}/in/notes.csv", b"a,b\n")
    fs.pipe_file(f"{name}/in/broken.dcm", b"no image")
    return f"s3://{name}"


def test_read_from_a_bucket_into_a_bucket_and_verify(bucket: str) -> None:
    first = run("read", f"{bucket}/in", "-o", f"{bucket}/out", "--maps")
    assert first.code == SOME_FILES_FAILED
    assert "3 radiographs read, 1 not read" in first.out
    assert "left out: 1 CSV" in first.err
    again = run("read", f"{bucket}/in", "-o", f"{bucket}/out", "--maps")
    assert "4 radiographs of 1 source(s): 0 new, 0 changed, 4 kept, 0 removed" in again.out
    verified = run("archive", "verify", f"{bucket}/out", "--sample", "4")
    assert verified.code == 0, verified.err
    assert verified.out == "4 rows in 1 shard checked, 4 radiographs read again, everything as it was written\n"
    assert "1 of 1 shards, 4 of 4 radiographs" in run("archive", "status", f"{bucket}/out").out
    assert "3 read, " in run("archive", "summary", f"{bucket}/out", "--cost-an-hour", "2").out


def test_results_in_a_bucket_are_those_in_a_folder_and_other_programs_read_them(
    bucket: str, reader: Reader, tmp_path: Path
) -> None:
    manifest_building.build([f"{bucket}/in"], str(tmp_path / "m.parquet"))
    for out in (f"{bucket}/out", str(tmp_path / "out")):
        plan = shards.make_plan(str(tmp_path / "m.parquet"), out, reader, bundle=DEFAULT_BUNDLE)
        for _ in local_engine.read_shards(plan, reader, radiographs.read, 2):
            pass
    (shard,) = shards.open_manifest(plan.manifest).shards
    assert Store(f"{bucket}/out").read(shards.file_of(shard)) == (tmp_path / "out" / shards.file_of(shard)).read_bytes()
    frame = pd.read_parquet(f"{bucket}/out/readings")
    assert len(frame) == 4
    assert frame.probability.count() == 3


def test_an_object_that_was_replaced_is_an_error_row(bucket: str, reader: Reader, tmp_path: Path) -> None:
    manifest_building.build([f"{bucket}/in"], str(tmp_path / "m.parquet"))
    first, *_, last = manifest_table.open_manifest(str(tmp_path / "m.parquet")).rows()
    s3fs.S3FileSystem().pipe_file(last.source.location, b"another image")
    with pytest.raises(ChangedSourceError, match="changed after the manifest was built"):
        content_of(last.source)
    s3fs.S3FileSystem().rm_file(first.source.location)
    with pytest.raises(MissingSourceError, match="is not there"):
        content_of(first.source)
    updated = manifest_building.build([f"{bucket}/in"], str(tmp_path / "m.parquet"), update=True)
    assert (updated.changed, updated.removed, updated.kept) == (1, 1, 2)


def test_an_object_that_is_replaced_while_it_is_read_is_changed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the answer to HEAD and the first GET."""
    (place,) = [f"{bucket}/in/{name}" for name, _ in sources.objects_below(f"{bucket}/in") if name == "broken.dcm"]
    checked = sources.check_etag

    def replaced(expected: str, found: str) -> None:
        checked(expected, found)
        s3fs.S3FileSystem().pipe_file(place, b"no imagE")

    monkeypatch.setattr(sources, "check_etag", replaced)
    with pytest.raises(ChangedSourceError, match="was changed while it was read"):
        content_of(Source(place, size=8, etag=sources.stored(place).etag))


def test_a_put_that_creates_gives_way_to_an_object_that_is_there(bucket: str) -> None:
    store = Store(f"{bucket}/out")
    assert store.create("readings/a", b"first")
    assert not store.create("readings/a", b"second")
    assert store.read("readings/a") == b"first"
    store.remove("readings/a")
    assert store.read("readings/a") is None
    store.remove("readings/a")


def test_members_of_archives_in_a_bucket_are_read_in_parts(bucket: str, tmp_path: Path) -> None:
    content = {"a.dcm": b"first", "b/c.dcm": os.urandom(3_000_000), "z.dcm": b"last"}
    for pack, name in ((zipped, "x.zip"), (tarred, "x.tar")):
        s3fs.S3FileSystem().put_file(str(pack(tmp_path / name, content)), f"{bucket}/archives/{name}")
    manifest_building.build([f"{bucket}/archives"], str(tmp_path / "m.parquet"))
    rows = [*manifest_table.open_manifest(str(tmp_path / "m.parquet")).rows()]
    assert [row.name for row in rows] == [f"x.{kind}/{name}" for kind in ("tar", "zip") for name in content]
    assert [content_of(row.source) for row in rows] == [*content.values()] * 2


def test_more_objects_than_a_page_has_are_listed_in_order(bucket: str) -> None:
    fs = s3fs.S3FileSystem()
    fs.pipe({f"{bucket}/many/{number:04}.dcm": b"" for number in range(1100)})
    names = [name for name, _ in sources.objects_below(f"{bucket}/many")]
    assert names == [f"{number:04}.dcm" for number in range(1100)]


def test_results_of_another_manifest_and_of_other_options_are_refused(bucket: str, reader: Reader, tmp_path: Path) -> None:
    manifest = str(tmp_path / "m.parquet")
    manifest_building.build([f"{bucket}/in"], manifest)
    shards.make_plan(manifest, f"{bucket}/out", reader, bundle=DEFAULT_BUNDLE)
    with pytest.raises(ArchiveError, match="holds results of other options"):
        shards.make_plan(manifest, f"{bucket}/out", reader, Options(maps=True), bundle=DEFAULT_BUNDLE)
    shutil.copy(manifest, tmp_path / "n.parquet")
    with pytest.raises(ArchiveError, match="holds results of another manifest"):
        shards.make_plan(str(tmp_path / "n.parquet"), f"{bucket}/out", reader, bundle=DEFAULT_BUNDLE)


def test_errors_of_a_store_are_one_sentence_without_secrets(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run("read", f"{bucket}/nothing", "-o", f"{bucket}/out")
    assert ran.code == USER_MISTAKE
    assert ran.err.count("\n") == 1
    with pytest.raises((MissingSourceError, RefusedSourceError)):
        content_of(Source("s3://no-such-bucket-here/a.dcm"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(sources, "_S3_OPTIONS", {"config_kwargs": {"retries": {"max_attempts": 0}}})
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(UnavailableSourceError, match="did not answer after"):
        content_of(Source("s3://bucket/a.dcm"))
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_bucket_that_does_not_exist_is_named(bucket: str, tmp_path: Path) -> None:
    from_nowhere = run("archive", "manifest", "s3://no-such-bucket/in", "-o", tmp_path / "m.parquet")
    assert from_nowhere.code == USER_MISTAKE
    assert "nothing lies at 's3://no-such-bucket/in'; check the name of the bucket" in from_nowhere.err, from_nowhere.err
    for arguments in (("read", f"{bucket}/in"), ("archive", "manifest", f"{bucket}/in")):
        into_nowhere = run(*arguments, "-o", "s3://no-such-bucket/out")
        assert into_nowhere.code == USER_MISTAKE
        assert "nothing can be written at 's3://no-such-bucket/out" in into_nowhere.err
        assert "because there is no such bucket; make it, or choose another place" in into_nowhere.err
