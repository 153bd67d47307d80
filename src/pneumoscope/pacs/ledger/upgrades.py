"""Upgrade the tables of an earlier version of the ledger, in the transaction that opens it."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Connection, text, update

from pneumoscope.pacs.errors import LedgerError
from pneumoscope.pacs.ledger.tables import VERSION, versions

STEPS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {1: ("ALTER TABLE instances ADD COLUMN device TEXT DEFAULT '' NOT NULL",)}
)
"""Statements that turn the tables of a version into those of the next one, for SQLite and PostgreSQL."""


def upgrade(connection: Connection, version: int) -> None:
    """Turn the tables of an earlier version into those of `VERSION`; all rows are kept.

    Parameters
    ----------
    connection : Connection
        A transaction that writes.
    version : int
        Version of the tables.

    Raises
    ------
    LedgerError
        If the tables are of a later version, or of one that nobody knows.
    """
    if version > VERSION or any(step not in STEPS for step in range(version, VERSION)):
        raise LedgerError(f"the ledger has tables of version {version}, this program uses version {VERSION}; use its own program")
    for step in range(version, VERSION):
        for statement in STEPS[step]:
            connection.execute(text(statement))
    connection.execute(update(versions).values(version=VERSION))
