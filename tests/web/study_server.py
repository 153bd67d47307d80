"""``pneumoscope study serve`` as a process that a test can kill, and what is in the study's journal meanwhile."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from pneumoscope.reader_study.folder import open_study
from pneumoscope.reader_study.journal import Event
from tests.cli.run import ENTRY
from tests.free_port import free_port


class StudyServer:
    """A running server of a study; after `kill`, `start` goes on at the same port."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.port, self.options = folder, free_port(), options
        self.links: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "StudyServer":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.kill(signal.SIGTERM)

    def start(self) -> "StudyServer":
        """Start, and wait for the links."""
        command = [sys.executable, "-c", ENTRY, "study", "serve", str(self.folder), "--port", str(self.port), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout
        said = []
        for line in self.process.stdout:
            said.append(line)
            name, _, url = line.strip().partition("\t")
            if url:
                self.links[name] = url
            if line.startswith("Give each reader"):
                return self
        raise AssertionError(f"the server did not start: {''.join(said)}")

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Kill the server; SIGKILL lets it close nothing."""
        if self.process:
            self.process.send_signal(signum)
            self.process.wait(30)
            assert self.process.stdout
            self.process.stdout.close()
            self.process = None

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def events(self, *kinds: str) -> list[Event]:
        """Events of the journal, read beside the server."""
        with closing(open_study(self.folder).journal) as journal:
            return list(journal.events(*kinds))

    def last(self, *kinds: str) -> Event:
        return self.events(*kinds)[-1]
