"""The L1 norm of the centred image."""

from typing import Any

from torch import Tensor

from visprior.regularizer.penalty import ColourPenalty


class L1(ColourPenalty):
    """weight / (B H W) * sum |x - center|, grey levels; H W is the canvas. See ColourPenalty."""

    key = "l1"

    def __init__(
        self,
        weight: Any = 1.0,
        B: float = 80.0,
        norm: str = "area",
        center: float | list[float] | None = None,
    ) -> None:
        super().__init__(weight, B, 1, norm, center)

    def bare(self, x: Tensor) -> Tensor:
        return self.centered(x).abs().sum((1, 2, 3))
