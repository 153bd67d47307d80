"""Decide what becomes of a received image: skipped with a reason, or read by certain models for certain destinations."""

from dataclasses import dataclass

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.rules import Rule, choose, facts_of
from pneumoscope.pacs.settings import Model
from pneumoscope.radiograph import NotAcceptedError, Radiograph, review

STOW_SENDER = "STOW-RS"
"""Stands for the AE title of the sender of an image that came by STOW-RS."""
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


def destinations_of(config: NodeConfig, rule: Rule) -> tuple[Destination, ...]:
    """List the destinations of a rule.

    Parameters
    ----------
    config : NodeConfig
        The destinations.
    rule : Rule
        The rule that decided.

    Returns
    -------
    tuple of Destination
        Those that the rule names; all where it names none.
    """
    return tuple(one for one in config.destinations if not rule.destinations or one.name in rule.destinations)


def notifications_of(config: NodeConfig, rule: Rule) -> tuple[Notification, ...]:
    """List the notifications of a rule.

    Parameters
    ----------
    config : NodeConfig
        The notifications.
    rule : Rule
        The rule that decided.

    Returns
    -------
    tuple of Notification
        Those that the rule names among its destinations; all where it names none.
    """
    return tuple(one for one in config.notifications if not rule.destinations or one.name in rule.destinations)


def in_shadow(config: NodeConfig, model: Model) -> bool:
    """Whether the results of a model are kept and not sent.

    Parameters
    ----------
    config : NodeConfig
        The node.
    model : Model
        The model.

    Returns
    -------
    bool
        True if the node or the model is in shadow mode.
    """
    return config.shadow or model.shadow


def sender_of(sender: str, route: str) -> str:
    """Name the sender of an image as rules name it.

    Parameters
    ----------
    sender : str
        AE title of the sender, or name of the poll.
    route : {"dimse", "stow", "poll"}
        How the image came.

    Returns
    -------
    str
        `STOW_SENDER` for an image that came by STOW-RS, else the sender.
    """
    return STOW_SENDER if route == "stow" else sender


def senders(config: NodeConfig) -> frozenset[str]:
    """List who may send, as rules name them.

    Parameters
    ----------
    config : NodeConfig
        The node.

    Returns
    -------
    frozenset of str
        AE titles of the peers, names of the polls, and `STOW_SENDER` where the node listens for STOW-RS.
    """
    stow = {STOW_SENDER} if config.receive.stow_port else set()
    return frozenset({one.ae_title.strip() for one in config.peers} | {one.name for one in config.polls} | stow)
