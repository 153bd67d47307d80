"""Write the findings of a reading as a Grayscale Softcopy Presentation State (PS3.3 A.33.1), drawn over the source image."""

from dataclasses import dataclass

import numpy as np
from highdicom import PresentationLUTTransformation, pr
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from pneumoscope import DISCLAIMER
from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.encoding import common_arguments, finished, parsed, set_body_part
from pneumoscope.dicom_objects.errors import DicomObjectError
from pneumoscope.dicom_objects.result import Result
from pneumoscope.dicom_objects.silenced_libraries import silenced_libraries
from pneumoscope.radiograph import Region
from pneumoscope.readings import Finding
from pneumoscope.reports.overlay import caption_of

LAYER = "PNEUMOSCOPE"
_STRIP = (0.0, 0.93, 1.0, 1.0)
"""Left, top, right and bottom of the text about the whole image, as shares of the displayed area."""
_MOST_TEXT = 1024
_GREY_SCALE = frozenset(
    {
        "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType", "VOILUTSequence", "WindowCenter", "WindowWidth",
        "VOILUTFunction",
    }
)  # fmt: skip


@dataclass(frozen=True)
class PresentedFinding:
    """A finding as it is drawn.

    Parameters
    ----------
    box : Region
        The rectangle, in pixels of the source image.
    text : str
        The text next to it.
    """

    box: Region
    text: str


@dataclass(frozen=True)
class Presentation:
    """What a presentation state draws.

    Parameters
    ----------
    text : str
        The text about the whole image.
    findings : tuple of PresentedFinding
        The findings, highest rating first.
    source_uid : str
        SOP Instance UID of the image.
    """

    text: str
    findings: tuple[PresentedFinding, ...]
    source_uid: str


def write(result: Result) -> DicomObject:
    """Write the presentation state of a reading.

    Parameters
    ----------
    result : Result
        The reading.

    Returns
    -------
    DicomObject
        A presentation state that shows the image with the grey scale of its header, the findings, and a line of text.
    """
    layer = pr.GraphicLayer(LAYER, order=1, description="Findings of a model")
    image = _without_grey_scale(result.source.dataset)
    graphics = [_graphic(result, number, one) for number, one in enumerate(result.reading.findings, 1)]
    texts = [_label(number, one) for number, one in enumerate(result.reading.findings, 1)]
    annotation = pr.GraphicAnnotation(
        referenced_images=[image], graphic_layer=layer, graphic_objects=graphics or None, text_objects=[_whole(result), *texts]
    )
    made = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[image],
        content_label=LAYER,
        content_description=f"Findings. {DISCLAIMER}",
        graphic_annotations=[annotation],
        graphic_layers=[layer],
        presentation_lut_transformation=PresentationLUTTransformation(presentation_lut_shape=_shape(result)),
        **common_arguments(result, "gsps", f"Pneumoscope findings. {DISCLAIMER}"),
    )
    _set_grey_scale(made, result.source.dataset)
    set_body_part(made, result)
    return finished(made, result, "gsps")


def read(content: bytes) -> Presentation:
    """Read a presentation state back.

    Parameters
    ----------
    content : bytes
        A presentation state that `write` made.

    Returns
    -------
    Presentation
        What it draws.

    Raises
    ------
    DicomObjectError
        The object is no such presentation state.
    """
    with silenced_libraries("read"):
        dataset = parsed(content)
        if dataset.get("SOPClassUID") != GrayscaleSoftcopyPresentationStateStorage or dataset.get("ContentLabel") != LAYER:
            raise DicomObjectError("the DICOM object is no presentation state of Pneumoscope's; give its GSPS")
        (annotation,) = dataset.GraphicAnnotationSequence
        text, *labels = (str(item.UnformattedTextValue) for item in annotation.TextObjectSequence)
        boxes = [_box(list(item.GraphicData)) for item in annotation.get("GraphicObjectSequence", ())]
        findings = tuple(PresentedFinding(box, label) for box, label in zip(boxes, labels, strict=True))
        source = dataset.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
        return Presentation(text, findings, str(source.ReferencedSOPInstanceUID))


