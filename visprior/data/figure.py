"""The ten classes of shapes10 as signed fields, negative inside, in units of their coordinates.

u, v: (n, H, W), v upwards. A figure has radius 1; a pattern fills the plane in units of half the
image's side. p, q, r: (n, 1, 1) uniforms that shape it. Distances are exact near straight edges and
first-order elsewhere, which is what a one-pixel edge needs.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Field = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def disk(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """|x| - 1, x = (u, v)."""
    return _length(u, v).sub_(1)


def ring(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """| |x| - (1 - w) | - w, x = (u, v), half-width w from 0.11 to 0.23."""
    w = 0.11 + 0.12 * p
    return _length(u, v).sub_(1 - w).abs_().sub_(w)


def triangle(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """The largest of three half-planes; standing on a side, its centre of mass a little up."""
    x = u.abs().mul_(math.sqrt(3) / 2).add_(v, alpha=0.5).sub_(0.5)
    return torch.maximum(x, -0.5 - v)


def star(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """Five tips at radius 1, notches at 0.36 to 0.46, the plane folded into a tenth."""
    notch, tenth = 0.36 + 0.1 * p, math.pi / 5
    angle = torch.atan2(u, v).abs_()  # from the upward tip, 0 to pi
    angle = angle.add_(tenth).remainder_(2 * tenth).sub_(tenth).abs_()
    length = _length(u, v)
    along, across = length * angle.cos(), length * angle.sin()
    # The edge from the tip (1, 0) to the notch at the angle pi / 5.
    x, y = 1 - notch * math.cos(tenth), notch * math.sin(tenth)
    norm = torch.hypot(x, y)
    return along.sub_(1).mul_(y / norm).add_(across.mul_(x / norm))


def cross(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """Two bars of half-width 0.2 to 0.34."""
    a, b = u.abs(), v.abs()
    return torch.maximum(torch.maximum(a, b).sub_(1), torch.minimum(a, b).sub_(0.2 + 0.14 * p))


def spiral(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """An Archimedean arm, |x| = pitch (angle / 2 pi + k), clipped at radius 1; one handedness."""
    pitch = 0.36 + 0.14 * p
    length = _length(u, v)
    turn = torch.atan2(v, u).mul_(1 / (2 * math.pi)).add_(q)
    arm = (length / pitch).add_(turn).remainder_(1).sub_(0.5).abs_().sub_(0.2 + 0.08 * r)
    return torch.maximum(arm.mul_(pitch), length.sub_(1))


def stripes(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """Straight bands of period 0.28 to 0.56, about half of it filled."""
    return _bands(u, 0.28 + 0.28 * p, q, 0.5 + 0.2 * (r - 0.5))


def checkerboard(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """A checkerboard of squares of side 0.2 to 0.36."""
    side = 0.2 + 0.16 * p
    a, b = _bands(u, 2 * side, q, 0.5), _bands(v, 2 * side, r, 0.5)
    return torch.minimum(a.abs(), b.abs()).mul_(torch.sign(a.mul_(b)))


def zigzag(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """Bands that go up and down at slope 1, teeth of width 0.4 to 0.7."""
    tooth = 0.4 + 0.3 * p
    wave = (u / tooth).add_(q).remainder_(1).sub_(0.5).abs_().mul_(2 * tooth)
    return _bands(wave.add_(v), 0.42 + 0.18 * r, q, 0.5).mul_(1 / math.sqrt(2))


def brick(u: Tensor, v: Tensor, p: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """Bricks of height 0.22 to 0.36, twice to 2.6 times as wide, each row shifted by half."""
    height = 0.22 + 0.14 * p
    width, mortar = height * (2 + 0.6 * r), 0.12 * height
    row = (v / height).add_(q)
    shift = row.floor().remainder_(2).mul_(0.5)
    a = (u / width).add_(shift).remainder_(1).sub_(0.5).abs_().sub_(0.5).mul_(width)
    b = row.remainder_(1).sub_(0.5).abs_().sub_(0.5).mul_(height)
    return torch.maximum(a, b).add_(mortar)


def _length(u: Tensor, v: Tensor) -> Tensor:
    return (u * u).addcmul_(v, v).sqrt_()


def _bands(x: Tensor, period: Tensor, phase: Tensor, filled: Tensor | float) -> Tensor:
    wave = (x / period).add_(phase).remainder_(1).sub_(0.5).abs_()
    return wave.sub_(filled / 2).mul_(period)


FIGURES: dict[str, Field] = {
    "disk": disk,
    "ring": ring,
    "triangle": triangle,
    "star": star,
    "cross": cross,
    "spiral": spiral,
}
PATTERNS: dict[str, Field] = {
    "stripes": stripes,
    "checkerboard": checkerboard,
    "zigzag": zigzag,
    "brick": brick,
}
