"""What the files of the viewer's page must not hold, and what they name must exist; no browser is needed."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "src" / "pneumoscope" / "web" / "static"
VIEWER = STATIC / "viewer"
SCRIPTS = sorted(VIEWER.rglob("*.js"))
UNSAFE = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\"style\"")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_data_becomes_text_never_markup_and_modules_exist(script):
    source = script.read_text(encoding="utf-8")
    assert not UNSAFE.search(source)
    assert "://" not in source.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    for name in re.findall(r'(?:from|import) "(\.[^"]+)"', source):
        assert (script.parent / name).is_file(), name


def test_the_page_has_no_inline_script_or_style_and_its_files_exist():
    page = (VIEWER / "index.html").read_text(encoding="utf-8")
    assert "<style" not in page
    assert not re.search(r"\son\w+=|style=|<script(?![^>]*\ssrc=)", page)
    files = re.findall(r'(?:href|src)="/static/([^"]+)"', page)
    assert len(files) > 5
    assert all((STATIC / name).is_file() for name in files)


def test_every_icon_that_is_named_is_drawn():
    symbols = set(re.findall(r'id="([^"]+)"', (VIEWER / "icons.svg").read_text(encoding="utf-8")))
    source = "".join(script.read_text(encoding="utf-8") for script in SCRIPTS)
    named = set(re.findall(r'icon\("([\w-]+)"\)|icon: "([\w-]+)"', source))
    assert {one or other for one, other in named} <= symbols
    for prefix, words in (
        ("state-", "waiting queued reading read failed"),
        ("upload-", "waiting sending done failed cancelled"),
        ("theme-", "dark light system"),
        ("", "positive negative unsure outside alert offline lock film map spinner"),
    ):
        assert {prefix + word for word in words.split()} <= symbols


def test_no_script_is_long():
    assert max(len(script.read_text(encoding="utf-8").splitlines()) for script in SCRIPTS) <= 400
