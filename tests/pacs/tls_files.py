"""Certificates of a node and of its clients."""

import ssl

from pneumoscope.pacs.peers import Tls


def tls_of(certificates):
    return Tls(*(str(certificates / name) for name in ("authority.pem", "node.pem", "node.key")))


def client_context(certificates, name):
    context = ssl.create_default_context(cafile=str(certificates / "authority.pem"))
    if name:
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context
