"""What stands beside a pre-image in a channel book: examples of pictures, and a video of a path."""

from pathlib import Path
from typing import Any

from visprior.errors import UserError
from visprior.files.whole import read_json, write_bytes
from visprior.job.services import Services
from visprior.task.examples import Examples

Row = dict[str, Any]


def check_examples(part: Services, count: int, statistics: str | None) -> None:
    """Errors: UserError when there are no statistics to take examples from, or they do not fit."""
    if statistics is None and part.net.statistics is None:
        way = "measure them first: task=statistics, then task.statistics=FOLDER"
        raise UserError(f"task.examples needs statistics of {part.net.name}; {way}")
    Examples(count, statistics).prepare(part)


def add_examples(part: Services, rows: list[Row], count: int, statistics: str | None) -> None:
    """To each row the pictures that excite its channel most: what it sees of them."""
    found = Examples(count, statistics).patches(part)
    each = len(rows) // len(found)  # seeds of one channel stand in a row
    for b, row in enumerate(rows):
        row["examples"] = [f"{part.folder.name}/{name}" for name in found[b // each]]


def find_videos(s: Services, folder: str | None) -> dict[tuple[str, str], Path]:
    """(layer, channel's label) -> path.mp4 of the runs of task=path below a folder.

    Errors: UserError when there is no such run of this net.
    """
    if folder is None:
        return {}
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(Path(folder).expanduser().rglob("run.json")):
        run = read_json(path)
        if run.get("task") != "path" or run.get("net") != s.recorder.run["net"]:
            continue
        if not (path.parent / "metrics.json").is_file():
            continue
        for row in read_json(path.parent / "metrics.json")["images"]:
            video = path.parent / Path(row["file"]).with_name("path.mp4")
            if video.is_file():
                found[s.net.resolved(str(run["layer"])), row["label"]] = video
    if not found:
        net = s.recorder.run["net"]
        raise UserError(f"task.videos={folder}: no path.mp4 of task=path net={net} in there")
    return found


def add_videos(part: Services, rows: list[Row], videos: dict[tuple[str, str], Path]) -> None:
    """To each row the video of its channel, copied beside its picture so that the book is whole."""
    for row in rows:
        video = videos.get((part.net.resolved(str(part.cfg.layer)), row["label"]))
        if video is None:
            continue
        copy = part.folder / f"path_{row['label']}.mp4"
        if not copy.is_file() or copy.stat().st_size != video.stat().st_size:
            write_bytes(copy, video.read_bytes())
        row["video"] = f"{part.folder.name}/{copy.name}"
