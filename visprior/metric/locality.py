"""How well a pre-image stays inside the receptive field of the features it was made from."""

from collections.abc import Sequence

import torch
from torch import Tensor

Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels, half open as a slice


def share_inside(x: Tensor, reference: Sequence[float] | Tensor, box: Box) -> Tensor:
    """Share of sum (x - reference)^2 inside the box: (B, C, H, W) -> (B,) float64.

    reference is one grey level per channel (the mean colour); a box that leaves the image is cut.
    NaN where x is the reference everywhere.
    """
    energy = _energy(x, reference)
    top, left, bottom, right = box
    inside = energy[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    return inside.sum((-2, -1)) / energy.sum((-2, -1))


def side95(x: Tensor, reference: Sequence[float] | Tensor, box: Box, share: float = 0.95) -> Tensor:
    """Side in pixels of the smallest square on the box's centre with that share of the energy.

    A square counts a pixel when it covers it whole; it may reach over the border. (B,) float64,
    NaN where x is the reference everywhere.
    """
    energy = _energy(x, reference)
    height, width = energy.shape[-2:]
    top, left, bottom, right = box
    rows = (torch.arange(height, device=x.device) + 0.5 - (top + bottom) / 2).abs()
    columns = (torch.arange(width, device=x.device) + 0.5 - (left + right) / 2).abs()
    side = 2 * torch.maximum(rows[:, None], columns[None]).double().flatten() + 1
    order = side.argsort()
    held = energy.flatten(1)[:, order].cumsum(1)
    total = held[:, -1:]
    first = (held < share * total * (1 - 1e-12)).sum(1).clamp(max=side.numel() - 1)
    return torch.where(total[:, 0] > 0, side[order][first], float("nan"))


def _energy(x: Tensor, reference: Sequence[float] | Tensor) -> Tensor:
    """(x - reference)^2 summed over channels, (B, H, W) float64."""
    colour = torch.as_tensor(reference, dtype=torch.float64, device=x.device)
    return (x.double() - colour.reshape(1, -1, 1, 1)).square().sum(1)
