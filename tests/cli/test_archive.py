"""``pneumoscope archive`` and ``pneumoscope read`` into a data set."""

import json
import os
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pneumoscope import DISCLAIMER
from pneumoscope.archive import data_set, shards
from pneumoscope.cli import archive_read
from pneumoscope.cli.main import SOME_FILES_FAILED, USER_MISTAKE
from tests.archive.conftest import SAMPLE
from tests.cli.run import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    first, second, *_ = sorted(SAMPLE.rglob("*.jp*g"))
    shutil.copy2(first, folder / "a.jpeg")
    shutil.copy2(second, folder / "sub/b.jpeg")
    return folder


@pytest.fixture
def results(folder: Path) -> Path:
    """Two radiographs, read into a data set with no process for decoding."""
    manifest, out = folder.parent / "manifest.parquet", folder.parent / "out"
    assert run("archive", "manifest", folder, "-o", manifest).code == 0
    ran = run("archive", "read", manifest, "-o", out, "--no-isolate", "--workers", "1")
    assert (ran.code, ran.out) == (0, f"2 radiographs read, 0 not read: {out}. {DISCLAIMER}\n"), ran.err
    return out


def test_a_manifest_says_what_was_listed_and_what_changed(folder: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.parquet"
    (folder / "notes.txt").write_text("x")
    ran = run("archive", "manifest", folder, "-o", manifest)
    assert (ran.code, ran.out) == (0, "2 radiographs of 1 source(s)\n")
    assert "left out: 1 text" in ran.err
    os.utime(folder / "a.jpeg", (1, 1))
    (folder / "sub/b.jpeg").unlink()
    shutil.copy(folder / "a.jpeg", folder / "c.jpeg")
    ran = run("archive", "manifest", folder, "-o", manifest, "--update")
    assert ran.out == "2 radiographs of 1 source(s): 1 new, 1 changed, 0 kept, 1 removed\n"


def test_status_and_summary_of_results(results: Path) -> None:
    status = run("archive", "status", results)
    assert status.out.startswith(f"1 of 1 shards, 2 of 2 radiographs: {results}\n")
    assert json.loads(run("archive", "status", results, "--json").out)["rows"] == 2
    summary = run("archive", "summary", results, "--cost-an-hour", "3600")
    assert "2 read, 0 positive" in summary.out
    assert "device not stated: 0 of 2 (0.0%)" in summary.out
    assert summary.out.endswith(DISCLAIMER + "\n")
    said = json.loads(run("archive", "summary", results, "--cost-an-hour", "3600", "--readers-a-machine", "2", "--json").out)
    assert said["cost"] == pytest.approx(said["reader_seconds"] / 2)
    assert said["disclaimer"] == DISCLAIMER


@pytest.mark.parametrize(
    ("rate", "said"),
    [(23_812.3, "23,800"), (1234.5, "1,230"), (99.96, "100"), (1.2345, "1.23"), (2.0, "2"), (0.00001234, "0.0000123")],
)
def test_a_rate_is_written_without_an_exponent(results: Path, monkeypatch, rate: float, said: str) -> None:
    now = data_set.status(str(results))
    monkeypatch.setattr(data_set, "status", lambda out: replace(now, rows_a_second=rate))
    assert f"  {said} radiographs a second by the last commits\n" in run("archive", "status", results).out


def test_verify_lists_what_is_wrong_with_exit_code_1(results: Path) -> None:
    good = run("archive", "verify", results, "--sample", "0")
    assert (good.code, good.out) == (0, "2 rows in 1 shard checked, 0 radiographs read again, everything as it was written\n")
    (file,) = (results / shards.READINGS).rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-100])
    bad = run("archive", "verify", results, "--sample", "0")
    assert bad.code == SOME_FILES_FAILED
    assert f"{file.name}' is damaged; remove it, and run  pneumoscope archive read  again" in bad.out


