"""A complete study of the shipped radiographs: simulated readers of known ability (Roe–Metz) over HTTP, analysis, report."""

import gzip
import hashlib
import http.client
import json
import threading
from contextlib import closing

import numpy as np
import pytest

from pneumoscope.reader_study.folder import open_study, verify
from pneumoscope.reader_study.pixels import film_bytes
from pneumoscope.statistics.multireader.auc import empirical_auc
from pneumoscope.web.study.app import READERS
from tests.cli.run import run
from tests.reader_study.test_synthetic_study import ABILITY, FINE, rating_of, recovered, simulated
from tests.web.study_cases import on_the_sample
from tests.web.study_server import StudyServer


class HttpReader:
    """A simulated reader: knows a case by its pixels alone, as a human does, and answers over one connection."""

    def __init__(self, server, name, ratings):
        self.link, self.ratings = server.links[name].partition("#link=")[2], ratings
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port)
        self.seen, self.errors = "", []

    def asked(self, method, path, body=None):
        content = json.dumps(body) if body is not None else None
        self.connection.request(method, f"{READERS}/{path}", content, {"Authorization": f"Bearer {self.link}"})
        response = self.connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer
        return answer

    def view(self):
        return json.loads(self.asked("GET", "view"))

    def post(self, view, action, **body):
        key = hashlib.sha256(f"{self.link}{view['token']}{view['step']}{action}".encode()).hexdigest()
        body = {"step": view["step"], "key": key, **body}
        return json.loads(self.asked("POST", f"cases/{view['token']}/{action}", body))["number"]

    def read_all(self):
        try:
            with closing(self.connection):
                while (view := self.view())["state"] == "reading":
                    self.read(view)
                assert (view["state"], view["locked"]) == ("finished", view["assigned"])
        except BaseException as error:
            self.errors.append(error)

    def read(self, view):
        if view["step"] == 0:
            self.seen = hashlib.sha256(gzip.decompress(self.asked("GET", f"cases/{view['token']}/film"))).hexdigest()
        base = self.post(view, "open")
        if self.view()["aid"]:
            assert self.asked("GET", f"cases/{view['token']}/aid").startswith(b"\x89PNG")
        rating = self.ratings[self.seen, view["step"]]
        answer = {"rating": rating, "decision": "positive" if rating >= 50 else "negative"}
        signals = [{"page": "p", "kind": kind, "ms": ms} for kind, ms in (("loaded", 0), ("input", 9000))]
        self.post(view, "lock", base=base, answer=answer, signals=signals)


@pytest.mark.slow
def test_readers_of_known_ability_who_read_over_http_are_recovered(tmp_path):
    """Four readers at once, each with an own order; what the analysis finds is what was put in, to the bit."""
    folder = on_the_sample(tmp_path, readers=4, questions=FINE)
    study = open_study(folder)
    study.journal.close()
    cube, cases = simulated(study, 20260422)
    by_name = study.protocol.by_name
    seen = [
        hashlib.sha256(gzip.decompress(film_bytes(study.protocol.file(by_name[case]), by_name[case].sha256))).hexdigest()
        for case in cases
    ]
    assert len(set(seen)) == len(cases) == 16
    with StudyServer(folder) as server:
        readers = [
            HttpReader(server, f"R{j + 1}", {(seen[k], i): rating_of(cube.rating[i, j, k]) for i in (0, 1) for k in range(16)})
            for j in range(4)
        ]
        threads = [threading.Thread(target=reader.read_all) for reader in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [reader.errors for reader in readers] == [[], [], [], []]
    result = recovered(folder, cube, cases)
    assert np.allclose(result.values[result.modalities.index("aided")], empirical_auc(cube).value[1])
    difference = result.verdict.difference
    assert difference.low < ABILITY.auc(1) - ABILITY.auc(0) < difference.high
    assert str(result.design) == "fully crossed"
    assert verify(folder)[0] == 1 + 2 * 2 * 16 * 4  # the freezing; opened and locked, two steps, sixteen cases, four readers
    ran = run("study", "analyse", folder, "-o", tmp_path / "report")
    assert (ran.code, "In a study of 4 readers and 16 cases" in ran.out) == (0, True), ran.err
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
