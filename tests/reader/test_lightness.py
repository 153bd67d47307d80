"""Reading starts no heavy package."""

from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.archive import decoding
from pneumoscope.cohort.sample import sample
from tests.cli.run import fresh
from tests.radiograph.builders import cr, written

HEAVY = {"torch", "torchvision", "timm", "matplotlib", "sklearn", "pyarrow", "onnx"}
SLOW_TO_LOAD = {"pydicom", "openjpeg", "jpeg_ls", "tqdm", "numpy.ma", "numpy.random"}
"""What a picture does not need; pydicom alone took an eighth of the time of a cold start."""
TELL = "import sys; print('loaded:', *sorted(sys.modules))"
READ = "import pneumoscope.cli.read\nfrom pneumoscope.cli.main import main\nassert main(sys.argv[1:]) == 0"


def loaded_after(code: str, *arguments) -> set[str]:
    ran = fresh(f"import sys\n{code}\n{TELL}", *arguments)
    assert ran.code == 0, ran.err
    return set(ran.out.rpartition("loaded:")[2].split())


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_reading_a_picture_loads_no_heavy_package_and_none_that_only_dicom_needs(tmp_path, file_format):
    with sample() as cohort, Image.open(cohort.file(cohort.cases[0])) as image:
        image.convert("L").save(tmp_path / "one", file_format)
    loaded = loaded_after(READ, "read", tmp_path / "one", "-o", tmp_path / "out")
    assert "onnxruntime" in loaded
    assert not loaded & (HEAVY | SLOW_TO_LOAD)


def test_reading_a_dicom_file_loads_pydicom_and_no_heavy_package(tmp_path):
    (tmp_path / "one.dcm").write_bytes(written(cr(np.arange(4096).reshape(64, 64))))
    loaded = loaded_after(READ, "read", tmp_path / "one.dcm", "-o", tmp_path / "out")
    assert "pydicom" in loaded
    assert not loaded & HEAVY


def test_a_worker_process_has_loaded_every_decoder_before_its_limits_hold(monkeypatch):
    handed_over = []
    monkeypatch.setattr(decoding, "LimitedPool", lambda function, *_, **__: handed_over.append(function) or nullcontext())
    with decoding.decoder(True, 1):
        pass
    assert "pydicom" in loaded_after(f"import {handed_over[0].__module__}")
    assert "pydicom" not in loaded_after("import pneumoscope.radiograph.files")


def test_a_name_that_needs_pydicom_is_loaded_when_it_is_used():
    loaded = loaded_after("from pneumoscope import radiograph\nassert 'pydicom' not in sys.modules\nradiograph.container_of")
    assert "pydicom" in loaded
    with pytest.raises(AttributeError, match="no attribute 'containr_of'"):
        _ = radiograph.containr_of


def test_the_check_sees_a_heavy_package_where_there_is_one():
    assert "torch" in loaded_after("import pneumoscope.training.loss")
