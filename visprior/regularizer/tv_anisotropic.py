"""Total variation as the sum of horizontal and vertical differences."""

from typing import Any

from torch import Tensor

from visprior.errors import UserError, choice
from visprior.hyper import Hyper, Progress
from visprior.regularizer.base import Features, Regularizer


def anisotropic_variation(x: Tensor) -> Tensor:
    """sum over pixels and channels of |dx| + |dy|, forward differences, (B, C, H, W) -> (B,)."""
    dx = (x[..., :, 1:] - x[..., :, :-1]).abs().sum((1, 2, 3))
    return dx + (x[..., 1:, :] - x[..., :-1, :]).abs().sum((1, 2, 3))


class TVAnisotropic(Regularizer):
    """weight / (V H W) * sum |dx| + |dy|, Schürmeyer 2020, eq. 3.4 (TensorFlow's total_variation).

    H W is the canvas, V a typical slope in grey levels per pixel. norm: area as above, or sum: the
    weight is the whole factor. Errors: UserError for a negative weight, V <= 0.
    """

    def __init__(self, weight: Any = 1.0, V: float = 80 / 6.5, norm: str = "area") -> None:
        if not V > 0:
            raise UserError(f"tv.V must be > 0, got {V}")
        self.weight = Hyper("tv.weight", weight, minimum=0.0)
        self.V = float(V)
        self.norm = choice("tv.norm", norm, ["area", "sum"])

    def coefficient(self, canvas: tuple[int, int], t: Progress, like: Tensor) -> Any:
        weight = self.weight.at(t, like)
        return weight if self.norm == "sum" else weight / (self.V * canvas[0] * canvas[1])

    def energy(self, x: Tensor, phi: Features, t: Progress) -> Tensor:
        factor = self.coefficient((x.shape[-2], x.shape[-1]), t, x)
        return factor * anisotropic_variation(x)
