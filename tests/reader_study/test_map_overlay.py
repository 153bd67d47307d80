"""A model's heat map as an aid: what is painted, where it lies, and what is refused."""

import io
import json
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from pneumoscope.radiograph import Orientation
from pneumoscope.reader_study.errors import InvalidStudyError, TamperedJournalError
from pneumoscope.reader_study.folder import check, freeze
from pneumoscope.reader_study.map_overlay import aid_png, map_png
from pneumoscope.reader_study.protocol import sha256
from pneumoscope.reports.colours import INFERNO
from tests.reader_study.study_files import COLS, ROWS, Clock, answer_one, case_name, key, link, make

MAPS = '[[arms]]\nname = "unaided"\n[[arms]]\nname = "aided"\naid = { folder = "run/maps", source = "heat map" }\n'
SHOWN = Orientation.parse(("L", "F"))


def heat(k):
    """Warm from the case's column on."""
    values = np.zeros((ROWS, COLS), np.float32)
    values[4:12, k + 2 : k + 12] = 0.8
    return values


def study(folder, maps=heat):
    make(folder, arms=MAPS)
    lines = []
    for k in range(8):
        file = folder / "run" / "maps" / f"{case_name(k)}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, maps(k))
        of = sha256((folder / "radiographs" / case_name(k)).read_bytes())
        line = {"path": case_name(k), "file_sha256": of, "operating_point": {"threshold": 0.77}, "map": {"threshold": 0.5}}
        lines.append(json.dumps(line) + "\n")
    (folder / "run" / "run.json").write_text(json.dumps({"model": {"name": "default", "sha256": "e" * 64}}))
    (folder / "run" / "readings.jsonl").write_text("".join(lines))
    return folder


def pixels_of(content):
    with Image.open(io.BytesIO(content)) as image:
        assert (image.mode, image.info) == ("RGBA", {})
        return np.asarray(image)


def test_colour_and_opacity_increase_with_the_value_and_a_line_follows_the_threshold():
    values = np.zeros((5, 6), np.float32)
    values[1:4, 1:5] = [[0.6, 0.6, 0.6, 0.6], [0.6, 1.0, 0.2, 0.6], [0.6, 0.6, 0.6, 0.6]]
    picture = pixels_of(map_png(values, SHOWN, 0.5))
    assert picture[0, 0].tolist() == [*INFERNO[0], 0]
    assert picture[2, 3].tolist() == [*INFERNO[51], 28]  # 0.2 · 255 = 51, 51 · 0.55 = 28.05
    assert (picture[values == np.float32(0.6)] == 255).all()
    assert (pixels_of(map_png(values, SHOWN, None))[2, 2] == [*INFERNO[255], 140]).all()


def test_a_map_on_the_edge_of_the_picture_has_no_line_there():
    picture = pixels_of(map_png(np.ones((3, 3), np.float32), SHOWN, 0.5))
    assert (picture == [*INFERNO[255], 140]).all()


def test_a_mirrored_radiograph_has_its_map_in_the_displayed_order():
    values = heat(0)
    mirrored = pixels_of(map_png(values, Orientation.parse(("R", "F")), 0.5))
    assert np.array_equal(mirrored[:, ::-1], pixels_of(map_png(values, SHOWN, 0.5)))


def test_the_aid_of_each_case_is_its_own_map_and_what_made_it_is_in_the_trail(tmp_path):
    with closing((launched := freeze(study(tmp_path), "study", Clock())).journal):
        for aid in launched.protocol.aids:
            k = next(k for k in range(8) if case_name(k) == aid.case)
            assert np.array_equal(pixels_of(aid_png(launched.protocol, aid)), pixels_of(map_png(heat(k), SHOWN, 0.5)))
        room, who = launched.room(), link(launched)
        answer_one(room, who)
        view = room.view(who)
        room.open(who, view.token, view.step, key())
        assert pixels_of(room.aid(who, view.token)).shape == (ROWS, COLS, 4)
        answer_one(room, who)
        screen = launched.journal.events("locked")[-1].body["screen"]
        assert (screen["bundle_sha256"], screen["threshold"], screen["map_threshold"]) == ("e" * 64, 0.77, 0.5)


def test_a_map_that_was_exchanged_after_the_launch_is_not_shown(tmp_path):
    with closing((launched := freeze(study(tmp_path), "study", Clock())).journal):
        aid = launched.protocol.aids[0]
        np.save(aid.file, np.ones((ROWS, COLS), np.float32))
        with pytest.raises(TamperedJournalError, match="a heat map is not the file that was frozen"):
            aid_png(launched.protocol, aid)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((ROWS + 1, COLS), np.float32), f"has {ROWS + 1} × {COLS} values, the radiograph {ROWS} × {COLS} pixels"),
        (np.full((ROWS, COLS), np.nan, np.float32), "no grid of finite numbers"),
        (np.full((ROWS, COLS), -1, np.float32), "no grid of finite numbers"),
        (np.zeros((ROWS, COLS), np.int32), "no grid of finite numbers"),
        (np.zeros((ROWS, COLS, 3), np.float32), "no grid of finite numbers"),
        (np.array([{}]), "cannot be read"),
    ],
)
def test_what_is_no_heat_map_of_the_radiograph_is_refused(tmp_path, values, message):
    with pytest.raises(InvalidStudyError, match=message):
        check(study(tmp_path, lambda k: values))
