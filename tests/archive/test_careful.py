"""A shard whose readers were killed by something else than its files has the same bytes as any other."""

import shutil
from pathlib import Path

import pytest

from pneumoscope.archive import attempts, careful, shards
from pneumoscope.limited_process import CrashedError
from pneumoscope.radiograph import every_format
from pneumoscope.reader import Reader
from tests.archive import decoders
from tests.archive.ray_archives import digests, make_archive


@pytest.mark.slow  # starts processes, one within the other
def test_a_shard_that_is_read_file_by_file_has_the_same_bytes(glass, tmp_path: Path):
    archive = make_archive(tmp_path / "in", glass, 3)
    reader = Reader.load(glass, threads=1)
    plan = shards.make_plan(str(archive.manifest), str(tmp_path / "out"), reader, bundle=glass)
    for shard in shards.open_manifest(plan.manifest).shards:
        plan.store.replace(f"{attempts.FOLDER}/{shard}.json", b"[1.0, 2.0]")
    for number in shards.pending(plan):
        shards.read_shard(plan, number, lambda group: shutil.rmtree("not in this process"))
    assert digests(tmp_path / "out") == digests(archive.alone)


def test_a_file_is_decoded_within_the_limits_of_every_file(monkeypatch):
    """So that what a decoder does to itself is an error of the decoder, and only what ends the reader sets a file apart."""
    careful._decode.cache_clear()
    try:
        monkeypatch.setattr(every_format, "read", decoders.decode)
        (error,) = careful._decode(seen_px=0)([decoders.CRASH])
        assert isinstance(error, CrashedError)
    finally:
        careful._PROCESSES.close()
        careful._decode.cache_clear()
