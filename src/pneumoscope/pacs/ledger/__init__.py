"""The ledger: what was received, read and sent, in SQLite or PostgreSQL."""

from pneumoscope.pacs.ledger.ledger import Ledger
from pneumoscope.pacs.ledger.rows import (
    Arrival,
    Counts,
    Delivery,
    Heartbeat,
    Instance,
    NewReading,
    NewResult,
    Reading,
    Recorded,
)

__all__ = ["Arrival", "Counts", "Delivery", "Heartbeat", "Instance", "Ledger", "NewReading", "NewResult", "Reading", "Recorded"]
