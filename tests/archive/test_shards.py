import os
import shutil
from contextlib import nullcontext
from dataclasses import fields, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pneumoscope import radiograph as radiographs
from pneumoscope.archive import (
    ArchiveError,
    Options,
    data_set,
    manifest_building,
    manifest_table,
    removed_results,
    run_record,
    shards,
    verification,
)
from pneumoscope.archive.decoding import one_by_one
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.removed_results import Removed
from pneumoscope.archive.result_table import Device
from pneumoscope.archive.row_reading import Records, device_of
from pneumoscope.archive.shards import Plan
from pneumoscope.archive.sources import Source
from pneumoscope.cli import archive_read
from pneumoscope.radiograph.acceptance import AcceptancePolicy
from pneumoscope.reader import Reader
from pneumoscope.readings import CaseKey, form
from tests.archive.conftest import plan_of, read_all


def rows_of(plan: Plan) -> list[dict[str, object]]:
    return sorted(pq.read_table(plan.store.folder / shards.READINGS).to_pylist(), key=lambda row: str(row["path"]))


def files_of(plan: Plan) -> dict[str, bytes]:
    assert plan.store.folder
    return {f.name: f.read_bytes() for f in (plan.store.folder / shards.READINGS).rglob("*.parquet")}


def test_every_file_has_one_row_which_says_what_read_says(plan: Plan, reader: Reader, folder: Path) -> None:
    counts = read_all(plan, reader)
    rows = rows_of(plan)
    assert [row["path"] for row in rows] == sorted(
        f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.suffix in (".jpeg", ".jpg", ".png")
    )
    assert sum(count.rows for count in counts) == plan.n_rows == 7
    assert [count.failed for count in counts if count.failed] == [{"UnreadableFileError": 1}]
    assert rows[-1]["error_kind"] == "UnreadableFileError"
    for row in rows[:-1]:
        name = str(row["path"])
        line = form.line_of(CaseKey(name, str(row["file_sha256"])), reader.read(folder / name))
        assert (row["probability"], row["log_odds"], row["decision"]) == (line.probability, line.log_odds, line.decision)
        assert line.domain
        assert row["domain_distance"] == line.domain.distance
        assert row["cautions"] == list(line.cautions)


def test_a_shard_that_is_written_twice_has_the_same_bytes(plan: Plan, reader: Reader) -> None:
    read_all(plan, reader)
    first = files_of(plan)
    shutil.rmtree(Path(plan.out) / shards.READINGS)
    read_all(plan, reader)
    assert files_of(plan) == first


def test_a_committed_shard_is_not_read_again(plan: Plan, reader: Reader) -> None:
    assert shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read))).written
    again = shards.read_shard(plan, 0, Records(reader, plan.run, lambda content: pytest.fail("it was decoded again")))
    assert (again.written, again.rows) == (False, len(shards.open_manifest(plan.manifest).shard(0)))
    assert list(shards.pending(plan)) == list(range(1, plan.n_shards))


def test_an_updated_manifest_keeps_the_results_of_shards_that_did_not_change(plan: Plan, reader: Reader, folder: Path) -> None:
    read_all(plan, reader)
    before = files_of(plan)
    changed = sorted(folder.rglob("*.jpeg"))[0]
    changed.write_bytes(changed.read_bytes() + b"\0")
    updated = plan_of(folder, reader)
    assert len(list(shards.pending(updated))) == 1
    read_all(updated, reader)
    after = files_of(updated)
    assert len(before.keys() - after.keys()) == len(after.keys() - before.keys()) == 1
    assert len(rows_of(updated)) == 7


def test_the_options_that_differ_are_named(plan: Plan, reader: Reader, folder: Path) -> None:
    with pytest.raises(ArchiveError, match=r"holds results of other options \(--maps, --decode\); give the same, or choose"):
        plan_of(folder, reader, options=Options(maps=True, decode="reduced"))
    with pytest.raises(ArchiveError, match=r"other options \(without --site-key\)"):
        plan_of(folder, reader, site_key="a secret of the site")
    shutil.copy(plan.manifest, folder.parent / "other.parquet")
    with pytest.raises(ArchiveError, match=rf"other options \(--population\) and of another manifest \('{plan.manifest}'\)"):
        shards.make_plan(str(folder.parent / "other.parquet"), plan.out, reader, Options(population="child"), bundle=plan.bundle)


@pytest.mark.parametrize(("earlier", "now", "said"), [("a", "b", "another"), ("a", "", "with"), ("", "a", "without")])
def test_another_secret_of_the_sites_is_said_to_be_one(earlier: str, now: str, said: str) -> None:
    assert run_record.differing_site_keys(earlier, now) == [f"{said} --site-key"]
    assert run_record.differing_site_keys(earlier, earlier) == []


