"""Update rules: elementwise maps from a gradient and a small state to a step."""

from collections.abc import Callable

from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Progress

State = dict[str, Tensor]
StepSize = float | Tensor  # a number, or (B, 1, ...), one per image
Energy = Callable[[Tensor], tuple[Tensor, Tensor]]  # z -> the energy, (B,), and its gradient


class Optimizer:
    """An update rule. The state holds tensors with a row per image and starts anew in each stage.

    z is the optimised variable, (B, ...).
    """

    def init(self, z: Tensor) -> State:
        """The state before the first step of a stage: tensors with a row per image."""
        return {}

    def update(
        self, z: Tensor, g: Tensor, state: State, step_size: StepSize, t: Progress, energy: Energy
    ) -> tuple[Tensor, State]:
        """The z and the state after a step; no argument is changed.

        Args:
            g: the gradient at z, of its shape.
            energy: z -> the energy (B,) and its gradient, for rules that search along a line.
        """
        raise NotImplementedError


def fraction(name: str, value: float) -> float:
    """value as a float.

    Raises:
        UserError: it is not in [0, 1).
    """
    if not 0 <= value < 1:
        raise UserError(f"{name} must be in [0, 1), got {value}")
    return float(value)
