"""Elastic demons: the image is filtered after each step."""

from torch import Tensor

from visprior.hyper import Progress
from visprior.kernel.base import Kernel
from visprior.regularizer.base import Regularizer


class Elastic(Regularizer):
    """x <- K_e * x after each step, Baust et al. 2021, eq. 6 and 18; after any bound on it.

    The kernel is the root choice kernel=..., or its own (README, "Demons").
    """

    projects_last = True  # the program that the paper cites clips, then blurs

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def project(self, x: Tensor, t: Progress) -> Tensor:
        return self.kernel.filter(x)
