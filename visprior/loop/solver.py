"""The loop: one energy, one iteration, for every task.

x = window*(decode(z));  seen = perturb*(x)
g = precondition*(d data(seen)/dx) + d sum(energies)/dx;  g = force*(J_decode^T g)
z' = settle(after_update*(update(z, g)))
x' = move*(confine*(project*(decode(z')), x));  z' = encode(x') where any does one
The run ends after the last step, or after a step at which a regularizer's `stop` says so.
"""

import time
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from visprior.hyper import Progress, per_image
from visprior.loop.canvas import fitted, on_canvas, resized
from visprior.loop.gradient import Gradient, window, without_gradient
from visprior.loop.problem import Moment, Problem, Solution, Start
from visprior.loop.rescue import Rescue
from visprior.loop.start import start_image
from visprior.regularizer.base import acts
from visprior.schedule.schedule import Stage

_ON_IMAGES = ("project", "confine", "move")  # hooks that change the image after the step


class Watch(Protocol):
    """What may look on while the loop runs, without making it wait for the device."""

    def step(self, moment: Moment, solver: "Solver") -> bool:
        """Called after each step; True stops the run."""
        ...


def solve(problem: Problem, watch: Watch | None = None, moment: Moment | None = None) -> Solution:
    """Run a problem from its start, or from a saved moment, to its end or until Ctrl-C."""
    solver = Solver(problem)
    return solver.run(moment or solver.first, watch)


