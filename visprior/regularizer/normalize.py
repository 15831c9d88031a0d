"""Gradient normalisation: a step of known length, whatever the network's scale."""

from torch import Tensor

from visprior.errors import choice, number
from visprior.hyper import Progress
from visprior.regularizer.base import Features, Regularizer, Scene


class Normalize(Regularizer):
    """The gradient g / s of each image, s = mean |g| (by: mean) or deviation of g + eps (by: std).

    The mean is over as many values as the network's input has: the canvas of octaves has more, but
    a gradient only in its crop (the program that Baust et al. 2021 cite). A zero gradient stays
    zero.

    Raises:
        UserError: no such `by`, or eps <= 0.
    """

    def __init__(self, by: str = "mean", eps: float = 1e-8) -> None:
        self.by = choice("normalize.by", by, ["mean", "std"])
        self.eps = number("normalize.eps", eps, above=0)
        self.pixels: int | None = None  # of the network's input; None: all that there are

    def prepare(self, scene: Scene) -> None:
        self.pixels = scene.size[0] * scene.size[1]

    def force(self, g: Tensor, z: Tensor, values: Tensor, phi: Features, t: Progress) -> Tensor:
        flat = g.flatten(1)
        if self.by == "std":
            scale = flat.std(1, unbiased=False) + self.eps
        else:
            scale = flat.abs().sum(1) / (g.shape[1] * (self.pixels or g[0, 0].numel()))
            scale = scale + (scale == 0)
        return g / scale[:, None, None, None]
