"""Ledgers in SQLite and in PostgreSQL."""

import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
import trustme

from pneumoscope.pacs.ledger import Ledger


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger.open(tmp_path / "ledger.sqlite", clock=clock) as ledger:
        yield ledger


def postgresql_program(name):
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(places[-1]) if places else shutil.which(name)


@pytest.fixture(scope="session")
def postgresql():
    """URL of a PostgreSQL server in a folder of its own; it refuses to run as root."""
    initdb, postgres = postgresql_program("initdb"), postgresql_program("postgres")
    if not initdb or not postgres:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="pneumoscope-pg-"))
    shutil.chown(folder, "nobody")
    user = {"user": "nobody", "cwd": folder}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([initdb, "-D", folder / "data", "-U", "node", "-A", "trust", "--no-sync"], check=True, **user, **quiet)
    server = subprocess.Popen([postgres, "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-F"], **user, **quiet)
    ready = [postgresql_program("pg_isready"), "-h", folder, "-t", "60", "-d", "postgres", "-U", "node"]
    while subprocess.run(ready, **quiet).returncode:
        assert server.poll() is None
    yield f"postgresql://node@/postgres?host={folder}"
    server.kill()
    server.wait()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Files of an authority, of the node, and of clients."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    made = {
        "node": authority.issue_cert("localhost"),
        "client": authority.issue_cert("client.example"),
        "expired": authority.issue_cert("client.example", not_before=datetime(2019, 1, 1), not_after=datetime(2020, 1, 1)),
        "stranger": trustme.CA().issue_cert("client.example"),
    }
    for name, one in made.items():
        one.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        one.private_key_pem.write_to_path(folder / f"{name}.key")
    return folder
