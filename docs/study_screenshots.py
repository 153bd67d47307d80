"""The pictures of the pages of a reader study, on the radiographs that the package ships; taken by docs/screenshots.py."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser
from tests.web.browser.study_reader import ReaderPage
from tests.web.study_cases import on_the_sample
from tests.web.study_server import StudyServer

SIZE = {"width": 1280, "height": 800}


def take(browser: Browser, write: Callable[[bytes, str], None]) -> None:
    """Read a case unaided and aided, and look at the coordinator's page.

    Parameters
    ----------
    browser : Browser
        Running.
    write : callable
        Takes a screenshot as PNG and the name of the picture.
    """
    with tempfile.TemporaryDirectory() as folder, StudyServer(on_the_sample(Path(folder), aid=soft_aid)) as server:
        page = browser.new_page(viewport=SIZE)
        reader = ReaderPage(page, server).sign_in()
        write(page.screenshot(), "study-display-check")
        reader.begin()
        reader.press("8", "5", "y")
        reader.drag((0.28, 0.52), (0.41, 0.74))
        reader.press("4")
        reader.drag((0.64, 0.5), (0.75, 0.7))
        reader.press("2")
        reader.saved()
        write(page.screenshot(), "study-case")
        reader.press("Escape")
        reader.lock()
        reader.ready()
        reader.press("a")
        reader.saved()
        write(page.screenshot(), "study-aided")
        reader.lock()
        reader.ready()
        page.goto(server.links["coordinator"])
        page.get_by_text("every hash verified").wait_for()
        write(page.screenshot(), "study-coordinator")
        page.close()


def soft_aid(width: int, height: int) -> Image.Image:
    """A map with two soft maxima, as an example of an aid; it is computed from nothing."""
    rows, cols = np.mgrid[0:height, 0:width]

    def spot(row: float, col: float, radius: float) -> np.ndarray:
        away = ((rows - row * height) ** 2 + (cols - col * width) ** 2) / (radius * height) ** 2
        return np.exp(-away)

    strength = np.clip(spot(0.6, 0.34, 0.16) + 0.6 * spot(0.62, 0.68, 0.12), 0, 1)
    picture = np.zeros((height, width, 4), np.uint8)
    picture[..., 0], picture[..., 1] = 255, (150 * (1 - strength)).astype(np.uint8)
    picture[..., 3] = (150 * strength).astype(np.uint8)
    return Image.fromarray(picture)
