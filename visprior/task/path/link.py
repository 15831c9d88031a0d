"""The link from one image of a path to the next: the band in one pass or two, resumable."""

from collections.abc import Generator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from visprior.config.build import build
from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.loop.gradient import measure
from visprior.loop.problem import Solution, Start
from visprior.record.images import Batch
from visprior.regularizer.band import Band
from visprior.regularizer.band_geometry import densify, straight
from visprior.regularizer.base import Regularizer, Scene, acts
from visprior.render.picture import as_saved
from visprior.task.job import Job
from visprior.task.path.plan import Feature, PathSettings, pass_stages
from visprior.task.path.starts import without_snapshots
from visprior.task.preimages import Done, Part, Preimages
from visprior.task.problem import cut_for, problem_for, regularizers_for


@dataclass
class Passes:
    """What the passes of one link took."""

    steps: list[int] = field(default_factory=list)  # taken in each pass
    seconds: float = 0.0  # of all passes together, those of earlier starts too
    failures: list[str] = field(default_factory=list)


@dataclass
class Link:
    """The images between two start images, ends included, on the CPU."""

    x: Tensor  # (n, C, H, W)
    activation: Tensor  # (n,), of the frames as they are shown
    unclipped: Tensor  # (n,), of x itself, which the band has raised
    straight: Tensor  # (n,), of the frames of the straight line
    passes: Passes


def sags(a: Tensor, every: int, drop: tuple[float, float]) -> bool:
    """Whether an image put between two pivots is less active than both, by more than `drop`.

    Less active than both, as in Schürmeyer's algorithm 2 and program: her text has "lower than one
    of the neighboring original pivots", as is nearly any image between two unlike pivots. a:
    activations along the path, (n,); each `every`-th is a pivot's.
    """
    left = a[:-1:every].repeat_interleave(every)
    right = a[every::every].repeat_interleave(every)
    return bool(((a[:-1] < left - drop[0]) & (a[:-1] < right - drop[1])).any())


