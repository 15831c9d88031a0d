"""Transformation robustness that moves the image itself."""

from torch import Tensor

from visprior.hyper import Progress
from visprior.regularizer.transforms import Transforms
from visprior.streams import Streams


class TransformsInPlace(Transforms):
    """The transformed image replaces the image before each step, so that the moves add up.

    Schürmeyer 2020's program; see Transforms for the draws. The network sees the image as it is.
    What replaces it is resampled by cubic polynomials: bilinear resampling time and again is a
    blur. The first step sees the start, and the result is that of the last step: neither is moved.
    """

    interpolation = "bicubic"

    def perturb(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        return x

    def move(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        if t.step + 1 >= t.steps:
            return x
        return self.transformed(x, t.step + 1, t.rows, rng)
