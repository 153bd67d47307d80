"""Parse the URL of a DICOMweb service and the query behind it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydicom.datadict import tag_for_keyword

from pneumoscope.radiograph.terms import PROJECTION_MODALITIES
from pneumoscope.web.dicomweb.errors import AddressError

MOST_FILMS = 10_000
"""Films of one service that are listed where the query states no ``limit``."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_RESOURCES = ("/studies", "/series", "/instances")
_GIVE = "give the root of the service, such as https://host/dicom-web"


@dataclass(frozen=True)
class Address:
    """A DICOMweb service and which of its radiographs are wanted.

    Parameters
    ----------
    origin : str
        Scheme, host and port, such as ``https://host`` or ``http://127.0.0.1:8042``.
    path : str
        Path of the service's root, without a slash at its end.
    matching : mapping of str to str
        Matching attributes of QIDO-RS (PS3.18 8.3.4) by keyword or tag; they can name patients and are never printed.
    modalities : tuple of str
        Modalities that are searched for, a part of CR, DX and RG.
    most_films : int
        Films that are listed at most, at least 1.
    """

    origin: str
    path: str = field(default="", repr=False)
    matching: Mapping[str, str] = field(default_factory=dict, repr=False)
    modalities: tuple[str, ...] = tuple(sorted(PROJECTION_MODALITIES))
    most_films: int = MOST_FILMS

    @property
    def is_private(self) -> bool:
        """Whether nobody between can listen: the scheme is https, or the host is this machine."""
        url = urlsplit(self.origin)
        return url.scheme == "https" or _is_loopback(url.hostname or "")


def parse(url: str) -> Address:
    """Parse the URL of a DICOMweb service.

    Parameters
    ----------
    url : str
        ``https://host[:port][/path][?query]``. The query holds matching attributes of QIDO-RS, such as
        ``StudyDate=20240101-``, and ``limit``, the number of films at most.

    Returns
    -------
    Address
        Its parts.

    Raises
    ------
    AddressError
        If the URL is no http or https URL, holds a password or a fragment, names a resource below the root, or its query holds
        something else than attributes and ``limit``.

    Examples
    --------
    >>> address = parse("https://pacs.example/dicom-web/?ModalitiesInStudy=DX&limit=20")
    >>> address.origin, address.path, address.most_films
    ('https://pacs.example', '/dicom-web', 20)
    """
    parts, port = _split(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    shown_port = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    path = parts.path.rstrip("/")
    if any(f"{path}/".find(f"{resource}/") >= 0 for resource in _RESOURCES):
        raise AddressError(f"the URL names a study, a series or an instance below the root of a DICOMweb service; {_GIVE}")
    matching = dict(_pairs(parts.query))
    limit, modality = matching.pop("limit", str(MOST_FILMS)), matching.pop("Modality", matching.pop("00080060", ""))
    return Address(f"{parts.scheme}://{host}{shown_port}", path, matching, _modalities(modality), _number(limit))


def origin_of(url: str) -> str:
    """Name the origin of an absolute URL: its scheme, host and port.

    Parameters
    ----------
    url : str
        Absolute http or https URL.

    Returns
    -------
    str
        As `Address.origin`; empty where the URL has no host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"the URL of the DICOMweb service cannot be parsed; {_GIVE}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise AddressError(f"the URL of the DICOMweb service has no scheme http or https, or no host; {_GIVE}")
    if "@" in parts.netloc:
        raise AddressError(
            "the URL of the DICOMweb service holds a user or a password, which every user of this machine can see in the list of "
            "processes; put them into ~/.netrc"
        )
    if parts.fragment:
        raise AddressError(f"the URL of the DICOMweb service has a fragment (#…), which no server receives; {_GIVE}")
    return parts, port


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=100)
    except ValueError as error:
        raise AddressError("the query of the URL is not of the form attribute=value&attribute=value") from error
    names = [name for name, _ in pairs]
    for name in names:
        if name != "limit" and not _TAG.fullmatch(name) and tag_for_keyword(name) is None:
            raise AddressError(
                "the query of the URL holds a name that is no DICOM attribute; it takes keywords or tags of attributes, "
                "such as StudyDate=20240101-, and limit"
            )
    if len(set(names)) < len(names):
        raise AddressError("the query of the URL holds an attribute twice; give each once, several values separated by commas")
    return pairs


def _modalities(stated: str) -> tuple[str, ...]:
    modalities = {part.strip().upper() for part in stated.replace("\\", ",").split(",")} if stated else PROJECTION_MODALITIES
    if not modalities <= PROJECTION_MODALITIES:
        raise AddressError(
            f"the query of the URL asks for a Modality other than {', '.join(sorted(PROJECTION_MODALITIES))}; "
            "only projection radiographs are read"
        )
    return tuple(sorted(modalities))


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
        raise AddressError("the limit in the query of the URL is not a number of films from 1 to 9999999")
    return int(text)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
