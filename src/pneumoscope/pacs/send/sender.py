"""Send what waits: one thread or more for each destination, so that one that hangs holds up no other."""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.errors import LeaseLostError
from pneumoscope.pacs.ledger import Delivery, Ledger
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.send import commitment
from pneumoscope.pacs.send.dimse import DimseTarget
from pneumoscope.pacs.send.fhir import FhirTarget
from pneumoscope.pacs.send.mllp import MllpTarget
from pneumoscope.pacs.send.outcome import Fate, Outcome, wait_seconds
from pneumoscope.pacs.send.result_file import ResultFile, ResultFileError, open_message, open_result
from pneumoscope.pacs.send.stow import StowTarget
from pneumoscope.pacs.send.target import Target, UnreachableTargetError
from pneumoscope.pacs.threads import run_threads

PROCESS = "send"
"""Name of the process in the ledger."""
COMMITMENT_SECONDS = 600.0
"""Time after which a destination that has not reported is asked again for storage commitment."""
_HOUR = 3600.0
_LONGEST_REST_SECONDS = 60.0
_LOG = logging.getLogger(__name__)


def target_of(
    config: NodeConfig, destination: Destination | Notification, on_report: Callable[..., object] | None = None
) -> Target:
    """Open a destination or the system of a notification.

    Parameters
    ----------
    config : NodeConfig
        The node, for its AE title.
    destination : Destination or Notification
        Its settings.
    on_report : callable, optional
        Handler of reports of storage commitment that come over an association of the node.

    Returns
    -------
    Target
        It connects when it is first used.

    Raises
    ------
    ConfigError
        If a library that a notification needs is not installed.
    OSError
        If a file with a secret or a certificate cannot be read.
    """
    if isinstance(destination, Notification):
        return FhirTarget(destination) if destination.protocol == "fhir" else MllpTarget(destination)
    if destination.protocol == "stow":
        return StowTarget(destination)
    return DimseTarget(destination, config.receive.ae_title, on_report)


