"""The images that a path goes through: pictures, finished runs, or made first by recipes."""

import logging
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from visprior.config.build import build
from visprior.config.compose import recipe_parts
from visprior.config.files import names_in
from visprior.config.schema import config_dir
from visprior.data.picture import unique_label
from visprior.errors import RunFailed, UserError, did_you_mean
from visprior.task.book.book import chapters
from visprior.task.job import Job
from visprior.task.path.given import Start, given_starts
from visprior.task.preimages import Done, Part, Preimages

log = logging.getLogger("visprior")

_FACETS = re.compile(r"diversity:(\d+)(?::(\w+))?")


@dataclass
class Made:
    """Start images to be made: `count` of each channel by a recipe."""

    name: str
    count: int
    keys: dict[str, Any]  # root keys of the maximization

    def steps(self, trust: Any) -> int:
        """How many steps it takes."""
        return sum(stage.steps for stage in build(self.keys["schedule"], trust).stages(_TASK))


_TASK = "maximization"


def plan_starts(
    job: Job, specs: Any, steps: int | None, task: dict[str, Any], diversity: float
) -> list[Any]:
    """What each entry of `starts` is: Made, or a list of Start. Pictures are read here.

    specs: a recipe, diversity:N or diversity:N:RECIPE, the folder of a finished run, or what
    `image` takes; or a list of these. steps: of every recipe, in place of its own. task: keys of
    the maximizations. diversity: its weight.

    Raises:
        UserError: fewer than two images; what is no recipe, picture or run.
    """
    known = names_in("recipe")
    plan: list[Any] = []
    for spec in [specs] if isinstance(specs, str) else list(specs or []):
        facets = _FACETS.fullmatch(str(spec))
        if facets:
            count, recipe = int(facets[1]), facets[2] or "fourier"
            made = _made(f"diversity_{recipe}", recipe, count, steps, task, known)
            node = _diversity() | {"weight": diversity}
            OmegaConf.update(made.keys["regularizer"], "diversity", node, force_add=True)
            plan.append(made)
        elif spec in known:
            plan.append(_made(str(spec), str(spec), 1, steps, task, known))
        else:
            plan.append(given_starts(job, str(spec), known))
    count = sum(one.count if isinstance(one, Made) else len(one) for one in plan)
    if count < 2:
        raise UserError(
            f"a path needs two start images or more, task.starts={specs} gives {count}; "
            "e.g. task.starts=[naive,tv], pictures, or folders of finished runs"
        )
    return plan


def _made(
    name: str, recipe: str, count: int, steps: int | None, task: dict[str, Any], known: list[str]
) -> Made:
    if recipe not in known:
        raise UserError(f"task.starts: no recipe '{recipe}'{did_you_mean(recipe, known)}")
    if count < 1:
        raise UserError(f"task.starts: diversity:{count} makes no image")
    keys = recipe_parts(recipe)
    if steps is not None:
        OmegaConf.update(keys["schedule"], "steps", steps)
    keys["task"].update(task)
    return Made(name, count, keys)


def _diversity() -> dict[str, Any]:
    """The regularizer as its file has it."""
    node: Any = OmegaConf.load(Path(config_dir()) / "regularizer" / "diversity.yaml").diversity
    return dict(node)


def make_starts(
    job: Job, plan: Sequence[Any], channels: Sequence[int]
) -> Generator[Part, Done, list[list[Start]]]:
    """All start images in their order, one list per channel; yields the parts that make them.

    Raises:
        RunFailed: one of them failed.
    """
    paths: list[list[Start]] = [[] for _ in channels]
    taken: set[str] = set()
    for part in plan:
        if not isinstance(part, Made):
            named = [Start(unique_label(one.name, taken), one.x) for one in part]
            for path in paths:
                path.extend(named)
            continue
        label = unique_label(part.name, taken)
        images = yield from _maximized(job, part, label, channels)
        facets = [
            unique_label(f"facet{k}", taken) for k in range(part.count if part.count > 1 else 0)
        ]
        names = facets or [label]
        for path, own in zip(paths, images.unflatten(0, (len(channels), -1)), strict=True):
            path.extend(Start(name, x) for name, x in zip(names, own, strict=True))
    return paths


def without_snapshots(job: Job) -> Any:
    """The key `record` of a part: steps of the whole run's snapshots may not be among its own."""
    record = job.cfg.record.copy()
    record.snapshots = []
    return record


def batches_of(job: Job, made: Made, channels: Sequence[int]) -> list[list[int]]:
    """The channels, batch by batch: those whose images fit in memory together."""
    keys = made.keys | {"channel": list(channels), "seeds": made.count}
    own = job.with_keys(keys)
    return chapters(own, own.cfg.task.batch)[0].batches


def _maximized(
    job: Job, made: Made, label: str, channels: Sequence[int]
) -> Generator[Part, Done, Tensor]:
    """(channels * count, C, H, W); each batch of them is made in a folder of its own."""
    batches = batches_of(job, made, channels)
    found = []
    for batch in batches:
        folder = f"starts/{label}" if len(batches) == 1 else f"starts/{label}/{batch[0]:04d}"
        own = {"channel": batch, "seeds": made.count, "record": without_snapshots(job)}
        steps = made.steps(job.cfg.trust)
        kept = "preimages.safetensors"
        done = yield Part(folder, made.keys | own, _one_batch, steps, _TASK, kept)
        if done.interrupted:
            raise KeyboardInterrupt
        if done.failures:
            raise RunFailed(f"task.starts: {folder}: " + "; ".join(done.failures.values()))
        found.append(done.tensors["x"])
    return torch.cat(found)


def _one_batch(job: Job) -> Preimages:
    """A batch of maximizations whose images are kept as they are, beside the pictures of them."""
    made = build(job.cfg.task, job.cfg.trust).one_batch(job)
    return replace(made, keep=lambda solution: {"x": solution.x})
