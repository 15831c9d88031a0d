"""What the Gaussian and the bilateral blur of the image share."""

import torch.nn.functional as F
from torch import Tensor

from visprior.errors import UserError, whole_number
from visprior.hyper import Progress
from visprior.regularizer.base import Regularizer, Scene


class Smoothing(Regularizer):
    """A filter of size x size pixels on the image after every `every`-th step, the first one too.

    It acts after steps 0, every, 2 every, ... of the run, as in Schürmeyer's program. The border is
    reflected without its edge, OpenCV's default.

    Raises:
        UserError: size is even or too large for the image, or every < 1.
    """

    name: str

    def __init__(self, size: int, every: int) -> None:
        self.size = whole_number(f"{self.name}.size", size, least=3, odd=True)
        self.every = whole_number(f"{self.name}.every", every, least=1)

    def prepare(self, scene: Scene) -> None:
        if self.size // 2 >= min(scene.size):
            pixels = f"{scene.size[0]}x{scene.size[1]} pixels"
            raise UserError(f"{self.name}.size={self.size} is too large for {pixels}")

    def project(self, x: Tensor, t: Progress) -> Tensor:
        return x if t.step % self.every else self.smoothed(x, t)

    def smoothed(self, x: Tensor, t: Progress) -> Tensor:
        """The filtered images, (B, C, H, W)."""
        raise NotImplementedError

    def reflected(self, x: Tensor) -> Tensor:
        """x with half a filter of its reflection on each side."""
        return F.pad(x, [self.size // 2] * 4, mode="reflect")
