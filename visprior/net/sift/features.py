"""The features of dense SIFT, what all its variants share: votes, pooled into frames of bins."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from visprior.errors import choice, whole_number

SIDE = 4  # bins along each axis of a frame
ORIENTATIONS = 8  # 0 points right, y downwards
ARCTANGENTS = ("polynomial", "exact")
EPSILON = torch.finfo(torch.float32).eps  # VLFeat's, whatever the precision here


class DsiftFeatures(nn.Module):
    """(B, 1, H, W) grey levels -> (B, 128, H', W'), a frame per cell.

    Gradients vote for the two nearest orientations, votes are pooled bilinearly into bins, a frame
    is 4 x 4 bins. Channel 8 (4 j + i) + k is orientation k of the bin in column i, row j.

    Pooling is one matrix per axis, a row per bin. Where all bins have the same taps, frames share
    the bins that they have in common.
    """

    step: int  # pixels from frame to frame
    field: int  # pixels along each axis that a frame sees
    offset: float | None  # coordinate of the centre of frame 0; None: not the same along both axes
    taps: Tensor  # (1 or 4, taps): what each of a frame's bins makes of the pixels around it
    weight: Tensor  # (4,): of these bins, along each axis

    def __init__(self, bin: int, arctangent: str) -> None:
        super().__init__()
        choice("net.arctangent", arctangent, ARCTANGENTS)
        whole_number("net.bin", bin, least=1)
        self.bin, self.arctangent = bin, arctangent

    @abstractmethod
    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image's gradients along x and along y, (B, 1, h, w) each."""

    @abstractmethod
    def grid(self, pixels: int, axis: int) -> tuple[int, int]:
        """Where the taps of frame 0's bin 0 begin, in pixels of the maps, and how many frames."""

    @abstractmethod
    def normalise(self, v: Tensor) -> Tensor:
        """The descriptors of the pooled histograms, (B, 128, H', W')."""

    def forward(self, x: Tensor) -> Tensor:
        """The descriptors, (B, 128, H', W'); H' or W' is 0 where not one frame fits."""
        maps = self._votes(*self.gradient(x))
        (top, down), (left, across) = (self.grid(maps.shape[axis], axis) for axis in (-2, -1))
        pooled = maps @ self._matrix(maps, left, across, maps.shape[-1]).T
        pooled = self._matrix(maps, top, down, maps.shape[-2]) @ pooled
        split = torch.stack([pooled[..., part] for part in self._parts(across)], -2)
        split = torch.stack([split[..., part, :, :] for part in self._parts(down)], -4)
        weight = self.weight.to(x)
        split = split * (weight[:, None, None, None] * weight[:, None])
        # b k j y i x -> b (j i k) y x
        return self.normalise(split.permute(0, 2, 4, 1, 3, 5).flatten(1, 3))

    def _sharing(self, frames: int) -> tuple[int, int]:
        """Pixels from row to row of a matrix whose rows frames share, and how many; 0 is none."""
        unit = math.gcd(self.bin, self.step)
        rows = ((frames - 1) * self.step + (SIDE - 1) * self.bin) // unit + 1
        return (unit, rows) if len(self.taps) == 1 and 0 < rows <= SIDE * frames else (0, 0)

    def _parts(self, frames: int) -> list[slice]:
        """The rows of the matrix that are bin 0, 1, 2, 3 of all frames."""
        unit, _ = self._sharing(frames)
        if not unit:
            return [slice(i * frames, (i + 1) * frames) for i in range(SIDE)]
        firsts = [i * self.bin // unit for i in range(SIDE)]
        last = (frames - 1) * self.step // unit
        return [slice(first, first + last + 1, self.step // unit) for first in firsts]

    def _matrix(self, x: Tensor, first: int, frames: int, pixels: int) -> Tensor:
        """(rows, pixels): the taps of each row, from first plus the row's own pixel on.

        What falls past an end of the axis falls on its last pixel.
        """
        taps, (unit, rows) = self.taps.to(x), self._sharing(frames)
        if unit:
            starts = torch.arange(rows, device=x.device) * unit
        else:
            starts = torch.arange(SIDE, device=x.device)[:, None] * self.bin
            starts = (starts + torch.arange(frames, device=x.device) * self.step).flatten()
            taps = taps.expand(SIDE, -1).repeat_interleave(frames, 0)
        at = first + starts[:, None] + torch.arange(taps.shape[1], device=x.device)
        # Not scatter_add, which adds in any order on GPUs.
        wide = x.new_zeros(len(at), pixels + 2 * self.bin)
        wide = wide.scatter(-1, at + self.bin, taps.expand(at.shape))
        before, matrix, after = wide.split([self.bin, pixels, self.bin], -1)
        matrix[:, :1] += before.sum(-1, keepdim=True)
        matrix[:, -1:] += after.sum(-1, keepdim=True)
        return matrix

    def _votes(self, gx: Tensor, gy: Tensor) -> Tensor:
        """(B, 8, h, w): the gradient's norm, shared by the two nearest orientations."""
        n = root(gx.square() + gy.square())
        angle = polynomial_angle(gx, gy) if self.arctangent == "polynomial" else exact_angle(gx, gy)
        position = angle * (ORIENTATIONS / (2 * math.pi))
        lower = position.detach().floor()
        upper = n * (position - lower)
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
