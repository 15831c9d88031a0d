"""Whether a classifier sees in an image what it should show."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Verdict:
    """What a classifier says of a batch: the class (B,), its probability (B,), the k likeliest."""

    predicted: Tensor
    probability: Tensor
    probabilities: Tensor  # (B, classes)
    likeliest: Tensor  # (B, k), falling

    def top1(self, targets: Tensor) -> Tensor:
        """(B,) whether the class is the target's."""
        return self.predicted == targets

    def topk(self, targets: Tensor) -> Tensor:
        """(B,) whether the target's class is among the k likeliest."""
        return (self.likeliest == targets[:, None]).any(1)


def verdict(logits: Tensor, k: int) -> Verdict:
    """From logits (B, classes); k is at most the number of classes."""
    probabilities = logits.double().softmax(1)
    order = torch.sort(probabilities, dim=1, descending=True, stable=True).indices
    predicted = order[:, 0]
    likelihood = probabilities.gather(1, predicted[:, None])[:, 0]
    return Verdict(predicted, likelihood, probabilities, order[:, :k])
