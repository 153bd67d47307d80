"""A FHIR R5 server for tests: transactions of conditional creates, searches by identifier, and misbehaviour on request."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pneumoscope.pacs.notifications.settings import Notification

CAPABILITIES = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "5.0.0",
    "rest": [
        {
            "mode": "server",
            "interaction": [{"code": "transaction"}],
            "resource": [{"type": "DiagnosticReport", "conditionalCreate": True}],
        }
    ],
}


class FakeFhir:
    """A server that answers with one thing after the other, the last one for ever.

    None: it processes the transaction. (status, body): it does not. "lost": it processes it and closes the connection. "silent":
    it says nothing. "slow": it sends its answer byte by byte.
    """

    def __init__(self, *answers, capabilities=CAPABILITIES, tls=None, search=200):
        self.answers, self.capabilities, self.search_status = list(answers) or [None], capabilities, search
        self.resources, self.created, self.posts, self.searches, self.headers = {}, Counter(), 0, 0, []
        self.stopped = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                fake.headers.append(dict(self.headers))
                fake._post(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def do_GET(self):
                fake._get(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{self.server.server_address[1]}/fhir"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def notification(self, **changes):
        return Notification("ehr", "fhir", **({"url": self.url, "seconds": 60.0} | changes))

    @property
    def reports(self):
        """How often each report was created."""
        return {key: count for key, count in self.created.items() if key[0] == "DiagnosticReport"}

    def process(self, bundle):
        """Process a transaction (FHIR R5 3.2.0.13.2); an identifier that several resources have is a failed precondition."""
        statuses = []
        for entry in bundle["entry"]:
            kind, condition = entry["request"]["url"], parse_qs(entry["request"]["ifNoneExist"])["identifier"][0]
            there = self.resources.get((kind, condition), [])
            if len(there) > 1:
                return 412, outcome("multiple-matches")
            statuses.append("200" if there else "201 Created")
            if not there:
                self.resources[kind, condition] = [entry["resource"]]
                self.created[kind, condition] += 1
        made = [{"response": {"status": status}} for status in statuses]
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": made}

    def _post(self, handler, bundle):
        self.posts += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "silent":
            self.stopped.wait()
            handler.close_connection = True
            return
        if answer == "lost":
            self.process(bundle)
            handler.close_connection = True
            return
        status, body = self.process(bundle) if answer in (None, "slow") else answer
        self._answer(handler, status, body, slow=answer == "slow")

    def _get(self, handler):
        parts = urlsplit(handler.path)
        if parts.path.endswith("/metadata"):
            self._answer(handler, 200, self.capabilities)
            return
        self.searches += 1
        condition = parse_qs(parts.query)["identifier"][0]
        matches = self.resources.get((parts.path.rpartition("/")[2], condition), [])
        body = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(matches),
            "entry": [{"resource": one} for one in matches],
        }
        self._answer(handler, self.search_status, body)

    def _answer(self, handler, status, body, slow=False):
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/fhir+json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for piece in [content[k : k + 1] for k in range(len(content))] if slow else [content]:
            try:
                handler.wfile.write(piece)
            except OSError:
                return
            if slow and self.stopped.wait(0.05):
                return


def outcome(code, severity="error", text="Doe^Jane", **more):
    """An OperationOutcome that quotes a name."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": text, **more}]}
