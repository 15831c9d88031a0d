"""How rough a picture is."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from visprior.metric.base import Metric


class Variation(Metric):
    """tv: sum over channels of sqrt(dx^2 + dy^2), mean over pixels, in grey levels.

    Forward differences, zero past the last row and column (Mahendran & Vedaldi 2016, section 3.2.2,
    with beta = 1).
    """

    tasks = ("maximization", "caricature")

    def measure(self, saved: Tensor, x: Tensor) -> list[dict[str, Any]]:
        """See Metric.measure."""
        picture = saved.cpu().double()
        dx = F.pad(picture[..., :, 1:] - picture[..., :, :-1], (0, 1))
        dy = F.pad(picture[..., 1:, :] - picture[..., :-1, :], (0, 0, 0, 1))
        variation = (dx * dx + dy * dy).sqrt().sum((1, 2, 3))
        height, width = picture.shape[-2:]
        return [{"tv": value} for value in (variation / (width * height)).tolist()]
