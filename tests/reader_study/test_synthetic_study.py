"""Complete studies by simulated readers of known ability (Roe–Metz): the analysis recovers what was put in."""

import json
from contextlib import closing

import numpy as np
import pytest
from scipy.special import ndtr

from pneumoscope.cohort import table
from pneumoscope.cohort.sample import sample
from pneumoscope.reader_study.analysis.analyse import analyse
from pneumoscope.reader_study.analysis.plan import of_study
from pneumoscope.reader_study.folder import freeze, open_study, verify
from pneumoscope.reader_study.interface import Request, respond
from pneumoscope.reader_study.results import table_of_study
from pneumoscope.statistics.multireader.auc import empirical_auc
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.roe_metz import RoeMetz, StudySize, simulate
from tests.cli.run import run
from tests.reader_study.study_files import Clock, key, link, make, picture, study_toml

FINE = "[questions]\nrating = { low = 0, high = 100, step = 0.001 }\n"
# Expected AUC .701 unaided and .854 aided; variances as in Roe & Metz 1997, readers of low variance.
ABILITY = RoeMetz((0.75, 1.5), 0.0055, 0.0055, 0.3, 0.3, 0.2, 0.2)


class Client:
    """A reader's browser: knows nothing but what the interface sends."""

    def __init__(self, room, who):
        self.room, self.headers = room, {"Authorization": f"Bearer {who}"}

    def get(self, path):
        response = respond(self.room, Request("GET", path, self.headers))
        assert response.status == 200, response.body
        return response

    def view(self):
        return json.loads(self.get("view").body)

    def post(self, view, action, **body):
        content = json.dumps({"step": view["step"], "key": key(), **body}).encode()
        response = respond(self.room, Request("POST", f"cases/{view['token']}/{action}", self.headers, content))
        assert response.status == 200, response.body
        return json.loads(response.body)["number"]


def rating_of(value):
    """A rating from 0 to 100 that grows with the simulated value."""
    return round(100 * float(ndtr(value / 3)), 3)


def read_study(study, clock, cube: ReaderRatings, cases, look=False):
    """Drive every reader through the interface; `cube` has the ratings of arms × readers × cases."""
    room, arms = study.room(), [arm.name for arm in study.protocol.definition.arms]
    for j, reader in enumerate(study.protocol.definition.readers):
        client, tasks = Client(room, link(study, reader.name)), iter(room.tasks(reader.name))
        while (view := client.view())["state"] != "finished":
            if view["state"] == "waiting":
                clock.forward(days=29)
                continue
            task = next(tasks)  # which case it is, the simulated reader sees with its eyes
            base = client.post(view, "open")
            if look:
                assert client.get(f"cases/{view['token']}/pixels").body.startswith(b"\x89PNG")
                if client.view()["aid"]:
                    assert client.get(f"cases/{view['token']}/aid").body.startswith(b"\x89PNG")
            rating = rating_of(cube.rating[arms.index(task.arm), j, cases.index(task.case)])
            answer = {"rating": rating, "decision": "positive" if rating >= 50 else "negative"}
            signals = [{"page": "p", "kind": kind, "ms": ms} for kind, ms in (("loaded", 0), ("input", 9000))]
            client.post(view, "lock", base=base, answer=answer, signals=signals)


def simulated(study, seed):
    """Ratings of the cases of a study, non-diseased ones first."""
    cases = sorted(study.protocol.read_cases, key=lambda case: case.diseased)
    n_diseased = sum(case.diseased for case in cases)
    size = StudySize(len(cases) - n_diseased, n_diseased, len(study.protocol.definition.readers))
    return simulate(ABILITY, size, np.random.default_rng(seed)), [case.name for case in cases]


def recovered(folder, cube, cases):
    """The analysis of the folder, after checking that the table is what the readers answered, bit for bit."""
    ratings, plan, _ = table_of_study(folder)
    rows = {(m, r, c): ratings.rating[i, j, k] for i, m in enumerate(ratings.modalities)
            for j, r in enumerate(ratings.readers) for k, c in enumerate(ratings.cases)}  # fmt: skip
    for i, arm in enumerate(("unaided", "aided")):
        for j, reader in enumerate(ratings.readers):
            assert [rows[arm, reader, case] for case in cases] == [rating_of(value) for value in cube.rating[i, j]]
    return analyse(ratings, of_study(plan))


def test_a_sequential_study_gives_back_every_answer(tmp_path):
    clock = Clock()
    study = freeze(make(tmp_path, questions=FINE), "study", clock)
    with closing(study.journal):
        cube, cases = simulated(study, 1)
        read_study(study, clock, cube, cases, look=True)
    result = recovered(tmp_path, cube, cases)
    assert np.allclose(result.values[result.modalities.index("aided")], empirical_auc(cube).value[1])
    assert verify(tmp_path)[0] == 1 + 2 * 2 * 8 * 2


@pytest.mark.slow
def test_simulated_readers_of_known_ability_are_recovered(tmp_path):
    """80 cases, 4 readers, crossover with washout: the exact difference of the model lies in the interval."""
    clock = Clock()
    study = freeze(make(tmp_path, n_cases=80, mode="crossover", readers=4, questions=FINE), "study", clock)
    with closing(study.journal):
        cube, cases = simulated(study, 20260101)
        read_study(study, clock, cube, cases)
    result = recovered(tmp_path, cube, cases)
    true = ABILITY.auc(1) - ABILITY.auc(0)
    difference = result.verdict.difference
    assert true == pytest.approx(0.1534, abs=0.001)  # Φ(1.5/√2.022) − Φ(0.75/√2.022)
    assert difference.low < true < difference.high
    assert difference.standard_error < 0.06
    assert (result.verdict.first, result.verdict.second) == ("aided", "unaided")
    assert str(result.design) == "fully crossed"


@pytest.mark.slow
def test_a_complete_study_on_the_shipped_radiographs(tmp_path):
    """Sixteen radiographs of fifteen patients; from the study file to the report, with the server stopped on the way."""
    clock = Clock()
    with sample() as shipped:
        table.write(shipped, tmp_path / "cohort.csv")
        for case in shipped.cases:
            picture(tmp_path / "aid" / f"{case.path}.png", len(case.path))
        (tmp_path / "study.toml").write_text(study_toml(readers=3, questions=FINE), encoding="utf-8")
        study = freeze(tmp_path, "study", clock)
        assert len(study.protocol.read_cases) == 15
        cube, cases = simulated(study, 3)
        study.journal.close()
        again = open_study(tmp_path, clock)
        with closing(again.journal):
            read_study(again, clock, cube, cases, look=False)
            view = again.room().view(link(again))
            assert (view.state, view.locked, view.assigned) == ("finished", 15, 15)
        recovered(tmp_path, cube, cases)
        for command in (["verify", tmp_path], ["export", tmp_path, "-o", tmp_path / "out"],
                        ["analyse", tmp_path, "-o", tmp_path / "report"]):  # fmt: skip
            ran = run("study", *command)
            assert ran.code == 0, ran.err
    assert "In a study of 3 readers and 15 cases" in ran.out
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
