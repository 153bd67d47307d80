"""A node for tests: a configuration, received images, a model that answers at once, and objects that are quickly written."""

import io
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.dicom_objects import DicomObject
from pneumoscope.dicom_objects.uids import object_uid
from pneumoscope.pacs import config
from pneumoscope.pacs.ledger import Arrival
from pneumoscope.pacs.send.result_file import data_set_sha256
from pneumoscope.pacs.settings import Model
from pneumoscope.pacs.work.readers import LoadedModel
from pneumoscope.pacs.work.worker import Worker
from pneumoscope.readings import ModelIdentity
from tests.dicom_objects.builders import COLS, ROWS, reading
from tests.pacs.fake_pacs import SC, SR
from tests.radiograph.builders import cr, written

CLASSES = {"sr": SR, "sc": SC}
BASE = """
salt = "0123456789abcdef"
spool = "spool"

[[models]]
name = "lungs"

[[destinations]]
name = "pacs"
protocol = "dimse"
host = "127.0.0.1"
port = 104
ae_title = "PACS"
kinds = ["sr"]

[send]
first_wait_seconds = 1
"""


def node(folder, more="", base=BASE):
    """The configuration of a node in a folder."""
    return config.parse(base + more, Path(folder))


def image(number=1, **elements):
    """The bytes of a frontal chest radiograph of 12 bits."""
    stored = np.linspace(0, 4000, ROWS * COLS).reshape(ROWS, COLS).astype(np.uint16)
    uids = {
        "StudyInstanceUID": f"1.2.3.{number}.1",
        "SeriesInstanceUID": f"1.2.3.{number}.2",
        "SOPInstanceUID": f"1.2.3.{number}.3",
    }
    stated = {"BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientOrientation": ["L", "F"]}
    return written(cr(stored, **(uids | stated | elements)))


def receive(node, ledger, content, number=1, **changes):
    """Put an image into the spool and the ledger, as the receiving process does."""
    path = node.spool_folder / f"{number}.dcm"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    uids = (
        f"1.2.3.{number}.3",
        "1.2.840.10008.5.1.4.1.1.1",
        f"1.2.3.{number}.1",
        f"1.2.3.{number}.2",
        str(ExplicitVRLittleEndian),
    )
    arrival = Arrival(*uids, data_set_sha256(path), len(content), path.name, "MODALITY", "dimse")
    return ledger.record_instance(replace(arrival, **changes)).instance_id


def model(name="lungs", sha256="ab" * 32, read=None, **settings):
    """A model that gives every image the same reading."""
    answer = reading(model=ModelIdentity(name, sha256))
    return LoadedModel(Model(name, **settings), read or (lambda radiograph: answer), sha256, "pneumonia")


def write_small(content, radiograph, reading, kinds, profile, created, *, predecessors=()):
    """Small objects in the place of those of `pneumoscope.dicom_objects`, with the same UIDs for the same reading."""
    at = content.index(b"\x08\x00\x18\x00UI")
    source = content[at + 8 : at + 8 + int.from_bytes(content[at + 6 : at + 8], "little")].rstrip(b"\0").decode()
    return tuple(_small(source, reading, kind, profile, created, predecessors) for kind in kinds)


def _small(source, reading, kind, profile, created, predecessors):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CLASSES[kind]
    uid = object_uid(source, reading.model.sha256, profile, kind, "instance")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (
        "1.2.3",
        object_uid(source, reading.model.sha256, profile, kind, "series"),
    )
    dataset.ContentDate, dataset.ContentTime = created.strftime("%Y%m%d"), created.strftime("%H%M%S")
    dataset.TextValue = f"{len(predecessors)} predecessors"
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return DicomObject(kind, CLASSES[kind], uid, stream.getvalue())


def worker(node, ledger, *models, **changes):
    """A worker that decodes in this process."""
    loaded = {one.model.name: one for one in models or (model(),)}
    return Worker(node, ledger, loaded, **({"write": write_small, "chance": random.Random(1)} | changes))