class Solver:
    """One run over the stages of a problem's schedule.

    first: the moment before the first step.
    dead: for each image, whether its start has no gradient unless it passes dead ReLUs; for the
        first steps it does. flat: whether there is none even so. lost: the share of the start's
        values that the parametrization cannot show and has moved.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.lost = 0.0
        z = self._start()
        stuck = without_gradient(problem, z)
        flat = without_gradient(problem, z, redirected=True) if any(stuck) else stuck
        self.flat = flat
        self.dead = [s and not f for s, f in zip(stuck, flat, strict=True)]
        self.gradient = Gradient(problem, Rescue(problem.features, stuck))
        none = torch.full((problem.batch,), -1, dtype=torch.long, device=z.device)
        alive = torch.ones(problem.batch, dtype=torch.bool, device=z.device)
        self.first = Moment(0, z, z, alive, none, none, problem.rule(problem.stages[0]).init(z), ())

    def _start(self) -> Tensor:
        """The optimised variable before the first step."""
        p = self.problem
        if isinstance(p.start, Start):
            return p.start.z.to(p.device, p.dtype)
        canvas = p.canvas(p.stages[0])
        if isinstance(p.start, str) and p.start == "param":
            x = p.param.start(p.seeds, canvas, len(p.fill))
        else:
            x = start_image(p.start, p.seeds, canvas, p.fill)
        x = x.to(p.device, p.dtype)
        self.lost = float((p.param.shown_part(x) != x).double().mean())
        return p.param.encode(x)

    def run(self, moment: Moment, watch: Watch | None = None) -> Solution:
        """Take the steps that are left after a moment."""
        begun, interrupted = time.perf_counter(), False
        try:
            while moment.step < self.problem.steps and not self._enough(moment):
                moment = self.step(moment)
                if watch is not None and watch.step(moment, self):
                    break
        except KeyboardInterrupt:
            interrupted = True
        solution = self.solution(moment)
        solution.interrupted = interrupted
        solution.seconds = time.perf_counter() - begun
        return solution

    def _enough(self, m: Moment) -> bool:
        """Whether a regularizer that may end the run does so after the last step.

        The one place where each step waits for the device, and only where one may.
        """
        if m.step == 0:
            return False
        t = self.problem.progress(m.step - 1)
        active = self.problem.active(self.problem.stages[t.stage]).values()
        flags = [r.stop(m.history[-1][0], t) for r in active if acts(r, "stop")]
        return any(bool(flag) for flag in flags if flag is not None)

    def step(self, m: Moment) -> Moment:
        """The moment after one more iteration."""
        p, t = self.problem, self.problem.progress(m.step)
        stage = p.stages[t.stage]
        if t.step_in_stage == 0 and t.step:
            m = self._enter(m, stage)
        z, active = m.z, p.active(stage)
        g, terms, phi = self.gradient(z, t)
        values = terms[0]
        with torch.no_grad():
            m = _frozen(m, g, terms)
            for r in active.values():
                g = r.force(g, z, values, phi, t)
        energy = Energy(self.gradient, t)
        with torch.no_grad():
            size = self._step_size(stage, t, z)
            new, state = p.rule(stage).update(z, g, m.optimizer, size, t, energy)
            for r in active.values():
                new = r.after_update(new, values, phi, t)
            new = self._on_images(p.param.settle(new), z, t, stage)
            alive = per_image(m.alive, z)
            good = torch.where(alive, z, m.good)
            new = torch.where(alive, new, good)
        return replace(m, step=m.step + 1, z=new, good=good, optimizer=state)

    def _step_size(self, stage: Stage, t: Progress, z: Tensor) -> float | Tensor:
        size = per_image(stage.step_size.at(t, z), z)
        height, width = self.problem.size
        return size * height * width if self.problem.per_pixel else size

    def _on_images(self, new: Tensor, old: Tensor, t: Progress, stage: Stage) -> Tensor:
        """The hooks that act on the image after the step, one kind after the other."""
        p = self.problem
        acting = [r for r in p.active(stage).values() if any(acts(r, hook) for hook in _ON_IMAGES)]
        if not acting:
            return new
        x = window(p, p.param.decode(new), t, stage)
        for r in sorted(acting, key=lambda r: r.projects_last):
            x = r.project(x, t)
        for r in acting:
            x = r.confine(x, p.param.decode(old), t, p.streams)
        for r in acting:
            x = r.move(x, t, p.streams)
        return p.param.encode(x)

    def _enter(self, m: Moment, stage: Stage) -> Moment:
        """Bring the image to a new stage's canvas and start the optimiser afresh."""
        p = self.problem
        ratio = stage.scale / p.stages[stage.index - 1].scale
        with torch.no_grad():
            z, good = (
                p.param.encode(fitted(p.param.decode(v), p.canvas(stage), ratio, p.fill))
                for v in (m.z, m.good)
            )
            return replace(m, z=z, good=good, optimizer=p.rule(stage).init(z))

    def solution(self, m: Moment) -> Solution:
        """The images so far, without margins, and what there is to say of them."""
        p = self.problem
        finite = torch.isfinite(m.z.flatten(1).sum(1))
        z = torch.where(per_image(finite, m.z), m.z, m.good)
        stage = p.stages[p.progress(max(m.step - 1, 0)).stage]
        picture = on_canvas(p.param.decode(z), p.picture(stage), p.fill).detach()
        octave = tuple(picture.shape[-2:]) != tuple(p.size)
        names = [*p.terms, "the gradient"]
        failures = {
            b: f"{names[int(m.bad_term[b])]} was not finite at step {step}"
            for b, step in enumerate(m.bad_step.tolist())
            if step >= 0
        }
        for b in torch.nonzero(~finite).flatten().tolist():
            failures.setdefault(b, f"the image was not finite after step {m.step - 1}")
        history = torch.stack(m.history) if m.history else z.new_zeros(0, len(p.terms), p.batch)
        return Solution(
            x=resized(picture, p.size) if octave else picture,
            canvas=picture if octave else None,
            crop=on_canvas(picture, p.size, p.fill) if octave else None,
            terms=p.terms,
            history=history.cpu(),
            alive=(m.alive & finite).cpu(),
            failures=failures,
            steps=m.step,
            moment=m,
        )


class Energy:
    """The energy of a step at another point, for optimizers that search along a line.

    The same random draws as the step's own gradient; forces that are no gradient are left out.
    """

    def __init__(self, gradient: Gradient, t: Progress) -> None:
        self.gradient = gradient
        self.t = t

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The energy (B,) and its gradient at z."""
        with torch.enable_grad():
            g, terms, _ = self.gradient(z, self.t)
        energies = torch.cat([terms[:1], terms[2:]])  # the second row is the bare measure
        return energies.sum(0), g


def _frozen(m: Moment, g: Tensor, terms: Tensor) -> Moment:
    """Note which images have a value that is not finite, without asking the device."""
    finite = torch.cat([torch.isfinite(terms), torch.isfinite(g.flatten(1).sum(1))[None]])
    ok = finite.all(0)
    first = m.alive & ~ok
    return replace(
        m,
        bad_step=m.bad_step.masked_fill(first, m.step),
        bad_term=torch.where(first, (~finite).byte().argmax(0), m.bad_term),
        alive=m.alive & ok,
        history=(*m.history, terms),
    )
