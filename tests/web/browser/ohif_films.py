"""Two asymmetric radiographs with readings of asymmetric lungs and an asymmetric finding, and their DICOM objects."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation

from pneumoscope.classifier import OperatingPoint, Score
from pneumoscope.dicom_objects import DicomObject, Kind, Profile, Result, source_image, write_objects
from pneumoscope.dicom_objects.objects import WRITERS
from pneumoscope.dicom_objects.segmentation import Segment, segments_of, write
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Placement, Radiograph, read
from pneumoscope.readings import DomainCheck, ModelIdentity, ModelReading, extract
from tests.lung_fields.builders import SIDE, drawn
from tests.radiograph.builders import cr, written

ROWS, COLS = 400, 300
CREATED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
RIGHT, LEFT = (9, 4, 36, 17), (9, 22, 30, 34)
"""Lungs on the square, (top, left, bottom, right) in cells of the displayed order."""


@dataclass(frozen=True, eq=False)
class Film:
    """A film with its reading and the objects of it.

    Parameters
    ----------
    study_uid : str
        Study Instance UID.
    content : bytes
        The film's DICOM file.
    result : Result
        Its reading.
    objects : mapping of Kind to DicomObject
        The objects by kind.
    """

    study_uid: str
    content: bytes
    result: Result
    objects: Mapping[Kind, DicomObject]

    @property
    def files(self) -> list[bytes]:
        """The film and its objects, with the Segmentation in both forms."""
        others = [one.content for kind, one in self.objects.items() if kind != "seg"]
        return [self.content, *others, *self.segmentations]

    @property
    def segmentations(self) -> list[bytes]:
        """The segments with a frame for each, and as a label map."""
        return [self.objects["seg"].content, write(replace(self.result, segmentation="LABELMAP")).content]

    @property
    def rows(self) -> int:
        """Rows of the film."""
        return self.result.radiograph.rows

    @property
    def cols(self) -> int:
        """Columns of the film."""
        return self.result.radiograph.cols

    @property
    def everywhere(self) -> np.ndarray:
        """A mask of the whole film."""
        return np.ones((self.rows, self.cols), bool)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The lungs and the finding."""
        return segments_of(self.result)


def lopsided(rows: int = ROWS, cols: int = COLS) -> np.ndarray:
    """A picture that no turn or flip maps onto itself, and no other grey scale either."""
    grey = np.tile(np.linspace(20, 120, cols), (rows, 1)).astype(np.uint8)
    grey[20:120, 20:100], grey[300:380, 200:280], grey[200:220], grey[150:160, 250:290] = 255, 60, 180, 0
    return grey


def film(study_uid: str, profile: Profile, dataset: Dataset, *, deflated_maps: bool = False) -> Film:
    """Write the objects of a film."""
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, f"{study_uid}.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{study_uid}.1.1"
    content = written(dataset)
    radiograph = read(content)
    reading = reading_of(radiograph)
    objects = write_objects(content, radiograph, reading, tuple(WRITERS), profile, CREATED, deflated_maps=deflated_maps)
    result = Result(source_image(content), radiograph, reading, profile, CREATED)
    return Film(study_uid, content, result, {one.kind: one for one in objects})


def reading_of(radiograph: Radiograph) -> ModelReading:
    """A positive reading: lungs of different size, and an L-shaped finding in the left one."""
    placement = Placement.of(radiograph, radiograph.whole, SIDE)
    cells = np.zeros((SIDE, SIDE), np.float32)
    cells[12:26, 24:27], cells[23:26, 24:32] = 0.9, 0.7
    heatmap = Heatmap(cells, placement, "pneumonia", "evidence", "features", 1.0, 0.5)
    fields = LungFields(drawn(RIGHT), drawn(LEFT), placement, 0.98, 0.96, "found")
    return ModelReading(
        score=Score("pneumonia", 0.9, 2.2),
        decision="positive",
        operating_point=OperatingPoint(0.55, "sensitivity>=0.95", "tune", "ef" * 32),
        heatmap=heatmap,
        findings=extract(heatmap, 0.9, fields),
        lung_fields=fields,
        model=ModelIdentity("default", "ab" * 32),
        domain=DomainCheck(1.25, 2.5, lungs=True),
    )


def upright(profile: Profile = Profile.OHIF) -> Film:
    """A DX film in the displayed order."""
    dataset = cr(16 * lopsided().astype(int), Modality="DX", PatientOrientation=["L", "F"], **_SHOWN)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    return film("1.2.826.1", profile, dataset)


def mirrored_white_first(profile: Profile = Profile.OHIF) -> Film:
    """A CR film whose low values are white, stored as its mirror image, with a deflated heat map."""
    stored = 4095 - 16 * lopsided().astype(int)
    white_first = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}
    return film("1.2.826.2", profile, cr(stored, PatientOrientation=["R", "F"], **white_first, **_SHOWN), deflated_maps=True)


_SHOWN = {
    "WindowCenter": 2048, "WindowWidth": 4096, "ImagerPixelSpacing": [0.5, 0.5], "ViewPosition": "PA", "SeriesNumber": 1,
    "InstanceNumber": 1, "StudyDate": "20260303", "StudyTime": "101112", "PatientBirthDate": "", "PatientSex": "", "StudyID": "1",
}  # fmt: skip
