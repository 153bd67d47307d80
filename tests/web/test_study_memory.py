"""A server of a study answers two hundred cases in a row without growing."""

import re
from pathlib import Path

import pytest

from tests.web.study_cases import of_many
from tests.web.study_http import Client
from tests.web.study_server import StudyServer

MOST_GROWTH_MB = 25


def resident_mb(process):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the resident memory of another process is read from /proc")
def test_two_hundred_cases_in_a_row_do_not_grow_the_server(tmp_path):
    """Films of 1 MB: were one kept of each case, the server would grow by 180 MB."""
    with StudyServer(of_many(tmp_path, 200, edge=700)) as server:
        client = Client(server.port, server.links["R1"].partition("#link=")[2])
        for number in range(200):
            view = client.view()
            assert client.case(view, "film").status == 200
            base = client.opened(view)
            answer = client.post(view, "lock", base=base, answer={"rating": 50, "decision": "positive"})
            assert answer.status == 200
            client.answers.clear()
            if number == 20:
                before = resident_mb(server.process)
        assert (client.view()["state"], client.view()["locked"]) == ("finished", 200)
        assert resident_mb(server.process) < before + MOST_GROWTH_MB
