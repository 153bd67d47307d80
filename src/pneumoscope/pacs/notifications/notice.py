"""Define what a notification says about a reading, whatever its form."""

import io
from dataclasses import dataclass, field
from functools import cached_property

import pydicom

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.dicom_objects import DicomObject, Result, SourceImage
from pneumoscope.dicom_objects.uids import derived_uid
from pneumoscope.readings import CaseKey, form
from pneumoscope.readings.figures import probability_text
from pneumoscope.readings.line import FindingLine, Line

UNCONFIRMED = "Not confirmed by a physician."


@dataclass(frozen=True)
class StoredObject:
    """A DICOM object that a notification refers to.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, series_uid : str
        Its UIDs.
    """

    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)
    series_uid: str = field(repr=False)

    @classmethod
    def of(cls, made: DicomObject) -> "StoredObject":
        """Read the UIDs of an object.

        Parameters
        ----------
        made : DicomObject
            The object.

        Returns
        -------
        StoredObject
            Its UIDs.
        """
        header = pydicom.dcmread(io.BytesIO(made.content), specific_tags=["SeriesInstanceUID"])
        return cls(made.sop_class_uid, made.sop_instance_uid, str(header.SeriesInstanceUID))


@dataclass(frozen=True, eq=False)
class Notice:
    """A reading that another system is told about.

    Parameters
    ----------
    result : Result
        The reading with its source and its time. Its profile has no effect.
    objects : tuple of StoredObject
        DICOM objects of the reading that are referred to.
    earlier : tuple of Line
        Readings of the same image by earlier models that the same system was told about, the oldest first; this one corrects
        them.
    """

    result: Result
    objects: tuple[StoredObject, ...] = field(default=(), repr=False)
    earlier: tuple[Line, ...] = ()

    @property
    def source(self) -> SourceImage:
        """The image that was read."""
        return self.result.source

    @cached_property
    def line(self) -> Line:
        """The reading with the rounded figures that all outputs have."""
        return form.line_of(CaseKey(""), self.result.reading)

    @property
    def report_uid(self) -> str:
        """Identifier of the report, always the same for the same image and model."""
        return report_uid(self.source.sop_instance_uid, self.line)

    @property
    def order_uid(self) -> str:
        """Identifier that a report and its corrections share: that of the first one."""
        return report_uid(self.source.sop_instance_uid, self.earlier[0]) if self.earlier else self.report_uid

    def stated(self, keyword: str) -> str:
        """Return what the header of the source states.

        Parameters
        ----------
        keyword : str
            An attribute of `SourceImage`.

        Returns
        -------
        str
            Its valid value; empty where there is none.
        """
        value = self.source.dataset.get(keyword)
        return "" if value is None else str(value)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The reading in words, ending with what it is not."""
        return tuple(_sentences(self.line))


def report_uid(source_uid: str, line: Line) -> str:
    """Derive the identifier of the report of a reading.

    Parameters
    ----------
    source_uid : str
        SOP Instance UID of the image that was read.
    line : Line
        The reading.

    Returns
    -------
    str
        A UID, always the same for the same image, model and settings that decide the answer.
    """
    method = line.map.method if line.map else ""
    population = repr(line.population.choice) if line.population else ""
    return derived_uid("report of a reading", source_uid, line.model.sha256, line.target, method, population)


def _sentences(line: Line) -> list[str]:
    point = line.operating_point
    threshold = f" (threshold {probability_text(point.threshold)})" if point else ""
    decision = "indeterminate" if line.abstains else line.decision
    sentences = [f"{line.target.capitalize()}: {decision}, probability {probability_text(line.probability or 0.0)}{threshold}."]
    if line.abstains:
        sentences.append("The model abstains: it states neither presence nor absence.")
    if line.outside_domain:
        sentences.append(f"Outside of the domain of the model: {line.outside_domain}.")
    sentences += [f"Caution: {caution}." for caution in line.cautions]
    sentences += [f"Opacity {k}: {place(one)}, rating {probability_text(one.rating)}." for k, one in enumerate(line.findings, 1)]
    return [*sentences, f"Read by the model {line.model.name} of Pneumoscope {__version__}.", UNCONFIRMED, DISCLAIMER]


def place(finding: FindingLine) -> str:
    """Say in words where a finding lies.

    Parameters
    ----------
    finding : FindingLine
        The finding.

    Returns
    -------
    str
        Such as ``right mid zone``.
    """
    words = " ".join(filter(None, (finding.laterality, f"{finding.zone} zone" if finding.zone else "")))
    return words or "no lung found there"
