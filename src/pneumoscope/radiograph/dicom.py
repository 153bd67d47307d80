"""Decode a DICOM CR, DX or RG instance into a `Film`."""

import io
from dataclasses import replace

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from pneumoscope.radiograph.declared_sizes import check_elements
from pneumoscope.radiograph.errors import NotARadiographError, RadiographError, UnreadableFileError
from pneumoscope.radiograph.film import Film
from pneumoscope.radiograph.grey_range import Source
from pneumoscope.radiograph.grey_scale import display, states_display
from pneumoscope.radiograph.header import (
    age_of,
    identifier_of,
    integer_of,
    number_of,
    numbers_of,
    sex_of,
    term_of,
    texts_of,
    value_of,
)
from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.orientation import UNKNOWN, Orientation
from pneumoscope.radiograph.radiograph import Identity, Intent, Radiograph, Spacing, SpacingKind
from pneumoscope.radiograph.reduced_frames import reduced_values
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.radiograph.stored_values import check_size, stored_values
from pneumoscope.radiograph.terms import FRONTAL_VIEWS, NOT_A_TERM, PROJECTION_MODALITIES, is_chest, named_view

_UNSTATED = frozenset({"", NOT_A_TERM, "OT"})
"""Modalities that say nothing of the kind of image; whether it is taken is for the acceptance policy."""
_VIEWS = {
    "PA": ("272479007", "R-40888"),
    "AP": ("399348003", "R-10206"),
    "LL": ("399173006", "R-10236"),
    "RL": ("399198007", "R-10232"),
    "LATERAL": ("399067008", "R-102CD"),
    "LAO": ("399135007", "R-10220"),
    "RAO": ("399356000", "R-40985"),
    "LPO": ("399006002", "R-10212"),
    "RPO": ("399038007", "R-10210"),
}
"""Codes of CID 4010 by SNOMED CT and by the earlier SNOMED-RT (PS3.16 annex O); pydicom's own tables take long to import."""
_VIEW_BY_CODE = {key: view for view, (ct, rt) in _VIEWS.items() for key in ((ct, "SCT"), (rt, "SRT"))}
_LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})
_LOSSY_UNLESS_STATED = frozenset({JPEG2000, HTJ2K})


def decode(content: bytes, seen_px: int = 0) -> Film:
    """Decode one DICOM instance.

    Parameters
    ----------
    content : bytes
        The whole file, with or without its preamble and File Meta Information.
    seen_px : int
        Edge of the square on which a model sees the whole radiograph, if the pixel data may be decoded at a reduced scale; 0 to
        decode in full.

    Returns
    -------
    Film
        The radiograph on the stored grid with what the header states, and the tables of its grey levels.

    Raises
    ------
    RadiographError
        Of a named class, with one sentence that quotes nothing but defined terms and numbers.
    """
    with silenced_decoders():
        try:
            return _decode(content, seen_px)
        except RadiographError:
            raise
        except Exception as error:  # what pydicom or numpy raises for a combination of values that no check foresees
            raise UnreadableFileError(
                "the DICOM image could not be read: its header holds values that do not fit each other; export it again"
            ) from error


def _decode(content: bytes, seen_px: int) -> Film:
    dataset = parse(content)
    reduced = reduced_values(dataset, seen_px) if seen_px and states_display(dataset) else None
    stored, reduction = reduced or (stored_values(dataset), None)
    del dataset.PixelData  # decoded; an image at the limit of size has 80 MB of it
    displayed = display(dataset, stored)
    spacing = _spacing(dataset)
    return Film(
        _radiograph(dataset, replace(displayed.pixels, reduction=reduction), displayed.source, spacing),
        levels=displayed.levels,
        shown=displayed.shown,
        values=displayed.values,
        padding=displayed.padding,
        inverse=displayed.inverse,
        window=displayed.window,
        lossy=_is_lossy(dataset),
    )


