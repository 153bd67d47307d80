"""Small servers of other people's DICOMweb, for the tests of ours as a client of them."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class Recorded:
    """A request as the fake server got it."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        parts = urlsplit(path)
        self.path, self.headers = parts.path, headers
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}


@contextmanager
def serving(answer: Callable[[Recorded], Answer], tls=None) -> Iterator[tuple[str, list[Recorded]]]:
    """Serve answers on a free port of this machine; give the origin, and the requests as they come in."""
    requests: list[Recorded] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            request = Recorded(self.path, {name.lower(): value for name, value in self.headers.items()})
            requests.append(request)
            status, headers, body = answer(request)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

        def handle(self):
            try:
                super().handle()
            except (ConnectionError, OSError):  # the client stopped reading
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


def item(instance: str, modality: str = "DX", study: str = "1.2.3", series: str = "1.2.3.4", **more) -> dict:
    """One result of a search for instances, in the DICOM JSON model."""
    values = {"00080060": modality, "0020000D": study, "0020000E": series, "00080018": instance} | more
    return {tag: {"vr": "UI", "Value": [value]} for tag, value in values.items()}


def search_answer(items: list[dict]) -> Answer:
    """The answer of a search."""
    return 200, {"Content-Type": "application/dicom+json"}, json.dumps(items).encode()


def one_part(content: bytes, boundary: str = "limit") -> Answer:
    """The answer of a retrieval: one instance."""
    body = f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content + f"\r\n--{boundary}--".encode()
    return 200, {"Content-Type": f'multipart/related; type="application/dicom"; boundary="{boundary}"'}, body
