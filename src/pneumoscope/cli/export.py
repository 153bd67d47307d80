"""``pneumoscope export``: export a checkpoint as a bundle."""

from pathlib import Path
from typing import Literal, cast

import click
import numpy as np

from pneumoscope import radiograph
from pneumoscope.classifier.checkpoint import load
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.cohort import table
from pneumoscope.cohort.sample import sample
from pneumoscope.export import browser, native
from pneumoscope.export.bundled_weights import classifier_of
from pneumoscope.export.errors import ExportError
from pneumoscope.export.graph import Tune, export
from pneumoscope.export.renewal import renew
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader.bundle import GRAPH_NAME

_PAYS = 1.05  # speed-ups below this factor are within the timing noise


@click.command("export")
@click.argument("model", type=ModelFolder())
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the bundle; must not exist.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["bundle", "browser", "litert", "executorch"]),
    default="bundle",
    show_default=True,
    help="bundle: for Pneumoscope; browser: the graph and a small card; litert, executorch: for phones (extra 'mobile').",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
    help="fp16: weights in half precision; int8: later convolutions in 8 bits. Both must agree with fp32, see above.",
)
@click.option(
    "--cohort",
    "cohort_",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Split cohort of the model, required for fp16 and int8; they are compared with fp32 on its tune split.",
)
def command(model: Path, out: Path, format_: str, precision: Literal["fp32", "fp16", "int8"], cohort_: Path | None) -> None:
    """Export a checkpoint as a bundle: an ONNX graph from radiograph to lung fields, answer and heat maps, with its card.

    The bundle is written only if all outputs agree with PyTorch on the sixteen shipped radiographs. In fp16 and int8, the
    readings of the tune split must also agree with fp32: ROC-AUC may change by at most 0.003, at least 99 % of the decisions
    must be equal, and the mean correlation of the heat maps must be at least 0.97.

    If MODEL is a bundle, it is rewritten in the present format with the weights of its graph and in its precision. It is written
    only if the outputs of both graphs agree on the shipped radiographs.

    The other formats have all parts of the bundle in one file, with client.json, a small card for programs that show its outputs.
    browser needs a bundle in fp32; litert and executorch take a checkpoint, or a bundle in fp32 with an evidence head, such as
    the shipped one. Each file is written only if its probability, scaled heat maps and lung box agree on the shipped
    radiographs, with PyTorch or the bundle, within 1e-4 (fp16: 1e-2).
    """
    with sample() as cohort:
        proof = [radiograph.read(cohort.file(c)) for c in cohort.cases]
    if format_ != "bundle":
        _for_clients(model, out, proof, format_, precision)
        return
    if (model / GRAPH_NAME).is_file():
        _renew(model, out, proof, precision, cohort_)
        return
    classifier = load(model)
    tune = _tune(cohort_, classifier.card.split_sha256) if cohort_ else None
    click.echo("converting the network to ONNX; this takes about half a minute", err=True)
    card = export(classifier, out, proof, precision=precision, tune=tune)
    proven = card.results["export"]
    worst = max(proven["outputs"].items(), key=lambda item: item[1]["graph"] / item[1]["allowed"] if item[1]["allowed"] else 0)
    click.echo(
        f"on {proven['images']} radiographs all {len(proven['outputs'])} outputs agree with PyTorch; the closest to its bound is "
        f"'{worst[0]}', {worst[1]['graph']:.1e} of {worst[1]['allowed']:.1e}; heat maps by {', '.join(card.map_scales)}; "
        f"bundle: {out}"
    )
    cost = card.results["cost"]
    size, taken = cost["bytes"], cost["ms"]
    click.echo(f"{precision}: {size[precision] / 1e6:.1f} MB, {taken[precision]:.1f} ms per radiograph on {cost['cores']} cores")
    if smaller := card.results.get("precision"):
        faster = taken["fp32"] / taken[precision]
        click.echo(
            f"compared with fp32: {size[precision] / size['fp32']:.0%} of the size, {faster:.2f} times as fast"
            f"{'' if faster > _PAYS else ' (only the size is smaller)'}; on {smaller['images']} tune radiographs "
            f"ROC-AUC changes by {smaller['auc_difference']:+.4f}, {smaller['decisions']:.1%} of the decisions agree, "
            f"maps correlate by {smaller['map_correlation']:.3f}"
        )


def _for_clients(model: Path, out: Path, proof: list[Radiograph], format_: str, precision: str) -> None:
    if precision == "int8":
        raise ExportError(f"{format_} files are exported in fp32 or fp16; export a bundle for int8")
    of_bundle = (model / GRAPH_NAME).is_file()
    if format_ == "browser" and not of_bundle:
        raise ExportError(f"the format browser needs a bundle, and '{model}' is none; export the checkpoint as one")
    small = cast(Literal["fp32", "fp16"], precision)
    if format_ == "browser":
        card = browser.write(model, out, proof, small)
    else:
        classifier = classifier_of(model, proof) if of_bundle else load(model)
        card = native.export(classifier, out, proof, cast(native.Runtime, format_), small)
    outputs = card["parity"]["outputs"]
    size = (out / card["file"]).stat().st_size
    click.echo(
        f"{format_}, {precision}: {size / 1e6:.1f} MB; on {len(proof)} radiographs the probability differs by at most "
        f"{outputs['probability']:.1e}, the heat map by {outputs[card['map']['output']]:.1e}; files: {out}"
    )


def _renew(model: Path, out: Path, proof: list[Radiograph], precision: str, cohort: Path | None) -> None:
    if precision != "fp32" or cohort is not None:
        raise ExportError(
            f"'{model}' is a bundle, which keeps its precision; leave out --precision and --cohort, or give a checkpoint"
        )
    card = renew(model, out, proof)
    renewal = card.results["renewal"]
    worst = max(renewal["differences"].items(), key=lambda item: item[1])
    click.echo(
        f"on {renewal['images']} radiographs both graphs agree; the largest difference is {worst[1]:.1e}, of '{worst[0]}'; "
        f"bundle: {out}"
    )


def _tune(path: Path, split_sha256: str) -> Tune:
    cohort = table.read(path)
    if cohort.partition is None or cohort.partition.sha256 != split_sha256:
        raise ExportError(
            f"the model was trained with split {split_sha256[:12]}, but '{path}' has another split; give the cohort of the model"
        )
    cases = cohort.on("tune")
    return Tune([radiograph.read(cohort.file(c)) for c in cases], np.array([c.reference for c in cases]))
