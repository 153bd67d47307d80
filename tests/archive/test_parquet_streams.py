import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pneumoscope.archive import parquet_streams


@pytest.mark.parametrize("name", [b"a.parquet", b"\xff.parquet"])
def test_files_on_a_disk_are_opened_by_pyarrow_itself(tmp_path: Path, name: bytes) -> None:
    """Bytes of Python in a thread of pyarrow abort a program that ends meanwhile."""
    path = tmp_path / os.fsdecode(name)
    with path.open("wb") as stream:
        pq.write_table(pa.table({"a": [1]}), stream)
    with path.open("rb") as stream:
        native = parquet_streams.of_stream(stream)
        assert isinstance(native, pa.OSFile)
        assert pq.ParquetFile(native).read().to_pydict() == {"a": [1]}


@pytest.mark.parametrize("content", [b"", b"content"])
def test_content_is_copied(content: bytes) -> None:
    assert parquet_streams.of_bytes(content).read() == content
