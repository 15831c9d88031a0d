"""Total variation as the sum of horizontal and vertical differences."""

from typing import Any

from torch import Tensor

from visprior.regularizer.penalty import Penalty


def anisotropic_variation(x: Tensor) -> Tensor:
    """sum over pixels and channels of |dx| + |dy|, forward differences, (B, C, H, W) -> (B,)."""
    dx = (x[..., :, 1:] - x[..., :, :-1]).abs().sum((1, 2, 3))
    return dx + (x[..., 1:, :] - x[..., :-1, :]).abs().sum((1, 2, 3))


class TVAnisotropic(Penalty):
    """weight / (V H W) * sum |dx| + |dy|, Schürmeyer 2020, eq. 3.4 (TensorFlow's total_variation).

    dx and dy are differences of neighbouring pixels in grey levels, H W is the canvas, V a typical
    slope in grey levels per pixel. weight, norm: see Penalty.

    Raises:
        UserError: weight < 0, or V <= 0.
    """

    key, scale_key, power = "tv", "V", 1.0

    def __init__(self, weight: Any = 1.0, V: float = 80 / 6.5, norm: str = "area") -> None:
        super().__init__(weight, V, norm)

    def bare(self, x: Tensor) -> Tensor:
        return anisotropic_variation(x)
