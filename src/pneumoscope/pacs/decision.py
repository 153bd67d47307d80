"""Decide what becomes of a received image: skipped with a reason, or read by certain models for certain destinations."""

from dataclasses import dataclass

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.rules import Rule, choose, facts_of
from pneumoscope.pacs.settings import Model
from pneumoscope.radiograph import NotAcceptedError, Radiograph, review

NO_RULE = "no rule applies to the image"


@dataclass(frozen=True)
class Decision:
    """What becomes of an image.

    Parameters
    ----------
    rule : Rule, optional
        The rule that decided; None where none applies.
    skipped : str
        Why the image is not read; empty where it is.
    models : tuple of Model
        What reads it; empty where it is skipped.
    """

    rule: Rule | None
    skipped: str = ""
    models: tuple[Model, ...] = ()


def decide(config: NodeConfig, radiograph: Radiograph, sender: str) -> Decision:
    """Decide what becomes of an image: by the rules, and then by what the reader accepts.

    Parameters
    ----------
    config : NodeConfig
        Rules, models and acceptance.
    radiograph : Radiograph
        The decoded image.
    sender : str
        AE title of the sender, name of the poll, or ``STOW-RS``.

    Returns
    -------
    Decision
        What becomes of it.
    """
    rule = choose(config.rules, facts_of(radiograph, sender))
    if rule is None:
        return Decision(None, NO_RULE)
    if rule.action == "skip":
        return Decision(rule, rule.reason)
    try:
        review(radiograph, config.acceptance)
    except NotAcceptedError as error:
        return Decision(rule, str(error).partition("; to read it")[0])  # the rest names an option of another command
    return Decision(rule, models=tuple(model for model in config.models if not rule.models or model.name in rule.models))


def destinations_of(config: NodeConfig, rule: Rule, model: Model) -> tuple[Destination, ...]:
    """List where the results of a model go.

    Parameters
    ----------
    config : NodeConfig
        The destinations.
    rule : Rule
        The rule that decided.
    model : Model
        The model that read.

    Returns
    -------
    tuple of Destination
        The destinations; none in shadow mode and for a shadow model.
    """
    if config.shadow or model.shadow:
        return ()
    return tuple(one for one in config.destinations if not rule.destinations or one.name in rule.destinations)
