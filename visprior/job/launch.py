"""From the parts of a job to its run of the loop."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from visprior.config.build import build
from visprior.errors import UserError
from visprior.job.services import Elements, Services
from visprior.loop import rescue
from visprior.loop.problem import Problem, Solution, Start
from visprior.loop.solver import Solver
from visprior.loop.start import KINDS, results_in
from visprior.param.base import Parametrization
from visprior.regularizer.base import Regularizer, acts, hypers
from visprior.schedule.schedule import Schedule

log = logging.getLogger("visprior")

# Below so many pixels a forward pass, a second thread costs more than it gives.
_PIXELS_FOR_ONE_THREAD = 128 * 128


def launch(
    s: Services,
    objective: Any,
    elements: Elements,
    start: str,
    cut: Callable,
    regularizers: dict[str, Regularizer],
) -> Callable[[], Solution]:
    """The loop for these elements, ready to run or to go on; its state and curves are recorded.

    Whatever is wrong with its parts is found here, before anything is written.
    """
    where = start if start in KINDS and start != "image" else _start_pictures(s, start, elements)
    problem = _problem(s, objective, elements, where, cut, regularizers)
    elements.settings = _settings(problem)
    return _ready(s, problem, elements)


def launch_from(
    s: Services,
    z: Tensor,
    objective: Any,
    elements: Elements,
    cut: Callable,
    regularizers: dict[str, Regularizer],
) -> Callable[[], Solution]:
    """The same from given values of the optimised variable, on the first stage's canvas."""
    return _ready(s, _problem(s, objective, elements, Start(z), cut, regularizers), elements)


def _ready(s: Services, problem: Problem, elements: Elements) -> Callable[[], Solution]:
    with _threads(problem):
        solver = Solver(problem)
    if not s.recorder.has_state:
        _say_what_is_lost(s, problem.param, solver.lost)
    moment = s.recorder.resume(s.device) or solver.first
    _say_what_is_rescued(s, solver, elements)
    watch = s.recorder.watch(problem, elements.labels)

    def run() -> Solution:
        s.recorder.describe(problem)
        watch.begin()
        with _threads(problem):
            return solver.run(moment, watch)

    return run


def _problem(
    s: Services,
    objective: Any,
    elements: Elements,
    start: Any,
    cut: Callable,
    regularizers: dict[str, Regularizer],
) -> Problem:
    schedule: Schedule = build(s.cfg.schedule, s.cfg.trust)
    stages = schedule.stages(s.recorder.task)
    if s.cfg.precision == "fp64" and any(stage.precision for stage in stages):
        raise UserError("precision=fp64 runs every stage in fp64; take precision out of them")
    batch = len(elements.seeds)
    param: Parametrization = build(s.cfg.param, s.cfg.trust)
    param.prepare(s.net.channels)
    # What couples images only after the backward pass has the whole batch before it anyway.
    coupled = any(r.couples_images and acts(r, "energy") for r in regularizers.values())
    return Problem(
        features=cut,
        objective=objective,
        optimizer=build(s.cfg.optimizer, s.cfg.trust),
        stages=stages,
        seeds=elements.seeds,
        size=s.size,
        fill=list(s.net.center),
        regularizers=regularizers,
        param=param,
        start=start,
        per_pixel=schedule.per_pixel,
        micro_batch=s.micro_batch(batch, coupled),
        precision=s.cfg.precision,
        device=s.device,
        whole=schedule.whole(s.recorder.task),
    )


def _settings(problem: Problem) -> list[dict[str, Any]] | None:
    """Each image's own hyperparameters by the keys that a user types; None: they share them all."""
    of = {f"regularizer.{name}": hypers(r) for name, r in problem.regularizers.items()}
    found = [(f"{k}.{h.name.rpartition('.')[2]}", h.each()) for k, own in of.items() for h in own]
    rest = [problem.objective, *problem.stages]
    found += [(hyper.name, hyper.each()) for part in rest for hyper in hypers(part)]
    differ = {key: values for key, values in found if values}
    return [{k: v[b] for k, v in differ.items()} for b in range(problem.batch)] if differ else None


@contextmanager
def _threads(problem: Problem) -> Iterator[None]:
    """One thread for small images on a CPU: waiting for a second one takes longer than it works."""
    before = torch.get_num_threads()
    images = min(problem.images_at_once, problem.batch)
    pixels = images * problem.size[0] * problem.size[1]
    if problem.device.type == "cpu" and pixels <= _PIXELS_FOR_ONE_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _say_what_is_lost(s: Services, param: Parametrization, share: float) -> None:
    """A warning where the bound cannot show the start."""
    if share:
        what = f"{100 * share:.2g} % of the start's values were outside"
        ends = "..".join(f"{end:g}" for end in param.range or ())
        s.recorder.warn(f"{what} {ends}, which param.bound={param.bound} keeps to, and were moved")


def _start_pictures(s: Services, start: str, elements: Elements) -> Tensor | None:
    if start == "image":
        return elements.pictures
    try:
        pictures = s.all_of(results_in(start))
    except UserError as error:
        raise UserError(f"task.start: {error}; kinds of start: {', '.join(KINDS)}") from error
    if len(pictures) not in (1, len(elements.seeds)):
        raise UserError(
            f"task.start={start} names {len(pictures)} pictures for {len(elements.seeds)} images"
        )
    return torch.cat(pictures).expand(len(elements.seeds), -1, -1, -1)


def _say_what_is_rescued(s: Services, solver: Solver, elements: Elements) -> None:
    """Which starts have no gradient, and what is done about it."""
    if any(solver.flat):
        way = "it may stay as it is; another one, e.g. task.start=noise, has one"
        s.recorder.warn(f"{_some(elements, solver.flat)}: the start has no gradient at all; {way}")
    if any(solver.dead):
        log.warning(
            "%s: the start has no gradient (a dead ReLU); it is sent through ReLU for %d steps",
            _some(elements, solver.dead),
            rescue.STEPS,
        )


def _some(elements: Elements, which: list[bool]) -> str:
    """The names of these images, eight at most."""
    names = [n for n, w in zip(elements.labels, which, strict=True) if w]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
