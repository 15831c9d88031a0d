"""Fluid demons: the gradient of the data term is filtered."""

from torch import Tensor

from visprior.hyper import Progress
from visprior.kernel.base import Kernel
from visprior.regularizer.base import Regularizer


class Fluid(Regularizer):
    """g <- K_f * g, Baust et al. 2021, eq. 8, 17 and 18; only the data term's gradient.

    The kernel is the root choice kernel=..., or its own (README, "Demons").
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def precondition(self, g: Tensor, x: Tensor, t: Progress) -> Tensor:
        return self.kernel.filter(g)
