"""The L1 norm of the centred image."""

from torch import Tensor

from visprior.regularizer.penalty import ColourPenalty


class L1(ColourPenalty):
    """weight / (B H W) * sum |x - center|, grey levels; H W is the canvas. See ColourPenalty."""

    key, power = "l1", 1.0

    def bare(self, x: Tensor) -> Tensor:
        return self.centered(x).abs().sum((1, 2, 3))
