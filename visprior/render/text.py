"""Words on pictures: lines that fit a given width and height."""

import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

LEADING = 1.25  # line height over font size
INK, FAINT = (30, 34, 40), (104, 110, 118)


class Block(NamedTuple):
    """A text laid out: its font, its lines, its size in pixels."""

    font: "FreeTypeFont"
    lines: list[str]
    width: int
    height: int


@lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> "FreeTypeFont":
    """DejaVu Sans, which matplotlib ships, so that pictures look alike on every machine."""
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(str(files("matplotlib") / "mpl-data" / "fonts" / "ttf" / name))
    return ImageFont.truetype(str(path), size)


def fit(text: str, width: int, height: int, size: int = 13, bold: bool = False) -> Block:
    """text in the largest font, from size down to 8, in which it fits width x height when wrapped.

    What does not fit even then is cut, with an ellipsis.
    """
    smallest = min(size, 8)
    for points in range(size, smallest - 1, -1):
        face = font(points, bold)
        lines = _wrap(text, face, width)
        most = max(1, int(height / (points * LEADING)))
        if len(lines) <= most and (points == smallest or not _splits_words(text, face, width)):
            return _block(face, lines)
    face = font(smallest, bold)
    lines = _wrap(text, face, width)[: max(1, int(height / (smallest * LEADING)))]
    while len(lines[-1]) > 1 and face.getlength(lines[-1] + "…") > width:
        lines[-1] = lines[-1][:-1]
    lines[-1] += "…"
    return _block(face, lines)


def draw(canvas: "ImageDraw", block: Block, x: int, y: int, width: int, align: str = "center",
         colour: tuple[int, int, int] = INK) -> None:  # fmt: skip
    """Draw a block with its top at y, each line aligned within x .. x + width."""
    step = block.font.size * LEADING
    shift = {"left": 0.0, "center": 0.5, "right": 1.0}[align]
    for i, line in enumerate(block.lines):
        left = x + shift * (width - block.font.getlength(line))
        canvas.text((round(left), round(y + i * step)), line, font=block.font, fill=colour)


def _block(face: "FreeTypeFont", lines: list[str]) -> Block:
    width = max((int(face.getlength(line)) + 1 for line in lines), default=0)
    return Block(face, lines, width, round(len(lines) * face.size * LEADING))


def _pieces(text: str) -> list[str]:
    """Where a line may break: at spaces, and after the joints of names and numbers."""
    return re.findall(r"\S*?(?:[_=/,;:]+(?=\S)|\.(?=[A-Za-z]))|\S+\s*|\s+", text) or [""]


def _splits_words(text: str, face: "FreeTypeFont", width: int) -> bool:
    return any(face.getlength(piece.rstrip()) > width for piece in _pieces(text))


def _wrap(text: str, face: "FreeTypeFont", width: int) -> list[str]:
    """Greedy lines no wider than width; a piece that is wider is split between characters."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph):
            if line and face.getlength((line + piece).rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += piece
            while len(line.rstrip()) > 1 and face.getlength(line.rstrip()) > width:
                cut = next(
                    n for n in range(len(line) - 1, 0, -1)
                    if n == 1 or face.getlength(line[:n]) <= width
                )  # fmt: skip
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line.rstrip())
    return lines
