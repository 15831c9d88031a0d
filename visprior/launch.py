"""From the parts of a job to its run of the loop."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from visprior.build import build
from visprior.errors import UserError
from visprior.gradient import Gradient
from visprior.moment import Moment, Solution
from visprior.param.base import Parametrization
from visprior.regularizer.base import Regularizer, acts, hypers
from visprior.schedule.schedule import Schedule
from visprior.services import Elements, Services
from visprior.solver import Solver
from visprior.stream import Streams
from visprior.task.start import KINDS, results_in, start_image

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
    solver = _solver(s, objective, elements, cut, regularizers)
    elements.settings = _settings(solver)
    x = _start(s, start, elements, solver)
    if not s.recorder.has_state:
        _say_what_is_lost(s, solver.param, x)
    return _ready(s, solver, solver.begin(x), elements)


def launch_from(
    s: Services,
    z: Tensor,
    objective: Any,
    elements: Elements,
    cut: Callable,
    regularizers: dict[str, Regularizer],
) -> Callable[[], Solution]:
    """The same from given values of the optimised variable, on the first stage's canvas."""
    solver = _solver(s, objective, elements, cut, regularizers)
    return _ready(s, solver, solver.begin_at(s.to_device(z)), elements)


def _ready(
    s: Services, solver: Solver, first: Moment, elements: Elements
) -> Callable[[], Solution]:
    moment = s.recorder.resume(s.device) or first
    _rescue(s, solver, first.z, elements)
    watch = s.recorder.watch(solver, elements.labels)

    def run() -> Solution:
        s.recorder.describe(solver, s.device)
        watch.begin()
        with _threads(solver, s.device):
            return solver.solve(moment, watch)

    return run


def _solver(
    s: Services,
    objective: Any,
    elements: Elements,
    cut: Callable,
    regularizers: dict[str, Regularizer],
) -> Solver:
    schedule: Schedule = build(s.cfg.schedule, s.cfg.trust)
    stages = schedule.stages(s.recorder.task)
    if s.cfg.precision == "fp64" and any(stage.precision for stage in stages):
        raise UserError("precision=fp64 runs every stage in fp64; take precision out of them")
    batch = len(elements.seeds)
    param: Parametrization = build(s.cfg.param, s.cfg.trust)
    param.prepare(s.net.channels)
    # What couples images only after the backward pass has the whole batch before it anyway.
    coupled = any(r.couples_images and acts(r, "energy") for r in regularizers.values())
    gradient = Gradient(
        cut,
        objective,
        regularizers,
        param,
        s.micro_batch(batch, coupled),
        [False] * batch,
        s.cfg.precision,
    )
    return Solver(
        gradient=gradient,
        regularizers=regularizers,
        param=param,
        optimizer=build(s.cfg.optimizer, s.cfg.trust),
        stages=stages,
        streams=Streams(elements.seeds, sum(stage.steps for stage in stages)),
        size=s.size,
        fill=list(s.net.center),
        per_pixel=schedule.per_pixel,
        whole=schedule.whole(s.recorder.task),
    )


def _settings(solver: Solver) -> list[dict[str, Any]] | None:
    """Each image's own hyperparameters by the keys that a user types; None: they share them all."""
    of = {f"regularizer.{name}": hypers(r) for name, r in solver.regularizers.items()}
    found = [(f"{k}.{h.name.rpartition('.')[2]}", h.each()) for k, own in of.items() for h in own]
    rest = [solver.gradient.objective, *solver.stages]
    found += [(hyper.name, hyper.each()) for part in rest for hyper in hypers(part)]
    differ = {key: values for key, values in found if values}
    count = len(solver.streams.seeds)
    return [{k: v[b] for k, v in differ.items()} for b in range(count)] if differ else None


@contextmanager
def _threads(solver: Solver, device: torch.device) -> Iterator[None]:
    """One thread for small images on a CPU: waiting for a second one takes longer than it works."""
    before = torch.get_num_threads()
    images = min(solver.gradient.micro_batch, len(solver.streams.seeds))
    pixels = images * solver.size[0] * solver.size[1]
    if device.type == "cpu" and pixels <= _PIXELS_FOR_ONE_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start(s: Services, start: str, elements: Elements, solver: Solver) -> Tensor:
    """The start images on the first stage's canvas, on the device."""
    canvas, seeds = solver.canvas(solver.stages[0]), elements.seeds
    if start == "param":
        return s.to_device(solver.param.start(seeds, canvas, s.net.channels))
    pictures = _start_pictures(s, start, elements)
    kind = start if start in KINDS else "image"
    return s.to_device(start_image(kind, seeds, canvas, list(s.net.center), pictures))


def _say_what_is_lost(s: Services, param: Parametrization, x: Tensor) -> None:
    """A warning where the bound cannot show the start."""
    share = float((param.shown_part(x) != x).double().mean())
    if share:
        what = f"{100 * share:.2g} % of the start's values were outside"
        ends = "..".join(f"{end:g}" for end in param.range or ())
        s.recorder.warn(f"{what} {ends}, which param.bound={param.bound} keeps to, and were moved")


def _start_pictures(s: Services, start: str, elements: Elements) -> Tensor | None:
    if start in KINDS:
        return elements.pictures if start == "image" else None
    try:
        pictures = s.all_of(results_in(start))
    except UserError as error:
        raise UserError(f"task.start: {error}; kinds of start: {', '.join(KINDS)}") from error
    if len(pictures) not in (1, len(elements.seeds)):
        raise UserError(
            f"task.start={start} names {len(pictures)} pictures for {len(elements.seeds)} images"
        )
    return torch.cat(pictures).expand(len(elements.seeds), -1, -1, -1)


def _rescue(s: Services, solver: Solver, z: Tensor, elements: Elements) -> None:
    """Find images whose start has no gradient and send theirs through ReLU for a while."""
    first = solver.progress(0)
    stage = solver.stages[0]
    active = solver.active(stage)
    dead = solver.gradient.silent(z, first, active, solver.streams, stage)
    if not any(dead):
        return
    solver.gradient.dead = dead
    flat = solver.gradient.silent(z, first, active, solver.streams, stage, redirected=True)
    still = [d and f for d, f in zip(dead, flat, strict=True)]
    if any(still):
        way = "it may stay as it is; another one, e.g. task.start=noise, has one"
        s.recorder.warn(f"{_some(elements, still)}: the start has no gradient at all; {way}")
    helped = [d and not f for d, f in zip(dead, flat, strict=True)]
    if any(helped):
        log.warning(
            "%s: the start has no gradient (a dead ReLU); it is sent through ReLU for %d steps",
            _some(elements, helped),
            solver.gradient.rescue,
        )


def _some(elements: Elements, which: list[bool]) -> str:
    """The names of these images, eight at most."""
    names = [n for n, w in zip(elements.labels, which, strict=True) if w]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
