"""The configuration of the node: what ``node.toml`` holds."""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pneumoscope import strict_json
from pneumoscope.pacs.config_errors import not_finite, plain
from pneumoscope.pacs.errors import ConfigError
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.peers import Destination, Peer, Poll
from pneumoscope.pacs.rules import READ_ALL, Rule
from pneumoscope.pacs.settings import Drift, Limits, Model, QualitySample, Receiving, Retention, Sending, Working
from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.reader.shipped import SHIPPED

_SHORTEST_SALT, _EXAMPLE_SALT = 16, "replace-this"
_FILES = frozenset({"spool", "ledger", "authority", "certificate", "key", "password_file", "token_file", "stow_token_file"})
"""Fields that name a file or a folder, relative to ``node.toml``."""
_MAKE_SALT = "python -c 'import secrets; print(secrets.token_hex(16))'"


@dataclass(frozen=True)
class NodeConfig:
    """The node as ``node.toml`` describes it; `read` makes its paths absolute.

    Parameters
    ----------
    salt : str
        Secret of the site, at least 16 characters, with which identifiers are hashed wherever they are shown.
    spool : str
        Folder of received files and of results.
    ledger : str
        File of the SQLite database, or the URL of a PostgreSQL database without a password (``postgresql+psycopg://…``).
    models : tuple of Model
        What reads.
    shadow : bool
        Whether everything is read and kept, and nothing is sent.
    receive : Receiving
        How the node listens.
    peers : tuple of Peer
        Who may send by DIMSE; nobody else is accepted.
    rules : tuple of Rule
        What is read; the first rule that applies decides, and an image that none applies to is skipped.
    destinations : tuple of Destination
        Where results go.
    notifications : tuple of Notification
        Which other systems are told about readings.
    polls : tuple of Poll
        Which services are searched.
    acceptance : AcceptancePolicy
        Which radiographs the reader refuses.
    work : Working
        How the node reads.
    send : Sending
        How the node sends.
    limits : Limits
        What peers may use.
    retention : Retention
        How long files are kept.
    drift : Drift
        When readings differ from those of the first weeks.
    quality_sample : QualitySample, optional
        Which radiographs are kept for people to read; none by default.
    """

    salt: str = field(repr=False)
    spool: str
    models: tuple[Model, ...]
    ledger: str = "ledger.sqlite"
    shadow: bool = False
    receive: Receiving = field(default_factory=Receiving)
    peers: tuple[Peer, ...] = ()
    rules: tuple[Rule, ...] = (READ_ALL,)
    destinations: tuple[Destination, ...] = ()
    notifications: tuple[Notification, ...] = ()
    polls: tuple[Poll, ...] = ()
    acceptance: AcceptancePolicy = DEFAULT_POLICY
    work: Working = field(default_factory=Working)
    send: Sending = field(default_factory=Sending)
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)
    drift: Drift = field(default_factory=Drift)
    quality_sample: QualitySample | None = None

    def __post_init__(self) -> None:
        if len(self.salt) < _SHORTEST_SALT:
            raise ValueError(f"the salt needs at least {_SHORTEST_SALT} characters; make one:  {_MAKE_SALT}")
        if self.salt.startswith(_EXAMPLE_SALT):
            raise ValueError(f"the salt is that of the example, which everybody knows; make one:  {_MAKE_SALT}")
        for name, path, what in (("spool", self.spool, "folder"), ("ledger", self.ledger, "file")):
            if not path:
                raise ValueError(f"'{name}' is empty; name a {what}")
        if "://" in self.ledger and urlsplit(self.ledger).password:
            raise ValueError("the URL of the ledger holds a password; put it into ~/.pgpass")
        if not self.models or not self.rules:
            raise ValueError("the node needs at least one model and one rule")
        if not (self.outlets or self.shadow or all(model.shadow for model in self.models)):
            raise ValueError("there is no destination; name one, or say  shadow = true  to read and keep without sending")
        for what, names in self._names():
            _check_unique(what, names)
        for rule in self.rules:
            _check_known(f"the rule '{rule.name}'", "model", rule.models, (model.name for model in self.models))
            _check_known(f"the rule '{rule.name}'", "destination", rule.destinations, (one.name for one in self.outlets))
        for one in self.notifications:
            _check_known(f"the notification '{one.name}'", "destination", one.after, (each.name for each in self.destinations))

    def _names(self) -> Iterable[tuple[str, list[str]]]:
        yield "models", [model.name for model in self.models]
        yield "rules", [rule.name for rule in self.rules]
        yield "destinations or notifications", [one.name for one in self.outlets]
        yield "polls", [poll.name for poll in self.polls]
        yield "peers", [peer.ae_title for peer in self.peers]

    @property
    def spool_folder(self) -> Path:
        """Folder of received files and of results."""
        return Path(self.spool)

    @property
    def ledger_url(self) -> str:
        """URL of the database, as SQLAlchemy takes it."""
        return self.ledger if "://" in self.ledger else f"sqlite:///{self.ledger}"

    @property
    def outlets(self) -> tuple[Destination | Notification, ...]:
        """Whatever something is sent to: the destinations and the notifications."""
        return (*self.destinations, *self.notifications)

    def outlet(self, name: str) -> Destination | Notification | None:
        """Look up a destination or a notification.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Destination, Notification or None
            None where the configuration no longer has it.
        """
        return next((one for one in self.outlets if one.name == name), None)


