"""Encode the content items of a Structured Report (PS3.3 C.17.3), of the value types that a measurement report needs."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from pydicom.sr.coding import Code
from pydicom.valuerep import DS

from pneumoscope.dicom_objects.data_elements import Element, element, item, sequence

Relationship = Literal["CONTAINS", "HAS CONCEPT MOD", "HAS OBS CONTEXT", "SELECTED FROM"]
"""Relationship Type (0040,A010) of an item to the item around it."""
_MOST_SH, _MOST_LO = 16, 64


def code_item(relationship: Relationship, name: Code, value: Code, *children: bytes) -> bytes:
    """Encode a CODE item.

    Parameters
    ----------
    relationship : Relationship
        Its relationship to the item around it.
    name, value : Code
        What is said, and the answer.
    *children : bytes
        Items within it.

    Returns
    -------
    bytes
        The item.
    """
    return _content_item(relationship, "CODE", name, _concept("ConceptCodeSequence", value), *_within(children))


def text_item(relationship: Relationship, name: Code, text: str) -> bytes:
    """Encode a TEXT item.

    Parameters
    ----------
    relationship : Relationship
        Its relationship to the item around it.
    name : Code
        What is said.
    text : str
        The answer.

    Returns
    -------
    bytes
        The item.
    """
    return _content_item(relationship, "TEXT", name, element("TextValue", text))


def uid_item(relationship: Relationship, name: Code, uid: str) -> bytes:
    """Encode a UIDREF item.

    Parameters
    ----------
    relationship : Relationship
        Its relationship to the item around it.
    name : Code
        What the UID is of.
    uid : str
        The UID.

    Returns
    -------
    bytes
        The item.
    """
    return _content_item(relationship, "UIDREF", name, element("UID", uid))


def number_item(name: Code, value: float, unit: Code) -> bytes:
    """Encode a NUM item, contained in a group.

    Parameters
    ----------
    name : Code
        What was measured.
    value : float
        The finite number; one that is no int is also given in full precision.
    unit : Code
        Its unit, of UCUM.

    Returns
    -------
    bytes
        The item.

    Raises
    ------
    ValueError
        The number is not finite.
    """
    measured = [element("NumericValue", str(DS(value, auto_format=True))), _concept("MeasurementUnitsCodeSequence", unit)]
    if isinstance(value, float):
        measured.append(element("FloatingPointValue", [value]))
    return _content_item("CONTAINS", "NUM", name, sequence("MeasuredValueSequence", item(*measured)))


def image_item(name: Code, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Encode an IMAGE item that a region was selected from.

    Parameters
    ----------
    name : Code
        What the image is.
    sop_class_uid, sop_instance_uid : str
        The image.

    Returns
    -------
    bytes
        The item.
    """
    reference = item(element("ReferencedSOPClassUID", sop_class_uid), element("ReferencedSOPInstanceUID", sop_instance_uid))
    return _content_item("SELECTED FROM", "IMAGE", name, sequence("ReferencedSOPSequence", reference))


def polyline_item(name: Code, points: Sequence[tuple[float, float]], image: bytes) -> bytes:
    """Encode a SCOORD item, contained in a group.

    Parameters
    ----------
    name : Code
        What the polyline is.
    points : sequence of (float, float)
        Column and row of its points (PS3.3 C.18.6.1.1).
    image : bytes
        The IMAGE item that it lies on.

    Returns
    -------
    bytes
        The item.
    """
    coordinates = element("GraphicData", [coordinate for point in points for coordinate in point])
    return _content_item("CONTAINS", "SCOORD", name, coordinates, element("GraphicType", "POLYLINE"), *_within([image]))


def container_item(name: Code, children: Sequence[bytes], template: str | None = None) -> bytes:
    """Encode a CONTAINER item, contained in another.

    Parameters
    ----------
    name : Code
        What it contains.
    children : sequence of bytes
        Items within it.
    template : str, optional
        Identifier of the template that it follows.

    Returns
    -------
    bytes
        The item.
    """
    continuity = element("ContinuityOfContent", "CONTINUOUS")
    form = [template_sequence(template)] if template else []
    return _content_item("CONTAINS", "CONTAINER", name, continuity, *form, *_within(children))


def template_sequence(identifier: str) -> Element:
    """Encode a Content Template Sequence (PS3.3 C.18.8.1.2).

    Parameters
    ----------
    identifier : str
        Identifier of a template of PS3.16.

    Returns
    -------
    Element
        The sequence.
    """
    return sequence(
        "ContentTemplateSequence", item(element("MappingResource", "DCMR"), element("TemplateIdentifier", identifier))
    )


def _within(children: Sequence[bytes]) -> list[Element]:
    return [sequence("ContentSequence", *children)] if children else []


def _content_item(relationship: Relationship, value_type: str, name: Code, *elements: Element) -> bytes:
    kind = element("RelationshipType", relationship), element("ValueType", value_type)
    return item(*kind, _concept("ConceptNameCodeSequence", name), *elements)


def _concept(keyword: str, code: Code) -> Element:
    return _encoded_concept(keyword, *code)  # its parts, since codes with different meanings are equal


@lru_cache(1024)
def _encoded_concept(keyword: str, value: str, scheme: str, meaning: str, version: str | None) -> Element:
    """A sequence with one code (PS3.3 8.8)."""
    if len(meaning) > _MOST_LO:
        raise ValueError(f"a code meaning has {len(meaning)} characters, more than {_MOST_LO}")
    elements = [
        element("CodeValue" if len(value) <= _MOST_SH else "LongCodeValue", value),
        element("CodingSchemeDesignator", scheme),
        element("CodeMeaning", meaning),
    ]
    if version:
        elements.append(element("CodingSchemeVersion", version))
    return sequence(keyword, item(*elements))
