"""Explain what the node would do with a file, without reading it by a model and without sending anything."""

from collections.abc import Iterator

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.decision import Decision, decide, destinations_of, in_shadow
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.rules import facts_of, mismatch
from pneumoscope.radiograph import Radiograph, read


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
    """
    radiograph = read(content)
    decision = decide(config, radiograph, sender)
    return [_image(radiograph), *_rules(config, radiograph, sender, decision), *_results(config, decision)]


def _image(radiograph: Radiograph) -> str:
    facts = (
        ("Modality", radiograph.modality),
        ("View Position", radiograph.view_position),
        ("Body Part Examined", radiograph.body_part),
        ("Presentation Intent Type", radiograph.intent),
        ("age", "stated" if radiograph.age_years is not None else ""),
    )
    return f"image: {radiograph.rows} × {radiograph.cols}; " + ", ".join(f"{name} {text or 'missing'}" for name, text in facts)


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
        for destination in () if shadow else destinations_of(config, decision.rule):
            kinds = ", ".join(destination.kinds)
            yield f"  {kinds} would go to '{destination.name}' ({where(destination)}, profile {destination.profile})"


def where(destination: Destination) -> str:
    """Say in a few words where a destination is.

    Parameters
    ----------
    destination : Destination
        The destination.

    Returns
    -------
    str
        Protocol and address.
    """
    if destination.protocol == "stow":
        return f"STOW-RS to {destination.url}"
    return f"C-STORE to {destination.ae_title} at {destination.host}:{destination.port}" + (" by TLS" if destination.tls else "")
