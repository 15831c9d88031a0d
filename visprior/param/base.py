"""From the optimised variable z to images and back."""

import torch
from torch import Tensor

from visprior.errors import UserError, choice
from visprior.param.colour import Colour

BOUNDS = ["sigmoid", "clip", "none"]
_MIDDLE = 127.5  # grey levels
_EDGE = 0.25  # encode keeps off 0 and 255, where logits have no end; 8-bit pictures do not show it


class Parametrization:
    """x = b(A t + m), t the image that z describes, (B, C, H, W).

    A: the colour directions of `decorrelate` (Colour), or 1. b and m, by `bound`:
        sigmoid: x = 255 / (1 + exp(-A t)); z is in logits. encode moves x into 0.25..254.75.
        clip:    x = A t + m within 0..255; z is in grey levels.
        none:    x = A t + m; z is in grey levels.
    m is the mean colour that comes with A, or mid-grey. z is a real (B, C, H, W) tensor; decode
    and encode are each other's inverse wherever the bound can show the image.

    Raises:
        UserError: no such bound or decorrelate, or a factor that does not fit.
    """

    identity = False  # True: decode and encode change nothing, so the loop skips them

    def __init__(self, bound: str, decorrelate: str | bool, factor: str | None = None) -> None:
        self.bound = choice("param.bound", bound, BOUNDS)
        self.colour = Colour(decorrelate, factor)
        self.logits = bound == "sigmoid"
        edge = _EDGE if self.logits else 0.0
        self.range = None if bound == "none" else (edge, 255 - edge)  # what encode can keep

    def prepare(self, channels: int) -> None:
        """Refuse images of so many channels.

        Raises:
            UserError: the colours are made for another number.
        """
        if self.colour.channels not in (None, channels):
            raise UserError(
                f"param.decorrelate={self.colour.kind} is for {self.colour.channels} channels, "
                f"the net takes {channels}; param.decorrelate=false takes any number"
            )

    def plane(self, z: Tensor) -> Tensor:
        """t of z."""
        raise NotImplementedError

    def coordinates(self, t: Tensor) -> Tensor:
        """z of t."""
        raise NotImplementedError

    def noise(self, seeds: list[int], canvas: tuple[int, int], channels: int) -> Tensor:
        """t of this parametrization's own start, in logits, (B, C, H, W) float64."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """The image of z."""
        return self._shown(self.plane(z))

    def encode(self, x: Tensor) -> Tensor:
        """The z of an image."""
        x = self.shown_part(x)
        v = torch.logit(x / 255) if self.logits else x - self._mean(x)
        return self.coordinates(self.colour.unmix(v))

    def settle(self, z: Tensor) -> Tensor:
        """z after a step."""
        return z

    def start(self, seeds: list[int], canvas: tuple[int, int], channels: int) -> Tensor:
        """The image that this parametrization starts from by itself (lucid), float64.

        Each image's noise comes from its own stream, on the CPU. 0.01 logits, in a unit where
        0..1 is what grey levels have as 0..255: without sigmoid 2.55 grey levels.
        """
        t = self.noise(seeds, canvas, channels)
        return self._shown(t if self.logits else 255 * t)

    def shown_part(self, x: Tensor) -> Tensor:
        """x, its values moved into the range that the bound can show."""
        return x if self.range is None else x.clamp(*self.range)

    def _shown(self, t: Tensor) -> Tensor:
        v = self.colour.mix(t)
        if self.logits:
            return 255 * torch.sigmoid(v)
        x = v + self._mean(v)
        if self.bound == "none":
            return x
        # Unlike clamp's, its gradient does not end at the bound itself but behind it.
        return torch.where((x < 0) | (x > 255), x.detach().clamp(0, 255), x)

    def _mean(self, like: Tensor) -> Tensor | float:
        return _MIDDLE if self.colour.channels is None else self.colour.mean(like)