def test_every_choice_of_the_policy_has_the_name_of_its_option(plan: Plan) -> None:
    known = {option for parameter in archive_read.command.params for option in parameter.opts}
    for field in fields(AcceptancePolicy):
        other = {"mark": "refuse", "refuse": "mark"}[getattr(plan.run.policy, field.name)]
        changed = replace(plan.run, policy=replace(plan.run.policy, **{field.name: other}))
        (option,) = run_record.differing_options(plan.run, changed)
        assert option in known


def test_another_model_options_or_manifest_is_refused(plan: Plan, reader: Reader, folder: Path) -> None:
    with pytest.raises(ArchiveError, match="holds results of other options"):
        plan_of(folder, reader, options=Options(maps=True))
    with pytest.raises(ArchiveError, match="holds results of other options"):
        plan_of(folder, reader, options=Options(decode="reduced"))
    shutil.copy(plan.manifest, folder.parent / "other.parquet")
    with pytest.raises(ArchiveError, match="holds results of another manifest"):
        shards.make_plan(str(folder.parent / "other.parquet"), plan.out, reader, bundle=plan.bundle)


def test_results_are_not_removed_for_a_manifest_of_other_files(plan: Plan, reader: Reader, folder: Path) -> None:
    shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    before = files_of(plan)
    other = folder.parent / "other"
    other.mkdir()
    (other / "unknown.png").write_bytes(b"1")
    Path(plan.manifest).unlink()
    with pytest.raises(ArchiveError, match="holds results of other files than those of the manifest"):
        plan_of(other, reader)
    assert files_of(plan) == before
    assert run_record.read_run(plan.store).manifest_sha256 == plan.manifest_sha256


def test_removed_results_are_counted_for_the_user(plan: Plan, reader: Reader, folder: Path) -> None:
    shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    removed: list[Removed] = []
    plan_of(folder, reader, on_removed=removed.append)
    assert removed == []
    count = len(rows_of(plan))
    for file in folder.rglob("*.*"):
        os.utime(file, (1, 1))
    plan_of(folder, reader, on_removed=removed.append)
    assert (removed, files_of(plan)) == ([Removed(1, count, 0)], {})


def test_damaged_results_that_are_removed_anyway_do_not_stop_a_run(plan: Plan, reader: Reader, folder: Path) -> None:
    read_all(plan, reader)
    damaged = sorted(folder.rglob("*.jpeg"))[0]
    damaged.write_bytes(damaged.read_bytes() + b"\0")
    manifest_building.build([str(folder)], plan.manifest, update=True)
    stale = {*files_of(plan)} - {f"{shard}.parquet" for shard in manifest_table.open_manifest(plan.manifest).shards}
    for name in stale:
        next((Path(plan.out) / shards.READINGS).rglob(name)).write_bytes(b"PAR1")
    removed: list[Removed] = []
    plan_of(folder, reader, on_removed=removed.append)
    assert removed == [Removed(1, 0, 0)]


def test_many_results_are_not_removed_without_being_asked_for(plan: Plan, reader: Reader, folder: Path) -> None:
    """One of the seven results is more than a tenth: a careless update from a part of the sources must not lose it."""
    read_all(plan, reader)
    before, total, file = files_of(plan), len(rows_of(plan)), sorted(folder.rglob("*.jpeg"))[2]
    content, times = file.read_bytes(), file.stat()
    file.unlink()
    with pytest.raises(ArchiveError, match=rf"results of {total} radiographs, 1 of which \(14\.3%\) are no longer in .*--rem"):
        plan_of(folder, reader)
    assert files_of(plan) == before
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert list(shards.pending(plan_of(folder, reader))) == []
    file.unlink()
    removed: list[Removed] = []
    left = plan_of(folder, reader, remove_results=True, on_removed=removed.append)
    read_all(left, reader)
    assert [(one.shards, one.gone) for one in removed] == [(1, 1)]
    assert len(rows_of(left)) == total - 1


@pytest.mark.parametrize(("left_out", "refused"), [(10, False), (11, True)])
def test_a_tenth_of_the_results_may_go(tmp_path: Path, left_out: int, refused: bool) -> None:
    names = [f"{k:03}.png" for k in range(100)]
    with (tmp_path / "m.parquet").open("wb") as stream:
        manifest_table.write((Row(name, Source(f"/in/{name}")) for name in names[left_out:]), stream, {}, 16)
    table = manifest_table.open_manifest(str(tmp_path / "m.parquet"))
    removed = removed_results.count([names[:40], [*reversed(names[40:60])]], table)
    assert removed == Removed(2, 60, left_out)
    with pytest.raises(ArchiveError, match=r"11 of which \(11\.0%\)") if refused else nullcontext():
        removed_results.refuse_many(removed, 100, "out", table)


