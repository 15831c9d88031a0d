"""Frames to a video that browsers and phones play."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from visprior.errors import UserError, one_line, shown

# H.264 with halved colour planes is what every player takes; with its index at the front it plays
# while it loads. The colours are those of HD video, and say so.
_COLOURS = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
_CODEC = ["-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p"]
_MATRIX = ["-vf", "scale=out_color_matrix=bt709:out_range=tv"]


def write_video(path: Path, frames: Iterator[np.ndarray], fps: int = 30) -> None:
    """Encode uint8 (H, W, 3) frames of one even size as MP4, whole or not at all.

    Raises: UserError, one line, when there is no ffmpeg, it has no H.264, or it cannot write.
    """
    first = next(frames)
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"a frame of {width} x {height} pixels has an odd side")
    temporary = path.with_name(f".{os.getpid()}.tmp.mp4")
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps)]
    written = [*_MATRIX, *_CODEC, *_COLOURS, "-movflags", "+faststart", str(temporary)]
    options = ["-y", "-hide_banner", "-loglevel", "error", *given, "-i", "-", "-an", *written]
    try:
        with tempfile.TemporaryFile() as log:
            _encode([_ffmpeg(), *options], first, frames, log)
        temporary.replace(path)
    except OSError as error:
        reason = one_line(error.strerror or error)
        raise UserError(f"cannot write '{shown(path)}': {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)


def even(array: np.ndarray) -> np.ndarray:
    """(H, W, 3) with its last row and column repeated where that makes the sides even."""
    return np.pad(array, [(0, array.shape[0] % 2), (0, array.shape[1] % 2), (0, 0)], mode="edge")


def _ffmpeg() -> str:
    """The program that comes with imageio-ffmpeg, or that IMAGEIO_FFMPEG_EXE names."""
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        return get_ffmpeg_exe()
    except RuntimeError as error:
        raise OSError(one_line(error)) from error


def _encode(
    command: list[str], first: np.ndarray, frames: Iterator[np.ndarray], log: IO[bytes]
) -> None:
    """Feed the frames to ffmpeg; OSError with its last words when it fails."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    except OSError as error:
        raise OSError(f"ffmpeg '{command[0]}' does not start: {error.strerror}") from error
    assert process.stdin is not None
    try:
        with process.stdin as pipe:
            pipe.write(np.ascontiguousarray(first))
            for frame in frames:
                pipe.write(np.ascontiguousarray(frame))
    except BrokenPipeError:
        pass  # it ended early; its own words say why
    except BaseException:
        process.kill()
        raise
    finally:
        code = process.wait()
    if code:
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()
        raise OSError("ffmpeg: " + (_cause(lines) or f"it ended with code {code}"))


def _cause(lines: list[str]) -> str:
    """The line that names the cause: of a full disk or a missing encoder, else the last one."""
    for line in lines:
        if any(words in line for words in ("No space", "Unknown encoder", "denied", "Read-only")):
            return line
    return lines[-1] if lines else ""
