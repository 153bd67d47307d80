"""Settings of the other side of a connection: who may send, where results go, what is polled, how connections are secured."""

import errno
import re
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pneumoscope.dicom_objects.profiles import Kind, Profile

_AE_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_LAST_PORT = 65535
_WEB_ROOT = "the root of a DICOMweb service, such as https://host/dicom-web"

Protocol = Literal["dimse", "stow"]


def check_ae_title(what: str, title: str) -> None:
    """Check an application entity title (PS3.5 6.2, VR AE).

    Parameters
    ----------
    what : str
        What has the title, for the message.
    title : str
        The title.

    Raises
    ------
    ValueError
        If it has not 1 to 16 printable ASCII characters, holds a backslash, or begins or ends with a space.
    """
    if not _AE_TITLE.fullmatch(title):
        raise ValueError(f"the AE title of {what} must be 1 to 16 printable ASCII characters without a backslash, not '{title}'")


def check_name(what: str, name: str) -> None:
    """Check a name that the configuration gives to a part of the node.

    Parameters
    ----------
    what : str
        What has the name, for the message.
    name : str
        The name.

    Raises
    ------
    ValueError
        If it has not 1 to 40 letters, digits, ``_``, ``.`` or ``-``.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name of {what} must be 1 to 40 letters, digits, '_', '.' or '-', not '{name}'")


def check_port(what: str, port: int, lowest: int = 1) -> None:
    """Check a TCP port.

    Parameters
    ----------
    what : str
        What listens at the port, for the message.
    port : int
        The port.
    lowest : int
        Lowest allowed value; 0 where 0 means that nothing listens.

    Raises
    ------
    ValueError
        If it is out of range.
    """
    if not lowest <= port <= _LAST_PORT:
        raise ValueError(f"the port of {what} must be {lowest} to {_LAST_PORT}, not {port}")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone.

    Parameters
    ----------
    host : str
        Name or IP address.

    Returns
    -------
    bool
        True for ``localhost`` and loopback addresses.
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Tls:
    """Certificates of a TLS connection, PEM files.

    Parameters
    ----------
    authority : str
        Certificates of the authorities that the other side's certificate must come from. Of a connection to a destination or a
        polled service it may be empty: then the authorities of the system count. A listener needs it: it asks every client for
        a certificate.
    certificate, key : str
        Own certificate and its private key; both or none.
    """

    authority: str = ""
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("'certificate' and 'key' of a table 'tls' belong together; give both or none")


@dataclass(frozen=True)
class Credentials:
    """How the node identifies itself to a service by HTTP.

    Parameters
    ----------
    user : str
        User of HTTP Basic authentication; empty for a bearer token.
    password_file : str
        File whose first line is the user's password.
    token_file : str
        File whose first line is a bearer token (RFC 6750).
    """

    user: str = ""
    password_file: str = field(default="", repr=False)
    token_file: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if bool(self.user) != bool(self.password_file) or bool(self.user) == bool(self.token_file):
            raise ValueError("'credentials' need either 'user' and 'password_file', or 'token_file'")


@dataclass(frozen=True)
class Peer:
    """An application entity that may send to the node.

    Parameters
    ----------
    ae_title : str
        Its AE title, compared without leading and trailing spaces.
    addresses : tuple of str
        IP addresses or networks (``10.0.0.0/24``) that it connects from; empty for any.
    """

    ae_title: str
    addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_ae_title("a peer", self.ae_title)
        for address in self.addresses:
            try:
                ip_network(address)
            except ValueError as error:
                raise ValueError(f"'{address}' of the peer '{self.ae_title}' is no IP address or network") from error

    def may_connect_from(self, address: str) -> bool:
        """Whether the peer may connect from an address.

        Parameters
        ----------
        address : str
            An IP address.

        Returns
        -------
        bool
            True where the peer has no list of addresses, or one of them holds the address.

        Examples
        --------
        >>> Peer("CR1", ("10.0.0.0/24",)).may_connect_from("10.0.0.7")
        True
        """
        return not self.addresses or any(ip_address(address) in ip_network(network) for network in self.addresses)


@dataclass(frozen=True)
class Destination:
    """Where results are sent.

    Parameters
    ----------
    name : str
        Name in rules, lists and messages.
    protocol : {"dimse", "stow"}
        C-STORE, or STOW-RS.
    profile : {"ohif", "air", "orthanc", "plain"}
        Which SOP class and which attributes the objects get.
    kinds : tuple of {"sr", "seg", "pm", "sc", "gsps"}
        Which objects are sent, at least one.
    host, port, ae_title
        The C-STORE service class provider, for ``dimse``.
    url : str
        Root of the DICOMweb service, for ``stow``, such as ``https://host/dicom-web``.
    commitment : bool
        Whether storage commitment is asked for after each store (PS3.4 annex J), for ``dimse``.
    tls : Tls, optional
        Certificates. A ``dimse`` destination with it is connected to by TLS; a ``stow`` destination is if its URL says https.
    credentials : Credentials, optional
        For ``stow``; only over https, or to this machine.
    seconds : float
        Longest wait for a connection and for each answer, > 0.
    """

    name: str
    protocol: Protocol
    profile: Profile = Profile.PLAIN
    kinds: tuple[Kind, ...] = ("sr",)
    host: str = ""
    port: int = 0
    ae_title: str = ""
    url: str = ""
    commitment: bool = False
    tls: Tls | None = None
    credentials: Credentials | None = None
    seconds: float = 30.0

    def __post_init__(self) -> None:
        what = f"the destination '{self.name}'"
        check_name("a destination", self.name)
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ValueError(f"{what} needs at least one kind of object, each once")
        if not self.seconds > 0:
            raise ValueError(f"'seconds' of {what} must be above 0, not {self.seconds:g}")
        if self.protocol == "dimse":
            self._check_dimse(what)
        else:
            check_service(what, self.url, self.credentials)
            if self.host or self.port or self.ae_title or self.commitment:
                raise ValueError(f"{what} is a DICOMweb service: it takes 'url', not 'host', 'port', 'ae_title' or 'commitment'")

    def _check_dimse(self, what: str) -> None:
        if self.url or self.credentials or not self.host:
            raise ValueError(f"{what} speaks DIMSE: it takes 'host', 'port' and 'ae_title', not 'url' or 'credentials'")
        check_port(what, self.port)
        check_ae_title(what, self.ae_title)


@dataclass(frozen=True)
class Poll:
    """A DICOMweb service that is searched for radiographs that the node has not received.

    Parameters
    ----------
    name : str
        Name in lists and messages.
    url : str
        Root of the service.
    seconds : float
        Time between two searches, >= 1.
    modalities : tuple of str
        Modalities that are searched for.
    days_back : int
        Days before the first search from which studies are taken, >= 0.
    overlap_days : int
        Days of study before the watermark that each search goes through again, >= 0, because images of a study may come days
        after it.
    reconcile_days : int
        Days of study that the daily report goes back, >= 0.
    reconcile_at : str
        Local time (``HH:MM``) of the daily report of what the PACS has and the node has not read; empty for none.
    tls : Tls, optional
        Certificates.
    credentials : Credentials, optional
        Credentials; only over https, or to this machine.
    """

    name: str
    url: str
    seconds: float = 300.0
    modalities: tuple[str, ...] = ("CR", "DX")
    days_back: int = 1
    overlap_days: int = 1
    reconcile_days: int = 7
    reconcile_at: str = "06:00"
    tls: Tls | None = None
    credentials: Credentials | None = None

    def __post_init__(self) -> None:
        what = f"the poll '{self.name}'"
        check_name("a poll", self.name)
        check_service(what, self.url, self.credentials)
        if not (self.seconds >= 1 and min(self.days_back, self.overlap_days, self.reconcile_days) >= 0 and self.modalities):
            raise ValueError(f"{what} needs 'seconds' of at least 1, numbers of days of at least 0, and a modality")
        if self.reconcile_at and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.reconcile_at):
            raise ValueError(f"'reconcile_at' of {what} must be a time such as '06:00', not '{self.reconcile_at}'")


def check_service(what: str, url: str, credentials: Credentials | None, root: str = _WEB_ROOT) -> None:
    """Check the URL of a service, and that no credentials are sent readable over a network.

    Parameters
    ----------
    what : str
        What has the URL, for the message.
    url : str
        Root of the service.
    credentials : Credentials, optional
        What is sent to it.
    root : str
        What the URL must be, for the message.

    Raises
    ------
    ValueError
        If the URL has another scheme than http or https, no host, a user, a query or a fragment; or if credentials are given
        with http to another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"the 'url' of {what} must be {root}")
    if "@" in parts.netloc:
        raise ValueError(f"the 'url' of {what} holds a user or a password; give them in a table 'credentials'")
    if credentials and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"{what} has credentials and a URL with http://, which sends them readable for everyone; use https://")


def secret(file: str) -> str:
    """Read the first line of a file that holds a password or a token.

    Parameters
    ----------
    file : str
        The file.

    Returns
    -------
    str
        The line without its end.

    Raises
    ------
    OSError
        If the file cannot be read, or is no text.
    """
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise OSError(errno.EINVAL, "it is no text", file) from None
