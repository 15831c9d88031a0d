"""The Sobolev kernel."""

from functools import cache

import numpy as np

from visprior.errors import number, whole_number
from visprior.kernel.base import Kernel, check_size, fit_to_support


def sobolev(size: int, gamma: float, order: int = 1) -> np.ndarray:
    """s = (Id - gamma Laplacian)^-order delta on the infinite grid, cut to size x size.

    5-point Laplacian, spacing 1 px; the transfer function is
    (1 + gamma (4 - 2 cos kx - 2 cos ky))^-order (Baust et al. 2021, eq. 16). It is
    inverted on a periodic grid so large that the copies' tails are below double precision.
    """
    n = 256
    while n < size + 80 * order * (gamma**0.5):
        n *= 2
    k = 2 * np.pi * np.fft.fftfreq(n)
    symbol = 4 - 2 * np.cos(k)[:, None] - 2 * np.cos(k[: n // 2 + 1])[None, :]
    grid = np.fft.irfft2((1 + gamma * symbol) ** -order, s=(n, n))
    half = size // 2
    rows = np.arange(-half, half + 1) % n
    return grid[np.ix_(rows, rows)]


@cache
def gamma_for(size: int, order: int = 1) -> float:
    """The gamma whose outermost entry on the axis is 1e-4 (Baust et al. 2021, section 2.7)."""
    half = size // 2
    entry = lambda g: sobolev(size, g, order)[half, -1]  # noqa: E731
    return fit_to_support(entry, 1e-9, half**2 / 4, "kernel.gamma")


class Sobolev(Kernel):
    """A Sobolev kernel; gamma in px^2, null: fitted to the size by the 1e-4 support rule.

    order > 1 is the future work that Baust et al. 2021 name. Variance per axis: 2 gamma order.

    Raises:
        UserError: the size is even, gamma <= 0, or order < 1.
    """

    def __init__(self, size: int = 11, gamma: float | None = None, order: int = 1) -> None:
        self.size = check_size(size)
        self.order = whole_number("kernel.order", order, least=1)
        if gamma is None:
            self.gamma = gamma_for(size, order)
        else:
            self.gamma = number("kernel.gamma", gamma, above=0, other="null")
        super().__init__(sobolev(self.size, self.gamma, order))
