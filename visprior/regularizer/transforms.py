"""Transformation robustness: the network sees the image shifted, scaled and turned at random."""

import numpy as np
import torch
from torch import Tensor

from visprior.errors import UserError, choice
from visprior.hyper import Progress
from visprior.regularizer.base import Regularizer, Scene
from visprior.regularizer.resample import PADDINGS, resample
from visprior.streams import Streams


class Transforms(Regularizer):
    """Pad, jitter, scale, rotate, jitter, crop: one resampling, differentiated through.

    Olah et al. 2017; Schürmeyer 2020, section 3.4.5 and appendix .1. Each image has its own draws
    in each step, and what is seen keeps the image's size.

    Args:
        jitter: d of the first and of the last one, in pixels: a crop to d pixels less, its d + 1
            offsets equally likely; the half pixel of an odd d falls to either side.
        scale, rotate: factors, and angles in degrees, the entries equally likely.
        padding: how the border is continued: mirror (the edge twice), reflect (once), wrap, or
            constant.
        colour: of constant padding, a grey level or one per channel; null: the network's mean.
        shared: one draw per step for all images, that of the first one's seed.

    Raises:
        UserError: a jitter < 0, an empty list, a scale <= 0, or no such padding.
    """

    interpolation = "bilinear"

    def __init__(
        self,
        jitter: list[int],
        scale: list[float],
        rotate: list[float],
        padding: str = "mirror",
        colour: float | list[float] | None = None,
        shared: bool = False,
    ) -> None:
        if len(jitter) != 2 or not all(isinstance(d, int) and d >= 0 for d in jitter):
            raise UserError(f"transforms.jitter must be two whole numbers >= 0, got {jitter}")
        if not scale or not min(scale) > 0:
            raise UserError(f"transforms.scale must be a list of numbers > 0, got {scale}")
        if not rotate:
            raise UserError("transforms.rotate is empty; [0] is no rotation")
        self.jitter = list(jitter)
        self.scale = np.asarray(scale, dtype=np.float64)
        self.rotate = np.asarray(rotate, dtype=np.float64)
        self.padding = choice("transforms.padding", padding, PADDINGS)
        self.colour = colour
        self.shared = shared
        self._tables: tuple[Streams, Tensor, Tensor] | None = None

    def prepare(self, scene: Scene) -> None:
        channels = len(scene.mean)
        colour = scene.mean if self.colour is None else self.colour
        self.colour = colour if isinstance(colour, list) else [colour] * channels
        if len(self.colour) != channels:
            given = len(self.colour)
            raise UserError(f"transforms.colour has {given} numbers for {channels} channels")

    def draws(self, rng: Streams) -> np.ndarray:
        """(steps, B, 6): first shift (row, column), scale, degrees, second shift."""
        u = rng.uniform("transforms", 6)
        if self.shared:
            u = np.broadcast_to(u[:, :1], u.shape)
        first, last = (
            _shift(u[..., k : k + 2], d) for k, d in zip((0, 4), self.jitter, strict=True)
        )
        scale = self.scale[(u[..., 2] * len(self.scale)).astype(int)]
        angle = self.rotate[(u[..., 3] * len(self.rotate)).astype(int)]
        return np.concatenate([first, scale[..., None], angle[..., None], last], axis=-1)

    def maps(self, rng: Streams) -> np.ndarray:
        """(steps, B, 2, 3): where a seen pixel u lies in the image, a matrix and a shift.

        The last jitter acts first on u, then rotation, scale and the first jitter, all about the
        middle of the image.
        """
        d = self.draws(rng)
        turn, size = np.deg2rad(d[..., 3]), d[..., 2]
        cos, sin = np.cos(turn) / size, np.sin(turn) / size
        matrix = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        shift = (matrix @ d[..., 4:, None])[..., 0] + d[..., :2]
        return np.concatenate([matrix, shift[..., None]], -1)

    def perturb(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        return self.transformed(x, t.step, t.rows, rng)

    def transformed(self, x: Tensor, step: int, rows: slice, rng: Streams) -> Tensor:
        """The images `rows` of a batch under the draws of a step."""
        table, colour = self._on_device(x, rng)
        m = table[step][rows]
        return resample(x, m[..., :2], m[..., 2], self.padding, colour, self.interpolation)

    def _on_device(self, x: Tensor, rng: Streams) -> tuple[Tensor, Tensor]:
        """The maps of a run and the colour, moved over once."""
        if self._tables is None or self._tables[0] is not rng or not _alike(self._tables[1], x):
            assert isinstance(self.colour, list)
            self._tables = rng, torch.from_numpy(self.maps(rng)).to(x), x.new_tensor(self.colour)
        return self._tables[1:]


def _shift(u: np.ndarray, d: int) -> np.ndarray:
    """Whole pixels, 0 on average, from uniform numbers: a crop's offset 0..d minus d / 2."""
    if d % 2 == 0:
        return (u * (d + 1)).astype(int) - d // 2
    return ((u * (2 * d + 2)).astype(int) + 1) // 2 - (d + 1) // 2


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and a.dtype == b.dtype
