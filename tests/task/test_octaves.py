"""What a run with octaves leaves behind: the whole canvas, measured, and its centre."""

import numpy as np
import pytest
import torch
from imageio.v3 import imread

from visprior.data.picture import load_picture

OCTAVES = ["+recipe=baust2021_vgg19", "kernel.size=5", "schedule.steps=12", "layer='2'"]
SIDE = 24 + round(24 * 0.32)


@pytest.mark.parametrize("task", ["maximization", "inversion", "caricature"])
def test_the_canvas_is_saved_and_measured_and_so_is_its_centre(tiny, go, task):
    main = {"maximization": "activation", "inversion": "error", "caricature": "likeness"}[task]
    given = [*tiny, *OCTAVES, "metric.spectrum=false", "image=coffee"]
    channel = ["channel=1"] if task == "maximization" else []
    folder, metrics = go(task, *given, *channel)
    (row,) = metrics["images"]
    whole, centre = imread(folder / row["file"]), imread(folder / row["crop"])
    assert row["file"] == "preimage.png" and whole.shape == (SIDE, SIDE, 3)
    assert row["crop"] == "preimage_crop.png" and centre.shape == (24, 24, 3)
    assert np.array_equal(centre, whole[4:28, 4:28])
    assert row["clipped"] < 0.05  # what a change of octave leaves where no crop has been since
    assert (whole[-1] != whole[-1, :1]).any() and (whole[:, -1] != whole[:1, -1]).any()
    if task != "maximization":
        return
    import sys

    net = sys.modules["tiny_nets"].make()
    for name, file in ((main, row["file"]), (f"{main}_crop", row["crop"])):
        with torch.no_grad():
            value = net((load_picture(folder / file, (24, 24)) - 128) / 255)[0, 1].mean()
        assert row[name] == pytest.approx(float(value), rel=0.02)


def test_what_figure_1_shows_lies_within_the_grey_levels(tiny, go):
    """More than half of the fluid scheme's values were outside."""
    given = [*tiny, "+recipe=baust2021_fig1", "regularizer=[fluid]", "kernel.size=5"]
    _, metrics = go("maximization", *given, "layer='2'", "channel=1", "metric.spectrum=false")
    assert metrics["summary"]["clipped"] == 0 and metrics["images"][0].get("crop") is None
