"""Have images read again by query, such as after a switch of the model."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pneumoscope import PneumoscopeError
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.decision import decide, sender_of
from pneumoscope.pacs.ledger import Instance, Ledger
from pneumoscope.pacs.ledger.search import InstanceQuery, search_instances
from pneumoscope.pacs.work import readers
from pneumoscope.radiograph import read as read_radiograph


@dataclass(frozen=True)
class Reprocessed:
    """What came of a query.

    Parameters
    ----------
    matching : int
        Images that match the query.
    requeued : int
        Images that wait to be read again; in a dry run, that would.
    without_file : int
        Images whose file is no longer in the spool, so that the PACS must send them again.
    """

    matching: int
    requeued: int
    without_file: int

    def __str__(self) -> str:
        """One sentence."""
        ask = "were removed: fetch these images again from the PACS"
        gone = f"; the files of {self.without_file} {ask}" if self.without_file else ""
        return f"{self.requeued} of {self.matching} images wait to be read again{gone}"


def reprocess(
    config: NodeConfig, ledger: Ledger, query: InstanceQuery, *, only_unread: bool = True, dry_run: bool = False
) -> Reprocessed:
    """Requeue images.

    Parameters
    ----------
    config : NodeConfig
        The node, for its models and its spool.
    ledger : Ledger
        Its ledger.
    query : InstanceQuery
        Which images.
    only_unread : bool
        Whether only images are taken that have no reading by a present model that the rules give them to. An image whose file
        was removed counts, since the rules cannot look at it.
    dry_run : bool
        Whether nothing is changed.

    Returns
    -------
    Reprocessed
        How many.

    Raises
    ------
    BundleError, CardError
        If a model cannot be loaded.
    LedgerError
        If the rows could not be written.
    """
    matching = _unread(config, ledger, query) if only_unread else search_instances(ledger, query)
    there = [one for one in matching if (config.spool_folder / one.path).is_file()]
    changed = len(there) if dry_run else ledger.requeue("instances", [one.id for one in there])
    return Reprocessed(len(matching), changed, len(matching) - len(there))


def _unread(config: NodeConfig, ledger: Ledger, query: InstanceQuery) -> Sequence[Instance]:
    rows: dict[int, Instance] = {}
    missing: dict[int, set[str]] = {}
    for name, loaded in readers.load(config).items():
        for one in search_instances(ledger, replace(query, not_read_by=loaded.sha256)):
            rows[one.id] = one
            missing.setdefault(one.id, set()).add(name)
    if not any(rule.models for rule in config.rules):
        return list(rows.values())
    return [one for one in rows.values() if _is_given_to(config, one, missing[one.id])]


def _is_given_to(config: NodeConfig, instance: Instance, models: Collection[str]) -> bool:
    """Whether the rules give an image to one of some models; so does an image that nobody can look at."""
    file = config.spool_folder / instance.path
    if not file.is_file():
        return True
    try:
        decision = decide(config, read_radiograph(file.read_bytes()), sender_of(instance.sender, instance.route))
    except (PneumoscopeError, OSError):
        return True
    return any(model.name in models for model in decision.models)
