"""OHIF shows the DICOM objects of a reading on their film: at the right place, the right way round, in the right greys.

The films and the findings are asymmetric, so that an object that is mirrored, turned or shifted fails.
"""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pneumoscope.dicom_objects import secondary_capture
from tests.web.browser.ohif_films import mirrored_white_first, upright
from tests.web.browser.test_ohif import CONFIGURATION, WAIT_MS
from tests.web.small_dicomweb import Archive, site

FILMS = {"upright": upright, "mirrored MONOCHROME1": mirrored_white_first}
TRIES = 20
TRIES_A_PAGE = 2
EDGE_PX = 4
"""Points of the canvas that lie as near to an edge are not compared: OHIF draws edges smoothly, and outlines along them."""


@pytest.fixture
def opened(ohif, open_page):
    """Open a film in OHIF, with its objects, by the configuration that we ship."""
    pages = []

    def open_film(film):
        archive, replaced = Archive(film.files), {}
        serving = site(archive, ohif, replaced)
        url = serving.__enter__()
        pages.append(serving)
        text = CONFIGURATION.read_text(encoding="utf-8").replace("http://127.0.0.1:8042", url)
        replaced["/app-config.js"] = text.replace("thumbnailRendering: 'thumbnail'", "thumbnailRendering: 'wadors'").encode()
        page = open_page(viewport={"width": 1440, "height": 900})
        page.add_init_script("localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))")
        page.goto(f"{url}/viewer?StudyInstanceUIDs={film.study_uid}")
        settled(page, lambda canvas: len(canvas) > 1 and canvas.max() > 100)
        page.set_viewport_size({"width": 1000, "height": 700})  # fewer points to draw and to compare
        page.get_by_text("Confirm and hide").click()
        settled(page, lambda canvas: is_film(canvas, film, film.everywhere))
        return page

    yield open_film
    for serving in pages:
        serving.__exit__(None, None, None)


def canvas_of(page):
    """The colours of OHIF's viewport, int, shape (rows, cols, 3)."""
    url = page.evaluate(
        """() => [...document.querySelectorAll('.cornerstone-canvas')].sort((one, other) => other.width - one.width)[0]
            ?.toDataURL() ?? ''"""  # the smaller ones draw thumbnails
    )
    if not url:
        return np.zeros((1, 1, 3), int)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(int)


