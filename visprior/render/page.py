"""index.html of a run: its images with their metrics, or its paths."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from visprior.render.html import write_html
from visprior.render.thumbnail import Thumbnail, thumbnail

EMBEDDED = 500  # images whose thumbnails are inside the page; those of more are loaded when seen
NO_METRICS = (
    "label", "file", "comparison", "target", "picture", "box", "glyph", "status", "differs",
)  # fmt: skip
PAIR = ("from", "to", "lowest_inside", "lower_end", "straight", "reaches_lower_end")

Row = Mapping[str, Any]


def write_overview(folder: Path, title: str, images: Sequence[Row], note: str = "") -> Path:
    """index.html of a run with several images: their pictures and metrics, one row each.

    images are the entries of metrics.json: label, file, comparison and status, then the metrics.
    """
    simple = (int, float, str, bool)
    values = [(key, value) for image in images for key, value in image.items()]
    named = dict.fromkeys(key for key, value in values if isinstance(value, simple))
    metrics = [key for key in named if key not in NO_METRICS]
    embed = len(images) <= EMBEDDED
    rows = [
        {
            "label": image.get("label"),
            "picture": _thumbnail(folder, image, embed),
            "status": image.get("status"),
            "metrics": [image.get(key) for key in metrics],
        }
        for image in images
    ]
    files = [n for n in ("curves.png", "metrics.json", "run.json") if (folder / n).is_file()]
    content = {"title": title, "note": note, "files": files, "metrics": metrics, "rows": rows}
    write_html(folder / "index.html", "run.html", content)
    return folder / "index.html"


def _thumbnail(folder: Path, image: Row, embed: bool) -> Thumbnail | None:
    """The comparison, which holds the pre-image; the pre-image where there is none."""
    files = [folder / image[key] for key in ("comparison", "file") if image.get(key)]
    found = (thumbnail(file, folder, 144, embed=embed) for file in files)
    return next((picture for picture in found if picture), None)


def write_path_page(folder: Path, title: str, paths: Sequence[Row], video: bool) -> None:
    """index.html of a run of paths: of each its video, strip and table of pairs.

    paths: label, folder (relative to the page's, '' for the same) and pairs, the rows of the table
    (from, to, lowest_inside, lower_end, straight, reaches_lower_end). video: whether each folder
    has, or is about to have, its path.mp4.
    """
    content = {
        "title": title,
        "headings": [name.replace("_", " ") for name in PAIR],
        "paths": [_path(path, PurePosixPath(path["folder"]), video) for path in paths],
    }
    write_html(folder / "index.html", "paths.html", content)


def _path(path: Row, folder: PurePosixPath, video: bool) -> Row:
    """The files of one path, and its table."""
    return {
        "label": path["label"],
        "video": str(folder / "path.mp4") if video else None,
        "strip": str(folder / "strip.png"),
        "pairs": [[pair[name] for name in PAIR] for pair in path["pairs"]],
        "files": [str(folder / name) for name in ("activations.csv", "pivots.safetensors")],
    }
