"""Replace identifiers by ones that mean nothing outside of this process, the same for the same original (PS3.15 E.1)."""

import hashlib
import hmac
from dataclasses import dataclass, field

_UUID_BYTES = 16


@dataclass(frozen=True)
class Identifiers:
    """What stands in a served object for the identifiers of its film.

    Parameters
    ----------
    key : bytes
        Secret of this process, by which identifiers are replaced; empty where those of the film are kept.
    """

    key: bytes = field(default=b"", repr=False)

    @property
    def are_kept(self) -> bool:
        """Whether objects are served with the identifiers of their films."""
        return not self.key

    def derived_uid(self, *of: str) -> str:
        """Make a UID that follows from texts, of the form that PS3.5 B.2 derives from a UUID.

        Parameters
        ----------
        *of : str
            What the UID follows from, such as a hash of the film and the level of the UID.

        Returns
        -------
        str
            ``2.25.`` and a UUID as a number; with a key, nobody without it can tell what it follows from.
        """
        octets = bytearray(self._digest("uid", *of)[:_UUID_BYTES])
        octets[6], octets[8] = 0x80 | octets[6] & 0x0F, 0x80 | octets[8] & 0x3F  # version 8 and the variant of RFC 9562
        return f"2.25.{int.from_bytes(octets, 'big')}"

    def patient(self, *of: str) -> str:
        """Make the name of a patient that follows from what identifies the patient in the file.

        Parameters
        ----------
        *of : str
            Values that identify the patient.

        Returns
        -------
        str
            ``Patient`` and eight hexadecimal digits; empty where no value is known.
        """
        return f"Patient {self._digest('patient', *of).hex()[:8].upper()}" if any(of) else ""

    def _digest(self, *of: str) -> bytes:
        message = b"".join(len(text).to_bytes(8, "big") + text for text in (part.encode("utf-8", "replace") for part in of))
        return hmac.new(self.key, message, hashlib.sha256).digest()
