"""What the L1 and L2 norms of the centred image share."""

from typing import Any

from torch import Tensor

from visprior.errors import choice
from visprior.hyper import Hyper, Progress
from visprior.regularizer.base import (
    Features,
    Regularizer,
    Scene,
    center_for,
    centered,
    colour,
)


class PowerNorm(Regularizer):
    """weight / (B^power H W) * sum |x - center|^power, grey levels; H W is the canvas.

    norm: area as above, or sum: the weight is the whole factor. center: a colour or a grey
    level; None is the network's mean colour. Errors: UserError for weight < 0.
    """

    name: str
    power: int

    def __init__(
        self,
        weight: Any = 1.0,
        B: float = 80.0,
        norm: str = "area",
        center: float | list[float] | None = None,
    ) -> None:
        self.weight = Hyper(f"{self.name}.weight", weight, minimum=0.0)
        self.B = float(B)
        self.norm = choice(f"{self.name}.norm", norm, ["area", "sum"])
        self.center = colour(f"{self.name}.center", center)

    def prepare(self, scene: Scene) -> None:
        self.center = center_for(f"{self.name}.center", self.center, scene.mean)

    def coefficient(self, canvas: tuple[int, int], t: Progress, like: Tensor) -> Any:
        weight = self.weight.at(t, like)
        if self.norm == "sum":
            return weight
        return weight / (self.B**self.power * canvas[0] * canvas[1])

    def energy(self, x: Tensor, phi: Features, t: Progress) -> Tensor:
        factor = self.coefficient((x.shape[-2], x.shape[-1]), t, x)
        d = centered(x, self.center or [0.0])
        return factor * (d.abs() if self.power == 1 else d.square()).sum((1, 2, 3))
