"""What is packed comes back as it was."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from full_comparison import archive
from full_comparison.archive import Archive, Entry
from PIL import Image


def a_file(shade: int) -> bytes:
    stream = io.BytesIO()
    grey = (np.add.outer(np.arange(40), np.arange(48)) + shade).astype(np.uint8)
    Image.fromarray(grey).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def packed() -> Archive:
    entries = tuple(
        Entry(
            "kermany" if k < 3 else "rsna", f"{k}.png", f"p{k}", "label", "", k % 2, "test" if k else "train", "found", 0.9, 0.8
        )
        for k in range(5)
    )
    lungs = np.zeros((5, 2, 16, 16), bool)
    lungs[:, 0, 4:12, 2:7] = lungs[:, 1, 4:12, 9:14] = True
    lungs[2, 1] = False
    region = np.zeros((40, 48), bool)
    region[10:20, 5:9] = True
    files = tuple(a_file(k) for k in range(5))
    return Archive(entries, files, lungs, {3: region, 4: ~region}, "f" * 64, {"kermany": "a" * 64, "rsna": "b" * 64})


def test_round_trip_in_pieces(packed: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PIECE_BYTES", 300)
    paths = archive.write(packed, tmp_path)
    assert len(paths) > 1
    assert max(p.stat().st_size for p in paths) <= 300
    back = archive.read(tmp_path)
    assert (back.entries, back.files, back.lungs_sha256) == (packed.entries, packed.files, packed.lungs_sha256)
    assert dict(back.split_sha256) == dict(packed.split_sha256)
    np.testing.assert_array_equal(back.lungs, packed.lungs)
    assert back.regions.keys() == packed.regions.keys()
    for k in packed.regions:
        np.testing.assert_array_equal(back.regions[k], packed.regions[k])


def test_entries_of_a_split(packed: Archive) -> None:
    assert packed.of("kermany", "test").tolist() == [1, 2]
    assert packed.of("rsna").tolist() == [3, 4]


def test_lung_fields_lie_on_the_radiograph(packed: Archive) -> None:
    image = packed.radiograph(1)
    fields = packed.lung_fields(1, image)
    assert (image.rows, image.cols, fields.state) == (40, 48, "found")
    assert fields.mask.shape == (40, 48)
    # Rows 4 to 12 of 16 on 40 rows are 10 to 30; columns 2 to 7 of 16 on 48 are 6 to 21.
    assert fields.right[20, 13]
    assert not fields.right[5, 13]
    assert not fields.right[20, 30]


def test_a_state_that_is_none_is_refused(packed: Archive) -> None:
    odd = dataclasses.replace(packed, entries=(dataclasses.replace(packed.entries[0], state="lost"),))
    with pytest.raises(ValueError, match="lost"):
        odd.lung_fields(0, packed.radiograph(0))
