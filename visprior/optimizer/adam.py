"""Adam."""

import torch
from torch import Tensor

from visprior.errors import number
from visprior.hyper import Progress
from visprior.optimizer.base import Energy, Optimizer, State, StepSize, fraction


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1), its step count starting anew in each stage.

    m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
    z <- z - s (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + eps)

    Raises:
        UserError: a beta is outside [0, 1), or eps <= 0.
    """

    def __init__(self, betas: list[float] | None = None, eps: float = 1e-8) -> None:
        b1, b2 = betas or (0.9, 0.999)
        self.b1 = fraction("optimizer.betas[0]", b1)
        self.b2 = fraction("optimizer.betas[1]", b2)
        self.eps = number("optimizer.eps", eps, above=0)

    def init(self, z: Tensor) -> State:
        return {"mean": torch.zeros_like(z), "square": torch.zeros_like(z)}

    def update(
        self, z: Tensor, g: Tensor, state: State, step_size: StepSize, t: Progress, energy: Energy
    ) -> tuple[Tensor, State]:
        k = t.step_in_stage + 1
        m = state["mean"].lerp(g, 1 - self.b1)
        v = (self.b2 * state["square"]).addcmul_(g, g, value=1 - self.b2)
        root = (v / (1 - self.b2**k)).sqrt_().add_(self.eps)
        return z - (step_size / (1 - self.b1**k)) * (m / root), {"mean": m, "square": v}
