"""Ray on this machine alone, as the command starts it by default."""

import os
import subprocess
import sys

import pytest

from tests.archive.ray_archives import make_archive
from tests.archive.ray_runs import PATIENCE_SECONDS, require_equal

pytestmark = pytest.mark.nightly

ONE_CORE = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from pneumoscope.cli.main import entry; entry()"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_a_machine_with_one_core_reads_an_archive(tmp_path, glass):
    """Nothing but the reader may need a core: dividing the list of shards once did, and waited for one forever."""
    archive, out = make_archive(tmp_path / "in", glass, 24), tmp_path / "out"
    command = [sys.executable, "-c", ONE_CORE, "archive", "read", str(archive.manifest), "-o", str(out), "--engine", "ray"]
    done = subprocess.run(
        [*command, "--model", str(archive.bundle)], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    require_equal(archive, out)
