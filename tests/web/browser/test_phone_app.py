"""The application for phones in Chromium, with a phone's viewport and touch: parity, offline, updates, interruptions."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Error

from pneumoscope import radiograph
from pneumoscope.archive.journal import file_sha256
from pneumoscope.cohort.sample import sample
from pneumoscope.reader import DEFAULT_BUNDLE, Reader
from pneumoscope.readings import CaseKey, form
from pneumoscope.web.phone_app import build
from tests.golden.compared import frozen
from tests.radiograph.builders import cr, written
from tests.radiograph.grey_vectors import ramp
from tests.web.browser.photographs import photograph
from tests.web.conftest import PHONE
from tests.web.serving import served

pytestmark = pytest.mark.browser
READ_ALL = """async (files) => {
  const { ReaderClient } = await import(new URL("reader/client.js", location.href));
  const reader = new ReaderClient();
  const answers = {};
  for (const [name, content, population] of files) {
    const bytes = Uint8Array.from(atob(content), (code) => code.charCodeAt(0));
    const { line, layer } = await reader.read(bytes, name, population);
    answers[name] = { line, cells: layer && Array.from(layer.cells), looked: layer?.looked && Array.from(layer.looked) };
  }
  reader.restart();
  return answers;
}"""
TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2}


@pytest.fixture(scope="session", params=["fp16", "fp32"])
def precise(request, tmp_path_factory) -> Iterator[tuple[str, str]]:
    """A precision, and the address of the application with it."""
    out = tmp_path_factory.mktemp("app") / "app"
    build(out, DEFAULT_BUNDLE, request.param, quality=1, progress=lambda _: None)
    with served({"/app/": out}, headers={}) as url:
        yield request.param, f"{url}/app/"


@pytest.fixture(scope="session")
def application(tmp_path_factory) -> Path:
    """The folder of the application in its default precision."""
    out = tmp_path_factory.mktemp("app") / "app"
    build(out, DEFAULT_BUNDLE, quality=1, progress=lambda _: None)
    return out


@pytest.fixture
def hosted(application, tmp_path) -> Iterator[tuple[str, Path]]:
    """The address of a copy of the application, and its folder, which a test may change."""
    folder = tmp_path / "hosted"
    shutil.copytree(application, folder)
    with served({"/app/": folder}, headers={}) as url:
        yield f"{url}/app/", folder


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> dict[str, Path]:
    """The shipped radiographs by the name of their case."""
    folder = tmp_path_factory.mktemp("films")
    with sample() as cohort:
        return {case.path: Path(shutil.copy(cohort.file(case), folder)) for case in cohort.cases}


POSITIVE = "PNEUMONIA/person1946_bacteria_4874.jpeg"


def opened(page: Any, url: str) -> Any:
    """Open the application, and wait until it is kept on the phone."""
    page.goto(url)
    page.wait_for_selector("html[data-offline]", timeout=60_000)
    return page


def read(page: Any, file: Path) -> None:
    """Choose a file, and wait for its reading or refusal."""
    page.evaluate("document.querySelectorAll('.summary, .refused').forEach((one) => one.remove())")
    page.set_input_files("#file", file)
    shown(page)


def shown(page: Any) -> None:
    page.wait_for_selector(".summary, .refused", timeout=60_000)
    page.wait_for_selector("main:not([aria-busy])")


def until(page: Any, expression: str) -> None:
    """Wait until an expression is true; Playwright's own way evaluates a string in the page, which its policy forbids."""
    for _ in range(300):
        try:
            if page.evaluate(expression):
                return
        except Error:  # the page is being loaded again
            pass
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression}")


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def apart(one: Any, other: Any, tolerance: float, name: str = "") -> list[str]:
    """Where two trees differ by more than a tolerance."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [text for key in one for text in apart(one[key], other[key], tolerance, f"{name}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [text for k, pair in enumerate(zip(one, other, strict=True)) for text in apart(*pair, tolerance, f"{name}/{k}")]
    numbers = all(isinstance(value, float | int) and not isinstance(value, bool) for value in (one, other))
    same = one == pytest.approx(other, abs=tolerance) if numbers else one == other
    return [] if same else [f"{name}: {one!r} is not {other!r}"]


def test_the_golden_readings(precise, phone, films, problems):
    precision, url = precise
    reader, golden = Reader.load(), frozen("readings-default")
    files = [[name, encoded(file.read_bytes()), None] for name, file in films.items()]
    answers = opened(phone, url).evaluate(READ_ALL, files)
    assert len(answers) == len(golden) == 16
    for name, answer in answers.items():
        line, expected = answer["line"], golden[name]
        assert line["probability"] == pytest.approx(expected["probability"], abs=TOLERANCE[precision]), name
        assert line["decision"] == expected["decision"]
        if precision == "fp32":
            reading = reader.read(films[name])
            whole = json.loads(form.to_json(form.line_of(CaseKey(name, file_sha256(films[name])), reading)))
            assert apart({**line, "model": None}, {**whole, "model": None}, 1e-4) == [], name
            assert apart(answer["cells"], reading.heatmap.cells.ravel().tolist(), 1e-4) == [], name
            assert form.parse_line(json.dumps(line)).decision == reading.decision


@pytest.mark.parametrize("precise", ["fp32"], indirect=True)
def test_populations_dicom_and_refusals_are_those_of_python(precise, phone, tmp_path):
    _, url = precise
    scene = ramp(0, 4000, 300, 260)
    cases = {
        "adult.dcm": (written(cr(scene, PatientAge="060Y", PatientOrientation=["L", "F"])), None),
        "mirrored.dcm": (written(cr(scene, PatientOrientation=["R", "F"])), "adult"),
        "turned.dcm": (written(cr(scene, PatientOrientation=["F", "L"])), "child"),
        "contradicting.dcm": (written(cr(scene, PatientAge="060Y", PatientOrientation=["L", "F"])), "child"),
        "lateral.dcm": (written(cr(scene, ViewPosition="LL")), None),
        "hand.dcm": (written(cr(scene, BodyPartExamined="HAND")), None),
        "tomogram.dcm": (written(cr(scene, Modality="CT")), None),
        "text.txt": (b"no radiograph", None),
    }
    answers = opened(phone, url).evaluate(READ_ALL, [[name, encoded(content), who] for name, (content, who) in cases.items()])
    reader = Reader.load()
    for name, (content, population) in cases.items():
        (tmp_path / name).write_bytes(content)
        (outcome,) = reader.read_together([content], population=population)
        line = answers[name]["line"]
        if outcome.error:
            assert line["error"] == {"kind": type(outcome.error).__name__, "message": str(outcome.error)}, name
        else:
            whole = json.loads(form.to_json(form.line_of(CaseKey(name, file_sha256(tmp_path / name)), outcome.reading)))
            assert apart({**line, "model": None}, {**whole, "model": None}, 1e-4) == [], name


def test_a_film_is_read_on_the_page_and_without_a_network(hosted, phone, films):
    opened(phone, hosted[0])
    read(phone, films[POSITIVE])
    assert phone.inner_text("#decision") == "Signs of pneumonia"
    shutil.rmtree(hosted[1])  # there is no server any more
    phone.context.set_offline(True)
    phone.goto(hosted[0])
    shown(phone)
    assert phone.inner_text("#decision") == "Signs of pneumonia"  # the film that was open
    phone.get_by_role("button", name="Close the film and forget it").click()
    phone.wait_for_selector(".welcome")
    read(phone, films["NORMAL/NORMAL2-IM-1427-0001.jpeg"])
    assert phone.inner_text("#decision") == "No signs of pneumonia"


def test_a_film_that_cannot_be_read_does_not_leave_the_reading_of_the_film_before(hosted, phone, films):
    opened(phone, hosted[0])
    read(phone, films[POSITIVE])
    assert phone.locator(".decision").count() == 1
    phone.evaluate("() => { Worker.prototype.postMessage = () => { throw new Error('no memory is left'); }; }")
    phone.set_input_files("#file", films[POSITIVE])
    phone.wait_for_selector(".refused")
    assert phone.get_by_text("no memory is left").count() == 1
    assert phone.locator(".decision, px-viewport").count() == 0


def test_a_tab_that_is_killed_while_it_reads_begins_again(hosted, phone, films):
    opened(phone, hosted[0])
    phone.set_input_files("#file", films[POSITIVE])
    phone.get_by_text("Reading the radiograph").wait_for()
    context = phone.context
    phone.close()
    again = context.new_page()
    again.goto(hosted[0])
    shown(again)
    assert again.inner_text("#decision") == "Signs of pneumonia"


def test_a_film_that_ends_the_browser_twice_is_closed(hosted, phone, films):
    opened(phone, hosted[0])
    read(phone, films[POSITIVE])
    phone.evaluate("""async () => {
      const { keepFilm, keptFilm } = await import(new URL("phone/store.js", location.href));
      await keepFilm({ ...(await keptFilm()), unfinished: 2 });
    }""")
    phone.reload()
    phone.get_by_text("ended the browser twice").wait_for()
    assert phone.is_visible(".welcome")
    phone.reload()
    phone.get_by_text("works without a network").wait_for()
    assert phone.inner_text(".status") == ""


def test_it_can_be_installed(hosted, phone):
    url, folder = hosted
    opened(phone, url)
    manifest = json.loads((folder / "manifest.webmanifest").read_text("utf-8"))
    assert manifest["start_url"] == manifest["scope"] == "./"
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        with Image.open(folder / icon["src"]) as image:
            assert f"{image.width}x{image.height}" == icon["sizes"]
    told = {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]}
    assert {("512x512", "maskable"), ("192x192", "any"), ("512x512", "any")} <= told
    assert phone.evaluate("navigator.serviceWorker.controller.state") == "activated"
    session = phone.context.new_cdp_session(phone)
    assert session.send("Page.getAppManifest")["errors"] == []
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [one["errorId"] for one in errors if one["errorId"] != "in-incognito"] == []


def test_nothing_can_be_sent_to_another_host(hosted, phone, problems):
    opened(phone, hosted[0])
    phone.reload()
    phone.wait_for_selector("html[data-offline]")
    tried = """() => fetch("https://example.invalid/", { method: "POST", body: "film" }).then(() => "sent", () => "refused")"""
    assert phone.evaluate(tried) == "refused"
    policies = [text for text in problems if "Content Security Policy" in text]
    assert policies
    problems.clear()


def renew(folder: Path, version: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Host another version."""
    worker = folder / "service-worker.js"
    first, rest = worker.read_text("utf-8").split("\n", 1)
    told = json.loads(first.removeprefix("self.APPLICATION = ").removesuffix(";"))
    told["version"] = version
    change(told)
    worker.write_text(f"self.APPLICATION = {json.dumps(told)};\n{rest}", "utf-8")


