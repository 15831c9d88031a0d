"""visprior.run: what the command computes, called from Python."""

import tempfile
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from visprior.config.compose import MISTAKES, as_if_run, compose_with_choices
from visprior.config.files import without_folders
from visprior.config.objects import Objects
from visprior.errors import RunFailed, UserError, did_you_mean
from visprior.interface.given import image_words, net_words
from visprior.interface.result import Result, result_in, result_of, without_files
from visprior.job.identity import keep_settings
from visprior.job.run import Run

_KEYWORDS = ["image", "net", "mean", "scale", "size", "save"]


def run(
    *overrides: str,
    image: Any = None,
    net: Any = None,
    mean: Any = None,
    scale: Any = None,
    size: Any = None,
    save: str | Path | None = None,
    **unknown: Any,
) -> Result:
    """Compute what `visprior OVERRIDES` computes: run("layer=relu3_1", "seeds=2", image=array).

    Args:
        image: names as on the command line, or pictures, or a list of these: numpy arrays (H, W),
            (H, W, 1 or 3) or (B, H, W, 1 or 3), PIL images, tensors (C, H, W) or (B, C, H, W), in
            grey levels 0..255. They are resized as files are.
        net: a name, or a torch.nn.Module, of which a copy is used: as net=python, with
            mean, scale: numbers in grey levels, the module sees (x - mean) / scale, and
            size: of its images, a side or (height, width).
        save: a folder for what the command leaves in one; the same call goes on with it.

    Raises:
        UserError: a mistake, in the command's sentence; RunFailed, with `result`, where an image
            cannot be trusted.
    """
    if unknown:
        key = next(iter(unknown))
        near = did_you_mean(key, _KEYWORDS)
        raise UserError(f"unknown keyword {key}=; settings are words, '{key}=...'{near}")
    objects = Objects()
    described = {"mean": mean, "scale": scale, "size": size}
    given = [*net_words(net, described, objects), *image_words(image, objects)]
    _check(overrides, given)
    full = compose_with_choices(*given, *overrides)
    with as_if_run(full) as cfg, torch.inference_mode(False), torch.enable_grad():
        if save is None:
            return _in_memory(cfg, objects)
        return _in_folder(_job(cfg, Path(save).expanduser().absolute(), objects), cfg)


def _job(cfg: DictConfig, folder: Path, objects: Objects) -> Run:
    return Run(cfg, folder, HydraConfig.get().runtime.choices, objects)


def _in_memory(cfg: DictConfig, objects: Objects) -> Result:
    """Without a file, unless the task has several parts: then in a folder of its own for now."""
    job = _job(cfg, Path(tempfile.gettempdir()) / f"visprior-{uuid4().hex}", objects)
    if solved := job.solve(list(HydraConfig.get().overrides.task)):
        result, failures = result_of(solved, cfg.record.stretch), job.notes.failures
        labels = solved.batch.labels
        failures |= {labels[b]: why for b, why in solved.solution.failures.items()}
        if failures:
            raise RunFailed("; ".join(f"{k}: {v}" for k, v in failures.items()), result)
        return result
    try:
        job.folder.mkdir(mode=0o700)
        return without_files(_in_folder(job, cfg))
    except RunFailed as error:
        error.result = without_files(error.result)
        raise
    finally:
        rmtree(job.folder, ignore_errors=True)


def _in_folder(job: Run, cfg: DictConfig) -> Result:
    """As the command does; a run that is finished is only read."""
    job.check()
    about = HydraConfig.instance().cfg
    try:
        job.run(lambda: keep_settings(job.folder, cfg, about))
    except RunFailed as error:
        error.result = result_in(job.folder, job.solution)
        raise
    return result_in(job.folder, job.solution)


def _check(overrides: tuple[str, ...], given: list[str]) -> None:
    """Refuse words that only a command takes, several values, and what is given twice."""
    if strange := [one for one in overrides if not isinstance(one, str)]:
        kind = type(strange[0]).__name__
        raise UserError(f"settings are words like 'layer=relu3_1', got {kind} {strange[0]!r:.50}")
    keys = {word.partition("=")[0]: word for word in given}
    for word in without_folders(overrides)[0]:
        key = word.partition("=")[0]
        if word.startswith("-"):
            raise UserError(f"{word} is an option of the command; run computes one job a call")
        if key in ("resume", "hydra.run.dir"):
            raise UserError(f"{key}= is for the command; the same call with save=FOLDER goes on")
        if key in keys:
            raise UserError(f"{key}= is given twice, as a keyword and as '{word}'")
        if _is_sweep(word):
            raise UserError(f"{word} has several values; run computes one job: call it for each")


def _is_sweep(word: str) -> bool:
    """Whether a word gives several values, as -m takes them."""
    try:
        return OverridesParser.create().parse_override(word).is_sweep_override()
    except MISTAKES:  # the composer will say why
        return False
