"""Take the pictures of the viewer, of a reader study and of the page of a node: python docs/screenshots.py.

It needs Chromium and the extra `browser`.
The films are the radiographs that the package ships. Each picture is a WebP file of at most 150 kB in docs/pictures/.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import node_screenshots  # noqa: E402
import study_screenshots  # noqa: E402
from tests.web.browser.viewer_server import SAMPLE, Served, film, noise, serving, until  # noqa: E402
from tests.web.conftest import CHROMIUM_OPTIONS  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
MOST_BYTES = 150_000
DESKTOP, TABLET, PHONE = (1440, 900), (1024, 768), (390, 844)
MAP = "document.querySelector('px-viewport')?.layers.length === 1"
COMPARED = "document.querySelectorAll('px-viewport')[1].layers.length === 1"


def main() -> None:
    """Start the server and the browser, and take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, serving(SAMPLE) as served:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_OPTIONS)
        take(browser, served, "viewer-empty", lambda page: page.get_by_role("searchbox").fill("no such film"))
        served.read_all()
        for name, (size, theme, steps) in SCENES.items():
            take(browser, served, name, steps, size, theme)
        for pages in (study_screenshots, node_screenshots):
            pages.take(browser, lambda png, name: write(png, PICTURES / f"{name}.webp"))
        browser.close()


def take(
    browser: Browser,
    served: Served,
    name: str,
    steps: Callable[[Page], object],
    size: tuple[int, int] = DESKTOP,
    theme: str = "dark",
) -> None:
    """Open the page, go to a state, and write its picture."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=size != DESKTOP)
    context.add_init_script(f"localStorage.setItem('pneumoscope.viewer', JSON.stringify({{ theme: '{theme}' }}))")
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector(".row canvas")
    steps(page)
    page.mouse.move(size[0] - 2, size[1] - 2)
    page.wait_for_timeout(700)
    write(page.screenshot(), PICTURES / f"{name}.webp")
    context.close()


def write(screenshot: bytes, path: Path) -> None:
    """Write a picture with the best quality that stays small enough."""
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    for quality in range(90, 30, -10):
        image.save(path, "WEBP", quality=quality, method=6)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def opened(label: str, *keys: str) -> Callable[[Page], None]:
    """Open a film, wait for its map and press keys."""

    def steps(page: Page) -> None:
        film(page, label).click()
        until(page, MAP)
        for key in keys:
            page.keyboard.press(key)

    return steps


def compared(mode: str) -> Callable[[Page], None]:
    """Open a film and compare its map with the other model's."""

    def steps(page: Page) -> None:
        opened("Film 13")(page)
        page.get_by_role("combobox", name="View of the map").select_option(mode)
        until(page, COMPARED)

    return steps


def measured(page: Page) -> None:
    """Open a film, narrow the window and draw with the ruler."""
    opened("Film 16", "l")(page)
    box = page.locator("px-viewport").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 180, box["y"] + 420)
    page.mouse.down()
    page.mouse.move(box["x"] + 620, box["y"] + 420, steps=5)
    page.mouse.up()


def uploaded(page: Page) -> None:
    """Add a picture that is no radiograph, and one that is no picture."""
    files = [("photo.png", "image/png", noise()), ("notes.txt", "text/plain", b"no film")]
    page.locator("input[type=file]").first.set_input_files(
        [{"name": name, "mimeType": kind, "buffer": content} for name, kind, content in files]
    )
    page.wait_for_selector("text=1 of 2 files added, 1 not added")


def outside(page: Page) -> None:
    """Read a picture that is no radiograph."""
    page.locator(".grid").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Not read yet")
    page.keyboard.press("d")
    page.wait_for_selector("text=Outside the model")
    until(page, MAP)
    page.keyboard.press("m")


def reading_details(page: Page) -> None:
    """Show the sections below the findings."""
    opened("Film 12", "m", "n")(page)
    page.locator(".sections").evaluate("one => { one.scrollTop = 470; }")


SCENES: dict[str, tuple[tuple[int, int], str, Callable[[Page], object]]] = {
    "viewer-worklist": (DESKTOP, "dark", lambda page: None),
    "viewer-film": (DESKTOP, "dark", opened("Film 13")),
    "viewer-map": (DESKTOP, "dark", opened("Film 13", "m", "n")),
    "viewer-zones": (DESKTOP, "dark", reading_details),
    "viewer-unsure": (DESKTOP, "dark", opened("Film 4")),
    "viewer-light": (DESKTOP, "light", opened("Film 5", "m")),
    "viewer-side-by-side": (DESKTOP, "dark", compared("side")),
    "viewer-curtain": (DESKTOP, "dark", compared("curtain")),
    "viewer-ruler": (DESKTOP, "dark", measured),
    "viewer-keys": (DESKTOP, "dark", lambda page: page.keyboard.press("?")),
    "viewer-tablet": (TABLET, "dark", opened("Film 13", "m")),
    "viewer-narrow": (PHONE, "dark", opened("Film 13", "m")),
    "viewer-uploads": (DESKTOP, "dark", uploaded),
    "viewer-outside": (DESKTOP, "dark", outside),
}

if __name__ == "__main__":
    main()
