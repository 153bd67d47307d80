"""The command ``pneumoscope``: its verbs, and what an error looks like to a user."""

import errno
import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import click

from pneumoscope import DISCLAIMER, MissingExtraError, PneumoscopeError, __version__, program
from pneumoscope.printable import printable

USER_MISTAKE, SOME_FILES_FAILED = 2, 1


@dataclass(frozen=True)
class _Verb:
    """Where a verb lives, loaded when it is called so that reading never waits for PyTorch."""

    module: str
    extra: str
    help: str


VERBS: Mapping[str, _Verb] = MappingProxyType(
    {
        "demo": _Verb("demo", "", "Read the sixteen shipped radiographs and write a report."),
        "read": _Verb("read", "", "Read radiographs: probability, decision, findings, heat map."),
        "archive": _Verb("archive", "scale", "Read archives of any size into a Parquet data set, on one or many machines."),
        "serve": _Verb("serve", "serve", "Open radiographs in a viewer in the browser; HTTP API."),
        "cohort": _Verb("cohort", "evaluate", "Build, split and audit a cohort of radiographs."),
        "train": _Verb("train", "train", "Train a classifier from a split cohort."),
        "train-lungs": _Verb("train_lungs", "train", "Train the network that finds lung fields."),
        "calibrate": _Verb("calibrate", "train", "Fix threshold, calibration and domain limit for children or adults."),
        "evaluate": _Verb("evaluate", "evaluate", "Measure a model on a part of a split, with intervals."),
        "localize": _Verb("localize", "evaluate", "Measure heat maps: regions, chance, lungs, intervention."),
        "calibrate-severity": _Verb("calibrate_severity", "evaluate", "Fix the severity scale of a model on tune."),
        "compare": _Verb("compare", "train", "Train backbones under the same conditions and compare them."),
        "study": _Verb("study", "study", "Plan, run and analyse reader studies; analyse any table of readings."),
        "node": _Verb("node", "node", "Run a DICOM node beside a PACS: images in, results out."),
        "app": _Verb("app", "app", "Build the offline reader for phones."),
        "export": _Verb("export", "train", "Turn a checkpoint into a bundle that reads without PyTorch."),
    }
)


class _Group(click.Group):
    """A group that imports a verb's module when the verb is called, and names the missing extra if that fails."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            near = get_close_matches(cmd_name, VERBS, n=2)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no verb '{cmd_name}'.{hint} The verbs are {', '.join(VERBS)}.", ctx)
        verb = VERBS[cmd_name]
        try:
            command = importlib.import_module(f"pneumoscope.cli.{verb.module}").command
        except ModuleNotFoundError as error:
            if not verb.extra or (error.name or "").startswith("pneumoscope"):
                raise
            raise MissingExtraError(f"pneumoscope {cmd_name}", verb.extra) from error
        assert isinstance(command, click.Command)
        program.raise_when_interrupted()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"Pneumoscope reads chest X-rays for pneumonia and shows where.\n\n{DISCLAIMER}",
)
@click.version_option(__version__)
def pneumoscope() -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command within a Python program.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments after the command's name; those of the process by default.

    Returns
    -------
    int
        Exit code: 0; 2 for a user's mistake, 1 where some files failed, 130 when interrupted.
    """
    try:
        result = pneumoscope.main(arguments, prog_name="pneumoscope", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return USER_MISTAKE
    except PneumoscopeError as error:
        return _complain(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has left; nothing is to be said to anyone
        return SOME_FILES_FAILED
    except OSError as error:
        return _complain(_system(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo(program.interrupted(), err=True)
        return program.INTERRUPTED


def _complain(message: str) -> int:
    click.echo(f"pneumoscope: {printable(message)}", err=True)
    return USER_MISTAKE


def _system(error: OSError) -> str:
    where = f" at '{error.filename}'" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}; finished results are kept: make room and {program.again()}"
    return f"{(error.strerror or str(error)).lower()}{where}; check the path and its permissions"


def entry() -> None:
    """Run the command as a program: a termination signal interrupts it as Ctrl-C does, so that it says how to go on."""
    program.open_standard_streams()
    program.end_when_interrupted()
    sys.exit(main())
