"""What an object store refuses: one object, everything, or whoever asks; a real server of S3 (moto) refuses in its words."""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import s3fs
from botocore.exceptions import ClientError, NoCredentialsError
from moto.server import ThreadedMotoServer
from s3fs.errors import translate_boto_error

from pneumoscope import radiograph as radiographs
from pneumoscope.archive import shards, sources
from pneumoscope.archive.decoding import one_by_one
from pneumoscope.archive.errors import CredentialsError, RefusedSourceError, UnavailableSourceError
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.row_reading import Records, fetch
from pneumoscope.archive.sources import Source
from pneumoscope.reader import Reader
from tests.archive.ray_archives import write_manifest


def failure(code: str) -> OSError:
    """The exception that s3fs makes of an answer of Amazon S3 with this code."""
    return translate_boto_error(ClientError({"Error": {"Code": code, "Message": "key AKIA123 of Doe^Jane"}}, "GetObject"))


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("ExpiredToken", CredentialsError, r"does not accept the credentials \(ExpiredToken\); renew them on every machine"),
        ("InvalidAccessKeyId", CredentialsError, r"does not accept the credentials \(InvalidAccessKeyId\)"),
        ("SignatureDoesNotMatch", CredentialsError, r"does not accept the credentials \(SignatureDoesNotMatch\)"),
        ("InvalidToken", CredentialsError, r"does not accept the credentials \(InvalidToken\)"),
        ("RequestTimeTooSkewed", CredentialsError, "refuses the time of a request; set the clock of this machine"),
        ("AccessDenied", RefusedSourceError, "the store refuses access to the file"),
        ("SlowDown", UnavailableSourceError, "did not answer after"),
    ],
)
def test_each_refusal_is_one_sentence_without_the_stores_words(code, kind, text):
    with pytest.raises(kind, match=text) as raised, sources.failures("s3://bucket/a.dcm"):
        raise failure(code)
    assert "AKIA123" not in str(raised.value)
    assert "Doe^Jane" not in str(raised.value)


def test_missing_credentials_are_no_fault_of_a_file():
    with pytest.raises(CredentialsError, match=r"\(NoCredentialsError\); renew"), sources.failures("s3://bucket/a.dcm"):
        raise NoCredentialsError


@pytest.fixture
def store(monkeypatch) -> Iterator[str]:
    """A server of S3 with a bucket that holds two radiographs of the same name as in the sample."""
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket="hospital")
    for k in range(4):
        client.put_object(Bucket="hospital", Key=f"{k}.png", Body=b"no picture")
    try:
        yield f"http://{host}:{port}"
    finally:
        refuse_after(f"http://{host}:{port}", 10**9)
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()


def refuse_after(url: str, requests: int) -> None:
    """From so many requests on, the server checks credentials, and knows none: as if they had expired."""
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port)) as connection:
        connection.request("POST", "/moto-api/reset-auth", body=str(requests))
        connection.getresponse().read()


def rows() -> list[Row]:
    return [Row(f"{k}.png", Source(f"s3://hospital/{k}.png", size=10)) for k in range(4)]


@pytest.mark.slow
def test_credentials_that_expire_half_way_stop_the_run_and_nothing_of_the_shard_is_committed(store, glass, tmp_path: Path):
    manifest = write_manifest(tmp_path / "manifest.parquet", rows(), 8)
    reader = Reader.load(glass, threads=1)
    plan = shards.make_plan(str(manifest), str(tmp_path / "out"), reader, bundle=glass)
    assert fetch(rows()[0]) == b"no picture"
    refuse_after(store, 3)
    with pytest.raises(CredentialsError, match=r"does not accept the credentials \(InvalidAccessKeyId\)"):
        shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    assert list(shards.pending(plan)) == [0]
    refuse_after(store, 10**9)
    s3fs.S3FileSystem.clear_instance_cache()
    count = shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    assert (count.rows, count.failed) == (4, {"UnreadableFileError": 4})


def test_a_bucket_that_refuses_everything_stops_the_run(glass, tmp_path: Path, monkeypatch):
    def refused(row: Row) -> RefusedSourceError:
        return RefusedSourceError("the store refuses access to the file; check its permissions and your credentials")

    monkeypatch.setattr(shards, "fetch", refused)
    manifest = write_manifest(tmp_path / "manifest.parquet", rows(), 8)
    reader = Reader.load(glass, threads=1)
    plan = shards.make_plan(str(manifest), str(tmp_path / "out"), reader, bundle=glass)
    with pytest.raises(RefusedSourceError, match="no file of a shard could be read; the run stops here: the store refuses"):
        shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    assert list(shards.pending(plan)) == [0]
