"""A web server of files in memory: ETags, ranges, passwords, and a number of failures and lost connections."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server has, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    failures: int = 0
    failure: int = 503
    cuts: int = 0
    password: str = ""
    ranges: bool = True
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
            if site.failures:
                site.failures -= 1
                return self._end(site.failure)
            wanted = "Basic " + base64.b64encode(site.password.encode()).decode()
            if site.password and self.headers.get("Authorization") != wanted:
                return self._end(401)
            content = site.files.get(self.path.partition("?")[0])
            if content is None:
                return self._end(404)
            return self._give(content)

        do_HEAD = do_GET  # noqa: N815 - the name is http.server's

        def _give(self, content: bytes) -> None:
            part, status = content, 200
            if site.ranges and (said := self.headers.get("Range")):
                first, last = said.removeprefix("bytes=").split("-")
                part, status = content[int(first) : int(last) + 1], 206
            self.send_response(status)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("ETag", f'"{hash(content):x}"')
            self.end_headers()
            if self.command == "GET" and site.cuts:
                site.cuts -= 1
                self.wfile.write(part[: len(part) // 2])
                self.close_connection = True
            elif self.command == "GET":
                self.wfile.write(part)

        def _end(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
