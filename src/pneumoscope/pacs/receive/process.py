"""The receiving process of a node: DIMSE, STOW-RS and the polls."""

import logging
import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from starlette.applications import Starlette

from pneumoscope.pacs import poll
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.drift_watch import keep_watching
from pneumoscope.pacs.errors import ListenError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.metrics import NodeMetrics
from pneumoscope.pacs.page.node_page import NodePage
from pneumoscope.pacs.peers import Destination, Peer
from pneumoscope.pacs.reading_totals import ReadingTotals
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.receive.authorization import stow_token
from pneumoscope.pacs.receive.http_server import listening_http
from pneumoscope.pacs.receive.metrics_page import MetricsPage
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
        totals = ReadingTotals(ledger, config.salt)
        server = _listen(config, admission, totals, open_ports)
        watching = threading.Thread(
            target=keep_watching, args=(totals, config.drift, config.spool_folder, stop), name="drift", daemon=True
        )
        watching.start()
        polls = poll.start(config.polls, admission)
        while not stop.wait(_LOOK_S):
            if server is not None and not server.is_alive():
                raise ListenError("the node no longer listens for DIMSE, and starts again")
        for thread in (*polls, watching):
            thread.join(config.limits.drain_seconds)


def _listen(config: NodeConfig, admission: Admission, totals: ReadingTotals, open_ports: ExitStack) -> threading.Thread | None:
    """Open the ports; give the thread that accepts associations."""
    receiving, limits, thread = config.receive, config.limits, None
    if receiving.port:
        commits = any(one.commitment for one in config.destinations)
        reports = commitment.handler(config, admission.ledger) if commits else None
        listener = listening(receiving, config.peers, limits, admission, reports, reporters(config.destinations))
        thread = open_ports.enter_context(listener).thread
        LOGGER.info("listening for DIMSE on %s port %d as %s", receiving.host, receiving.port, receiving.ae_title)
    if receiving.stow_port:
        open_ports.enter_context(listening_http(_application(config, admission, totals), receiving, limits))
        LOGGER.info("listening for STOW-RS, Prometheus and browsers on %s port %d", receiving.host, receiving.stow_port)
    return thread


def _application(config: NodeConfig, admission: Admission, totals: ReadingTotals) -> Starlette:
    """What answers on the port for HTTP."""
    token = stow_token(config.receive)
    metrics = NodeMetrics(admission.ledger, totals, config.drift)
    storing, shown = Storing(admission, config.limits, token), NodePage(config, admission.ledger, totals, token)
    return Starlette(routes=[*storing.routes(), *MetricsPage(metrics, token).routes(), *shown.routes()])


def reporters(destinations: Sequence[Destination]) -> tuple[Peer, ...]:
    """List the peers that reports of storage commitment come from.

    Parameters
    ----------
    destinations : sequence of Destination
        Where results are sent.

    Returns
    -------
    tuple of Peer
        One for each destination that is asked for storage commitment, with the addresses of its host; a host without an address
        is left out with a warning, since an empty list of addresses would let anybody connect.
    """
    known = []
    for one in destinations:
        if not one.commitment:
            continue
        if addresses := _addresses(one.host):
            known.append(Peer(one.ae_title, addresses))
        else:
            LOGGER.warning("the host of '%s' has no address, so that it cannot connect to report storage commitment", one.name)
    return tuple(known)


def _addresses(host: str) -> tuple[str, ...]:
    """IP addresses of a host, without the zone of a link-local one."""
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(sorted({str(address[0]).partition("%")[0] for *_, address in entries}))
