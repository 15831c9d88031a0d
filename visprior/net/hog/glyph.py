"""The usual picture of HOG: a star of strokes in every cell."""

import math

import numpy as np
import torch
from torch import Tensor

_HALF_LENGTH, _HALF_WIDTH = 0.92, 0.06  # of a stroke, in halves of a cell


def glyph(undirected: Tensor, side: int = 16) -> np.ndarray:
    """(K, rows, columns) values of undirected orientations -> (rows side, columns side) uint8.

    A stroke lies across the gradient, so along the edge; its grey is its value, white the largest
    of the picture's. Where strokes meet the brighter one shows.
    """
    u = undirected.detach().to("cpu", torch.float32).clamp(min=0)
    u = u / u.max().clamp(min=1e-12)
    orientations, rows, columns = u.shape
    cells = torch.zeros(rows, side, columns, side)
    for value, stroke in zip(u, _strokes(orientations, side), strict=True):
        cells = torch.maximum(cells, value[:, None, :, None] * stroke[None, :, None, :])
    picture = cells.view(rows * side, columns * side) * 255
    return picture.round().to(torch.uint8).numpy()


def _strokes(orientations: int, side: int) -> Tensor:
    """(K, side, side) with smooth borders; stroke k is at right angles to k pi / K, y down."""
    line = (torch.arange(side) + 0.5) * (2 / side) - 1
    y, x = line[:, None], line[None, :]
    angles = torch.arange(orientations)[:, None, None] * (math.pi / orientations)
    along = (angles.cos() * y - angles.sin() * x).abs()
    across = (angles.cos() * x + angles.sin() * y).abs()
    pixel = 2 / side
    width = max(_HALF_WIDTH, pixel)  # two pixels at least, so that upright ones are not grey
    inside = ((width - across) / pixel + 0.5).clamp(0, 1)
    return inside * ((_HALF_LENGTH - along) / pixel + 0.5).clamp(0, 1)
