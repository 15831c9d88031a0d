"""From an image to the orientation histograms of HOG's cells."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from visprior.net.hog.binning import Share


def interior(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences (right - left, below - above) at all but the frame's pixels, not halved."""
    return x[..., 1:-1, 2:] - x[..., 1:-1, :-2], x[..., 2:, 1:-1] - x[..., :-2, 1:-1]


def padded(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences at every pixel; there is black around the image (the paper's network)."""
    return interior(functional.pad(x, (1, 1, 1, 1)))


def visible(x: Tensor, cell: int, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Differences inside grid x cell pixels; where these exceed the image the last ones repeat.

    As DPM v5's features.cc has them.
    """
    rows, columns = (n * cell - 2 for n in grid)
    gx, gy = (g[..., :rows, :columns] for g in interior(x))
    missing = (0, columns - gx.shape[-1], 0, rows - gx.shape[-2])
    gx, gy = (functional.pad(g, missing, mode="replicate") for g in (gx, gy))
    return gx, gy


def strongest(gx: Tensor, gy: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) -> (B, H, W): per pixel the channel of the largest gradient, ties the first."""
    x, y = gx[:, 0], gy[:, 0]
    for other_x, other_y in zip(gx.unbind(1)[1:], gy.unbind(1)[1:], strict=True):
        larger = other_x * other_x + other_y * other_y > x * x + y * y
        x, y = torch.where(larger, other_x, x), torch.where(larger, other_y, y)
    return x, y


def histograms(
    shares: Iterator[Share], first: int, cell: int, grid: tuple[int, int], orientations: int
) -> Tensor:
    """Directed histograms of cells, (B, 2 orientations, rows, columns).

    A pixel at y lies at h = (y + 0.5) / cell - 0.5 and gives max(0, 1 - |h - i|) of itself to cell
    row i, columns alike; what falls outside the grid is lost. Every pixel touches the same four
    corners of the block between cell centres that it lies in: so it is added to its block once per
    corner, and the cells are sums of four blocks' corners.

    Args:
        shares: bins and values of pixels, (B, H, W); a bin's tensor is read once if it comes again.
        first: row and column of the first pixel in the image.
    """
    total: Tensor | int = 0
    last, index = None, None
    for q, value, shift in shares:
        if index is None or q is not last:
            last, index = q, _block_index(q, first, cell, grid, orientations)
        pooled = _corners(value, index, first, cell, grid, orientations)
        pooled = torch.cat([pooled[:, :1] + pooled[:, -1:], pooled[:, 1:-1]], 1)  # -pi is pi
        total = total + pooled.roll(orientations + shift, 1)
    assert isinstance(total, Tensor)
    return total


def _block_index(
    q: Tensor, first: int, cell: int, grid: tuple[int, int], orientations: int
) -> Tensor:
    """Where each pixel's block and bin is in (B, 2 orientations + 1, rows + 1, columns + 1)."""
    down, across = grid[0] + 2, grid[1] + 2
    bins = 2 * orientations + 1
    row, column = (
        torch.div(
            torch.arange(n, device=q.device, dtype=torch.int32) + first - cell // 2 + cell,
            cell,
            rounding_mode="floor",
        )
        for n in q.shape[-2:]
    )
    batch = torch.arange(len(q), device=q.device, dtype=torch.int32)[:, None, None]
    corner = (batch * (bins * down) + row[:, None]) * across + column
    # The clamp keeps images that are not finite inside: their cells are not finite either.
    return torch.add(corner, q.int().clamp(0, bins - 1), alpha=down * across).flatten()


def _corners(
    value: Tensor, index: Tensor, first: int, cell: int, grid: tuple[int, int], orientations: int
) -> Tensor:
    """The four corners of all blocks added up: (B, 2 orientations + 1, rows, columns)."""
    rows, columns = grid
    shape = (len(value), 2 * orientations + 1, rows + 2, columns + 2)
    fy, fx = (
        (torch.arange(n, device=value.device, dtype=value.dtype) + (first + 0.5 + cell / 2)) / cell
        for n in value.shape[-2:]
    )
    fy, fx = (fy - fy.floor())[:, None], fx - fx.floor()
    below, above = value * fy, value * (1 - fy)
    total: Tensor | int = 0
    for part, top in ((above, 1), (below, 0)):
        for weight, left in ((1 - fx, 1), (fx, 0)):
            blocks = value.new_zeros(math.prod(shape))
            blocks = _add(blocks, index, (part * weight).flatten()).view(shape)
            total = total + blocks[..., top : top + rows, left : left + columns]
    assert isinstance(total, Tensor)
    return total


def _add(total: Tensor, index: Tensor, values: Tensor) -> Tensor:
    """total + values where index says, always to the same bits.

    On GPUs index_add adds in any order; index_put sorts first. On CPUs index_add is in order, and
    faster.
    """
    if values.is_cuda:
        return total.index_put((index.long(),), values, accumulate=True)
    return total.index_add(0, index, values)
