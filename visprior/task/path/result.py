"""What a path leaves behind: pivots, activations, pictures, a page, and last of all the video."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visprior.errors import UserError, shown
from visprior.files.tensors import digest_path, save_state
from visprior.files.whole import write_bytes
from visprior.meter import duration
from visprior.record.images import ImageResult
from visprior.regularizer.band_geometry import lengths
from visprior.render.film import Film, film_frames, film_strip
from visprior.render.page import write_path_page
from visprior.render.picture import save_png, to_bytes
from visprior.render.video import write_video
from visprior.task.job import Job
from visprior.task.measuring import what_is_lost
from visprior.task.path.link import Link
from visprior.task.preimages import Findings


@dataclass
class FoundPath:
    """A path that was found."""

    folder: Path
    film: Film
    image: ImageResult


def write_path(
    job: Job, folder: str, name: str, names: list[str], ends: Tensor, links: list[Link]
) -> FoundPath:
    """Everything about a path but its video; folder: within the run's, empty for the run's own."""
    where = job.folder / folder
    where.mkdir(parents=True, exist_ok=True)
    every = [slice(0, -1)] * (len(links) - 1) + [slice(None)]  # no image twice
    x, a, unclipped, line = (
        torch.cat([getattr(link, key)[part] for link, part in zip(links, every, strict=True)])
        for key in ("x", "activation", "unclipped", "straight")
    )
    measured = {"activation": a, "activation_unclipped": unclipped, "straight": line}
    save_state(where / "pivots.safetensors", {"x": x} | measured, {})
    stops = np.cumsum([0, *(len(link.x) - 1 for link in links)]).tolist()
    title = f"{job.net_words}, {job.layer_words}, {name}"
    film = Film(title, x, a.numpy(), line.numpy(), dict(zip(stops, names, strict=True)))
    _write_activations(where / "activations.csv", film, unclipped, lengths(x))
    save_png(where / "strip.png", film_strip(film))
    save_png(where / "poster.png", to_bytes(x[int(a.argmax())])[0])
    image = _image(name, folder, names, ends, links, film, float(unclipped.min()))
    frames = zip([f"frame {k}" for k in range(len(a))], a.tolist(), unclipped.tolist(), strict=True)
    if lost := what_is_lost("activation", list(frames), "clipped"):
        job.notes.warn(f"{name}: {lost}" if folder else lost)
    if not image.ok:
        reasons = [why for link in links for why in link.passes.failures]
        job.notes.failures[name] = "; ".join(reasons)
    return FoundPath(where, film, image)


def _image(
    name: str,
    folder: str,
    names: list[str],
    ends: Tensor,
    links: list[Link],
    film: Film,
    lowest_unclipped: float,
) -> ImageResult:
    """What metrics.json says of a path: the lowest activations, of all and of each pair.

    They are those of the frames as the film has them.
    """
    pairs = [_pair(names[k : k + 2], ends[k : k + 2], link) for k, link in enumerate(links)]
    metrics = {
        "lowest": float(film.activation.min()),
        "lowest_unclipped": lowest_unclipped,
        "lowest_start": float(ends.min()),
        "straight": float(film.straight.min()),
        "pairs_reached": sum(pair["reaches_lower_end"] for pair in pairs),
        "frames": len(film.x),
        "steps": sum(sum(link.passes.steps) for link in links),
        "seconds": sum(link.passes.seconds for link in links),
        "starts": dict(zip(names, ends.tolist(), strict=True)),
        "pairs": pairs,
    }
    status = "failed" if any(link.passes.failures for link in links) else "ok"
    files = {"file": f"{folder}/strip.png" if folder else "strip.png"}
    return ImageResult(name, status=status, metrics=metrics, files=files)


def _pair(names: list[str], ends: Tensor, link: Link) -> dict[str, Any]:
    """The lowest activations between two start images."""
    gaps, low = lengths(link.x), float(ends.min())
    return {
        "from": names[0],
        "to": names[1],
        "lowest": float(link.activation.min()),
        "lowest_inside": float(link.activation[1:-1].min()),
        "lower_end": low,
        "straight": float(link.straight.min()),
        "reaches_lower_end": bool(link.activation[1:-1].min() >= low),
        "steps": link.passes.steps,
        "unevenness": float(gaps.max() / gaps.min() - 1) if float(gaps.min()) else None,
    }


def _write_activations(path: Path, film: Film, unclipped: Tensor, gaps: Tensor) -> None:
    """A line per frame: the activation of what is shown, that of the straight path, the way from
    the last frame, and the activation of the float image."""
    lines = io.StringIO()
    lines.write("frame,start,activation,straight,distance,activation_unclipped\n")
    way = [0.0, *gaps.tolist()]
    for k, (a, line) in enumerate(zip(film.activation, film.straight, strict=True)):
        numbers = ",".join(f"{n:.7g}" for n in (a, line, way[k], float(unclipped[k])))
        lines.write(f"{k},{film.stops.get(k, '')},{numbers}\n")
    write_bytes(path, lines.getvalue().encode())


def findings_of(
    job: Job, paths: list[FoundPath], video: bool, curve: bool, mirror: bool
) -> Findings:
    """The mean of the lowest activations, and of all else; then the page and the videos.

    A video that cannot be written is a UserError, after everything else is.
    """
    good = [path.image.metrics for path in paths if path.image.ok]
    good = good or [path.image.metrics for path in paths]
    keys = ("lowest", "lowest_unclipped", "lowest_start", "straight", "frames", "steps", "seconds")
    keys = (*keys, "pairs_reached")
    summary = {"n": len(good)} | {k: sum(found[k] for found in good) / len(good) for k in keys}
    first = paths[0].folder / ("path.mp4" if video else "strip.png")
    file = first if len(paths) == 1 else job.folder / "index.html"

    def write_pages() -> None:
        _write_page(job, paths, video)
        for path in paths if video else []:
            _write_video(job, path, curve, mirror)
        _tidy(job.folder)

    images = [path.image for path in paths]
    return Findings("lowest", summary, images, _words(images), file, write_pages)


def _write_video(job: Job, path: FoundPath, curve: bool, mirror: bool) -> None:
    try:
        write_video(path.folder / "path.mp4", film_frames(path.film, curve, mirror))
    except UserError as error:
        again = f"visprior resume={shown(job.folder)} makes the video once it can"
        raise UserError(f"{error}; the path itself is in pivots.safetensors, {again}") from error


def _words(images: list[ImageResult]) -> str:
    """'421 frames, lowest activation 2.3 (start images 2.2, straight line 0.4); 700 steps in 90 s'.

    Steps and seconds are the band's: those of the start images are in their own run.json.
    """
    found = [image.metrics for image in images]
    frames = sum(one["frames"] for one in found)
    low, start, line = (
        min(one[k] for one in found) for k in ("lowest", "lowest_start", "straight")
    )
    words = f"(start images {start:.3g}, straight line {line:.3g})"
    steps, seconds = (sum(one[k] for one in found) for k in ("steps", "seconds"))
    taken = f"{steps} steps in {duration(seconds)}"
    return f"{frames} frames, lowest activation {low:.3g} {words}; {taken}"


def _tidy(folder: Path) -> None:
    """The passes' own pivots are part of the whole path's by now."""
    for path in folder.rglob("links/*/pass*/pivots.safetensors"):
        path.unlink()
        digest_path(path).unlink(missing_ok=True)


def _write_page(job: Job, paths: list[FoundPath], video: bool) -> None:
    """index.html: each path's video, strip and table of pairs."""
    about = [
        {
            "label": path.image.label,
            "folder": path.folder.relative_to(job.folder).as_posix(),
            "pairs": path.image.metrics["pairs"],
        }
        for path in paths
    ]
    title = f"{job.net_words}, {job.layer_words}: paths"
    write_path_page(job.folder, title, about, video)
