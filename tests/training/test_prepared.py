"""Prepared squares: what a reading sees, kept under a key that other images, another order or another code do not share."""

import dataclasses
import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from pneumoscope import cache as caches
from pneumoscope import radiograph
from pneumoscope.classifier.preprocessing import Preprocessing, prepare
from pneumoscope.cohort import split
from pneumoscope.cohort.sample import sample
from pneumoscope.training.prepared import default_cache, images_stated, squares

WHOLE = Preprocessing(32)


def without_hashes(cohort):
    return dataclasses.replace(cohort, cases=tuple(dataclasses.replace(c, pixel_sha256="") for c in cohort.cases))


def test_squares_are_prepared_once_and_then_read_back(cohort, tmp_path, monkeypatch):
    first = squares(cohort, cohort.cases, WHOLE, tmp_path)
    assert (first.shape, first.dtype) == ((60, 1, 32, 32), np.uint8)
    monkeypatch.setattr(radiograph, "read", lambda _: pytest.fail("decoded again"))
    assert (squares(cohort, cohort.cases, WHOLE, tmp_path) == first).all()


def test_training_sees_what_a_reading_sees_on_256_levels(cohort, tmp_path):
    cases = cohort.cases[:6]
    trained_on = squares(cohort, cases, WHOLE, tmp_path).astype(np.float32) / np.float32(255)
    for square, case in zip(trained_on, cases, strict=True):
        read = prepare(radiograph.read(cohort.file(case)), WHOLE).pixels
        assert np.abs(square - read).max() <= 0.5 / 255 + 1e-6


def test_squares_are_in_the_order_of_their_cases(cohort, tmp_path):
    cases = cohort.cases[:6]
    forward, backward = squares(cohort, cases, WHOLE, tmp_path), squares(cohort, cases[::-1], WHOLE, tmp_path)
    assert (forward != backward).any()
    assert np.array_equal(forward, backward[::-1])


@pytest.mark.parametrize("hashed", [True, False])
def test_each_split_has_squares_of_its_own_whether_or_not_the_table_has_hashes_of_the_pixels(cohort, tmp_path, hashed):
    cohort = cohort if hashed else without_hashes(cohort)
    for name in ("train", "tune", "test"):
        cases = cohort.on(name)
        own = squares(cohort, cases, WHOLE, tmp_path)
        expected = [prepare(radiograph.read(cohort.file(case)), WHOLE).pixels for case in cases]
        np.testing.assert_allclose(own / 255, np.stack(expected), atol=0.51 / 255)


def test_the_three_splits_of_the_shipped_sample_are_three_sets_of_images(tmp_path):
    with sample() as shipped:
        shipped = split.by_ratio(shipped, ratios=(0.5, 0.25, 0.25))
        stated = [images_stated(shipped, shipped.on(name)) for name in ("train", "tune", "test")]
    assert [part["count"] for part in stated] == [8, 4, 4]
    assert len({part["sha256"] for part in stated}) == 3


def test_files_of_one_name_in_two_folders_are_two_images(cohort, tmp_path):
    cohort = without_hashes(cohort)
    a, b = cohort.cases[0], cohort.cases[1]
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(cohort.file(b), tmp_path / "elsewhere" / a.path)
    elsewhere = dataclasses.replace(cohort, root=tmp_path / "elsewhere")
    assert images_stated(cohort, [a]) != images_stated(elsewhere, [a])


def test_one_list_of_hashes_is_not_another_list_of_the_same_letters(cohort):
    def stated(*hashes):
        return images_stated(cohort, [dataclasses.replace(cohort.cases[0], pixel_sha256=h) for h in hashes])

    assert len({str(stated(*hashes)) for hashes in (("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"))}) == 4


def test_another_preprocessing_or_other_content_is_another_file(cohort, tmp_path):
    squares(cohort, cohort.cases, WHOLE, tmp_path)
    squares(cohort, cohort.cases, Preprocessing(48), tmp_path)
    changed = (dataclasses.replace(cohort.cases[0], pixel_sha256="other"), *cohort.cases[1:])
    squares(cohort, changed, WHOLE, tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_squares_of_another_version_of_the_code_are_prepared_again(cohort, tmp_path, monkeypatch):
    squares(cohort, cohort.cases[:6], WHOLE, tmp_path)
    monkeypatch.setattr(caches, "code_sha256", lambda *_: "after an upgrade")
    squares(cohort, cohort.cases[:6], WHOLE, tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_the_cache_is_not_kept_in_memory_and_cannot_be_written_to(cohort, tmp_path):
    prepared = squares(cohort, cohort.cases[:6], WHOLE, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        prepared[0] = 0


def test_a_preparation_that_fails_leaves_no_file(cohort, tmp_path, monkeypatch):
    def broken(_):
        raise radiograph.UnreadableFileError("damaged meanwhile")

    monkeypatch.setattr(radiograph, "read", broken)
    with pytest.raises(radiograph.UnreadableFileError, match="damaged meanwhile"):
        squares(cohort, cohort.cases, WHOLE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_file_and_the_next_run_prepares_all(cohort, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array_header_2_0", full)
        with pytest.raises(OSError, match="No space left"):
            squares(cohort, cohort.cases, WHOLE, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert squares(cohort, cohort.cases, WHOLE, tmp_path).shape == (60, 1, 32, 32)


def test_the_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "pneumoscope"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "pneumoscope"


@pytest.mark.parametrize("position", [0, 20, 4000])
@pytest.mark.parametrize("how", ["cut", "flipped bit"])
def test_damage_is_noticed_and_the_images_are_prepared_again(cohort, tmp_path, position, how, caplog):
    cases = cohort.cases[:6]
    prepared = squares(cohort, cases, WHOLE, tmp_path).copy()
    (file,) = tmp_path.glob("*.npy")
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content[:position] if how == "cut" else content)
    assert np.array_equal(squares(cohort, cases, WHOLE, tmp_path), prepared)
    assert [record.getMessage() for record in caplog.records] == [
        f"'{file}' (prepared squares) is damaged: its content is not what was written; it is made again"
    ]
    assert np.array_equal(squares(cohort, cases, WHOLE, tmp_path), prepared)
    assert len(caplog.records) == 1
