"""OHIF, the viewer of other people that hospitals use, opens the films of a running server over DICOMweb."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import read
from pneumoscope.web.app import build
from pneumoscope.web.dicomweb.routes import routes
from pneumoscope.web.guard import Access
from pneumoscope.web.workspace import Options
from tests.radiograph.builders import cr, png, written
from tests.web.browser.ohif_films import lopsided
from tests.web.live import live
from tests.web.serving import served
from tests.web.workspaces import workspace

CONFIGURATION = Path(__file__).parents[3] / "examples" / "ohif" / "app-config.js"
WAIT_MS = 120_000
ALIKE = 0.95
"""Share of the points that agree within two of 256 grey levels; the others lie at edges, which OHIF draws smoothly."""


def films():
    """A picture, a DICOM film whose low values are white, and a shipped radiograph."""
    white_first = 4095 - 16 * lopsided().astype(int)
    dicom = cr(
        white_first, PhotometricInterpretation="MONOCHROME1", WindowCenter=2048, WindowWidth=4096, StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4", ViewPosition="PA", PatientOrientation=["L", "F"],
    )  # fmt: skip
    with sample() as shipped:
        radiograph = (shipped.root / shipped.cases[0].path).read_bytes()
    return {"picture": png(lopsided()), "MONOCHROME1": written(dicom), "shipped": radiograph}


@pytest.fixture
def site(ohif, tmp_path, glass):
    """OHIF on one port, its films on another, which knows OHIF's origin."""
    configured = tmp_path / "app-config.js"
    space = workspace(options=Options())
    for content in films().values():
        space.films.add(content)
    with served({"/": ohif, "/viewer": ohif / "index.html", "/app-config.js": configured}, headers={}) as viewer:
        application = build(space, Access(space.options.token, origins=(viewer,)), routes(space))
        with live(space, application) as port:
            text = CONFIGURATION.read_text(encoding="utf-8")
            assert "http://127.0.0.1:8042" in text
            configured.write_text(text.replace("http://127.0.0.1:8042", f"http://127.0.0.1:{port}"), encoding="utf-8")
            yield viewer, space.options.token
    space.close()


def shown(page):
    """The pixels of OHIF's viewport, once they are those of a film."""
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector('.cornerstone-canvas');
            if (!canvas || !canvas.width) return false;
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return data.some((value, index) => index % 4 === 0 && value > 100);
        }""",
        timeout=WAIT_MS,
    )
    url = page.evaluate("document.querySelector('.cornerstone-canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L")).astype(float)


def differences(canvas, expected):
    """Differences in grey levels of the points of the canvas, which shows the film fitted in and centred."""
    rows, cols = expected.shape
    scale = min(canvas.shape[0] / rows, canvas.shape[1] / cols)
    at_rows = (np.arange(canvas.shape[0]) + 0.5 - canvas.shape[0] / 2) / scale + rows / 2
    at_cols = (np.arange(canvas.shape[1]) + 0.5 - canvas.shape[1] / 2) / scale + cols / 2
    inside = np.ix_((at_rows > 1) & (at_rows < rows - 1), (at_cols > 1) & (at_cols < cols - 1))
    where = np.ix_(at_rows.clip(0, rows - 1).astype(int), at_cols.clip(0, cols - 1).astype(int))
    return np.abs(canvas - expected[where])[inside]


def test_ohif_lists_the_films_and_shows_them_with_the_right_greys_the_right_way_round(site, open_page, tmp_path):
    viewer, token = site
    page = open_page(viewport={"width": 1440, "height": 900})
    page.add_init_script("localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))")
    requested = []
    page.on("request", lambda request: requested.append((request.url, request.headers)))
    page.goto(f"{viewer}/#token={token}")
    page.get_by_text("Film 1", exact=True).first.wait_for(timeout=WAIT_MS)
    assert token not in page.url
    page.screenshot(path=tmp_path / "list.png")
    studies = page.evaluate(
        """([url, token]) => fetch(url, {headers: {Authorization: `Bearer ${token}`}}).then(answer => answer.json())""",
        [next(url for url, _ in requested if "/dicomweb/studies" in url).partition("?")[0], token],
    )
    for study, (name, content) in zip(studies, films().items(), strict=True):
        page.goto(f"{viewer}/viewer?StudyInstanceUIDs={study['0020000D']['Value'][0]}")
        expected = read(content).pixels * 255.0
        canvas = shown(page)
        for _ in range(100):  # OHIF may draw once before it knows the window
            if np.mean(differences(canvas, expected) <= 2) > ALIKE:
                break
            page.wait_for_timeout(100)
            canvas = shown(page)
        page.screenshot(path=tmp_path / f"{name}.png")
        assert np.mean(differences(canvas, expected) <= 2) > ALIKE, name
        for wrong in (expected[::-1], expected[:, ::-1], 255 - expected):
            assert np.mean(differences(canvas, wrong) <= 2) < 0.7, name
    assert not [url for url, _ in requested if token in url]
    assert not [headers for url, headers in requested if "/dicomweb/" not in url and token in str(headers)]
