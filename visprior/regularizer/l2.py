"""The squared L2 norm of the centred image."""

from torch import Tensor

from visprior.regularizer.penalty import ColourPenalty


class L2(ColourPenalty):
    """weight / (B^2 H W) * sum (x - center)^2, grey levels; H W: the canvas. See ColourPenalty."""

    key, power = "l2", 2.0

    def bare(self, x: Tensor) -> Tensor:
        return self.centered(x).square().sum((1, 2, 3))
