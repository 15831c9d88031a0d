"""Jitter: the network sees the image shifted by a few random pixels."""

import logging
import math

import numpy as np
from torch import Tensor

from visprior.errors import whole_number
from visprior.hyper import Progress
from visprior.regularizer.base import Regularizer, Scene
from visprior.regularizer.crop import crop
from visprior.schedule.schedule import Stage
from visprior.streams import Streams

log = logging.getLogger("visprior")


def quarter(stride: float) -> int:
    """max(round(stride / 4), 1), halves away from zero (Mahendran & Vedaldi's program)."""
    return max(math.floor(stride / 4 + 0.5), 1)


class Jitter(Regularizer):
    """A window of the canvas at a new offset in {0..T-1}^2 each step, T - 1 pixels of margin.

    Mahendran & Vedaldi 2016, section 3.2.3. T=auto is a quarter of the layer's stride (1 where it
    is not known); T=1 is none.

    Raises:
        UserError: T < 1.
    """

    def __init__(self, T: int | str = "auto") -> None:
        self.T = T if T == "auto" else whole_number("jitter.T", T, least=1, other="auto")

    def prepare(self, scene: Scene) -> None:
        if self.T == "auto":
            if scene.stride is None:
                log.warning("jitter.T=auto: the layer's stride is not known, so none; set jitter.T")
            self.T = quarter(scene.stride or 1)

    def margin(self, stage: Stage) -> int:
        return int(self.T) - 1

    def offsets(self, t: Progress, rng: Streams) -> np.ndarray:
        """(B, 2) rows and columns at which this step's windows start."""
        return (rng.uniform("jitter", 2)[t.step][t.rows] * int(self.T)).astype(int)

    def perturb(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        if self.T == 1:
            return x
        less = int(self.T) - 1
        return crop(x, self.offsets(t, rng), (x.shape[-2] - less, x.shape[-1] - less))
