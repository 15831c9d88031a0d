"""Gradients through dead ReLUs, for the first steps from a start that excites nothing."""

import math
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_RELUS = (F.relu, F.relu_, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_)


class _Redirected(torch.autograd.Function):
    """y = min(max(x, 0), ceiling), with lucid's redirected gradient.

    For a batch element whose whole ordinary gradient is zero, the gradient passes wherever it
    does not push x further out of (0, ceiling): where x >= 0 or g <= 0 (descent raises x), and
    above the ceiling only where g >= 0 (lucid, misc/redirected_relu_grad.py).
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, ceiling: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.ceiling = ceiling
        return x.clamp(0, ceiling)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,), (g,) = ctx.saved_tensors, grad_outputs
        plain = g * ((x > 0) & (x < ctx.ceiling))
        outward = ((x < 0) & (g > 0)) | ((x > ctx.ceiling) & (g < 0))
        dead = (plain.flatten(1) == 0).all(dim=1).view(-1, *[1] * (g.dim() - 1))
        return torch.where(dead, g.masked_fill(outward, 0), plain), None


class RedirectedReLU(TorchFunctionMode):
    """While active, every ReLU and ReLU6 (module or function) has the redirected gradient."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        ceiling = _ceiling(func, kwargs)
        if ceiling is None:
            return func(*args, **kwargs)
        return _Redirected.apply(args[0] if args else kwargs["input"], ceiling)


def _ceiling(func: Any, kwargs: dict[str, Any]) -> float | None:
    """Where a ReLU ends (infinity, or 6), None for other functions. nn.ReLU6 calls hardtanh."""
    if func in _RELUS:
        return math.inf
    is_bounded = func is F.hardtanh and kwargs.get("min_val") == 0
    return float(kwargs["max_val"]) if is_bounded else 6.0 if func is F.relu6 else None
