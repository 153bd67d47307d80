"""Check a configuration against the machine: files, certificates, disk, ledger, models and ports; nothing is sent."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from pneumoscope import PneumoscopeError
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.decision import senders
from pneumoscope.pacs.free_ports import try_ports
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.notifications import validity
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.peers import Credentials, Destination, Poll, Tls, is_loopback, secret
from pneumoscope.pacs.receive.authorization import stow_token
from pneumoscope.pacs.rules import applies_to_all
from pneumoscope.pacs.send.tls import client_context
from pneumoscope.pacs.settings import Receiving
from pneumoscope.pacs.work import readers

_SOON = timedelta(days=30)


def check(config: NodeConfig) -> Iterator[tuple[bool, str]]:
    """Check a configuration against the machine.

    Parameters
    ----------
    config : NodeConfig
        The node.

    Yields
    ------
    tuple of bool and str
        Whether the node can run with this, and a sentence: what is good, what should be looked at, or what is wrong.
    """
    yield from _disk(config)
    yield _tried("ledger", lambda: _writable(config))
    yield _tried("models", lambda: _models(config))
    for one in config.notifications:
        yield _tried(f"'{one.name}'", partial(validity.library, one.protocol))
    for what, tls in _certificates(config):
        yield from _tls(what, tls)
    for what, credentials in _credentials(config):
        yield _tried(what, partial(_secret, credentials))
    if config.receive.stow_port and config.receive.stow_token_file:
        yield _tried("listener", partial(_token, config.receive))
    yield from try_ports(config)
    yield from _advice(config)


def _tried(what: str, action: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, f"{what}: {action()}"
    except PneumoscopeError as error:
        return False, f"{what}: {error}"
    except OSError as error:
        return False, f"{what}: '{error.filename or 'a file'}' cannot be used ({(error.strerror or 'TLS').lower()})"


def _disk(config: NodeConfig) -> Iterator[tuple[bool, str]]:
    def write() -> str:
        config.spool_folder.mkdir(parents=True, exist_ok=True)
        trial = config.spool_folder / ".trial"
        trial.write_bytes(b"")
        trial.unlink()
        return "the folder can be written"

    good, sentence = _tried("spool", write)
    yield good, sentence
    if good:
        free = shutil.disk_usage(config.spool_folder).free
        enough = free > config.limits.spool_free_bytes
        yield enough, f"spool: {free / 2**30:.1f} GiB are free" + ("" if enough else ", less than 'spool_free_bytes'; make room")


def _writable(config: NodeConfig) -> str:
    Ledger.open(config.ledger_url).close()
    return "it can be written"


def _models(config: NodeConfig) -> str:
    loaded = readers.load(config)
    return ", ".join(f"'{name}' is {one.sha256[:12]}, for {one.target}" for name, one in loaded.items())


def _services(config: NodeConfig) -> Iterator[Destination | Notification | Poll]:
    yield from config.outlets
    yield from config.polls


def _certificates(config: NodeConfig) -> Iterator[tuple[str, Tls]]:
    if config.receive.tls:
        yield "listener", config.receive.tls
    for one in _services(config):
        if one.tls:
            yield f"'{one.name}'", one.tls


def _tls(what: str, tls: Tls) -> Iterator[tuple[bool, str]]:
    yield _tried(what, lambda: _usable(tls))
    for file in filter(None, (tls.certificate, tls.authority)):
        if Path(file).is_file():
            yield from _expiry(what, Path(file))


def _usable(tls: Tls) -> str:
    client_context(tls)
    return "the certificates can be used"


def _expiry(what: str, file: Path) -> Iterator[tuple[bool, str]]:
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError:
        return
    ends = min(one.not_valid_after_utc for one in certificates)
    now = datetime.now(UTC)
    if ends < now:
        yield False, f"{what}: a certificate in '{file.name}' has expired on {ends:%Y-%m-%d}; renew it"
    elif ends < now + _SOON:
        yield True, f"{what}: look at this: a certificate in '{file.name}' expires on {ends:%Y-%m-%d}"


def _credentials(config: NodeConfig) -> Iterator[tuple[str, Credentials]]:
    for one in _services(config):
        if one.credentials:
            yield f"'{one.name}'", one.credentials


def _secret(credentials: Credentials) -> str:
    if not secret(credentials.password_file or credentials.token_file):
        raise OSError(0, "its first line is empty", "the file of the secret")
    return "the credentials can be read"


def _token(receive: Receiving) -> str:
    stow_token(receive)
    return "the token can be read"


def _advice(config: NodeConfig) -> Iterator[tuple[bool, str]]:
    receive = config.receive
    if receive.port and not config.peers:
        yield True, "look at this: no peer is named, so that nobody may send by DIMSE"
    if not config.polls:
        yield (
            True,
            "look at this: no service is polled, so that an image that was refused when the disk was full is not found again",
        )
    if config.shadow:
        yield True, "look at this: the node is in shadow mode and sends nothing"
    if any(one.commitment for one in config.destinations) and not receive.port:
        yield True, "look at this: storage commitment is reported to the DIMSE port, and the node has none"
    yield from _rules(config)
    start = config.drift.reference_from
    if start and date.fromisoformat(start) > datetime.now(UTC).date():
        yield True, f"look at this: no drift is judged before {start}, the 'reference_from' of [drift]"
    for one in _services(config):
        yield from _readable_by_everyone(one)
    for one in config.notifications:
        if one.protocol == "hl7" and not one.tls and not is_loopback(one.host):
            yield (
                True,
                f"look at this: '{one.name}' is reached without TLS, so that everyone on the network can read and change its "
                "messages; give it a table 'tls', or a network of its own",
            )


def _rules(config: NodeConfig) -> Iterator[tuple[bool, str]]:
    known = senders(config)
    for rule in config.rules:
        for sender in rule.ae_titles:
            if sender not in known:
                sentence = (
                    f"the rule '{rule.name}' names the sender '{sender}', which is no peer and no poll of this configuration"
                )
                yield True, f"look at this: {sentence}"
    for rule in config.rules[:-1]:
        if applies_to_all(rule):
            yield True, f"look at this: the rule '{rule.name}' applies to every image, so that no rule after it decides"
            break


def _readable_by_everyone(service: Destination | Notification | Poll) -> Iterator[tuple[bool, str]]:
    url = urlsplit(service.url)
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        yield (
            True,
            f"look at this: '{service.name}' is reached by http://, so that everyone on the network can read and change what "
            "is sent; use https://",
        )
