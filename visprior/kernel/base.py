"""Smoothing kernels, and the rule that fits their width to their size."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from visprior.errors import UserError, whole_number

LARGEST = 2047  # side of a kernel in pixels; it must fit an image
SUPPORT = 1e-4  # entries larger than this must be off the outermost ring (Baust et al. 2021, 2.7)


def fit_to_support(entry: Callable[[float], float], low: float, high: float, what: str) -> float:
    """The parameter at which the outermost entry on the axis equals 1e-4, by bisection.

    Args:
        entry: that entry as a rising function of the parameter.
        low, high: an interval that holds it.
        what: the key to set where none fits, for the error.

    Raises:
        UserError: the entry is smaller all over the interval.
    """
    if entry(high) < SUPPORT:
        raise UserError(f"{what}: no width fits a kernel of this size; set it yourself")
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if entry(middle) > SUPPORT else (middle, high)
    return (low + high) / 2


def check_size(size: int) -> int:
    """size, the side of a kernel in pixels.

    Raises:
        UserError: it is not odd, or below 3.
    """
    return whole_number("kernel.size", size, least=3, most=LARGEST, odd=True)


class Kernel:
    """A filter of n x n entries that add up to 1.

    `entries` are those of the infinite grid cut to n x n (float64); the filter is entries / sum.
    """

    def __init__(self, entries: np.ndarray) -> None:
        self.entries = entries
        self._weights = torch.from_numpy(entries / entries.sum())

    def filter(self, x: Tensor) -> Tensor:
        """K * x for each channel of (B, C, H, W), with reflected borders.

        Raises:
            UserError: the kernel is too large for the image.
        """
        half = self._weights.shape[0] // 2
        if half >= min(x.shape[-2:]):
            raise UserError(f"kernel.size={2 * half + 1} is too large for {tuple(x.shape[-2:])} px")
        if self._weights.device != x.device or self._weights.dtype != x.dtype:
            self._weights = self._weights.to(x)
        flat = x.reshape(-1, 1, *x.shape[-2:])
        padded = F.pad(flat, (half, half, half, half), mode="reflect")
        return F.conv2d(padded, self._weights[None, None]).reshape(x.shape)
