"""The picture of the page of a node; its readings are drawn with replacement from those of the shipped radiographs."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser
from tests.pacs.page_server import TOKEN, page_server

import pneumoscope
from pneumoscope.cohort.sample import sample
from pneumoscope.readings import CaseKey, form

SIZE = {"width": 1280, "height": 900}


def take(browser: Browser, write: Callable[[bytes, str], None]) -> None:
    """Open the page in the light colours.

    Parameters
    ----------
    browser : Browser
        Running.
    write : callable
        Takes a screenshot as PNG and the name of the picture.
    """
    lines = _lines()
    positive = [line for line in lines if json.loads(line)["decision"] == "positive"]
    with (
        tempfile.TemporaryDirectory() as folder,
        page_server(Path(folder), usual=_drawn_from(lines), drifted=_drawn_from(positive)) as served,
    ):
        login = {"username": "anybody", "password": TOKEN}
        context = browser.new_context(viewport=SIZE, color_scheme="light", http_credentials=login)
        page = context.new_page()
        page.goto(served.url)
        write(page.screenshot(full_page=True), "pacs-page")
        context.close()


def _lines() -> list[str]:
    """What the shipped model says of the shipped radiographs."""
    reader, case = pneumoscope.Reader.load(), CaseKey("radiograph", "0" * 64)
    with sample() as shipped:
        return [form.to_json(form.line_of(case, reader(shipped.file(one)))) for one in shipped.cases]


def _drawn_from(lines: list[str]) -> Callable[[np.random.Generator], str]:
    return lambda rng: lines[rng.integers(len(lines))]
