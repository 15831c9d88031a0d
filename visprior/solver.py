"""The loop: one energy, one iteration, for every task.

x = window(decode(z));  seen = perturb*(x);  g = precondition*(d data(seen)/dx) + d sum(energies)/dx
g = force*(J_decode^T g);  z = update(z, g);  z = settle(after_update*(z));  z = encode(project*(x))
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from visprior.canvas import on_canvas
from visprior.errors import UserError
from visprior.gradient import Gradient
from visprior.hyper import Progress, per_image
from visprior.moment import Moment, Solution
from visprior.optimizer.base import Optimizer
from visprior.param.base import Parametrization
from visprior.regularizer.base import Regularizer, acts, hypers
from visprior.schedule.schedule import Stage
from visprior.stream import Streams


class Watch(Protocol):
    """What may look on while the loop runs, without making it wait for the device."""

    def step(self, moment: Moment, seen: "Solver") -> bool:
        """Called after each step; True stops the run."""
        ...


@dataclass
class Solver:
    """One run over the stages of a schedule for one batch."""

    gradient: Gradient
    regularizers: dict[str, Regularizer]
    param: Parametrization
    optimizer: Optimizer
    stages: Sequence[Stage]
    streams: Streams
    size: tuple[int, int]
    fill: list[float]  # colour of new margins
    per_pixel: bool = False
    whole: int = 0  # steps of the schedule where schedule.steps has shortened it

    def __post_init__(self) -> None:
        self.steps = sum(s.steps for s in self.stages)
        self.firsts = [sum(s.steps for s in self.stages[:i]) for i in range(len(self.stages))]
        batch = len(self.streams.seeds)
        for part in [*self.regularizers.values(), self.gradient.objective, *self.stages]:
            for hyper in hypers(part):
                hyper.check(batch)
        for stage in self.stages:
            if stage.scale > 1 and self._margin(stage) < round(min(self.size) * (stage.scale - 1)):
                raise UserError(
                    f"schedule.stages[{stage.index}].scale={stage.scale:g} needs the regularizer "
                    "crop: the network cannot see more than its input"
                )

    def active(self, stage: Stage) -> dict[str, Regularizer]:
        """The regularizers that act in a stage, in their order."""
        return {k: r for k, r in self.regularizers.items() if k not in stage.without}

    def _margin(self, stage: Stage) -> int:
        return sum(r.margin(stage) for r in self.active(stage).values())

    def canvas(self, stage: Stage) -> tuple[int, int]:
        """Height and width of the image in a stage: the network's input and the margins."""
        margin = self._margin(stage)
        return self.size[0] + margin, self.size[1] + margin

    def begin(self, x: Tensor) -> Moment:
        """The moment before the first step; x is on the first stage's canvas."""
        return self.begin_at(self.param.encode(x))

    def begin_at(self, z: Tensor) -> Moment:
        """The moment before the first step, at a value of the optimised variable."""
        batch = len(z)
        none = torch.full((batch,), -1, dtype=torch.long, device=z.device)
        return Moment(
            step=0,
            z=z,
            good=z,
            alive=torch.ones(batch, dtype=torch.bool, device=z.device),
            bad_step=none,
            bad_term=none,
            optimizer=self.optimizer.init(z),
            history=z.new_zeros(self.steps, len(self.gradient.terms), batch),
        )

    def solve(self, moment: Moment, watch: Watch | None = None) -> Solution:
        """Run to the end, or until Ctrl-C, from the start or a saved moment."""
        self.moment = moment
        begun, interrupted = time.perf_counter(), False
        try:
            while self.moment.step < self.steps and not self._enough(self.moment):
                self.moment = self._step(self.moment)
                if watch is not None and watch.step(self.moment, self):
                    break
        except KeyboardInterrupt:
            interrupted = True
        solution = self.solution(self.moment)
        solution.interrupted = interrupted
        solution.seconds = time.perf_counter() - begun
        return solution

    def _enough(self, m: Moment) -> bool:
        """Whether a regularizer that may end the run does so after the last step.

        The one place where each step waits for the device, and only where one may.
        """
        if m.step == 0:
            return False
        t = self.progress(m.step - 1)
        enders = [r for r in self.active(self.stages[t.stage]).values() if acts(r, "stop")]
        flags = [r.stop(m.history[m.step - 1, 0], t) for r in enders]
        return any(bool(flag) for flag in flags if flag is not None)

    def progress(self, step: int) -> Progress:
        """The progress of the run at a step."""
        stage = max(i for i, first in enumerate(self.firsts) if first <= step)
        return Progress(
            step, self.steps, stage, step - self.firsts[stage], self.stages[stage].steps
        )

    def _step(self, m: Moment) -> Moment:
        t = self.progress(m.step)
        stage = self.stages[t.stage]
        if t.step_in_stage == 0 and t.step:
            m = self._enter(m, stage)
        z, active = m.z, self.active(stage)
        g, terms, values, phi = self.gradient(z, t, active, self.streams, stage)
        with torch.no_grad():
            m = self._freeze(m, g, terms)
            for r in active.values():
                g = r.force(g, z, values, phi, t)
            new, state = self.optimizer.update(z, g, m.optimizer, self._step_size(stage, t, z), t)
            for r in active.values():
                new = r.after_update(new, phi, t)
            new = self._project(self.param.settle(new), z, t, active, stage)
            good = torch.where(m.alive[:, None, None, None], z, m.good)
            new = torch.where(m.alive[:, None, None, None], new, good)
        return Moment(m.step + 1, new, good, m.alive, m.bad_step, m.bad_term, state, m.history)

    def _step_size(self, stage: Stage, t: Progress, z: Tensor) -> float | Tensor:
        size = per_image(stage.step_size.at(t, z))
        return size * self.size[0] * self.size[1] if self.per_pixel else size

    def _project(
        self, new: Tensor, old: Tensor, t: Progress, active: dict[str, Regularizer], stage: Stage
    ) -> Tensor:
        parts = active.values()
        projectors = [r for r in parts if acts(r, "project") or acts(r, "confine")]
        if not projectors:
            return new
        x = self.param.decode(new)
        for r in parts:
            x = r.window(x, t, self.streams, stage)
        for r in sorted(projectors, key=lambda r: r.projects_last):
            x = r.project(x, t)
        for r in projectors:
            x = r.confine(x, self.param.decode(old), t, self.streams)
        return self.param.encode(x)

    def _freeze(self, m: Moment, g: Tensor, terms: Tensor) -> Moment:
        """Note which images have a value that is not finite, without asking the device."""
        m.history[m.step] = terms
        finite = torch.cat([torch.isfinite(terms), torch.isfinite(g.sum((1, 2, 3)))[None]])
        ok = finite.all(0)
        first = m.alive & ~ok
        m.bad_step = m.bad_step.masked_fill(first, m.step)
        m.bad_term = torch.where(first, (~finite).byte().argmax(0), m.bad_term)
        m.alive = m.alive & ok
        return m

    def _enter(self, m: Moment, stage: Stage) -> Moment:
        """Bring the image to a new stage's canvas and start the optimiser afresh."""
        before = self.stages[stage.index - 1]
        ratio = stage.scale / before.scale
        with torch.no_grad():
            z, good = (
                self.param.encode(self.fit(self.param.decode(v), self.canvas(stage), ratio))
                for v in (m.z, m.good)
            )
            state = self.optimizer.init(z)
        return Moment(m.step, z, good, m.alive, m.bad_step, m.bad_term, state, m.history)

    def fit(self, x: Tensor, canvas: tuple[int, int], ratio: float = 1.0) -> Tensor:
        """Resample by a ratio (bicubic), then crop or pad to a canvas around the centre.

        An octave fills its canvas: rounding its sides must not leave it a line of margin.
        """
        if ratio != 1:
            size = [round(n * ratio) for n in x.shape[-2:]]
            if ratio > 1:
                size = [max(n, side) for n, side in zip(size, canvas, strict=True)]
            x = F.interpolate(x, size=size, mode="bicubic", align_corners=False)
        return on_canvas(x, canvas, self.fill)

    def _picture(self, m: Moment) -> tuple[int, int]:
        """Height and width of the image without margins of jitter; octaves have a larger one."""
        stage = self.stages[self.progress(max(m.step - 1, 0)).stage]
        margins = (r.margin(stage) for r in self.active(stage).values() if acts(r, "window"))
        margin = sum(margins)
        return self.size[0] + margin, self.size[1] + margin

    def solution(self, m: Moment) -> Solution:
        """The images so far, without margins, and what there is to say of them."""
        finite = torch.isfinite(m.z.sum((1, 2, 3)))
        z = torch.where(finite[:, None, None, None], m.z, m.good)
        picture = on_canvas(self.param.decode(z), self._picture(m), self.fill).detach()
        octave = tuple(picture.shape[-2:]) != tuple(self.size)
        names = [*self.gradient.terms, "the gradient"]
        failures = {
            b: f"{names[int(m.bad_term[b])]} was not finite at step {step}"
            for b, step in enumerate(m.bad_step.tolist())
            if step >= 0
        }
        for b in torch.nonzero(~finite).flatten().tolist():
            failures.setdefault(b, f"the image was not finite after step {m.step - 1}")
        return Solution(
            x=_resized(picture, self.size) if octave else picture,
            canvas=picture if octave else None,
            crop=on_canvas(picture, self.size, self.fill) if octave else None,
            terms=list(self.gradient.terms),
            history=m.history[: m.step].cpu(),
            alive=(m.alive & finite).cpu(),
            failures=failures,
            steps=m.step,
            moment=m,
        )


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images as a network would be given them: resized like a photograph."""
    return F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)
