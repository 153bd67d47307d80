"""Explain scores with heat maps on the radiograph's grid. `Heatmap` needs no PyTorch; all modules but `heatmap` need it."""

from pneumoscope.heatmap.heatmap import Heatmap

__all__ = ["Heatmap"]