def label_of(number: int, finding: Finding) -> str:
    """Say a finding in a few words.

    Parameters
    ----------
    number : int
        Its number, from 1.
    finding : Finding
        The finding.

    Returns
    -------
    str
        Number, rating and place.
    """
    return " ".join(part for part in (f"{number}: {finding.rating:.2f}", finding.laterality, finding.zone) if part)


def text_of(result: Result) -> str:
    """Say what the text about the whole image says.

    Parameters
    ----------
    result : Result
        The reading.

    Returns
    -------
    str
        The answer and the warning, at most 1024 characters.
    """
    return f"{DISCLAIMER} {caption_of(result.reading)[0]}"[:_MOST_TEXT]


def _graphic(result: Result, number: int, finding: Finding) -> pr.GraphicObject:
    """The rectangle as a closed polyline; (0, 0) is the corner of the first pixel (PS3.3 C.10.5.1.2)."""
    box = finding.box
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom), (box.left, box.top)]
    return pr.GraphicObject(
        graphic_type=pr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array(corners, float),
        units=pr.AnnotationUnitsValues.PIXEL,
        tracking_id=f"Opacity {number}",
        tracking_uid=result.uid("sr", f"finding {number}"),
    )


def _label(number: int, finding: Finding) -> pr.TextObject:
    return pr.TextObject(
        text_value=label_of(number, finding),
        units=pr.AnnotationUnitsValues.PIXEL,
        anchor_point=(finding.box.left, finding.box.top),
        anchor_point_visible=False,
    )


def _whole(result: Result) -> pr.TextObject:
    return pr.TextObject(text_value=text_of(result), units=pr.AnnotationUnitsValues.DISPLAY, bounding_box=_STRIP)


def _without_grey_scale(image: Dataset) -> Dataset:
    """The header without grey scale, since highdicom refuses headers whose attributes contradict one another."""
    return Dataset({element.tag: element for element in image if element.keyword not in _GREY_SCALE})


def _set_grey_scale(dataset: Dataset, image: Dataset) -> None:
    """Show the image as its reader sees it: by Modality LUT or rescale, then VOI LUT or window (PS3.3 C.11.1, C.11.2)."""
    if "ModalityLUTSequence" in image:
        dataset.ModalityLUTSequence = image.ModalityLUTSequence
    elif "RescaleSlope" in image and "RescaleIntercept" in image:
        dataset.RescaleSlope, dataset.RescaleIntercept = image.RescaleSlope, image.RescaleIntercept
        dataset.RescaleType = image.get("RescaleType", "US")
    item = Dataset()
    if "VOILUTSequence" in image:
        item.VOILUTSequence = [image.VOILUTSequence[0]]
    elif "WindowCenter" in image and "WindowWidth" in image:
        item.WindowCenter, item.WindowWidth = (_first(image[keyword].value) for keyword in ("WindowCenter", "WindowWidth"))
        if "VOILUTFunction" in image:
            item.VOILUTFunction = image.VOILUTFunction
    if len(item):
        dataset.SoftcopyVOILUTSequence = [item]


def _first(value: object) -> object:
    return value[0] if isinstance(value, MultiValue) else value


def _shape(result: Result) -> str:
    """The polarity: a presentation state replaces that of the image (PS3.3 C.11.6), so that MONOCHROME1 needs INVERSE."""
    return "INVERSE" if result.source.dataset.get("PhotometricInterpretation") == "MONOCHROME1" else "IDENTITY"


def _box(graphic: list[float]) -> Region:
    cols, rows = graphic[0::2], graphic[1::2]
    return Region(float(min(rows)), float(min(cols)), float(max(rows)), float(max(cols)))
