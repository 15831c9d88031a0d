"""The kinds of a start image, by their definitions."""

import math

import numpy as np
import pytest
import torch

from visprior.errors import UserError
from visprior.loop.start import natural_norm, noise, start_image

MEAN = [120.0, 115.0, 105.0]


def test_noise_is_uniform_up_to_its_quantile():
    """Of its values 95 % lie below 80 / sqrt(3) = 46.19, and 5 % below -46.19."""
    x = noise([3, 8], (40, 50), MEAN)
    d = x - torch.tensor(MEAN).double()[:, None, None]
    assert x.shape == (2, 3, 40, 50) and x.dtype == torch.float64
    for image in d:
        assert np.quantile(image, 0.95) == pytest.approx(80 / math.sqrt(3))
    assert np.quantile(d, 0.05) == pytest.approx(-80 / math.sqrt(3), rel=0.03)
    assert d.abs().max() < 1.1 * 80 / math.sqrt(3) / 0.95
    assert d.mean((0, 2, 3)).abs().max() < 2  # around each channel's mean


@pytest.mark.parametrize("canvas", [(224, 224), (30, 50)])
def test_natural_norm_is_that_of_a_picture(canvas):
    d = natural_norm([3, 8], canvas, MEAN) - torch.tensor(MEAN).double()[:, None, None]
    expected = 27098.1157 * math.sqrt(canvas[0] * canvas[1] / 224**2)
    assert d.flatten(1).norm(dim=1).tolist() == pytest.approx([expected] * 2)
    assert d.mean((0, 2, 3)).abs().max() < 5
    kurtosis = (d**4).mean() / (d**2).mean() ** 2
    assert float(kurtosis) == pytest.approx(3, abs=0.3)  # a normal distribution's


def test_a_start_is_named():
    for name, make in (("noise", noise), ("natural_norm", natural_norm)):
        assert torch.equal(start_image(name, [3], (6, 8), MEAN), make([3], (6, 8), MEAN))
    flat = start_image("mean", [3, 4], (6, 8), MEAN)
    assert torch.equal(flat, torch.tensor(MEAN).double().view(1, 3, 1, 1).expand(2, 3, 6, 8))
    with pytest.raises(UserError, match="start=nois is not known"):
        start_image("nois", [3], (6, 8), MEAN)
