"""Heat maps whose values are given pixel by pixel."""

import numpy as np

from pneumoscope.heatmap import Heatmap
from pneumoscope.radiograph import Placement, Region


def heatmap_of(values, threshold: float = 0.5, scale: float = 1.0) -> Heatmap:
    """A Grad-CAM map for pneumonia with one cell a pixel, so that `values` are those on the radiograph."""
    cells = np.asarray(values, np.float32)
    rows, cols = cells.shape
    placement = Placement(rows, cols, Region(0.0, 0.0, float(rows), float(cols)), max(rows, cols))
    return Heatmap(cells, placement, "pneumonia", "grad-cam", "features", scale, threshold)