CACHES = "caches.keys().then((names) => names.filter((name) => name.startsWith('pneumoscope-')))"
UPDATE = "navigator.serviceWorker.getRegistration().then((one) => one.update()).then(() => 'found', () => 'failed')"


STYLES = "fetch('phone/phone.css').then((one) => one.text())"
START = "[...document.querySelectorAll('button')].find((one) => one.textContent === 'Start it').click()"


def renew_styles(folder: Path, version: str) -> None:
    """Host a version with other styles."""
    sheet = folder / "phone" / "phone.css"
    sheet.write_text(sheet.read_text("utf-8") + f"\n.{version} {{ color: red; }}\n", "utf-8")
    renew(folder, version, lambda told: told["files"].update({"phone/phone.css": file_sha256(sheet)}))


def offered(page: Any, version: str) -> None:
    """Look for a version until it is kept and offered.

    A look for an update that began before the files were whole may answer the first one, as it would another visit.
    """
    until(page, f"{UPDATE}.then(() => {CACHES}).then((names) => names.includes('pneumoscope-{version}'))")
    page.get_by_role("button", name="Start it").wait_for()


def test_an_update_comes_whole_or_not_at_all(hosted, phone, films):
    url, folder = hosted
    opened(phone, url)
    (before,) = phone.evaluate(CACHES)
    renew(folder, "torn", lambda told: told["files"].update({"phone/phone.css": "0" * 64}))
    phone.evaluate(UPDATE)
    until(phone, "navigator.serviceWorker.getRegistration().then((one) => !one.installing)")
    phone.reload()
    phone.wait_for_selector("html[data-offline=true]")
    assert before in phone.evaluate(CACHES)
    assert not phone.is_visible("text=A new version is ready")
    read(phone, films[POSITIVE])
    renew_styles(folder, "whole")
    offered(phone, "whole")
    assert ".whole" not in phone.evaluate(STYLES)  # until it is started
    phone.get_by_role("button", name="Start it").click()
    until(phone, f"{STYLES}.then((text) => text.includes('.whole'))")
    shown(phone)
    assert phone.inner_text("#decision") == "Signs of pneumonia"
    assert not phone.is_visible("text=A new version is ready")


