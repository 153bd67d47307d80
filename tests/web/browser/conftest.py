"""OHIF, the viewer of other people that hospitals use, as its own build."""

import base64
import hashlib
import json
import subprocess
import tarfile

import pytest

from tests.web.conftest import program

VERSION = "3.13.2"
INTEGRITY = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""SHA-512 of the package, as the registry states it."""
NOT_NEEDED = ("package/dist/ort/", "package/dist/dicom-microscopy-viewer/")


@pytest.fixture(scope="session")
def ohif(npm_packages):
    """The folder with OHIF's own build, 50 MB packed, kept beside the other packages."""
    folder = npm_packages / f".ohif-{VERSION}"
    if not (folder / "package" / "dist" / "index.html").exists():
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            [program("npm"), "pack", "--json", "--loglevel=error", f"@ohif/app@{VERSION}"],
            cwd=folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        archive = folder / json.loads(packed.stdout)[0]["filename"]
        assert base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() == INTEGRITY
        with tarfile.open(archive) as package:
            wanted = [member for member in package.getmembers() if not member.name.startswith(NOT_NEEDED)]
            package.extractall(folder, wanted, filter="data")
        archive.unlink()
    return folder / "package" / "dist"
