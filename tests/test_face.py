"""The face of the package: each name is imported when it is used, and nothing heavy before."""

import pytest

import pneumoscope
from pneumoscope.cohort.sample import sample
from tests.cli.run import fresh
from tests.cli.test_main import WITHOUT
from tests.radiograph.builders import png
from tests.reader.builders import quadrant

LIGHT_NAMES = ("read", "Reader", "Radiograph", "Reading", "ModelReading")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "compare" else ()) for name in pneumoscope.__all__]
)
def test_every_name_is_there_and_listed(name):
    assert getattr(pneumoscope, name)
    assert name in dir(pneumoscope)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'pneumoscope' has no attribute 'reed'"):
        pneumoscope.reed  # noqa: B018 - the access is the test


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import pneumoscope\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    assert fresh(code).out == "pneumoscope\n"


def test_reading_in_one_call_gives_what_a_reader_gives(tmp_path, glass):
    content = png(quadrant())
    (tmp_path / "a.png").write_bytes(content)
    for source in (content, tmp_path / "a.png", str(tmp_path / "a.png")):
        reading = pneumoscope.read(source, model=glass)
        assert (reading.decision, len(reading.findings)) == ("positive", 1)


def test_the_shipped_model_reads_by_name():
    with sample() as cohort:
        file = cohort.file(cohort.cases[-1])
        by_default, whole = pneumoscope.read(file), pneumoscope.read(file, model="whole")
    assert by_default.decision == whole.decision == "positive"
    assert by_default.model.name != whole.model.name


@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_the_light_names_need_no_extra(name):
    absent = "torch,torchvision,timm,onnx,safetensors,cv2,pyarrow,sklearn,scipy,matplotlib,imagehash"
    code = WITHOUT.partition("from pneumoscope")[0] + "import pneumoscope; print(getattr(pneumoscope, sys.argv[2]).__name__)"
    assert fresh(code, absent, name).out == f"{name}\n"


def test_a_missing_extra_is_named():
    code = "import pneumoscope\ntry: pneumoscope.evaluate\nexcept Exception as error: print(error)"
    ran = fresh(WITHOUT.partition("from pneumoscope")[0] + code, "sklearn,scipy,pyarrow")
    assert ran.out == "pneumoscope.evaluate needs packages that are not installed: run  pip install 'pneumoscope[evaluate]'\n"
