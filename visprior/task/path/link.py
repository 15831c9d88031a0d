"""The way from one image to the next: the band in one pass or two, resumable."""

from copy import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from visprior.config.build import build
from visprior.errors import UserError
from visprior.files.tensors import digest_path, load_state, save_state
from visprior.hyper import Progress
from visprior.job.launch import launch_from
from visprior.job.services import Elements, Services
from visprior.loop.problem import Moment, Solution
from visprior.regularizer.band import Band
from visprior.regularizer.band_geometry import densify, straight
from visprior.regularizer.base import Regularizer, Scene, acts
from visprior.render.picture import as_saved
from visprior.task.path.plan import Feature, Plan, pass_stages
from visprior.task.path.starts import without_snapshots


@dataclass
class Trail:
    """What the passes of one way did."""

    steps: list[int] = field(default_factory=list)  # taken in each pass
    seconds: float = 0.0  # of all passes together, those of earlier starts too
    failures: list[str] = field(default_factory=list)


@dataclass
class Link:
    """The way between two start images, ends included, on the CPU."""

    x: Tensor  # (n, C, H, W)
    activation: Tensor  # (n,), of the frames as they are shown
    unclipped: Tensor  # (n,), of x itself, which the band has raised
    straight: Tensor  # (n,), of the frames of the straight line
    trail: Trail


def sags(a: Tensor, every: int, drop: tuple[float, float]) -> bool:
    """Whether an image put between two pivots is less active than both, by more than `drop`.

    Less active than both, as in Schürmeyer's algorithm 2 and program: her text has "lower than one
    of the neighboring original pivots", as is nearly any image between two unlike pivots. a:
    activations along the path, (n,); each `every`-th is a pivot's.
    """
    left = a[:-1:every].repeat_interleave(every)
    right = a[every::every].repeat_interleave(every)
    return bool(((a[:-1] < left - drop[0]) & (a[:-1] < right - drop[1])).any())


