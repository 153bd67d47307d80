"""Search a PACS by QIDO-RS for the radiographs of a day, and retrieve them by WADO-RS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from pneumoscope.pacs.errors import ConfigError
from pneumoscope.pacs.peers import Poll
from pneumoscope.pacs.send.http import authentication
from pneumoscope.pacs.send.tls import client_context
from pneumoscope.web.dicomweb.address import Address, parse
from pneumoscope.web.dicomweb.connection import Connection
from pneumoscope.web.dicomweb.origin_server import OriginServer, RemoteFilm

MOST_A_DAY = 100_000
"""Radiographs of one day that are listed."""
MOST_OF_ANY_DAY = 5_000
"""Radiographs that are listed without regard to their day."""


@dataclass(frozen=True)
class PacsSearch:
    """A DICOMweb service that is searched day by day.

    Parameters
    ----------
    poll : Poll
        Its settings.
    connection : Connection
        How it is asked.
    """

    poll: Poll
    connection: Connection = field(repr=False)

    def films_of(self, day: date) -> list[RemoteFilm]:
        """List the radiographs whose study is of a day.

        Parameters
        ----------
        day : date
            Study Date.

        Returns
        -------
        list of RemoteFilm
            One for each instance of the modalities of the poll.

        Raises
        ------
        DicomwebError
            In one sentence without any identifier.
        """
        address = replace(_address(self.poll), matching={"StudyDate": f"{day:%Y%m%d}"}, most_films=MOST_A_DAY)
        return list(OriginServer(address, self.connection).films())

    def films_of_any_day(self) -> tuple[list[RemoteFilm], bool]:
        """List radiographs whatever their Study Date is: no search by date finds those without a valid one (PS3.4 C.2.2.2).

        Returns
        -------
        tuple of list of RemoteFilm and bool
            At most `MOST_OF_ANY_DAY` instances of the modalities of the poll, and whether the service has more.

        Raises
        ------
        DicomwebError
            In one sentence without any identifier.
        """
        matching = {"includefield": "StudyDate"}
        server = OriginServer(replace(_address(self.poll), matching=matching, most_films=MOST_OF_ANY_DAY), self.connection)
        return list(server.films()), server.has_more


@contextmanager
def searching(poll: Poll) -> Iterator[PacsSearch]:
    """Open connections to a PACS.

    Parameters
    ----------
    poll : Poll
        Its settings.

    Yields
    ------
    PacsSearch
        The service.

    Raises
    ------
    ConfigError
        If a secret or a certificate cannot be read.
    AddressError
        If a modality is none of a projection radiograph.
    """
    try:
        auth, verify = authentication(poll.credentials), client_context(poll.tls)
    except OSError as error:
        raise ConfigError(f"a file of the poll '{poll.name}' cannot be read ({type(error).__name__})") from None
    with Connection(_address(poll), auth=auth, verify=verify) as connection:
        yield PacsSearch(poll, connection)


def _address(poll: Poll) -> Address:
    return parse(f"{poll.url.rstrip('/')}?Modality={','.join(poll.modalities)}")


def days(first: date, last: date) -> Iterator[date]:
    """Go through the days of a period.

    Parameters
    ----------
    first, last : date
        Its first and its last day.

    Yields
    ------
    date
        Each day.

    Examples
    --------
    >>> [str(day) for day in days(date(2024, 2, 28), date(2024, 3, 1))]
    ['2024-02-28', '2024-02-29', '2024-03-01']
    """
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
