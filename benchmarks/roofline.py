"""Compare the arithmetic rate of an explained graph with that of a large matrix product, the most that the cores can do.

    python benchmarks/roofline.py [--backbones resnet18 resnet50] [--batches 1 16] [--rounds 9] [--json FILE]

The graph is the network with its Grad-CAM maps, run by ONNX Runtime as in `explain.py`. Only the multiplications and additions of
the network are counted, not those of the maps. The product is of square single-precision matrices, by NumPy and by PyTorch; the
fastest of all sizes is taken. All methods take turns, with as many threads as cores.
"""

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from explain import CLASSES, SIDE, graph, network
from measuring import CORES, interleaved, machine, median_ratio, parser, table, write
from torch.utils.flop_counter import FlopCounterMode

from pneumoscope.classifier.network import Network
from pneumoscope.export.explained_head import explained
from pneumoscope.heatmap.heatmap import GRAD_CAM
from pneumoscope.reader.bundle import LOGITS

SIZES = (512, 1024, 2048, 3072)


def operations(net: Network) -> int:
    """Count the multiplications and additions for the score of one image, in convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.rand(1, 1, SIDE, SIDE))
    return int(counter.get_total_flops())


def products(sizes: Sequence[int]) -> dict[str, tuple[int, Callable[[], object]]]:
    """Make matrix products, by name, with the number of their operations."""
    made: dict[str, tuple[int, Callable[[], object]]] = {}
    for size in sizes:
        a, b = torch.rand(size, size), torch.rand(size, size)
        out = torch.empty(size, size)
        made[f"torch {size}"] = 2 * size**3, partial(torch.mm, a, b, out=out)
        made[f"numpy {size}"] = 2 * size**3, partial(np.matmul, a.numpy(), b.numpy(), out.numpy())
    return made


def compare(name: str, batches: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """Make one row for each batch size."""
    net = network(name)
    module, methods = explained(net, CLASSES, SIDE)
    ours = graph(module, [LOGITS, "features", *methods], [LOGITS, GRAD_CAM])
    work, rows = operations(net), []
    for batch in batches:
        array = np.random.default_rng(0).random((batch, 1, SIDE, SIDE), np.float32)
        multiplied = products(SIZES)
        ways: dict[str, Callable[[], object]] = {
            "ours": partial(ours, array),
            **{key: way for key, (_, way) in multiplied.items()},
        }
        times = interleaved(ways, rounds)
        rates = {key: [count / t / 1e9 for t in times[key]] for key, (count, _) in multiplied.items()}
        best = max(rates, key=lambda key: statistics.median(rates[key]))
        own = [batch * work / t / 1e9 for t in times["ours"]]
        rows.append(
            {
                "backbone": name,
                "batch": batch,
                "GFLOP an image": work / 1e9,
                "ours GFLOP/s": statistics.median(own),
                "best product GFLOP/s": statistics.median(rates[best]),
                "best product": best,
                "ours/product": median_ratio(own, rates[best]),
            }
        )
    return rows


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--backbones", nargs="+", default=["resnet18", "resnet50"], metavar="NAME")
    arguments.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    arguments.add_argument("--rounds", type=int, default=9)
    asked = arguments.parse_args()
    torch.set_num_threads(CORES)
    about = {"machine": machine("torch", "onnxruntime", "numpy"), "rounds": asked.rounds}
    rows = [row for name in asked.backbones for row in compare(name, asked.batches, asked.rounds)]
    print(", ".join(f"{key} {value}" for key, value in about["machine"].items()) + f"; {asked.rounds} rounds")
    print(table(rows))
    write(asked.json, {**about, "rows": rows})


if __name__ == "__main__":
    main()
