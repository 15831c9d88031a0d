"""Random numbers that depend on an image's own seed, a purpose and a step, and on nothing else."""

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The stream of random numbers of one image for one purpose (start, jitter, crop, ...)."""
    key = [seed & 0xFFFFFFFFFFFFFFFF, zlib.crc32(purpose.encode())]
    return np.random.Generator(np.random.Philox(key=key))


class Streams:
    """Draws of a batch for a whole run, made on the CPU ahead of time.

    Row k of an image's table is the draw of step k. A longer run has the same first rows, and
    neither the batch nor the device shifts a draw.
    """

    def __init__(self, seeds: Sequence[int], steps: int) -> None:
        self.seeds = list(seeds)
        self.steps = steps
        self._tables: dict[tuple[str, int], np.ndarray] = {}

    def uniform(self, purpose: str, numbers: int) -> np.ndarray:
        """The draws of a purpose for all steps: (steps, B, numbers), uniform on [0, 1)."""
        key = (purpose, numbers)
        if key not in self._tables:
            rows = [generator(s, purpose).random((self.steps, numbers)) for s in self.seeds]
            self._tables[key] = np.stack(rows, axis=1)
        return self._tables[key]

    def normal(self, purpose: str, numbers: int) -> np.ndarray:
        """The same, standard normal, by the Box-Muller transform: (steps, B, numbers)."""
        u = self.uniform(purpose, 2 * numbers)
        radius = np.sqrt(-2 * np.log1p(-u[..., :numbers]))
        return radius * np.cos(2 * np.pi * u[..., numbers:])


def uniform_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
    """(B, C, H, W) float64, uniform on [-1, 1], each image from its own stream."""
    draws = [generator(s, "start").random(shape) for s in seeds]
    return torch.from_numpy(np.stack(draws)) * 2 - 1


def gaussian_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
    """(B, C, H, W) float64, standard normal, each image from its own stream."""
    draws = [generator(s, "start").standard_normal(shape) for s in seeds]
    return torch.from_numpy(np.stack(draws))
