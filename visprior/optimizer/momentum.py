"""Gradient descent with momentum."""

import torch
from torch import Tensor

from visprior.hyper import Progress
from visprior.optimizer.base import Energy, Optimizer, State, StepSize, fraction


class Momentum(Optimizer):
    """m <- rho m - s g,  z <- z + m (Mahendran & Vedaldi's 2015 program).

    Raises:
        UserError: rho is outside [0, 1).
    """

    def __init__(self, rho: float = 0.9) -> None:
        self.rho = fraction("optimizer.rho", rho)

    def init(self, z: Tensor) -> State:
        return {"momentum": torch.zeros_like(z)}

    def update(
        self, z: Tensor, g: Tensor, state: State, step_size: StepSize, t: Progress, energy: Energy
    ) -> tuple[Tensor, State]:
        m = self.rho * state["momentum"] - step_size * g
        return z + m, {"momentum": m}
