"""What a review of the server's safety has shown: silent connections, a store that others can read, a Host that is no host."""

import os
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from pneumoscope.reader import Reader
from pneumoscope.reports import overlay
from pneumoscope.web import patience, server
from pneumoscope.web.guard import Access
from pneumoscope.web.store_folder import StoreFolder
from tests.web.api_client import ApiClient, add
from tests.web.live import exchange, live
from tests.web.workspaces import QUADRANT, wait, workspace

PATIENCE_S = 60


@pytest.fixture
def made(glass):
    made = workspace(Reader.load(glass, threads=1))
    yield made
    made.close()


REQUEST = b"GET /static/none.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "sent", [(b"",), (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:",), (REQUEST, b"GET / HTTP/1.1\r\nHost:")]
)
def test_a_connection_without_a_whole_head_is_closed(made, monkeypatch, sent):
    monkeypatch.setattr(patience.PatientProtocol, "head_seconds", 2.0)
    with live(made) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        for part in sent[:-1]:
            connection.sendall(part)
            assert connection.recv(65536).startswith(b"HTTP/1.1 404")
        connection.sendall(sent[-1])
        while connection.recv(65536):
            pass  # ends when the server closes the connection


def status_of(port):
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/static/none.js").status_code
    except httpx2.TransportError:
        return None


def test_silent_connections_lock_nobody_out_for_long(made, monkeypatch):
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 5)
    monkeypatch.setattr(patience.PatientProtocol, "head_seconds", 2.0)
    with live(made) as port:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
        until = time.monotonic() + PATIENCE_S
        while status_of(port) != 404:
            assert time.monotonic() < until
            time.sleep(0.02)
        for connection in held:
            connection.close()


def test_a_body_and_an_answer_may_take_longer_than_a_head(made, monkeypatch):
    monkeypatch.setattr(patience.PatientProtocol, "head_seconds", 2.0)
    token = made.options.token
    lines = "POST /api/v1/films HTTP/1.1", "Host: 127.0.0.1", f"X-Pneumoscope-Token: {token}", "Content-Length: 4", "", ""
    with live(made) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"ab")
        time.sleep(2.3)
        connection.sendall(b"cd")
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")


def test_however_many_ask_two_overlays_are_painted_at_once(made, monkeypatch):
    painting, most, paint = [], [], overlay.paint

    def counted(*arguments):
        painting.append(None)
        most.append(len(painting))
        time.sleep(0.02)
        painted = paint(*arguments)
        painting.pop()
        return painted

    monkeypatch.setattr(overlay, "paint", counted)
    with ApiClient(made) as client:
        film = add(client, QUADRANT)
        path = f"/api/v1/films/{film['id']}/readings/{made.models.default}"
        wait(client, client.put(path).json()["job"])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.get(f"{path}/overlay.png").status_code, range(8)))
    assert (answers, len(most)) == ([200] * 8, 8)
    assert max(most) <= 2


@pytest.mark.skipif(os.name != "posix", reason="other systems have no modes")
def test_nobody_else_can_read_what_a_store_keeps(tmp_path):
    before = os.umask(0o022)
    try:
        for _ in range(2):  # also where an earlier run has made it readable
            folder = StoreFolder.open(tmp_path / "store")
            folder.keep_upload("abcdefgh12", b"x", "SECRET")
            folder.close()
            modes = [stat.S_IMODE((tmp_path / "store" / name).stat().st_mode) for name in ("films", "readings")]
            assert modes == [0o700, 0o700]
            (tmp_path / "store" / "films").chmod(0o755)
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "host", ["evil@127.0.0.1", "127.0.0.1/evil", "127.0.0.1?evil", "127.0.0.1#", "127.0.0.1:x", "127.0.0.1:80:80", "::1"]
)
def test_a_host_that_is_none_is_refused(made, host):
    with live(made) as port:
        answer = exchange(port, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403")
    assert not Access("t")._is_own(host)
