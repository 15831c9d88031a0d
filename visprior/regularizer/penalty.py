"""What the penalties on an image share: a weight, a typical scale, a power, a canvas."""

from typing import Any

from torch import Tensor

from visprior.errors import UserError, choice
from visprior.hyper import Hyper, Progress
from visprior.regularizer.base import (
    Features,
    Regularizer,
    Scene,
    center_for,
    centered,
    colour,
)


class Penalty(Regularizer):
    """weight * scale^-power / (H W) * bare(x), grey levels; H W is the canvas.

    A subclass says what is bare and what its key and its scale's are called. norm: area as above,
    or sum: the weight is the whole factor. Errors: UserError for a negative weight, scale <= 0.
    """

    key: str  # on the command line
    scale_key: str

    def __init__(self, weight: Any, scale: float, power: float, norm: str) -> None:
        if not scale > 0:
            raise UserError(f"{self.key}.{self.scale_key} must be > 0, got {scale}")
        self.weight = Hyper(f"{self.key}.weight", weight, minimum=0.0)
        self.scale = float(scale)
        self.power = float(power)
        self.norm = choice(f"{self.key}.norm", norm, ["area", "sum"])

    def bare(self, x: Tensor) -> Tensor:
        """(B,), without weight and scale."""
        raise NotImplementedError

    def coefficient(self, canvas: tuple[int, int], t: Progress, like: Tensor) -> Any:
        weight = self.weight.at(t, like)
        if self.norm == "sum":
            return weight
        return weight * (self.scale**-self.power / (canvas[0] * canvas[1]))

    def energy(self, x: Tensor, phi: Features, t: Progress) -> Tensor:
        return self.coefficient((x.shape[-2], x.shape[-1]), t, x) * self.bare(x)


class ColourPenalty(Penalty):
    """A penalty on the image minus `center`: a colour, a grey level, or None: the network's mean.

    Its scale is B, a typical colour.
    """

    scale_key = "B"

    def __init__(
        self,
        weight: Any,
        B: float,
        power: float,
        norm: str,
        center: float | list[float] | None,
    ) -> None:
        super().__init__(weight, B, power, norm)
        self.center = colour(f"{self.key}.center", center)

    def prepare(self, scene: Scene) -> None:
        self.center = center_for(f"{self.key}.center", self.center, scene.mean)

    def centered(self, x: Tensor) -> Tensor:
        """x minus the colour."""
        return centered(x, self.center or [0.0])
