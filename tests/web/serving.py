"""Serve folders to a browser under test, with the headers of the product's own pages."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; object-src 'none'"
)
"""What the product's pages are allowed: neither inline scripts and styles, nor anything from another host."""


@contextmanager
def served(folders: Mapping[str, Path], headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve folders on a free local port.

    Parameters
    ----------
    folders : mapping of str to Path
        Folder by the beginning of the path in the URL, such as ``"/static/"``; the longest one that fits is used.
    headers : mapping of str to str, optional
        Further headers of each response; by default the Content-Security-Policy of the product's pages.

    Yields
    ------
    str
        Address of the server, without a slash at its end.
    """
    sent = {"Content-Security-Policy": CONTENT_SECURITY_POLICY} if headers is None else headers
    by_length = sorted(folders.items(), key=lambda item: -len(item[0]))

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        extensions_map: ClassVar = {
            **SimpleHTTPRequestHandler.extensions_map,
            ".js": "text/javascript",
            ".mjs": "text/javascript",
            ".wasm": "application/wasm",
            ".webmanifest": "application/manifest+json",
        }

        def translate_path(self, path: str) -> str:
            name = unquote(urlsplit(path).path)
            for start, folder in by_length:
                if name.startswith(start):
                    return str(folder / name.removeprefix(start))
            return str(Path("/nowhere"))

        def end_headers(self) -> None:
            for name, value in sent.items():
                self.send_header(name, value)
            self.send_header("Cache-Control", "no-store")
            super().end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
