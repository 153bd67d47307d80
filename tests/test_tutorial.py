"""The tutorial runs from its first cell to its last."""

import os
import sysconfig
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "tutorial.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the notebook's own machinery
def test_the_tutorial_runs_and_its_commands_succeed(tmp_path, monkeypatch):
    scripts = sysconfig.get_path("scripts")  # where `pneumoscope` is, whether the environment is activated or not
    monkeypatch.setenv("PATH", scripts, prepend=os.pathsep)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("!"):
            cell.source += "\nassert _exit_code == 0"
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "tutorial" / "readings" / "readings.jsonl").exists()
