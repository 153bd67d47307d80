"""The files of the application for phones: complete, compressed, listed with their hashes, and built without PyTorch."""

import gzip
import hashlib
import json
import re
import subprocess
import sys

import brotli
import numpy as np
import onnx
import pytest

from pneumoscope import DISCLAIMER
from pneumoscope.export.errors import ExportError
from pneumoscope.reader import DEFAULT_BUNDLE
from pneumoscope.web import phone_icons
from pneumoscope.web.phone_app import CONTENT_SECURITY_POLICY, STATIC, build
from tests.cli.run import run


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    out = tmp_path_factory.mktemp("app") / "app"
    made = build(out, DEFAULT_BUNDLE, quality=0, progress=lambda _: None)
    return out, made


def told(out) -> dict:
    """What the build tells the service worker."""
    first = (out / "service-worker.js").read_text("utf-8").split("\n", 1)[0]
    return json.loads(first.removeprefix("self.APPLICATION = ").removesuffix(";"))


def test_every_file_is_listed_with_its_hash(application):
    out, made = application
    files = told(out)["files"]
    plain = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file() and path.suffix not in (".br", ".gz")}
    assert plain == {*files, "service-worker.js", "_headers"}
    for name, sha256 in files.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha256
    assert made["version"] == told(out)["version"]
    assert made["files"] == len(files) + 1


def test_compressed_files_hold_the_same_bytes(application):
    out, _ = application
    packed = [*out.rglob("*.br"), *out.rglob("*.gz")]
    assert len(packed) > 100
    for path in packed:
        unpack = brotli.decompress if path.suffix == ".br" else gzip.decompress
        assert unpack(path.read_bytes()) == path.with_suffix("").read_bytes()
    assert (out / "vendor" / "ort-wasm-simd-threaded.wasm.br").exists()


def test_the_card_and_the_graph_fit_each_other(application):
    out, made = application
    card = json.loads((out / "model" / "client.json").read_text("utf-8"))
    assert hashlib.sha256((out / "model" / card["file"]).read_bytes()).hexdigest() == card["sha256"]
    assert (card["precision"], card["disclaimer"], card["parity"]["images"]) == ("fp16", DISCLAIMER, 16)
    assert made["parity"]["probability"] <= 1e-2
    graph = onnx.load(out / "model" / card["file"])
    assert [one.name for one in graph.graph.output] == card["outputs"]


def test_every_module_that_is_imported_is_there(application):
    out, _ = application
    for path in out.rglob("*.js"):
        if path.parent.name == "vendor":
            continue
        for name in re.findall(r'^\s*(?:import|export)[^"\']*?from "([^"]+)"|^import "([^"]+)"', path.read_text("utf-8"), re.M):
            assert (path.parent / (name[0] or name[1])).is_file(), f"{path.name} imports {name}"


def test_pages_have_neither_inline_code_nor_another_host():
    page = (STATIC / "phone" / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|https?://", page) == []
    for folder in ("phone", "reader", "decode"):
        for path in (STATIC / folder).iterdir():
            if path.suffix != ".js":
                continue
            text = path.read_text("utf-8")
            assert "innerHTML" not in text
            assert re.findall(r"https?://(?!ns\.adobe\.com/xap)", text) == []
    assert "http" not in CONTENT_SECURITY_POLICY


def test_the_page_states_its_policy_itself_for_hosts_that_send_none():
    page = (STATIC / "phone" / "index.html").read_text("utf-8")
    assert f'content="{CONTENT_SECURITY_POLICY.removesuffix("; frame-ancestors " + repr("none"))}"' in page


def test_an_icon_for_a_mask_has_a_margin():
    """All but the background lies in the circle of 80 % that every mask leaves (W3C Web App Manifest, 3.2)."""
    icon = np.asarray(phone_icons.drawn(100, share=0.8 * 0.86), int)
    row, col = np.mgrid[:100, :100]
    outside = (row - 49.5) ** 2 + (col - 49.5) ** 2 > 40**2
    assert np.ptp(icon[outside], axis=0).max() <= 2  # of resampling
    assert len(np.unique(icon.reshape(-1, 3), axis=0)) > 50


def test_a_folder_that_exists_and_an_earlier_bundle_are_refused(tmp_path):
    with pytest.raises(ExportError, match="exists already; choose another folder"):
        build(tmp_path, DEFAULT_BUNDLE)
    ran = run("app", tmp_path)
    assert ran.code == 2
    assert "exists already" in ran.err


def test_it_needs_no_pytorch():
    code = "import sys, pneumoscope.cli.app; assert not {'torch', 'sklearn', 'onnxscript'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
