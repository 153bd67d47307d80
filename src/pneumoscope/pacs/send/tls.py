"""TLS to a destination."""

import ssl
from pathlib import Path

from pneumoscope.pacs.peers import Tls


def client_context(tls: Tls | None) -> ssl.SSLContext:
    """Make the TLS context of a connection to a destination: TLS 1.2 or newer, the certificate and its host name checked.

    Parameters
    ----------
    tls : Tls, optional
        Authorities of the destination's certificate, and the node's own certificate; without it the system's authorities count.

    Returns
    -------
    ssl.SSLContext
        The context.

    Raises
    ------
    OSError
        If a file cannot be read, or holds no certificate or key.
    """
    for file in filter(None, (tls.authority, tls.certificate, tls.key) if tls else ()):
        Path(file).open("rb").close()  # The context would not say which file cannot be read.
    context = ssl.create_default_context(cafile=(tls.authority or None) if tls else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls and tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    return context
