"""Images resampled under a linear map each, with their borders continued."""

import torch
import torch.nn.functional as F
from torch import Tensor

PADDINGS = ["mirror", "reflect", "wrap", "constant"]
_RING = 2  # pixels past the border that an interpolation may reach for


def folded(v: Tensor, size: int, padding: str) -> Tensor:
    """Pixel coordinates of any range as coordinates of a picture of `size` pixels, and its ring.

    mirror repeats the edge (numpy's symmetric), reflect does not; constant ends in the ring.
    """
    if padding == "constant":
        return v.clamp(-_RING, size + _RING - 1)
    if padding == "wrap":
        return v.remainder(size)
    if padding == "reflect":
        return size - 1 - (v.remainder(max(2 * size - 2, 1)) - (size - 1)).abs()
    return size - 0.5 - ((v + 0.5).remainder(2 * size) - size).abs()


def resample(
    x: Tensor, matrix: Tensor, shift: Tensor, padding: str, colour: Tensor, how: str = "bilinear"
) -> Tensor:
    """Output pixel u of image b is x at matrix[b] u + shift[b], (B, C, H, W) -> (B, C, H, W).

    Coordinates are (row, column) in pixels from the middle of the picture. matrix (B, 2, 2), shift
    (B, 2), colour (C,): what constant padding shows. how: bilinear | bicubic. A whole shift is
    exact: grid_sample works on a canvas whose sides are powers of two, where its arithmetic is.
    """
    height, width = x.shape[-2:]
    rows, columns = (_from_middle(n, x) for n in (height, width))
    sides = []
    for i, n in enumerate((height, width)):
        a, b, move = (v[:, None, None] for v in (matrix[:, i, 0], matrix[:, i, 1], shift[:, i]))
        v = (a * rows[:, None] + move) + b * columns + (n - 1) / 2
        sides.append(folded(v, n, padding) + _RING)
    canvas = _ringed(x, padding, colour)
    # grid_sample counts in half sides from the middle of the canvas, columns first.
    grid = torch.stack([(2 * v + 1) / n - 1 for v, n in zip(sides, canvas.shape[-2:], strict=True)])
    grid = grid.flip(0).permute(1, 2, 3, 0)
    return F.grid_sample(canvas, grid, mode=how, padding_mode="border", align_corners=False)


def _from_middle(n: int, like: Tensor) -> Tensor:
    return torch.arange(n, dtype=like.dtype, device=like.device) - (n - 1) / 2


def _ringed(x: Tensor, padding: str, colour: Tensor) -> Tensor:
    """x with a ring of its continuation, at the upper left of a canvas of powers of two."""
    height, width = x.shape[-2:]
    sides = [1 << (n + 2 * _RING - 1).bit_length() for n in (height, width)]
    if padding == "constant":
        canvas = colour[:, None, None].expand(*x.shape[:2], *sides).clone()
        canvas[..., _RING : _RING + height, _RING : _RING + width] = x
        return canvas
    for axis, n in ((-2, height), (-1, width)):
        around = torch.arange(-_RING, n + _RING, device=x.device, dtype=x.dtype)
        x = x.index_select(axis, folded(around, n, padding).long())
    down, across = (side - n for side, n in zip(sides, x.shape[-2:], strict=True))
    return F.pad(x, (0, across, 0, down))
