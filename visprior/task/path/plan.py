"""What a path is looked for with: its settings, its feature, the stages of its passes."""

from dataclasses import dataclass
from typing import Any, Protocol

from omegaconf import OmegaConf
from torch import Tensor

from visprior.config.build import build
from visprior.errors import UserError
from visprior.objective.data_terms import Activation
from visprior.objective.term import Term
from visprior.optimizer.gd import GD
from visprior.regularizer.band import Band
from visprior.task.job import Job


class PathSettings(Protocol):
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


def pass_stages(job: Job) -> list[tuple[int, Any]]:
    """Steps and schedule of either pass, from the stages of `schedule`: one each, or one for both.

    Raises:
        UserError: there are more than two.
    """
    stages = job.schedule.stages(job.task)
    if len(stages) > 2:
        raise UserError(f"task=path has two passes, a stage each; the schedule has {len(stages)}")
    found = []
    for stage in stages:
        plain: Any = OmegaConf.to_container(job.cfg.schedule)
        own = {"stages": [_spec(stage)], "steps": None, "step_size": None}
        found.append((stage.steps, OmegaConf.create(plain | own)))
    return [found[0], found[-1]]


def check_spring(job: Job, band: Band) -> None:
    """Refuse a spring so stiff that the path flies apart.

    In gradient descent the gaps between images diffuse along the chain, a step by step_size * k of
    the difference of neighbouring gaps; explicit steps of diffusion are stable up to 1/2.
    """
    if band.spring is None or not isinstance(build(job.cfg.optimizer, job.cfg.trust), GD):
        return
    schedule = job.schedule
    sizes = [stage.step_size for stage in schedule.stages(job.task)]
    ends = [end for size in sizes for end in (size.start, size.end) if isinstance(end, float)]
    largest = max(ends, default=0.0) * (job.size[0] * job.size[1] if schedule.per_pixel else 1)
    if band.spring * largest > 0.5:
        raise UserError(
            f"task.band.spring={band.spring:g} is too stiff for steps of {largest:g}: the path "
            f"flies apart; it may be 0.5 / step_size = {0.5 / largest:.3g} at most"
        )


def _spec(stage: Any) -> dict[str, Any]:
    """A stage as it stands in a schedule's file."""
    size = stage.step_size
    ramp = {"from": size.start, "to": size.end, "over": size.over, "curve": size.curve}
    return {
        "steps": stage.steps,
        "step_size": size.start if size.constant else ramp,
        "without": list(stage.without),
        "precision": stage.precision,
        "optimizer": stage.optimizer,
    }
