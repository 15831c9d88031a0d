"""Start images of a path that there are already: pictures, and the pre-images of finished runs."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from visprior.data.picture import find_pictures, load_picture
from visprior.errors import UserError, did_you_mean
from visprior.files.tensors import load_state
from visprior.files.whole import read_json
from visprior.task.job import Job


@dataclass
class Start:
    """One image (C, H, W) in grey levels and what it is called."""

    name: str
    x: Tensor


def given_starts(job: Job, spec: str, known: list[str]) -> list[Start]:
    """The images of a finished run, or pictures, at the run's size."""
    folder = Path(spec).expanduser()
    if (folder / "run.json").is_file():
        return _of_run(job, folder)
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
    pictures = [load_picture(path, job.size, job.net.channels)[0] for _, path in found]
    return [Start(name, x) for name, x in zip(names, pictures, strict=True)]


def _of_run(job: Job, folder: Path) -> list[Start]:
    """The pre-images that a run has left: as they were where it kept them, else its pictures.

    Those of another size are resized, with a warning: they may no longer be pre-images then.
    """
    run = read_json(folder / "run.json")
    if run.get("status") != "finished":
        raise UserError(f"task.starts: the run in '{folder}' is {run.get('status')}, not finished")
    net = (run.get("parts") or {}).get("net")
    own = job.names["net"]
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
        x = torch.cat([load_picture(path, None, job.net.channels) for _, path in files])
    return [Start(name, one) for name, one in zip(names, _resized(job, x, folder), strict=True)]


def _resized(job: Job, x: Tensor, folder: Path) -> Tensor:
    """The images of a run (n, C, H, W) at this run's size."""
    height, width = x.shape[-2:]
    if (height, width) == job.size:
        return x
    job.notes.warn(
        f"task.starts: the pre-images of '{folder}' are {height} x {width}; they are resized to "
        f"{job.size[0]} x {job.size[1]} (size=[{height},{width}] keeps them)"
    )
    return functional.interpolate(x, job.size, mode="bicubic", antialias=True, align_corners=False)
