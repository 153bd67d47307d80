"""What can go wrong between this program and a DICOMweb server.

PneumoscopeError
└── DicomwebError
    ├── AddressError        the URL or its query cannot be used
    ├── CredentialsError    the credentials cannot be used
    ├── UnreachableError    no connection, no trusted certificate, or no answer in time
    └── RefusedAnswerError  the server answered with an error, with too much, or with something else than DICOM

No message quotes a path, a query, or anything else that the server sent: they hold identifiers of patients.
"""

from pneumoscope import PneumoscopeError


class DicomwebError(PneumoscopeError):
    """A DICOMweb server could not be used."""


class AddressError(DicomwebError):
    """The URL of a DICOMweb service, or the query behind it, cannot be used."""


class CredentialsError(DicomwebError):
    """The credentials for a DICOMweb server cannot be used."""


class UnreachableError(DicomwebError):
    """A DICOMweb server could not be reached, is not trusted, or did not answer in time."""


class RefusedAnswerError(DicomwebError):
    """A DICOMweb server answered with an error, with too much, or with something else than was asked for."""
