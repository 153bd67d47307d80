"""The logic of the study's page in Node.js: typed ratings, undo, marks, signals, saving."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import pneumoscope

pytestmark = pytest.mark.browser


def test_the_logic_of_the_page(node):
    static = Path(pneumoscope.__file__).parent / "web" / "static"
    script = Path(__file__).with_name("study_logic.mjs")
    ran = subprocess.run(
        [node, "--test", script], env={**os.environ, "STATIC": str(static)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert re.search(r"pass 15\b", ran.stdout)
