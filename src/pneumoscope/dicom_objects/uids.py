"""Derive the UIDs of an object from what decides its content, so that the same reading always has the same UIDs."""

import hashlib

_UUID_BYTES = 16


def derived_uid(*of: str) -> str:
    """Derive a UID from texts, in the form that PS3.5 B.2 derives from a UUID.

    Parameters
    ----------
    *of : str
        The texts that the UID follows from.

    Returns
    -------
    str
        ``2.25.`` and a UUID of version 8 (RFC 9562) as a decimal number, at most 44 characters.

    Examples
    --------
    >>> derived_uid("a", "b") == derived_uid("a", "b") != derived_uid("ab", "")
    True
    """
    encoded = [part.encode() for part in of]
    digest = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in encoded)).digest()
    octets = bytearray(digest[:_UUID_BYTES])
    octets[6], octets[8] = 0x80 | octets[6] & 0x0F, 0x80 | octets[8] & 0x3F
    return f"2.25.{int.from_bytes(octets, 'big')}"


def object_uid(source_uid: str, bundle_identity: str, profile: str, kind: str, part: str) -> str:
    """Derive a UID of an object.

    Parameters
    ----------
    source_uid : str
        SOP Instance UID of the image that was read.
    bundle_identity : str
        Identity of the model and of the settings that decide its answer (`Result.bundle_identity`).
    profile : str
        The profile that chooses the form of the object.
    kind : str
        The kind of object.
    part : str
        What the UID is of: ``instance``, ``series``, ``finding 1``, and so on.

    Returns
    -------
    str
        The UID.
    """
    return derived_uid("dicom object", source_uid, bundle_identity, profile, kind, part)
