"""At which scales an image has its energy, and its mean colour."""

import math
from typing import Any

import torch
from torch import Tensor

from visprior.metric.base import Metric


class Spectrum(Metric):
    """octave_bands: the share of energy in each octave, finest first; centroid: the mean frequency
    in cycles per pixel; mean_colour in grey levels."""

    def measure(self, saved: Tensor, x: Tensor) -> list[dict[str, Any]]:
        """See Metric.measure."""
        return describe(saved.cpu().double())


def describe(x: Tensor) -> list[dict[str, Any]]:
    """Octave bands, centroid and mean colour of each image of (B, C, H, W)."""
    shares, centroid = octave_bands(x)
    columns = zip(centroid.tolist(), shares.tolist(), mean_colour(x).tolist(), strict=True)
    return [{"centroid": c, "octave_bands": o, "mean_colour": m} for c, o, m in columns]


def mean_colour(x: Tensor) -> Tensor:
    """The mean of each channel in grey levels: (B, C, H, W) -> (B, C)."""
    return x.mean((-2, -1))


def band_edges(height: int, width: int) -> list[tuple[float, float]]:
    """The octaves (low, high] in cycles per pixel, finest first.

    (0.5, 0.71] holds the corners beyond the Nyquist frequency of the axes, then (0.25, 0.5],
    (0.125, 0.25], ... down to the octave of the longer side's lowest frequency.
    """
    n_bands = int(math.log2(max(height, width))) + 1
    return [(2.0 ** -(k + 1), min(2.0**-k, math.sqrt(0.5))) for k in range(n_bands)]


def octave_bands(x: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of spectral energy per octave (B, n_bands), summing to 1, and its centroid (B,).

    The power spectrum is that of x (B, C, H, W) less each channel's mean, summed over channels; a
    frequency is f = sqrt(fx^2 + fy^2) in cycles per pixel; bands as in band_edges; the centroid is
    the power-weighted mean of f. NaN for an image of one colour, which has no spectrum.
    """
    height, width = x.shape[-2:]
    x = x.double()
    centred = x - x.mean((-2, -1), keepdim=True)
    power = torch.fft.fft2(centred).abs().square().sum(1).flatten(1)
    f = _radial_frequency(height, width).to(x.device)
    band = (-torch.log2(f.clamp(min=1e-12)) + 1e-9).floor().long()
    n_bands = len(band_edges(height, width))
    inside = band < n_bands  # all but the mean, at f = 0
    energy = power.new_zeros(len(x), n_bands).index_add_(1, band[inside], power[:, inside])
    total = energy.sum(1)
    flat = total <= 1e-12 * x[0].numel() * height * width
    total = total.masked_fill(flat, float("nan"))
    return energy / total[:, None], (power * f).sum(1) / total


def _radial_frequency(height: int, width: int) -> Tensor:
    """sqrt(fx^2 + fy^2) of every coefficient of fft2, flattened, in cycles per pixel."""
    fy = torch.fft.fftfreq(height, dtype=torch.float64)
    fx = torch.fft.fftfreq(width, dtype=torch.float64)
    return torch.hypot(fy[:, None], fx[None]).flatten()
