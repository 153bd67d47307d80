"""Keep whose results a data set holds, and say in what another run differs, in the words of the command line."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from pneumoscope import strict_json
from pneumoscope.archive import locations, result_table
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.journal import DATA_SET_NAME, Options, Run
from pneumoscope.archive.store import Store
from pneumoscope.radiograph.acceptance import AcceptancePolicy

RUN_NAME = DATA_SET_NAME
_OPTION_NAMES = {"orientation": "unknown-orientation"}
"""Names of options that are not those of the policy's fields."""


@dataclass(frozen=True)
class RunRecord:
    """What ``_run.json`` says: whose results a data set holds.

    Parameters
    ----------
    data_set : str
        Version of the layout.
    run : Run
        Model, options and policy.
    manifest : str
        Location of the manifest, without secrets.
    manifest_sha256 : str
        Its digest (`ManifestTable.sha256`).
    n_rows, n_shards : int
        Its size.
    site_key : str
        Hash of the key of the sites; empty where none is used.
    """

    data_set: str
    run: Run
    manifest: str
    manifest_sha256: str
    n_rows: int
    n_shards: int
    site_key: str


def read_run(store: Store) -> RunRecord | None:
    """Read whose results a data set holds.

    Parameters
    ----------
    store : Store
        The data set.

    Returns
    -------
    RunRecord or None
        The record; None where there is none.

    Raises
    ------
    ArchiveError
        The record is damaged or of another version.
    """
    content = store.read(RUN_NAME)
    if content is None:
        return None
    try:
        return strict_json.decode(content, RunRecord)
    except strict_json.StrictJsonError as error:
        raise ArchiveError(
            f"'{locations.shown(store.location(RUN_NAME))}' is damaged or of another version ({error}); restore it from a "
            "copy, or read the manifest into another place"
        ) from error


def differences(earlier: RunRecord, run: Run, manifest: str, site_key: str) -> Iterator[str]:
    """Say in what a run differs from that of a data set.

    Parameters
    ----------
    earlier : RunRecord
        The run of the data set.
    run : Run
        The other one.
    manifest : str
        Location of its manifest, without secrets.
    site_key : str
        Hash of its key of the sites; empty where none is used.

    Yields
    ------
    str
        Such as "another model" or "other options (--maps)".
    """
    if earlier.run.model != run.model:
        yield f"another model ({earlier.run.model.name})"
    options = [*differing_options(earlier.run, run), *differing_site_keys(earlier.site_key, site_key)]
    if options:
        yield f"other options ({', '.join(options)})"
    if earlier.manifest != manifest:
        yield f"another manifest ('{earlier.manifest}')"
    if earlier.data_set != result_table.VERSION:
        yield "another version"


def differing_options(earlier: Run, run: Run) -> list[str]:
    """Name the options in which two runs differ.

    Parameters
    ----------
    earlier, run : Run
        The runs.

    Returns
    -------
    list of str
        The options, such as ``--maps``.
    """
    return [*_differing(Options, earlier.options, run.options), *_differing(AcceptancePolicy, earlier.policy, run.policy)]


def _differing(kind: type[Options] | type[AcceptancePolicy], earlier: object, now: object) -> Iterator[str]:
    for field in fields(kind):
        if getattr(earlier, field.name) != getattr(now, field.name):
            yield f"--{_OPTION_NAMES.get(field.name, field.name.replace('_', '-'))}"


def differing_site_keys(earlier: str, now: str) -> list[str]:
    """Say how the secrets of the sites of two runs differ.

    Parameters
    ----------
    earlier, now : str
        Hashes of the secrets; empty where none is used.

    Returns
    -------
    list of str
        One text, or none where they are the same.
    """
    if earlier == now:
        return []
    return ["another --site-key" if earlier and now else f"{'with' if earlier else 'without'} --site-key"]