def settled(page, holds, wait_ms=WAIT_MS // 2):
    """The viewport, once what is expected of it holds; a test asserts it again, to show what does not."""
    for _ in range(wait_ms // 200):
        canvas = canvas_of(page)
        if holds(canvas):
            break
        page.wait_for_timeout(200)
    return canvas


def on_canvas(canvas, values):
    """Values on the film's grid at the points of the canvas, which shows the film fitted in and centred; zero outside."""
    rows, cols = values.shape[:2]
    height, width = canvas.shape[:2]
    scale = min(height / rows, width / cols)
    at_rows = (np.arange(height) + 0.5 - height / 2) / scale + rows / 2
    at_cols = (np.arange(width) + 0.5 - width / 2) / scale + cols / 2
    inside = ((at_rows >= 0) & (at_rows < rows))[:, None] & ((at_cols >= 0) & (at_cols < cols))[None]
    sampled = values[np.ix_(at_rows.clip(0, rows - 1).astype(int), at_cols.clip(0, cols - 1).astype(int))]
    return sampled * inside.reshape(inside.shape + (1,) * (values.ndim - 2))


def well_inside(mask):
    return ndimage.binary_erosion(mask, iterations=EDGE_PX)


def is_film(canvas, film, where):
    """Whether the canvas has the film's greys where a mask on the film's grid is true."""
    grey = on_canvas(canvas, film.result.radiograph.pixels * 255.0)[..., None]
    compared = well_inside(on_canvas(canvas, where))
    edges = ndimage.maximum_filter(grey[..., 0], 5) - ndimage.minimum_filter(grey[..., 0], 5) > 20
    return bool(np.mean(np.abs(canvas - grey).max(2)[compared & ~edges] <= 3) > 0.99) if compared.any() else False


def is_coloured(canvas, where, least=0.99):
    compared = well_inside(on_canvas(canvas, where))
    return bool(np.mean(np.ptp(canvas, 2)[compared] > 20) >= least) if compared.any() else False


def colour(canvas, where):
    """The median colour of a part, less its grey."""
    part = canvas[well_inside(on_canvas(canvas, where))]
    return np.median(part - part.mean(1, keepdims=True), 0)


def check_segments(page, film, number):
    """The right lung is blue, the left one green and the finding yellow, each over its mask, and the film is grey elsewhere."""
    right, left, finding = (segment.mask for segment in film.segments)
    union = right | left | finding
    canvas = open_from_list(page, "SEG", lambda canvas: is_coloured(canvas, union) and is_film(canvas, film, ~union), number)
    assert is_coloured(canvas, union)
    assert is_film(canvas, film, ~union)
    blue, green, yellow = colour(canvas, right), colour(canvas, left & ~finding), colour(canvas, finding)
    assert (np.argmax(blue), np.argmin(blue)) == (2, 0)
    assert (np.argmax(green), np.argmin(green)) == (1, 0)
    assert np.argmin(yellow) == 2
    for wrong in (union[::-1], union[:, ::-1]):
        assert not is_coloured(canvas, wrong, 0.9)
    bent = well_inside(on_canvas(canvas, finding))
    assert np.mean((canvas[..., 0] > canvas[..., 2])[bent]) > 0.99  # yellow in the whole of its L, which lies in the green lung
    assert np.mean((canvas[..., 0] > canvas[..., 2])[well_inside(on_canvas(canvas, left & ~finding))]) < 0.01


def click_list(page, modality):
    page.get_by_text(modality, exact=True).last.dblclick()


def check_map(page, film):
    """The heat map lies over its values, orange where it is 0.9 and green where it is 0.7, and the film is grey elsewhere."""
    values = film.result.reading.heatmap.values
    marked, free = values > 0.4, values == 0
    canvas = open_from_list(page, "PMAP", lambda canvas: is_coloured(canvas, marked) and is_film(canvas, film, free))
    assert is_coloured(canvas, marked)
    assert is_film(canvas, film, free)
    for wrong in (marked[::-1], marked[:, ::-1]):
        assert not is_coloured(canvas, wrong, 0.9)
    assert np.argmax(colour(canvas, values > 0.85)) == 0
    assert np.argmax(colour(canvas, (values > 0.69) & (values < 0.71))) == 1


def check_report(page, film):
    """The regions lie on the finding and on the lung-field box, to half a pixel, with what was measured."""
    polylines = page.locator("svg.svg-layer polyline")
    canvas = open_from_list(page, "SR", lambda canvas: polylines.count() > 1 and is_film(canvas, film, film.everywhere))
    assert is_film(canvas, film, film.everywhere)
    drawn = [on_film(canvas, film, polyline.get_attribute("points")) for polyline in polylines.all()]
    reading = film.result.reading
    boxes = (reading.lung_fields.box, *(finding.box for finding in reading.findings))
    assert np.allclose(sorted(drawn), sorted((box.top, box.left, box.bottom, box.right) for box in boxes), atol=0.5)
    assert page.get_by_text("Certainty of Finding: 81.00 %").count()
    assert page.get_by_text("Probability: 0.90").count()


def check_capture(page, film):
    """The picture has the colours of its pixels, and the findings are not drawn on its mirror image."""
    picture = secondary_capture.read(film.objects["sc"].content).pixels.astype(int)
    page.locator("[data-cy=study-browser-thumbnail]").filter(has_text="Pneumoscope picture").dblclick()
    canvas = settled(page, lambda canvas: is_picture(canvas, picture))
    assert is_picture(canvas, picture)
    for wrong in (picture[::-1], picture[:, ::-1]):
        assert not is_picture(canvas, wrong, 0.8)


def is_picture(canvas, picture, least=0.99):
    """Whether the canvas has the colours of a picture, apart from its edges and letters."""
    expected = on_canvas(canvas, picture)
    smooth = np.all(
        [ndimage.maximum_filter(one, 7) - ndimage.minimum_filter(one, 7) < 8 for one in np.moveaxis(expected, 2, 0)], 0
    )
    return bool(np.mean(np.abs(canvas - expected).max(2)[smooth] <= 4) > least)


def on_film(canvas, film, points):
    """The edges, in pixels of the film, of a polyline on the canvas."""
    height, width = canvas.shape[:2]
    scale = min(height / film.rows, width / film.cols)
    numbers = np.array(re.findall(r"-?[\d.]+", points), float).reshape(-1, 2)[:, ::-1]
    at = (numbers - np.array([height, width]) / 2) / scale + np.array([film.rows, film.cols]) / 2
    return (*at.min(0).tolist(), *at.max(0).tolist())


def open_from_list(page, modality, holds, number=0):
    """Open an object by a double click in the list, and again if nothing came of it: the list moves while thumbnails load."""
    entries = page.locator("[data-cy=study-browser-thumbnail-no-image]")
    entry = entries.filter(has=page.get_by_text(modality, exact=True)).nth(number)
    for attempt in range(TRIES):
        if attempt % TRIES_A_PAGE == TRIES_A_PAGE - 1:  # a report that OHIF has opened without its regions stays so
            page.reload()
            entry.wait_for()
        entry.dblclick()
        canvas = settled(page, holds, WAIT_MS // TRIES)
        if holds(canvas):
            break
    return canvas


def has_no_letters(page):
    """Whether OHIF prints no directions, which a radiograph without a plane does not state."""
    return not page.locator(".orientation-marker:visible").count()


@pytest.mark.parametrize("name", FILMS)
def test_objects_lie_on_the_finding_and_the_lungs(name, opened, tmp_path):
    film = FILMS[name]()
    page = opened(film)
    check_report(page, film)
    page.screenshot(path=tmp_path / "report.png")
    check_capture(page, film)
    page.screenshot(path=tmp_path / "capture.png")
    for number in range(len(film.segmentations)):
        check_segments(page, film, number)
        page.screenshot(path=tmp_path / f"segmentation{number}.png")
    check_map(page, film)
    page.screenshot(path=tmp_path / "parametric_map.png")
    assert has_no_letters(page)
