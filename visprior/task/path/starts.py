"""The images that a path goes through: pictures, finished runs, or made first by recipes."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn import functional

from visprior.config.build import build
from visprior.config.recipe import recipe_names, recipe_parts
from visprior.config.schema import config_dir
from visprior.data.picture import find_pictures, load_picture, unique_label
from visprior.errors import RunFailed, UserError, did_you_mean
from visprior.files.tensors import load_state
from visprior.files.whole import read_json
from visprior.job.services import Services
from visprior.task.book.book import chapters

log = logging.getLogger("visprior")

_FACETS = re.compile(r"diversity:(\d+)(?::(\w+))?")


@dataclass
class Start:
    """One image (C, H, W) in grey levels and what it is called."""

    name: str
    x: Tensor


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
    s: Services, specs: Any, steps: int | None, task: dict[str, Any], diversity: float
) -> list[Any]:
    """What each entry of `starts` is: Made, or a list of Start. Pictures are read here.

    specs: a recipe, diversity:N or diversity:N:RECIPE, the folder of a finished run, or what
    `image` takes; or a list of these. steps: of every recipe, in place of its own. task: keys of
    the maximizations. diversity: its weight. Errors: UserError.
    """
    known = recipe_names()
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
            plan.append(_read(s, str(spec), known))
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


def _read(s: Services, spec: str, known: list[str]) -> list[Start]:
    """The images of a finished run, or pictures, at the run's size."""
    folder = Path(spec).expanduser()
    if (folder / "run.json").is_file():
        return _of_run(s, folder)
    try:
        found = find_pictures(spec)
    except UserError as error:
        near = did_you_mean(spec, known)
        if "did you mean" in near or not re.search(r"[/.*]", spec):
            raise UserError(
                f"task.starts: '{spec}' is no recipe, picture or folder of a run{near}"
            ) from error
        raise UserError(f"task.starts: {error}") from error
    # The pictures of runs are all called preimage; their folders tell them apart.
    names = [path.parent.name if path.stem.startswith("preimage") else n for n, path in found]
    pictures = [load_picture(path, s.size, s.net.channels)[0] for _, path in found]
    return [Start(name, x) for name, x in zip(names, pictures, strict=True)]


def _of_run(s: Services, folder: Path) -> list[Start]:
    """The pre-images that a run has left: as they were where it kept them, else its pictures.

    Those of another size are resized, with a warning: they may no longer be pre-images then.
    """
    run = read_json(folder / "run.json")
    if run.get("status") != "finished":
        raise UserError(f"task.starts: the run in '{folder}' is {run.get('status')}, not finished")
    net = (run.get("parts") or {}).get("net")
    own = s.recorder.run["parts"]["net"]
    if net != own:
        raise UserError(f"task.starts: '{folder}' was made with net={net}, this run has net={own}")
    if run.get("task") == "path":
        raise UserError(
            f"task.starts: the run in '{folder}' is a path, not pre-images; take what it starts "
            "from (the runs in its folder starts)"
        )
    rows = read_json(folder / "metrics.json")["images"]
    files = [(str(row["label"]), folder / str(row["file"])) for row in rows if row.get("file")]
    names = [folder.resolve().name] if len(files) == 1 else [name for name, _ in files]
    kept = folder / "preimages.safetensors"
    if kept.is_file():
        x = load_state(kept)[0]["x"]
    else:
        x = torch.cat([load_picture(path, None, s.net.channels) for _, path in files])
    return [Start(name, one) for name, one in zip(names, _resized(s, x, folder), strict=True)]


def _resized(s: Services, x: Tensor, folder: Path) -> Tensor:
    """The images of a run (n, C, H, W) at this run's size."""
    height, width = x.shape[-2:]
    if (height, width) == s.size:
        return x
    s.recorder.warn(
        f"task.starts: the pre-images of '{folder}' are {height} x {width}; they are resized to "
        f"{s.size[0]} x {s.size[1]} (size=[{height},{width}] keeps them)"
    )
    return functional.interpolate(x, s.size, mode="bicubic", antialias=True, align_corners=False)


def make_starts(s: Services, plan: Sequence[Any], channels: Sequence[int]) -> list[list[Start]]:
    """All start images in their order, one list per channel. What was finished is not made again.

    Errors: RunFailed when one of them failed.
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
        images = _maximize(s, part, label, channels)
        facets = [
            unique_label(f"facet{k}", taken) for k in range(part.count if part.count > 1 else 0)
        ]
        names = facets or [label]
        for path, own in zip(paths, images.unflatten(0, (len(channels), -1)), strict=True):
            path.extend(Start(name, x) for name, x in zip(names, own, strict=True))
    return paths


def without_snapshots(s: Services) -> Any:
    """The key `record` of a part: steps of the whole run's snapshots may not be among its own."""
    record = s.cfg.record.copy()
    record.snapshots = []
    return record


def batches_of(s: Services, made: Made, channels: Sequence[int]) -> list[list[int]]:
    """The channels, batch by batch: those whose images fit in memory together."""
    keys = made.keys | {"channel": list(channels), "seeds": made.count}
    own = s.with_keys(keys)
    return chapters(own, own.cfg.task.batch)[0].batches


def _maximize(s: Services, made: Made, label: str, channels: Sequence[int]) -> Tensor:
    """(channels * count, C, H, W); each batch of them is made in a folder of its own."""
    batches = batches_of(s, made, channels)
    if len(batches) == 1:
        return _batch(s, made, f"starts/{label}", batches[0])
    return torch.cat(
        [_batch(s, made, f"starts/{label}/{batch[0]:04d}", batch) for batch in batches]
    )


def _batch(s: Services, made: Made, folder: str, channels: Sequence[int]) -> Tensor:
    """One batch of maximizations in a folder of its own: (channels * count, C, H, W)."""
    own = {"channel": list(channels), "seeds": made.count, "record": without_snapshots(s)}
    part = s.part(folder, made.keys | own)
    recorder = part.recorder
    if recorder.finished:
        recorder.bar.pass_over(made.steps(s.cfg.trust))
    else:
        recorder.task = recorder.run["task"] = _TASK
        recorder.keeps_tensors = True
        with recorder.running():
            build(part.cfg.task, part.cfg.trust).alone(part)()
            recorder.finish(part.device)
        if recorder.interrupted:
            raise KeyboardInterrupt
        if recorder.failures:
            raise RunFailed(f"task.starts: {folder}: " + "; ".join(recorder.failures.values()))
    return torch.as_tensor(load_state(part.folder / "preimages.safetensors")[0]["x"]).cpu()
