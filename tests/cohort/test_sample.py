"""The shipped sample is complete, unchanged, and a cohort like any other."""

import csv
import hashlib
from collections import Counter

import pytest

from pneumoscope import radiograph
from pneumoscope.cohort import SPLITS, table
from pneumoscope.cohort.build import build
from pneumoscope.cohort.layouts import kermany
from pneumoscope.cohort.opened_file import pixel_sha256
from pneumoscope.cohort.sample import sample
from pneumoscope.cohort.split import by_ratio


@pytest.fixture(scope="module")
def shipped():
    with sample() as cohort:
        yield cohort


@pytest.fixture(scope="module")
def manifest(shipped):
    with (shipped.root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return {row["path"]: row for row in csv.DictReader(stream)}


def test_sample_has_sixteen_files_of_fifteen_patients(shipped):
    assert len(shipped.cases) == 16
    assert len({c.patient_id for c in shipped.cases}) == 15
    assert Counter(c.reference for c in shipped.cases) == {0: 8, 1: 8}


def test_manifest_lists_every_file_that_is_there_and_no_other(shipped, manifest):
    assert {p.relative_to(shipped.root).as_posix() for p in shipped.root.rglob("*.jpeg")} == set(manifest)


def test_every_file_has_the_sha256_of_the_manifest(shipped, manifest):
    for case in shipped.cases:
        assert hashlib.sha256(shipped.file(case).read_bytes()).hexdigest() == manifest[case.path]["sha256"]


def test_every_file_has_the_size_and_the_patient_that_the_manifest_says(shipped):
    for case in shipped.cases:
        image = radiograph.read(shipped.file(case))
        name = kermany.parse(shipped.file(case).stem)
        assert (case.rows, case.cols) == (image.rows, image.cols)
        assert (case.patient_id, case.subtype) == (name.patient_id, name.subtype)
        assert case.label == shipped.file(case).parent.name
        assert case.file_bytes == shipped.file(case).stat().st_size


def test_every_case_has_the_hash_of_its_grey_levels_and_no_two_the_same(shipped):
    """A cache that is keyed by the images of a cohort must tell these sixteen apart."""
    assert [c.pixel_sha256 for c in shipped.cases] == [pixel_sha256(radiograph.read(shipped.file(c))) for c in shipped.cases]
    assert len({c.image for c in shipped.cases}) == 16


def test_sample_is_what_the_layout_builds_of_its_files(shipped):
    def facts(case):
        return (case.path, case.label, case.reference, case.patient_id, case.subtype, case.rows, case.cols, case.pixel_sha256)

    built = build(kermany.read(shipped.root)).cohort
    assert sorted(map(facts, built.cases)) == sorted(map(facts, shipped.cases))


def test_sample_can_be_split_stored_and_read_again(shipped, tmp_path):
    divided = by_ratio(shipped, ratios=(0.5, 0.25, 0.25))
    assert {split: len(divided.on(split)) for split in SPLITS} == {"train": 8, "tune": 4, "test": 4}
    table.write(divided, tmp_path / "sample.csv")
    assert table.read(tmp_path / "sample.csv").cases == divided.cases
