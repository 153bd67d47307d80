"""Data sets of results: what other programs read in them, their status and summary, and what verification finds."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pneumoscope import DISCLAIMER
from pneumoscope import radiograph as radiographs
from pneumoscope.archive import ArchiveError, Options, attempts, data_set, result_table, shards, verification
from pneumoscope.archive.decoding import one_by_one
from pneumoscope.archive.errors import DamagedResultsError, MissingSourceError
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.row_reading import device_of, error_record, site_of
from pneumoscope.archive.shards import Plan
from pneumoscope.archive.sources import Source
from pneumoscope.archive.store import Store
from pneumoscope.reader import Reader
from tests.archive.conftest import SAMPLE, plan_of, read_all
from tests.radiograph.builders import cr, written

KEY = "a secret of the site"


@pytest.fixture(scope="module")
def done(tmp_path_factory, reader: Reader) -> Plan:
    """Six radiographs and a DICOM file of a device, read with heat maps, and a file that is none."""
    folder = tmp_path_factory.mktemp("done") / "in"
    sample = sorted(SAMPLE.rglob("*.jp*g"))[:6]
    folder.mkdir()
    for number, file in enumerate(sample):
        shutil.copy2(file, folder / f"{number}.jpeg")
    pixels = np.asarray(Image.open(sample[0]).convert("L"), np.uint16) * 16
    stated = {"Manufacturer": "ACME", "ManufacturerModelName": "Ray 3", "InstitutionName": "St. Elsewhere"}
    content = written(cr(pixels, PatientOrientation=["L", "F"], **stated))
    (folder / "device.dcm").write_bytes(content)
    (folder / "broken.png").write_bytes(b"no picture")
    plan = plan_of(folder, reader, options=Options(maps=True), site_key=KEY)
    read_all(plan, reader)
    return plan


@pytest.fixture
def copied(done: Plan, tmp_path: Path) -> Path:
    shutil.copytree(done.out, tmp_path / "out")
    return tmp_path / "out"


def test_duckdb_and_pandas_read_it(done: Plan) -> None:
    place = f"{done.out}/readings"
    counted = duckdb.sql(
        f"SELECT count(*), count(probability), count(error_kind), avg(probability) FROM read_parquet('{place}/**/*.parquet')"
    ).fetchall()[0]
    frame = pd.read_parquet(place)
    assert counted == (8, 7, 1, pytest.approx(frame.probability.mean()))
    boxes = duckdb.sql(
        f"SELECT unnest(findings).box.top FROM read_parquet('{place}/**/*.parquet') WHERE len(findings) > 0"
    ).fetchall()
    expected = [finding["box"]["top"] for findings in frame.findings.dropna() for finding in findings]
    assert sorted(top for (top,) in boxes) == sorted(expected)
    assert len(boxes) > 0


def test_the_documented_lines_decode_a_heat_map(done: Plan, reader: Reader) -> None:
    docs = (Path(__file__).parents[2] / "docs/how-to/archive.md").read_text()
    snippet = docs.split("<!-- heat map -->")[1].split("```python\n")[1].split("```")[0]
    row = next(row for row in pd.read_parquet(f"{done.out}/readings").to_dict("records") if row["path"] == "0.jpeg")
    names = {"row": row}
    exec(snippet, names)  # the documentation's own lines
    assert len(snippet.strip().splitlines()) == 3
    heatmap = reader.read(Path(done.out).parent / "in/0.jpeg").heatmap
    np.testing.assert_array_equal(names["heat_map"], heatmap.cells)
    np.testing.assert_array_equal(result_table.heat_map_of(row), heatmap.cells)


def test_the_metadata_name_model_form_and_disclaimer(done: Plan) -> None:
    for file in (Path(done.out) / "readings").rglob("*.parquet"):
        said = pq.read_schema(file).metadata
        assert said[b"pneumoscope.disclaimer"].decode() == DISCLAIMER
        assert said[b"pneumoscope.model_sha256"].decode() == done.run.model.sha256
        assert said[b"pneumoscope.form"] == b"5"


def test_devices_are_kept_as_stated_and_institutions_as_keyed_hashes(done: Plan) -> None:
    frame = pd.read_parquet(f"{done.out}/readings").set_index("path")
    row = frame.loc["device.dcm"]
    assert (row.manufacturer, row.device_model, row.site) == ("ACME", "Ray 3", site_of("St. Elsewhere", KEY))
    assert frame.loc["0.jpeg"].isna()[["manufacturer", "device_model", "site"]].all()
    assert device_of((Path(done.out).parent / "in/device.dcm").read_bytes(), "").site == ""
    for file in Path(done.out).rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert KEY.encode() not in content
        assert b"Elsewhere" not in content


def test_status_counts_shards_rows_failures_and_time(done: Plan, copied: Path) -> None:
    status = data_set.status(done.out)
    assert (status.shards, status.rows, status.n_rows) == (status.n_shards, 8, 8)
    assert status.failed == {"UnreadableFileError": 1}
    assert status.seconds_left == 0
    files = sorted(copied.rglob("*.parquet"))
    for number, file in enumerate(files):
        os.utime(file, (number * 10, number * 10))
    files[0].unlink()
    partial = data_set.status(str(copied))
    assert partial.shards == status.shards - 1
    assert partial.seconds_left > 0


@pytest.mark.parametrize(
    ("start_end", "seconds"),
    [
        ([(0, 10), (10, 14), (14, 20)], 10),
        ([(0, 10), (1000, 1004), (1004, 1010)], 10),  # after a pause
        ([(0, 10), (5, 12), (8, 20)], 10),  # at the same time
        ([(0, 10), (None, 14), (None, 20)], 10),  # no start is known
        ([(0, 10), (99, 14), (14, 20)], 10),  # by another clock
        ([(0, 10), (9, 10), (10, 10)], None),
        ([(0, 10)], None),
        ([], None),
    ],
)
def test_the_rate_counts_no_time_in_which_nothing_was_read(copied: Path, start_end, seconds) -> None:
    store, files = Store(str(copied)), sorted(copied.rglob("*.parquet"))
    for file in files[len(start_end) :]:
        file.unlink()
    for file, (start, end) in zip(files, start_end, strict=False):
        os.utime(file, (end, end))
        store.replace(f"{attempts.FOLDER}/{file.stem}.json", b"[]" if start is None else f"[1,{start}]".encode())
    rows = sum(pq.ParquetFile(file).metadata.num_rows for file in files[1 : len(start_end)])
    assert data_set.status(str(copied)).rows_a_second == (seconds and pytest.approx(rows / seconds))


def test_a_copy_has_the_rate_and_the_time_of_the_original(done: Plan, copied: Path) -> None:
    for number, file in enumerate(sorted(copied.rglob("*.parquet"))):
        os.utime(file, (4e9 + number, 4e9 + number))
    for name in ("rows_a_second", "last_commit"):
        assert getattr(data_set.status(str(copied)), name) == getattr(data_set.status(done.out), name)
    assert data_set.summarize(str(copied)).reader_seconds == data_set.summarize(done.out).reader_seconds < 3600


def test_summary_counts_distribution_domain_and_time(done: Plan) -> None:
    made = data_set.summarize(done.out)
    frame = pd.read_parquet(f"{done.out}/readings")
    assert (made.rows, made.read, made.failed) == (8, 7, {"UnreadableFileError": 1})
    assert made.positive == (frame.decision == "positive").sum()
    assert sum(made.histogram) == 7
    assert made.quantile(0.5) == pytest.approx(frame.probability.median(), abs=0.001)
    assert {(group.manufacturer, group.device_model): group.read for group in made.groups} == {("", ""): 6, ("ACME", "Ray 3"): 1}
    assert made.reader_seconds > 0


def verified(plan: Plan, out: object, reader: Reader | None = None, sample: int = 0) -> tuple[str, ...]:
    return verification.verify(
        str(out), plan.manifest, reader, one_by_one(radiographs.read), sample=sample, site_key=KEY
    ).problems


def test_an_intact_data_set_has_no_problem_and_reads_the_same_again(done: Plan, reader: Reader) -> None:
    assert verified(done, done.out, reader, sample=8) == ()


def test_every_flipped_byte_is_found(done: Plan, copied: Path) -> None:
    file = sorted(copied.rglob("*.parquet"))[0]
    content = file.read_bytes()
    for at in range(0, len(content), max(1, len(content) // 7)):
        file.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        of_version = content.rindex(b"parquet-cpp-arrow version") <= at < len(content) - 8
        assert verified(done, copied) or of_version, at
    file.write_bytes(content)
    assert verified(done, copied) == ()


def test_lost_foreign_and_swapped_shards_are_found(done: Plan, copied: Path) -> None:
    first, second, *_ = sorted(copied.rglob("*.parquet"))
    content = first.read_bytes()
    first.unlink()
    assert any("has no results; run  pneumoscope archive read  again" in problem for problem in verified(done, copied))
    first.write_bytes(second.read_bytes())
    assert any("does not have exactly one row of each file" in problem for problem in verified(done, copied))
    first.write_bytes(content)
    foreign = first.parent.with_name("bucket=x00") / ("0" * 32 + ".parquet")
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(content)
    assert any("is not in the manifest" in problem for problem in verified(done, copied))
    foreign.unlink()
    (first.parent / "notes.txt").write_text("x")
    assert any("is no file of this data set; remove it" in problem for problem in verified(done, copied))


def test_a_result_that_reads_differently_is_found(done: Plan, copied: Path, reader: Reader) -> None:
    record = data_set.record_of(Store(str(copied)))
    for file in copied.rglob("*.parquet"):
        records = pq.ParquetFile(file).read().to_pylist()
        for one in records:
            if one["path"] == "1.jpeg":
                one["probability"] = (one["probability"] + 0.25) % 1
        file.write_bytes(result_table.encode(records, record.run))
    assert verified(done, copied, reader, sample=8) == ("'1.jpeg' was read again with another result (probability)",)


def test_a_source_that_is_gone_or_changed_is_no_other_result(done: Plan, copied: Path, reader: Reader) -> None:
    folder = Path(done.out).parent / "in"
    files = {name: ((folder / name).read_bytes(), (folder / name).stat()) for name in ("1.jpeg", "2.jpeg", "3.jpeg")}
    try:
        (folder / "1.jpeg").unlink()
        (folder / "2.jpeg").write_bytes(files["2.jpeg"][0] + b"\0")
        (folder / "3.jpeg").write_bytes(files["3.jpeg"][0][:-1] + b"\0")
        os.utime(folder / "3.jpeg", ns=(0, files["3.jpeg"][1].st_mtime_ns))
        problems = verified(done, copied, reader, sample=8)
    finally:
        for name, (content, times) in files.items():
            (folder / name).write_bytes(content)
            os.utime(folder / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    gone, changed, other = sorted(problems)
    assert gone == "'1.jpeg' cannot be read again: the file is not there; restore it, or build the manifest again with --update"
    assert changed.startswith("'2.jpeg' cannot be read again: the file was changed after the manifest was built; build the man")
    assert other.startswith("'3.jpeg' has another content than when it was read; restore it, or remove 'readings/bucket=x")


def test_a_file_that_was_away_and_is_there_is_named_with_what_to_do(done: Plan, copied: Path, reader: Reader) -> None:
    record = data_set.record_of(Store(str(copied)))
    row = Row("1.jpeg", Source("/in/1.jpeg"))
    for file in copied.rglob("*.parquet"):
        records = pq.ParquetFile(file).read().to_pylist()
        away = error_record(row, MissingSourceError("the file is not there"), record.run)
        file.write_bytes(result_table.encode([away if one["path"] == row.name else one for one in records], record.run))
    (problem,) = verified(done, copied, reader, sample=8)
    assert problem.startswith(
        "'1.jpeg' could not be read then (MissingSourceError), and can be now; run  pneumoscope archive read"
    )
    assert problem.endswith("--again MissingSourceError")


def test_a_manifest_that_was_moved_is_asked_for(done: Plan, copied: Path) -> None:
    text = (copied / "_run.json").read_text()
    (copied / "_run.json").write_text(text.replace(done.manifest, "/moved/m.parquet"))
    with pytest.raises(ArchiveError, match=r"'/moved/m\.parquet', cannot be opened; name it with --manifest"):
        verification.verify(str(copied), "", None, one_by_one(radiographs.read))
    assert verified(done, copied) == ()


def test_a_damaged_record_of_the_run_is_one_true_sentence(copied: Path) -> None:
    (copied / "_run.json").write_text((copied / "_run.json").read_text()[:-20])
    with pytest.raises(
        ArchiveError, match=r"_run\.json' is damaged or of another version .*; restore it from a copy, or read the"
    ):
        data_set.status(str(copied))


def _without(table: pa.Table) -> pa.Table:
    return table.select(["path", "probability"])


def _of_other_types(table: pa.Table) -> pa.Table:
    return pa.table({"path": [1, 2], "error_kind": [1, 2], "probability": ["a", "b"]})


def _twice(table: pa.Table) -> pa.Table:
    return table.append_column("error_kind", table["error_kind"])


def _of_null(table: pa.Table) -> pa.Table:
    return table.set_column(table.schema.get_field_index("probability"), "probability", pa.nulls(len(table), pa.float64()))


@pytest.mark.parametrize("change", [_without, _of_other_types, _twice])
@pytest.mark.parametrize("ask", [data_set.status, data_set.summarize])
def test_results_without_the_columns_of_this_version_are_named(copied: Path, change, ask) -> None:
    file = sorted(copied.rglob("*.parquet"))[0]
    pq.write_table(change(pq.ParquetFile(file).read()), file)
    with pytest.raises(DamagedResultsError, match=rf"'{file}' is no file of results .*; remove it, and run  pneumoscope archive"):
        ask(str(copied))


def test_results_with_neither_a_probability_nor_an_error_are_named(copied: Path) -> None:
    file = next(file for file in copied.rglob("*.parquet") if pq.ParquetFile(file).read()["probability"].null_count == 0)
    pq.write_table(_of_null(pq.ParquetFile(file).read()), file)
    with pytest.raises(DamagedResultsError, match=f"'{file}' has a radiograph with neither"):
        data_set.summarize(str(copied))


def test_text_of_results_that_is_none_is_named(copied: Path) -> None:
    file = sorted(copied.rglob("*.parquet"))[0]
    table = pq.ParquetFile(file).read()
    kinds = pa.Array.from_buffers(pa.string(), len(table), pa.array([b"\xff"] * len(table), pa.binary()).buffers())
    pq.write_table(table.set_column(table.schema.get_field_index("error_kind"), "error_kind", kinds), file)
    with pytest.raises(DamagedResultsError, match=f"'{file}' is damaged"):
        data_set.status(str(copied))


def test_a_folder_without_a_run_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is no data set; name the OUT of"):
        data_set.status(str(tmp_path))


def test_attempts_that_gave_a_result_do_not_count_as_killed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for dead in (0, 1, 2):
        with attempts.begun(store, "killed") as counted:
            assert counted == dead
            kept = store.read(f"{attempts.FOLDER}/killed.json")
        store.replace(f"{attempts.FOLDER}/killed.json", kept or b"")  # as a process leaves it that is killed
    for _ in range(3):
        with attempts.begun(store, "read") as counted:
            assert counted == 0


def test_shards_that_are_read_again_have_no_attempts(copied: Path, done: Plan) -> None:
    plan = replace(done, out=str(copied))
    assert any((copied / attempts.FOLDER).iterdir())
    removed, _ = shards.remove_failed(plan, ["UnreadableFileError"])
    assert removed == 1
    left = {file.stem for file in copied.rglob("*.parquet")}
    assert {file.stem for file in (copied / attempts.FOLDER).glob("*.json")} == left
