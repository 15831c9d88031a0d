"""What the loop is given and what it returns: a problem, a moment of its run, a solution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.optimizer.base import Optimizer, State
from visprior.param.base import Parametrization
from visprior.param.pixel import Pixel
from visprior.regularizer.base import Features, Regularizer, acts, hypers
from visprior.schedule.schedule import Stage
from visprior.streams import Streams


class Objective(Protocol):
    """The data term C * l(Phi, Phi0)."""

    layers: tuple[str, ...]
    measure: str  # what its second value is called: error, activation, likeness

    def __call__(self, phi: Features, t: Progress) -> tuple[Tensor, Tensor]:
        """The data term with its weight, and the bare measure; each (B,)."""
        ...


@dataclass
class Problem:
    """min over x of objective(features(T(x))) + sum of the regularizers' energies, for a batch.

    Everything that the loop needs to know, without configuration and without files. The batch has
    an image for each of `seeds`; regularizers and parametrization are prepared (`prepare`).

    features: images (B, C, H, W) in grey levels -> {layer: features}, e.g. `net.cut([layer])`.
    start: the kind of a start image (visprior/loop/start.py), images (B, C, h, w) that are laid in
        the middle of the canvas, or the optimised variable itself as `Start(z)`.
    micro_batch: images per forward pass; None: all.

    Raises:
        UserError: a number per image for another number of images, a stage larger than the
            network's input without the regularizer crop, a coupled energy with a smaller
            micro-batch.
    """

    features: Callable[[Tensor], Features]
    objective: Objective
    optimizer: Optimizer
    stages: Sequence[Stage]
    seeds: list[int]
    size: tuple[int, int]  # height and width of the network's input
    fill: list[float]  # colour of margins and of start=mean, grey levels, one per channel
    regularizers: dict[str, Regularizer] = field(default_factory=dict)
    param: Parametrization = field(default_factory=Pixel)
    start: "str | Tensor | Start" = "noise"
    per_pixel: bool = False  # step sizes are multiplied by the area of the network's input
    micro_batch: int | None = None
    whole: int = 0  # steps of the schedule, where schedule.steps has shortened it
    precision: str = "fp32"  # of the forward pass: fp32 | fp64 | bf16
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        for part in [*self.regularizers.values(), self.objective, *self.stages]:
            for hyper in hypers(part):
                hyper.check(self.batch)
        for stage in self.stages:
            if stage.scale > 1 and self._margin(stage) < round(min(self.size) * (stage.scale - 1)):
                raise UserError(
                    f"schedule.stages[{stage.index}].scale={stage.scale:g} needs the regularizer "
                    "crop: the network cannot see more than its input"
                )
        for name, r in self.regularizers.items():
            if r.couples_images and acts(r, "energy") and self.images_at_once < self.batch:
                raise UserError(f"{name} couples the images of a batch; set micro_batch=auto")

    @property
    def batch(self) -> int:
        """How many images there are."""
        return len(self.seeds)

    @property
    def images_at_once(self) -> int:
        """Images per forward pass."""
        return self.micro_batch or self.batch

    @property
    def dtype(self) -> torch.dtype:
        """Of the image; only the forward pass may be in bf16."""
        return torch.float64 if self.precision == "fp64" else torch.float32

    @cached_property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @cached_property
    def firsts(self) -> list[int]:
        """The step at which each stage begins."""
        return [sum(s.steps for s in self.stages[:i]) for i in range(len(self.stages))]

    @cached_property
    def streams(self) -> Streams:
        """The random draws of every image."""
        return Streams(self.seeds, self.steps)

    @cached_property
    def energies(self) -> list[str]:
        """The regularizers that add an energy."""
        return [name for name, r in self.regularizers.items() if acts(r, "energy")]

    @cached_property
    def terms(self) -> list[str]:
        """The rows of the history: the data term, its measure, every energy."""
        return ["data", self.objective.measure, *self.energies]

    def progress(self, step: int) -> Progress:
        """Where a step stands in the run and in its stage."""
        stage = max(i for i, first in enumerate(self.firsts) if first <= step)
        in_stage = step - self.firsts[stage]
        return Progress(step, self.steps, stage, in_stage, self.stages[stage].steps)

    def active(self, stage: Stage) -> dict[str, Regularizer]:
        """The regularizers that act in a stage, in their order."""
        return {k: r for k, r in self.regularizers.items() if k not in stage.without}

    def rule(self, stage: Stage) -> Optimizer:
        """The update rule of a stage."""
        return stage.optimizer or self.optimizer

    def canvas(self, stage: Stage) -> tuple[int, int]:
        """Height and width of the image in a stage: the network's input and the margins."""
        margin = self._margin(stage)
        return self.size[0] + margin, self.size[1] + margin

    def picture(self, stage: Stage) -> tuple[int, int]:
        """Height and width of the image without margins of jitter; of octaves the whole canvas."""
        active = self.active(stage).values()
        margin = sum(r.margin(stage) for r in active if acts(r, "window"))
        return self.size[0] + margin, self.size[1] + margin

    def _margin(self, stage: Stage) -> int:
        return sum(r.margin(stage) for r in self.active(stage).values())


@dataclass(frozen=True)
class Start:
    """A start given as the optimised variable, on the first stage's canvas."""

    z: Tensor


@dataclass(frozen=True)
class Moment:
    """Everything that a run needs to go on: saved as it is, so that resuming changes no bit."""

    step: int  # steps done
    z: Tensor  # (B, ...) the optimised variable, on the canvas of the current stage
    good: Tensor  # the last z of each image whose energies were finite
    alive: Tensor  # (B,) bool: not frozen
    bad_step: Tensor  # (B,) the step at which an image froze, -1 for none
    bad_term: Tensor  # (B,) which term was not finite, an index into the problem's terms
    optimizer: State
    history: tuple[Tensor, ...]  # of each step (terms, B)


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
