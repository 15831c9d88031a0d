"""How ambiguous a representation is: how far apart the pre-images of one target lie."""

import math
from itertools import combinations

from torch import Tensor

from visprior.metric.ssim import mse, ssim


def ambiguity(x: Tensor) -> tuple[float, float]:
    """(mean SSIM, mean RMS distance in grey levels) over all pairs of x (n, C, H, W).

    NaN for fewer than two images. A low SSIM at a low feature error means an ambiguous layer.
    """
    pairs = list(combinations(range(len(x)), 2))
    if not pairs:
        return math.nan, math.nan
    similarity = distance = 0.0
    for i, j in pairs:  # one pair at a time: a batch of all pairs would not fit for many seeds
        similarity += float(ssim(x[i : i + 1], x[j : j + 1]))
        distance += float(mse(x[i : i + 1], x[j : j + 1]).sqrt())
    return similarity / len(pairs), distance / len(pairs)
