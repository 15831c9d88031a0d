"""What stands beside a pre-image in a channel book: examples of pictures, and a video of a path."""

from collections.abc import Sequence
from pathlib import Path

from visprior.errors import UserError
from visprior.files.whole import read_json, write_bytes
from visprior.record.images import ImageResult
from visprior.task.examples import Examples
from visprior.task.job import Job


def check_examples(part: Job, count: int, statistics: str | None) -> None:
    """See that examples can be taken, before anything is computed.

    Raises:
        UserError: there are no statistics to take them from, or they do not fit.
    """
    if statistics is None and part.net.statistics is None:
        way = "measure them first: task=statistics, then task.statistics=FOLDER"
        raise UserError(f"task.examples needs statistics of {part.net.name}; {way}")
    Examples(count, statistics).prepare(_as_measured(part))


def _as_measured(part: Job) -> Job:
    """The job at the size of the statistics, which is not the pre-images' where that was set."""
    return part.with_keys({"size": None})


def with_examples(
    part: Job, images: Sequence[ImageResult], count: int, statistics: str | None
) -> list[ImageResult]:
    """The images with the pictures that excite their channel most: what it sees of them."""
    found = Examples(count, statistics).patches(_as_measured(part))
    each = len(images) // len(found)  # seeds of one channel stand in a row
    base = part.folder.name
    return [
        image.filed({"examples": [f"{base}/{name}" for name in found[b // each]]})
        for b, image in enumerate(images)
    ]


def find_videos(job: Job, folder: str | None) -> dict[tuple[str, str], Path]:
    """(layer, channel's label) -> path.mp4 of the runs of task=path below a folder.

    Raises:
        UserError: there is no such run of this net.
    """
    if folder is None:
        return {}
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(Path(folder).expanduser().rglob("run.json")):
        run = read_json(path)
        if run.get("task") != "path" or run.get("net") != job.names["net"]:
            continue
        if not (path.parent / "metrics.json").is_file():
            continue
        for row in read_json(path.parent / "metrics.json")["images"]:
            video = path.parent / Path(row["file"]).with_name("path.mp4")
            if video.is_file():
                found[job.net.resolved(str(run["layer"])), row["label"]] = video
    if not found:
        net = job.names["net"]
        raise UserError(f"task.videos={folder}: no path.mp4 of task=path net={net} in there")
    return found


def with_videos(
    part: Job, images: Sequence[ImageResult], videos: dict[tuple[str, str], Path]
) -> list[ImageResult]:
    """The images with the video of their channel, copied beside so that the book is whole."""
    return [_with_video(part, image, videos) for image in images]


def _with_video(part: Job, image: ImageResult, videos: dict[tuple[str, str], Path]) -> ImageResult:
    video = videos.get((part.net.resolved(str(part.cfg.layer)), image.label))
    if video is None:
        return image
    copy = part.folder / f"path_{image.label}.mp4"
    if not copy.is_file() or copy.stat().st_size != video.stat().st_size:
        write_bytes(copy, video.read_bytes())
    return image.filed({"video": f"{part.folder.name}/{copy.name}"})
