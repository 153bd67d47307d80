"""Peers that are broken or mean harm: they cost their own connection, and nobody else waits."""

import os
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import pytest

from pneumoscope.pacs.errors import ListenError
from pneumoscope.pacs.peers import Tls
from pneumoscope.pacs.receive.contexts import STORED_CLASSES
from pneumoscope.pacs.receive.pdu_socket import PduError, body_bytes
from pneumoscope.pacs.settings import Limits
from tests.pacs.receiving import (
    PATIENT,
    QUICK,
    associate_rq,
    association,
    echo,
    element,
    instance,
    node,
    p_data,
    read_pdu,
    store_command,
    stored,
    until_closed,
)
from tests.pacs.tls_files import client_context, tls_of

SHUT_OUT_S = 10.0
"""Longest time for which others may be shut out."""


@pytest.fixture
def receiving(tmp_path):
    with node(tmp_path, limits=QUICK) as one:
        yield one


def established(node, **options):
    sock = node.connect(**options)
    sock.sendall(associate_rq())
    assert read_pdu(sock)[0] == 2
    return sock


def is_served_within(node, seconds=SHUT_OUT_S):
    """Whether another peer gets an answer in time, trying again as a modality would."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if echo(node):
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def eventually(condition, seconds=20.0):
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.1"])
def test_fifty_silent_connections_shut_nobody_out(receiving, source):
    silent = [receiving.connect(source) for _ in range(50)]
    assert is_served_within(receiving)
    assert eventually(lambda: receiving.server.slots.taken == 0)
    for sock in silent:
        assert sock.recv(10) == b""
        sock.close()


def test_fifty_slow_connections_shut_nobody_out(receiving):
    slow, stop = [receiving.connect("127.0.0.2") for _ in range(50)], threading.Event()

    def drip():
        for letter in associate_rq():
            for sock in slow:
                try:
                    sock.send(bytes([letter]))
                except OSError:
                    continue
            if stop.wait(0.1):
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    assert is_served_within(receiving)
    assert eventually(lambda: receiving.server.slots.taken == 0)
    stop.set()
    dripping.join()
    for sock in slow:
        sock.close()


def test_a_pdu_that_claims_two_gigabytes_is_not_read(receiving):
    with receiving.connect() as sock:
        sock.sendall(b"\1\0" + struct.pack(">I", 2**31))
        assert until_closed(sock) == b""
    with established(receiving) as sock:
        sock.sendall(b"\4\0" + struct.pack(">I", 2**31))
        until_closed(sock)
    assert is_served_within(receiving)


@pytest.mark.parametrize(
    ("kind", "length", "is_read"),
    [(1, 2**18, True), (1, 2**18 + 1, False), (4, 2**20, True), (4, 2**20 + 65, False), (5, 4, True), (7, 2**16, False)],
)
def test_the_length_of_a_pdu_is_bounded_by_its_kind(kind, length, is_read):
    header = struct.pack(">BBI", kind, 0, length)
    if is_read:
        assert body_bytes(header, Limits()) == length
    else:
        with pytest.raises(PduError, match=f"a PDU of type {kind} claims {length} bytes"):
            body_bytes(header, Limits())


def test_another_protocol_on_the_port_is_closed_at_once(receiving):
    with receiving.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until_closed(sock) == b""
    assert is_served_within(receiving)


def test_a_request_that_cannot_be_decoded_frees_its_slot_at_once(receiving):
    request = associate_rq()
    damaged = request[:6] + os.urandom(len(request) - 6)
    with receiving.connect() as sock:
        sock.sendall(damaged)
        until_closed(sock)
    assert eventually(lambda: receiving.server.slots.taken == 0, seconds=10)


GARBAGE = {
    "noise": os.urandom(4096),
    "unknown type": b"\x99\0\0\0\0\4abcd",
    "a second request": associate_rq(),
    "an answer": b"\2\0" + associate_rq()[2:],
    "no fragment": b"\4\0\0\0\0\0",
    "an empty fragment": b"\4\0\0\0\0\4\0\0\0\0",
    "a fragment that is too long": b"\4\0\0\0\0\6\x7f\xff\xff\xff\1\3",
    "a command that is none": p_data(b"\xff" * 40, is_command=True, is_last=True),
    "an unknown command": p_data(element(0x00000100, b"\xee\xee"), is_command=True, is_last=True),
    "a command without its fields": p_data(element(0x00000100, b"\1\0"), is_command=True, is_last=True),
    "a context that was not negotiated": p_data(store_command(), is_command=True, is_last=True, context=99),
    "two commands": p_data(store_command(), is_command=True, is_last=True) * 2,
    "a data set without a command": p_data(b"x" * 100, is_command=False, is_last=True),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_after_the_association_ends_it(receiving, what):
    with established(receiving) as sock:
        sock.sendall(GARBAGE[what])
        until_closed(sock)
    assert is_served_within(receiving)
    assert eventually(lambda: receiving.server.slots.taken == 0)
    assert eventually(lambda: receiving.leftovers() == [])


def test_half_a_data_set_and_then_silence_ends_the_association_and_leaves_nothing(receiving):
    with established(receiving) as sock:
        sock.sendall(p_data(store_command(), is_command=True, is_last=True))
        sock.sendall(p_data(b"x" * 1000, is_command=False, is_last=False))
        until_closed(sock)
    assert is_served_within(receiving)
    assert eventually(lambda: receiving.leftovers() == [])
    assert receiving.ledger.instances() == []


def test_a_sender_that_breaks_off_in_a_data_set_leaves_nothing(receiving):
    with established(receiving) as sock:
        sock.sendall(p_data(store_command(), is_command=True, is_last=True))
        sock.sendall(p_data(b"x" * 1000, is_command=False, is_last=False))
    assert eventually(lambda: receiving.server.slots.taken == 0)
    assert (receiving.leftovers(), receiving.ledger.instances()) == ([], [])


def test_a_command_without_end_is_not_collected(receiving):
    with established(receiving) as sock:
        piece = p_data(b"x" * 16000, is_command=True, is_last=False)
        with pytest.raises(OSError, match=r"Broken pipe|reset by peer"):
            for _ in range(10_000):
                sock.sendall(piece)
    assert is_served_within(receiving)


def test_an_instance_above_the_limit_is_not_collected(tmp_path):
    limits = Limits(**{**vars(PATIENT), "instance_bytes": 100_000})
    with node(tmp_path, limits=limits) as receiving:
        with association(receiving) as made:
            assert not hasattr(made.send_c_store(instance(size=(1000, 1000))), "Status")
        assert eventually(lambda: receiving.leftovers() == [])
        assert is_served_within(receiving)


def test_a_flood_of_messages_without_waiting_for_answers_ends_the_association(receiving):
    data = p_data(b"\0" * 64, is_command=False, is_last=True)
    with established(receiving) as sock, pytest.raises(OSError, match=r"Broken pipe|reset by peer"):
        for _ in range(20_000):
            sock.sendall(p_data(store_command(), is_command=True, is_last=True) + data)
    assert eventually(lambda: receiving.server.slots.taken == 0)
    assert is_served_within(receiving)
    assert receiving.leftovers() == []


def test_one_address_cannot_take_all_associations(tmp_path):
    with node(tmp_path) as receiving:
        taken = [established(receiving, source="127.0.0.2") for _ in range(PATIENT.associations_per_address)]
        with receiving.connect("127.0.0.2") as sock:
            assert sock.recv(10) == b""
        assert echo(receiving)
        for sock in taken:
            sock.close()


def memory_bytes():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def connect_and_leave(node, number):
    for _ in range(number):
        with node.connect() as sock, socket.socket():
            sock.send(b"\1")


@pytest.mark.parametrize("number", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_many_connects_leave_no_threads_and_no_memory(receiving, number):
    connect_and_leave(receiving, 100)
    assert eventually(lambda: receiving.server.slots.taken == 0)
    threads, memory = threading.active_count(), memory_bytes()
    connect_and_leave(receiving, number)
    assert is_served_within(receiving)
    assert eventually(lambda: threading.active_count() <= threads)
    assert memory_bytes() - memory < 20e6


# TLS.


@pytest.fixture
def secure(tmp_path, certificates):
    with node(tmp_path, tls=tls_of(certificates)) as one:
        yield one


def test_a_client_with_a_certificate_stores_over_tls(secure, certificates):
    arguments = (client_context(certificates, "client"), "localhost")
    assert stored(secure, instance(1, size=(700, 700)), tls_args=arguments) == [0]
    assert len(secure.ledger.instances()) == 1


def ask_over_tls(context, sock):
    """Ask for an association; a client learns only then that its certificate was refused."""
    with context.wrap_socket(sock, server_hostname="localhost") as secured:
        secured.sendall(associate_rq())
        if not secured.recv(10):
            raise ConnectionError


@pytest.mark.parametrize("name", ["expired", "stranger", ""])
def test_an_expired_foreign_or_missing_certificate_is_refused_and_others_are_served(secure, certificates, name):
    context = client_context(certificates, name)
    with secure.connect() as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        ask_over_tls(context, sock)
    assert echo(secure, tls_args=(client_context(certificates, "client"), "localhost"))


def test_a_client_with_an_old_version_of_tls_is_refused(secure, certificates):
    context = client_context(certificates, "client")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with secure.connect() as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sock, server_hostname="localhost")


def test_silence_before_the_handshake_and_speech_without_it_shut_nobody_out(secure, certificates):
    silent = [secure.connect("127.0.0.2") for _ in range(50)]
    with secure.connect() as sock:
        sock.sendall(associate_rq())
        until_closed(sock)
    assert echo(secure, tls_args=(client_context(certificates, "client"), "localhost"))
    for sock in silent:
        sock.close()


def test_certificates_that_cannot_be_used_are_one_sentence(tmp_path, certificates):
    other = Tls(*(str(certificates / name) for name in ("authority.pem", "node.pem", "client.key")))
    with pytest.raises(ListenError, match="the certificates of the listener cannot be used"), node(tmp_path, tls=other):
        pass


def test_a_port_that_is_taken_is_one_sentence(tmp_path, receiving):
    (tmp_path / "other").mkdir()
    with pytest.raises(ListenError, match="choose another port"), node(tmp_path / "other", port=receiving.port):
        pass


def test_the_log_quotes_no_peer(receiving, caplog):
    stored(receiving, instance(1))
    with receiving.connect() as sock:
        sock.sendall(b"SECRET-4711" * 5)
        until_closed(sock)
    assert eventually(lambda: receiving.server.slots.taken == 0)
    assert "no request of an association" in caplog.text
    assert not any(secret in caplog.text for secret in ("SECRET", "1.2.3", "Doe"))
    assert len(STORED_CLASSES) == 3