def test_an_update_starts_while_the_earlier_service_worker_is_busy(hosted, phone):
    """Chromium starts a service worker again for the requests that arrive while it stops, and forgets that another one waits."""
    url, folder = hosted
    opened(phone, url)
    renew_styles(folder, "whole")
    offered(phone, "whole")
    busy = "for (let k = 0; k < 20; k++) fetch(`phone/phone.css?${k}`);"
    phone.evaluate(f"() => {{ {busy} {START}; {busy} }}")
    until(phone, f"{STYLES}.then((text) => text.includes('.whole'))")
    phone.reload()
    phone.wait_for_selector("html[data-offline=true]")
    assert ".whole" in phone.evaluate(STYLES)
    phone.context.set_offline(True)
    phone.reload()
    phone.wait_for_selector("html[data-offline=true]")
    assert not phone.is_visible("text=A new version is ready")
    phone.context.set_offline(False)
    renew_styles(folder, "next")
    offered(phone, "next")
    phone.evaluate(f"() => {{ {START} }}")
    until(phone, f"{STYLES}.then((text) => text.includes('.next'))")


@pytest.mark.parametrize("of", ["film", "screen"])
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_a_photograph_lies_outside_of_the_domain(application, phone, films, of, grey):
    content = photograph(Image.open(films["NORMAL/NORMAL2-IM-1431-0001.jpeg"]), of, grey=grey)
    assert radiograph.read(content).file_format == "JPEG"
    with served({"/app/": application}, headers={}) as url:
        line = opened(phone, f"{url}/app/").evaluate(READ_ALL, [["photo.jpg", encoded(content), None]])["photo.jpg"]["line"]
    assert line["domain"]["inside"] is False
    assert line["domain"]["reason"].startswith("a photograph")
    assert line["cautions"][-1] == "photograph of a film or a screen"
    assert line["severity"]["low"] is None
    form.parse_line(json.dumps(line))
    of_python = Reader.load().read(radiograph.read(content))
    assert line["cautions"] == [str(caution) for caution in of_python.cautions]
    assert not of_python.domain.inside


