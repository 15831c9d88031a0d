"""Gradient normalisation: a step of known length, whatever the network's scale."""

from torch import Tensor

from visprior.errors import UserError, choice
from visprior.hyper import Progress
from visprior.regularizer.base import Features, Regularizer


class Normalize(Regularizer):
    """g / s per image, s = mean |g| (by: mean) or the standard deviation of g + eps (by: std).

    The mean is over the entries where g is not zero, that is over the crop that the network saw
    (the program Baust et al. 2021 cite for their octaves). A zero gradient stays zero.

    Errors: UserError for an unknown `by`, eps <= 0.
    """

    def __init__(self, by: str = "mean", eps: float = 1e-8) -> None:
        self.by = choice("normalize.by", by, ["mean", "std"])
        if not eps > 0:
            raise UserError(f"normalize.eps must be > 0, got {eps}")
        self.eps = float(eps)

    def force(self, g: Tensor, z: Tensor, values: Tensor, phi: Features, t: Progress) -> Tensor:
        flat = g.flatten(1)
        if self.by == "std":
            scale = flat.std(1, unbiased=False) + self.eps
        else:
            seen = (flat != 0).sum(1).clamp(min=1)
            scale = flat.abs().sum(1) / seen
            scale = scale + (scale == 0)
        return g / scale[:, None, None, None]
