"""Stages of a run: steps, step size, scale of the octave, and which regularizers act."""

from dataclasses import dataclass, field
from typing import Any

from visprior.errors import UserError, choice, number, whole_number
from visprior.hyper import Hyper

PRECISIONS = ["fp32", "fp64", "bf16"]
_STAGE_PRECISIONS = ["fp32", "bf16"]  # of the forward pass; the image keeps the run's
_MOST = 10**7  # steps of a run: its energies are kept
_KEYS = ["steps", "step_size", "scale", "without", "tasks", "precision", "optimizer"]


@dataclass(frozen=True)
class Stage:
    """One stage of a run: so many steps of one size, on one canvas."""

    index: int
    steps: int
    step_size: Hyper  # in units of the optimised variable per unit of gradient
    scale: float = 1.0  # of the octave, relative to the network's input
    without: tuple[str, ...] = field(default=())  # regularizers that rest in this stage
    precision: str | None = None  # None: that of the run
    optimizer: Any = None  # its own update rule, or what names one; None: that of the run


class Schedule:
    """The stages of a run, from its YAML file.

    Args:
        stages: a list of {steps, step_size, scale: 1, without: [], tasks: null, precision: null,
            optimizer: null}; `tasks` keeps a stage for the tasks named; see Stage for the others.
        steps: of all stages together; they are shortened in proportion.
        per_pixel: multiply the step size by the area of the network's input (the program of
            Mahendran & Vedaldi 2016).
        cumulative: the scales multiply from stage to stage (1.1 then 1.2 = 1.32).
        octaves: false takes all steps at scale 1 and at the first stage's step size.
        step_size: of the first stage; those of the others change in proportion.

    Raises:
        UserError: no such key, a count below 1, or a scale below 1.
    """

    def __init__(
        self,
        stages: list[dict[str, Any]],
        steps: int | None = None,
        per_pixel: bool = False,
        cumulative: bool = True,
        octaves: bool = True,
        step_size: float | None = None,
    ) -> None:
        if not stages:
            raise UserError(
                "schedule.stages is empty; give at least one {steps: .., step_size: ..}"
            )
        if steps is not None:
            whole_number("schedule.steps", steps, least=1)
        for i, stage in enumerate(stages):
            self._check(i, stage)
        total = steps or sum(stage["steps"] for stage in stages)
        if total > _MOST:
            raise UserError(
                f"schedule: {total} steps are more than {_MOST}, whose curves fit a file"
            )
        self.specs = stages if step_size is None else _rescaled(stages, step_size)
        self.steps = steps
        self.per_pixel = per_pixel
        self.cumulative = cumulative
        self.octaves = octaves

    @staticmethod
    def _check(i: int, stage: dict[str, Any]) -> None:
        where = f"schedule.stages[{i}]"
        for key, value in stage.items():
            choice(f"{where}: key", key, _KEYS)
            if key in ("without", "tasks") and value is not None:
                _names(f"{where}.{key}", value)
        whole_number(f"{where}.steps", stage.get("steps"), least=1)
        if "step_size" not in stage:
            raise UserError(f"{where} has no step_size")
        number(f"{where}.scale", stage.get("scale", 1.0), least=1)
        if stage.get("precision") is not None:
            choice(f"{where}.precision", stage["precision"], _STAGE_PRECISIONS)

    def whole(self, task: str) -> int:
        """The steps that a task has before `steps` shortens them."""
        return sum(spec["steps"] for spec in self._specs(task))

    def _specs(self, task: str) -> list[dict[str, Any]]:
        specs = [s for s in self.specs if not s.get("tasks") or task in s["tasks"]]
        if not specs:
            raise UserError(f"no stage of the schedule is for task={task}")
        return specs

    def stages(self, task: str) -> list[Stage]:
        """The stages that a task goes through, shortened to `steps`."""
        specs = self._specs(task)
        if not self.octaves:
            specs = [{**specs[0], "steps": sum(s["steps"] for s in specs), "scale": 1.0}]
        counts = _shorten([s["steps"] for s in specs], self.steps)
        stages: list[Stage] = []
        scale = 1.0
        for i, (spec, count) in enumerate(zip(specs, counts, strict=True)):
            own = float(spec.get("scale", 1.0))
            scale = scale * own if self.cumulative else own
            if count:
                stages.append(
                    Stage(
                        index=len(stages),
                        steps=count,
                        step_size=Hyper(f"schedule.stages[{i}].step_size", spec["step_size"], 0.0),
                        scale=scale,
                        without=tuple(spec.get("without") or ()),
                        precision=spec.get("precision"),
                        optimizer=spec.get("optimizer"),
                    )
                )
        return stages


def _names(key: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UserError(f"{key} must be a list of names, got {value}")


def _rescaled(stages: list[dict[str, Any]], step_size: float) -> list[dict[str, Any]]:
    """Stages with their step sizes in proportion, the first one's as given."""
    if not isinstance(step_size, int | float) or step_size <= 0:
        raise UserError(f"schedule.step_size must be a number > 0, got {step_size}")
    sizes = [stage["step_size"] for stage in stages]
    if not all(isinstance(size, int | float) for size in sizes) or not sizes[0] > 0:
        raise UserError(f"schedule.step_size needs stages with plain step sizes, got {sizes}")
    factor = step_size / sizes[0]
    return [stage | {"step_size": stage["step_size"] * factor} for stage in stages]


def _shorten(counts: list[int], total: int | None) -> list[int]:
    """Counts in proportion that add up to `total`, by largest remainders; 0 drops a stage."""
    if total is None:
        return counts
    shares = [c * total / sum(counts) for c in counts]
    short = [int(s) for s in shares]
    order = sorted(range(len(counts)), key=lambda i: shares[i] - short[i], reverse=True)
    for i in order[: total - sum(short)]:
        short[i] += 1
    return short
