"""One image file of any kind as an array of grey levels, or one line on why not."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visprior.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

WHITE = (255, 255, 255, 255)


def read_image(path: Path) -> np.ndarray:
    """A file as (C, H, W) float32: a picture (1 or 3 channels, 0..255, upright), or a .npy array.

    Transparency is composited over white, 16 bits are scaled, palettes and CMYK become RGB; colour
    profiles are not applied.

    Raises:
        UserError: the file is missing, damaged, empty, too large, or holds no image.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"image '{path}' cannot be read: it is no regular file")
    if path.is_file() and path.stat().st_size == 0:
        raise UserError(f"image '{path}' cannot be read: the file is empty")
    return _read_array(path) if path.suffix.lower() == ".npy" else _read_picture(path)


def _read_array(path: Path) -> np.ndarray:
    """(C, H, W) float32 from a .npy file of shape (C, H, W) or (H, W)."""
    try:
        # Mapped first: a header that claims more than the file holds is refused, not allocated.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"image '{path}' cannot be read: {_reason(error)}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise UserError(f"image '{path}' is not an array of real numbers")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise UserError(f"image '{path}' has shape {array.shape}; expected (C, H, W) or (H, W)")
    array = np.array(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise UserError(f"image '{path}' contains NaN or Inf")
    return array[None] if array.ndim == 2 else array


def _read_picture(path: Path) -> np.ndarray:
    """(1 or 3, H, W) float32 in 0..255 from any file that Pillow reads, upright."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no reason to stop; a bomb is
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                return grey_levels(ImageOps.exif_transpose(image), f"'{path}'")
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise UserError(
            f"image '{path}' is too large: at most {limit} million pixels are read"
        ) from error
    except Exception as error:  # on damaged files Pillow's decoders raise whatever they meet
        raise UserError(f"image '{path}' cannot be read: {_reason(error)}") from error


def grey_levels(image: "Image", which: str) -> np.ndarray:
    """Any mode of Pillow as (1 or 3, H, W) float32: 16 bits scaled, transparency over white.

    Raises:
        UserError: more than 16 bits, or floats; which: the image, in its line.
    """
    from PIL import Image

    if image.mode.startswith("I"):
        array = np.asarray(image).astype(np.float32) / 257
        if array.max(initial=0) > 255 or array.min(initial=0) < 0:
            raise UserError(f"image {which} has more than 16 bits per channel; save it with 16")
        return array[None]
    if image.mode == "F":
        raise UserError(f"image {which} holds floats of unknown range; save grey levels as .npy")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    array = np.asarray(image, dtype=np.float32)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))


def _reason(error: Exception) -> str:
    """The cause in a few words, without the path again."""
    from PIL import UnidentifiedImageError

    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        return "it is not a picture (PNG, JPEG, WebP, TIFF, ...)"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:160]
