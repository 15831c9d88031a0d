"""Constants of whole jobs, each against its own closed form: weights, means, batches, threads."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from visprior.config.build import build
from visprior.loop.solver import Solver
from visprior.record.images import ImageResult, summarise
from visprior.task.mosaic import mosaic_terms

ONCE = ["schedule.steps=1", "metric.spectrum=false", "task.M=2"]


def first_step(folder) -> dict[str, float]:
    """The first line of curves.csv, of a run of one image."""
    with (folder / "curves.csv").open(newline="") as file:
        return {name: float(value) for name, value in next(csv.DictReader(file)).items()}


@pytest.mark.parametrize("layer", ["conv2_2", "conv3_1"])
def test_one_position_weighs_by_the_square_of_its_receptive_field(go, compose_job, layer):
    """C 10^4 / (M rho^2) (Mahendran & Vedaldi 2016, section 6, code)."""
    net = ["net=shapes_vgg", f"layer={layer}"]
    rho = build(compose_job(*net).net).layer(layer).field
    keys = [*net, "channel=1", "task.where=centre", "task.C=3"]
    folder, _ = go("maximization", *keys, *ONCE)
    values = first_step(folder)
    assert -values["data"] / values["activation"] == pytest.approx(3e4 / (2 * rho**2), rel=1e-5)


def test_a_mean_weighs_as_a_tiling_by_receptive_fields(go, compose_job):
    """C 10^4 H W / (M rho^4): as many positions as receptive fields fit, each as above."""
    net = ["net=shapes_vgg", "layer=relu2_2", "size=64"]
    rho = build(compose_job(*net).net).layer("relu2_2").field
    folder, _ = go("maximization", *net, "channel=1", "task.C=3", *ONCE)
    values = first_step(folder)
    weight = 3e4 * 64 * 64 / (2 * rho**4)
    assert -values["data"] / values["activation"] == pytest.approx(weight, rel=1e-5)


def test_the_filters_of_a_mosaic_share_their_image(job_of):
    """10^4 / (M rho^2 n) for each of n filters (Mahendran & Vedaldi 2016, code)."""
    job = job_of("net=shapes_vgg", "layer=relu1_2", task="maximization")
    layer = job.layer("relu1_2")
    (mosaic,), _ = mosaic_terms(job, layer, [0, 3, 5, 6], 2.0, None)
    expected = 1e4 / (2 * float(layer.field or 0) ** 2 * 4)
    torch.testing.assert_close(mosaic.scales, torch.full((4,), expected))


def test_tv_is_the_length_of_the_slopes_of_the_saved_picture(go):
    """sum over pixels and channels of sqrt(dx^2 + dy^2), by the number of pixels."""
    keys = ["net=shapes_vgg", "layer=relu2_2", "channel=1", "schedule.steps=5"]
    folder, metrics = go("maximization", *keys)
    x = np.array(Image.open(folder / "preimage.png")).astype(float)
    dx, dy = np.zeros_like(x), np.zeros_like(x)
    dx[:, :-1], dy[:-1] = x[:, 1:] - x[:, :-1], x[1:] - x[:-1]
    expected = np.sqrt(dx**2 + dy**2).sum() / (x.shape[0] * x.shape[1])
    assert metrics["images"][0]["tv"] == pytest.approx(expected, rel=1e-6)


def test_a_deviation_is_that_of_a_sample():
    """Of n images by n - 1, as a paper's plus-minus is."""
    images = [ImageResult("a", metrics={"error": value}) for value in (1.0, 2.0, 6.0)]
    images.append(ImageResult("b", status="failed", metrics={"error": 100.0}))
    assert summarise(images) == {"n": 3, "error": 3.0, "error_std": pytest.approx(7**0.5)}


@pytest.mark.parametrize(("size", "images"), [(64, 12), (112, 4), (224, 1), (256, 1)])
def test_a_cpu_takes_about_one_image_of_224_pixels_at_a_time(tiny, job_of, size, images):
    assert job_of(*tiny, f"size={size}").micro_batch(99) == images


@pytest.mark.parametrize(("size", "threads"), [(128, 1), (136, 2)])
def test_small_images_take_one_thread(go, tiny, monkeypatch, size, threads):
    """Up to 128 x 128 pixels a forward pass; the number is as before afterwards."""
    seen = []

    def noted(self, moment):
        seen.append(torch.get_num_threads())
        return step(self, moment)

    step, before = Solver.step, torch.get_num_threads()
    monkeypatch.setattr(Solver, "step", noted)
    torch.set_num_threads(2)
    try:
        go("inversion", *tiny, "layer='0'", f"size={size}", "schedule.steps=1")
        assert seen == [threads] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_stage_may_have_its_own_optimizer(go):
    """Plain descent, then a step of Adam without memory: all values move by its step size."""
    descent = "{steps: 2, step_size: 1e-3, optimizer: gd}"
    adam = "{steps: 1, step_size: 5, optimizer: {optimizer: adam, betas: [0, 0]}}"
    keys = ["net=shapes_vgg", "layer=relu1_1", "size=32", "regularizer=[]", "optimizer=momentum"]
    keys += ["schedule.per_pixel=false", "record.save_seconds=0", "metric.spectrum=false"]
    z = []
    for number, stages in enumerate((descent, f"{descent},{adam}")):
        folder, _ = go("inversion", *keys, f"schedule.stages=[{stages}]", folder=str(number))
        z.append(load_file(folder / "state.safetensors")["z"])
    assert (z[1] - z[0]).abs().median() == pytest.approx(5, rel=1e-3)
