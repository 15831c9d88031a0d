"""A run with octaves against a transcription of the program that Baust et al. 2021 cite.

It crops the canvas at a random place, steps, clips and blurs the crop, puts it back, and returns
the whole canvas.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from visprior.kernel.gaussian import Gaussian
from visprior.kernel.sobolev import Sobolev
from visprior.loop.start import noise
from visprior.optimizer.gd import GD
from visprior.regularizer.clip import Clip
from visprior.regularizer.crop import Crop
from visprior.regularizer.elastic import Elastic
from visprior.regularizer.fluid import Fluid
from visprior.regularizer.jitter import Jitter
from visprior.regularizer.normalize import Normalize
from visprior.regularizer.tv import TV, total_variation
from visprior.schedule.schedule import Schedule
from visprior.streams import Streams

SIZE, SEED, MEAN = 24, 3, [120.0, 115.0, 105.0]
OCTAVES = [(4, 30.0, 1.0), (5, 20.0, 1.25), (3, 10.0, 1.2)]
FLUID, ELASTIC = Sobolev(5), Gaussian(5)


def program(energy):
    """The canvas after three octaves; energy: of a crop (1, 3, SIZE, SIZE)."""
    draws = Streams([SEED], sum(steps for steps, _, _ in OCTAVES)).normal("crop", 2)[:, 0]
    x, k = noise([SEED], (SIZE, SIZE), MEAN), 0
    for steps, step_size, scale in OCTAVES:
        if scale != 1:
            side = round(x.shape[-1] * scale)
            x = F.interpolate(x, size=(side, side), mode="bicubic", align_corners=False)
        free = x.shape[-1] - SIZE
        for _ in range(steps):
            i, j = (int(v) for v in np.clip(free / 2 + draws[k] * 0.3 * free, 0, free))
            seen = x[..., i : i + SIZE, j : j + SIZE].clone().requires_grad_()
            data, prior = energy(seen)
            g = FLUID.filter(torch.autograd.grad(data, seen)[0])
            g = g + torch.autograd.grad(prior, seen)[0]
            stepped = seen.detach() - step_size * g / g.abs().mean()
            x = x.clone()
            x[..., i : i + SIZE, j : j + SIZE] = ELASTIC.filter(stepped.clamp(0, 255))
            k += 1
    return x


@pytest.mark.parametrize("first", ["elastic", "clip"])  # whatever their order, it clips, then blurs
def test_octaves_are_those_of_the_program(run_small, first):
    kept = {}

    def objective(phi0):
        from visprior.objective.data_terms import FeatureDistance

        kept["target"] = phi0
        return FeatureDistance("f", phi0, None, 300.0)

    others = {"elastic": Elastic(ELASTIC), "clip": Clip()}
    order = {first: others[first], **others}
    parts = {"tv": TV(), "fluid": Fluid(FLUID), **order, "normalize": Normalize(), "crop": Crop()}
    stages = [{"steps": n, "step_size": a, "scale": s} for n, a, s in OCTAVES]
    solution = run_small([SEED], parts, GD(), Schedule(stages), objective=objective)

    def energy(seen):
        from tests.conftest import SmallNet

        target = kept["target"]
        d = SmallNet()(seen)["f"] - target
        data = 300 * d.square().sum() / target.square().sum()
        return data, (6.5 / 80) ** 2 / SIZE**2 * total_variation(seen, 2.0).sum()

    expected = program(energy)
    assert expected.shape[-1] == 36 and expected.min() >= 0 and expected.max() <= 255
    torch.testing.assert_close(solution.canvas, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(solution.crop, expected[..., 6:30, 6:30], rtol=0, atol=1e-8)
    small = F.interpolate(expected, size=(SIZE, SIZE), mode="bicubic", antialias=True)
    torch.testing.assert_close(solution.x, small, rtol=0, atol=1e-8)


def test_without_octaves_there_is_one_picture(run_small):
    schedule = Schedule([{"steps": 2, "step_size": 1.0}])
    solution = run_small([SEED], {"crop": Crop()}, GD(), schedule)
    assert solution.canvas is None and solution.crop is None


def test_jitter_shifts_the_crop_by_its_own_margin(run_small):
    """Whatever their order: the network sees its input's size, and the canvas has no margin."""
    schedule = Schedule([{"steps": 3, "step_size": 1.0, "scale": 1.25}])
    for names in (["crop", "jitter"], ["jitter", "crop"]):
        parts = {"crop": Crop(), "jitter": Jitter(T=4)}
        solution = run_small([SEED], {name: parts[name] for name in names}, GD(), schedule)
        assert solution.canvas.shape[-2:] == (30, 30) and solution.crop.shape[-2:] == (24, 24)
