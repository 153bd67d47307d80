"""A shard is committed once and whole, whenever its process is killed; a file that kills it is set apart."""

import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydicom.data import get_testdata_file

from pneumoscope import radiograph as radiographs
from pneumoscope.archive import attempts, careful, manifest_building, shards
from pneumoscope.archive.decoding import one_by_one
from pneumoscope.archive.errors import FolderInUseError, MissingSourceError, UnavailableSourceError
from pneumoscope.archive.row_reading import Records
from pneumoscope.archive.shards import Plan
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import DEFAULT_BUNDLE, Reader
from tests.archive.conftest import SAMPLE
from tests.archive.test_containers import zipped

KILLED = Path(__file__).parent / "killed_commits.py"


def broken_plan(folder: Path, reader: Reader) -> Plan:
    """One shard of three files that are no images."""
    (folder / "in").mkdir()
    for k in range(3):
        (folder / f"in/{k}.png").write_bytes(b"broken" * k)
    manifest = str(folder / "m.parquet")
    manifest_building.build([str(folder / "in")], manifest)
    return shards.make_plan(manifest, str(folder / "out"), reader, bundle=DEFAULT_BUNDLE)


@pytest.mark.slow  # a process for each step
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no SIGKILL")
def test_a_kill_at_any_step_leaves_the_shard_whole_or_absent_and_is_counted(tmp_path: Path, reader: Reader) -> None:
    plan = broken_plan(tmp_path, reader)
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    done = subprocess.run([sys.executable, str(KILLED), str(tmp_path / "plan")], capture_output=True, text=True, check=True)
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    shutil.rmtree(Path(plan.out) / shards.READINGS)
    assert shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read))).written
    (shard,) = shards.open_manifest(plan.manifest).shards
    whole = hashlib.sha256((Path(plan.out) / shards.file_of(shard)).read_bytes()).hexdigest()
    assert len(steps) > 15
    assert {step["after"] for step in steps} == {whole}
    assert {step["before"] for step in steps} == {"", whole}
    assert all(step["pending"] == (not step["before"]) for step in steps)
    assert [step["attempts"] for step in steps] == sorted(step["attempts"] for step in steps)
    assert steps[-1]["attempts"] == 1


def poisoned(content: bytes) -> Radiograph:
    """Decode, but end the process at a file that says so."""
    if content.startswith(b"poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    return radiographs.read(content)


@pytest.mark.slow  # loads the model in a process of its own
def test_a_file_that_ends_its_process_is_set_apart_and_the_others_are_read(tmp_path: Path, reader: Reader, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    good = sorted(SAMPLE.rglob("*.jp*g"))[0]
    shutil.copy(good, tmp_path / "in/a.jpeg")
    (tmp_path / "in/b.png").write_bytes(b"poison")
    shutil.copy(good, tmp_path / "in/c.jpeg")
    manifest = str(tmp_path / "m.parquet")
    manifest_building.build([str(tmp_path / "in")], manifest)
    plan = shards.make_plan(manifest, str(tmp_path / "out"), reader, bundle=DEFAULT_BUNDLE)
    (shard,) = shards.open_manifest(manifest).shards
    monkeypatch.setattr(careful, "_read", read_poisoned)
    plan.store.replace(f"{attempts.FOLDER}/{shard}.json", b"[1.0, 2.0]")
    count = shards.read_shard(plan, 0, Records(reader, plan.run, lambda content: pytest.fail("it was decoded in this process")))
    assert count.failed == {"QuarantinedError": 1}
    first, second, third = pq.read_table(Path(plan.out) / shards.file_of(shard)).to_pylist()
    assert second["error"].startswith("the file was set apart after three tries; in the last one reading failed")
    assert first["probability"] == third["probability"] == round(reader.read(good).score.probability, 6)


def read_poisoned(bundle, run, site_key, row):
    """`careful._read` with a decoder that the poison ends."""
    fetched = careful.fetch(row)
    (record,) = Records(careful._reader(bundle, run.policy), run, one_by_one(poisoned), site_key)([(row, fetched)])
    return record


def test_a_store_that_is_away_stops_the_run_instead_of_filling_it_with_errors(tmp_path, reader, monkeypatch) -> None:
    plan = broken_plan(tmp_path, reader)
    monkeypatch.setattr(shards, "fetch", lambda row: UnavailableSourceError("the store did not answer"))
    with pytest.raises(UnavailableSourceError, match="no file of a shard could be read; the run stops here"):
        shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    assert list(shards.pending(plan)) == [0]
    (shard,) = shards.open_manifest(plan.manifest).shards
    assert attempts.attempts_of(plan.store, shard).starts == []  # an attempt that ended with an error was not killed


def test_a_source_that_is_not_mounted_stops_the_run_instead_of_filling_it_with_errors(tmp_path, reader) -> None:
    plan = broken_plan(tmp_path, reader)
    (tmp_path / "in").rename(tmp_path / "away")
    with pytest.raises(MissingSourceError, match="none of the 3 files of a shard is there; the run stops here: mount the source"):
        shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    assert list(shards.pending(plan)) == [0]
    (tmp_path / "in").mkdir()
    (tmp_path / "away/1.png").rename(tmp_path / "in/1.png")
    count = shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    assert count.failed["MissingSourceError"] == 2


@pytest.mark.parametrize("packed", [False, True])
def test_files_that_were_never_there_are_rows(tmp_path: Path, reader: Reader, packed: bool) -> None:
    """Those that a DICOMDIR lists: no update of the manifest finds them."""
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(str(get_testdata_file("dicomdirtests/DICOMDIR")), folder)
    if packed:
        zipped(tmp_path / "in.zip", {"DICOMDIR": (folder / "DICOMDIR").read_bytes(), "0.dcm": b"broken"})
    (folder / "0.dcm").write_bytes(b"broken")
    manifest = str(tmp_path / "m.parquet")
    manifest_building.build([str(tmp_path / "in.zip" if packed else folder)], manifest, rows_a_shard=8)
    plan = shards.make_plan(manifest, str(tmp_path / "out"), reader, bundle=DEFAULT_BUNDLE)
    read = Records(reader, plan.run, one_by_one(radiographs.read))
    missing = [count for k in range(plan.n_shards) if (count := shards.read_shard(plan, k, read)).failed["MissingSourceError"]]
    assert any(count.failed == {"MissingSourceError": count.rows} for count in missing)


def test_a_folder_has_one_writer(tmp_path: Path, reader: Reader) -> None:
    plan = broken_plan(tmp_path, reader)
    with plan.store.only_writer(), pytest.raises(FolderInUseError, match="another run is writing"), plan.store.only_writer():
        pass
