"""The noun `Fingerprint`: salted hashes by which a model recognises its training cases."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fingerprint:
    """Salted hashes of the patients and of the images of the cases that a model was trained on.

    A checkpoint carries the fingerprint of its training cases, so that a later evaluation can refuse to test the model on
    patients or images that it was trained on, whatever the split of that later cohort is called.

    The salt travels with the hashes. It makes the hashes of two models incomparable and precomputed tables useless, but
    whoever holds the fingerprint can still test a guessed identifier: this is a check against mistakes, not a means of
    anonymization.

    Parameters
    ----------
    salt
        Hexadecimal text that is hashed before each identifier.
    patients
        Hash of each patient identifier, 16 hexadecimal digits, sorted, each once.
    images
        Hash of each image's identity (its decoded grey levels where they are known, else its path), in the same form.
    """

    salt: str
    patients: tuple[str, ...]
    images: tuple[str, ...]
