"""Hyperparameters: a number, one number per image, or a ramp over the run."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, overload

import torch
from torch import Tensor

from visprior.errors import UserError, choice


@dataclass(frozen=True)
class Progress:
    """Where a run stands: counted over the whole run and within its stage."""

    step: int
    steps: int
    stage: int
    step_in_stage: int
    steps_in_stage: int
    # The images of the batch that a micro-batch holds.
    rows: slice = field(default_factory=lambda: slice(None))

    @property
    def fraction(self) -> float:
        """0 at the first step, 1 at the last."""
        return self.step / max(self.steps - 1, 1)

    @property
    def fraction_of_stage(self) -> float:
        """0 at the first step of the stage, 1 at its last."""
        return self.step_in_stage / max(self.steps_in_stage - 1, 1)

    def of(self, rows: slice) -> "Progress":
        """The same moment for the images `rows` of the batch."""
        return replace(self, rows=rows)


class Hyper:
    """A hyperparameter, resolved at one moment of the run.

    The sigmoid ramp is the part of 1 / (1 + exp(-u)) with |u| <= 4, stretched to the ends.

    Args:
        name: of its key, for errors.
        spec: a number, a list of numbers (one per image), or a ramp
            {from: a, to: b, over: run|stage, curve: linear|geometric|cosine|sigmoid} with numbers
            or lists as ends.
        minimum: the least value allowed.

    Raises:
        UserError: spec is no number, is below `minimum`, or is a ramp with unknown keys.
    """

    def __init__(self, name: str, spec: Any, minimum: float = -math.inf) -> None:
        self.name = name
        self.minimum = minimum
        ramp = spec if isinstance(spec, dict) else {"from": spec, "to": spec}
        if unknown := set(ramp) - {"from", "to", "over", "curve"}:
            raise UserError(f"{name}: a ramp has from, to, over, curve; not {sorted(unknown)}")
        if not {"from", "to"} <= set(ramp):
            raise UserError(f"{name}: a ramp needs from and to, got {ramp}")
        self.over = choice(f"{name}.over", ramp.get("over", "run"), ["run", "stage"])
        self.curve = choice(
            f"{name}.curve",
            ramp.get("curve", "linear"),
            ["linear", "geometric", "cosine", "sigmoid"],
        )
        self.start, self.end = self._numbers(ramp["from"]), self._numbers(ramp["to"])
        self.constant = self.start == self.end
        lengths = {len(e) for e in (self.start, self.end) if isinstance(e, list)}
        if len(lengths) > 1:
            raise UserError(f"{name}: the ends of a ramp have {lengths} numbers; give equal counts")
        self.length = lengths.pop() if lengths else None
        if self.curve == "geometric" and min(self._low(self.start), self._low(self.end)) <= 0:
            raise UserError(f"{name}: a geometric ramp needs positive ends, got {ramp}")
        self._cache: dict[tuple, Tensor] = {}

    def _numbers(self, value: Any) -> float | list[float]:
        each = value if isinstance(value, list) else [value]
        try:
            numbers = [float(v) for v in each if not isinstance(v, bool)]
        except (TypeError, ValueError, OverflowError):
            numbers = []
        if not numbers or len(numbers) < len(each) or not all(map(math.isfinite, numbers)):
            raise UserError(f"{self.name} must be a number, got {value!r}")
        if min(numbers) < self.minimum:
            raise UserError(f"{self.name} must be >= {self.minimum:g}, got {value}")
        return numbers if isinstance(value, list) else numbers[0]

    @staticmethod
    def _low(numbers: float | list[float]) -> float:
        return min(numbers) if isinstance(numbers, list) else numbers

    def check(self, batch: int) -> None:
        """Check a list against the number of images.

        Raises:
            UserError: it does not have one number per image.
        """
        if self.length not in (None, batch):
            raise UserError(f"{self.name} has {self.length} numbers for {batch} images")

    def each(self) -> list[float | str] | None:
        """What each image has, a number or a ramp's 'a to b', where they differ; else None."""
        ends = [
            e if isinstance(e, list) else [e] * (self.length or 1) for e in (self.start, self.end)
        ]
        values = [a if self.constant else f"{a:g} to {b:g}" for a, b in zip(*ends, strict=True)]
        return values if len(set(values)) > 1 else None

    def at(self, t: Progress, like: Tensor) -> float | Tensor:
        """The value at t: a float, or (B,) on `like`'s device for the images t.rows."""
        if self.length is None:
            value = self._mix(self.start, self.end, t)
            assert isinstance(value, float)
            return value
        key = (like.device, like.dtype)
        if key not in self._cache:
            ends = [
                torch.tensor(e, dtype=torch.float64).expand(self.length)
                for e in (self.start, self.end)
            ]
            self._cache[key] = torch.stack(ends).to(like)
        start, end = self._cache[key][:, t.rows]
        return self._mix(start, end, t)

    def _mix(self, start: Any, end: Any, t: Progress) -> Any:
        if self.constant:
            return start
        f = t.fraction if self.over == "run" else t.fraction_of_stage
        if self.curve == "geometric":
            return start ** (1 - f) * end**f
        if self.curve == "cosine":
            f = (1 - math.cos(math.pi * f)) / 2
        if self.curve == "sigmoid":  # odd around the middle, as tanh(u / 2) is
            f = (1 + math.tanh(4 * f - 2) / math.tanh(2)) / 2
        return start + (end - start) * f


@overload
def per_image(value: Tensor, like: Tensor) -> Tensor: ...
@overload
def per_image(value: float | Tensor, like: Tensor) -> float | Tensor: ...
def per_image(value: float | Tensor, like: Tensor) -> float | Tensor:
    """(B,) -> (B, 1, ...), so that it multiplies `like`, (B, ...); floats stay floats."""
    return value.view(-1, *[1] * (like.dim() - 1)) if isinstance(value, Tensor) else value
