"""Start images."""

import math

import torch
from torch import Tensor

from visprior.errors import choice
from visprior.loop.canvas import on_canvas
from visprior.streams import gaussian_noise, uniform_noise


def noise(seeds: list[int], canvas: tuple[int, int], mean: list[float]) -> Tensor:
    """Uniform noise of about +-51 grey levels around the mean colour, (B, C, H, W) float64.

    Uniform on [-1, 1], divided by its own 95 % quantile, times 80 / sqrt(3), as in Mahendran &
    Vedaldi's program: the 3 stays for any number of channels C.
    """
    draws = uniform_noise(seeds, (len(mean), *canvas))
    edge = torch.quantile(draws.flatten(1), 0.95, dim=1)[:, None, None, None]
    return draws / edge * (80 / math.sqrt(3)) + draws.new_tensor(mean)[:, None, None]


def natural_norm(seeds: list[int], canvas: tuple[int, int], mean: list[float]) -> Tensor:
    """Gaussian noise as long as a natural image around the mean colour (2015 program).

    The norm is 27098.1157 at 3 x 224 x 224 and goes with the square root of the number of values.
    """
    draws = gaussian_noise(seeds, (len(mean), *canvas))
    length = draws.flatten(1).norm(dim=1)[:, None, None, None]
    norm = 27098.1157 * math.sqrt(draws[0].numel() / (3 * 224 * 224))
    return draws / length * norm + draws.new_tensor(mean)[:, None, None]


def sigmoid_noise(seeds: list[int], canvas: tuple[int, int], mean: list[float]) -> Tensor:
    """255 sigmoid(n), n ~ N(0, 1) per value: 2 sigmoid(n) - 1 in [-1, 1] (Schürmeyer 2020)."""
    return 255 * torch.sigmoid(gaussian_noise(seeds, (len(mean), *canvas)))


def flat(seeds: list[int], canvas: tuple[int, int], mean: list[float]) -> Tensor:
    """The mean colour everywhere."""
    colour = torch.tensor(mean, dtype=torch.float64)[:, None, None]
    return colour.expand(len(seeds), len(mean), *canvas).clone()


_MADE = {
    "noise": noise,
    "mean": flat,
    "natural_norm": natural_norm,
    "sigmoid_noise": sigmoid_noise,
}
# Those, the parametrization's own, and the picture of the job.
KINDS = [*_MADE, "param", "image"]


def start_image(
    start: str | Tensor, seeds: list[int], canvas: tuple[int, int], mean: list[float]
) -> Tensor:
    """(B, C, H, W) float64 on a canvas, by the kind of start, or from images.

    mean: the mean colour, a grey level per channel. Images (B, C, h, w) lie in the middle of the
    canvas, their margin in the mean colour (M&V 2016, code).

    Raises:
        UserError: there is no such kind.
    """
    if isinstance(start, Tensor):
        return on_canvas(start.double(), canvas, mean)
    return _MADE[choice("start", start, _MADE)](seeds, canvas, mean)
