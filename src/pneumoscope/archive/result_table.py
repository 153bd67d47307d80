"""Define the table of results: one row a radiograph, the form of a line (`pneumoscope.readings.form`) in columns."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pneumoscope import DISCLAIMER
from pneumoscope.archive.journal import Run
from pneumoscope.heatmap import Heatmap
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.readings.line import Line

VERSION = "1"
VERSION_KEY, RUN_KEY, SHA256_KEY = b"pneumoscope.data_set", b"pneumoscope.run", b"pneumoscope.rows_sha256"
DISCLAIMER_KEY, FORM_KEY, MODEL_KEY = b"pneumoscope.disclaimer", b"pneumoscope.form", b"pneumoscope.model_sha256"
HEAT_MAP_CODEC = "zlib"
"""Codec of a heat map: RFC 1950, of float32 in little-endian byte order, rows first."""


@dataclass(frozen=True)
class Column:
    """A column of the results.

    Parameters
    ----------
    name : str
        Its name.
    kind : pyarrow.DataType
        Type of its values.
    place : str
        Where the value lies in a line of form 5, with dots; empty for a column that a line does not have.
    meaning : str
        What it says, for the documentation.
    """

    name: str
    kind: pa.DataType
    place: str
    meaning: str


_BOX = pa.struct([(edge, pa.float64()) for edge in ("top", "left", "bottom", "right")])
_PIXEL = pa.struct([("row", pa.int32()), ("col", pa.int32())])
_FINDING = pa.struct(
    [
        ("box", _BOX),
        ("peak", _PIXEL),
        ("area_px", pa.int64()),
        ("rating", pa.float64()),
        ("laterality", pa.string()),
        ("zone", pa.string()),
    ]
)
_ZONE = pa.struct(
    [
        ("laterality", pa.string()),
        ("zone", pa.string()),
        ("share_opaque", pa.float64()),
        ("density", pa.float64()),
        ("grade", pa.float64()),
    ]
)
COLUMNS = (
    Column("path", pa.string(), "path", "Name of the file in the manifest."),
    Column("file_sha256", pa.string(), "file_sha256", "SHA-256 of the bytes that were read; null if none were."),
    Column("size", pa.int64(), "", "Size of the file in bytes, as read; null if it was not read."),
    Column("target", pa.string(), "target", "Class that the probability is of."),
    Column("probability", pa.float64(), "probability", "Calibrated probability in [0, 1]; null after an error."),
    Column("log_odds", pa.float64(), "log_odds", "Log-odds before calibration."),
    Column("decision", pa.string(), "decision", "positive or negative; null after an error."),
    Column("abstains", pa.bool_(), "abstains", "Whether the model is unsure."),
    Column("population", pa.string(), "population.value", "child or adult; null where unknown."),
    Column("population_source", pa.string(), "population.source", "How the population was known."),
    Column("population_settings", pa.string(), "population.settings", "Population whose settings decided."),
    Column("population_cautious", pa.bool_(), "population.cautious", "Whether the settings are the cautious ones."),
    Column("threshold", pa.float64(), "operating_point.threshold", "Probability from which the decision is positive."),
    Column("threshold_rule", pa.string(), "operating_point.rule", "How the threshold was chosen."),
    Column("domain_inside", pa.bool_(), "domain.inside", "Whether the image resembles the training images."),
    Column("domain_distance", pa.float64(), "domain.distance", "Distance from the training images."),
    Column("domain_limit", pa.float64(), "domain.limit", "Distance beyond which an image lies outside."),
    Column("domain_reason", pa.string(), "domain.reason", "Why the image lies outside."),
    Column("cautions", pa.list_(pa.string()), "cautions", "What to be careful about."),
    Column("findings", pa.list_(_FINDING), "findings", "Marked opacities, highest rating first; pixels of the radiograph."),
    Column("severity", pa.float64(), "severity.score", "Opacity severity by the heat map."),
    Column("severity_low", pa.float64(), "severity.low", "Lower end of its interval."),
    Column("severity_high", pa.float64(), "severity.high", "Upper end of its interval."),
    Column("severity_coverage", pa.float64(), "severity.coverage", "Coverage of the interval, in [0, 1]."),
    Column("severity_n_patients", pa.int64(), "severity.n_patients", "Patients that the interval rests on."),
    Column("severity_reference", pa.string(), "severity.reference", "Reference that the scale was fixed on."),
    Column("severity_reason", pa.string(), "severity.reason", "Why there is no severity or no interval."),
    Column("severity_zones", pa.list_(_ZONE), "severity.zones", "Opacity of each lung zone."),
    Column("lungs_state", pa.string(), "lung_fields.state", "How the lungs were found."),
    Column("lungs_quality", pa.float64(), "lung_fields.quality", "Quality of the lung fields, in [0, 1]."),
    Column("lungs_area_share", pa.float64(), "lung_fields.area_share", "Share of the radiograph that they cover."),
    Column("lungs_box", _BOX, "lung_fields.box", "Rectangle around them, in pixels."),
    Column("map_target", pa.string(), "map.target", "Class that the heat map explains."),
    Column("map_method", pa.string(), "map.method", "Method of the heat map."),
    Column("map_scale", pa.float64(), "map.scale", "Divisor of its raw values."),
    Column("map_threshold", pa.float64(), "map.threshold", "Lowest value of a pixel in a finding."),
    Column("rows", pa.int32(), "rows", "Height of the radiograph in pixels."),
    Column("cols", pa.int32(), "cols", "Width of the radiograph in pixels."),
    Column("decoded_scale", pa.float64(), "decoded_scale", "Scale that it was decoded at, such as 0.5; null where in full."),
    Column("manufacturer", pa.string(), "", "DICOM Manufacturer (0008,0070), as stated."),
    Column("device_model", pa.string(), "", "DICOM Manufacturer's Model Name (0008,1090), as stated."),
    Column("site", pa.string(), "", "Keyed hash of DICOM Institution Name (0008,0080); null unless a key was given."),
    Column("error_kind", pa.string(), "error.kind", "Class of the error; null of a radiograph that was read."),
    Column("error", pa.string(), "error.message", "The error in one sentence."),
    Column("heat_map", pa.binary(), "", "Heat map, compressed; null unless asked for."),
    Column("heat_map_codec", pa.string(), "", "zlib (RFC 1950)."),
    Column("heat_map_dtype", pa.string(), "", "<f4: float32, little-endian."),
    Column("heat_map_shape", pa.list_(pa.int32()), "", "Height and width, in cells."),
    Column("heat_map_box", _BOX, "", "Part of the radiograph that the heat map covers, in pixels."),
)
"""The columns, in order."""


@dataclass(frozen=True)
class Device:
    """What made an image, and where.

    Parameters
    ----------
    manufacturer, model : str
        As the file states them; empty where it does not.
    site : str
        Keyed hash of the institution; empty where none was asked for, or the file states none.
    """

    manufacturer: str = ""
    model: str = ""
    site: str = ""


SCHEMA = pa.schema([pa.field(column.name, column.kind, nullable=column.name not in ("path", "target")) for column in COLUMNS])


def record_of(line: Line, size: int | None, device: Device, heatmap: Heatmap | None) -> dict[str, Any]:
    """Lay a line out in the columns.

    Parameters
    ----------
    line : Line
        Answer or error of one file.
    size : int, optional
        Size of the file in bytes; None if it was not read.
    device : Device
        What made the image.
    heatmap : Heatmap, optional
        Its heat map, where heat maps are asked for and there is one.

    Returns
    -------
    dict
        Value by column.
    """
    tree = msgspec.to_builtins(line)
    record = {column.name: _at(tree, column.place) for column in COLUMNS}
    record |= {"size": size, "manufacturer": device.manufacturer or None, "device_model": device.model or None}
    record |= {"site": device.site or None}
    return record | (_heat_map(heatmap) if heatmap else {})


def _at(tree: Any, place: str) -> Any:
    if not place:
        return None
    for part in place.split("."):
        if tree is None:
            return None
        tree = tree[part]
    return tree


def _heat_map(heatmap: Heatmap) -> dict[str, Any]:
    placement = heatmap.placement
    # In the stored order of the radiograph, so that the map lies on its box without being turned.
    cells = np.ascontiguousarray(placement.orientation.to_stored(heatmap.cells), "<f4")
    return {
        "heat_map": zlib.compress(cells.tobytes(), 6),
        "heat_map_codec": HEAT_MAP_CODEC,
        "heat_map_dtype": "<f4",
        "heat_map_shape": [*cells.shape],
        "heat_map_box": asdict(placement.rectangle),
    }


def heat_map_of(record: Mapping[str, Any]) -> Grey | None:
    """Decode the heat map of a row.

    Parameters
    ----------
    record : mapping
        Value by column.

    Returns
    -------
    ndarray of float32, shape (h, w), or None
        The map over ``heat_map_box`` of the radiograph, in the stored order of its rows and columns; None where there is none.
    """
    if record["heat_map"] is None:
        return None
    return np.frombuffer(zlib.decompress(record["heat_map"]), record["heat_map_dtype"]).reshape(record["heat_map_shape"])


def rows_sha256(records: Iterable[Mapping[str, Any]]) -> str:
    """Hash the rows of a shard, independently of how Parquet lays them out.

    Parameters
    ----------
    records : iterable of mapping
        Value by column.

    Returns
    -------
    str
        SHA-256 over the JSON of the rows in order, hexadecimal.
    """
    sha256 = hashlib.sha256()
    for record in records:
        sha256.update(msgspec.json.encode({name: record[name] for name in SCHEMA.names}, order="sorted"))
    return sha256.hexdigest()


def run_text(run: Run) -> str:
    """Write a run as the metadata of a shard hold it.

    Parameters
    ----------
    run : Run
        Model and options.

    Returns
    -------
    str
        JSON.
    """
    return json.dumps(asdict(run), sort_keys=True)


def encode(records: list[dict[str, Any]], run: Run) -> bytes:
    """Write the rows of a shard as Parquet; the bytes depend on rows, run and the version of pyarrow alone.

    Parameters
    ----------
    records : list of dict
        Value by column.
    run : Run
        Model and options, for the metadata.

    Returns
    -------
    bytes
        A Parquet file with a checksum of each page, and the hash of its rows in the metadata.
    """
    table = pa.Table.from_pylist(records, SCHEMA)
    metadata = {
        VERSION_KEY: VERSION,
        FORM_KEY: str(run.form),
        MODEL_KEY: run.model.sha256,
        RUN_KEY: run_text(run),
        DISCLAIMER_KEY: DISCLAIMER,
        SHA256_KEY: rows_sha256(table.to_pylist()),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())
