"""Fourier coefficients as the optimised variable, scaled as those of natural images are."""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from visprior.errors import number
from visprior.param.base import Parametrization
from visprior.streams import gaussian_noise


class Fourier(Parametrization):
    """The plane u = irfft2(s c) / 4, z the coefficients c (lucid; Schürmeyer 2020, section 3.4).

    s = sqrt(H W) / max(f, 1 / max(H, W))^decay, f = sqrt(fx^2 + fy^2) in cycles per pixel. irfft2
    divides by H W. z holds the real and the imaginary part of every coefficient that a real image
    is free to have, H W numbers in all (`pack`), so any z is an image's, and an image has one z.
    Coefficients that must be conjugates of others share their number: in lucid each has its own,
    and irfft2 takes the mean of the two; under Adam both move by the same step.
    For odd W lucid makes W + 1 columns and cuts one off; here c is that of the W columns.
    Its own start: c ~ N(0, 0.01^2) in real and imaginary part (lucid).

    Args:
        bound, decorrelate, factor: see Parametrization.
        decay: the exponent of the spectrum; 1 is that of natural images, 0 a white one.

    Raises:
        UserError: decay < 0, or as in Parametrization.
    """

    def __init__(
        self,
        bound: str = "sigmoid",
        decorrelate: str | bool = "lucid",
        factor: str | None = None,
        decay: float = 1.0,
    ) -> None:
        super().__init__(bound, decorrelate, factor)
        self.decay = number("param.decay", decay, least=0)
        self._scales = cache(self._make)

    def _make(self, canvas: tuple[int, int], device: torch.device, dtype: torch.dtype) -> Tensor:
        """s / 4, moved to where it is needed once."""
        return torch.from_numpy(spectrum_scale(canvas, self.decay) / 4).to(device, dtype)

    def _scale(self, like: Tensor) -> Tensor:
        height, width = like.shape[-2:]
        return self._scales((height, width), like.device, like.dtype)

    def plane(self, z: Tensor) -> Tensor:
        size = (z.shape[-2], z.shape[-1])
        return torch.fft.irfft2(unpack(z) * self._scale(z), s=size)

    def coordinates(self, plane: Tensor) -> Tensor:
        return pack(torch.fft.rfft2(plane) / self._scale(plane), plane.shape[-1])

    def noise(self, seeds: list[int], canvas: tuple[int, int], channels: int) -> Tensor:
        half = (canvas[0], canvas[1] // 2 + 1)
        real, imag = 0.01 * gaussian_noise(seeds, (2 * channels, *half)).numpy().reshape(
            len(seeds), 2, channels, *half
        ).swapaxes(0, 1)
        scaled = (real + 1j * imag) * (spectrum_scale(canvas, self.decay) / 4)
        return torch.from_numpy(np.fft.irfft2(scaled, s=canvas))


def spectrum_scale(canvas: tuple[int, int], decay: float = 1.0) -> np.ndarray:
    """sqrt(H W) / max(f, 1 / max(H, W))^decay, f in cycles per pixel: (H, W // 2 + 1) float64."""
    height, width = canvas
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return math.sqrt(height * width) / np.maximum(f, 1 / max(height, width)) ** decay


def pack(c: Tensor, width: int) -> Tensor:
    """The free numbers of rfft2's coefficients (..., H, W // 2 + 1) as (..., H, W).

    The real parts, then the imaginary parts of the columns between the first and, for even W, the
    last. Those two are conjugate symmetric along H and are packed along it in the same way.
    """
    inner = (width - 1) // 2
    middle = c[..., 1 : 1 + inner]
    first = _pack_column(c[..., :1])
    last = _pack_column(c[..., 1 + inner :])  # none for odd widths
    return torch.cat([first, middle.real, last, middle.imag], -1)


def unpack(z: Tensor) -> Tensor:
    """The inverse of pack, for any real z (..., H, W)."""
    width = z.shape[-1]
    inner, columns = (width - 1) // 2, width // 2 + 1
    middle = torch.complex(z[..., 1 : 1 + inner], z[..., columns:])
    first = _unpack_column(z[..., :1])
    last = _unpack_column(z[..., 1 + inner : columns])
    return torch.cat([first, middle, last], -1)


def _pack_column(c: Tensor) -> Tensor:
    height = c.shape[-2]
    inner = (height - 1) // 2
    return torch.cat([c.real[..., : height // 2 + 1, :], c.imag[..., 1 : 1 + inner, :]], -2)


def _unpack_column(z: Tensor) -> Tensor:
    height = z.shape[-2]
    inner, rows = (height - 1) // 2, height // 2 + 1
    real, imag = z[..., :rows, :], z[..., rows:, :]
    zero = torch.zeros_like(real[..., :1, :])
    own = zero[..., : 1 - height % 2, :]  # the middle row of even heights is its own conjugate
    mirrored = real[..., 1 : 1 + inner, :].flip(-2)
    return torch.complex(
        torch.cat([real, mirrored], -2), torch.cat([zero, imag, own, -imag.flip(-2)], -2)
    )
