"""Check a message with a library for its standard before it is sent, so that no system gets one that it cannot parse."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from types import ModuleType

from pneumoscope.pacs.errors import ConfigError, InvalidMessageError
from pneumoscope.pacs.notifications.settings import Protocol

_STRICT = 1
"""``hl7apy.consts.VALIDATION_LEVEL.STRICT``."""
_MISSING = "is not installed, which a notification needs; install it:  pip install 'pneumoscope[notify]'"


def check(protocol: Protocol, content: bytes) -> None:
    """Check a message.

    Parameters
    ----------
    protocol : {"fhir", "hl7"}
        Its form.
    content : bytes
        The message.

    Raises
    ------
    InvalidMessageError
        If the library finds a fault; its text, which may quote an identifier, is left out.
    ConfigError
        If the library is not installed.
    """
    _CHECKS[protocol](content)


def library(protocol: Protocol) -> str:
    """Name the library that checks the messages of a form.

    Parameters
    ----------
    protocol : {"fhir", "hl7"}
        The form.

    Returns
    -------
    str
        Its name and version.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    name = _LIBRARIES[protocol]
    try:
        return f"messages are checked by {name} {metadata.version(name)}"
    except metadata.PackageNotFoundError as error:
        raise ConfigError(f"{name} {_MISSING}") from error


def _loaded(module: str, name: str) -> ModuleType:
    """A module of a library, which only a node with such a notification loads: it takes up to half a second."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f"{name} {_MISSING}") from error


def _check_fhir(content: bytes) -> None:
    bundles = _loaded("fhir.resources.bundle", "fhir.resources")
    try:
        bundles.Bundle.model_validate_json(content)
    except ValueError:
        raise InvalidMessageError("the notification is no valid FHIR R5; please report this fault of the program") from None


def _check_hl7(content: bytes) -> None:
    parser, exceptions = _loaded("hl7apy.parser", "hl7apy"), _loaded("hl7apy.exceptions", "hl7apy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning may quote an identifier
            parser.parse_message(content.decode(), validation_level=_STRICT).validate()
    except (exceptions.HL7apyException, ValueError):
        raise InvalidMessageError("the notification is no valid HL7 v2.5.1; please report this fault of the program") from None


_CHECKS: Mapping[Protocol, Callable[[bytes], None]] = {"fhir": _check_fhir, "hl7": _check_hl7}
_LIBRARIES: Mapping[Protocol, str] = {"fhir": "fhir.resources", "hl7": "hl7apy"}
