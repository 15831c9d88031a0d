"""The squared L2 norm of the centred image."""

from typing import Any

from torch import Tensor

from visprior.regularizer.penalty import ColourPenalty


class L2(ColourPenalty):
    """weight / (B^2 H W) * sum (x - center)^2, grey levels; H W: the canvas. See ColourPenalty."""

    key = "l2"

    def __init__(
        self,
        weight: Any = 1.0,
        B: float = 80.0,
        norm: str = "area",
        center: float | list[float] | None = None,
    ) -> None:
        super().__init__(weight, B, 2, norm, center)

    def bare(self, x: Tensor) -> Tensor:
        return self.centered(x).square().sum((1, 2, 3))
