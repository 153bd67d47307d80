"""Fetch the third-party files of the web pages by their lock file: ``python -m tests.web.vendor``.

The lock file names each package with its version and licences, and each file with the SHA-256 of the package's own file and of
the file in the repository. Files are copied unchanged, wrapped as an ES module (a fixed text before and after), or compressed by
Brotli. A change of a version is a change of the lock file: ``--lock`` writes the hashes of the versions that it names.
"""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import brotli

VENDOR = Path(__file__).resolve().parents[2] / "src" / "pneumoscope" / "web" / "static" / "vendor"
LOCK_NAME = "vendor.lock.json"
BEFORE = b"""// @ts-nocheck
const module = { exports: {} };
const exports = module.exports;
const process = undefined;
const require = () => undefined;
"""
AFTER = b"\nexport default module.exports;\n"


def lock() -> dict[str, Any]:
    """Read the lock file."""
    tree: dict[str, Any] = json.loads((VENDOR / LOCK_NAME).read_text(encoding="utf-8"))
    return tree


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetched(name: str, version: str) -> dict[str, bytes]:
    """Download a package from the npm registry and return its files by their path in the package."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, capture_output=True, text=True
        )
        content = (Path(folder) / packed.stdout.strip().splitlines()[-1]).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        streams = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        return {path.split("/", 1)[1]: stream.read() for path, stream in streams.items() if stream}


def stored(content: bytes, form: str) -> bytes:
    """Turn a file of a package into the form in which the repository has it: ``copy``, ``module`` or ``brotli``."""
    if form == "module":
        return BEFORE + content + AFTER
    return brotli.compress(content, quality=11, lgwin=24) if form == "brotli" else content


def main(*arguments: str) -> None:
    """Fetch every package of the lock file, check the hashes, and write the files."""
    tree = lock()
    for package in tree["packages"]:
        files = fetched(package["name"], package["version"])
        for file in package["files"]:
            source = files[file["source"]]
            content = stored(source, file["form"])
            hashes = {"source_sha256": sha256(source), "sha256": sha256(content)}
            if "--lock" in arguments:
                file.update(hashes)
            elif any(file[key] != value for key, value in hashes.items()):
                sys.exit(f"{package['name']} {package['version']}: {file['source']} is not the file that the lock file names")
            (VENDOR / file["file"]).write_bytes(content)
    if "--lock" in arguments:
        (VENDOR / LOCK_NAME).write_text(json.dumps(tree, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
