"""Rows for a ledger."""

import hashlib
from dataclasses import replace

from pneumoscope.pacs.ledger import Arrival, NewReading, NewResult

CR = "1.2.840.10008.5.1.4.1.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
READING = NewReading("m" * 64, '{"form": 5}')


def arrival(number=1, content=b"pixels", **changes):
    uid = f"1.2.3.{number}"
    sha256 = hashlib.sha256(content).hexdigest()
    uids = (uid, CR, f"{uid}.8", f"{uid}.9", EXPLICIT)
    made = Arrival(*uids, sha256, len(content), f"{number}.dcm", "MODALITY", "dimse")
    return replace(made, **changes)


def result(number=1, kind="sr"):
    return NewResult(kind, "ohif", "1.2.840.10008.5.1.4.1.1.88.34", f"2.25.{number}", "s" * 64, f"{number}.{kind}.dcm")


def read_with(*results, to=("pacs",), reading=READING):
    """A reading with results for destinations."""
    return replace(reading, results=tuple(replace(one, destinations=tuple(to)) for one in results))