def _check_unique(what: str, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two {what} have the name '{twice}'")


def _check_known(who: str, what: str, names: Iterable[str], known: Iterable[str]) -> None:
    there = list(known)
    missing = next((name for name in names if name not in there), None)
    if missing is not None:
        raise ValueError(f"{who} names the {what} '{missing}', which is not there; there is {', '.join(there) or 'none'}")


def parse(text: str, folder: Path) -> NodeConfig:
    """Parse the configuration of a node.

    Parameters
    ----------
    text : str
        TOML.
    folder : Path
        Folder that relative paths start from.

    Returns
    -------
    NodeConfig
        The configuration; its paths are absolute.

    Raises
    ------
    ConfigError
        In one sentence, with the path of the field that is missing, unknown or wrong.
    """
    try:
        tree = tomllib.loads(text)
        if wrong := not_finite(tree):
            raise strict_json.StrictJsonError(wrong)
        return strict_json.convert(_located(tree, folder), NodeConfig)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration of the node is no valid TOML: {error}") from error
    except strict_json.StrictJsonError as error:
        raise ConfigError(f"the configuration of the node cannot be used: {plain(str(error), schema())}") from error


def read(file: Path, folder: Path | None = None) -> NodeConfig:
    """Read the configuration of a node.

    Parameters
    ----------
    file : Path
        ``node.toml``.
    folder : Path, optional
        Folder that relative paths start from; by default that of the file.

    Returns
    -------
    NodeConfig
        As `parse`.

    Raises
    ------
    ConfigError
        As `parse`, or if there is no such file.
    """
    return parse(text_of(file), (folder or file.parent).absolute())


def text_of(file: Path) -> str:
    """Read the text of a configuration.

    Parameters
    ----------
    file : Path
        ``node.toml``.

    Returns
    -------
    str
        TOML.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no text.
    """
    if not file.is_file():
        raise ConfigError(f"there is no configuration '{file}'; docs/pacs.md shows one to begin with")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration '{file}' is no UTF-8 text") from error


def _located(tree: Any, folder: Path) -> Any:
    """The tree with its paths relative to a folder."""
    if isinstance(tree, list):
        return [_located(part, folder) for part in tree]
    if not isinstance(tree, dict):
        return tree
    made = {name: _located(part, folder) for name, part in tree.items()}
    for name, part in tree.items():
        is_bundle = name == "bundle" and (part not in SHIPPED or (folder / part).is_dir())
        if isinstance(part, str) and part and "://" not in part and (name in _FILES or is_bundle):
            made[name] = str(folder / part)
    if "spool" in tree and "ledger" not in tree:
        made["ledger"] = str(folder / NodeConfig.ledger)
    return made


def bundle_folder(model: Model) -> Path:
    """Name the folder of a model's bundle.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    Path
        Its folder, or that of the shipped bundle of this name.
    """
    return SHIPPED.get(model.bundle, Path(model.bundle))


def schema() -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of ``node.toml``.

    Returns
    -------
    dict
        The schema, made from `NodeConfig`.
    """
    value: dict[str, Any] = msgspec.json.schema(NodeConfig)
    value["title"], value["$schema"] = "A node of Pneumoscope", "https://json-schema.org/draft/2020-12/schema"
    for part in value["$defs"].values():
        part.pop("description", None)
        part["additionalProperties"] = False
    return value


def schema_text() -> str:
    """Write the JSON Schema of ``node.toml``.

    Returns
    -------
    str
        Indented JSON.
    """
    return json.dumps(schema(), indent=2) + "\n"
