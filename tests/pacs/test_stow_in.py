"""Receiving by STOW-RS: the same promise as by C-STORE, and memory that does not follow the message."""

import asyncio
import asyncio.constants
import socket
import threading
from contextlib import contextmanager

import httpx2
import pytest
from starlette.applications import Starlette

from pneumoscope.pacs.errors import LedgerBusyError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.receive.http_server import listening_http
from pneumoscope.pacs.receive.stow import Storing
from pneumoscope.pacs.settings import Receiving
from pneumoscope.pacs.spool import Level, Spool
from pneumoscope.web.dicomweb.multipart import Part, encode
from tests.pacs.receiving import PATIENT, QUICK, instance, until_closed
from tests.pacs.tls_files import client_context, tls_of
from tests.radiograph.builders import written

TOKEN = "t" * 20
KIND = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=xyz'}


@contextmanager
def storing(folder, limits=PATIENT, tls=None, verify=True):
    spool = Spool(folder / "spool", limits)
    spool.prepare()
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        application = Starlette(routes=Storing(Admission(spool, ledger, "salt", threading.Event()), limits, TOKEN).routes())
        settings = Receiving(port=0, stow_port=0, host="127.0.0.1", tls=tls)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with listening_http(application, settings, limits) as port, httpx2.Client(headers=headers, verify=verify) as client:
            client.base_url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
            client.spool, client.ledger, client.at = spool, ledger, ("127.0.0.1", port)
            yield client


@pytest.fixture
def client(tmp_path):
    with storing(tmp_path) as client:
        yield client


def message(*contents):
    return b"".join(encode([Part("application/dicom", content) for content in contents], "xyz"))


def post(client, *contents, path="/studies"):
    return client.post(path, content=message(*contents), headers=KIND)


def leftovers(client):
    return list(client.spool.incoming.iterdir())


def test_instances_are_stored_and_recorded(client):
    answer = post(client, written(instance(1)), written(instance(2)))
    assert answer.status_code == 200
    assert [item["00081155"]["Value"] for item in answer.json()["00081199"]["Value"]] == [["1.2.3.1"], ["1.2.3.2"]]
    rows = client.ledger.instances()
    assert [(row.sop_instance_uid, row.route, row.state) for row in rows] == [
        ("1.2.3.1", "stow", "received"),
        ("1.2.3.2", "stow", "received"),
    ]
    assert (client.spool.folder / rows[0].path).read_bytes() == written(instance(1))
    assert leftovers(client) == []


def test_the_same_content_again_is_one_row_and_other_content_a_conflict(client):
    assert [post(client, written(instance(1))).status_code for _ in range(2)] == [200, 200]
    assert post(client, written(instance(1, value=9))).status_code == 200
    assert [row.state for row in client.ledger.instances()] == ["received", "conflict"]


def test_each_instance_that_fails_has_its_reason(client):
    ct = instance(3, SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    answer = post(client, written(instance(1)), b"no DICOM", written(ct))
    assert answer.status_code == 202
    assert [item["00081197"]["Value"] for item in answer.json()["00081198"]["Value"]] == [[0xC000], [0x0122]]
    assert post(client, b"no DICOM").status_code == 409
    assert len(client.ledger.instances()) == 1
    assert leftovers(client) == []


def cut_off(content, pixel_bytes):
    """An instance that ends within its Pixel Data."""
    return content[: content.index(b"\xe0\x7f\x10\x00") + 12 + pixel_bytes]


@pytest.mark.parametrize("pixel_bytes", [0, 100, -6])
def test_an_instance_that_is_cut_off_is_refused_and_taken_when_it_is_whole(client, pixel_bytes):
    whole = written(instance(1))
    answer = post(client, cut_off(whole, pixel_bytes), written(instance(2)))
    (failed,) = answer.json()["00081198"]["Value"]
    assert (answer.status_code, failed["00081197"]["Value"], failed["00081155"]["Value"]) == (202, [0xC000], ["1.2.3.1"])
    assert [row.sop_instance_uid for row in client.ledger.instances()] == ["1.2.3.2"]
    assert post(client, whole).status_code == 200


def test_an_instance_of_another_study_is_refused(client):
    assert post(client, written(instance(1)), path="/studies/1.2.3.1.8").status_code == 200
    answer = post(client, written(instance(2)), path="/studies/1.2.3.1.8")
    assert (answer.status_code, answer.json()["00081198"]["Value"][0]["00081197"]["Value"]) == (409, [0xA900])


def test_without_the_token_nothing_is_taken(client):
    answer = client.post("/studies", content=message(written(instance(1))), headers=KIND | {"Authorization": "Bearer other"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert client.ledger.instances() == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {"Content-Type": "application/dicom"}, 415),
        (b"noise", KIND, 400),
        (message(b"x" * 100)[:-20], KIND, 400),
        (message(), KIND, 400),
    ],
)
def test_a_message_of_another_form_is_refused(client, body, headers, status):
    assert client.post("/studies", content=body, headers=headers).status_code == status
    assert leftovers(client) == []


