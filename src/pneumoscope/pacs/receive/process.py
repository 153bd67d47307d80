"""The receiving process of a node: DIMSE, STOW-RS and the polls."""

import logging
import threading
from contextlib import ExitStack
from ipaddress import ip_address

from pneumoscope.pacs import poll
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.errors import ConfigError, ListenError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.peers import Destination, Peer, secret
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.receive.http_server import listening_http
from pneumoscope.pacs.receive.scp import listening
from pneumoscope.pacs.receive.stow import Storing
from pneumoscope.pacs.send import commitment
from pneumoscope.pacs.spool import Spool

LOGGER = logging.getLogger(__name__)
_LOOK_S = 1.0


def serve(config: NodeConfig, stop: threading.Event) -> None:
    """Receive until it is told to stop; then what is being received is finished.

    Parameters
    ----------
    config : NodeConfig
        The node.
    stop : threading.Event
        Set to stop.

    Raises
    ------
    ListenError
        If a port cannot be listened on, or nobody listens any more.
    ConfigError
        If a token cannot be read.
    SpoolError, LedgerError
        If the spool folder or the ledger cannot be used.
    """
    spool = Spool(config.spool_folder, config.limits)
    spool.prepare()
    with Ledger.open(config.ledger_url) as ledger, ExitStack() as open_ports:
        removed = spool.clear_incoming(), spool.remove_orphans(ledger.paths())
        LOGGER.info("removed %d unfinished files and %d files that no row names", *removed)
        admission = Admission(spool, ledger, config.salt, stop)
        server = _listen(config, admission, open_ports)
        polls = poll.start(config.polls, admission)
        while not stop.wait(_LOOK_S):
            if server is not None and not server.is_alive():
                raise ListenError("the node no longer listens for DIMSE, and starts again")
        for thread in polls:
            thread.join(config.limits.drain_seconds)


def _listen(config: NodeConfig, admission: Admission, open_ports: ExitStack) -> threading.Thread | None:
    """Open the ports; give the thread that accepts associations."""
    receiving, limits, thread = config.receive, config.limits, None
    if receiving.port:
        providers = tuple(_provider(one) for one in config.destinations if one.commitment)
        reports = commitment.handler(config, admission.ledger) if providers else None
        listener = listening(receiving, config.peers + providers, limits, admission, reports)
        thread = open_ports.enter_context(listener).thread
        LOGGER.info("listening for DIMSE on %s port %d as %s", receiving.host, receiving.port, receiving.ae_title)
    if receiving.stow_port:
        storing = Storing(admission, limits, _token(receiving.stow_token_file))
        open_ports.enter_context(listening_http(storing.application(), receiving, limits))
        LOGGER.info("listening for STOW-RS on %s port %d", receiving.host, receiving.stow_port)
    return thread


def _provider(destination: Destination) -> Peer:
    """The peer that reports of storage commitment come from."""
    try:
        return Peer(destination.ae_title, (str(ip_address(destination.host)),))
    except ValueError:  # a name, which may have any address
        return Peer(destination.ae_title)


def _token(file: str) -> str:
    if not file:
        return ""
    try:
        token = secret(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file of 'stow_token_file' cannot be read ({type(error).__name__})") from None
    if not token:
        raise ConfigError("the first line of the file of 'stow_token_file' is empty; write a token there")
    return token
