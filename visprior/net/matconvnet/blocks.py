"""The layers of a simplenn network, one of MatConvNet's chains, without torch."""

from dataclasses import dataclass, field

import numpy as np

Pair = tuple[int, int]  # vertical, horizontal
Border = tuple[int, int, int, int]  # top, bottom, left, right


@dataclass(frozen=True)
class Conv:
    """Correlation with filters; the border is zero."""

    name: str
    filters: tuple[int, int, int, int]  # height, width, channels that each sees, how many
    groups: int = 1
    stride: Pair = (1, 1)
    pad: Border = (0, 0, 0, 0)
    dilate: Pair = (1, 1)
    bias: bool = True


@dataclass(frozen=True)
class Pool:
    """The maximum or the mean of those cells of each window that lie inside the map."""

    name: str
    window: Pair
    stride: Pair = (1, 1)
    pad: Border = (0, 0, 0, 0)
    method: str = "max"  # max | avg


@dataclass(frozen=True)
class Norm:
    """Local response normalisation across `window` channels."""

    name: str
    window: int = 5
    kappa: float = 1.0
    alpha: float = 2e-5  # of the sum, not of the mean
    beta: float = 0.75


@dataclass(frozen=True)
class BatchNorm:
    """Normalisation of every channel with stored moments."""

    name: str
    channels: int


@dataclass(frozen=True)
class ReLU:
    """max(x, 0) + leak min(x, 0)."""

    name: str
    leak: float = 0.0


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x))."""

    name: str


@dataclass(frozen=True)
class Softmax:
    """exp(x_k) / sum_q exp(x_q) across channels."""

    name: str


Block = Conv | Pool | Norm | BatchNorm | ReLU | Sigmoid | Softmax


@dataclass
class SimpleNN:
    """A chain of blocks, its weights, and its images' channels, size and mean (None: not told)."""

    blocks: list[Block]
    channels: int
    size: Pair | None
    mean: list[float] | None  # per channel (RGB), in grey levels
    weights: dict[str, np.ndarray] = field(default_factory=dict)  # as torch names and turns them
    classes: list[str] = field(default_factory=list)  # what they are, else their WordNet ids
