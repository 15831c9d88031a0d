"""The jobs of a sweep, read from their own files and nothing else."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visprior.errors import UserError, shown
from visprior.files.inside import leaving
from visprior.files.whole import read_json

FINISHED = "finished"
DEPTH = 2  # a folder of runs, or a folder of folders of runs


@dataclass(frozen=True)
class Job:
    """One run: where it is, what was asked of it, how it ended, what came out."""

    folder: Path
    name: str  # its folder, relative to the sweep's
    status: str  # finished | failed | interrupted | unfinished
    reason: str | None
    overrides: dict[str, str]
    summary: dict[str, Any]  # metric -> number or text, flat
    images: list[dict[str, Any]]
    run: dict[str, Any]  # run.json

    @property
    def finished(self) -> bool:
        return self.status == FINISHED

    @property
    def why(self) -> str:
        """The status and the reason in one line."""
        return f"{self.status}: {self.reason}" if self.reason else self.status


def read_jobs(folder: Path) -> list[Job]:
    """Every job below folder, by number. Raises: UserError when there is none."""
    if not folder.is_dir():
        raise UserError(f"there is no folder '{folder}'")
    if (folder / "run.json").is_file():
        raise UserError(f"'{folder}' is a single run; a report needs the folder of several runs")
    try:
        found = sorted(_job_folders(folder, DEPTH), key=lambda f: _natural(f, folder))
    except OSError as error:
        raise UserError(f"cannot read '{error.filename}': {error.strerror}") from error
    if not found:
        raise UserError(f"no runs in '{folder}': no run.json in it or in the folders below it")
    return [_read(job, job.relative_to(folder).as_posix()) for job in found]


def _job_folders(folder: Path, depth: int) -> Iterator[Path]:
    for child in folder.iterdir():
        if child.is_dir() and not child.name.startswith("."):
            if (child / "run.json").is_file() or (child / ".hydra" / "overrides.yaml").is_file():
                yield child
            elif depth > 1:
                yield from _job_folders(child, depth - 1)


def _natural(job: Path, folder: Path) -> list[tuple[int, str]]:
    """A sort key that puts 2_b before 10_a."""
    parts = re.split(r"(\d+)", job.relative_to(folder).as_posix())
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]


def _read(folder: Path, name: str) -> Job:
    """A job from run.json and metrics.json; either may be missing or cut short."""
    run, problem = _read_mapping(folder / "run.json")
    metrics, metrics_problem = _read_mapping(folder / "metrics.json")
    status, reason = str(run.get("status", "unfinished")), run.get("reason")
    if status in ("running", "unfinished"):
        status = "unfinished"
        reason = reason or problem or "the job ended before it could say why"
    if status == FINISHED and metrics_problem and (folder / "metrics.json").exists():
        status, reason = "failed", metrics_problem
    overrides = run.get("overrides") or _hydra_overrides(folder)
    return Job(
        folder=folder,
        name=name,
        status=status,
        reason=" ".join(str(reason).split()) if reason else None,
        overrides=parse_overrides(overrides),
        summary=_flat(metrics.get("summary") or {}),
        images=_images(folder, metrics.get("images") or []),
        run=run,
    )


def _images(folder: Path, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The images of a job, without the pictures that lie outside its folder."""
    rows = [row for row in rows if isinstance(row, dict)]
    outside = [leaving(folder, row) for row in rows]
    if names := [name for of in outside for name in of.values()]:
        where = shown(folder / "metrics.json")
        line = "'%s' names pictures outside its folder, which are left out: %s"
        logging.getLogger("visprior").warning(line, where, ", ".join(map(ascii, names[:3])))
    return [
        {key: value for key, value in row.items() if key not in of}
        for row, of in zip(rows, outside, strict=True)
    ]


def _read_mapping(path: Path) -> tuple[dict[str, Any], str | None]:
    """The content, or nothing and the reason."""
    try:
        content = read_json(path)
    except UserError as error:
        missing = f"it left no {path.name}"
        return {}, str(error) if path.exists() else missing
    return (content, None) if isinstance(content, dict) else ({}, f"{path.name} is no mapping")


def _hydra_overrides(folder: Path) -> list[str]:
    path = folder / ".hydra" / "overrides.yaml"
    loaded = load_yaml(path)
    return [str(o) for o in loaded] if isinstance(loaded, list) else []


def load_yaml(path: Path) -> Any:
    """A YAML file of Hydra as plain containers, interpolations left as text; None if unreadable."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        return OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):
        return None


def parse_overrides(overrides: Sequence[str]) -> dict[str, str]:
    """Hydra's overrides as key -> value; '+a.b=1' gives a.b, '~a' is left out."""
    pairs = [str(o).split("=", 1) for o in overrides if "=" in str(o) and str(o)[0] != "~"]
    return {k.lstrip("+"): v for k, v in pairs if not k.lstrip("+").startswith("hydra.")}


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Nested metrics as name.part and name[i]."""
    flat: dict[str, Any] = {}
    for name, value in summary.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": part for key, part in _flat(value).items()}
        elif isinstance(value, list):
            flat |= {f"{name}[{i}]": part for i, part in enumerate(value)}
        else:
            flat[name] = value
    return flat
