"""From an image to the orientation histograms of HOG's cells."""

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional


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


def length(gx: Tensor, gy: Tensor) -> Tensor:
    """|g|. Where it is zero no gradient flows."""
    squares = gx * gx + gy * gy
    tiny = torch.finfo(squares.dtype).tiny  # an even power of 2: its root is exact
    return squares.clamp(min=tiny).sqrt() - math.sqrt(tiny)


def angle(gx: Tensor, gy: Tensor) -> Tensor:
    """In [-pi, pi], y down. Where there is no gradient it is zero, and passes none."""
    flat = gx * gx + gy * gy < torch.finfo(gx.dtype).tiny
    return torch.atan2(gy.masked_fill(flat, 0.0), gx.masked_fill(flat, 1.0))


Share = tuple[Tensor, Tensor, int]  # bin at the angle -pi + q pi / orientations, value, its shift


def hard(gx: Tensor, gy: Tensor, orientations: int) -> Iterator[Share]:
    """The whole length to the nearest orientation; that choice passes no gradient.

    The nearest is where VLFeat's hog.c finds it: at the largest |<g, u_k>|, k < K, of products and
    directions u_k in single precision, and of equal ones at the lowest k. Whole grey levels have
    many: upright gradients lie midway between two of an odd number of orientations, diagonal ones
    between two of 2, 6, 10, ... Only the two orientations around the angle are compared.
    """
    x, y = gx.detach().float(), gy.detach().float()
    cos, sin, backwards = _directions(orientations, x.device)
    turn = torch.atan2(y, x) * (orientations / math.pi) + orientations
    # The clamp keeps gradients that are not finite inside.
    lower = turn.int().clamp(0, 2 * orientations - 1)
    scores = [x * _at(cos[i:], lower) + y * _at(sin[i:], lower) for i in (0, 1)]
    upper = (scores[1] > scores[0]) | ((scores[1] == scores[0]) & _at(backwards, lower))
    yield lower + upper, length(gx, gy), 0


@cache
def _directions(orientations: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """cos and sin of bins 0..2 K, and whether k falls from a bin to the next, from K - 1 to 0."""
    angles = [k * math.pi / orientations for k in range(orientations)]
    half = torch.tensor([[math.cos(a), math.sin(a)] for a in angles])
    # Bins are counted from -pi. Opposite ones must be so to the last bit.
    cos, sin = torch.cat([-half, half, -half[:1]]).to(device).unbind(1)
    falls = [q % orientations == orientations - 1 for q in range(2 * orientations)]
    return cos.contiguous(), sin.contiguous(), torch.tensor(falls, device=device)


def _at(table: Tensor, index: Tensor) -> Tensor:
    """table[index], faster."""
    return table.index_select(0, index.flatten()).view_as(index)


def straight_through(through: float, gx: Tensor, gy: Tensor, orientations: int) -> Iterator[Share]:
    """hard, with a share of bilinear's gradient in its own, which does not know of orientation.

    A straight-through estimator (Bengio et al. 2013); the values are hard's.
    """
    for q, value, shift in hard(gx, gy, orientations):
        yield q, value.detach() + (1 - through) * (value - value.detach()), shift
    for q, value, shift in bilinear(gx, gy, orientations):
        yield q, through * (value - value.detach()), shift


def hard_rounded(gx: Tensor, gy: Tensor, orientations: int) -> Iterator[Share]:
    """As hard, with directions rounded to four decimals and compared by products (DPM v5)."""
    x, y = gx.detach(), gy.detach()
    best, found = torch.full_like(x, -1.0), torch.zeros_like(x)
    for k in range(orientations):
        at = k * math.pi / orientations
        score = x * round(math.cos(at), 4) + y * round(math.sin(at), 4)
        larger = score.abs() > best
        best = torch.maximum(best, score.abs())
        opposite = (score > 0) * orientations + k  # bins are counted from -pi
        found = torch.where(larger, opposite.to(x.dtype), found)
    yield found, length(gx, gy), 0


def bilinear(gx: Tensor, gy: Tensor, orientations: int) -> Iterator[Share]:
    """The length between the two nearest orientations, linearly in the angle.

    VLFeat takes the angle as the arc cosine of |<g, u_k>| / |g| in single precision, which close to
    0 has an error of up to 3e-4: its features of photographs differ by as much as 3e-4 for nine
    orientations (cells of 8 pixels), 2e-3 for 12. The arctangent here is right, and differentiable.
    """
    position = angle(gx, gy) * (orientations / math.pi) + orientations
    lower = position.detach().floor()
    size = length(gx, gy)
    upper = size * (position - lower)
    yield lower, size - upper, 0
    yield lower, upper, 1


def relu(gx: Tensor, gy: Tensor, orientations: int) -> Iterator[Share]:
    """max(0, <g, u_k> - a |g|) / (1 - a), a = cos(pi / orientations).

    Mahendran & Vedaldi 2016, section 4.1: bilinear binning out of what a CNN has. Only the two
    nearest bins are not zero: |g| (cos(angle to u_k) - a) / (1 - a). Midway between two bins that
    is more than bilinear binning's |g| / 2, by a quarter of |g| for nine orientations.
    """
    step = math.pi / orientations
    position = angle(gx, gy) / step + orientations
    lower = position.detach().floor()
    away, a, size = (position - lower) * step, math.cos(step), length(gx, gy)
    yield lower, size * ((away.cos() - a) / (1 - a)), 0
    yield lower, size * (((step - away).cos() - a) / (1 - a)), 1


BINNINGS = {"hard": hard, "bilinear": bilinear, "relu": relu}


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
    value: Tensor,
    index: Tensor,
    first: int,
    cell: int,
    grid: tuple[int, int],
    orientations: int,
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
