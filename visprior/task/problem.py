"""From the parts of a job to a problem for the loop."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visprior.config.build import build
from visprior.config.compose import part_of_group
from visprior.config.files import names_in
from visprior.errors import UserError, choice
from visprior.files.whole import read_json
from visprior.loop.problem import Objective, Problem, Start
from visprior.loop.start import KINDS
from visprior.net.representation import Cut
from visprior.record.images import Batch
from visprior.regularizer.base import Regularizer, Scene, acts, hypers
from visprior.schedule.schedule import Stage
from visprior.task.job import Job
from visprior.task.memory import check_memory


def regularizers_for(job: Job, layer: str) -> dict[str, Regularizer]:
    """The job's regularizers by name, in their order, prepared for pre-images of a layer."""
    # Small images may not fill a layer's cells; then its stride is that at the net's own size.
    stride = job.layer(layer).stride or job.net.layer(layer).stride
    scene = Scene(job.size, list(job.net.center), stride, layer, job.cfg.seeds)
    parts = job.parts("regularizer")
    for part in parts.values():
        part.prepare(scene)
    return parts


def cut_for(job: Job, layers: Sequence[str], regularizers: dict[str, Regularizer]) -> Cut:
    """The net up to these layers and those that the regularizers want."""
    return job.cut([*layers, *(name for r in regularizers.values() for name in r.layers)])


def problem_for(
    job: Job,
    objective: Objective,
    batch: Batch,
    start: str | Start,
    regularizers: dict[str, Regularizer],
    cut: Callable,
) -> Problem:
    """min over x of the objective and the regularizers, for the images of a batch.

    start: what task.start allows, or values of the optimised variable. cut: see cut_for.

    Raises:
        UserError: parts that do not go together.
    """
    stages = _stages(job)
    largest = max(stage.scale for stage in stages)
    check_memory(len(batch.seeds), job.size, job.net.channels, job.device, largest)
    job.largest_batch = max(job.largest_batch, len(batch.seeds))
    param = build(job.cfg.param, job.cfg.trust)
    param.prepare(job.net.channels)
    # What couples images only after the backward pass has the whole batch before it anyway.
    coupled = any(r.couples_images and acts(r, "energy") for r in regularizers.values())
    return Problem(
        features=cut,
        objective=objective,
        optimizer=build(job.cfg.optimizer, job.cfg.trust),
        stages=stages,
        seeds=batch.seeds,
        size=job.size,
        fill=list(job.net.center),
        regularizers=regularizers,
        param=param,
        start=start if isinstance(start, Start) else _start(job, start, batch),
        per_pixel=job.schedule.per_pixel,
        micro_batch=job.micro_batch(len(batch.seeds), coupled),
        precision=job.cfg.precision,
        device=job.device,
        whole=job.schedule.whole(job.task),
    )


def _stages(job: Job) -> list[Stage]:
    """The stages of the job's task, each with its own optimizer where it names one."""
    stages = [_with_optimizer(job, stage) for stage in job.schedule.stages(job.task)]
    known = sorted({*map(str, job.cfg.regularizer), *names_in("regularizer")})
    for name in dict.fromkeys(name for stage in stages for name in stage.without):
        choice("schedule: without", name, known)
    if job.cfg.precision == "fp64" and any(stage.precision for stage in stages):
        raise UserError("precision=fp64 runs every stage in fp64; take precision out of them")
    return stages


def _with_optimizer(job: Job, stage: Stage) -> Stage:
    if stage.optimizer is None:
        return stage
    _, optimizer = part_of_group("optimizer", stage.optimizer, job.cfg.trust)
    return replace(stage, optimizer=optimizer)


def _start(job: Job, start: str, batch: Batch) -> str | Tensor:
    """A kind of start, or the pictures to start from, one for each image."""
    if start == "image" and batch.pictures is not None:
        return batch.pictures
    if start in KINDS:
        return start
    try:
        pictures = job.inputs.named(_results_in(start))
    except UserError as error:
        raise UserError(f"task.start: {error}; kinds of start: {', '.join(KINDS)}") from error
    count = len(batch.seeds)
    if len(pictures) not in (1, count):
        raise UserError(f"task.start={start} names {len(pictures)} pictures for {count} images")
    return torch.cat(pictures).expand(count, -1, -1, -1)


def _results_in(start: str) -> str | list[str]:
    """The pre-images of a run, in its order, where `start` is its folder; else `start` itself."""
    file = Path(start).expanduser() / "metrics.json"
    if not file.is_file():
        return start
    rows = read_json(file).get("images") or []
    return [str(file.parent / row["file"]) for row in rows if row.get("file")] or start


def own_settings(problem: Problem) -> list[dict[str, Any]]:
    """Each image's own hyperparameters by the keys that a user types; {}: they share them all."""
    of = {f"regularizer.{name}": hypers(r) for name, r in problem.regularizers.items()}
    found = [(f"{k}.{h.name.rpartition('.')[2]}", h.each()) for k, own in of.items() for h in own]
    rest = [problem.objective, *problem.stages]
    found += [(hyper.name, hyper.each()) for part in rest for hyper in hypers(part)]
    differ = {key: values for key, values in found if values}
    return [{key: values[b] for key, values in differ.items()} for b in range(problem.batch)]
