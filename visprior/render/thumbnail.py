"""Small pictures on a page."""

import base64
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from visprior.errors import shown

if TYPE_CHECKING:
    from PIL.Image import Image


class Thumbnail(NamedTuple):
    """A small picture, which links to its file."""

    link: str  # the file, relative to the page's folder
    name: str
    height: int  # at most, pixels
    data: str | None  # the picture as a data URI; None: the page loads the file


def thumbnail(
    file: Path, folder: Path, height: int = 96, width: int = 2400, embed: bool = True
) -> Thumbnail | None:
    """A picture for a page in folder, at most height x width; None when it cannot be read.

    embed: put it into the page as a JPEG; without, the page loads the file itself.
    """
    data = _jpeg(file, height, width) if embed else None
    if data is None and (embed or not file.is_file()):
        return None
    return Thumbnail(file.relative_to(folder).as_posix(), file.name, height, data)


def read_rgb(file: Path) -> "Image | None":
    """The picture; None, and a warning, when it is damaged or far larger than any that we write."""
    from PIL import Image

    try:
        with _opened(file) as opened:
            return opened.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        _say_once(file.resolve(), "is too large a picture")
    except (OSError, SyntaxError, ValueError):
        _say_once(file.resolve(), "cannot be read as a picture")
    return None


def aspect_of(file: Path) -> float:
    """Width / height; 1 where it cannot be read."""
    from PIL import Image

    try:
        with _opened(file) as opened:
            return opened.width / opened.height
    except (OSError, SyntaxError, ValueError):
        return 1.0
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return 1.0


@contextmanager
def _opened(file: Path) -> "Iterator[Image]":
    """The file, of which only the head is read yet; too many pixels are an error."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file) as opened:
            yield opened


@cache
def _say_once(file: Path, what: str) -> None:
    logging.getLogger("visprior").warning("'%s' %s; it is left out", shown(file), what)


def _jpeg(file: Path, height: int, width: int) -> str | None:
    """The picture as a data URI."""
    from PIL import Image

    small = read_rgb(file)
    if small is None:
        return None
    small.thumbnail((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
