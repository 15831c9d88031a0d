"""shapes10: ten classes of drawn shapes and patterns over photographs, rendered when asked for."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from visprior.data.backdrop import PHOTOGRAPHS
from visprior.data.draw import Draws, uniforms
from visprior.data.scene import CLASSES, NAMES, render
from visprior.errors import UserError, choice

CHUNK = 16  # pictures rendered at once: their fields stay in the cache


class Shapes10(Dataset[tuple[Tensor, int]]):
    """Picture i is a function of (split, seed, i, size), and its class is i mod 10.

    The same i at another size is the same picture, up to the camera's noise. Training and test
    pictures have different photographs behind them and different draws.

    Args:
        split: train or test.
        size: side in pixels.
        length: how many pictures there are (any number; they are drawn when asked for).
        seed: of all draws.

    Raises:
        UserError: no such split, or a size or length below 1.
    """

    def __init__(
        self, split: str = "train", size: int = 64, length: int = 50_000, seed: int = 0
    ) -> None:
        self.split = choice("split", split, list(PHOTOGRAPHS))
        if size < 8 or length < 1:
            raise UserError(f"shapes10: size >= 8 and length >= 1, got {size} and {length}")
        self.size, self.length, self.seed = size, length, seed
        self.class_names = list(CLASSES)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not 0 <= index < self.length:
            raise IndexError(f"picture {index} of {self.length}")
        x, labels = self.batch([index])
        return x[0], int(labels[0])

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(n, 3, size, size) float32 grey levels 0..255, and (n,) classes; element by element the
        same as one at a time."""
        numbers = np.asarray(indices, np.int64)
        labels = numbers % len(CLASSES)
        stream = list(PHOTOGRAPHS).index(self.split)
        table = uniforms(self.seed, stream, numbers, len(NAMES))
        x = torch.empty(len(numbers), 3, self.size, self.size)
        for start in range(0, len(numbers), CHUNK):
            rows = slice(start, start + CHUNK)
            x[rows] = render(self.split, labels[rows], Draws(table[rows], NAMES), self.size)
        return x, torch.from_numpy(labels)
