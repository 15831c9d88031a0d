"""What all variants of dense SIFT share: votes for orientations, pooled into frames of bins."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from visprior.errors import UserError, choice

SIDE = 4  # bins along each axis of a frame
ORIENTATIONS = 8  # 0 points right, y downwards
ARCTANGENTS = ("polynomial", "exact")
EPSILON = torch.finfo(torch.float32).eps  # VLFeat's, whatever the precision here


class DenseSift(nn.Module):
    """(B, 1, H, W) grey levels -> (B, 128, H', W'), a frame per cell.

    Gradients vote for the two nearest orientations, votes are pooled bilinearly into bins, a frame
    is 4 x 4 bins. Channel 8 (4 j + i) + k is orientation k of the bin in column i, row j.

    Both poolings of a frame, its window included, are one matrix per axis, so a frame's four bins
    of an axis are four of its rows.
    """

    step: int  # pixels from frame to frame
    field: int  # pixels along each axis that a frame sees
    offset: float | None  # coordinate of the centre of frame 0; None: not the same along both axes
    taps: Tensor  # (4, taps): what a bin's triangle and the window make of the pixels around it

    def __init__(self, bin: int, arctangent: str) -> None:
        super().__init__()
        choice("net.arctangent", arctangent, ARCTANGENTS)
        if bin < 1:
            raise UserError(f"net.bin must be >= 1 pixel, got {bin}")
        self.bin, self.arctangent = bin, arctangent

    @abstractmethod
    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Along x and along y, (B, 1, h, w) each."""

    @abstractmethod
    def pooling(self, x: Tensor, axis: int) -> Tensor:
        """(4, frames, pixels) for maps like x: the weight of each pixel in each bin."""

    @abstractmethod
    def normalise(self, v: Tensor) -> Tensor:
        """The descriptors of the pooled histograms, (B, 128, H', W')."""

    def forward(self, x: Tensor) -> Tensor:
        """The descriptors; none where not one frame fits."""
        maps = self._votes(*self.gradient(x))
        rows, columns = self.pooling(maps, -2), self.pooling(maps, -1)
        pooled = rows.flatten(0, 1) @ (maps @ columns.flatten(0, 1).T)
        split = pooled.unflatten(-1, columns.shape[:2]).unflatten(-3, rows.shape[:2])
        # b k j y i x -> b (j i k) y x
        return self.normalise(split.permute(0, 2, 4, 1, 3, 5).flatten(1, 3))

    def _matrix(self, x: Tensor, axis: int, first: int, frames: int, step: int) -> Tensor:
        """Row (i, f) has taps[i] from pixel first + f step + i bin on.

        What falls past an end of the axis falls on its last pixel.
        """
        taps, pixels, frames = self.taps.to(x), x.shape[axis], max(frames, 0)
        starts = first + torch.arange(frames, device=x.device) * step
        starts = starts + torch.arange(SIDE, device=x.device)[:, None] * self.bin
        at = starts[..., None] + torch.arange(taps.shape[1], device=x.device)
        weights = taps[:, None].expand(at.shape)
        return x.new_zeros(SIDE, frames, pixels).scatter_add(-1, at.clamp(0, pixels - 1), weights)

    def _votes(self, gx: Tensor, gy: Tensor) -> Tensor:
        """(B, 8, h, w): the gradient's norm, shared by the two orientations beside its own."""
        n = root(gx.square() + gy.square())
        angle = polynomial_angle(gx, gy) if self.arctangent == "polynomial" else exact_angle(gx, gy)
        t = angle * (ORIENTATIONS / (2 * math.pi))
        lower = t.detach().floor()
        upper = n * (t - lower)
        k = lower.long() % ORIENTATIONS
        maps = n.new_zeros(n.shape[0], ORIENTATIONS, *n.shape[-2:])
        return maps.scatter(1, k, n - upper).scatter(1, (k + 1) % ORIENTATIONS, upper)


def polynomial_angle(x: Tensor, y: Tensor) -> Tensor:
    """VLFeat's vl_fast_atan2: the angle of (x, y) in (-pi, pi], up to 0.0061 rad off."""
    sign = torch.where(y < 0, -1.0, 1.0).to(y)
    a = y * sign + EPSILON
    right = x >= 0
    r = (x - torch.where(right, a, -a)) / (x.abs() + a)
    base = torch.where(right, math.pi / 4, 3 * math.pi / 4).to(x)
    return sign * (base + (0.1821 * r.square() - 0.9675) * r)


def exact_angle(x: Tensor, y: Tensor) -> Tensor:
    """The angle of (x, y) in (-pi, pi], with a finite gradient where both are 0."""
    nothing = (x == 0) & (y == 0)
    return torch.atan2(y, torch.where(nothing, 1, x))


def root(squared: Tensor) -> Tensor:
    """Square root with gradient 0 at 0."""
    positive = squared > 0
    return torch.where(positive, squared, 1).sqrt() * positive
