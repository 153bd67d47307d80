"""Define what the objects of one image are written from: its header, its radiograph, its reading, and when it was read."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Literal

from pneumoscope.dicom_objects.header import SourceImage
from pneumoscope.dicom_objects.profiles import Kind, Profile
from pneumoscope.dicom_objects.uids import object_uid
from pneumoscope.radiograph import Radiograph
from pneumoscope.readings import ModelReading

SegmentationType = Literal["BINARY", "LABELMAP"]
"""Segmentation Type (0062,0001): a frame for each segment, or one frame in which each pixel belongs to one segment at most."""


@dataclass(frozen=True, eq=False)
class Result:
    """A reading to be written as objects.

    Parameters
    ----------
    source : SourceImage
        Validated header of the image that was read.
    radiograph : Radiograph
        The image, decoded.
    reading : ModelReading
        Its reading.
    profile : Profile
        The system that the objects are for.
    created : datetime
        When the image was read, with its time zone. It is the only time in the objects that is not the source's.
    segmentation : {"BINARY", "LABELMAP"}
        Form of the Segmentation. Few systems accept label maps yet.
    deflated_maps : bool
        Whether a Parametric Map has values rounded to 1/1024 and a deflated data set.
    predecessors : tuple of bytes
        Structured Reports of the same image by an earlier model, as DICOM files, which the new report names as its predecessors.

    Raises
    ------
    ValueError
        The time has no time zone.
    """

    source: SourceImage = field(repr=False)
    radiograph: Radiograph
    reading: ModelReading
    profile: Profile
    created: datetime
    segmentation: SegmentationType = "BINARY"
    predecessors: tuple[bytes, ...] = field(default=(), repr=False)
    deflated_maps: bool = False

    def __post_init__(self) -> None:
        if self.created.tzinfo is None:
            raise ValueError("the time of a reading needs a time zone, such as datetime.now(UTC)")

    @property
    def local_time(self) -> datetime:
        """The time of the reading, to the second, in the time zone that the source states, else its own."""
        stated = str(self.source.dataset.get("TimezoneOffsetFromUTC", ""))
        zone = _zone(stated) if stated else self.created.tzinfo
        return self.created.astimezone(zone).replace(microsecond=0)

    @property
    def bundle_identity(self) -> str:
        """Identity of the model, with the target, the heat map's method and the population that decide its answer."""
        reading = self.reading
        return "\n".join((reading.model.sha256, reading.score.target, reading.heatmap.method, str(reading.population or "")))

    def uid(self, kind: Kind, part: str) -> str:
        """Derive a UID of one of its objects.

        Parameters
        ----------
        kind : {"sr", "seg", "pm", "sc", "gsps"}
            Kind of object.
        part : str
            What the UID is of, such as ``instance`` or ``series``.

        Returns
        -------
        str
            The UID, always the same for the same image, model and profile.
        """
        form = " of label map" if kind == "seg" and self.segmentation == "LABELMAP" else ""
        form += " of deflated map" if kind == "pm" and self.deflated_maps else ""
        return object_uid(self.source.sop_instance_uid, self.bundle_identity, self.profile, kind, part + form)


def _zone(offset: str) -> timezone:
    """A time zone by Timezone Offset From UTC (PS3.3 C.12.1.1.8), such as ``+0130``."""
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])))
