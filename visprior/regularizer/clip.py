"""The image clipped to a range after the step."""

from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.base import Regularizer


class Clip(Regularizer):
    """x <- min(max(x, low), high), grey levels.

    Raises:
        UserError: low >= high.
    """

    def __init__(self, low: float = 0.0, high: float = 255.0) -> None:
        if not low < high:
            raise UserError(f"clip.low must be below clip.high, got {low} and {high}")
        self.low, self.high = float(low), float(high)

    def project(self, x: Tensor, t: Progress) -> Tensor:
        return x.clamp(self.low, self.high)
