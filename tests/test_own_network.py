"""A network of a test: nobody outside reaches what listens in it, and the thread comes back to its own network."""

import socket
import threading
from pathlib import Path

from tests.own_network import own_network

NETWORK = Path("/proc/thread-self/ns/net")


def network():
    return NETWORK.readlink() if NETWORK.exists() else None


def of_another_thread():
    networks = []
    thread = threading.Thread(target=lambda: networks.append(network()))
    thread.start()
    thread.join()
    return networks[0]


def test_what_listens_in_a_network_of_its_own_is_reached_from_there_and_the_thread_comes_back():
    outside = network()
    with own_network() as moved, socket.create_server(("127.0.0.1", 0)) as listening:
        socket.create_connection(listening.getsockname()).close()
        assert (network() != outside) is moved
        assert of_another_thread() == network()
    assert network() == outside
