"""Reading starts no heavy package."""

from pneumoscope.cohort.sample import sample
from tests.cli.run import fresh

HEAVY = {"torch", "torchvision", "timm", "matplotlib", "sklearn", "pyarrow", "onnx"}
TELL = "import sys; print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"


def loaded_after(code: str, *arguments) -> set[str]:
    ran = fresh(f"import sys\n{code}\n{TELL}", *arguments)
    assert ran.code == 0, ran.err
    return set(ran.out.rpartition("loaded:")[2].split())


def test_reading_a_radiograph_loads_no_heavy_package(tmp_path):
    with sample() as cohort:
        code = "import pneumoscope.cli.read\nfrom pneumoscope.cli.main import main\nassert main(sys.argv[1:]) == 0"
        loaded = loaded_after(code, "read", cohort.file(cohort.cases[0]), "-o", tmp_path)
    assert "onnxruntime" in loaded
    assert not loaded & HEAVY


def test_the_check_sees_a_heavy_package_where_there_is_one():
    assert "torch" in loaded_after("import pneumoscope.training.loss")
