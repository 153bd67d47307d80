"""The command line of the full comparison; see the package's docstring."""

from pathlib import Path

import click
import torch

from full_comparison import run


@click.group()
def main() -> None:
    """Pack a cohort, train all backbones on an accelerator within a budget, measure, and write the page."""


def _options(command: click.Command) -> click.Command:
    for option in reversed(
        (
            click.argument("archive", type=click.Path(exists=True, file_okay=False, path_type=Path)),
            click.option("--weights", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True),
            click.option("-o", "--out", type=click.Path(path_type=Path), required=True),
            click.option("--work", type=click.Path(path_type=Path), default=Path("full-comparison-work"), show_default=True),
            click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default="cuda, else cpu"),
            click.option("--workers", default=3, show_default=True),
            click.option("--minutes", default=9.0, show_default=True),
            click.option("--side-px", default=224, show_default=True),
            click.option("--batch", default=64, show_default=True),
            click.option("--few", default=0, help="Train on so many images only, to try the script."),
            click.option("--most-epochs", default=0, help="At most so many epochs, to try the script."),
            click.option("--only", multiple=True, help="A backbone; may be repeated."),
            click.option("--benchmark/--no-benchmark", default=False, show_default=True, help="Let cuDNN try its algorithms."),
            click.option("--graph/--no-graph", default=True, show_default=True, help="Capture steps as CUDA graphs."),
        )
    ):
        command = option(command)
    return command


def _asked(options: dict[str, object]) -> run.Asked:
    work = options.pop("work")
    assert isinstance(work, Path)
    return run.Asked(prepared=work / "prepared", work=work / "trainings", **options)  # type: ignore[arg-type]  # by click


@main.command()
@_options  # type: ignore[arg-type]  # options of a function that becomes a command
def train(**options: object) -> None:
    """Train what the budget holds and leave predictions, maps, records and weights in OUT; resumes by training."""
    run.train(_asked(options))


@main.command()
@_options  # type: ignore[arg-type]
def probe(**options: object) -> None:
    """Take a few steps of every backbone, to see that it works on this device and how fast."""
    run.probe(_asked(options))


if __name__ == "__main__":
    main()
