"""A bilateral filter of the image after the step."""

from typing import Any

import torch
from torch import Tensor

from visprior.hyper import Hyper, Progress, per_image
from visprior.regularizer.smoothing import Smoothing


class Bilateral(Smoothing):
    """x_p <- sum_q w_pq x_q / sum_q w_pq,  w = exp(-|p - q|^2 / 2 s^2 - |x_p - x_q|_1^2 / 2 c^2).

    Schürmeyer 2020, section 3.4.4, as OpenCV's bilateralFilter: over the q with |p - q| <= size/2,
    and with the sum of the channels' absolute differences as the distance of colours. c =
    sigma_color in grey levels, s = sigma_space in pixels; numbers, one per image, or ramps.
    every: after steps 0, every, 2 every, ...

    Raises:
        UserError: a sigma is below 0.001, or as in Smoothing.
    """

    name = "bilateral"

    def __init__(
        self, size: int = 7, sigma_color: Any = 102.0, sigma_space: Any = 1.0, every: int = 2
    ) -> None:
        super().__init__(size, every)
        self.sigma_color = Hyper("bilateral.sigma_color", sigma_color, minimum=1e-3)
        self.sigma_space = Hyper("bilateral.sigma_space", sigma_space, minimum=1e-3)
        half = size // 2
        around = range(-half, half + 1)
        self.offsets = [(i, j) for i in around for j in around if i * i + j * j <= half * half]

    def smoothed(self, x: Tensor, t: Progress) -> Tensor:
        color, space = (per_image(s.at(t, x), x) for s in (self.sigma_color, self.sigma_space))
        half, (height, width) = self.size // 2, x.shape[-2:]
        wide = self.reflected(x)
        total, weights = torch.zeros_like(x), torch.zeros_like(x[:, :1])
        for i, j in self.offsets:
            other = wide[..., half + i : half + i + height, half + j : half + j + width]
            distance = (other - x).abs().sum(1, keepdim=True)
            near = -0.5 * (i * i + j * j) / (space * space)
            w = (distance.square_() * (-0.5 / (color * color)) + near).exp_()
            total.addcmul_(w, other)
            weights += w
        return total / weights
