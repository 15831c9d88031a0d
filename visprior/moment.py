"""Where a run stands, and what it returns."""

from dataclasses import dataclass, field

from torch import Tensor

from visprior.optimizer.base import State


@dataclass
class Moment:
    """Everything that a run needs to go on: saved as it is, so that resuming changes no bit."""

    step: int  # steps done
    z: Tensor  # (B, C, H, W) on the canvas of the current stage
    good: Tensor  # the last z of each image whose energies were finite
    alive: Tensor  # (B,) bool: not frozen
    bad_step: Tensor  # (B,) the step at which an image froze, -1 for none
    bad_term: Tensor  # (B,) which term was not finite, an index into the history's terms
    optimizer: State
    history: Tensor  # (steps, terms, B)


@dataclass
class Solution:
    """What the loop returns."""

    x: Tensor  # (B, C, h, w): the network's input, margins cut off; of octaves the canvas, resized
    terms: list[str]
    history: Tensor  # (steps done, terms, B) on the CPU
    alive: Tensor  # (B,) on the CPU
    failures: dict[int, str] = field(default_factory=dict)  # image -> "step 12: tv is not finite"
    interrupted: bool = False
    seconds: float = 0.0
    steps: int = 0
    moment: Moment | None = None  # where the run stands, for going on
    canvas: Tensor | None = None  # (B, C, H, W), of octaves: the whole image, larger than x
    crop: Tensor | None = None  # (B, C, h, w), of octaves: its centre
