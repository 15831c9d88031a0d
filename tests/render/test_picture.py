"""Bytes of pictures: rounding, clipping, differences, boxes."""

import numpy as np
import pytest
import torch
from PIL import Image

from visprior.files.whole import write_bytes
from visprior.render.picture import (
    absolute_difference,
    as_saved,
    colour_difference,
    draw_box,
    save_png,
    to_bytes,
)


def test_values_are_rounded_and_clipped_and_the_share_is_told():
    x = torch.tensor([-0.5, -0.6, 0.4, 0.6, 254.6, 255.5, 255.6, 300.0]).reshape(1, 2, 4)
    array, clipped = to_bytes(x)
    assert array.shape == (2, 4, 3)
    assert array[..., 0].ravel().tolist() == [0, 0, 0, 1, 255, 255, 255, 255]
    assert clipped == 3 / 8


def test_stretch_uses_the_whole_range_and_clips_nothing():
    x = torch.tensor([-100.0, 0.0, 100.0, 300.0]).reshape(1, 2, 2)
    array, clipped = to_bytes(x, stretch=True)
    assert array[..., 1].ravel().tolist() == [0, 64, 128, 255]
    assert clipped == 0
    assert to_bytes(torch.full((3, 2, 2), 7.0), stretch=True)[0].max() == 0


def test_not_a_number_is_black_and_counts_as_clipped():
    x = torch.tensor([float("nan"), float("inf"), float("-inf"), 9.0]).reshape(1, 2, 2)
    array, clipped = to_bytes(x)
    assert array[..., 0].ravel().tolist() == [0, 255, 0, 9]
    assert clipped == 0.75


@pytest.mark.parametrize("stretch", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_saved_picture_is_what_its_file_holds(tmp_path, stretch, channels):
    x = torch.randn(2, channels, 9, 7, generator=torch.Generator().manual_seed(3)).double() * 300
    saved = as_saved(x, stretch)
    assert saved.dtype == torch.float64 and saved.shape == x.shape
    for image, levels in zip(x, saved, strict=True):
        save_png(tmp_path / "x.png", to_bytes(image, stretch)[0])
        held = np.asarray(Image.open(tmp_path / "x.png")).transpose(2, 0, 1)
        assert np.array_equal(held, levels.expand(3, -1, -1).numpy())
        if stretch:
            assert (levels.min(), levels.max()) == (0, 255)


@pytest.mark.parametrize("channels, shown", [(1, [0, 0, 0]), (2, [0, 0, 0]), (5, [0, 1, 2])])
def test_channels_that_are_shown(channels, shown):
    x = torch.arange(channels).float().reshape(-1, 1, 1).expand(-1, 2, 2)
    assert to_bytes(x)[0][0, 0].tolist() == shown


def test_differences_use_one_scale_for_all_channels():
    image = torch.tensor([100.0, 100, 100]).reshape(3, 1, 1)
    rec = torch.tensor([90.0, 100, 130]).reshape(3, 1, 1)  # d = 10, 0, -30
    assert colour_difference(image, rec)[0, 0].tolist() == [255, 191, 0]
    assert absolute_difference(image, rec)[0, 0].tolist() == [85, 0, 255]
    assert absolute_difference(image, image).max() == 0


def test_box_frames_the_pixels_and_leaves_them():
    array = np.full((60, 80, 3), 90, dtype=np.uint8)
    boxed = draw_box(array, (20, 30, 40, 60))
    assert (boxed[20:40, 30:60] == 90).all()
    assert (boxed[19, 29:61] == 0).all()
    assert (boxed[18, 28:62] == 255).all()
    assert (boxed[17, 27:63] == 0).all()
    assert (boxed[16, :] == 90).all()
    assert (array == 90).all()


@pytest.mark.parametrize(
    ("box", "rows"),
    [((-10, -10, 70, 90), [0, 59]), ((0, 0, 60, 80), [0, 59]), ((-9, -9, -3, -3), [])],
)
def test_box_may_leave_the_picture(box, rows):
    """What is outside moves to the border; of a box that is outside there is nothing."""
    boxed = draw_box(np.full((60, 80, 3), 90, dtype=np.uint8), box)
    assert (boxed[2:-2, 2:-2] == 90).all()
    assert [k for k in range(60) if (boxed[k] == 0).all()] == rows
    assert rows or (boxed == 90).all()


def test_png_round_trip_and_no_leftovers(tmp_path, monkeypatch):
    array = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    save_png(tmp_path / "x.png", array)
    save_png(tmp_path / "grey.png", array[..., 0])
    with Image.open(tmp_path / "x.png") as image:
        np.testing.assert_array_equal(np.asarray(image), array)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grey.png", "x.png"]
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "no" / "x.png", b"")