@pytest.fixture
def shards_of_two(tmp_path: Path) -> Path:
    """Six radiographs in shards of two or three, read into a data set; its manifest lies beside it."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number, file in enumerate(sorted(SAMPLE.rglob("*.jp*g"))[:6]):
        shutil.copy2(file, folder / f"{number}.jpeg")
    assert run("archive", "manifest", folder, "-o", tmp_path / "m.parquet", "--rows-a-shard", "2").code == 0
    assert run("archive", "read", tmp_path / "m.parquet", "-o", tmp_path / "out", "--no-isolate").code == 0
    return tmp_path / "out"


def copied_over(first: Path, second: Path) -> None:
    shutil.copy(first, second)


def doubled(first: Path, second: Path) -> None:
    table = pq.ParquetFile(second).read()
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), second)


def emptied(first: Path, second: Path) -> None:
    pq.write_table(pq.ParquetFile(second).read().slice(0, 0), second)


@pytest.mark.parametrize("change", [copied_over, doubled, emptied])
def test_results_that_are_not_one_row_of_each_file_are_never_exit_code_0(shards_of_two: Path, change) -> None:
    first, second, *_ = sorted((shards_of_two / shards.READINGS).rglob("*.parquet"))
    change(first, second)
    read = run("archive", "read", shards_of_two.parent / "m.parquet", "-o", shards_of_two, "--no-isolate")
    status = run("archive", "status", shards_of_two)
    for code, said in ((read.code, read.err), (status.code, status.out)):
        assert code == SOME_FILES_FAILED
        assert re.search(rf"'{second}' holds the results of .*; remove it, and run  pneumoscope archive read  again", said)
    second.unlink()
    assert run("archive", "read", shards_of_two.parent / "m.parquet", "-o", shards_of_two, "--no-isolate").code == 0
    assert run("archive", "status", shards_of_two).code == 0


def test_a_doubled_row_is_noticed_without_the_manifest(shards_of_two: Path) -> None:
    first, second, *_ = sorted((shards_of_two / shards.READINGS).rglob("*.parquet"))
    (shards_of_two.parent / "m.parquet").unlink()
    ran = run("archive", "status", shards_of_two)
    assert (ran.code, "m.parquet' cannot be opened, so that the results are not compared with it" in ran.out) == (0, True)
    doubled(first, second)
    ran = run("archive", "status", shards_of_two)
    assert (ran.code, "there are results of 7 files, but the manifest of the last run had 6" in ran.out) == (1, True)


def test_a_folder_where_results_must_lie_is_named(shards_of_two: Path) -> None:
    file = sorted((shards_of_two / shards.READINGS).rglob("*.parquet"))[0]
    file.unlink()
    file.mkdir()
    ran = run("archive", "read", shards_of_two.parent / "m.parquet", "-o", shards_of_two, "--no-isolate")
    assert (ran.code, f"'{file}' is a folder where a file must lie; remove it" in ran.err) == (USER_MISTAKE, True)


def test_results_that_vanish_during_a_run_are_no_success(shards_of_two: Path, monkeypatch) -> None:
    file = sorted((shards_of_two / shards.READINGS).rglob("*.parquet"))[0]
    monkeypatch.setattr(archive_read, "_by_threads", lambda *_: file.unlink())
    ran = run("archive", "read", shards_of_two.parent / "m.parquet", "-o", shards_of_two, "--no-isolate")
    assert ran.code == SOME_FILES_FAILED
    assert "shards have no results; run the same command again" in ran.err


def test_status_says_that_the_manifest_was_replaced(shards_of_two: Path) -> None:
    manifest = shards_of_two.parent / "m.parquet"
    shutil.copy(next(SAMPLE.rglob("*.jp*g")), shards_of_two.parent / "many/9.jpeg")
    assert run("archive", "manifest", shards_of_two.parent / "many", "-o", manifest, "--update").code == 0
    ran = run("archive", "status", shards_of_two)
    assert (ran.code, f"the manifest '{manifest}' was replaced since the last run: " in ran.out) == (0, True)
    assert "pneumoscope archive read  goes on with it" in ran.out
    assert run("archive", "read", manifest, "-o", shards_of_two, "--no-isolate").code == 0
    assert "replaced" not in run("archive", "status", shards_of_two).out


def test_reading_goes_on_and_says_so(results: Path, folder: Path) -> None:
    again = run("archive", "read", folder.parent / "manifest.parquet", "-o", results, "--no-isolate")
    assert (again.code, "1 of 1 shards were read before; going on" in again.err) == (0, True)
    assert again.out.startswith("2 radiographs read (0 now), 0 not read: ")


def test_files_that_were_away_are_read_again_by_the_command_that_is_named(folder: Path, tmp_path: Path) -> None:
    manifest, out = tmp_path / "m.parquet", tmp_path / "out"
    assert run("archive", "manifest", folder, "-o", manifest).code == 0
    (folder / "sub").rename(tmp_path / "away")
    ran = run("archive", "read", manifest, "-o", out, "--no-isolate")
    assert ran.code == SOME_FILES_FAILED
    command = f"pneumoscope archive read {manifest} -o {out} --again MissingSourceError"
    assert ran.err.endswith(f"once these files can be read, read them again with the same options:  {command}\n")
    (tmp_path / "away").rename(folder / "sub")
    ran = run(*command.split()[1:], "--again", "Nonsense", "--no-isolate")
    assert (ran.code, ran.out.partition(":")[0]) == (0, "2 radiographs read, 0 not read")
    assert "1 shard is read again\nno file has an error of the kind Nonsense;  pneumoscope archive status" in ran.err


def test_read_takes_a_url_as_a_source_and_makes_a_data_set(folder: Path, tmp_path: Path) -> None:
    ran = run("read", folder.as_uri(), "-o", tmp_path / "out", "--population", "child")
    assert (ran.code, "2 radiographs read" in ran.out) == (0, True), ran.err
    frame = pd.read_parquet(tmp_path / "out/readings")
    assert sorted(frame.path) == ["a.jpeg", "sub/b.jpeg"]
    assert set(frame.population) == {"child"}
    assert run("read", folder.as_uri(), "-o", tmp_path / "out", "--population", "child").code == 0


@pytest.mark.parametrize(
    "option",
    [
        *[("--format", "csv"), ("--batch", "2"), ("--overlays",), ("--overlay-scale", "image"), ("--overlay-format", "webp")],
        *[("--deidentify",), ("--profile", "ohif"), ("--segmentation", "labelmap"), ("--parametric-map", "deflated")],
    ],
)
def test_options_of_a_folder_are_refused_for_a_data_set(folder: Path, tmp_path: Path, option: tuple[str, ...]) -> None:
    ran = run("read", folder.as_uri(), "-o", tmp_path / "out", *option)
    assert ran.code == USER_MISTAKE
    assert f"{option[0]} is for a folder of results on this machine, not for a data set" in ran.err
    assert not (tmp_path / "out").exists()


def test_options_of_ray_are_refused_for_another_engine(results: Path, folder: Path, tmp_path: Path) -> None:
    for command in (
        ("archive", "read", folder.parent / "manifest.parquet", "-o", tmp_path / "x", "--cpus-a-reader", "2"),
        ("archive", "read", folder.parent / "manifest.parquet", "-o", tmp_path / "x", "--ray-address", "auto"),
        ("read", folder, "-o", tmp_path / "x", "--ray-address", "auto"),
        ("read", folder.as_uri(), "-o", tmp_path / "x", "--ray-address", "auto"),
    ):
        ran = run(*command)
        assert (ran.code, f"{command[-2]} is for --engine ray" in ran.err) == (USER_MISTAKE, True)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "command",
    [
        *[("archive", "manifest", "", "-o", "m"), ("archive", "manifest", "in", "-o", ""), ("archive", "read", "m", "-o", "")],
        *[("archive", "status", ""), ("read", "in", "-o", ""), ("read", "", "-o", "out")],
    ],
)
def test_an_empty_path_is_not_the_current_folder(folder: Path, tmp_path: Path, monkeypatch, command: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*command)
    assert (ran.code, "a path or URL is empty" in ran.err) == (USER_MISTAKE, True)
    assert [file.name for file in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("url", ["file://in", "file://in/a.jpeg", "file://host/in", "file:"])
def test_a_file_url_holds_an_absolute_path(folder: Path, tmp_path: Path, monkeypatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("archive", "manifest", url, "-o", "m.parquet").code == USER_MISTAKE
    assert run("read", url, "-o", "out").code == USER_MISTAKE
    assert [file.name for file in tmp_path.iterdir() if file.suffix] == []


@pytest.mark.parametrize("cost", ["nan", "inf"])
def test_a_cost_is_a_finite_number(tmp_path: Path, cost: str) -> None:
    ran = run("archive", "summary", tmp_path, "--cost-an-hour", cost, "--json")
    assert (ran.code, f"{cost} is no finite number" in ran.err) == (USER_MISTAKE, True)


def test_a_data_set_is_no_folder_for_lines(results: Path, folder: Path) -> None:
    ran = run("read", folder / "a.jpeg", "-o", results, "--no-overlays")
    assert (ran.code, "holds a data set of  pneumoscope archive read; choose another" in ran.err) == (USER_MISTAKE, True)
    assert not (results / "readings.jsonl").exists()


def test_a_refused_run_leaves_the_manifest_of_a_data_set(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("read", (folder / "a.jpeg").as_uri(), "-o", out).code == 0
    before = (out / "manifest.parquet").read_bytes()
    refused = run("read", folder.as_uri(), "-o", out, "--maps")
    assert (refused.code, "holds results of other options" in refused.err) == (USER_MISTAKE, True)
    assert (out / "manifest.parquet").read_bytes() == before
    other = run("read", (folder / "sub").as_uri(), "-o", out)
    assert (other.code, "none of the 1 files of the manifest" in other.err) == (USER_MISTAKE, True)
    assert run("archive", "verify", out, "--sample", "0").code == 0


def test_results_of_files_that_left_the_manifest_are_removed_on_request_alone(results: Path, folder: Path) -> None:
    (folder / "sub/b.jpeg").unlink()
    manifest = folder.parent / "manifest.parquet"
    updated = run("archive", "manifest", folder, "-o", manifest, "--update")
    assert updated.out == "1 radiographs of 1 source(s): 0 new, 0 changed, 1 kept, 1 removed\n"
    refused = run("archive", "read", manifest, "-o", results, "--no-isolate")
    assert (refused.code, refused.out) == (USER_MISTAKE, "")
    assert f"holds results of 2 radiographs, 1 of which (50.0%) are no longer in the manifest '{manifest}'" in refused.err
    assert run("archive", "status", results).out.startswith("1 of 1 shards, 2 of 2 radiographs")
    removed = run("archive", "read", manifest, "-o", results, "--no-isolate", "--remove-results")
    assert (removed.code, removed.out) == (0, f"1 radiograph read, 0 not read: {results}. {DISCLAIMER}\n")
    assert "1 radiograph(s) of 1 shard(s) are read again, and results of 1 that it no longer has are removed" in removed.err


def test_an_archive_that_cannot_be_opened_is_exit_code_1(folder: Path, tmp_path: Path) -> None:
    (folder / "sub/b.jpeg").unlink()
    (folder / "cut.zip").write_bytes(b"PK\3\4 and no more")
    ran = run("archive", "manifest", folder, "-o", tmp_path / "m.parquet")
    assert (ran.code, "left out: 1 archive that could not be opened" in ran.err) == (SOME_FILES_FAILED, True)
    ran = run("archive", "read", tmp_path / "m.parquet", "-o", tmp_path / "out", "--no-isolate")
    assert (ran.code, "not in the manifest: 1 archive that could not be opened" in ran.err) == (SOME_FILES_FAILED, True)


def test_a_folder_that_cannot_be_listed_is_exit_code_1(folder: Path, tmp_path: Path, monkeypatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if os.fspath(path).endswith("/sub"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    ran = run("archive", "manifest", folder, "-o", tmp_path / "m.parquet")
    assert (ran.code, "left out: 1 folder that could not be listed" in ran.err) == (SOME_FILES_FAILED, True)
    ran = run("archive", "read", tmp_path / "m.parquet", "-o", tmp_path / "out", "--no-isolate")
    assert (ran.code, "not in the manifest: 1 folder that could not be listed" in ran.err) == (SOME_FILES_FAILED, True)


def test_an_archive_with_nothing_in_it_is_a_mistake(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../evil.png", b"x")
    ran = run("archive", "manifest", tmp_path / "x.zip", "-o", tmp_path / "m.parquet")
    assert ran.code == USER_MISTAKE
    assert ran.err == f"pneumoscope: no radiograph lies below {tmp_path / 'x.zip'} (left out: 1 unsafe name in an archive)\n"


def test_a_short_secret_of_the_sites_is_refused(results: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    ran = run("archive", "read", folder.parent / "manifest.parquet", "-o", tmp_path / "other", "--site-key", tmp_path / "key")
    assert (ran.code, "must hold a secret of at least 16 characters" in ran.err) == (USER_MISTAKE, True)


def test_an_engine_that_is_not_installed_is_named(results: Path, folder: Path, tmp_path: Path, monkeypatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name="ray")

    monkeypatch.setattr(archive_read.importlib, "import_module", missing)
    ran = run("archive", "read", folder.parent / "manifest.parquet", "-o", tmp_path / "other", "--engine", "ray")
    assert (ran.code, "pip install 'pneumoscope[scale]'" in ran.err) == (USER_MISTAKE, True)
