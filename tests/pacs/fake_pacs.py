"""Fake destinations: a DIMSE service class provider and a DICOMweb service that misbehave as they are asked to."""

import json
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from pneumoscope.pacs.peers import Destination

SR = "1.2.840.10008.5.1.4.1.1.88.33"
SC = "1.2.840.10008.5.1.4.1.1.7"


class FakeDimse:
    """A C-STORE provider that answers with one status after the other, the last one for ever.

    A status that is a function is called with the event; what it returns is the answer.
    """

    def __init__(self, *statuses, find=True, classes=(SR, SC), ae_title="PACS", require=(), max_associations=10, tls=None):
        self.statuses, self.stored, self.contents, self.finds = list(statuses) or [0], Counter(), {}, 0
        self.nodelay = []
        entity = AE(ae_title=ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(require)
        entity.maximum_associations = max_associations
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = 5
        for sop_class in classes:
            entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
        entity.add_supported_context(Verification)
        if find:
            entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        self.server = entity.make_server(("127.0.0.1", 0), evt_handlers=handlers, ssl_context=tls)
        entity._servers.append(self.server)  # start_server does it, but looks for its end only twice a second
        self.port = self.server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self._thread.join()

    def destination(self, **changes):
        settings = {"host": "127.0.0.1", "port": self.port, "ae_title": "PACS", "seconds": 5.0} | changes
        return Destination("pacs", "dimse", **settings)

    def keep(self, event):
        """Store the instance."""
        uid = str(event.request.AffectedSOPInstanceUID)
        self.stored[uid] += 1
        self.contents[uid] = event.request.DataSet.getvalue()

    def _store(self, event):
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if callable(status):
            return status(event)
        if status == 0 or status & 0xF000 == 0xB000:
            self.keep(event)
        return status

    def _find(self, event):
        self.finds += 1
        uid = event.identifier.SOPInstanceUID
        if uid in self.stored:
            match = Dataset()
            match.QueryRetrieveLevel = "IMAGE"
            match.SOPInstanceUID = uid
            yield 0xFF00, match
        yield 0x0000, None


def abort(event):
    """Break the association off instead of answering."""
    event.assoc.abort()
    return 0x0000


class FakeStow:
    """A DICOMweb service that answers with one (status, body) after the other, the last one for ever.

    A body that is a function is called with the SOP Instance UID; ``None`` stands for success.
    """

    def __init__(self, *answers):
        self.answers, self.stored, self.contents, self.asked, self.headers = list(answers) or [(200, None)], Counter(), {}, 0, []
        self.search_status = 200
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                fake.headers.append(dict(self.headers))
                fake._store(self, self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self):
                fake._search(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def destination(self, **changes):
        return Destination("web", "stow", url=f"http://127.0.0.1:{self.port}/dicom-web", **({"seconds": 5.0} | changes))

    def keep(self, content):
        """Store an instance, and return its UID."""
        start = content.index(b"\r\n\r\n") + 4
        file = content[start : content.rindex(b"\r\n--")]
        uid = uid_of(file)
        self.stored[uid] += 1
        self.contents[uid] = file
        return uid

    def _store(self, handler, content):
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == "close":  # before it is stored
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        uid = self.keep(content) if status in (200, 202, "store and close") and body is None else uid_of(content)
        if status == "store and close":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        text = json.dumps(body(uid) if callable(body) else body or referenced(uid)) if body != "" else ""
        self._answer(handler, status, text)

    def _search(self, handler):
        self.asked += 1
        wanted = parse_qs(urlsplit(handler.path).query).get("SOPInstanceUID", [""])[0]
        there = [{"00080018": {"vr": "UI", "Value": [wanted]}}] if wanted in self.stored else []
        self._answer(handler, self.search_status, json.dumps(there))

    def _answer(self, handler, status, text, headers=()):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/dicom+json")
        handler.send_header("Content-Length", str(len(text)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text.encode())


def uid_of(content):
    """The SOP Instance UID of a file, or of a message that holds one: the element (0008,0018), explicit VR."""
    at = content.index(b"\x08\x00\x18\x00UI")
    length = int.from_bytes(content[at + 6 : at + 8], "little")
    return content[at + 8 : at + 8 + length].rstrip(b"\0").decode()


def referenced(uid, warning=None):
    """An answer to STOW-RS in which the instance was stored."""
    item = {"00081155": {"vr": "UI", "Value": [uid]}}
    if warning is not None:
        item["00081196"] = {"vr": "US", "Value": [warning]}
    return {"00081199": {"vr": "SQ", "Value": [item]}}


def failed(reason):
    """An answer to STOW-RS in which the instance failed, beside another one that failed with another reason."""

    def body(uid):
        items = [
            {"00081155": {"vr": "UI", "Value": ["9.9.9"]}, "00081197": {"vr": "US", "Value": [0x0122]}},
            {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [reason]}},
        ]
        return {"00081198": {"vr": "SQ", "Value": items}}

    return body


@contextmanager
def silent_listener():
    """A port that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def until(condition, seconds=120.0):
    """Wait for a condition; fail if it does not come true."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "the condition did not come true"
        time.sleep(0.01)
