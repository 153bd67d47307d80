"""Nothing phones home: no file below the home folder and no connection, in every way in which the package is entered.

Where strace is installed (CI installs it) the system calls of the process and its threads and children are looked at as well.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.radiograph.builders import png
from tests.reader.builders import quadrant

ENTRIES = {
    "the command": "from pneumoscope.cli.main import entry; entry()",
    "the reader": "import pneumoscope.reader, sys; pneumoscope.reader.Reader.load(sys.argv[6]).read(sys.argv[2])",
    "the lung finder": "from pneumoscope.lung_fields import LungFinder; LungFinder.load()",
    "a thread": (
        "import sys, threading; from pneumoscope.reader import Reader\n"
        "thread = threading.Thread(target=lambda: Reader.load(sys.argv[6]).read(sys.argv[2])); thread.start(); thread.join()"
    ),
    "a worker process": (
        "import multiprocessing; from pneumoscope.lung_fields import LungFinder\n"
        "worker = multiprocessing.get_context('spawn').Process(target=LungFinder.load); worker.start(); worker.join()\n"
        "assert worker.exitcode == 0"
    ),
}
PHONES_HOME = (
    "import pathlib, socket; (pathlib.Path.home() / 'id').touch(); "
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"
)
INTERNET = re.compile(r"(connect|sendto|sendmsg|sendmmsg)\(.*AF_INET")


def entered(code: str, home, *arguments) -> tuple[int, list[str], list[str]]:
    """Run Python code with an empty home folder: exit code, files left there, and system calls to the internet if traceable."""
    trace, tracer = home.parent / "trace", shutil.which("strace")
    prefix = [tracer, "-f", "-qq", "-e", "trace=network", "-o", trace] if tracer else []
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ORT_", "XDG_"))} | {"HOME": str(home)}
    done = subprocess.run([*prefix, sys.executable, "-c", code, *map(str, arguments)], env=environment, check=False)
    calls = trace.read_text().splitlines() if tracer else []
    files = sorted(path.relative_to(home).as_posix() for path in home.rglob("*"))
    return done.returncode, files, [call for call in calls if INTERNET.search(call)]


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.mark.parametrize("entry", ENTRIES)
def test_nothing_is_sent_and_nothing_left_in_the_home_folder(entry, home, glass, tmp_path):
    (tmp_path / "x.png").write_bytes(png(quadrant()))
    arguments = ("read", tmp_path / "x.png", "-o", tmp_path / "out", "--model", glass)
    assert entered(ENTRIES[entry], home, *arguments) == (0, [], [])


def test_a_program_that_phones_home_is_found_out(home):
    code, files, calls = entered(PHONES_HOME, home)
    assert (code, files) == (0, ["id"])
    assert bool(calls) == bool(shutil.which("strace"))
