"""Write what the makers need to help: counts, reasons, versions and settings, without an identifier, an address or a secret."""

import dataclasses
import io
import json
import platform
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pneumoscope import DISCLAIMER, __version__, atomic_files
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Delivery, Instance, Ledger
from pneumoscope.pacs.ledger.search import DeliveryQuery, InstanceQuery, search_deliveries, search_instances
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.status import status

_HASHED = frozenset(
    {
        "ae_title", "ae_titles", "addresses", "host", "url", "user", "patient_id_system", "accession_number_system",
        "assigning_authority", "sending_application", "sending_facility", "receiving_application", "receiving_facility",
    }
)  # fmt: skip
"""Settings that name systems or people of the site: their values are hashed with the site's salt."""
_PATHS = frozenset(
    {"spool", "ledger", "bundle", "authority", "certificate", "key", "password_file", "token_file", "stow_token_file"}
)
"""Settings that name files: only whether they are set is told."""
_PACKAGES = (
    "pydicom",
    "pynetdicom",
    "highdicom",
    "sqlalchemy",
    "httpx2",
    "numpy",
    "onnxruntime",
    "starlette",
    "fhir.resources",
    "hl7apy",
)
_UID = re.compile(r"\b[0-2](?:\.\d+){3,}\b")
_README = f"""Support bundle of a node of Pneumoscope. {DISCLAIMER}

It holds counts, states, reasons, versions and settings. Names and addresses of systems are hashed with the site's salt, paths and
secrets are left out, and no identifier of a patient, a study or an image is in it. Look through it before you send it.
"""


def write(config: NodeConfig, ledger: Ledger, file: Path) -> None:
    """Write a support bundle, a ZIP file.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.
    file : Path
        Where to write it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in parts(config, ledger).items():
            bundle.writestr(name, text)
    with atomic_files.binary(file) as stream:
        stream.write(content.getvalue())


def parts(config: NodeConfig, ledger: Ledger) -> Mapping[str, str]:
    """Make the files of a support bundle.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.

    Returns
    -------
    mapping of str to str
        Text by name of the file.
    """
    names = [*(one.name for one in config.outlets), *(one.name for one in config.polls)]
    texts = {
        "README.txt": _README,
        "status.txt": "\n".join(status(config, ledger)) + "\n",
        "reasons.json": _json(_reasons(ledger, config.salt)),
        "settings.json": _json(_without_names(config.salt, dataclasses.asdict(config))),
        "versions.json": _json(_versions()),
    }
    return {name: _without_texts(text, names, config.salt) for name, text in texts.items()}


def _reasons(ledger: Ledger, salt: str) -> dict[str, list[dict[str, Any]]]:
    images = Counter((one.state, _reason(one, salt)) for one in search_instances(ledger, InstanceQuery()))
    deliveries = search_deliveries(ledger, DeliveryQuery())
    sent = Counter((one.kind, one.profile, one.state, _reason(one, salt)) for one in deliveries)
    return {
        "images": [{"state": s, "reason": r, "number": n} for (s, r), n in images.most_common()],
        "deliveries": [{"kind": k, "profile": p, "state": s, "reason": r, "number": n} for (k, p, s, r), n in sent.most_common()],
    }


def _reason(row: Instance | Delivery, salt: str) -> str:
    """The reason of a row; a person wrote that of a dropped one, perhaps with a name in it."""
    if row.state == "dropped" and row.reason:
        return f"a text of the site, {pseudonym(salt, row.reason)}"
    return row.reason


def _without_names(salt: str, value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _without_names(salt, part, key) for key, part in value.items() if key != "salt"}
    if isinstance(value, list | tuple):
        return [_without_names(salt, part, name) for part in value]
    if name in _HASHED and value:
        return pseudonym(salt, str(value))
    if name in _PATHS:
        return "set" if value else ""
    return value


def _without_texts(text: str, names: Sequence[str], salt: str) -> str:
    """The text without UIDs, which no reason should hold, and with hashes for names that the site chose."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f"'{name}'", f"'{pseudonym(salt, name)}'").replace(f'"{name}"', f'"{pseudonym(salt, name)}"')
    return _UID.sub("(UID)", text)


def _versions() -> dict[str, str]:
    versions = {"pneumoscope": __version__, "python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
