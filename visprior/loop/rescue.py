"""Help for images that start where every ReLU on the way is dead: a gradient through them."""

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor

from visprior.hyper import Progress
from visprior.net.redirect import RedirectedReLU
from visprior.regularizer.base import Features

STEPS = 17  # lucid redirects while its step counter is <= 16, so in the first 17 steps


class Rescue:
    """The features of a problem; for the first STEPS steps, some images' gradients pass dead ReLUs.

    dead: for each image of the batch, whether its start has no gradient. The features themselves
    are the same for all.
    """

    def __init__(self, features: Callable[[Tensor], Features], dead: Sequence[bool] = ()) -> None:
        self.features = features
        self.dead = list(dead)

    def __call__(self, x: Tensor, t: Progress) -> Features:
        """{layer: features} of the images t.rows of the batch."""
        dead = self.dead[t.rows]
        if t.step >= STEPS or not any(dead):
            return self.features(x)
        parts, first = [], 0
        for redirected, group in groupby(dead):
            rows = slice(first, first := first + len(list(group)))
            parts.append(self._redirected(x[rows]) if redirected else self.features(x[rows]))
        if len(parts) == 1:
            return parts[0]
        return {k: torch.cat([part[k] for part in parts]) for k in parts[0]}

    def _redirected(self, x: Tensor) -> Features:
        with RedirectedReLU():
            return self.features(x)
