"""A Gaussian blur of the image after the step."""

from typing import Any

import torch
from torch import Tensor

from visprior.hyper import Hyper, Progress
from visprior.regularizer.smoothing import Smoothing


class Blur(Smoothing):
    """x <- G * x with G ~ exp(-r^2 / 2 sigma^2) on size x size pixels, sum 1.

    Schürmeyer 2020, section 3.4.4 (OpenCV's GaussianBlur). sigma in pixels: a number, one per
    image, or a ramp. every: after steps 0, every, 2 every, ...

    Raises:
        UserError: sigma is below 0.001, or as in Smoothing.
    """

    name = "blur"

    def __init__(self, size: int = 7, sigma: Any = 0.7, every: int = 1) -> None:
        super().__init__(size, every)
        self.sigma = Hyper("blur.sigma", sigma, minimum=1e-3)

    def smoothed(self, x: Tensor, t: Progress) -> Tensor:
        sigma = self.sigma.at(t, x)
        half, (height, width) = self.size // 2, x.shape[-2:]
        line = torch.arange(-half, half + 1, device=x.device, dtype=x.dtype)
        sigma = sigma[:, None] if isinstance(sigma, Tensor) else sigma
        weights = torch.softmax(-0.5 * (line / sigma) ** 2, dim=-1).expand(len(x), -1)
        taps = weights.T[:, :, None, None, None]
        wide = self.reflected(x)
        # A few shifted sums: on a CPU faster than a convolution of every channel by itself.
        rows, out = torch.zeros_like(wide[..., :height, :]), torch.zeros_like(x)
        for k, tap in enumerate(taps):
            rows.addcmul_(tap, wide[..., k : k + height, :])
        for k, tap in enumerate(taps):
            out.addcmul_(tap, rows[..., k : k + width])
        return out
