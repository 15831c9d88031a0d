"""The places where a regularizer may act on the loop."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from visprior.hyper import Hyper, Progress
from visprior.schedule.schedule import Stage
from visprior.streams import Streams

Features = dict[str, Tensor]


@dataclass(frozen=True)
class Scene:
    """What a regularizer may know of the job before it starts."""

    size: tuple[int, int]  # the network's input, without margins
    mean: list[float]  # mean colour of images as far as the net tells it, grey levels
    stride: float | None  # of the first layer asked for, pixels
    layer: str = ""  # the first layer asked for
    seeds: int = 1  # images in a row that differ by their seed only


class Regularizer:
    """A term of the energy, or a change of what a step does; a subclass overrides one hook.

    In all hooks: x are images (B, C, H, W) in grey levels on the canvas (the network's input plus
    margins), z the optimised variable, g a gradient, phi the features of `layers`, t the progress
    of the run, rng the random streams. Hooks may not keep state between steps.
    """

    layers: tuple[str, ...] = ()  # features it wants in phi
    couples_images = False  # True: its value for one image depends on the others
    projects_last = False  # True: it filters what the others' `project` has left within bounds

    def prepare(self, scene: Scene) -> None:
        """Take constants from the job, before the first step.

        Raises:
            UserError: the regularizer does not fit the job.
        """

    def margin(self, stage: Stage) -> int:
        """Pixels that the canvas needs beyond the network's input, along each axis."""
        return 0

    def window(self, x: Tensor, t: Progress, rng: Streams, stage: Stage) -> Tensor:
        """The part of the canvas that this step is about: every other hook sees it as the image.

        `confine` puts it back.
        """
        return x

    def energy(self, x: Tensor, phi: Features, t: Progress) -> Tensor | None:
        """What is added to the objective, (B,), its weight included; None: nothing."""
        return None

    def perturb(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        """What the network sees instead of x; the gradient passes through it."""
        return x

    def precondition(self, g: Tensor, x: Tensor, t: Progress) -> Tensor:
        """What replaces g, the gradient of the data term at x."""
        return g

    def force(self, g: Tensor, z: Tensor, values: Tensor, phi: Features, t: Progress) -> Tensor:
        """What replaces g, the whole gradient at z. values: the data term, (B,)."""
        return g

    def project(self, x: Tensor, t: Progress) -> Tensor:
        """What replaces the image x after the step."""
        return x

    def after_update(self, z: Tensor, values: Tensor, phi: Features, t: Progress) -> Tensor:
        """What replaces z after the step. values: the data term, (B,)."""
        return z

    def confine(self, new: Tensor, old: Tensor, t: Progress, rng: Streams) -> Tensor:
        """The whole image after the step, of `new` (a window of it, if there is one) and `old`."""
        return new

    def move(self, x: Tensor, t: Progress, rng: Streams) -> Tensor:
        """What replaces the image x before the next step, after all other changes."""
        return x

    def stop(self, values: Tensor, t: Progress) -> Tensor | None:
        """A flag on the device: True ends the run after t. values: the data term, (B,)."""
        return None

    def coefficient(self, canvas: tuple[int, int], t: Progress, like: Tensor) -> Any:
        """The factor of the energy with all constants in it, for the record; None: no energy.

        Args:
            canvas: height and width in pixels.
            like: a tensor of the device and dtype that is wanted.
        """
        return None


def acts(regularizer: Regularizer, hook: str) -> bool:
    """Whether a regularizer overrides the hook of that name."""
    return getattr(type(regularizer), hook) is not getattr(Regularizer, hook)


def hypers(part: object) -> list[Hyper]:
    """The Hypers among the attributes of a part of the energy."""
    return [v for v in vars(part).values() if isinstance(v, Hyper)]
