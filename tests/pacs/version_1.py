"""A ledger as version 1 of its tables had it, with one image that was read."""

from sqlalchemy import insert, text

from pneumoscope.pacs.ledger.database import Database
from pneumoscope.pacs.ledger.tables import metadata, readings, versions

_INSTANCES = """
CREATE TABLE instances (
    id {id} NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    path TEXT NOT NULL,
    sender TEXT NOT NULL,
    route TEXT NOT NULL,
    received_at DOUBLE PRECISION NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    claimed_by TEXT,
    claimed_until DOUBLE PRECISION,
    next_try_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (sop_instance_uid, sha256),
    CONSTRAINT state_is_known CHECK (state IN ('received', 'working', 'read', 'skipped', 'failed', 'conflict', 'dropped')),
    CONSTRAINT route_is_known CHECK (route IN ('dimse', 'stow', 'poll'))
)
"""
_ROW = """
INSERT INTO instances (
    sop_instance_uid, sop_class_uid, study_uid, series_uid, transfer_syntax, sha256, size, path, sender, route, received_at,
    state, reason, attempts, next_try_at
) VALUES (
    '1.2.3.1', '1.2.840.10008.5.1.4.1.1.1', '1.2.3.1.8', '1.2.3.1.9', '1.2.840.10008.1.2.1', 'abc', 6, '1.dcm', 'MODALITY',
    'dimse', 1000.0, 'read', '', 1, 1000.0
)
"""


def make(where):
    """Give a database the tables of version 1: those that later versions changed are written out above."""
    with Database.open(where) as database, database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DROP TABLE {table.name}"))
        identity = "BIGSERIAL" if connection.dialect.name == "postgresql" else "INTEGER"
        connection.execute(text(_INSTANCES.format(id=identity)))
        metadata.create_all(connection, [table for table in metadata.sorted_tables if table.name != "instances"])
        connection.execute(insert(versions).values(version=1))
        connection.execute(text(_ROW))
        row = {"instance_id": 1, "model_sha256": "m" * 64, "line": "{}", "shadow": False, "created_at": 1000.0}
        connection.execute(insert(readings).values(row))
