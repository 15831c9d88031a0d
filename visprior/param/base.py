"""Parametrizations: how the variable z that is optimised describes an image x, and back."""

import torch
from torch import Tensor

from visprior.errors import UserError, choice
from visprior.param.colour import Colour

BOUNDS = ["sigmoid", "clip", "none"]
_MIDDLE = 127.5  # grey levels
_EDGE = 0.25  # encode keeps off 0 and 255, where logits have no end; 8-bit pictures do not show it


class Parametrization:
    """An image x = b(A u + m) in grey levels, from its plane u = plane(z), (B, C, H, W).

    z, the variable that the optimiser changes, is a real (B, C, H, W) tensor. A subclass says what
    plane u it describes: the pixels themselves, or the transform of Fourier coefficients. A mixes
    the channels of each pixel (Colour; 1 without decorrelate), m is the mean colour that comes with
    A, or mid-grey. decode and encode are each other's inverse wherever the bound can show x.

    Args:
        bound: sigmoid: x = 255 / (1 + exp(-A u)), z in logits; encode moves x into 0.25..254.75.
            clip: x = A u + m within 0..255, z in grey levels. none: x = A u + m, in grey levels.
        decorrelate, factor: see Colour.

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
        """The plane u that z describes, (B, C, H, W)."""
        raise NotImplementedError

    def coordinates(self, plane: Tensor) -> Tensor:
        """The z that describes a plane: the inverse of `plane`."""
        raise NotImplementedError

    def noise(self, seeds: list[int], canvas: tuple[int, int], channels: int) -> Tensor:
        """The plane that `start` begins from, in logits, (B, C, H, W) float64.

        Args:
            seeds: one per image.
            canvas: height and width in pixels.
        """
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """The image that z describes, (B, C, H, W) in grey levels."""
        return self._image(self.plane(z))

    def encode(self, x: Tensor) -> Tensor:
        """The z that describes an image (B, C, H, W), its values moved into the bound's range."""
        x = self.shown_part(x)
        v = torch.logit(x / 255) if self.logits else x - self._mean(x)
        return self.coordinates(self.colour.unmix(v))

    def settle(self, z: Tensor) -> Tensor:
        """What replaces z after an optimiser's step; here, z itself."""
        return z

    def start(self, seeds: list[int], canvas: tuple[int, int], channels: int) -> Tensor:
        """The image that this parametrization starts from by itself (lucid), float64.

        Each image's noise comes from its own stream, on the CPU. 0.01 logits, in a unit where
        0..1 is what grey levels have as 0..255: without sigmoid 2.55 grey levels.
        """
        plane = self.noise(seeds, canvas, channels)
        return self._image(plane if self.logits else 255 * plane)

    def shown_part(self, x: Tensor) -> Tensor:
        """x, its values moved into the range that the bound can show."""
        return x if self.range is None else x.clamp(*self.range)

    def _image(self, plane: Tensor) -> Tensor:
        v = self.colour.mix(plane)
        if self.logits:
            return 255 * torch.sigmoid(v)
        x = v + self._mean(v)
        if self.bound == "none":
            return x
        # Unlike clamp's, its gradient does not end at the bound itself but behind it.
        return torch.where((x < 0) | (x > 255), x.detach().clamp(0, 255), x)

    def _mean(self, like: Tensor) -> Tensor | float:
        return _MIDDLE if self.colour.channels is None else self.colour.mean(like)
