"""Open the films of the DICOMweb servers that a user named on the command line."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from pneumoscope.web.dicomweb import address
from pneumoscope.web.dicomweb.credentials import check_unambiguous
from pneumoscope.web.dicomweb.errors import AddressError
from pneumoscope.web.dicomweb.origin_server import OriginServer, RemoteFilm

_SCHEMES = ("http://", "https://")


def is_url(text: str) -> bool:
    """Whether an argument of the command line is a URL and no path.

    Parameters
    ----------
    text : str
        The argument.

    Returns
    -------
    bool
        True for http and https.
    """
    return text.lower().startswith(_SCHEMES)


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Check the origins whose pages may use the server.

    Parameters
    ----------
    origins : sequence of str
        Scheme, host and port of each, as browsers send them.

    Returns
    -------
    tuple of str
        The same.

    Raises
    ------
    AddressError
        If one is no origin, such as ``*``, ``null``, or a URL with a path.
    """
    for origin in origins:
        if address.origin_of(origin) != origin:
            raise AddressError(
                "an origin to be allowed is not of the form scheme://host[:port] in lower case, without a path, such as "
                "http://127.0.0.1:3000"
            )
    return tuple(origins)


@contextlib.contextmanager
def remote_films(urls: Sequence[str], say: Callable[[str], None]) -> Iterator[list[RemoteFilm]]:
    """Search DICOMweb servers; their films are retrieved one by one when they are needed, as long as the context lasts.

    Parameters
    ----------
    urls : sequence of str
        URLs of the services, with queries.
    say : callable
        Called with one line for each service.

    Yields
    ------
    list of RemoteFilm
        The films of all services.

    Raises
    ------
    DicomwebError
        If a URL, the credentials or a server cannot be used; one sentence without any identifier.
    """
    addresses = [address.parse(url) for url in urls]
    check_unambiguous(addresses)
    films: list[RemoteFilm] = []
    with contextlib.ExitStack() as connections:
        for one in addresses:
            server = connections.enter_context(OriginServer(one))
            listed = list(server.films())
            more = f"; it has more, of which &limit= in the URL lists more than {one.most_films:,}" if server.has_more else ""
            say(f"{len(listed)} film{'' if len(listed) == 1 else 's'} at {one.origin}{more}")
            films += listed
        yield films
