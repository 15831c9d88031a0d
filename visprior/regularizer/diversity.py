"""Diversity: images of one feature kept from growing alike."""

from typing import Any

from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Hyper, Progress
from visprior.regularizer.base import Features, Regularizer, Scene


def styles(phi: Tensor) -> Tensor:
    """Gram matrices F^T F of length 1, F positions x channels: (B, C, C).

    phi: maps (B, C, H, W), tokens (B, N, C), or (B, C).
    """
    maps = phi.transpose(1, 2) if phi.dim() == 3 else phi
    cells = maps.reshape(*maps.shape[:2], -1)
    gram = cells @ cells.transpose(1, 2)
    squares = gram.square().sum((1, 2), keepdim=True)
    return gram * squares.clamp(min=1e-10).rsqrt()


class Diversity(Regularizer):
    """weight / n * sum_{j != i} <G_i, G_j>, G: Gram matrix of length 1 of a layer's features.

    The objective of Olah et al. 2017 and lucid: an energy that grows as the n images of one feature
    (`seeds`) grow alike. Images of other channels are not compared. A batch of them may not be
    split into micro-batches.

    Args:
        layer: whose features are compared; null: the layer that is maximized.

    Raises:
        UserError: weight < 0, or a single seed.
    """

    couples_images = True

    def __init__(self, weight: Any = 1.0, layer: str | None = None) -> None:
        self.weight = Hyper("diversity.weight", weight, minimum=0.0)
        self.layers = (layer,) if layer else ()
        self.group = 0

    def prepare(self, scene: Scene) -> None:
        if scene.seeds < 2:
            raise UserError("diversity compares images of one feature: set seeds=4, say")
        self.group = scene.seeds
        self.layers = self.layers or (scene.layer,)

    def coefficient(self, canvas: tuple[int, int], t: Progress, like: Tensor) -> Any:
        return self.weight.at(t, like) / self.group

    def energy(self, x: Tensor, phi: Features, t: Progress) -> Tensor:
        gram = styles(phi[self.layers[0]])
        groups = gram.flatten(1).unflatten(0, (-1, self.group))
        others = groups.sum(1, keepdim=True) - groups
        likeness = (groups * others).sum(2).flatten()
        return self.coefficient((x.shape[-2], x.shape[-1]), t, x) * likeness
