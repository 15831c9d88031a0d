"""Gradient descent."""

from torch import Tensor

from visprior.hyper import Progress
from visprior.optimizer.base import Energy, Optimizer, State, StepSize


class GD(Optimizer):
    """z <- z - s g, s the step size (Baust et al. 2021, eq. 5)."""

    def update(
        self, z: Tensor, g: Tensor, state: State, step_size: StepSize, t: Progress, energy: Energy
    ) -> tuple[Tensor, State]:
        return z - step_size * g, state
