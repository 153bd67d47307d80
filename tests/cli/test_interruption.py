"""``pneumoscope read`` killed or interrupted in the middle, in a process of its own.

The run waits before it decodes the third file, having written two lines, until a file named ``go`` appears.
"""

import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from tests.cli.run import fresh, lines_of, run
from tests.radiograph.builders import png
from tests.reader.builders import quadrant, spot

NAMES = ("a.png", "b.png", "c.png", "d.png", "e.png")
PATIENCE_S = 60
WAITING = """
import sys, time
from pathlib import Path
from pneumoscope import radiograph
from pneumoscope.cli.main import entry

third, go = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
read_one = radiograph.read

def read_when_told(source):
    while source == third.read_bytes() and not go.exists():
        time.sleep(0.02)
    return read_one(source)

radiograph.read = read_when_told
entry()
"""


@pytest.fixture
def whole(tmp_path):
    """A folder of five radiographs."""
    folder = tmp_path / "whole"
    folder.mkdir()
    for k, name in enumerate(NAMES):
        (folder / name).write_bytes(png((quadrant, spot)[k % 2](80 + 8 * k)))
    return folder


@pytest.fixture
def waiting(whole, glass, tmp_path):
    """A run that has two lines and waits for its third file, with its folders and that file."""
    folder, out, go = shutil.copytree(whole, tmp_path / "in"), tmp_path / "out", tmp_path / "go"
    command = [sys.executable, "-c", WAITING, folder / NAMES[2], go, "read", folder, "-o", out, "--model", glass, "--no-isolate"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    patient_until = time.monotonic() + PATIENCE_S
    try:
        while not (out / "readings.jsonl").exists() or (out / "readings.jsonl").read_bytes().count(b"\n") < 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < patient_until
            time.sleep(0.02)
        yield process, folder, out, go
    finally:
        process.kill()
        process.communicate()


def test_lines_are_there_before_the_next_files_are_read(waiting):
    _, _, out, _ = waiting
    assert [line["path"] for line in lines_of(out)] == list(NAMES[:2])


def test_a_second_run_is_refused_while_the_first_lives_and_not_after_its_kill(waiting, glass):
    process, folder, out, _ = waiting
    assert "another run is writing to" in run("read", folder, "-o", out, "--model", glass, "--no-isolate").err
    process.kill()
    process.wait(PATIENCE_S)
    assert run("read", folder, "-o", out, "--model", glass, "--no-isolate").code == 0


def test_a_killed_run_goes_on_where_it_stopped_and_ends_in_the_same_lines(waiting, whole, glass, tmp_path):
    process, folder, out, _ = waiting
    process.kill()
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    with (out / "readings.jsonl").open("ab") as stream:
        stream.write(b'{"schema": 1, "path": "c.p')  # as if it had been killed within a line
    (out / "overlays" / ".0123456789ab.part").touch()  # and within an overlay
    again = run("read", folder, "-o", out, "--model", glass, "--no-isolate")
    uninterrupted = run("read", whole, "-o", tmp_path / "uninterrupted", "--model", glass)

    assert (again.code, again.err) == (0, "2 of 5 files were read before; going on\n")
    assert again.out.partition(":")[0] == uninterrupted.out.partition(":")[0]
    assert not list(out.rglob("*.part"))
    for path in (tmp_path / "uninterrupted").rglob("*.*"):
        assert (out / path.relative_to(tmp_path / "uninterrupted")).read_bytes() == path.read_bytes()
    assert [line["path"] for line in lines_of(out)] == list(NAMES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_in_one_sentence_and_keeps_its_lines(waiting, number):
    process, _, out, go = waiting
    process.send_signal(number)
    go.touch()  # the file that is being read is read to its end
    said, complained = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (130, "")
    assert complained.strip().startswith("interrupted; run the same command again")
    assert complained.strip().count("\n") == 0
    assert [line["path"] for line in lines_of(out)] == list(NAMES[:2])
    assert not list(out.rglob("*.part"))


# Ctrl-C at the import of a module, as it may come in any moment of a start.
AT_IMPORT = """
import os, sys

number, module = int(sys.argv.pop(1)), sys.argv.pop(1)

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Interrupting())
from pneumoscope.program import entry
entry()
"""


@pytest.mark.parametrize(
    ("number", "module", "arguments"),
    [
        (signal.SIGINT, "pneumoscope.cli.main", ["--help"]),
        (signal.SIGINT, "click", ["read", "--help"]),
        (signal.SIGTERM, "click", ["read", "--help"]),
        (signal.SIGINT, "pneumoscope.cli.cohort", ["cohort", "--help"]),
        (signal.SIGINT, "numpy", ["read", "--help"]),
        (signal.SIGINT, "click", ["train", "OUT"]),
        (signal.SIGINT, "click", ["archive", "read", "m.parquet", "-o", "train"]),
        (signal.SIGINT, "onnxruntime", ["demo", "--help"]),
    ],
)
def test_an_interruption_of_the_imports_is_one_line(number, module, arguments):
    ran = fresh(AT_IMPORT, number.value, module, *arguments)
    resumed = " with --resume" if arguments[0] == "train" else ""
    assert (ran.code, ran.out, ran.err) == (
        130,
        "",
        f"interrupted; run the same command again{resumed} to go on\n",
    )


def test_the_installed_program_starts_there():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"pneumoscope": "pneumoscope.program:entry"}
