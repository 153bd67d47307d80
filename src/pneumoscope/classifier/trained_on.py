"""The file next to a card by which a model recognises the patients and images that it was trained on; no PyTorch."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pneumoscope.classifier.card import Card
from pneumoscope.classifier.errors import CardError
from pneumoscope.fingerprint import Fingerprint

TRAINED_ON_NAME = "trained_on.json"


def as_bytes(fingerprints: Iterable[Fingerprint]) -> bytes:
    """Write fingerprints as the content of the file.

    Parameters
    ----------
    fingerprints
        Of the model's own training cases, and of those of the models that it learned from.

    Returns
    -------
    bytes
        UTF-8 JSON: a list of objects with ``salt``, ``patients`` and ``images``.
    """
    return (json.dumps([dataclasses.asdict(one) for one in fingerprints]) + "\n").encode()


def read(folder: Path, card: Card) -> tuple[Fingerprint, ...]:
    """Read the fingerprints of a checkpoint or bundle.

    Parameters
    ----------
    folder
        The folder of the checkpoint or bundle.
    card
        Its card, which names the file with its hash.

    Returns
    -------
    tuple of Fingerprint
        The fingerprints; empty if the model says nothing about its training cases (models of earlier versions).

    Raises
    ------
    CardError
        If the file is missing or is not the one that the card names.
    """
    if TRAINED_ON_NAME not in card.files:
        return ()
    try:
        content = (folder / TRAINED_ON_NAME).read_bytes()
        if hashlib.sha256(content).hexdigest() != card.files[TRAINED_ON_NAME]:
            raise ValueError("another hash")
        return tuple(Fingerprint(one["salt"], tuple(one["patients"]), tuple(one["images"])) for one in json.loads(content))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CardError(
            f"the file {TRAINED_ON_NAME} in '{folder}' is not the one that the card names; copy the model again from its source"
        ) from error
