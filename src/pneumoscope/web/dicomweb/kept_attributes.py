"""Copy from a DICOM image what is needed to display it, and nothing else.

An attribute is copied if it is listed here and its value is a number, a defined term or a known code, so that neither a private
element nor a text in the wrong place can carry a name or an identifier along. The profiles of PS3.15 E.1 remove what is listed
instead; this list is shorter than what they leave.
"""

from collections.abc import Mapping

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from pneumoscope.radiograph.header import identifier_of, numbers_of, texts_of, value_of
from pneumoscope.radiograph.terms import TERMS

_NUMBERS = (
    "SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "EstimatedRadiographicMagnificationFactor", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope",
    "PixelIntensityRelationshipSign", "PixelPaddingValue", "PixelPaddingRangeLimit", "LossyImageCompressionRatio",
    "DistanceSourceToDetector", "DistanceSourceToPatient",
)  # fmt: skip
_YES_NO = frozenset({"YES", "NO"})
_TERMS: Mapping[str, frozenset[str]] = {
    **{keyword: TERMS[keyword] for keyword in (
        "Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation", "PresentationIntentType",
        "PresentationLUTShape", "VOILUTFunction", "FieldOfViewHorizontalFlip",
    )},
    "ImageType": frozenset({"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY"}),
    "PatientOrientation": frozenset("ALPRHF") | {a + b for a in "ALPRHF" for b in "ALPRHF"},
    "ImageLaterality": frozenset("RLUB"), "Laterality": frozenset("RL"),
    "ConversionType": frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"}),
    "PixelSpacingCalibrationType": frozenset({"GEOMETRY", "FIDUCIAL"}),
    "PixelIntensityRelationship": frozenset({"LIN", "LOG", "OTHER", "DISP"}),
    "RescaleType": frozenset({"US", "OD", "HU", "UNSPECIFIED"}),
    "LossyImageCompression": frozenset({"00", "01"}),
    "LossyImageCompressionMethod": frozenset({"ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_18181_1"}),
    "BurnedInAnnotation": _YES_NO, "RecognizableVisualFeatures": _YES_NO,
    "DetectorType": frozenset({"DIRECT", "SCINTILLATOR", "STORAGE", "FILM"}),
}  # fmt: skip
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_CODES = ("ViewCodeSequence", "AnatomicRegionSequence")
_KNOWN_CODES = tuple(
    code for context in (codes.cid4010, codes.cid4009) for name in dir(context) for code in [getattr(context, name)]
)


def kept(dataset: Dataset) -> Dataset:
    """Copy what is needed to display an image, without its pixel data and UIDs.

    Parameters
    ----------
    dataset : Dataset
        DICOM image.

    Returns
    -------
    Dataset
        A new data set.

    Raises
    ------
    UnreadableFileError
        If an attribute that is copied cannot be converted.
    """
    copy = Dataset()
    for keyword in _NUMBERS:
        numbers = numbers_of(dataset, keyword)
        if numbers:
            whole = dictionary_VR(keyword) not in ("DS", "FD", "FL")
            values = [int(number) if whole else number for number in numbers]
            _set_numbers(copy, keyword, values)
    for keyword, terms in _TERMS.items():
        stated = [text.upper() for text in texts_of(dataset, keyword)]
        known = [text for text in stated if text in terms]
        if known and (keyword == "ImageType" or len(known) == len(stated)):
            setattr(copy, keyword, known[0] if len(known) == 1 else known)
    for keyword in _TABLES:
        items = [_table(item) for item in value_of(dataset, keyword) or ()]
        if items:
            setattr(copy, keyword, items)
    for keyword in _CODES:
        items = [_coded(code) for item in value_of(dataset, keyword) or () for code in _known(item)]
        if items:
            setattr(copy, keyword, items)
    return copy


def _set_numbers(copy: Dataset, keyword: str, values: list[float]) -> None:
    texts = dictionary_VR(keyword) in ("DS", "IS")
    written = [f"{value:.10g}" if texts else value for value in values]
    if dictionary_VR(keyword) == "US or SS":
        signed = copy.get("PixelRepresentation") == 1
        copy.add_new(keyword, "SS" if signed else "US", written if len(written) > 1 else written[0])
    else:
        setattr(copy, keyword, written if len(written) > 1 else written[0])


def _table(item: Dataset) -> Dataset:
    """One item of a Modality or VOI LUT Sequence: the table, and what it is for where that is a defined term."""
    table = Dataset()
    descriptor, data = item["LUTDescriptor"], item["LUTData"]
    entries = int(descriptor.value[0]) or 2**16
    most = entries * 2 if isinstance(data.value, bytes) else entries  # nothing hides behind the entries
    table.add_new("LUTDescriptor", descriptor.VR, [int(number) for number in descriptor.value][:3])
    table.add_new("LUTData", data.VR, data.value[:most] if entries > 1 else data.value)
    if "ModalityLUTType" in item:
        stated = texts_of(item, "ModalityLUTType")[:1]
        table.ModalityLUTType = stated[0] if stated and stated[0] in _TERMS["RescaleType"] else "US"
    return table


def _known(item: Dataset) -> list[Code]:
    code = Code(identifier_of(item, "CodeValue"), identifier_of(item, "CodingSchemeDesignator"), "")
    return [known for known in _KNOWN_CODES if known == code][:1]


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item
