"""A network that ends at the layers asked for."""

import torch
from torch import nn


class Cut(nn.Module):
    """x, (B, channels, H, W) in grey levels -> {layer: features}; frozen, in eval mode.

    Args:
        body: takes (x - mean) / std and returns the features; nothing past them is computed.
        mean, std: per channel, in grey levels.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module, mean: list[float], std: list[float]):
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float64).view(1, -1, 1, 1))
        self.requires_grad_(False).eval()

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The features of each layer asked for, under the name it was asked by."""
        return self.body((x - self.mean) / self.std)


def keep_inputs(model: nn.Module) -> None:
    """Switch every in-place activation off: it would overwrite the features of the layer before."""
    for module in model.modules():
        if "inplace" in vars(module):
            vars(module)["inplace"] = False
