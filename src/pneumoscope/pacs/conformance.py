"""The DICOM conformance statement of the node (PS3.2), made from the tables by which the program acts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.dicom_objects import KINDS, Kind, Profile, concepts
from pneumoscope.pacs.notifications import codes, hl7
from pneumoscope.pacs.receive.contexts import STORED_CLASSES, TRANSFER_SYNTAXES
from pneumoscope.pacs.send.acknowledgement import ACCEPTED, CONDITIONS, REJECTED
from pneumoscope.pacs.send.commitment import PUSH_MODEL
from pneumoscope.pacs.send.outcome import DOUBT_HTTP, LATER_HTTP, STATUSES, Fate
from pneumoscope.pacs.settings import Limits, Sending

Answer = Literal["met", "not met", "not known"]
_FATES = {
    Fate.SENT: "sent",
    Fate.LATER: "sent again later",
    Fate.DOUBT: "asked for, then sent again",
    Fate.NEVER: "dead letter",
}


@dataclass(frozen=True)
class Point:
    """A requirement of an integration profile.

    Parameters
    ----------
    requirement : str
        What it asks for.
    answer : {"met", "not met", "not known"}
        Whether the node does it.
    how : str
        By what, or why not.
    """

    requirement: str
    answer: Answer
    how: str


AIR: tuple[Point, ...] = (
    Point("Evidence Creator stores results by C-STORE (RAD-18, RAD-43)", "met", "destinations with protocol dimse"),
    Point("Evidence Creator stores results by DICOMweb (RAD-108), an option", "met", "destinations with protocol stow"),
    Point("Storage commitment (RAD-10)", "met", "commitment = true; requests are repeated until a report comes"),
    Point("A root of the results: Structured Report by TID 1500", "met", "kind sr, Comprehensive 3D SR in the profile air"),
    Point("Qualitative findings", "met", "decision, abstention, domain and state of the lung fields as coded evaluations"),
    Point("Measurements with units in UCUM", "met", "probability, log-odds, threshold, distance and certainty"),
    Point("Locations: a finding refers to a region on the image", "met", "SCOORD polyline in every measurement group"),
    Point("Regions as Segmentation", "met", "kind seg, BINARY, on the grid of the source"),
    Point("Parametric maps", "met", "kind pm; only for a source that states a pixel spacing"),
    Point("Tracking identifier and tracking UID for each finding", "met", "derived from source, model and number of the finding"),
    Point("Identification of the algorithm (TID 4019)", "met", "name, version and identity of the bundle, in each group"),
    Point("Results lie in the study of the image that was read", "met", "Study Instance UID and patient are those of the source"),
    Point("Time Client of Consistent Time, which AIR groups with", "not known", "the clock is that of the machine"),
    Point("Segmentation and Parametric Map of a projection radiograph have a frame of reference", "not met",
          "the source has none: a nominal frame is stated, which holds for display only"),
    Point("The report names Segmentation and Parametric Map as evidence of its findings", "not known",
          "the groups refer to the source image; whether the profile asks for more is not decided here"),
    Point("Image Manager, Image Display and Imaging Document Consumer", "not met", "other actors: a PACS and a viewer"),
    Point("Tested at a Connectathon", "not met", "never; PixelMed's SR validator, which is used there, runs in the tests"),
)  # fmt: skip
"""IHE Radiology profile AI Results (AIR), trial implementation, point by point."""


_CLASSES: Mapping[Kind, str] = {
    "seg": SegmentationStorage,
    "pm": ParametricMapStorage,
    "sc": SecondaryCaptureImageStorage,
    "gsps": GrayscaleSoftcopyPresentationStateStorage,
}


def class_of(profile: Profile, kind: Kind) -> str:
    """Name the SOP class of a result.

    Parameters
    ----------
    profile : Profile
        The profile of the destination.
    kind : {"sr", "seg", "pm", "sc", "gsps"}
        The kind of object.

    Returns
    -------
    str
        SOP Class UID.
    """
    return profile.sr_class_uid if kind == "sr" else str(_CLASSES[kind])


def page() -> str:
    """Write the conformance statement.

    Returns
    -------
    str
        Markdown.
    """
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# DICOM conformance"
    yield ""
    yield f"{DISCLAIMER} The statement of the node of Pneumoscope {__version__}, made by `pneumoscope node conformance`."
    yield from _received()
    yield from _sent()
    yield from _asked()
    yield from _notified()
    yield from _security()
    yield from _air()


def _received() -> Iterator[str]:
    yield from _section("Storage SCP and STOW-RS: what is received")
    yield from _paragraph("An instance is acknowledged when its file and its row in the ledger are safe on the disk.")
    yield from _table(("SOP class", "UID"), [(UID(one).name, one) for one in STORED_CLASSES])
    yield from _table(("transfer syntax", "UID"), [(UID(one).name, one) for one in TRANSFER_SYNTAXES])
    yield from _paragraph("Verification SCP (C-ECHO) as well. A status 0xA700 says that the spool is full.")


def _sent() -> Iterator[str]:
    yield from _section("Storage SCU and STOW-RS: what is sent")
    yield from _paragraph(f"Results are sent in {ExplicitVRLittleEndian.name}, as the very bytes that were written once.")
    classes = [(profile.value, kind, class_of(profile, kind)) for profile in Profile for kind in KINDS]
    rows = [(profile, kind, UID(one).name, one) for profile, kind, one in classes]
    yield from _table(("profile", "kind", "SOP class", "UID"), rows)
    yield from _paragraph(
        "Segmentations and Parametric Maps carry a nominal frame of reference, because a projection radiograph has no plane in",
        "the patient: position, orientation and slice thickness are conventions for display and must not be measured with.",
    )
    yield from _section("What an answer means")
    statuses = [(_codes(one.low, one.high), one.meaning, _FATES[one.fate]) for one in STATUSES]
    yield from _table(("status of C-STORE, failure reason of STOW-RS", "meaning", "what becomes of the result"), statuses)
    settings = Sending()
    yield from _paragraph(
        f"HTTP statuses {_numbers(LATER_HTTP)} without a reason for the instance: sent again later; {_numbers(DOUBT_HTTP)}: the",
        "destination is asked first whether it holds the result; all others above 299: dead letter. A status that this table",
        f"does not name is tried again later. Waits begin at {settings.first_wait_seconds:g} s, double with jitter up to "
        f"{settings.longest_wait_seconds:g} s, and end after {settings.give_up_hours:g} hours (`[send]` of the configuration).",
    )


def _asked() -> Iterator[str]:
    yield from _section("Query and storage commitment SCU")
    yield from _paragraph(
        "Where a connection broke before the answer, the destination is asked by C-FIND (Study Root, level IMAGE) or QIDO-RS",
        "whether it holds the result, before it is sent again. A destination that cannot be asked gets the same bytes again.",
        f"Storage Commitment Push Model ({PUSH_MODEL}) as SCU; the report is taken on either association. A result that the",
        "destination reports missing is sent again.",
    )


def _notified() -> Iterator[str]:
    code = codes.CHEST_EXAMINATION
    yield from _section("Notifications: FHIR R5 and HL7 v2")
    yield from _paragraph(
        "FHIR R5 (5.0.0), client: a transaction by `POST` to the base URL, JSON. Each entry is a conditional create by an",
        f"identifier in `{codes.OID_SYSTEM}`: Device, ImagingSelection (source image, region of each finding as `polyline`,",
        f"stored objects), Observation, DiagnosticReport (`preliminary`; LOINC {code.value}, {code.meaning}). No patient is",
        "created: subject and order are references by identifier. HTTP statuses mean what they mean above; after 409 the server",
        "is asked first as well. A status 200 counts only with a transaction response in which every entry succeeded.",
    )
    stands = concepts.INDETERMINATE
    yield from _paragraph(
        f"The value of the decision is *Present*, *Absent* or, where the model abstains, *{stands.meaning}*",
        f"(SNOMED CT {stands.value}), in FHIR, in HL7 v2 and in the Structured Report alike.",
    )
    yield from _paragraph(
        f"HL7 v{hl7.VERSION}, sender of ORU^R01^ORU_R01 by MLLP, a connection for each message, in original acknowledgement",
        f"mode, {hl7.CHARACTER_SET}: MSH, PID where the source states a Patient ID, OBR, OBX.",
        f"OBX-11 is {hl7.PRELIMINARY}; {hl7.CORRECTED} and {hl7.DELETED} where a",
        f"later model corrects an earlier one; {hl7.DETAIL} for UIDs. MSH-10 follows from the reading, so that a repetition has",
        f"the same one. {' and '.join(sorted(ACCEPTED))}: sent. {' and '.join(sorted(REJECTED))}: dead letter, unless the",
        "condition is 206 or 207. Other errors by the condition (ERR-3; before version 2.5 ERR-1 or MSA-6); without one, the",
        "message is sent again later.",
    )
    rows = [(number, one.meaning, _FATES[one.fate]) for number, one in CONDITIONS.items()]
    yield from _table(("error condition (table 0357)", "meaning", "what becomes of the message"), rows)


def _security() -> Iterator[str]:
    limits = Limits()
    yield from _section("Security")
    yield from _paragraph(
        "TLS 1.2 or newer with client certificates (PS3.15 B.12) in both directions where `tls` is configured. Calling AE",
        "titles are compared with a list, and the addresses that they connect from. Without configuration the node listens on",
        f"this machine alone. A PDU has at most {limits.pdu_bytes:,} bytes and arrives within {limits.pdu_seconds:g} s; there",
        f"are at most {limits.associations} associations, {limits.associations_per_address} from one address. Identifiers of",
        "patients and images are in no log, list or error; a pseudonym by the site's salt stands for them.",
    )


def _air() -> Iterator[str]:
    yield from _section("IHE Radiology: AI Results (AIR)")
    yield from _table(("requirement", "", "how, or why not"), [(one.requirement, one.answer, one.how) for one in AIR])


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}")


def _paragraph(*lines: str) -> Iterator[str]:
    yield from ("", *lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _codes(low: int, high: int) -> str:
    return f"0x{low:04X}" if low == high else f"0x{low:04X}–0x{high:04X}"


def _numbers(numbers: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
