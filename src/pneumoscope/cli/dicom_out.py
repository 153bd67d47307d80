"""Options of ``pneumoscope read`` that write readings as DICOM objects."""

import importlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from pneumoscope import MissingExtraError
from pneumoscope.archive import Item
from pneumoscope.archive.outputs import FurtherFiles, further_folder

KINDS = ("sr", "seg", "pm", "sc", "gsps")
PROFILES = ("ohif", "air", "orthanc", "plain")
ALL = "profile"
_PROFILE, _SEGMENTATION, _PARAMETRIC_MAP = "plain", "binary", "full"
"""Defaults of the options that concern objects."""
KEY_NAME = "deidentification.key"
"""Secret of the de-identified UIDs of an output folder, which a resumed run needs again."""
_Command = TypeVar("_Command", bound=Callable[..., object])


class _Kinds(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """A list of kinds, with commas between them."""

    name = "kinds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        named = tuple(part.strip().lower() for part in str(value).split(","))
        unknown = [part for part in named if part not in (*KINDS, ALL)]
        if unknown:
            self.fail(f"'{unknown[0]}' is no kind of DICOM object; the kinds are {', '.join(KINDS)}, or '{ALL}'", param, ctx)
        return named


def dicom_options(command: _Command) -> _Command:
    """Add the options to a command.

    Parameters
    ----------
    command : callable
        The function of the command.

    Returns
    -------
    callable
        The function with the options.
    """
    for option in (
        click.option(
            "--deidentify",
            is_flag=True,
            help="Write the DICOM objects, and a copy of each source (source.dcm), without identity: PS3.15 Basic Profile. "
            "Text burned into the pixels stays.",
        ),
        click.option(
            "--segmentation",
            type=click.Choice(["binary", "labelmap"]),
            default=_SEGMENTATION,
            show_default=True,
            help="Form of the DICOM Segmentation; few viewers know labelmap yet.",
        ),
        click.option(
            "--parametric-map",
            type=click.Choice(["full", "deflated"]),
            default=_PARAMETRIC_MAP,
            show_default=True,
            help="Form of the DICOM Parametric Map: deflated has values rounded to 1/1024 and is 50 times smaller; the receiver "
            "has to know Deflated Explicit VR Little Endian.",
        ),
        click.option(
            "--profile",
            type=click.Choice(PROFILES),
            default=_PROFILE,
            show_default=True,
            help="System that the DICOM objects are for; it chooses their classes.",
        ),
        click.option(
            "--dicom-out",
            type=_Kinds(),
            metavar="KINDS",
            help=f"Write OUT/objects/<path>/KIND.dcm: {', '.join(KINDS)} with commas between them, or '{ALL}' for those that the "
            "profile shows.",
        ),
    ):
        command = option(command)
    return command


def further_files(
    kinds: tuple[str, ...] | None,
    profile: str,
    segmentation: str,
    parametric_map: str,
    deidentify: bool,
    out: Path,
    sources: Iterable[Path],
) -> FurtherFiles | None:
    """Make what writes the objects that were asked for.

    Parameters
    ----------
    kinds : tuple of str, optional
        The kinds; None where no objects were asked for.
    profile : str
        The profile.
    segmentation : {"binary", "labelmap"}
        Form of the Segmentation.
    parametric_map : {"full", "deflated"}
        Form of the Parametric Map.
    deidentify : bool
        Whether objects have no identity.
    out : Path
        The output folder, which keeps the key of de-identified UIDs.
    sources : iterable of Path
        The files that are read, in their order.

    Returns
    -------
    FurtherFiles or None
        None where no objects were asked for.

    Raises
    ------
    UsageError
        An option without effect: without objects, or without the object that it concerns.
    MissingExtraError
        The packages are not installed.
    """
    if kinds is None:
        _refuse_without_objects(profile, segmentation, parametric_map, deidentify)
        return None
    files = _files()
    chosen = files.Profile(profile)
    asked = tuple(kind for kind in KINDS if kind in kinds or (ALL in kinds and kind in chosen.kinds))
    _refuse_without_kind(asked, segmentation, parametric_map)
    repeated = importlib.import_module("pneumoscope.dicom_objects.repeated_uids").repeated(sources)
    key, deflated_maps = _key(out) if deidentify else "", parametric_map == "deflated"
    writer = files.ObjectFiles(asked, chosen, key, segmentation.upper(), repeated, deflated_maps)
    return FurtherFiles(writer.setting, writer)


def _refuse_without_objects(profile: str, segmentation: str, parametric_map: str, deidentify: bool) -> None:
    """Refuse options that concern objects where none were asked for."""
    given = {
        "--deidentify": deidentify,
        "--profile": profile != _PROFILE,
        "--segmentation": segmentation != _SEGMENTATION,
        "--parametric-map": parametric_map != _PARAMETRIC_MAP,
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise click.UsageError(f"{option} concerns DICOM objects: give --dicom-out as well")


def _refuse_without_kind(asked: Sequence[str], segmentation: str, parametric_map: str) -> None:
    """Refuse the form of an object that was not asked for."""
    if segmentation != _SEGMENTATION and "seg" not in asked:
        raise click.UsageError("--segmentation concerns the DICOM Segmentation: give seg in --dicom-out as well")
    if parametric_map != _PARAMETRIC_MAP and "pm" not in asked:
        raise click.UsageError("--parametric-map concerns the DICOM Parametric Map: give pm in --dicom-out as well")


def report_omitted(items: Sequence[Item], out: Path) -> None:
    """Print the number of files without an object of a requested kind, with the reason.

    Parameters
    ----------
    items : sequence of Item
        The files.
    out : Path
        The output folder.
    """
    files = _files()
    counts: Counter[str] = Counter()
    for item in items:
        contents = files.contents_of(further_folder(out, item.name))
        counts.update(f"{kind}: {reason}" for kind, reason in contents.omitted.items()) if contents else None
    for text, count in counts.most_common():
        click.echo(f"  {count} without {text}", err=True)


def _files() -> Any:
    """The module that writes objects, whose packages take a second to import and may not be installed."""
    try:
        return importlib.import_module("pneumoscope.dicom_objects.files")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "pneumoscope":
            raise
        raise MissingExtraError("--dicom-out", "dicom") from error


def _key(out: Path) -> str:
    """The secret of an output folder, made at its first use and readable to its owner alone."""
    file = out / KEY_NAME
    if not file.exists():
        out.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32) + "\n", encoding="ascii")
    return file.read_text(encoding="ascii").strip()
