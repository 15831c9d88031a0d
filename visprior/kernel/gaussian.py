"""The Gaussian kernel."""

from functools import cache

import numpy as np

from visprior.errors import number
from visprior.kernel.base import Kernel, check_size, fit_to_support


def gaussian(size: int, sigma: float) -> np.ndarray:
    """exp(-r^2 / 2 sigma^2) on the infinite grid divided by its sum there, cut to size x size."""
    reach = max(size // 2, int(np.ceil(12 * sigma)))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    line /= line.sum()
    line = line[reach - size // 2 : reach + size // 2 + 1]
    return np.outer(line, line)


@cache
def sigma_for(size: int) -> float:
    """The sigma whose outermost entry on the axis is 1e-4 (Baust et al. 2021, section 2.7)."""
    half = size // 2
    return fit_to_support(lambda s: gaussian(size, s)[half, -1], 0.05, 0.8 * half, "kernel.sigma")


class Gaussian(Kernel):
    """A Gaussian; sigma in pixels, null: fitted to the size by the 1e-4 support rule.

    The rule cuts off tails that are small but many: from size 13 on the transfer function reaches
    slightly below 0 (-5e-5 at 13, -5e-4 at 21). Up to 11, the papers' sizes, it is in [0, 1].

    Raises:
        UserError: the size is even, or sigma <= 0.
    """

    def __init__(self, size: int = 11, sigma: float | None = None) -> None:
        self.size = check_size(size)
        if sigma is None:
            self.sigma = sigma_for(size)
        else:
            self.sigma = number("kernel.sigma", sigma, above=0, other="null")
        super().__init__(gaussian(self.size, self.sigma))
