"""The intensity range: a soft norm of the colour at each pixel, and a hard bound on it."""

from typing import Any

from torch import Tensor

from visprior.errors import number
from visprior.hyper import Progress
from visprior.regularizer.penalty import ColourPenalty


def alpha_norm(x: Tensor, alpha: float, isotropic: bool = True) -> Tensor:
    """sum over pixels of (sum_k x_k^2)^(alpha/2), or of sum_k |x_k|^alpha; (B, C, H, W) -> (B,).

    Mahendran & Vedaldi 2016, eq. 6 (isotropic) and their 2015 program (not isotropic).
    """
    squares = x * x
    if isotropic:
        squares = squares.sum(1, keepdim=True)
    if alpha == 6:  # the papers' value, without the cost of a general power
        return (squares * squares * squares).sum((1, 2, 3))
    return (squares ** (alpha / 2)).sum((1, 2, 3))


class AlphaNorm(ColourPenalty):
    """weight * B^-alpha / (H W) * sum_pixels ||x - center||^alpha, and ||x - center|| <= bound.

    Mahendran & Vedaldi 2016, eq. 6, 10 and section 3.3; H W is the canvas.

    Args:
        B: a typical norm of a pixel's colour, in grey levels.
        bound: the largest one, to which longer ones are cut after each step; null: none.
        isotropic: True: ||.|| is the Euclidean norm of a pixel's channels; False: each by itself.
        weight, norm, center: see ColourPenalty.

    Raises:
        UserError: weight < 0, alpha < 1, B or bound <= 0.
    """

    key = "alpha_norm"

    def __init__(
        self,
        weight: Any = 1.0,
        alpha: float = 6.0,
        B: float = 80.0,
        bound: float | None = 160.0,
        isotropic: bool = True,
        norm: str = "area",
        center: float | list[float] | None = None,
    ) -> None:
        self.power = number("alpha_norm.alpha", alpha, least=1)
        if bound is not None:
            number("alpha_norm.bound", bound, above=0, other="null")
        super().__init__(weight, B, norm, center)
        self.bound = bound
        self.isotropic = bool(isotropic)

    def bare(self, x: Tensor) -> Tensor:
        return alpha_norm(self.centered(x), self.power, self.isotropic)

    def project(self, x: Tensor, t: Progress) -> Tensor:
        """Shorten colours longer than the bound: x <- x min(1, bound / ||x||), per pixel."""
        if self.bound is None:
            return x
        d = self.centered(x)
        norm = (d * d).sum(1, keepdim=True).sqrt()
        return x - d * (1 - self.bound / norm).clamp(min=0)
