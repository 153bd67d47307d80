"""The shipped sample is complete, unchanged, and a cohort like any other."""

import csv
import hashlib
from collections import Counter

import pytest

from pneumoscope import radiograph
from pneumoscope.cohort import kermany
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


def test_sample_can_be_split(shipped):
    assert {c.split for c in by_ratio(shipped).cases} == {"train", "tune", "test"}
