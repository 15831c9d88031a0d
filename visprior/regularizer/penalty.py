"""What the penalties on an image share: a weight, a typical scale, a power, a canvas."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from visprior.errors import UserError, choice, number
from visprior.hyper import Hyper, Progress
from visprior.regularizer.base import Features, Regularizer, Scene


class Penalty(Regularizer):
    """weight * scale^-power / (H W) * bare(x), (B,); x in grey levels, H W the canvas.

    A subclass says what `bare` and the power are, and what its own key and its scale's are called.

    Args:
        weight: a Hyper, >= 0; 1 is the paper's constant.
        scale: a typical value of what is penalised, in its unit.
        norm: area, as above; sum: the weight is the whole factor.

    Raises:
        UserError: weight < 0, scale <= 0, or no such norm.
    """

    key: str  # on the command line
    scale_key: str
    power: float  # to which the penalised values are raised

    def __init__(self, weight: Any, scale: float, norm: str) -> None:
        self.weight = Hyper(f"{self.key}.weight", weight, minimum=0.0)
        self.scale = number(f"{self.key}.{self.scale_key}", scale, above=0)
        self.norm = choice(f"{self.key}.norm", norm, ["area", "sum"])

    def bare(self, x: Tensor) -> Tensor:
        """The penalty of images (B, C, H, W) without weight, scale and area: (B,)."""
        raise NotImplementedError

    def coefficient(self, canvas: tuple[int, int], t: Progress, like: Tensor) -> Any:
        weight = self.weight.at(t, like)
        if self.norm == "sum":
            return weight
        return weight * (self.scale**-self.power / (canvas[0] * canvas[1]))

    def energy(self, x: Tensor, phi: Features, t: Progress) -> Tensor:
        return self.coefficient((x.shape[-2], x.shape[-1]), t, x) * self.bare(x)


class ColourPenalty(Penalty):
    """A penalty on the image minus a colour, in grey levels; see Penalty.

    Args:
        B: its scale, a typical colour.
        center: the colour: a grey level, or one for each channel; None: the network's mean.

    Raises:
        UserError: center is neither, or as in Penalty.
    """

    scale_key = "B"

    def __init__(
        self,
        weight: Any = 1.0,
        B: float = 80.0,
        norm: str = "area",
        center: float | list[float] | None = None,
    ) -> None:
        super().__init__(weight, B, norm)
        numbers = center if isinstance(center, list) else [0.0 if center is None else center]
        if not numbers or any(
            isinstance(n, bool) or not isinstance(n, int | float) for n in numbers
        ):
            allowed = "null, a grey level or one for each channel"
            raise UserError(f"{self.key}.center must be {allowed}, got {center}")
        self.center = None if center is None else [float(n) for n in numbers]

    def prepare(self, scene: Scene) -> None:
        if self.center is not None and len(self.center) not in (1, len(scene.mean)):
            given = f"{len(self.center)} numbers for {len(scene.mean)} channels: {self.center}"
            raise UserError(f"{self.key}.center has {given}")
        self.center = self.center or scene.mean

    def centered(self, x: Tensor) -> Tensor:
        """x minus the colour, per channel; the mean of the colour where the channels differ."""
        center = self.center or [0.0]
        if x.shape[1] != len(center):
            center = [sum(center) / len(center)] * x.shape[1]
        return x - _constant(tuple(center), x.device, x.dtype)[:, None, None]


@cache
def _constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Numbers on a device, moved there once: a copy in each step would make the loop wait."""
    return torch.tensor(values, device=device, dtype=dtype)
