"""Whether the node can listen on its ports: said before it is started."""

import errno
import os
import socket
from contextlib import contextmanager

import pytest

from pneumoscope.pacs.check import check
from pneumoscope.pacs.free_ports import try_ports
from pneumoscope.pacs.ledger import Ledger
from tests.free_port import free_port
from tests.pacs.node_parts import node

TOKEN = 'stow_token_file = "token"\n'


@contextmanager
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_ports_that_are_free_are_good_and_a_port_of_0_is_not_tried(tmp_path):
    first, second = free_port(), free_port()
    said = list(try_ports(node(tmp_path, f"[receive]\nport = {first}\nstow_port = {second}\n{TOKEN}")))
    assert said == [(True, f"port {first}: it is free on 127.0.0.1"), (True, f"stow_port {second}: it is free on 127.0.0.1")]
    assert not list(try_ports(node(tmp_path, "[receive]\nport = 0\n")))


def test_a_port_of_another_program_is_wrong_and_says_what_to_do(tmp_path):
    with taken_port() as port:
        ((good, sentence),) = try_ports(node(tmp_path, f"[receive]\nport = 0\nstow_port = {port}\n{TOKEN}"))
    assert not good
    assert f"another program listens there on 127.0.0.1; stop it (  ss -ltnp 'sport = :{port}'" in sentence
    assert "choose another 'stow_port'" in sentence


def test_the_port_of_the_node_itself_is_good(tmp_path):
    with taken_port() as port:
        site = node(tmp_path, f"[receive]\nport = {port}\n")
        with Ledger.open(site.ledger_url) as ledger:
            ledger.beat("receive", 77)
            assert list(try_ports(site)) == [(True, f"port {port}: this node is running and listens there (process 77)")]
            later = ledger.clock() + 3600
        ((good, _),) = try_ports(site, clock=lambda: later)
        assert not good, "a node that gave no sign of life for an hour does not listen"


@pytest.mark.parametrize("host", ["192.0.2.7", "nowhere.invalid"])  # RFC 5737, RFC 6761
def test_an_address_that_is_not_of_this_machine(tmp_path, host, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", resolved(socket.getaddrinfo))
    ((good, sentence),) = try_ports(node(tmp_path, f'[receive]\nport = 11112\nhost = "{host}"\nallow_network = true\n'))
    assert not good
    assert f"this machine has no address '{host}'" in sentence


def resolved(whole):
    def of(host, *arguments, **options):
        if host == "nowhere.invalid":  # no resolver is asked
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return whole(host, *arguments, **options)

    return of


def test_a_protected_port_says_which_right_is_missing(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    ((good, sentence),) = try_ports(node(tmp_path, "[receive]\nport = 104\n"))
    assert not good
    assert "this user may not listen on ports up to 1023; choose a higher 'port'" in sentence


@pytest.mark.parametrize(
    ("url", "warns"), [("http://pacs.example/dicom-web", True), ("https://pacs.example/x", False), ("http://127.0.0.1/x", False)]
)
def test_a_service_by_http_is_warned_about(tmp_path, monkeypatch, url, warns):
    monkeypatch.setattr("pneumoscope.pacs.check.readers.load", lambda config: {})
    site = node(tmp_path, f'[receive]\nport = 0\n[[destinations]]\nname = "web"\nprotocol = "stow"\nurl = "{url}"\n')
    said = [(good, sentence) for good, sentence in check(site) if "http://" in sentence]
    assert bool(said) == warns
    assert all(good and sentence.startswith("look at this: 'web' is reached by http://") for good, sentence in said)
