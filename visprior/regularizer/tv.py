"""Total variation with an exponent."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from visprior.errors import number
from visprior.regularizer.penalty import Penalty

_FLOOR = 1e-6  # of a pixel's value, in the gradient for beta < 2: the slope there is infinite


class _Power(torch.autograd.Function):
    """q -> q^(beta/2) with a bounded slope at 0 (Mahendran & Vedaldi's program)."""

    @staticmethod
    def forward(ctx, q: Tensor, beta: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        v = q ** (beta / 2)
        ctx.save_for_backward(v)
        ctx.beta = beta
        return v

    @staticmethod
    def backward(ctx, g: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        (v,) = ctx.saved_tensors
        beta = ctx.beta
        floored = v.clamp(min=_FLOOR) if beta < 2 else v
        return g * (beta / 2) * floored ** (1 - 2 / beta), None


def squared_differences(x: Tensor) -> Tensor:
    """Per pixel and channel dx^2 + dy^2, forward differences, zero past the last row and column."""
    dx = F.pad(x[..., :, 1:] - x[..., :, :-1], (0, 1))
    dy = F.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    return dx * dx + dy * dy


def total_variation(x: Tensor, beta: float = 1.0) -> Tensor:
    """sum over pixels and channels of (dx^2 + dy^2)^(beta/2), (B, C, H, W) -> (B,).

    Mahendran & Vedaldi 2016, eq. 8; grey levels^beta.
    """
    if beta == 2:  # no power: half the memory traffic of the default
        dx = x[..., :, 1:] - x[..., :, :-1]
        dy = x[..., 1:, :] - x[..., :-1, :]
        return (dx * dx).sum((1, 2, 3)) + (dy * dy).sum((1, 2, 3))
    powers = _Power.apply(squared_differences(x), beta)
    return powers.sum((1, 2, 3))  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]


class TV(Penalty):
    """weight * V^-beta / (H W) * sum (dx^2 + dy^2)^(beta/2), Mahendran & Vedaldi 2016, eq. 8, 11.

    dx and dy are differences of neighbouring pixels in grey levels, H W is the canvas. In the
    gradient for beta < 2 a pixel's value is floored at 1e-6.

    Args:
        V: a typical slope in grey levels per pixel (the paper's B/6.5 = 80/6.5).
        weight, norm: see Penalty.

    Raises:
        UserError: weight < 0, beta < 1, or V <= 0.
    """

    key, scale_key = "tv", "V"

    def __init__(
        self, weight: Any = 1.0, beta: float = 2.0, V: float = 80 / 6.5, norm: str = "area"
    ) -> None:
        self.power = number("tv.beta", beta, least=1)
        super().__init__(weight, V, norm)

    def bare(self, x: Tensor) -> Tensor:
        return total_variation(x, self.power)