class LinkSearch:
    """Looks for the images between two others, with a path's settings, for a feature."""

    def __init__(self, job: Job, settings: PathSettings, feature: Feature) -> None:
        self.job = job
        self.settings = settings
        self.feature = feature
        self.stages = pass_stages(job)
        self.param = build(job.cfg.param, job.cfg.trust)
        self.param.prepare(job.net.channels)
        self.cut = job.cut([feature.layer])

    def check(self) -> None:
        """Raises UserError for what a path cannot run with."""
        for name, r in regularizers_for(self.job, self.feature.layer).items():
            _check(name, r)

    def of(self, feature: Feature) -> "LinkSearch":
        """The same for another feature of the layer."""
        other = copy(self)
        other.feature = feature
        return other

    def measure(self, x: Tensor) -> Tensor:
        """The activation of images, (n,) on the CPU."""
        objective, batch = self.feature.objective(len(x)), self.job.micro_batch(len(x))
        return measure(objective, self.cut, self.job.to_device(x), batch)

    def measure_saved(self, x: Tensor) -> Tensor:
        """The activation of images as a film has them: clipped, never stretched; (n,)."""
        return self.measure(as_saved(x))

    def link(self, name: str, ends: Tensor) -> Generator[Part, Done, Link]:
        """The link between ends (2, C, H, W); yields its passes, in folders beginning with name."""
        first, last = self.param.encode(self.job.to_device(ends))
        line, settings = straight(first, last, self.settings.pivots), self.settings
        z, passes = line, Passes()
        if settings.passes:
            z = yield from self._pass(f"{name}/pass1", 0, z, ends, passes)
        z = densify(z, settings.insert)
        if (
            settings.passes == 2
            and not passes.failures
            and sags(self.measure(self._image(z)), settings.insert + 1, settings.drop)
        ):
            z = yield from self._pass(f"{name}/pass2", 1, z, ends, passes)
        elif settings.passes == 2:
            self.job.bar.pass_over(self.stages[1][0])
        x = self._image(z)
        baseline = self.measure_saved(self._image(densify(line, settings.insert)))
        return Link(x.cpu(), self.measure_saved(x), self.measure(x), baseline, passes)

    def _image(self, z: Tensor) -> Tensor:
        with torch.no_grad():
            return self.param.decode(self.job.to_device(z))

    def _pass(
        self, name: str, number: int, z: Tensor, ends: Tensor, passes: Passes
    ) -> Generator[Part, Done, Tensor]:
        """z after one run of the loop, or as an earlier start has left it."""
        planned, schedule = self.stages[number]
        keys = self._keys(schedule, ends)

        def prepare(job: Job) -> Preimages:
            return self._problem(job, z)

        done = yield Part(name, keys, prepare, planned, kept="pivots.safetensors")
        if done.interrupted:
            raise KeyboardInterrupt
        passes.steps.append(int(done.tensors["steps"]))
        passes.seconds += done.seconds
        passes.failures += list(done.failures.values())[:1]
        return self.job.to_device(done.tensors["z"])

    def _keys(self, schedule: Any, ends: Tensor) -> dict[str, Any]:
        """The root keys of a pass: its stage, and weights in proportion to the ends' activation."""
        keys: dict[str, Any] = {"schedule": schedule, "record": without_snapshots(self.job)}
        if not self.settings.relative:
            return keys
        level = max(float(self.measure(ends).mean()), 0.0)
        node = OmegaConf.create(OmegaConf.to_container(self.job.cfg.regularizer))
        for name in self.settings.relative:
            weight = OmegaConf.select(node, f"{name}.weight")
            if not isinstance(weight, int | float):
                raise UserError(
                    f"task.relative: regularizer.{name}.weight is no number, got {weight}"
                )
            OmegaConf.update(node, f"{name}.weight", weight * level)
        return keys | {"regularizer": node}

    def _problem(self, job: Job, z: Tensor) -> Preimages:
        """A pass of the band from z; only its path is kept.

        Under random transforms a step's activations are those of one draw, which say nothing of
        when to end: then all steps are taken.
        """
        layer = self.feature.layer
        regularizers = regularizers_for(job, layer)
        for name, r in regularizers.items():
            _check(name, r)
        band = copy(self.settings.band)
        band.ends = band.ends and not any(acts(r, "perturb") for r in regularizers.values())
        band.prepare(Scene(job.size, list(job.net.center), job.layer(layer).stride, layer))
        regularizers["band"] = band
        batch = Batch([f"{k:03d}" for k in range(len(z))], [job.cfg.seed] * len(z))
        objective, cut = self.feature.objective(len(z)), cut_for(job, [layer], regularizers)
        problem = problem_for(job, objective, batch, Start(z), regularizers, cut)
        return Preimages(problem, batch, None, lambda solution: _path_of(solution, band))


def _check(name: str, r: Regularizer) -> None:
    """Refuse what would move the ends of the path, or tear it."""
    if any(acts(r, hook) for hook in ("project", "confine", "margin")):
        raise UserError(
            f"regularizer={name} changes the images after the step, or their canvas; a path takes "
            "only what changes the gradient (tv, l1, l2, fluid, transforms)"
        )
    if r.couples_images:
        raise UserError(f"regularizer={name} couples the images of a batch, as the band does")


def _path_of(solution: Solution, band: Band) -> dict[str, Tensor]:
    """The path `z` of a finished pass and the number of `steps` that led to it.

    When the band has ended it, the path whose activations were good enough, as in algorithm 1:
    the one before the step after which that was seen.
    """
    m = solution.moment
    assert m is not None
    enough = band.stop(m.history[-1][0], Progress(0, 1, 0, 0, 1))
    if enough is not None and bool(enough):
        return {"z": m.good, "steps": torch.tensor(m.step - 1)}
    finite = torch.isfinite(m.z.flatten(1)).all(1)[:, None, None, None]
    return {"z": torch.where(finite, m.z, m.good), "steps": torch.tensor(m.step)}
