"""The update rule of Mahendran & Vedaldi's 2016 program."""

import torch
from torch import Tensor

from visprior.hyper import Progress
from visprior.optimizer.base import Energy, Optimizer, State, StepSize, fraction


class Mahendran(Optimizer):
    """AdaGrad over a window of gradients, with momentum (Mahendran & Vedaldi 2016, section 3.3).

    G <- rho G + g^2,  m <- rho m - g / (1/s + sqrt(G)),  z <- z + m

    The step size s holds the factor H W (schedule.per_pixel); the bound on the colour
    is alpha_norm's.

    Raises:
        UserError: rho is outside [0, 1).
    """

    def __init__(self, rho: float = 0.9) -> None:
        self.rho = fraction("optimizer.rho", rho)

    def init(self, z: Tensor) -> State:
        return {"momentum": torch.zeros_like(z), "window": torch.zeros_like(z)}

    def update(
        self, z: Tensor, g: Tensor, state: State, step_size: StepSize, t: Progress, energy: Energy
    ) -> tuple[Tensor, State]:
        window = (self.rho * state["window"]).addcmul_(g, g)
        m = self.rho * state["momentum"] - g / (window.sqrt() + 1 / step_size)
        return z + m, {"momentum": m, "window": window}