@dataclass
class Sender:
    """Sends to one destination, in one thread.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        What waits.
    destination : Destination or Notification
        What it sends to.
    target : Target
        Its connections.
    chance : random.Random
        Source of the jitter.
    """

    config: NodeConfig
    ledger: Ledger
    destination: Destination | Notification
    target: Target
    chance: random.Random = field(default_factory=random.Random, repr=False)
    _failures: int = field(default=0, init=False)
    _rest_until: float = field(default=0.0, init=False)

    def step(self, name: str) -> bool:
        """Send the delivery that has waited longest; ask for storage commitment when none waits.

        Parameters
        ----------
        name : str
            Name of the sender in the ledger.

        Returns
        -------
        bool
            Whether there was one.

        Raises
        ------
        LedgerError
            If the ledger cannot be used; the claim ends by itself.
        """
        if self.ledger.clock() < self._rest_until:
            return False
        delivery = self._claim(name)
        if delivery is None:
            self._commit()
            self.target.rest()
            return False
        try:
            self._finish(delivery, self._tried(delivery))
        except LeaseLostError as error:
            _LOG.warning("result %s: %s", self._shown(delivery), error)
        return True

    def _claim(self, name: str) -> Delivery | None:
        after = self.destination.after if isinstance(self.destination, Notification) else None
        return self.ledger.claim_delivery(name, self.config.send.lease_seconds, [self.destination.name], after=after)

    def _tried(self, delivery: Delivery) -> Outcome:
        """Send a result, after asking whether it is there already where that is in doubt."""
        try:
            result = self._opened(delivery)
            if isinstance(self.destination, Notification) and self.ledger.is_superseded(delivery):
                return Outcome(Fate.NEVER, "a notification of a later reading of the image was sent already; drop this one")
            if delivery.was_sending and self.target.holds(result):
                return Outcome(Fate.SENT, "the destination had it already when it was asked")
            return self.target.store(result)
        except ResultFileError as error:
            return Outcome(Fate.NEVER, str(error))
        except UnreachableTargetError as error:
            return Outcome(Fate.DOUBT, str(error), unreachable=True)
        except Exception as error:  # an error that a library does not name; whether the result arrived is unknown
            return Outcome(Fate.DOUBT, f"sending ended with an unexpected {type(error).__name__}")

    def _opened(self, delivery: Delivery) -> ResultFile:
        path = self.config.spool_folder / delivery.path
        if isinstance(self.destination, Notification):
            return open_message(path, delivery.sha256, delivery.sop_instance_uid)
        return open_result(path, delivery.sha256)

    def _finish(self, delivery: Delivery, outcome: Outcome) -> None:
        now = self.ledger.clock()
        self._note_reachability(outcome, now)
        first = delivery.first_try_at or now
        late = now - first >= self.config.send.give_up_hours * _HOUR
        if outcome.fate is Fate.SENT:
            self.ledger.finish_delivery(delivery, "sent", outcome.reason)
        elif outcome.fate is Fate.NEVER:
            self.ledger.finish_delivery(delivery, "dead", outcome.reason)
        elif late:
            reason = f"given up after {self.config.send.give_up_hours:g} hours: {outcome.reason}"
            self.ledger.finish_delivery(delivery, "dead", reason)
        else:
            wait = wait_seconds(delivery.attempts, self.config.send, self.chance)
            again = self.ledger.doubt_delivery if outcome.fate is Fate.DOUBT else self.ledger.retry_delivery
            again(delivery, outcome.reason, now + max(outcome.wait_seconds, wait))
        said = f" ({outcome.reason})" if outcome.reason else ""
        _LOG.info("result %s to '%s': %s%s", self._shown(delivery), self.destination.name, outcome.fate, said)

    def _note_reachability(self, outcome: Outcome, now: float) -> None:
        """Leave a destination in peace that cannot be reached, instead of trying every delivery on it."""
        self._failures = self._failures + 1 if outcome.unreachable else 0
        rest = wait_seconds(self._failures, self.config.send, self.chance) if self._failures else 0.0
        self._rest_until = now + min(rest, _LONGEST_REST_SECONDS)

    def _commit(self) -> None:
        """Ask for storage commitment of what was sent."""
        if isinstance(self.destination, Notification) or not isinstance(self.target, DimseTarget):
            return
        if not self.destination.commitment:
            return
        since = self.ledger.clock() - self.config.send.give_up_hours * _HOUR
        deliveries = self.ledger.claim_commitment(self.destination.name, COMMITMENT_SECONDS, since)
        if not deliveries:
            return
        try:
            commitment.request(self.target, deliveries)
        except UnreachableTargetError as error:
            _LOG.warning("storage commitment by '%s': %s", self.destination.name, error)

    def _shown(self, delivery: Delivery) -> str:
        return pseudonym(self.config.salt, delivery.sop_instance_uid)


def serve(config: NodeConfig, stop: threading.Event) -> None:
    """Send until it is told to stop; then what is being sent is finished.

    Parameters
    ----------
    config : NodeConfig
        The node.
    stop : threading.Event
        Set to stop.

    Raises
    ------
    LedgerError
        If the ledger cannot be opened.
    OSError
        If a file with a secret or a certificate cannot be read.
    """
    with Ledger.open(config.ledger_url) as ledger:
        on_report = commitment.handler(config, ledger)
        senders = {
            f"{PROCESS}/{destination.name}/{k}": Sender(config, ledger, destination, target_of(config, destination, on_report))
            for destination in config.outlets
            for k in range(_threads(config, destination))
        }
        if not senders:  # a node in shadow mode; a process that ends would be started again and again
            stop.wait()
        try:
            run_threads(list(senders), lambda name: senders[name].step(name), stop)
        finally:
            for sender in senders.values():
                sender.target.close()


def _threads(config: NodeConfig, destination: Destination | Notification) -> int:
    """Notifications are sent one after the other, so that a correction never overtakes what it corrects."""
    return 1 if isinstance(destination, Notification) else config.send.senders