class Way:
    """Looks for the way between two images, by a plan, for a feature."""

    def __init__(self, s: Services, plan: Plan, feature: Feature) -> None:
        self.s = s
        self.plan = plan
        self.feature = feature
        self.layer = s.layer(feature.layer)
        self.stages = pass_stages(s)
        self.param = build(s.cfg.param, s.cfg.trust)
        self.param.prepare(s.net.channels)
        self.cut = s.cut([feature.layer])

    def check(self) -> None:
        """Errors: UserError for what a path cannot run with."""
        for name, r in self.s.regularizers(self.layer).items():
            _check(name, r)

    def of(self, feature: Feature) -> "Way":
        """The same for another feature of the layer."""
        other = copy(self)
        other.feature = feature
        return other

    def measure(self, x: Tensor) -> Tensor:
        """The activation of images, (n,) on the CPU."""
        return self.s.measure(self.feature.objective(len(x)), self.s.to_device(x), self.cut)

    def measure_shown(self, x: Tensor) -> Tensor:
        """The activation of images as a film shows them: clipped, never stretched; (n,)."""
        return self.measure(as_saved(x))

    def link(self, name: str, ends: Tensor) -> Link:
        """The way between ends (2, C, H, W); its passes lie in folders beginning with name."""
        first, last = self.param.encode(self.s.to_device(ends))
        line = straight(first, last, self.plan.pivots)
        z, trail = line, Trail()
        if self.plan.passes:
            z = self._pass(f"{name}/pass1", 0, z, ends, trail)
        z = densify(z, self.plan.insert)
        if (
            self.plan.passes == 2
            and not trail.failures
            and sags(self.measure(self._image(z)), self.plan.insert + 1, self.plan.drop)
        ):
            z = self._pass(f"{name}/pass2", 1, z, ends, trail)
        elif self.plan.passes == 2:
            self.s.recorder.bar.pass_over(self.stages[1][0])
        x = self._image(z)
        baseline = self.measure_shown(self._image(densify(line, self.plan.insert)))
        return Link(x.cpu(), self.measure_shown(x), self.measure(x), baseline, trail)

    def _image(self, z: Tensor) -> Tensor:
        with torch.no_grad():
            return self.param.decode(self.s.to_device(z))

    def _pass(self, name: str, number: int, z: Tensor, ends: Tensor, trail: Trail) -> Tensor:
        """z after one run of the loop, or as an earlier start has left it."""
        planned, schedule = self.stages[number]
        part = self.s.part(name, self._keys(schedule, ends))
        left = part.folder / "pivots.safetensors"
        if part.recorder.finished and left.is_file():
            tensors, meta = load_state(left)
            self.s.recorder.bar.pass_over(planned)
            trail.steps.append(int(meta["steps"]))
            trail.seconds += part.recorder.seconds_before
            return self.s.to_device(tensors["z"])
        with part.recorder.running():
            solution, band = self._run(part, z)
            m = solution.moment
            assert m is not None
            if solution.interrupted:
                part.recorder.save(m)
                raise KeyboardInterrupt
        z, taken = _outcome(m, band)
        self._leave(part, solution, z, taken)
        self.s.recorder.bar.pass_over(planned - solution.steps)
        trail.steps.append(taken)
        trail.seconds += part.recorder.seconds
        trail.failures += list(solution.failures.values())[:1]
        return z

    def _keys(self, schedule: Any, ends: Tensor) -> dict[str, Any]:
        """The root keys of a pass: its stage, and weights in proportion to the ends' activation."""
        keys: dict[str, Any] = {"schedule": schedule, "record": without_snapshots(self.s)}
        if not self.plan.relative:
            return keys
        level = max(float(self.measure(ends).mean()), 0.0)
        node = OmegaConf.create(OmegaConf.to_container(self.s.cfg.regularizer))
        for name in self.plan.relative:
            weight = OmegaConf.select(node, f"{name}.weight")
            if not isinstance(weight, int | float):
                raise UserError(
                    f"task.relative: regularizer.{name}.weight is no number, got {weight}"
                )
            OmegaConf.update(node, f"{name}.weight", weight * level)
        return keys | {"regularizer": node}

    def _run(self, part: Services, z: Tensor) -> tuple[Solution, Band]:
        """The loop, and the band that it ran with.

        Under random transforms a step's activations are those of one draw, which say nothing of
        when to end: then all steps are taken.
        """
        regularizers = part.regularizers(self.layer)
        for name, r in regularizers.items():
            _check(name, r)
        band = copy(self.plan.band)
        band.ends = band.ends and not any(acts(r, "perturb") for r in regularizers.values())
        band.prepare(Scene(part.size, list(part.net.center), self.layer.stride, self.feature.layer))
        regularizers["band"] = band
        extra = [layer for r in regularizers.values() for layer in r.layers]
        elements = Elements([f"{k:03d}" for k in range(len(z))], [part.cfg.seed] * len(z))
        objective = self.feature.objective(len(z))
        cut = part.cut([self.feature.layer, *extra])
        return launch_from(part, z, objective, elements, cut, regularizers)(), band

    @staticmethod
    def _leave(part: Services, solution: Solution, z: Tensor, taken: int) -> None:
        """What a pass leaves behind: its pivots, in place of the state of the loop."""
        meta = {"steps": str(taken)}
        save_state(part.folder / "pivots.safetensors", {"z": z}, meta)
        part.recorder.failures = {str(b): why for b, why in solution.failures.items()}
        part.recorder.run |= {"steps": taken, "loop_seconds": solution.seconds}
        part.recorder.finish(part.device)
        state = part.folder / "state.safetensors"
        for path in (state, digest_path(state)):
            path.unlink(missing_ok=True)


def _check(name: str, r: Regularizer) -> None:
    """Refuse what would move the ends of the path, or tear it."""
    if any(acts(r, hook) for hook in ("project", "confine", "margin")):
        raise UserError(
            f"regularizer={name} changes the images after the step, or their canvas; a path takes "
            "only what changes the gradient (tv, l1, l2, fluid, transforms)"
        )
    if r.couples_images:
        raise UserError(f"regularizer={name} couples the images of a batch, as the band does")


def _outcome(m: Moment, band: Band) -> tuple[Tensor, int]:
    """The path of a finished pass and the steps that led to it.

    When the band has ended it, the path whose activations were good enough, as in algorithm 1:
    the one before the step after which that was seen.
    """
    t = Progress(0, 1, 0, 0, 1)
    enough = band.stop(m.history[-1][0], t)
    if enough is not None and bool(enough):
        return m.good, m.step - 1
    finite = torch.isfinite(m.z.flatten(1)).all(1)[:, None, None, None]
    return torch.where(finite, m.z, m.good), m.step
