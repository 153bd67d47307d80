"""Explain a score as a `Heatmap` on the radiograph's own grid. The verbs, in `gradcam`, need PyTorch."""

from pneumoscope.heatmap.heatmap import Heatmap

__all__ = ["Heatmap"]