def test_shipped_radiographs_are_no_photographs(application, phone, films):
    picture = Image.open(films[POSITIVE]).convert("RGB")
    picture.paste((255, 220, 0), (0, 0, 200, 30))  # a coloured label
    path = films[POSITIVE].with_name("label.jpg")
    picture.save(path, quality=60)
    with served({"/app/": application}, headers={}) as url:
        answers = opened(phone, f"{url}/app/").evaluate(READ_ALL, [["label.jpg", encoded(path.read_bytes()), None]])
    assert "photograph of a film or a screen" not in answers["label.jpg"]["line"]["cautions"]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_violations_in_any_state(hosted, open_page, films, axe, theme, tmp_path):
    page = opened(open_page(**PHONE, color_scheme=theme), hosted[0])
    assert axe(page) == []
    read(page, films[POSITIVE])
    page.click("summary")
    assert axe(page) == []
    (tmp_path / "film.dcm").write_bytes(written(cr(ramp(0, 4000), ViewPosition="LL")))
    read(page, tmp_path / "film.dcm")
    assert page.inner_text(".sentence") == "The View Position is LL, not a frontal view."
    assert axe(page) == []


def test_by_keyboard_alone(hosted, desktop, films):
    opened(desktop, hosted[0])
    read(desktop, films[POSITIVE])
    desktop.get_by_role("button", name="Heat map").focus()
    desktop.keyboard.press("Enter")
    assert desktop.evaluate("document.querySelector('px-viewport').mapState.visible") is False
    desktop.get_by_label("Opacity").focus()
    before = desktop.evaluate("document.querySelector('px-viewport').mapState.opacity")
    desktop.keyboard.press("ArrowRight")
    assert desktop.evaluate("document.querySelector('px-viewport').mapState.opacity") == pytest.approx(before + 0.05)
    desktop.get_by_role("button", name="1. Opacity").focus()
    desktop.keyboard.press("Enter")
    assert desktop.evaluate("document.querySelector('px-viewport').selected") == "finding-1"
    desktop.get_by_label("an adult").focus()
    desktop.keyboard.press("Space")
    desktop.get_by_text("Read as an adult, as you said", exact=True).wait_for()


def test_by_touch(hosted, phone, films):
    opened(phone, hosted[0])
    read(phone, films[POSITIVE])
    phone.get_by_role("button", name="Heat map").tap()
    assert phone.get_by_role("button", name="Heat map").get_attribute("aria-pressed") == "false"
    phone.get_by_role("button", name="1. Opacity").tap()
    assert phone.evaluate("document.querySelector('px-viewport').selected") == "finding-1"
    description = phone.evaluate("document.querySelector('px-viewport').description")
    assert description.startswith("Signs of pneumonia. Probability")
    smallest = phone.evaluate("Math.min(...Array.from(document.querySelectorAll('button, select'), (one) => one.offsetHeight))")
    assert smallest >= 44
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_was_shared_with_the_application_is_read(hosted, phone, films):
    opened(phone, hosted[0])
    phone.evaluate(
        """(content) => {
          const bytes = Uint8Array.from(atob(content), (code) => code.charCodeAt(0));
          const form = new FormData();
          form.append("film", new File([bytes], "shared.jpeg", { type: "image/jpeg" }));
          return fetch("share", { method: "POST", body: form }).then((answer) => answer.url);
        }""",
        encoded(films[POSITIVE].read_bytes()),
    )
    phone.goto(f"{hosted[0]}#shared")
    phone.reload()
    shown(phone)
    assert phone.inner_text("#decision") == "Signs of pneumonia"


def test_memory_of_one_film_does_not_stay_for_the_next(hosted, phone, films):
    opened(phone, hosted[0])
    for name in list(films)[:3]:
        read(phone, films[name])
    assert phone.evaluate("document.querySelectorAll('px-viewport').length") == 1
    phone.get_by_role("button", name="Close the film and forget it").click()
    phone.wait_for_selector(".welcome")
    kept = "import(new URL('phone/store.js', location.href)).then((store) => store.keptFilm())"
    assert phone.evaluate(kept) is None
