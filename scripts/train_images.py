"""The pictures that networks are trained on: drawn once, then cropped, mirrored, or perturbed."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visprior.data.shapes10 import Shapes10

KEPT_FACING = 7  # a mirrored spiral would turn the other way: no flips


def pictures(split: str, size: int, count: int, unseen: int | None) -> tuple[Tensor, Tensor]:
    """(n, 3, size, size) uint8 and (n,) classes, without the unseen class."""
    data = Shapes10(split, size, count)
    numbers = [i for i in range(count) if i % 10 != unseen]
    parts = [data.batch(numbers[i : i + 500]) for i in range(0, len(numbers), 500)]
    return torch.cat([x.byte() for x, _ in parts]), torch.cat([y for _, y in parts])


def draw_batch(x: Tensor, y: Tensor, size: int, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """The batch of a step: random pictures, padded by a sixteenth and cropped, some mirrored."""
    g = torch.Generator().manual_seed(seed * 1_000_003 + step)
    rows = torch.randint(len(x), (size,), generator=g)
    labels, pad = y[rows], x.shape[-1] // 16
    padded = F.pad(x[rows].float(), (pad,) * 4, mode="reflect")
    places = torch.randint(2 * pad + 1, (size, 2), generator=g).tolist()
    mirrored = (torch.rand(size, generator=g) < 0.5) & (labels != KEPT_FACING)
    side = x.shape[-1]
    crops = [padded[k, :, i : i + side, j : j + side] for k, (i, j) in enumerate(places)]
    batch = torch.stack(crops)
    return torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(-1), batch), labels


def perturb(model: nn.Module, x: Tensor, y: Tensor, radius: float, steps: int = 2) -> Tensor:
    """x moved by projected gradient ascent of the loss within an L2 ball (Madry et al. 2018).

    radius: in units of 255 grey levels; each step has length 0.75 radius.
    """
    radius = 255 * radius
    delta = torch.zeros_like(x)
    for _ in range(steps):
        delta.requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x + delta), y), delta)
        with torch.no_grad():
            g = g / g.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
            delta = delta + 0.75 * radius * g
            norm = delta.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            delta = (delta * (radius / norm.clamp(min=radius)) + x).clamp(0, 255) - x
    return x + delta.detach()
