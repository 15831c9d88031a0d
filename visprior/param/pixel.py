"""Pixels as the optimised variable."""

from torch import Tensor

from visprior.param.base import Parametrization
from visprior.streams import gaussian_noise


class Pixel(Parametrization):
    """The plane is z itself (see Parametrization); without bound and colours z = x, in grey levels.

    With bound=clip z is brought back to the bound after each step, where it still has a gradient:
    the image is clipped after each step (Schürmeyer 2020). Its own start is N(0, 0.01^2) around
    mid-grey or the mean colour (lucid).
    """

    def __init__(
        self, bound: str = "none", decorrelate: str | bool = False, factor: str | None = None
    ) -> None:
        super().__init__(bound, decorrelate, factor)
        self.identity = bound == "none" and self.colour.matrix is None

    def plane(self, z: Tensor) -> Tensor:
        return z

    def coordinates(self, plane: Tensor) -> Tensor:
        return plane

    def decode(self, z: Tensor) -> Tensor:
        return z if self.identity else super().decode(z)

    def encode(self, x: Tensor) -> Tensor:
        return x if self.identity else super().encode(x)

    def settle(self, z: Tensor) -> Tensor:
        if self.bound != "clip":
            return z
        # Rounding in the colours' way back must not put a pixel where clip has no gradient.
        inside = 0.0 if self.colour.matrix is None else 1e-3
        return self.encode(self.decode(z).clamp(inside, 255 - inside))

    def noise(self, seeds: list[int], canvas: tuple[int, int], channels: int) -> Tensor:
        return 0.01 * gaussian_noise(seeds, (channels, *canvas))
