"""Every mode of a study, read to its end over HTTP: sequence, aid, washout, exports, analysis."""

import csv
import hashlib
import io
import zipfile
from contextlib import closing

import pytest

from pneumoscope.reader_study.coordinator_interface import coordinator_link
from pneumoscope.reader_study.folder import verify
from tests.cli.run import run
from tests.reader_study.study_files import Clock, frozen
from tests.web.study_http import coordinator, reader, serving

N_CASES, N_READERS = 16, 4
# Answers of each reader; sessions; number of washouts that each reader waits for; the design that the analysis recognises.
MODES = {
    "sequential": (2 * N_CASES, 1, 0, "fully crossed"),
    "concurrent": (N_CASES, 1, 0, "readings missing"),
    "independent": (2 * N_CASES, 2, 1, "fully crossed"),
    "crossover": (2 * N_CASES, 2, 1, "fully crossed"),
    "split-plot": (N_CASES, 2, 1, "split-plot"),
}


@pytest.fixture(autouse=True)
def _not_flushed(monkeypatch):
    monkeypatch.setattr("pneumoscope.reader_study.journal.SYNCHRONOUS", "OFF")


def read_all(client, room, name, clock):
    """Read to the end; returns the washouts that the reader met."""
    waited, tasks = 0, iter(room.tasks(name))
    while (view := client.view())["state"] != "finished":
        if view["state"] == "waiting":
            assert_closed(client, view)
            clock.forward(days=29)
            waited += 1
            continue
        read_one(client, view, next(tasks), room.protocol, name)
    assert next(tasks, None) is None
    return waited


def assert_closed(client, view):
    """In the washout there is no token, and nothing is open to a request that is forged with the tokens of before."""
    assert (view["token"], view["next_token"], view["waiting_until"] > "2026") == ("", "", True)
    tokens = {answer.json["next_token"] for answer in client.answers if b"next_token" in answer.body} - {""}
    for token in sorted(tokens)[:3]:
        assert client.get(f"cases/{token}/film").status == 403
        assert client.get(f"cases/{token}/aid").status == 403


def read_one(client, view, task, protocol, name):
    aided = protocol.definition.arm(task.arm).aid is not None
    assert (view["session"], view["step"], view["practice"]) == (task.session, task.step, task.training)
    assert client.case(view, "film").status == 200
    assert client.case(view, "aid").status == 403  # nothing was opened yet
    base = client.opened(view)
    assert client.view()["aid"] == aided
    assert client.case(view, "aid").status == (200 if aided else 403)
    client.lock(view, base, rating_of(name, task, protocol.by_name[task.case].diseased, aided))


def rating_of(name, task, diseased, aided):
    """A rating by a reader who is better than chance, and better with the aid; a pure function of reader, case and arm."""
    chance = int(hashlib.sha256(f"{name}{task.case}{task.arm}".encode()).hexdigest(), 16) % 51
    return chance + (20 + 10 * aided if diseased else 0)


@pytest.mark.parametrize("mode", MODES)
def test_a_study_of_each_mode_is_read_over_http_and_analysed(tmp_path, mode):
    n_answers, n_sessions, washouts, design = MODES[mode]
    clock = Clock()
    study = frozen(tmp_path, clock, mode=mode, readers=N_READERS, n_cases=N_CASES)
    with closing(study.journal), serving(study) as port:
        room = study.room()
        waited = [read_all(reader(port, study, f"R{k + 1}"), room, f"R{k + 1}", clock) for k in range(N_READERS)]
        other = coordinator(port, coordinator_link(study.key))
        archive = other.get("export")
        assert archive.status == 200
        assert other.get("integrity").json["events"] == 1 + 2 * n_answers * N_READERS
    # The readers follow one another, so that the clock has passed the washout of the later ones' first sessions only when
    # they wait for their own.
    assert waited == [washouts] * N_READERS
    with zipfile.ZipFile(io.BytesIO(archive.body)) as files:
        rows = list(csv.DictReader(io.StringIO(files.read("readings.csv").decode())))
        assert f"assigned: {n_answers * N_READERS} answers" in files.read("flow.txt").decode()
    assert len(rows) == n_answers * N_READERS
    assert {row["session"] for row in rows} == {str(k + 1) for k in range(n_sessions)}
    by_arm = {arm: {(row["reader"], row["case"]) for row in rows if row["modality"] == arm} for arm in ("unaided", "aided")}
    assert len(by_arm["unaided"]) == len(by_arm["aided"]) == len(rows) // 2
    assert (by_arm["unaided"] == by_arm["aided"]) == (mode != "concurrent")  # paired by reader and case, but for concurrent
    assert verify(tmp_path)[0] == 1 + 2 * n_answers * N_READERS
    ran = run("study", "analyse", tmp_path)
    assert (ran.code, f", {design}" in ran.out.partition(" the AUC of ")[0]) == (0, True), ran.out + ran.err
    assert "the AUC of 'aided' minus that of 'unaided' was" in ran.out
