"""``pneumoscope export``: a checkpoint becomes a bundle."""

from pathlib import Path

import click

from pneumoscope import radiograph
from pneumoscope.classifier.checkpoint import load
from pneumoscope.cohort.sample import sample
from pneumoscope.export.graph import export


@click.command("export")
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the bundle; must not exist.")
def command(checkpoint: Path, out: Path) -> None:
    """Turn CHECKPOINT into a bundle: one ONNX graph from radiograph to lung fields, probability and heat maps, and its card.

    The bundle is written only if scores and maps agree with PyTorch on the sixteen shipped radiographs.
    """
    classifier = load(checkpoint)
    click.echo("tracing and converting the graph; this takes about half a minute", err=True)
    with sample() as cohort:
        proof = [radiograph.read(cohort.file(c)) for c in cohort.cases]
    card = export(classifier, out, proof)
    found = card.results["export"]
    click.echo(
        f"on {found['images']} radiographs the largest difference from PyTorch is {found['score']:.1e} in a probability and "
        f"{found['map']:.1e} of a map's maximum; heat maps by {', '.join(card.map_scales)}; bundle: {out}"
    )
