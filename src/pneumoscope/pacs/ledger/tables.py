"""The tables of the ledger."""

from typing import Literal, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = 2
"""Version of these tables; `upgrades` turns an earlier one into it, and a later one is refused."""

InstanceState = Literal["received", "working", "read", "skipped", "failed", "conflict", "dropped"]
DeliveryState = Literal["waiting", "sending", "sent", "committed", "dead", "dropped"]
Route = Literal["dimse", "stow", "poll"]
FileKind = Literal["source", "result"]

metadata = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in a column of type INTEGER


def _one_of(column: str, values: object) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in get_args(values))})", name=f"{column}_is_known")


versions = Table("versions", metadata, Column("version", Integer, primary_key=True))

instances = Table(
    "instances",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("sop_instance_uid", Text, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("transfer_syntax", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("claimed_by", Text),
    Column("claimed_until", Double),
    Column("next_try_at", Double, nullable=False),
    Column("device", Text, nullable=False, default="", server_default=""),
    UniqueConstraint("sop_instance_uid", "sha256"),
    _one_of("state", InstanceState),
    _one_of("route", Route),
    Index("instances_by_state", "state", "next_try_at"),
    Index("instances_by_study", "study_uid"),
)

readings = Table(
    "readings",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("instance_id", ForeignKey("instances.id"), nullable=False),
    Column("model_sha256", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("instance_id", "model_sha256"),
)

results = Table(
    "results",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("reading_id", ForeignKey("readings.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False, unique=True),
    Column("sha256", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("result_id", ForeignKey("results.id"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("claimed_by", Text),
    Column("claimed_until", Double),
    Column("next_try_at", Double, nullable=False),
    Column("first_try_at", Double),
    Column("sent_at", Double),
    UniqueConstraint("result_id", "destination"),
    _one_of("state", DeliveryState),
    Index("deliveries_by_state", "state", "next_try_at"),
)

finished_files = Table(
    "finished_files",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("row_id", _ID, primary_key=True, autoincrement=False),
    Column("finished_at", Double, nullable=False),
    Column("removed_at", Double),
    _one_of("kind", FileKind),
)

watermarks = Table("watermarks", metadata, Column("source", Text, primary_key=True), Column("value", Text, nullable=False))

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("process", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("pid", Integer, nullable=False),
)