def test_results_of_an_unknown_run_are_not_taken_for_those_of_this_one(plan: Plan, reader: Reader, folder: Path) -> None:
    shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    (Path(plan.out) / run_record.RUN_NAME).unlink()
    with pytest.raises(ArchiveError, match=r"holds files in the folder readings and no _run\.json that says what they are"):
        plan_of(folder, reader)


def test_a_foreign_file_is_no_shard_and_stays_where_it_is(plan: Plan, reader: Reader, folder: Path) -> None:
    shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    foreign = Path(plan.out) / shards.READINGS / "extra.parquet"
    foreign.write_bytes(b"not of this data set")
    removed: list[Removed] = []
    plan_of(folder, reader, on_removed=removed.append)
    assert (removed, foreign.exists(), data_set.status(plan.out).shards) == ([], True, 1)
    problems = verification.verify(plan.out, "", None, one_by_one(radiographs.read)).problems
    assert "'readings/extra.parquet' is no file of this data set; remove it" in problems


@pytest.mark.parametrize("content", [b"", b"PAR1"])
def test_damaged_results_are_named_when_failed_ones_are_looked_for(plan: Plan, reader: Reader, content: bytes) -> None:
    shards.read_shard(plan, 0, Records(reader, plan.run, one_by_one(radiographs.read)))
    (file,) = (Path(plan.out) / shards.READINGS).rglob("*.parquet")
    file.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"\.parquet' is damaged; remove it, and run  pneumoscope archive read  again"):
        shards.remove_failed(plan, ["UnreadableFileError"])


def test_a_file_that_changed_after_the_manifest_is_an_error_not_a_reading(plan: Plan, reader: Reader, folder: Path) -> None:
    changed = sorted(folder.rglob("*.jpeg"))[0]
    changed.write_bytes(changed.read_bytes() + b"\0")
    read_all(plan, reader)
    (row,) = [row for row in rows_of(plan) if row["path"] == changed.relative_to(folder).as_posix()]
    assert (row["error_kind"], row["probability"]) == ("ChangedSourceError", None)


def test_shards_with_an_error_are_read_again_on_request(plan: Plan, reader: Reader, folder: Path) -> None:
    read_all(plan, reader)
    assert shards.remove_failed(plan, ["MissingSourceError"]) == (0, frozenset())
    assert shards.remove_failed(plan, ["MissingSourceError", "UnreadableFileError"]) == (1, {"UnreadableFileError"})
    assert len(list(shards.pending(plan))) == 1


def test_what_killed_writers_left_is_removed_at_the_start(plan: Plan, reader: Reader, folder: Path) -> None:
    read_all(plan, reader)
    left = next((Path(plan.out) / shards.READINGS).iterdir()) / ".0123456789ab.part"
    left.write_bytes(b"half")
    plan_of(folder, reader)
    assert not left.exists()


def test_a_damaged_name_of_a_device_is_no_error_of_the_radiograph() -> None:
    content = bytes(128) + b"DICM" + b"\x08\x00\x70\x00LO\xff\xff"
    assert device_of(content, "") == Device()


def test_large_files_are_read_alone(monkeypatch):
    monkeypatch.setattr(shards, "_MOST_BYTES", 10)
    contents = [b"1", b"2", b"3" * 10, OSError(), b"4", b"5", b"6"]
    groups = shards._groups(((f"row {k}", content) for k, content in enumerate(contents)), 3)
    assert [[content for _, content in group] for group in groups] == [contents[:3], contents[3:6], contents[6:]]
    assert [len(group) for group in shards._groups([("row", b"1" * 11)] * 3, 3)] == [1, 1, 1]


def test_an_error_that_no_one_foresaw_is_a_row_and_again_one_when_it_is_verified(folder, reader, monkeypatch):
    def fail(*args, **asked):
        raise ZeroDivisionError("Doe^Jane")

    monkeypatch.setattr(Reader, "read_together", fail)
    plan = plan_of(folder, reader)
    with plan.store.only_writer():
        read_all(plan, reader)
    read = [row for row in rows_of(plan) if row["path"] != "broken.png"]
    assert {row["error_kind"] for row in read} == {"UnexpectedError"}
    assert not any("Doe" in str(row["error"]) for row in read)
    checked = verification.verify(plan.out, plan.manifest, reader, one_by_one(radiographs.read), sample=20)
    assert checked.problems == ()
