"""What an activation maximization sums: a channel, a direction, a position, or a mosaic."""

import torch
from torch import Tensor

from visprior.errors import UserError
from visprior.objective.data_terms import by_position

SCORES = ["logit", "probability", "log_probability"]


class Term:
    """weight * the response of one layer, per image.

    direction: (B, C), one per image; the response at a position is d = <phi, v>, for a power p > 0
    d max(0.1, cos(phi, v))^p with v of length 1 (lucid's). where: mean over positions,
    centre (index floor(n/2)), or an index into the flattened positions.
    scale: (B,), 1/Z; set by the task once Z is known.
    """

    def __init__(
        self,
        layer: str,
        direction: Tensor,
        where: str | int = "mean",
        weight: float = 1.0,
        power: float = 0.0,
        score: str = "logit",
    ) -> None:
        self.layer = layer
        self.direction = direction
        self.where = where
        self.weight = weight
        self.power = power
        self.score = score
        self.scale = torch.ones(len(direction)).to(direction)
        hot = (direction != 0).sum(1)
        single = bool((hot == 1).all()) and power == 0
        # One channel per image is the common case: picking it is cheaper than a product.
        self.channels = direction.abs().argmax(1) if single else None

    def response(self, phi: Tensor, rows: slice = slice(None)) -> Tensor:
        """(B, positions)."""
        if self.score != "logit":
            phi = phi.log_softmax(1) if self.score == "log_probability" else phi.softmax(1)
        cells = by_position(phi)
        v = self.direction[rows].to(cells)
        if self.channels is not None:
            picked = self.channels[rows]
            factor = v.gather(1, picked[:, None])
            return cells[torch.arange(len(cells), device=cells.device), picked] * factor
        d = torch.einsum("bcp,bc->bp", cells, v)
        if not self.power:
            return d
        length = (cells.square().sum(1) + 1e-12).sqrt()
        cosine = d / ((1e-4 + length) * (1e-4 + v.norm(dim=1, keepdim=True)))
        return d * cosine.clamp(min=0.1) ** self.power

    def value(self, phi: Tensor, rows: slice = slice(None)) -> Tensor:
        """(B,)."""
        response = self.response(phi, rows)
        if self.where == "mean":
            return response.mean(1)
        return response[:, self.cell(phi)]

    def cell(self, phi: Tensor) -> int:
        """The index of the one position that counts."""
        if isinstance(self.where, int):
            return self.where
        if phi.dim() == 4:
            return (phi.shape[2] // 2) * phi.shape[3] + phi.shape[3] // 2
        return phi.shape[1] // 2 if phi.dim() == 3 else 0

    def maxima(self, phi: Tensor) -> Tensor:
        """M: the largest response over pictures (n, ...) and positions, per image of the batch."""
        largest = []
        for b in range(len(self.direction)):
            rows = slice(b, b + 1)
            each = [float(self.response(phi[i : i + 1], rows).max()) for i in range(len(phi))]
            largest.append(max(each))
        return torch.tensor(largest).to(self.direction)


class Mosaic:
    """Several filters in one image: filter k counts at the centre of square k of a grid.

    Mahendran & Vedaldi 2016, section 6; layout of their program: row-major, `pitch` cells a square.
    """

    def __init__(
        self,
        layer: str,
        channels: list[int],
        pitch: int,
        batch: int,
        device: torch.device | None = None,
    ) -> None:
        self.layer = layer
        self.channels = channels
        self.pitch = pitch
        self.side = int(-(-(len(channels) ** 0.5) // 1))
        self.weight = 1.0
        self.scales = torch.ones(len(channels))
        self.scale = torch.ones(batch)
        # On the device once: an index of lists would be copied there in every step.
        i, j = zip(*self.cells(), strict=True)
        self._places = torch.tensor([self.channels, i, j]).to(device).unbind()

    def cells(self) -> list[tuple[int, int]]:
        """The row and column of each filter's cell."""
        middle = self.pitch // 2
        rows = [divmod(k, self.side) for k in range(len(self.channels))]
        return [(i * self.pitch + middle, j * self.pitch + middle) for i, j in rows]

    def responses(self, phi: Tensor) -> Tensor:
        """(B, filters), each at its own cell."""
        channels, i, j = self._places
        return phi[:, channels, i, j]

    def value(self, phi: Tensor, rows: slice = slice(None)) -> Tensor:
        """(B,), with each filter's own 1/Z."""
        return (self.responses(phi) * self.scales.to(phi)).sum(1)


def one_hot(channels: list[int], count: int) -> Tensor:
    """(B, C) unit vectors; UserError for a channel out of range."""
    for c in channels:
        if not 0 <= c < count:
            raise UserError(f"channel={c} is out of range: the layer has {count}, 0 to {count - 1}")
    return torch.eye(count)[channels]
