"""What a path is looked for with: its settings, its feature, the stages of its passes."""

from dataclasses import dataclass
from typing import Any, Protocol

from omegaconf import OmegaConf
from torch import Tensor

from visprior.build import build
from visprior.errors import UserError
from visprior.regularizer.band import Band
from visprior.schedule.schedule import Schedule
from visprior.services import Services
from visprior.task.objective import Activation
from visprior.task.term import Term


class Plan(Protocol):
    """How a path is looked for."""

    band: Band
    pivots: int
    insert: int
    passes: int
    drop: tuple[float, float]
    relative: list[str]


@dataclass
class Feature:
    """What is excited: direction (1, C) of a layer, at a place, weighed by C."""

    layer: str
    direction: Tensor
    where: str | int
    score: str
    C: float

    def objective(self, images: int) -> Activation:
        """The bare activation of so many images, to be raised."""
        direction = self.direction.expand(images, -1)
        return Activation([Term(self.layer, direction, self.where, score=self.score)], self.C)


def pass_stages(s: Services) -> list[tuple[int, Any]]:
    """Steps and schedule of either pass, from the stages of `schedule`: one each, or one for both.

    Errors: UserError for more than two.
    """
    schedule: Schedule = build(s.cfg.schedule, s.cfg.trust)
    stages = schedule.stages(s.recorder.task)
    if len(stages) > 2:
        raise UserError(f"task=path has two passes, a stage each; the schedule has {len(stages)}")
    found = []
    for stage in stages:
        plain: Any = OmegaConf.to_container(s.cfg.schedule)
        own = {"stages": [_spec(stage)], "steps": None, "step_size": None}
        found.append((stage.steps, OmegaConf.create(plain | own)))
    return [found[0], found[-1]]


def _spec(stage: Any) -> dict[str, Any]:
    """A stage as it stands in a schedule's file."""
    size = stage.step_size
    ramp = {"from": size.start, "to": size.end, "over": size.over, "curve": size.curve}
    return {
        "steps": stage.steps,
        "step_size": size.start if size.constant else ramp,
        "without": list(stage.without),
        "precision": stage.precision,
    }
