"""The examples of a service and of a container: systemd accepts the unit, and both call verbs that there are."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pneumoscope.pacs import supervisor
from tests.cli.run import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "pacs"
UNIT = (EXAMPLES / "pneumoscope-node.service").read_text(encoding="utf-8")
CONTAINER = (EXAMPLES / "Containerfile").read_text(encoding="utf-8")
PROGRAM = "/opt/pneumoscope/bin/pneumoscope"


def verified(folder, unit):
    """What systemd says about a unit whose program is there."""
    file = folder / "pneumoscope-node.service"
    file.write_text(unit.replace(PROGRAM, sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if file.name in line]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed (Debian: systemd)")
def test_systemd_accepts_the_unit(tmp_path):
    assert verified(tmp_path, UNIT) == []
    assert "KillMod" in verified(tmp_path, UNIT.replace("KillMode=", "KillMod="))[0]


def test_the_unit_waits_longer_than_the_node_drains():
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1]) > supervisor.DRAIN_SECONDS
    assert int(re.search(r"--stop-timeout (\d+)", CONTAINER)[1]) > supervisor.DRAIN_SECONDS


def commands():
    yield from (line.split()[1:] for line in re.findall(rf"^Exec\w+=({PROGRAM} .*)$", UNIT, re.MULTILINE))
    entry, arguments = (json.loads(re.search(rf"^{word} (.*)$", CONTAINER, re.MULTILINE)[1]) for word in ("ENTRYPOINT", "CMD"))
    yield [*entry[1:], *arguments]


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_the_verbs_of_the_examples_are_there(command, tmp_path):
    place = command.index("--config") + 1
    command[place] = str(tmp_path / "node.toml")
    ran = run(*command)
    assert (ran.code, "there is no configuration" in ran.err) == (2, True), ran.err