def _radiograph(dataset: Dataset, pixels: LookedUp, source: Source, spacing: Spacing | None) -> Radiograph:
    orientation = _orientation(dataset)
    view = _view_position(dataset)
    age_years, age_stated = age_of(dataset)
    return Radiograph(
        pixels,
        spacing=spacing,
        stated_aspect=_aspect(dataset),
        modality=term_of(dataset, "Modality"),
        view_position=view,
        body_part=_body_part(dataset),
        identity=_identity(dataset),
        orientation=orientation or UNKNOWN,
        intent=_intent(dataset),
        horizontal_flip=term_of(dataset, "FieldOfViewHorizontalFlip") == "YES",
        file_format="DICOM",
        grey_source=source,
        contradictions=_contradictions(dataset, orientation, view),
        age_years=age_years,
        age_stated=age_stated,
        sex=sex_of(dataset),
    )


def parse(content: bytes) -> Dataset:
    """Parse one DICOM instance without decoding its pixel data.

    Parameters
    ----------
    content : bytes
        The whole file, with or without its preamble and File Meta Information.

    Returns
    -------
    Dataset
        A projection radiograph of one frame, with a transfer syntax in its File Meta Information.

    Raises
    ------
    RadiographError
        If the file is damaged, unpacks to more than any radiograph, or is no projection radiograph of bounded size.
    """
    dataset = _elements(content)
    _check_kind(dataset)
    check_size(dataset)
    return dataset


def _elements(content: bytes) -> Dataset:
    try:
        check_elements(content)
        dataset = pydicom.dcmread(io.BytesIO(content), force=content[128:132] != b"DICM")
        if "TransferSyntaxUID" not in dataset.file_meta:
            little = dataset.original_encoding[1]
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    except RadiographError:
        raise
    except Exception as error:  # pydicom raises errors of many classes, also zlib.error
        raise UnreadableFileError(
            "the DICOM elements could not be parsed: the file is truncated or damaged; send it again from its source"
        ) from error
    if "PixelData" not in dataset:
        raise UnreadableFileError("the DICOM file has no Pixel Data: it is truncated or no image; send it again from its source")
    return dataset


def _check_kind(dataset: Dataset) -> None:
    modality = term_of(dataset, "Modality")
    if modality not in PROJECTION_MODALITIES | _UNSTATED:
        raise NotARadiographError(
            f"the DICOM Modality is {modality}, not one of {', '.join(sorted(PROJECTION_MODALITIES))}; "
            "give a projection radiograph"
        )
    frames, samples = (integer_of(dataset, keyword, 1) for keyword in ("NumberOfFrames", "SamplesPerPixel"))
    if frames not in (0, 1):
        raise NotARadiographError(f"the DICOM object has {frames} frames; give a single-frame radiograph")
    photometric = term_of(dataset, "PhotometricInterpretation")
    if samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise NotARadiographError(
            f"the DICOM image is {photometric or 'of no stated Photometric Interpretation'} with {samples} sample(s) "
            "a pixel; give a MONOCHROME1 or MONOCHROME2 radiograph"
        )


def _identity(dataset: Dataset) -> Identity:
    return Identity(
        patient_id=identifier_of(dataset, "PatientID"),
        study_instance_uid=identifier_of(dataset, "StudyInstanceUID"),
        series_instance_uid=identifier_of(dataset, "SeriesInstanceUID"),
        sop_class_uid=identifier_of(dataset, "SOPClassUID"),
        sop_instance_uid=identifier_of(dataset, "SOPInstanceUID"),
    )


def _body_part(dataset: Dataset) -> str:
    """The defined term; CHEST for every spelling of the chest."""
    part = term_of(dataset, "BodyPartExamined")
    return "CHEST" if part == NOT_A_TERM and is_chest(" ".join(texts_of(dataset, "BodyPartExamined"))) else part


def _view_position(dataset: Dataset) -> str:
    """View Position, or where it says nothing the View Code Sequence that DX images carry (CID 4010)."""
    view = term_of(dataset, "ViewPosition")
    if view and view != NOT_A_TERM:
        return view
    spelled = named_view(" ".join(texts_of(dataset, "ViewPosition")))
    if spelled:
        return spelled
    for item in value_of(dataset, "ViewCodeSequence") or ():
        code = identifier_of(item, "CodeValue"), identifier_of(item, "CodingSchemeDesignator")
        if code in _VIEW_BY_CODE:
            return _VIEW_BY_CODE[code]
    return view


