"""Decode JSON into a dataclass, refusing whatever the dataclass does not describe."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from pneumoscope import PneumoscopeError

T = TypeVar("T")
_NESTED = (dict, list)
"""What JSON nests; everything else has no fields."""


class StrictJsonError(PneumoscopeError):
    """A text is not JSON, or its JSON does not describe the value that is needed."""


def decode(text: str | bytes, kind: type[T], *, upgrade: Callable[[Any], Any] | None = None) -> T:
    """Decode JSON text into a value of a type, checked at every level.

    Parameters
    ----------
    text : str or bytes
        One JSON document, UTF-8 where it is bytes.
    kind : type
        A dataclass, or another type that msgspec can build. Range checks in ``__post_init__`` (ValueError) are honoured.
    upgrade : callable, optional
        Applied to the parsed JSON before it is checked; brings documents of earlier formats to the current one.

    Returns
    -------
    kind
        The value. Integers are accepted for float fields; nothing else is converted.

    Raises
    ------
    StrictJsonError
        In one sentence with the path of the wrong value (``$.calibration.temperature``): the text is no valid JSON, a field is
        missing, unknown, of another type, or out of its range.
    """
    try:
        tree = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StrictJsonError("no valid JSON") from error
    return convert(tree, kind, upgrade=upgrade)


def convert(tree: Any, kind: type[T], *, upgrade: Callable[[Any], Any] | None = None) -> T:
    """Convert parsed JSON into a value of a type, as `decode` does.

    Parameters
    ----------
    tree : object
        Parsed JSON: dictionaries, lists, strings, numbers, booleans, None.
    kind : type
        As in `decode`.
    upgrade : callable, optional
        As in `decode`.

    Returns
    -------
    kind
        The value.

    Raises
    ------
    StrictJsonError
        As `decode`.
    """
    try:
        tree = upgrade(tree) if upgrade else tree
        value = msgspec.convert(tree, kind)
    except (msgspec.ValidationError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise StrictJsonError(_sentence(error)) from error
    if unknown := _unknown_field(tree, value, "$"):
        raise StrictJsonError(f"unknown field {unknown}")
    return value


def _sentence(error: Exception) -> str:
    """The message of an error in one line; the key alone where a KeyError names a missing field."""
    return f"missing field {error}" if isinstance(error, KeyError) else " ".join(str(error).split())


def _unknown_field(tree: Any, value: Any, path: str) -> str:
    """The path of the first JSON field that the value has no place for; empty if every field was used."""
    parts: Iterable[tuple[str, Any, Any]] = ()
    names = _field_names(type(value))  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    if names is not None:
        if (unknown := next((key for key in tree if key not in names), None)) is not None:
            return f"{path}.{unknown}"
        parts = ((f".{key}", part, getattr(value, key)) for key, part in tree.items() if isinstance(part, _NESTED))
    elif isinstance(value, Mapping):
        parts = ((f".{key}", tree[key], part) for key, part in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        parts = ((f"[{k}]", *pair) for k, pair in enumerate(zip(tree, value, strict=True)))
    return next((unknown for at, t, v in parts if isinstance(t, _NESTED) and (unknown := _unknown_field(t, v, path + at))), "")


@functools.cache
def _field_names(kind: type) -> frozenset[str] | None:
    """Names of the fields of a dataclass; None for another type."""
    return frozenset(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None
