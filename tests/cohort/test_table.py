"""A cohort on disk, as Parquet and as CSV: back as it was, and refused where it was changed after its split."""

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from pneumoscope.cohort import CohortError
from pneumoscope.cohort.split import by_ratio
from pneumoscope.cohort.table import not_the_cohort, read, write
from tests.cohort.conftest import case, cohort

SUFFIXES = (".parquet", ".csv")
LATER = ("source", "age_years", "sex", "view_position", "population")


@pytest.fixture
def given(tmp_path):
    """An unsplit cohort with every kind of value that a table must bring back."""
    return cohort(
        case("a/1,2.png", "Ünal", subtype="virus", official_split="test", rows=1000, cols=900, file_bytes=2**40),
        case('b "x".png', "p;2\tq", "PNEUMONIA", rows=1, pixel_sha256="", source="nih"),
        case("c.png", "007", "line\nbreak"),
        root=tmp_path / "images",
        source="a test",
        unreadable=("d.png: damaged",),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_written_is_read_back_equal(tmp_path, given, suffix):
    for stored in (given, by_ratio(given, ratios=(0.5, 0.25, 0.25))):
        write(stored, tmp_path / f"c{suffix}")
        assert read(tmp_path / f"c{suffix}") == stored


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_age_sex_view_population_and_source_are_read_back(tmp_path, given, suffix):
    known = {"source": "nih", "age_years": 0.5, "sex": "F", "view_position": "AP", "population": "child"}
    stored = replace(given, cases=(replace(given.cases[0], **known), *given.cases[1:]))
    write(stored, tmp_path / f"c{suffix}")
    assert read(tmp_path / f"c{suffix}").cases == stored.cases


def test_a_parquet_cohort_of_an_earlier_version_is_read_without_what_it_does_not_have(tmp_path, given):
    split = by_ratio(given, ratios=(0.5, 0.25, 0.25))
    write(split, tmp_path / "c.parquet")
    now = parquet.read_table(tmp_path / "c.parquet")
    parquet.write_table(now.drop_columns(list(LATER)), tmp_path / "former.parquet")
    assert read(tmp_path / "former.parquet").cases == tuple(replace(c, source="") for c in split.cases)


@pytest.mark.parametrize("age", ["-1", "nan", "inf", "old"])
def test_an_age_that_is_none_is_refused(tmp_path, given, age):
    write(given, tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with (tmp_path / "c.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows({**row, "age_years": age} for row in rows)
    with pytest.raises(CohortError, match="is no cohort table of format 1"):
        read(tmp_path / "c.csv")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_with_table_and_images_can_be_moved_as_a_whole(tmp_path, given, suffix):
    write(replace(given, root=tmp_path / "here" / "images"), tmp_path / "here" / f"c{suffix}")
    (tmp_path / "here").rename(tmp_path / "there")
    assert read(tmp_path / "there" / f"c{suffix}").root == tmp_path / "there" / "images"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_are_found_from_a_table_in_a_linked_folder(tmp_path, given, suffix):
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "down", target_is_directory=True)
    write(given, tmp_path / "link" / f"c{suffix}")
    assert read(tmp_path / "link" / f"c{suffix}").root == tmp_path / "images"


# Changed after the split


def moved(row):
    return {"split": "test" if row["split"] == "train" else "train"}


CHANGES = {
    "a case moved to another side": lambda rows: [{**rows[0], **moved(rows[0])}, *rows[1:]],
    "another patient": lambda rows: [{**rows[0], "patient_id": "somebody"}, *rows[1:]],
    "another reference": lambda rows: [{**rows[0], "reference": 1 - int(rows[0]["reference"])}, *rows[1:]],
    "another image": lambda rows: [{**rows[0], "pixel_sha256": "ff"}, *rows[1:]],
    "a case dropped": lambda rows: rows[1:],
    "a case doubled": lambda rows: [rows[0], *rows],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_parquet_edited_after_splitting_is_refused(tmp_path, given, change):
    path = tmp_path / "c.parquet"
    write(by_ratio(given), path)
    stored = parquet.read_table(path)
    edited = pyarrow.Table.from_pylist(change(stored.to_pylist())).replace_schema_metadata(stored.schema.metadata)
    parquet.write_table(edited, path)
    with pytest.raises(CohortError, match="changed after its split was drawn"):
        read(path)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_csv_edited_after_splitting_is_refused(tmp_path, given, change):
    path = tmp_path / "c.csv"
    write(by_ratio(given), path)
    with path.open(newline="", encoding="utf-8") as stream:
        rows = change(list(csv.DictReader(stream)))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(CohortError, match="changed after its split was drawn"):
        read(path)


def test_rows_in_another_order_are_the_same_split(tmp_path, given):
    path = tmp_path / "c.parquet"
    write(by_ratio(given), path)
    stored = parquet.read_table(path)
    parquet.write_table(stored.take(np.arange(stored.num_rows)[::-1]), path)
    assert read(path).cases == by_ratio(given).cases[::-1]


# What is no cohort


def test_a_missing_file_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(CohortError, match="pneumoscope cohort build"):
        read(tmp_path / "c.parquet")


def test_only_parquet_and_csv_are_written(tmp_path, given):
    with pytest.raises(CohortError, match=r"not as 'c\.xlsx'"):
        write(given, tmp_path / "c.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_and_a_foreign_parquet_are_refused(tmp_path, given):
    path = tmp_path / "c.parquet"
    write(given, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CohortError, match="no intact Parquet"):
        read(path)
    parquet.write_table(pyarrow.table({"x": [1]}), path)
    with pytest.raises(CohortError, match="but no cohort"):
        read(path)


def head_with(**values):
    """Change what the JSON beside a CSV says."""
    return lambda text: json.dumps({**json.loads(text), **values})


@pytest.mark.parametrize(
    "change",
    [lambda text: text[:-1], lambda text: "[]", lambda text: "{}", head_with(format=2), head_with(split={"rule": "x"})],
    ids=["damaged", "a list", "empty", "of another format", "half a split"],
)
def test_a_csv_with_a_head_that_is_no_cohorts_is_refused(tmp_path, given, change):
    write(given, tmp_path / "c.csv")
    head = tmp_path / "c.csv.json"
    head.write_text(change(head.read_text()))
    with pytest.raises(CohortError, match="no cohort table of format 1"):
        read(tmp_path / "c.csv")


def test_a_csv_alone_or_with_foreign_content_is_refused(tmp_path, given):
    path = tmp_path / "c.csv"
    write(given, path)
    for content in (b"path,label\na,b\n", b"\xff\xfe\x81"):
        path.write_bytes(content)
        with pytest.raises(CohortError, match="no cohort table"):
            read(path)
    (tmp_path / "c.csv.json").unlink()
    with pytest.raises(CohortError, match=r"with its \.csv\.json"):
        read(path)


def test_report_beside_a_csv_cohort_does_not_destroy_it(tmp_path, given):
    """`cohort audit cohort.csv -o cohort.json` wrote over what the CSV needs."""
    write(given, tmp_path / "cohort.csv")
    (tmp_path / "cohort.json").write_text("a report")
    assert read(tmp_path / "cohort.csv") == given


@pytest.mark.parametrize("name", ["cohort.csv", "cohort.csv.json", "cohort.json", "../{}/cohort.csv"])
def test_report_over_the_cohort_itself_is_refused(tmp_path, given, name):
    write(given, tmp_path / "cohort.csv")
    with pytest.raises(CohortError, match="is part of the cohort itself"):
        not_the_cohort(tmp_path / name.format(tmp_path.name), tmp_path / "cohort.csv")
    not_the_cohort(tmp_path / "audit.json", tmp_path / "cohort.csv")


def test_csv_cohort_of_version_0_1_is_read(tmp_path, given):
    """Its second file had the name of the CSV with another suffix, and its columns other names."""
    split = by_ratio(given, ratios=(0.5, 0.25, 0.25))
    write(split, tmp_path / "c.csv")
    (tmp_path / "c.csv.json").rename(tmp_path / "c.json")
    text = (tmp_path / "c.csv").read_text(encoding="utf-8")
    header, _, rest = text.partition("\n")
    names = header.replace("official_split", "official_side").replace(",split,", ",side,").split(",")
    former = ",".join(names[: names.index("remarks")])
    rows = list(csv.reader(rest.splitlines(keepends=True)))
    with (tmp_path / "c.csv").open("w", newline="", encoding="utf-8") as stream:
        stream.write(former + "\n")
        csv.writer(stream, lineterminator="\n").writerows(row[: names.index("remarks")] for row in rows)
    assert read(tmp_path / "c.csv") == replace(split, cases=tuple(replace(c, source="") for c in split.cases))
