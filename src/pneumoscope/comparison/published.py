"""The figures of Shahi & Bagale 2025 (arXiv 2511.00456, CC BY 4.0), to be compared with those of a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SOURCE = "Shahi & Bagale 2025, arXiv 2511.00456"
DIFFERENCES = (
    "The published test set is another draw from all 5,856 images (906 images, 237 of them normal): the test images differ.",
    "The published decisions are at the larger of the two outputs; those here are at thresholds fixed on tune.",
    "The published training balances the classes twice, by sampling and in the loss, selects the epoch by tune accuracy and "
    "reports no intervals.",
)


@dataclass(frozen=True)
class Published:
    """Figures as printed.

    Parameters
    ----------
    roc_auc, pr_auc
        Areas under the curves, in [0, 1].
    confusion
        TN, FP, FN, TP at the larger of the two outputs.
    """

    roc_auc: float
    pr_auc: float
    confusion: tuple[int, int, int, int]

    @property
    def accuracy(self) -> float:
        """Share of right decisions, in [0, 1]."""
        tn, _, _, tp = self.confusion
        return (tn + tp) / sum(self.confusion)

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and PPV, in [0, 1]."""
        _, fp, fn, tp = self.confusion
        return 2 * tp / (2 * tp + fp + fn)

    @property
    def printed(self) -> dict[str, str]:
        """By figure, with as many decimals as were printed."""
        return {
            "ROC-AUC": f"{self.roc_auc:.4f}",
            "PR-AUC": f"{self.pr_auc:.4f}",
            "accuracy": f"{self.accuracy:.3f}",
            "F1": f"{self.f1:.3f}",
        }


PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "resnet18": Published(0.9971, 0.9990, (227, 10, 7, 662)),
        "resnet50": Published(0.9952, 0.9983, (222, 15, 17, 652)),
        "efficientnet_b0": Published(0.9971, 0.9989, (229, 8, 11, 658)),
        "mobilenet_v2": Published(0.9946, 0.9980, (225, 12, 14, 655)),
        "mobilenet_v3_large": Published(0.9971, 0.9990, (230, 7, 17, 652)),
        "vit_b_16": Published(0.9947, 0.9981, (226, 11, 13, 656)),
    }
)
"""By backbone; no test figure of DenseNet-121 was printed."""
PRINTED = ("ROC-AUC", "PR-AUC", "accuracy", "F1")
