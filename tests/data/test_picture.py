"""Pictures: found by every kind of name, read right whatever the file, refused in one line."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from visprior.data.picture import PHOTOGRAPHS, SUBSTITUTES, find_pictures, load_picture
from visprior.errors import UserError

RAMP = (np.arange(48 * 64) % 251).astype(np.uint8).reshape(48, 64)
COLOUR = np.stack([RAMP, 255 - RAMP, RAMP[::-1]], axis=2)


def levels(path: Path, channels: int = 3) -> torch.Tensor:
    """A file at its own size."""
    return load_picture(path, None, channels)[0]


def line(match: str):
    """A UserError of one line."""
    return pytest.raises(UserError, match=match)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_built_in_photographs_load(name):
    ((label, path),) = find_pictures(name)
    x = load_picture(path, (32, 40))
    assert label == name
    assert x.shape == (1, 3, 32, 40)
    assert x.dtype == torch.float32
    assert 5 < x.mean() < 252


def test_resize_is_bicubic_antialiased_without_a_crop():
    from PIL.Image import Resampling

    ((_, path),) = find_pictures("chelsea")
    x = load_picture(path, (60, 50))[0]
    with Image.open(path) as image:
        small = [
            np.asarray(band.convert("F").resize((50, 60), Resampling.BICUBIC))
            for band in image.convert("RGB").split()
        ]
    np.testing.assert_allclose(x.numpy(), np.stack(small), atol=2e-3)


def test_overshoot_of_the_resize_is_kept(tmp_path):
    edge = np.zeros((40, 40), dtype=np.uint8)
    edge[:, 20:] = 255
    Image.fromarray(edge).save(tmp_path / "edge.png")
    x = load_picture(tmp_path / "edge.png", (31, 31), 1)
    assert x.min() < -1
    assert x.max() > 256


def test_substitutes_are_named(caplog):
    with caplog.at_level(logging.WARNING, logger="visprior"):
        ((label, path),) = find_pictures("red-fox")
    assert (label, path.name) == ("chelsea", "chelsea.png")
    assert caplog.messages == [
        "image=red-fox is not at hand; using the built-in photograph chelsea"
    ]
    assert set(SUBSTITUTES.values()) <= set(PHOTOGRAPHS)


def test_files_globs_folders_and_lists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("b.png", "a.JPG", "c d[1].png"):
        Image.fromarray(COLOUR).save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    assert [label for label, _ in find_pictures("in")] == ["a", "b", "c_d_1"]
    assert [p.name for _, p in find_pictures("in/*.png")] == ["b.png", "c d[1].png"]
    assert [p.name for _, p in find_pictures(f"{tmp_path}/**/b.png")] == ["b.png"]
    assert find_pictures("in/c d[1].png")[0][0] == "c_d_1"
    several = find_pictures(["in/b.png", "in", "astronaut"])
    assert [label for label, _ in several] == ["b", "a", "b_2", "c_d_1", "astronaut"]


def test_labels_are_safe_short_and_unique(tmp_path):
    names = ["x" * 60 + ".png", "x" * 50 + ".png", "über straße.png", "..hidden .png"]
    for name in names:
        Image.fromarray(RAMP).save(tmp_path / name)
    labels = [label for name in names for label, _ in find_pictures(str(tmp_path / name))]
    assert labels[2:] == ["ber_stra_e", "hidden"]
    (first, _), (second, _) = find_pictures([str(tmp_path / n) for n in names[:2]])
    assert (first, second) == ("x" * 40, "x" * 40 + "_2")


def test_wrong_names_say_what_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(RAMP).save(tmp_path / "kitten.png")
    (tmp_path / "empty").mkdir()
    with line(r"image=astronout .*did you mean 'astronaut'"):
        find_pictures("astronout")
    with line(r"image=kiten.png .*did you mean 'kitten.png'"):
        find_pictures("kiten.png")
    with line(r"image=zzz is neither.*allowed: astronaut, chelsea"):
        find_pictures("zzz")
    with line("there is no folder 'nowhere'"):
        find_pictures("nowhere/x.png")
    with line("no picture in this folder"):
        find_pictures("empty")
    with line("no picture matches"):
        find_pictures("empty/*.png")
    with line("names no picture"):
        find_pictures([])


@pytest.mark.parametrize(
    "error, words", [(PermissionError(13, "Permission denied"), "Permission denied")]
)
def test_unreadable_folder(tmp_path, monkeypatch, error, words):
    def refuse(self):
        raise error

    monkeypatch.setattr(Path, "iterdir", refuse)
    with line(f"cannot read the folder: {words}"):
        find_pictures(str(tmp_path))


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(COLOUR).save(path)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", refuse)
    with line(r"a\.png' cannot be read: Permission denied$"):
        levels(path)


def test_grey_and_bilevel(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "grey.png")
    x = levels(tmp_path / "grey.png")
    assert torch.equal(x, torch.from_numpy(RAMP).float().expand(3, -1, -1))
    assert torch.equal(levels(tmp_path / "grey.png", 1)[0], torch.from_numpy(RAMP).float())
    Image.fromarray(RAMP > 100).save(tmp_path / "bits.png")
    assert set(levels(tmp_path / "bits.png").unique().tolist()) == {0.0, 255.0}


def test_grey_of_colour_is_rec_601(tmp_path):
    colours = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200], [80, 80, 80]]], dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "c.png")
    x = levels(tmp_path / "c.png", 1)[0, 0]
    expected = torch.tensor([0.2989 * 200, 0.5870 * 200, 0.1140 * 200, 80])
    torch.testing.assert_close(x, expected, atol=0.02, rtol=0)


def test_palette(tmp_path):
    image = Image.fromarray(COLOUR // 64 * 64).quantize(64)
    image.save(tmp_path / "p.png")
    image.save(tmp_path / "p.gif")
    expected = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float()
    assert torch.equal(levels(tmp_path / "p.png"), expected)
    assert torch.equal(levels(tmp_path / "p.gif"), expected)


def test_alpha_is_composited_over_white(tmp_path):
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    rgba[0, 1] = (0, 0, 0, 0)
    rgba[1, 0] = (0, 0, 0, 51)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    x = levels(tmp_path / "a.png")
    assert x[:, 0, 0].tolist() == [255, 0, 0]
    assert x[:, 0, 1].tolist() == [255, 255, 255]
    assert x[:, 1, 0].tolist() == [204, 204, 204]


def test_transparent_palette_and_grey_alpha(tmp_path):
    image = Image.fromarray(RAMP // 128).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.save(tmp_path / "t.png", transparency=1)
    x = levels(tmp_path / "t.png").numpy()
    assert x[:, RAMP < 128][:, 0].tolist() == [10, 20, 30]
    assert (x[:, RAMP >= 128] == 255).all()
    Image.fromarray(np.dstack([RAMP, RAMP * 0]).astype(np.uint8), "LA").save(tmp_path / "la.png")
    assert levels(tmp_path / "la.png").unique().tolist() == [255]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bits_are_scaled(tmp_path, name):
    deep = (np.arange(48 * 64) * 21).astype(np.uint16).reshape(48, 64)
    if name == "a.pgm":
        data = b"P5\n64 48\n65535\n" + deep.astype(">u2").tobytes()
        (tmp_path / name).write_bytes(data)
    else:
        Image.fromarray(deep).save(tmp_path / name)
    x = levels(tmp_path / name)
    torch.testing.assert_close(x[1], torch.from_numpy(deep / 257).float())


def test_cmyk(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "c.jpg", quality=95)
    x = levels(tmp_path / "c.jpg")
    assert x[0].min() > 245
    assert x[1:].max() < 10


def test_exif_rotation(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees clockwise to see it upright
    Image.fromarray(RAMP).save(tmp_path / "r.png", exif=exif)
    x = levels(tmp_path / "r.png", 1)[0]
    assert torch.equal(x, torch.from_numpy(np.rot90(RAMP, -1).copy()).float())


def test_floats_and_more_than_16_bits_are_refused(tmp_path):
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "f.tif")
    with line("holds floats of unknown range"):
        levels(tmp_path / "f.tif")
    Image.fromarray(RAMP.astype(np.int32) * 1000).save(tmp_path / "i.tif")
    with line("more than 16 bits"):
        levels(tmp_path / "i.tif")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "npy"])
def test_truncated_files(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    if suffix == "npy":
        np.save(path, COLOUR)
    else:
        Image.fromarray(COLOUR).save(path)
    data = path.read_bytes()
    for size in (len(data) // 2, 20):
        path.write_bytes(data[:size])
        with line(r"t\.\w+' cannot be read: .") as caught:
            levels(path)
        assert "\n" not in str(caught.value)


def test_no_picture_at_all(tmp_path):
    (tmp_path / "zero.png").touch()
    with line("the file is empty"):
        levels(tmp_path / "zero.png")
    (tmp_path / "text.png").write_text("hello, this is no picture")
    with line("it is not a picture"):
        levels(tmp_path / "text.png")
    with line("there is no such file"):
        levels(tmp_path / "missing.png")
    with line("cannot be read"):
        levels(tmp_path)


@pytest.mark.parametrize("limit", [2000, 1000])  # Pillow warns above it, raises above twice
def test_decompression_bomb(tmp_path, monkeypatch, limit):
    Image.fromarray(RAMP).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with line("is too large"):
        levels(tmp_path / "bomb.png")


def test_arrays_with_any_number_of_channels(tmp_path):
    five = np.random.default_rng(0).normal(size=(5, 9, 11)) * 300
    np.save(tmp_path / "five.npy", five)
    assert torch.equal(levels(tmp_path / "five.npy", 5), torch.from_numpy(five).float())
    assert load_picture(tmp_path / "five.npy", (4, 6), 5).shape == (1, 5, 4, 6)
    with line(r"has 5 channels, the net takes 3: give a .npy file of shape \(3, H, W\)"):
        levels(tmp_path / "five.npy")
    ((_, photograph),) = find_pictures("coffee")
    with line("has 3 channels, the net takes 5"):
        levels(photograph, 5)
    np.save(tmp_path / "flat.npy", RAMP)
    assert torch.equal(levels(tmp_path / "flat.npy", 1)[0], torch.from_numpy(RAMP).float())


@pytest.mark.parametrize(
    "array, words",
    [
        (np.zeros(4), "has shape"),
        (np.zeros((3, 0, 4)), "cannot be read|has shape"),
        (np.full((3, 4, 4), np.nan), "NaN or Inf"),
        (np.zeros((3, 4, 4), dtype=complex), "not an array of real numbers"),
        (np.array([{"a": 1}]), "cannot be read"),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path, array, words):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with line(words):
        levels(tmp_path / "x.npy")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_permissions(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with line("Permission denied"):
        levels(tmp_path / "a.png")