def test_a_part_above_the_limit_is_not_collected(tmp_path):
    limits = type(PATIENT)(**{**vars(PATIENT), "instance_bytes": 10_000})
    with storing(tmp_path, limits) as client:
        assert post(client, written(instance(1, size=(300, 300)))).status_code == 400
        assert leftovers(client) == []


def test_a_full_spool_is_answered_503(client, monkeypatch):
    monkeypatch.setattr(Spool, "level", lambda _: Level.FULL)
    answer = post(client, written(instance(1)))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_a_ledger_that_cannot_be_written_is_answered_503_with_a_reason(client, monkeypatch):
    def busy(*_):
        raise LedgerBusyError("locked")

    monkeypatch.setattr(Ledger, "record_instance", busy)
    answer = post(client, written(instance(1)))
    assert (answer.status_code, answer.json()["00081198"]["Value"][0]["00081197"]["Value"]) == (503, [0xA700])


def test_a_client_that_stops_within_a_message_is_not_waited_for(tmp_path):
    with storing(tmp_path, QUICK) as client, socket.create_connection(client.at, timeout=20) as sock:
        head = f"POST /studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 99999\r\n"
        sock.sendall(f"{head}Content-Type: {KIND['Content-Type']}\r\n\r\n".encode() + message(b"x" * 5000)[:-20])
        assert b" 408 " in until_closed(sock)
        assert leftovers(client) == []


def test_silent_clients_shut_nobody_out_and_are_closed(tmp_path):
    with storing(tmp_path, type(PATIENT)(**{**vars(PATIENT), "request_seconds": 2.0})) as client:
        silent = [socket.create_connection(client.at, timeout=20, source_address=("127.0.0.2", 0)) for _ in range(50)]
        assert post(client, written(instance(1))).status_code == 200
        for sock in silent:
            assert until_closed(sock) == b""
            sock.close()


@pytest.fixture(autouse=True)
def _handshakes(monkeypatch):
    """A node has a process of its own, in which it sets how long a handshake may take."""
    monkeypatch.setattr(asyncio.constants, "SSL_HANDSHAKE_TIMEOUT", 60.0)


def test_a_client_with_a_certificate_stores_over_tls_and_silent_ones_shut_it_out_for_no_time(tmp_path, certificates):
    context = client_context(certificates, "client")
    with storing(tmp_path, tls=tls_of(certificates), verify=context) as client:
        silent = [socket.create_connection(client.at, timeout=20, source_address=("127.0.0.2", 0)) for _ in range(50)]
        assert post(client, written(instance(1))).status_code == 200
        for sock in silent:
            until_closed(sock)
            sock.close()


@pytest.mark.parametrize("name", ["expired", "stranger", ""])
def test_a_client_without_a_valid_certificate_stores_nothing(tmp_path, certificates, name):
    with storing(tmp_path, tls=tls_of(certificates), verify=client_context(certificates, name)) as client:
        with pytest.raises(httpx2.TransportError):
            post(client, written(instance(1)))
        assert client.ledger.instances() == []
