import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import pneumoscope
from pneumoscope import radiograph as radiographs
from pneumoscope.archive import local_engine, manifest_building, shards
from pneumoscope.archive.shards import Plan, ShardCount
from pneumoscope.reader import DEFAULT_BUNDLE, Reader

SAMPLE = Path(pneumoscope.__file__).parent / "cohort/sample_files"


@pytest.fixture(scope="session")
def reader() -> Reader:
    return Reader.load(DEFAULT_BUNDLE, threads=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six shipped radiographs and two files that are none, one of which has the name of a picture."""
    folder = tmp_path / "in"
    for file in sorted(SAMPLE.rglob("*.jp*g"))[:6]:
        target = folder / file.relative_to(SAMPLE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    (folder / "notes.csv").write_text("a,b\n")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def plan_of(folder: Path, reader: Reader, **asked: object) -> Plan:
    """A manifest of two rows a shard, and a run over it."""
    manifest, out = folder.parent / "manifest.parquet", folder.parent / "out"
    manifest_building.build([str(folder)], str(manifest), rows_a_shard=2, update=manifest.exists())
    return shards.make_plan(str(manifest), str(out), reader, bundle=DEFAULT_BUNDLE, **asked)  # type: ignore[arg-type]  # any option of a plan


def read_all(plan: Plan, reader: Reader) -> list[ShardCount]:
    return [*local_engine.read_shards(plan, reader, radiographs.read, workers=2)]


@pytest.fixture
def plan(folder: Path, reader: Reader) -> Iterator[Plan]:
    made = plan_of(folder, reader)
    with made.store.only_writer():
        yield made
