"""The squared L2 norm of the centred image."""

from typing import Any

from torch import Tensor

from visprior.errors import choice
from visprior.hyper import Hyper, Progress
from visprior.regularizer.base import Features, Regularizer, Scene, centered


class L2(Regularizer):
    """weight / (B^2 H W) * sum (x - center)^2, grey levels; H W is the canvas, B = 80.

    norm: area as above, or sum: the weight is the whole factor. Errors: UserError for weight < 0.
    """

    def __init__(
        self,
        weight: Any = 1.0,
        B: float = 80.0,
        norm: str = "area",
        center: list[float] | None = None,
    ) -> None:
        self.weight = Hyper("l2.weight", weight, minimum=0.0)
        self.B = float(B)
        self.norm = choice("l2.norm", norm, ["area", "sum"])
        self.center = center

    def prepare(self, scene: Scene) -> None:
        self.center = self.center or scene.mean

    def coefficient(self, canvas: tuple[int, int], t: Progress, like: Tensor) -> Any:
        weight = self.weight.at(t, like)
        return weight if self.norm == "sum" else weight / (self.B**2 * canvas[0] * canvas[1])

    def energy(self, x: Tensor, phi: Features, t: Progress) -> Tensor:
        factor = self.coefficient((x.shape[-2], x.shape[-1]), t, x)
        return factor * centered(x, self.center or [0.0]).square().sum((1, 2, 3))
