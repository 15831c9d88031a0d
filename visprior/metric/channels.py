"""What the channels of a layer do over many images: maxima, means, deviations, best examples."""

from dataclasses import dataclass

import torch
from torch import Tensor

FIELDS = ("maximum", "mean", "std", "value", "image", "position")


@dataclass(frozen=True)
class ChannelTable:
    """Per channel (C,): maximum, mean and standard deviation over positions and images; (C, k):

    the k images with the largest responses, falling: value, image (its number), position (an index
    into the flattened positions). Of equal ones the earlier image comes first; -1 where there were
    fewer than k images.
    """

    maximum: Tensor
    mean: Tensor
    std: Tensor
    value: Tensor
    image: Tensor
    position: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """By the names of the fields, in single precision, ready for a file."""
        whole = ("image", "position")
        return {
            k: getattr(self, k).to(torch.int32 if k in whole else torch.float32) for k in FIELDS
        }


class ChannelStatistics:
    """Gathers a ChannelTable batch by batch; holds (C,) and (C, k) numbers only.

    Means and squared deviations are merged pairwise (Chan, Golub & LeVeque 1979), in float64:
    M2 = M2_a + M2_b + (mean_b - mean_a)^2 n_a n_b / (n_a + n_b).
    """

    def __init__(self, channels: int, k: int) -> None:
        self.seen = torch.zeros((), dtype=torch.float64)  # positions times images
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros(channels, dtype=torch.float64)
        self.value = torch.full((channels, k), -torch.inf, dtype=torch.float64)
        self.image = torch.full((channels, k), -1, dtype=torch.int64)
        self.position = torch.full((channels, k), -1, dtype=torch.int64)

    def add(self, cells: Tensor, first: int) -> None:
        """cells: (B, C, positions), the responses to images first, first + 1, ..."""
        best, at = (t.cpu() for t in cells.max(2))
        images = torch.arange(first, first + len(cells)).expand(cells.shape[1], -1)
        value = torch.cat([self.value, best.double().T], 1)
        # Stable, and earlier images stand in front: batches of any size give the same table.
        order = torch.sort(value, dim=1, descending=True, stable=True).indices
        order = order[:, : self.value.shape[1]]
        self.value = value.gather(1, order)
        self.image = torch.cat([self.image, images], 1).gather(1, order)
        self.position = torch.cat([self.position, at.T], 1).gather(1, order)
        self._merge(cells.transpose(0, 1).flatten(1).double())

    def _merge(self, responses: Tensor) -> None:
        """responses: (C, numbers)."""
        count = responses.shape[1]
        mean = responses.mean(1)
        squares = (responses - mean[:, None]).square().sum(1).cpu()
        step = mean.cpu() - self.mean
        total = self.seen + count
        self.mean = self.mean + step * (count / total)
        self.squares = self.squares + squares + step.square() * (self.seen * count / total)
        self.seen = total

    def table(self) -> ChannelTable:
        """The table of the images so far; at least one."""
        std = (self.squares / self.seen).sqrt()
        return ChannelTable(self.value[:, 0], self.mean, std, self.value, self.image, self.position)

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on."""
        return dict(vars(self))

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        for name, value in state.items():
            setattr(self, name, value)
