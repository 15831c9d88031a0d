"""Videos: what players need, and one line when there can be none."""

import re
import stat
import subprocess

import imageio.v3 as iio
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from visprior.errors import UserError
from visprior.render.video import even, write_video


def frames(n: int, height: int = 48, width: int = 64):
    """A grey ramp that gets lighter, with a red square."""
    for k in range(n):
        frame = np.full((height, width, 3), 40 + 10 * k, np.uint8)
        frame[8:24, 8:24] = (200, 30, 30)
        yield frame


def test_it_plays_everywhere(tmp_path):
    """H.264, yuv420p, 30 frames per second, the index before the data; the pictures are kept."""
    path = tmp_path / "a.mp4"
    write_video(path, frames(15))
    said = subprocess.run(
        [get_ffmpeg_exe(), "-hide_banner", "-i", str(path)], capture_output=True, text=True
    ).stderr
    assert re.search(r"Video: h264.*yuv420p\(tv, bt709.*64x48.*30 fps", said)
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    read = iio.imread(path, plugin="FFMPEG").astype(float)
    assert read.shape == (15, 48, 64, 3)
    for k, (got, given) in enumerate(zip(read, frames(15), strict=True)):
        assert abs(got[30:, 40:].mean() - (40 + 10 * k)) < 3
        assert np.abs(got[12:20, 12:20].mean((0, 1)) - given[16, 16]).max() < 12
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_odd_sides_are_continued():
    odd = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    made = even(odd)
    assert made.shape == (6, 8, 3)
    assert (made[:5, :7] == odd).all() and (made[5, :7] == odd[4]).all()
    with pytest.raises(ValueError, match="odd side"):
        write_video(None, iter([odd]))  # pyright: ignore[reportArgumentType]


def a_program(path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_an_ffmpeg_that_is_missing_or_fails(tmp_path, monkeypatch):
    out = tmp_path / "a.mp4"
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"cannot write .*a.mp4.*none' does not start"):
        write_video(out, frames(3))
    lines = "echo \"Unknown encoder 'libx264'\" >&2; echo 'Error opening output' >&2; exit 8"
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", a_program(tmp_path / "old", lines))
    with pytest.raises(UserError, match="Unknown encoder 'libx264'"):
        write_video(out, frames(3))
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", a_program(tmp_path / "mute", "exit 3"))
    with pytest.raises(UserError, match="it ended with code 3"):
        write_video(out, frames(200))  # more than a pipe holds
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    with pytest.raises(UserError, match="No such file"):
        write_video(tmp_path / "nowhere" / "a.mp4", frames(3))
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob(".*"))


def test_a_full_disk(tmp_path):
    """ffmpeg itself, on a device without room; the video that was there stays."""
    out = tmp_path / "a.mp4"
    write_video(out, frames(2))
    before = out.read_bytes()
    code = (
        "import resource, sys; sys.path.insert(0, '.');"
        "from tests.render.test_video import frames; from pathlib import Path;"
        "from visprior.render.video import write_video;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        f"write_video(Path({str(out)!r}), frames(20))"
    )
    import sys

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1 and "UserError: cannot write" in ended.stderr
    assert out.read_bytes() == before and not list(tmp_path.glob(".*"))
