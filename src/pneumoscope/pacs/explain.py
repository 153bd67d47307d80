"""Explain what the node would do with a file, without reading it by a model and without sending anything."""

from collections.abc import Iterator

from pneumoscope.dicom_objects import source_image
from pneumoscope.dicom_objects.errors import UnidentifiedImageError
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.decision import Decision, decide, destinations_of, in_shadow, notifications_of, senders
from pneumoscope.pacs.device import device_of
from pneumoscope.pacs.errors import NotUnderstoodError
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.receive.contexts import STORED_CLASSES
from pneumoscope.pacs.rules import facts_of, mismatch
from pneumoscope.radiograph import Radiograph, read

_BY_HTTP = {"stow": "STOW-RS", "fhir": "FHIR R5"}


def explain(config: NodeConfig, content: bytes, sender: str) -> list[str]:
    """Explain what the node would do with a file.

    Parameters
    ----------
    config : NodeConfig
        The node.
    content : bytes
        The file.
    sender : str
        AE title of the sender, name of the poll, or ``STOW-RS``.

    Returns
    -------
    list of str
        One sentence a line, without an identifier of the patient or the image.

    Raises
    ------
    RadiographError
        If the file cannot be decoded, so that the node would list it as failed.
    DicomObjectError
        If it is no DICOM image, or no object can refer to it, so that the node would list it as failed.
    NotUnderstoodError
        If the node does not receive its SOP class.
    """
    radiograph = read(content)
    decision = decide(config, radiograph, sender)
    _check_source(content, decision)
    return [
        *_sender(config, sender), _image(radiograph), _device(config, content), *_rules(config, radiograph, sender, decision),
        *_results(config, decision),
    ]  # fmt: skip


def _check_source(content: bytes, decision: Decision) -> None:
    try:
        source = source_image(content)
    except UnidentifiedImageError:
        if decision.models:
            raise
        return
    if source.sop_class_uid not in STORED_CLASSES:
        raise NotUnderstoodError("the node does not receive the SOP class of the image; pneumoscope node conformance lists those")


def _sender(config: NodeConfig, sender: str) -> Iterator[str]:
    if sender and sender.strip() not in senders(config):
        yield f"look at this: '{sender}' is no peer and no poll of this configuration, so that the node would refuse it"


def _image(radiograph: Radiograph) -> str:
    facts = (
        ("Modality", radiograph.modality),
        ("View Position", radiograph.view_position),
        ("Body Part Examined", radiograph.body_part),
        ("Presentation Intent Type", radiograph.intent),
        ("age", "stated" if radiograph.age_years is not None else ""),
    )
    return f"image: {radiograph.rows} × {radiograph.cols}; " + ", ".join(f"{name} {text or 'missing'}" for name, text in facts)


def _device(config: NodeConfig, content: bytes) -> str:
    device = device_of(content, config.salt)
    return f"device: {device}" if device else "device: the file states no Device Serial Number; the sender counts as the device"


def _rules(config: NodeConfig, radiograph: Radiograph, sender: str, decision: Decision) -> Iterator[str]:
    facts = facts_of(radiograph, sender)
    for rule in config.rules:
        if rule is decision.rule:
            yield f"rule '{rule.name}' applies: {rule.action}"
            break
        yield f"rule '{rule.name}' does not apply: {mismatch(rule, facts)}"
    if decision.skipped:
        yield f"the node would accept the image and skip it: {decision.skipped}"


def _results(config: NodeConfig, decision: Decision) -> Iterator[str]:
    if decision.rule is None or decision.skipped:
        return
    for model in decision.models:
        shadow = in_shadow(config, model)
        yield f"model '{model.name}' would read it" + ("; in shadow mode, nothing would be sent" if shadow else "")
        destinations = () if shadow else destinations_of(config, decision.rule)
        for destination in destinations:
            kinds = ", ".join(destination.kinds)
            yield f"  {kinds} would go to '{destination.name}' ({where(destination)}, profile {destination.profile})"
        for one in () if shadow else notifications_of(config, decision.rule):
            waited_for = [each.name for each in destinations if each.name in one.after]
            after = f", once {' and '.join(waited_for)} stored the objects" if waited_for else ""
            yield f"  '{one.name}' would be told ({where(one)}){after}"


def where(destination: Destination | Notification) -> str:
    """Say in a few words where a destination or the system of a notification is.

    Parameters
    ----------
    destination : Destination or Notification
        Its settings.

    Returns
    -------
    str
        Protocol and address.
    """
    if destination.protocol in _BY_HTTP:
        return f"{_BY_HTTP[destination.protocol]} to {destination.url}"
    what = "HL7 v2 by MLLP to" if isinstance(destination, Notification) else f"C-STORE to {destination.ae_title} at"
    return f"{what} {destination.host}:{destination.port}" + (" by TLS" if destination.tls else "")
