"""Find the credentials for a DICOMweb server in the environment or in netrc; never print them."""

import netrc
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from pneumoscope.web.dicomweb.address import Address
from pneumoscope.web.dicomweb.errors import CredentialsError

TOKEN, USER, PASSWORD = (f"PNEUMOSCOPE_DICOMWEB_{name}" for name in ("TOKEN", "USER", "PASSWORD"))
"""Environment variables: a bearer token, or a user and a password for HTTP Basic authentication."""


def check_unambiguous(addresses: Sequence[Address], environ: Mapping[str, str] = os.environ) -> None:
    """Refuse to send one secret of the environment to several servers.

    Parameters
    ----------
    addresses : sequence of Address
        Every service that the user named.
    environ : mapping of str to str
        The environment.

    Raises
    ------
    CredentialsError
        If the environment holds credentials and the services have more than one origin.
    """
    if len({address.origin for address in addresses}) > 1 and any(environ.get(name) for name in (TOKEN, USER, PASSWORD)):
        raise CredentialsError(
            f"{TOKEN}, {USER} or {PASSWORD} is set and several DICOMweb servers are named, of which only one may know it; "
            "put the users and passwords of all of them into ~/.netrc"
        )


def credentials_for(address: Address, environ: Mapping[str, str] = os.environ) -> httpx2.Auth | None:
    """Find the credentials for a service: those of the environment, or else those of netrc.

    Parameters
    ----------
    address : Address
        The service.
    environ : mapping of str to str
        The environment; ``NETRC`` names another file than ``~/.netrc``.

    Returns
    -------
    httpx2.Auth or None
        What adds the credentials to a request; None where there are none.

    Raises
    ------
    CredentialsError
        If the credentials are incomplete, netrc cannot be parsed, or they would be sent in the clear over a network.
    """
    auth = _of_environment(environ) or _of_netrc(urlsplit(address.origin).hostname or "", environ)
    if auth is not None and not address.is_private:
        raise CredentialsError(
            "there are credentials for the DICOMweb server, and its URL begins with http://, which sends them readable for "
            "everyone on the way; use https://"
        )
    return auth


def _of_environment(environ: Mapping[str, str]) -> httpx2.Auth | None:
    token, user, password = (environ.get(name, "") for name in (TOKEN, USER, PASSWORD))
    if token and (user or password):
        raise CredentialsError(f"both {TOKEN} and {USER} or {PASSWORD} are set; set one kind of credentials")
    if bool(user) != bool(password):
        raise CredentialsError(f"only one of {USER} and {PASSWORD} is set; set both or none")
    if any(not text.isprintable() or not text.isascii() for text in (token,)):
        raise CredentialsError(f"{TOKEN} holds characters that no HTTP header can carry; set it to the token alone")
    if token:
        return httpx2.FunctionAuth(_Bearer(token))
    return httpx2.BasicAuth(user, password) if user else None


class _Bearer:
    """Adds a bearer token to a request (RFC 6750 2.1)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: httpx2.Request) -> httpx2.Request:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _of_netrc(host: str, environ: Mapping[str, str]) -> httpx2.Auth | None:
    file = Path(environ["NETRC"]) if environ.get("NETRC") else Path.home() / ".netrc"
    if not file.is_file():
        return None
    try:
        entry = netrc.netrc(str(file)).authenticators(host)
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
        raise CredentialsError(
            "the netrc file cannot be parsed, or others may read it; correct it, and permit only yourself to read it (chmod 600)"
        ) from None  # the parser quotes what it read
    return httpx2.BasicAuth(entry[0], entry[2] or "") if entry else None
