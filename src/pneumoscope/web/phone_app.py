"""Build the offline reader for phones: a folder of static files that any web server can host."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import brotli

from pneumoscope import DISCLAIMER, __version__, radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.export import client_bundle
from pneumoscope.export.client_bundle import Precision
from pneumoscope.export.client_card import CLIENT_CARD_NAME
from pneumoscope.export.errors import ExportError
from pneumoscope.web import phone_icons
from pneumoscope.web.precompressed import write_compressed

STATIC = Path(__file__).parent / "static"
FOLDERS = ("decode", "film", "reader", "strings", "theme", "vendor", "viewport")
"""Folders of the static files that the application needs, besides its page."""
PAGE = "phone"
SERVICE_WORKER = "service-worker.js"
HEADERS_NAME = "_headers"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What the page is allowed; nothing from another host, and nothing to one."""
_HEADERS = f"""/*
  Content-Security-Policy: {CONTENT_SECURITY_POLICY}
  Cross-Origin-Opener-Policy: same-origin
  Referrer-Policy: no-referrer
  X-Content-Type-Options: nosniff
  Cache-Control: no-cache
"""
_NOT_CACHED = frozenset({SERVICE_WORKER, HEADERS_NAME})
Progress = Callable[[str], None]


def build(
    out: Path, bundle: Path, precision: Precision = "fp16", *, quality: int = 11, progress: Progress = print
) -> Mapping[str, Any]:
    """Build the application.

    Parameters
    ----------
    out : Path
        Folder of the application; must not exist.
    bundle : Path
        Folder of the model's bundle, of the present format and in ``fp32``.
    precision : {"fp16", "fp32"}
        Precision of the weights that the phone downloads.
    quality : int
        Effort of Brotli, 0 to 11; 11 takes about half a minute.
    progress : callable
        Is told in a sentence what is done next.

    Returns
    -------
    Mapping
        ``files``: number of files that a phone downloads; ``bytes`` and ``brotli_bytes``: their size, and their size as a server
        with Brotli sends them; ``parity``: largest difference of each output of the graph from the bundle's; ``version``: hash of
        all files.

    Raises
    ------
    ExportError
        If `out` exists, or the bundle is of an earlier format or does not agree in this precision. No files are left behind.
    BundleError, CardError
        If the bundle cannot be loaded.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder for the application")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        made = Path(scratch) / "app"
        made.mkdir()
        progress(f"reading the sixteen shipped radiographs with the model in {precision}")
        card = _write_model(bundle, made / "model", precision)
        _copy_static(made)
        phone_icons.write(made / PAGE)
        listed = _listed(made)
        version = _write_service_worker(made, listed)
        (made / HEADERS_NAME).write_text(_HEADERS, encoding="utf-8")
        progress("compressing the files")
        sizes = [write_compressed(made / name, quality) for name in sorted({*listed, SERVICE_WORKER})]
        shutil.move(made, out)
    whole, small = (sum(column) for column in zip(*sizes, strict=True))
    return {"files": len(sizes), "bytes": whole, "brotli_bytes": small, "parity": card["parity"]["outputs"], "version": version}


def _write_model(bundle: Path, folder: Path, precision: Precision) -> Mapping[str, Any]:
    with sample() as cohort:
        proof = [radiograph.read(cohort.file(case)) for case in cohort.cases]
    written = client_bundle.write(bundle, folder, proof, precision, prepare=True)
    card = {**written, "version": __version__, "disclaimer": DISCLAIMER}
    (folder / CLIENT_CARD_NAME).write_text(json.dumps(card, ensure_ascii=False) + "\n", encoding="utf-8")
    return card


def _copy_static(made: Path) -> None:
    """Copy the files of the page; those that the repository stores compressed are unpacked."""
    for source in _sources():
        to = made / source.relative_to(STATIC)
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".br":
            to.with_suffix("").write_bytes(brotli.decompress(source.read_bytes()))
        else:
            shutil.copyfile(source, to)
    for name in ("index.html", "manifest.webmanifest"):  # the scope of the application is its whole folder
        shutil.move(made / PAGE / name, made / name)
    (made / PAGE / SERVICE_WORKER).unlink()


def _sources() -> Iterator[Path]:
    for folder in (*FOLDERS, PAGE):
        yield from (path for path in sorted((STATIC / folder).rglob("*")) if path.is_file() and path.suffix != ".ts")


def _listed(made: Path) -> dict[str, str]:
    """List the files that a phone keeps, each with its SHA-256, by their path from the page."""
    files = (path for path in sorted(made.rglob("*")) if path.is_file() and path.name not in _NOT_CACHED)
    return {path.relative_to(made).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _write_service_worker(made: Path, listed: Mapping[str, str]) -> str:
    """Write the service worker with the list of files and the policy of its answers; return the version, a hash of them."""
    source = (STATIC / PAGE / SERVICE_WORKER).read_text(encoding="utf-8")
    version = hashlib.sha256((json.dumps(listed) + source + CONTENT_SECURITY_POLICY).encode()).hexdigest()[:16]
    told = {"version": version, "files": listed, "policy": CONTENT_SECURITY_POLICY}
    (made / SERVICE_WORKER).write_text(f"self.APPLICATION = {json.dumps(told)};\n{source}", encoding="utf-8")
    return version
