"""Random crops of a canvas that is larger than the network's input."""

import numpy as np
import torch
from torch import Tensor

from visprior.errors import UserError, choice
from visprior.hyper import Progress
from visprior.regularizer.base import Regularizer, Scene
from visprior.schedule.schedule import Stage
from visprior.streams import Streams


class _Crop(torch.autograd.Function):
    """Windows of one size at an offset per image; the gradient is written back into place."""

    @staticmethod
    def forward(ctx, x: Tensor, offsets: np.ndarray, size: tuple[int, int]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.offsets, ctx.shape = offsets, x.shape
        h, w = size
        if len(offsets) == 1:
            (i, j) = offsets[0]
            return x[:, :, i : i + h, j : j + w].contiguous()
        windows = [x[b, :, i : i + h, j : j + w] for b, (i, j) in enumerate(offsets)]
        return torch.stack(windows)

    @staticmethod
    def backward(ctx, g: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        out = g.new_zeros(ctx.shape)
        h, w = g.shape[-2:]
        for b, (i, j) in enumerate(ctx.offsets):
            out[b, :, i : i + h, j : j + w] = g[b]
        return out, None, None


def crop(x: Tensor, offsets: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Image b of (B, C, H, W) from row offsets[b, 0] and column offsets[b, 1] on, at one size."""
    return _Crop.apply(x, offsets, size)  # pyright: ignore[reportReturnType]


def inside(offsets: np.ndarray, size: tuple[int, int], x: Tensor) -> Tensor:
    """(B, 1, H, W) mask of the windows that `crop` takes."""
    mask = torch.zeros(x.shape[0], 1, *x.shape[-2:], dtype=torch.bool, device=x.device)
    for b, (i, j) in enumerate(offsets):
        mask[b, :, i : i + size[0], j : j + size[1]] = True
    return mask


class Crop(Regularizer):
    """The octaves' random crop: in a stage of scale s the canvas is s times the network's input.

    offset: normal draws from around the middle with deviation spread * (canvas - input), clipped
        to the canvas (the program that Baust et al. 2021 cite for it); uniform draws
        from the whole canvas.
    update: crop changes only what the network saw in that step; canvas changes all of it.

    Errors: UserError for an unknown choice or a negative spread.
    """

    def __init__(self, offset: str = "normal", spread: float = 0.3, update: str = "crop") -> None:
        self.offset = choice("crop.offset", offset, ["normal", "uniform"])
        self.update = choice("crop.update", update, ["crop", "canvas"])
        if not spread >= 0:
            raise UserError(f"crop.spread must be >= 0, got {spread}")
        self.spread = float(spread)
        self.size = (0, 0)

    def prepare(self, scene: Scene) -> None:
        self.size = scene.size

    def margin(self, stage: Stage) -> int:
        return round(max(self.size) * (stage.scale - 1))

    def offsets(self, margin: int, t: Progress, rng: Streams) -> np.ndarray:
        """(B, 2) rows and columns at which this step's windows start."""
        if self.offset == "uniform":
            return (rng.uniform("crop", 2)[t.step][t.rows] * (margin + 1)).astype(int)
        draws = rng.normal("crop", 2)[t.step][t.rows]
        shifted = np.rint(margin / 2 + draws * self.spread * margin)
        return np.clip(shifted, 0, margin).astype(int)

    def perturb(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        margin = x.shape[-2] - self.size[0]
        if margin <= 0:
            return x
        return crop(x, self.offsets(margin, t, rng), self.size)

    def confine(self, new: Tensor, old: Tensor, t: Progress, rng: Streams) -> Tensor:
        margin = new.shape[-2] - self.size[0]
        if margin <= 0 or self.update == "canvas":
            return new
        return torch.where(inside(self.offsets(margin, t, rng), self.size, new), new, old)
