"""A study on the sixteen shipped radiographs, and a study of many small films, for the tests of the pages."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from pneumoscope.cohort import Case, Cohort, table
from pneumoscope.cohort.sample import sample
from pneumoscope.reader_study.folder import freeze
from pneumoscope.reader_study.journal import Clock, now
from tests.reader_study.study_files import study_toml

MARKS = "[questions]\nmarks = { low = 1, high = 5 }\n"


def rectangle(width: int, height: int) -> Image.Image:
    """A coloured rectangle on a clear picture: an aid."""
    picture = np.zeros((height, width, 4), np.uint8)
    picture[height // 4 : height // 2, width // 5 : width // 3] = (255, 120, 0, 110)
    return Image.fromarray(picture)


def on_the_sample(folder: Path, clock: Clock = now, *, practice: int = 0, aid=rectangle, **options) -> Path:
    """Freeze a study of the shipped radiographs; `aid` makes the overlay for a width and a height."""
    folder.mkdir(parents=True, exist_ok=True)
    with sample() as shipped:
        root = folder / "radiographs"
        for case in shipped.cases:
            with Image.open(shipped.file(case)) as image:
                overlay = folder / "aid" / f"{case.path}.png"
                overlay.parent.mkdir(parents=True, exist_ok=True)
                aid(*image.size).save(overlay)
            copy = root / case.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(shipped.file(case).read_bytes())
        cohort = Cohort(root, shipped.cases, source=shipped.source)
        training = [case.path for case in shipped.cases if case.reference][:practice]
        boxes = [f"{case.path},40,60,120,160\n" for case in shipped.cases if case.reference]
    table.write(cohort, folder / "cohort.csv")
    (folder / "boxes.csv").write_text("path,x1,y1,x2,y2\n" + "".join(boxes), encoding="utf-8")
    cases = {"one_per_patient": False, "regions": "boxes.csv", "box_space": "file"}
    text = study_toml(training=training, cases=cases, questions=options.pop("questions", MARKS), **options)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    freeze(folder, "study", clock).journal.close()
    return folder


def of_many(folder: Path, n_cases: int, edge: int = 64) -> Path:
    """Freeze a study of many small films, one reader, one unaided arm."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for k in range(n_cases):
        file = folder / "radiographs" / f"{k:03}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (edge, edge), dtype=np.uint8)).save(file)
        label = "PNEUMONIA" if k % 2 else "NORMAL"
        cases.append(Case(file.name, label, k % 2, f"patient{k:03}", rows=edge, cols=edge))
    table.write(Cohort(folder / "radiographs", tuple(cases), source="test"), folder / "cohort.csv")
    text = study_toml(
        "concurrent", 2, arms='[[arms]]\nname = "one"\n[[arms]]\nname = "two"\n', questions="",
        analysis=f"[analysis]\nfirst = {json.dumps('one')}\nsecond = {json.dumps('two')}\n",
    )  # fmt: skip
    (folder / "study.toml").write_text(text, encoding="utf-8")
    with closing(freeze(folder).journal):
        return folder
