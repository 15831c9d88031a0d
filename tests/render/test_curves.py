"""Curves: the table's columns, and figures of every kind of history."""

import csv

import numpy as np
import pytest
from PIL import Image

from visprior.render.curves import write_curves_csv, write_curves_png


def read(path):
    with path.open() as file:
        return list(csv.reader(file))


def test_one_image_has_a_column_a_term(tmp_path):
    history = {"data": np.array([3.0, 2.0]), "tv": np.array([[0.5], [np.nan]])}
    write_curves_csv(tmp_path / "c.csv", history, ["astronaut"])
    assert read(tmp_path / "c.csv") == [
        ["step", "data", "tv"],
        ["0", "3", "0.5"],
        ["1", "2", "nan"],
    ]


def test_several_images_have_a_column_each(tmp_path):
    history = {"data": np.arange(4.0).reshape(2, 2), "error": np.ones((2, 2))}
    write_curves_csv(tmp_path / "c.csv", history, ["a", "b"], steps=[0, 10])
    assert read(tmp_path / "c.csv") == [
        ["step", "data[a]", "data[b]", "error[a]", "error[b]"],
        ["0", "0", "1", "1", "1"],
        ["10", "2", "3", "1", "1"],
    ]


@pytest.mark.parametrize(
    "history, images",
    [
        ({"data": np.geomspace(9, 1, 20), "tv": np.zeros(20), "error": np.ones(20)}, 1),
        ({"data": -np.arange(60.0).reshape(20, 3), "tv": np.ones((20, 3))}, 3),
        ({"error": np.full((20, 2), np.nan)}, 2),
        ({"data": np.zeros((20, 12)), "error": np.ones((20, 12))}, 12),
        ({"data": np.ones((1, 2)), "error": np.ones((1, 2))}, 2),
        ({"data": np.ones((0, 1))}, 1),
        ({}, 1),
    ],
)
def test_every_history_makes_a_figure(tmp_path, history, images):
    labels = [f"image {i} 图" for i in range(images)]
    write_curves_png(tmp_path / "c.png", history, labels, stages=[5, 15])
    with Image.open(tmp_path / "c.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    inside = pixels[:, : pixels.shape[1] * 2 // 3]  # the legend, which is coloured, is beside it
    coloured = np.ptp(inside, axis=2) > 40  # axes, grid and words are grey
    finite = any(np.isfinite(values).any() and values.size for values in history.values())
    assert pixels.shape[1] > 600 and coloured.any() == finite
