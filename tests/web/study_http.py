"""A study behind a real HTTP server in a thread, with a clock that the test turns, and clients that record what they get."""

import gzip
import http.client
import io
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from PIL import Image

from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.web.server import Address, configured
from pneumoscope.web.study import study_app
from pneumoscope.web.study.app import COORDINATOR, READERS
from tests.reader_study.study_files import full, key, link

HERE = "127.0.0.1"


@dataclass
class _Open:
    closing: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """The test closes the journal."""


@contextmanager
def serving(study: OpenStudy) -> Iterator[int]:
    """Serve the study; gives the port."""
    with closing(Address(HERE).listen()) as listening:
        server = configured(study_app(study), _Open())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class Answer:
    """A response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def readable(self) -> str:
        """Everything in it that can be read: headers, text, and what a picture or a compressed film holds besides pixels."""
        body = gzip.decompress(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body
        if body.startswith(b"\x89PNG"):
            with Image.open(io.BytesIO(body)) as image:
                assert image.info == {}
        return f"{self.headers}\n{body.decode('latin-1')}"


class Client:
    """Whoever has a link; remembers every answer."""

    def __init__(self, port: int, who: str, prefix: str = READERS) -> None:
        self.port, self.who, self.prefix = port, who, prefix
        self.answers: list[Answer] = []

    def ask(self, method: str, path: str, body=None) -> Answer:
        headers = {"Authorization": f"Bearer {self.who}"} if self.who else {}
        with closing(http.client.HTTPConnection(HERE, self.port)) as connection:
            connection.request(method, f"{self.prefix}/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.headers), response.read())
        self.answers.append(answer)
        return answer

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def view(self):
        answer = self.get("view")
        assert answer.status == 200
        return answer.json

    def case(self, view, what: str) -> Answer:
        return self.get(f"cases/{view['token']}/{what}")

    def post(self, view, action: str, **body) -> Answer:
        return self.ask("POST", f"cases/{view['token']}/{action}", {"step": view["step"], "key": key(), **body})

    def opened(self, view) -> int:
        answer = self.post(view, "open")
        assert answer.status == 200, answer.body
        return answer.json["number"]

    def lock(self, view, base: int, rating: int = 60) -> None:
        signals = [{"page": "p", "kind": kind, "ms": ms} for kind, ms in (("loaded", 0), ("input", 9000))]
        answer = self.post(view, "lock", base=base, answer=full(rating), signals=signals)
        assert answer.status == 200, answer.body


def reader(port: int, study: OpenStudy, name: str = "R1") -> Client:
    return Client(port, link(study, name))


def coordinator(port: int, who: str) -> Client:
    return Client(port, who, COORDINATOR)
