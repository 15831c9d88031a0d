"""The pictures a run starts from: which they are, and how a file becomes an image tensor.

Everything here gives RGB grey levels 0..255, not centred.
"""

import contextlib
import logging
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from visprior.data.image_file import read_image
from visprior.errors import UserError, did_you_mean

Source = tuple[str, Path]

# Photographs first; the four to use are astronaut, chelsea, coffee and rocket. Nothing is fetched.
PHOTOGRAPHS = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "motorcycle_left": "motorcycle_left.png",
    "motorcycle_right": "motorcycle_right.png",
    "retina": "retina.jpg",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "immunohistochemistry": "ihc.png",
    "ihc": "ihc.png",
    "colorwheel": "color.png",
    "logo": "logo.png",
    "horse": "horse.png",
    "camera": "camera.png",
    "brick": "brick.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "moon": "moon.png",
    "cell": "cell.png",
    "clock": "clock_motion.png",
    "coins": "coins.png",
    "page": "page.png",
    "text": "text.png",
    "microaneurysms": "microaneurysms.png",
    "phantom": "phantom.png",
}

# Pictures of the papers that are not at hand, and what stands in for them.
SUBSTITUTES = {
    "fox": "chelsea",
    "red_fox": "chelsea",
    "black_swan": "chelsea",
    "monkey": "astronaut",
    "goose": "astronaut",
    "king_crab": "coffee",
    "gong": "coffee",
    "daisy": "coffee",
    "flamingo": "rocket",
    "dome": "rocket",
    "building": "rocket",
    "abstract": "hubble_deep_field",
}

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
SUFFIXES |= {".npy"}
RED, GREEN, BLUE = 0.2989360213, 0.5870430745, 0.1140209042  # Rec. 601, sum 1


def find_pictures(spec: str | Sequence[str]) -> list[Source]:
    """Pairs (label, file) for a built-in name, a file, a glob, a folder, or a list of these.

    A built-in name wins over a file of that name (write ./coffee for the file). Labels are unique,
    at most 40 characters and safe as file names.
    """
    specs = [spec] if isinstance(spec, str | Path) else list(spec)
    if not specs:
        raise UserError("image=[] names no picture; a built-in one is image=astronaut")
    found = [path for one in specs for path in _find(str(one))]
    taken: set[str] = set()
    return [(unique_label(name, taken), path) for name, path in found]


def _find(spec: str) -> list[tuple[str, Path]]:
    """Pairs (name, file) of one entry."""
    name = spec.lower().replace("-", "_").replace(" ", "_")
    if spec in PHOTOGRAPHS:
        return [(spec, _built_in(spec))]
    path = Path(spec).expanduser()
    try:
        if path.is_dir():
            return [(p.stem, p) for p in _pictures_in(path)]
        if path.exists():
            return [(path.stem, path)]
    except OSError as error:
        raise UserError(f"image={spec}: {error.strerror}") from error
    if name in SUBSTITUTES:
        stand_in = SUBSTITUTES[name]
        logging.getLogger("visprior").warning(
            "image=%s is not at hand; using the built-in photograph %s", spec, stand_in
        )
        return [(stand_in, _built_in(stand_in))]
    if re.search(r"[*?[]", spec):
        return [(p.stem, p) for p in _matches(spec, path)]
    raise UserError(f"image={spec} is neither a built-in photograph nor a file{_near(spec)}")


def _near(spec: str) -> str:
    """What was probably meant: a file of that folder, or a built-in name."""
    folder, name = Path(spec).expanduser().parent, Path(spec).name
    pictures: list[str] = []
    with contextlib.suppress(OSError):
        pictures = [str(Path(spec).parent / p.name) for p in folder.iterdir() if _is_picture(p)]
    hint = did_you_mean(spec, [*sorted(pictures), *PHOTOGRAPHS])
    if "did you mean" in hint or folder == Path():
        return hint if "did you mean" in hint else did_you_mean(name, PHOTOGRAPHS)
    return did_you_mean(spec, sorted(pictures)) or f"; there is no folder '{folder}' with pictures"


def _matches(spec: str, pattern: Path) -> list[Path]:
    root = Path(pattern.anchor)
    try:
        pictures = sorted(p for p in root.glob(str(pattern.relative_to(root))) if _is_picture(p))
    except (OSError, ValueError) as error:
        raise UserError(f"image={spec}: {error}") from error
    if not pictures:
        raise UserError(f"image={spec}: no picture matches ({_kinds()})")
    return pictures


def _pictures_in(folder: Path) -> list[Path]:
    try:
        pictures = sorted(p for p in folder.iterdir() if _is_picture(p))
    except OSError as error:
        raise UserError(f"image={folder}: cannot read the folder: {error.strerror}") from error
    if not pictures:
        raise UserError(f"image={folder}: no picture in this folder ({_kinds()})")
    return pictures


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")


def _kinds() -> str:
    return " ".join(sorted(SUFFIXES))


def _built_in(name: str) -> Path:
    return Path(str(files("skimage") / "data" / PHOTOGRAPHS[name]))


def unique_label(name: str, taken: set[str]) -> str:
    """A safe label that is not taken yet, and now is (compared without regard to case)."""
    plain = re.sub(r"[^A-Za-z0-9_.=-]+", "_", name).strip("_.-")[:40] or "image"
    label, n = plain, 1
    while label.lower() in taken:
        n += 1
        label = f"{plain}_{n}"
    taken.add(label.lower())
    return label


def load_picture(
    source: Path | str | np.ndarray, size: tuple[int, int] | None, channels: int = 3
) -> Tensor:
    """A file as (1, channels, H, W) float32, grey levels 0..255, resized to size (height, width).

    source: the file, or what one holds: (C, H, W) float32 in grey levels.

    Bicubic with antialiasing, anisotropic, no crop; overshoot is not clipped (Mahendran & Vedaldi's
    program). One channel is grey by Rec. 601. size=None keeps the file's own size.

    Raises:
        UserError: the file is missing, damaged, too large, or has other channels.
    """
    if isinstance(source, np.ndarray):
        array, which = source, "given as an object"
    else:
        path = Path(source).expanduser()
        array, which = read_image(path), f"'{path}'"
    x = torch.from_numpy(_with_channels(array, channels, which))[None]
    if size is not None and tuple(x.shape[-2:]) != tuple(size):
        x = functional.interpolate(
            x, tuple(size), mode="bicubic", antialias=True, align_corners=False
        )
    return x


def _with_channels(array: np.ndarray, channels: int, which: str) -> np.ndarray:
    """(C, H, W) brought to the number of channels asked for."""
    have = len(array)
    if have == channels:
        return array
    if have == 1 and channels == 3:
        return array.repeat(3, axis=0)
    if have == 3 and channels == 1:
        return RED * array[:1] + GREEN * array[1:2] + BLUE * array[2:]
    raise UserError(
        f"image {which} has {have} channels, the net takes {channels}: "
        f"give a .npy file of shape ({channels}, H, W), or in Python such a tensor"
    )