def _orientation(dataset: Dataset) -> Orientation | None:
    """None where Patient Orientation is given but is no orientation."""
    return Orientation.parse(tuple(text.upper() for text in texts_of(dataset, "PatientOrientation")))


def _intent(dataset: Dataset) -> Intent:
    stated = term_of(dataset, "PresentationIntentType")
    if stated == "FOR PROCESSING" or identifier_of(dataset, "SOPClassUID") == DigitalXRayImageStorageForProcessing:
        return "FOR PROCESSING"
    return "FOR PRESENTATION" if stated == "FOR PRESENTATION" else ""


def _contradictions(dataset: Dataset, orientation: Orientation | None, view: str) -> tuple[str, ...]:
    """What the header says that cannot all be true, or leaves the patient's sides in doubt."""
    sentences = []
    if orientation is None:
        sentences.append("Patient Orientation does not name two directions in the patient")
    elif orientation.plane == "other" or (orientation.plane == "sagittal" and view in FRONTAL_VIEWS):
        sentences.append(
            f"Patient Orientation is {orientation.row_direction}\\{orientation.column_direction}, "
            f"which is not that of a {'frontal' if view in FRONTAL_VIEWS else 'chest'} view"
        )
    elif orientation.plane == "unknown" and term_of(dataset, "FieldOfViewHorizontalFlip") == "YES":
        sentences.append("Field of View Horizontal Flip is YES and Patient Orientation is not stated")
    photometric, shape = (term_of(dataset, keyword) for keyword in ("PhotometricInterpretation", "PresentationLUTShape"))
    if (photometric, shape) in (("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")):
        sentences.append(f"Photometric Interpretation is {photometric} and Presentation LUT Shape is {shape}")
    return tuple(sentences)


def _spacing(dataset: Dataset) -> Spacing | None:
    """Pixel Spacing, Imager Pixel Spacing and Nominal Scanned Pixel Spacing, PS3.3 10.7.1.

    Pixel Spacing that equals one of the others is not corrected for magnification. Imager Pixel Spacing alone is divided by
    the Estimated Radiographic Magnification Factor where there is one.
    """
    pixel, imager, scanned = (_pair(dataset, f"{name}PixelSpacing") for name in ("", "Imager", "NominalScanned"))
    if pixel is not None:
        if pixel in (imager, scanned):
            return Spacing(*pixel, "detector")
        return Spacing(*pixel, _kind(dataset, compared=imager is not None or scanned is not None))
    at_detector = imager or scanned
    if at_detector is None:
        return None
    factor = number_of(dataset, "EstimatedRadiographicMagnificationFactor")
    if factor is not None and factor >= 1:
        return Spacing(at_detector[0] / factor, at_detector[1] / factor, "patient")
    return Spacing(*at_detector, "detector")


def _kind(dataset: Dataset, compared: bool) -> SpacingKind:
    """Kind of a Pixel Spacing that differs from the spacing at the detector, or has none to be compared with."""
    calibration = term_of(dataset, "PixelSpacingCalibrationType")
    if calibration == "FIDUCIAL":
        return "calibrated"
    return "patient" if compared or calibration == "GEOMETRY" else "unstated"


def _aspect(dataset: Dataset) -> float:
    """Height of a pixel over its width by Pixel Aspect Ratio (PS3.3 C.7.6.3.1.7: vertical, horizontal)."""
    ratio = _pair(dataset, "PixelAspectRatio")
    return 1.0 if ratio is None else ratio[0] / ratio[1]


def _is_lossy(dataset: Dataset) -> bool:
    """By Lossy Image Compression (PS3.3 C.7.6.1.1.5) or by the transfer syntax; some syntaxes allow both and count as lossy."""
    stated, syntax = term_of(dataset, "LossyImageCompression"), dataset.file_meta.TransferSyntaxUID
    return stated == "01" or syntax in _LOSSY or (syntax in _LOSSY_UNLESS_STATED and stated != "00")


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    given = numbers_of(dataset, keyword)
    return (given[0], given[1]) if len(given) == 2 and min(given) > 0 else None
