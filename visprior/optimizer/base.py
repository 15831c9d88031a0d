"""Update rules: elementwise maps from a gradient and a small state to a step."""

from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Progress

State = dict[str, Tensor]


class Optimizer:
    """An update rule. The state holds tensors of the image's shape and starts anew in each stage.

    step_size is a number, or (B, 1, 1, 1) with one per image.
    """

    def init(self, z: Tensor) -> State:
        """The state before the first step of a stage."""
        return {}

    def update(
        self, z: Tensor, g: Tensor, state: State, step_size: float | Tensor, t: Progress
    ) -> tuple[Tensor, State]:
        """The next z and state. Neither argument is changed."""
        raise NotImplementedError


def fraction(name: str, value: float) -> float:
    """A number in [0, 1); UserError otherwise."""
    if not 0 <= value < 1:
        raise UserError(f"{name} must be in [0, 1), got {value}")
    return float(value)
