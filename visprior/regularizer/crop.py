"""Random crops of a canvas that is larger than the network's input."""

import numpy as np
import torch
from torch import Tensor

from visprior.errors import choice, number
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


def pasted(windows: Tensor, x: Tensor, offsets: np.ndarray) -> Tensor:
    """x with the windows in the places where `crop` takes them."""
    out, (h, w) = x.clone(), windows.shape[-2:]
    for b, (i, j) in enumerate(offsets):
        out[b, :, i : i + h, j : j + w] = windows[b]
    return out


class Crop(Regularizer):
    """The octaves' random crop: in a stage of scale s the canvas is s times the network's input.

    Args:
        offset: normal draws from around the middle with deviation spread * (canvas - input),
            clipped to the canvas, in whole pixels by truncation (the program that Baust et al. 2021
            cite for it); uniform draws from the whole canvas.
        spread: see offset.
        update: crop is that program's: the crop is the image of that step, for energies and filters
            too, whose border is then the crop's, and is put back into the canvas; canvas: only the
            network sees the crop, the step changes all of the canvas.

    Raises:
        UserError: no such choice, or spread < 0.
    """

    def __init__(self, offset: str = "normal", spread: float = 0.3, update: str = "crop") -> None:
        self.offset = choice("crop.offset", offset, ["normal", "uniform"])
        self.update = choice("crop.update", update, ["crop", "canvas"])
        self.spread = number("crop.spread", spread, least=0)
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
        return np.clip(margin / 2 + draws * self.spread * margin, 0, margin).astype(int)

    def window(self, x: Tensor, t: Progress, rng: Streams, stage: Stage) -> Tensor:
        margin = self.margin(stage)
        if margin <= 0 or self.update == "canvas":
            return x
        size = (x.shape[-2] - margin, x.shape[-1] - margin)
        return crop(x, self.offsets(margin, t, rng), size)

    def perturb(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        margin = x.shape[-2] - self.size[0]
        if margin <= 0 or self.update == "crop":
            return x
        return crop(x, self.offsets(margin, t, rng), self.size)

    def confine(self, new: Tensor, old: Tensor, t: Progress, rng: Streams) -> Tensor:
        margin = old.shape[-2] - new.shape[-2]
        return pasted(new, old, self.offsets(margin, t, rng)) if margin else new
