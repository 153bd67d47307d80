"""Archives whose files are decoded at a reduced scale: said in every line, the same however they are read, and near to full."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from openjpeg.utils import encode_array
from PIL import Image
from pydicom.uid import JPEG2000Lossless

from pneumoscope.archive import ArchiveError, Options, local_engine, manifest, read_files, result_table
from pneumoscope.archive.outputs import FurtherFiles
from pneumoscope.reader import Reader
from pneumoscope.readings import form
from tests.archive.conftest import SAMPLE, plan_of
from tests.cli.run import by_path, run
from tests.radiograph.builders import cr, framed, written

MOST_DIFFERENCE = 0.005
"""Of the probability; ``benchmarks/reduced_decoding.py`` compares many more radiographs."""


def as_jpeg_2000(picture: Image.Image) -> bytes:
    """A CR image of twelve bits without loss, with noise in its lowest bits as that of a detector."""
    values = np.asarray(picture, np.uint16) << 4 | np.random.default_rng(0).integers(0, 16, (picture.height, picture.width))
    header = {"WindowCenter": 2048, "WindowWidth": 4096, "PatientOrientation": ["L", "F"]}
    frame = encode_array(values.astype(np.uint16), bits_stored=12, photometric_interpretation=2)
    return written(framed(cr(values, **header), frame, JPEG2000Lossless))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shipped radiographs as JPEG 2000, large enough to be reduced, and two files that are decoded in full."""
    folder = tmp_path_factory.mktemp("reduced") / "in"
    folder.mkdir()
    normal, pneumonia = (sorted((SAMPLE / name).glob("*.jpeg"))[-1] for name in ("NORMAL", "PNEUMONIA"))
    for name, file in (("a.dcm", normal), ("b.dcm", pneumonia)):
        with Image.open(file) as source:
            factor = 1800 / min(source.size)
            size = round(source.width * factor), round(source.height * factor)
            (folder / name).write_bytes(as_jpeg_2000(source.convert("L").resize(size)))
            source.convert("L").resize((300, 250)).save(folder / "d.png")
    (folder / "c.jpeg").write_bytes(pneumonia.read_bytes())
    return folder


def test_lines_say_the_scale_and_differ_by_little(files: Path, tmp_path: Path) -> None:
    full, reduced = tmp_path / "full", tmp_path / "reduced"
    assert run("read", files, "-o", full, "--no-overlays", "--no-isolate").code == 0
    assert run("read", files, "-o", reduced, "--decode", "reduced", "--overlay-format", "jpeg").code == 0
    exact, near = by_path(full), by_path(reduced)
    assert {name: line.get("decoded_scale") for name, line in near.items()} == {
        "a.dcm": 0.5, "b.dcm": 0.5, "c.jpeg": None, "d.png": None,
    }  # fmt: skip
    assert not any("decoded_scale" in line for line in exact.values())
    for name, line in near.items():
        form.parse_line(json.dumps(line))
        assert abs(line["probability"] - exact[name]["probability"]) <= MOST_DIFFERENCE
        assert all(line[part] == exact[name][part] for part in ("decision", "rows", "cols", "cautions"))
        if name in ("c.jpeg", "d.png"):
            assert line == exact[name]
        with Image.open(reduced / "overlays" / f"{name}.jpeg") as overlay:
            assert overlay.height > 240


def test_the_other_setting_is_read_again_and_leaves_what_a_fresh_run_would(files: Path, tmp_path: Path) -> None:
    one, fresh = tmp_path / "one", tmp_path / "fresh"
    for out, decode in ((one, "reduced"), (one, "full"), (fresh, "full")):
        again = run("read", files / "a.dcm", "-o", out, "--no-overlays", "--decode", decode)
        assert again.code == 0
        assert "were read before" not in again.err
    assert {path.name: path.read_bytes() for path in one.glob("r*")} == {
        path.name: path.read_bytes() for path in fresh.glob("r*")
    }


def test_a_data_set_says_the_scale(files: Path, reader: Reader) -> None:
    plan = plan_of(files, reader, options=Options(decode="reduced"))
    with plan.store.only_writer():
        assert sum(count.rows for count in local_engine.read_shards(plan, reader, workers=1, isolate=False)) == 4
    rows = [row for file in Path(plan.out).rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    assert {row["path"]: row["decoded_scale"] for row in rows}.items() >= {"a.dcm": 0.5, "b.dcm": 0.5, "d.png": None}.items()
    assert result_table.SCHEMA.field("decoded_scale").nullable
    with pytest.raises(ArchiveError, match="holds results of other options"):
        plan_of(files, reader)


def test_the_reader_decodes_as_it_is_asked(files: Path, reader: Reader) -> None:
    paths = [files / "a.dcm", files / "d.png"]
    scales = {
        decode: [outcome.reading.decoded_scale for outcome in reader.read_many(paths, decode=decode) if outcome.reading]
        for decode in ("full", "reduced")
    }
    assert scales == {"full": [1, 1], "reduced": [0.5, 1]}


def test_objects_need_every_pixel(files: Path, tmp_path: Path, reader: Reader) -> None:
    refused = run("read", files, "-o", tmp_path / "out", "--decode", "reduced", "--dicom-out", "sr")
    assert refused.code == 2
    assert "--dicom-out writes objects of every pixel; leave out --decode reduced" in refused.err
    further = FurtherFiles("none", lambda *_: {})
    with pytest.raises(ArchiveError, match="made from every pixel of a radiograph; decode in full"):
        items = manifest.find([str(files)], tmp_path / "out").items
        read_files(reader, items, tmp_path / "out", Options(decode="reduced"), further=further)
