"""The third-party files of the pages are those of the lock file, small, and under licences that NOTICE names."""

import json
from pathlib import Path

import brotli
import pytest

from tests.web import vendor

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = vendor.lock()["packages"]
FILES = [file for package in PACKAGES for file in package["files"]]
DECODERS = [file for package in PACKAGES if package["name"] != "onnxruntime-web" for file in package["files"]]
PERMISSIVE = {"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "IJG", "Zlib"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["file"])
def test_a_file_has_the_locked_hash(file):
    assert vendor.sha256((vendor.VENDOR / file["file"]).read_bytes()) == file["sha256"]


def test_a_file_is_the_package_s_own():
    for file in FILES:
        content = (vendor.VENDOR / file["file"]).read_bytes()
        if file["form"] == "module":
            assert content.startswith(vendor.BEFORE)
            content = content.removeprefix(vendor.BEFORE).removesuffix(vendor.AFTER)
        elif file["form"] == "brotli":
            content = brotli.decompress(content)
        assert vendor.sha256(content) == file["source_sha256"], file["file"]


def test_the_folder_holds_nothing_else():
    here = {path.name for path in vendor.VENDOR.iterdir() if not path.name.endswith(".d.ts")}
    assert here == {vendor.LOCK_NAME, "LICENSES.txt"} | {file["file"] for file in FILES}


def test_decoders_are_small_to_download():
    size = sum(len(brotli.compress((vendor.VENDOR / file["file"]).read_bytes(), quality=5)) for file in DECODERS)
    assert size <= 800_000


def test_licences_are_permissive_and_named():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    texts = (vendor.VENDOR / "LICENSES.txt").read_text(encoding="utf-8")
    for package in PACKAGES:
        assert package["licences"]
        assert set(package["licences"]) <= PERMISSIVE
        assert package["name"] in notice
        assert package["name"] in texts
    assert "GPL" not in json.dumps(PACKAGES)
    assert "GENERAL PUBLIC LICENSE" not in texts.upper()


def test_no_host_of_a_registry_is_named():
    assert "http" not in (vendor.VENDOR / vendor.LOCK_NAME).read_text(encoding="utf-8")
