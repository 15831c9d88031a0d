"""shapes10: what picture i is, and what it does not depend on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from visprior.command.shapes10_files import image_folder, preview
from visprior.data.backdrop import PHOTOGRAPHS
from visprior.data.draw import uniforms
from visprior.data.figure import FIGURES, PATTERNS
from visprior.data.picture import find_pictures
from visprior.data.scene import CLASSES
from visprior.data.shapes10 import CHUNK, Shapes10
from visprior.errors import UserError


def test_a_picture_depends_on_seed_index_and_split_only() -> None:
    data, again = Shapes10("train", 48), Shapes10("train", 48, length=100)
    assert torch.equal(data[37][0], again[37][0])
    assert not torch.equal(data[37][0], data[47][0])
    assert not torch.equal(data[37][0], Shapes10("train", 48, seed=1)[37][0])
    assert not torch.equal(data[37][0], Shapes10("test", 48)[37][0])


def test_a_batch_is_what_single_pictures_are() -> None:
    data = Shapes10("test", 64)
    numbers = [5, 3, 3, *range(100, 100 + 2 * CHUNK), 40_000]
    x, labels = data.batch(numbers)
    for k in (0, 1, 2, 7, len(numbers) - 1):
        single, label = data[numbers[k]]
        assert torch.equal(single, x[k])
        assert label == labels[k] == numbers[k] % 10


def test_grey_levels() -> None:
    x, _ = Shapes10("train", 32).batch(range(200))
    assert x.dtype == torch.float32
    assert x.shape == (200, 3, 32, 32)
    assert torch.equal(x, x.round())
    assert 0 <= x.min() < x.max() <= 255
    assert 80 < x.mean() < 150


def test_classes_are_balanced() -> None:
    _, labels = Shapes10("test", 8).batch(range(500))
    assert torch.bincount(labels).tolist() == [50] * 10
    assert sorted(CLASSES) == sorted([*FIGURES, *PATTERNS])


@pytest.mark.parametrize("size", [24, 40, 136, 264])
def test_any_resolution_shows_the_same_picture(size: int) -> None:
    numbers = range(10)
    x, _ = Shapes10("train", size).batch(numbers)
    y, _ = Shapes10("train", 64).batch(numbers)
    small = [torch.nn.functional.interpolate(t, 8, mode="area") for t in (x, y)]
    assert (small[0] - small[1]).abs().mean() < 6


def test_sizes_need_not_be_even() -> None:
    assert Shapes10("train", 9)[3][0].shape == (3, 9, 9)
    assert Shapes10("train", 301)[3][0].shape == (3, 301, 301)


def test_training_and_test_pictures_share_no_photograph() -> None:
    files = {split: {find_pictures(n)[0][1] for n in PHOTOGRAPHS[split]} for split in PHOTOGRAPHS}
    assert len(files["train"]) == len(PHOTOGRAPHS["train"])
    assert not files["train"] & files["test"]


def test_draws_are_uniform_and_independent_of_their_neighbours() -> None:
    table = uniforms(0, 0, np.arange(2000), 50)
    assert abs(table.mean() - 0.5) < 0.01
    assert abs(table.var() - 1 / 12) < 0.002
    rows = np.corrcoef(table[:50])
    assert np.abs(rows - np.eye(50)).max() < 0.7
    columns = np.corrcoef(table.T)
    assert np.abs(columns - np.eye(50)).max() < 0.12
    assert np.array_equal(uniforms(0, 0, np.array([7]), 50)[0], table[7])
    assert np.array_equal(uniforms(0, 0, np.arange(2000), 10), table[:, :10])


@pytest.mark.parametrize("name", ["disk", "ring", "triangle", "star", "cross", "spiral"])
def test_figures_stay_within_radius_one(name: str) -> None:
    grid = torch.linspace(-2, 2, 101)
    u, v = grid[None, None].expand(1, 101, 101), -grid[None, :, None].expand(1, 101, 101)
    shape = [torch.full((1, 1, 1), 0.5)] * 3
    inside = FIGURES[name](u.clone(), v.clone(), *shape) < 0
    assert 0.01 < inside.float().mean() < 0.21
    reach = torch.maximum(u.abs(), v.abs())[inside]
    assert reach.max() < 1.05


def test_known_areas() -> None:
    """Share of the square [-1, 1]^2 that figures cover, against geometry."""
    grid = (torch.arange(400) + 0.5) / 200 - 1
    u, v = grid[None, None].expand(1, 400, 400), -grid[None, :, None].expand(1, 400, 400)
    half = [torch.full((1, 1, 1), 0.5)] * 3
    expected = {
        "disk": torch.pi / 4,
        "ring": torch.pi / 4 * (1 - (1 - 2 * 0.17) ** 2),
        "triangle": 3 * 3**0.5 / 16,
        "star": 10 * 0.5 * 0.41 * np.sin(np.pi / 5) / 4,
        "cross": (2 * 2 * 0.54 - 0.54**2) / 4,
    }
    for name, share in expected.items():
        covered = (FIGURES[name](u.clone(), v.clone(), *half) < 0).float().mean()
        assert float(covered) == pytest.approx(share, abs=0.004), name


def test_works_with_a_data_loader() -> None:
    x, y = next(iter(DataLoader(Shapes10("test", 32, length=40), batch_size=20)))
    assert x.shape == (20, 3, 32, 32)
    assert y.tolist() == list(range(10)) * 2


def test_refuses() -> None:
    with pytest.raises(UserError, match="split=tests is not known; did you mean 'test'"):
        Shapes10("tests")
    with pytest.raises(UserError, match="size >= 8"):
        Shapes10(size=4)
    with pytest.raises(IndexError):
        Shapes10(length=3)[3]


def test_the_preview_and_the_folder(tmp_path: Path) -> None:
    data = Shapes10("test", 32, length=25)
    preview(tmp_path / "a" / "sheet.png", data, columns=3)
    assert (tmp_path / "a" / "sheet.png").stat().st_size > 10_000
    image_folder(tmp_path, data)
    folder = ImageFolder(str(tmp_path / "test"))
    assert [name.partition("_")[2] for name in folder.classes] == list(CLASSES)
    assert len(folder) == 25
    assert folder.class_to_idx["3_star"] == 3
    picture, label = folder[0]
    assert label == 0
    assert np.array_equal(np.asarray(picture), data[0][0].permute(1, 2, 0).numpy().astype(np.uint8))
