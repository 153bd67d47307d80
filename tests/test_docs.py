"""What the documentation says is what the program does."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pneumoscope.cli.main import VERBS
from pneumoscope.cohort.sample import sample

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _generate():
    sys.path.insert(0, str(ROOT / "docs"))  # as for a script that is run from there
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["README.md", "docs/commands.md", "docs/readings.md", "docs/localization.md", "docs/performance.md"]
)
def test_generated_text_has_not_drifted_from_the_program(name):
    text = _generate().texts()[ROOT / name]
    assert (ROOT / name).read_text(encoding="utf-8") == text, "run  make docs"


def test_readme_shows_every_verb():
    for verb in VERBS:
        assert re.search(rf"^pneumoscope {verb}\b", README, re.MULTILINE), verb


def test_readme_python_runs_on_a_shipped_radiograph():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with sample() as cohort:
        file = cohort.file(cohort.cases[-1])
        code = code.replace('"chest.dcm"', repr(str(file))) + "\nprint(reading.decision, reading.heatmap.values.shape)"
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert "(1128, 1664)" in done.stdout  # rows and columns of that file in the sample's manifest


def test_links_of_the_documentation_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_says_that_it_is_no_medical_device():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert "not a medical device" in page.read_text(encoding="utf-8"), page.name
