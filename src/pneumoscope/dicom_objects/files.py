"""Write the objects of a reading as the files of a folder, with a list of what lies there and what was left out."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pneumoscope import strict_json
from pneumoscope.dicom_objects.deidentification import deidentified
from pneumoscope.dicom_objects.errors import RepeatedUidError
from pneumoscope.dicom_objects.objects import omitted, write_objects
from pneumoscope.dicom_objects.profiles import KINDS, Kind, Profile
from pneumoscope.dicom_objects.result import SegmentationType
from pneumoscope.radiograph import Radiograph
from pneumoscope.readings import ModelReading

LIST_NAME = "objects.json"
SOURCE_NAME = "source.dcm"


@dataclass(frozen=True)
class WrittenFile:
    """A file of the folder.

    Parameters
    ----------
    kind : str
        Kind of object, or ``source`` for the de-identified source image.
    file : str
        Its name.
    sha256 : str
        Hash of its bytes.
    """

    kind: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Contents:
    """The list of a folder.

    Parameters
    ----------
    profile : str
        The profile of the objects.
    written : tuple of WrittenFile
        The files.
    omitted : mapping of str to str
        Kinds that were asked for and could not be written, with the reason.
    """

    profile: str
    written: tuple[WrittenFile, ...]
    omitted: Mapping[str, str]


@dataclass(frozen=True)
class ObjectFiles:
    """What is asked for, and the function that writes it for one image.

    Parameters
    ----------
    kinds : tuple of Kind
        The kinds of object.
    profile : Profile
        The system that the objects are for.
    key : str
        Secret of the de-identified UIDs; empty where objects keep the identity of their source.
    segmentation_type : {"BINARY", "LABELMAP"}
        Form of the Segmentation.
    deflated_maps : bool
        Whether Parametric Maps are rounded and deflated.
    repeated : frozenset of str
        SHA-256 of the files that share a SOP Instance UID with another one (`repeated_uids.repeated`), which get no objects.
    """

    kinds: tuple[Kind, ...]
    profile: Profile
    key: str = field(default="", repr=False)
    segmentation_type: SegmentationType = "BINARY"
    repeated: frozenset[str] = field(default=frozenset(), repr=False)
    deflated_maps: bool = False
    _created: dict[str, datetime] = field(default_factory=dict, repr=False, compare=False)

    @property
    def setting(self) -> str:
        """What decides the files besides the reading, in words and without the key."""
        named = ",".join(kind for kind in KINDS if kind in self.kinds)
        form = f" {self.segmentation_type}" if "seg" in self.kinds else ""
        form += " deflated map" if "pm" in self.kinds and self.deflated_maps else ""
        return f"{named} {self.profile}{form}{' de-identified' if self.key else ''}"

    def __call__(self, content: bytes, radiograph: Radiograph, reading: ModelReading, created: datetime) -> Mapping[str, bytes]:
        """Make the files of a reading.

        Parameters
        ----------
        content : bytes
            The DICOM file that was read.
        radiograph : Radiograph
            The decoded file.
        reading : ModelReading
            Its reading.
        created : datetime
            When it was read, with its time zone.

        Returns
        -------
        mapping of str to bytes
            Content by name; the list (`LIST_NAME`) comes last, so that a folder that has one is complete.

        Raises
        ------
        DicomObjectError
            The file is no DICOM file, its header does not allow an object, or it is one of the repeated files.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in self.repeated:
            raise RepeatedUidError(
                "another file has the same SOP Instance UID and other content, and a PACS would keep the objects of only one; "
                "read the two into different folders, and correct the UID at its source"
            )
        created = self._created.setdefault(sha256, created)  # objects of a copy have the same UIDs, so the same bytes
        source = deidentified(content, self.key) if self.key else content
        made = write_objects(
            source,
            radiograph,
            reading,
            self.kinds,
            self.profile,
            created,
            segmentation_type=self.segmentation_type,
            deflated_maps=self.deflated_maps,
        )
        files: dict[str, bytes] = {f"{one.kind}.dcm": one.content for one in made}
        if self.key:
            files[SOURCE_NAME] = source
        return files | {LIST_NAME: self._listed(files, radiograph, reading)}

    def _listed(self, files: Mapping[str, bytes], radiograph: Radiograph, reading: ModelReading) -> bytes:
        written = [
            {"kind": name.removesuffix(".dcm"), "file": name, "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        ]
        left_out = omitted(radiograph, reading, self.kinds)
        listed = {"profile": self.profile, "written": written, "omitted": left_out}
        return json.dumps(listed, indent=2).encode() + b"\n"


def contents_of(folder: Path) -> Contents | None:
    """Read the list of a folder.

    Parameters
    ----------
    folder : Path
        The folder of one image.

    Returns
    -------
    Contents or None
        None where there is no list, or a file of it is missing.
    """
    try:
        contents = strict_json.decode((folder / LIST_NAME).read_bytes(), Contents)
    except (OSError, strict_json.StrictJsonError):
        return None
    return contents if all((folder / one.file).is_file() for one in contents.written) else None
