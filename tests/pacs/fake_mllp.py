"""MLLP listeners for tests: one of another library, and one that misbehaves as it is told."""

import asyncio
import contextlib
import socket
import threading

import hl7
from hl7 import mllp

from pneumoscope.pacs.notifications.settings import Notification


class Listener:
    """An MLLP listener of the library python-hl7, which parses each message and acknowledges it."""

    def __init__(self, code="AA", tls=None):
        self.messages, self.code = [], code
        self._loop, self._tls, ready = asyncio.new_event_loop(), tls, threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,))
        self._thread.start()
        assert ready.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def notification(self, **changes):
        return Notification(
            "ris", "hl7", **({"host": "localhost" if self._tls else "127.0.0.1", "port": self.port, "seconds": 60.0} | changes)
        )

    def _run(self, ready):
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve(ready))

    async def _serve(self, ready):
        self._stop = asyncio.Event()
        server = await mllp.start_hl7_server(self._answer, "127.0.0.1", 0, encoding="utf-8", ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        for _ in range(5):  # a connection that is being accepted when the server closes is an error of asyncio
            await asyncio.sleep(0.01)
        server.close()
        for _ in range(10):  # what is aborted closes in later turns of the loop, also where a handshake has failed or just begins
            for transport in list(self._loop._transports.values()):
                transport.abort()
            await asyncio.sleep(0.01)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _answer(self, reader, writer):
        try:
            while True:
                message = await reader.readmessage()
                self.messages.append(message)
                writer.writemessage(message.create_ack(self.code))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


def acknowledged(content, code="AA", control=None):
    """The block of an acknowledgement of a message."""
    control = control or str(hl7.parse(content.decode()).segment("MSH")[10])
    return b"\x0b" + f"MSH|^~\\&|RIS|H|P||20260101||ACK^R01^ACK|9|P|2.5.1\rMSA|{code}|{control}\r".encode() + b"\x1c\r"


class Misbehaving:
    """A listener that takes one message a connection and answers with one thing after the other, the last one for ever.

    An answer is a function of the connection and of the message.
    """

    def __init__(self, *answers):
        self.answers, self.messages, self.stopped = list(answers), [], threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connection = self._listener
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for one in (self._listener, self._connection):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def notification(self, **changes):
        return Notification("ris", "hl7", **({"host": "127.0.0.1", "port": self.port, "seconds": 60.0} | changes))

    def _run(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connection = connection
            with connection, contextlib.suppress(OSError):
                self._serve(connection)

    def _serve(self, connection):
        received = b""
        while not received.endswith(b"\x1c\r"):
            piece = connection.recv(2**16)
            if not piece:
                return
            received += piece
        self.messages.append(received[1:-2])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(connection, received[1:-2])
        connection.recv(2**16)  # until the other side closes
