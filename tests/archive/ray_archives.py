"""A small archive for runs on Ray, its results on one machine, and what a run left."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from pneumoscope import radiograph as radiographs
from pneumoscope.archive import manifest_table, shards, sources
from pneumoscope.archive.decoding import one_by_one
from pneumoscope.archive.row_reading import Records
from pneumoscope.reader import Reader

POISON = "poison.png"


@dataclass(frozen=True)
class Archive:
    """A manifest, the model to read it with, and the results as one machine writes them."""

    manifest: Path
    bundle: Path
    alone: Path
    names: tuple[str, ...]


def make_archive(folder: Path, bundle: Path, count: int, *, edge_px: int = 64, rows_a_shard: int = 8, poison: bool = False):
    """Few radiographs under many names; larger ones take longer to read."""
    folder.mkdir()
    noise = np.random.default_rng(24)
    files = []
    for k in range(min(count, 16)):
        files.append(folder / f"{k}.png")
        Image.fromarray(noise.integers(0, 16 * (k + 1), (edge_px, edge_px), np.uint8)).save(files[-1], compress_level=1)
    names = [f"{k:05d}.png" for k in range(count)] + [POISON] * poison
    rows = (_row(name, files[k % len(files)]) for k, name in enumerate(names))
    manifest = write_manifest(folder / "manifest.parquet", rows, rows_a_shard)
    _read_alone(manifest, folder / "alone", bundle)
    return Archive(manifest, bundle, folder / "alone", tuple(names))


def write_manifest(file: Path, rows: Iterable[manifest_table.Row], rows_a_shard: int) -> Path:
    with file.open("wb") as stream:
        manifest_table.write(rows, stream, {}, rows_a_shard)
    return file


def _row(name: str, file: Path) -> manifest_table.Row:
    stored = sources.stored(str(file))
    return manifest_table.Row(name, sources.Source(str(file), size=stored.size, etag=stored.etag))


def _read_alone(manifest: Path, out: Path, bundle: Path) -> None:
    """Read on this machine, in this process."""
    reader = Reader.load(bundle, threads=1)
    plan = shards.make_plan(str(manifest), str(out), reader, bundle=bundle)
    for number in shards.pending(plan):
        shards.read_shard(plan, number, Records(reader, plan.run, one_by_one(radiographs.read)))


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of every file of results, by its name in the data set."""
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((out / shards.READINGS).rglob("*.parquet"))
    }


def rows(out: Path) -> list[dict]:
    """All rows of a data set, in the order of their names."""
    tables = [pq.ParquetFile(file).read() for file in (out / shards.READINGS).rglob("*.parquet")]
    return sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["path"])
