"""How a pixel's gradient is shared by the orientations of HOG.

K = `orientations` bins from 0 to 180 degrees; directed, bins 0 .. 2 K, bin q at the angle
-pi + q pi / K. A rule takes the gradient (gx, gy), (B, H, W) each, and yields shares of it.
"""

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

Share = tuple[Tensor, Tensor, int]  # a bin of each pixel, its value, what to add to the bin


def length(gx: Tensor, gy: Tensor) -> Tensor:
    """|g|, the length of the gradient; where it is 0 it passes no gradient itself."""
    squares = gx * gx + gy * gy
    tiny = torch.finfo(squares.dtype).tiny  # an even power of 2: its root is exact
    return squares.clamp(min=tiny).sqrt() - math.sqrt(tiny)


def angle(gx: Tensor, gy: Tensor) -> Tensor:
    """The gradient's angle in [-pi, pi], y down; 0 where there is no gradient."""
    flat = gx * gx + gy * gy < torch.finfo(gx.dtype).tiny
    return torch.atan2(gy.masked_fill(flat, 0.0), gx.masked_fill(flat, 1.0))


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
    """table[index], by the faster of torch's ways."""
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
