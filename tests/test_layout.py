"""The layout: what may load PyTorch, how folders are called, where imports stand."""

import ast
from pathlib import Path

import pneumoscope
from tests.cli.run import fresh

SOURCE = Path(pneumoscope.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
LIGHT = (
    "radiograph", "lung_fields", "cohort", "reader", "readings", "heatmap", "evaluation", "reports", "classifier", "statistics",
    "reference", "localization", "archive", "dicom_objects", "comparison", "reader_study", "web", "pacs",
)  # fmt: skip
NEED_TORCH = {
    "classifier.network",
    "lung_fields.triangle_filter",
    "classifier.evidence_network",
    "classifier.timm_weights",
    "classifier.weights",
    "classifier.checkpoint",
    "heatmap.gradcam",
    "heatmap.attention",
    "heatmap.explain",
    "heatmap.library_explainers",
    "heatmap.randomization",
    "classifier.device",
    "lung_fields.graph_module",
    "lung_fields.network",
}

# Imports the modules that are named and says after which of them PyTorch was there.
FIRST_WITH_TORCH = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "torch" in sys.modules:
        sys.exit(f"torch came with {name}")
print("no torch")
"""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imports_within_functions(source: str) -> list[int]:
    """Lines of imports that are run only when a function is called."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = [node for function in functions for node in ast.walk(function)]
    return sorted({node.lineno for node in inside if isinstance(node, ast.Import | ast.ImportFrom)})


def test_folders_and_their_modules_are_imported_without_torch():
    names = [name for name in map(name_of, MODULES) if name.split(".")[0] in LIGHT]
    assert set(LIGHT) | NEED_TORCH < set(names)
    ran = fresh(FIRST_WITH_TORCH, *(f"pneumoscope.{name}" for name in names if name not in NEED_TORCH))
    assert (ran.code, ran.out) == (0, "no torch\n"), ran.err


def test_a_module_that_does_load_torch_is_found_out():
    ran = fresh(FIRST_WITH_TORCH, "pneumoscope.radiograph", "pneumoscope.training.loss")
    assert (ran.code, ran.err) == (1, "torch came with pneumoscope.training.loss\n")


def test_no_module_has_a_name_that_says_nothing():
    parts = {part for path in MODULES for part in name_of(path).split(".")}
    assert {"radiograph", "overlay"} <= parts
    assert not {part.strip("_").lower() for part in parts} & {"utils", "util", "helpers", "helper", "common", "core", "misc"}


def test_imports_stand_at_the_top():
    assert len(MODULES) > 50
    assert {name_of(path): lines for path in MODULES if (lines := imports_within_functions(path.read_text("utf-8")))} == {}


def test_an_import_within_a_function_is_found_out():
    source = "import a\n\n\nclass C:\n    def f(self):\n        if 1:\n            from b import c\n        import d\n"
    assert imports_within_functions(source) == [7, 8]
