"""A small study on disk: radiographs of 24 × 32 pixels, a cohort, overlays, and a clock that tests turn."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import numpy as np
from PIL import Image, PngImagePlugin

from pneumoscope.cohort import Case, Cohort, table
from pneumoscope.reader_study.entry import Entry
from pneumoscope.reader_study.folder import freeze
from pneumoscope.reader_study.room import reader_link

ROWS, COLS = 24, 32
START = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
SURNAME, HOSPITAL = "Mustermann", "St-Elsewhere"


class Clock:
    """The server's clock: one second forward with each look, and as far as a test turns it."""

    def __init__(self, at=START):
        self.at = at

    def __call__(self):
        self.at += timedelta(seconds=1)
        return self.at

    def forward(self, **duration):
        self.at += timedelta(**duration)


def picture(path, seed):
    """A PNG whose metadata name the patient, as some exports do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(seed).integers(0, 256, (ROWS, COLS), dtype=np.uint8)
    text = PngImagePlugin.PngInfo()
    text.add_text("PatientName", SURNAME)
    Image.fromarray(grey).save(path, pnginfo=text)


def case_name(k):
    return f"{HOSPITAL}/{'PNEUMONIA' if k % 2 else 'NORMAL'}/{SURNAME}_{k:03}.png"


def write_cohort(folder, n_cases, extra=()):
    for k in range(n_cases):
        picture(folder / "radiographs" / case_name(k), k)
    cases = tuple(
        Case(case_name(k), "PNEUMONIA" if k % 2 else "NORMAL", k % 2, f"patient{k:03}", rows=ROWS, cols=COLS)
        for k in range(n_cases)
    )
    cohort = Cohort(folder / "radiographs", (*cases, *extra), source="test")
    table.write(cohort, folder / "cohort.csv")
    return cohort


def write_overlays(folder, n_cases):
    for k in range(n_cases):
        picture(folder / "aid" / f"{case_name(k)}.png", 1000 + k)


def study_toml(mode="sequential", readers=2, training=(), **more):
    """The text of a study file."""
    groups = [f'group = "{"AB"[k % 2]}"' if mode == "split-plot" else "" for k in range(readers)]
    names = [f'[[readers]]\nname = "R{k + 1}"\nyears = {k}\nrole = "radiologist"\n{groups[k]}' for k in range(readers)]
    head = {"title": "Does the heat map help?", "target": "pneumonia", "mode": mode, "seed": 7, **more.get("head", {})}
    cases = {"cohort": "cohort.csv", "split": "all", "training": list(training), **more.get("cases", {})}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in head.items())
    text += "\n[cases]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in cases.items())
    arms = '[[arms]]\nname = "unaided"\n[[arms]]\nname = "aided"\n'
    arms += f'aid = {{ folder = "aid", source = "heat map", bundle_sha256 = "{"b" * 64}", threshold = 0.5 }}\n'
    questions = more.get("questions", "[questions]\nmarks = { low = 1, high = 5 }\n")
    return "\n".join([text, *names, more.get("arms", arms), questions, more.get("analysis", "")])


def make(folder, n_cases=8, **options):
    write_cohort(folder, n_cases)
    write_overlays(folder, n_cases)
    (folder / "study.toml").write_text(study_toml(**options), encoding="utf-8")
    return folder


def frozen(folder, clock=None, stage="study", **options):
    return freeze(make(folder, **options), stage, clock or Clock())


def link(study, reader="R1"):
    return reader_link(study.key, reader)


_KEYS = itertools.count()


def key():
    return f"key{next(_KEYS)}"


def full(rating=60, **more):
    return {"rating": rating, "decision": "positive" if rating >= 50 else "negative", "no_marks": True, **more}


def answer_one(room, who, rating=60, **more):
    """Open and lock the current task."""
    view = room.view(who)
    opened = room.open(who, view.token, view.step, key())
    return room.lock(who, Entry(view.token, view.step, key(), opened.number, full(rating, **more)))


def answer_session(room, who, session, rating=lambda view: 60):
    while (view := room.view(who)).state == "reading" and view.session == session:
        answer_one(room, who, rating(view))
