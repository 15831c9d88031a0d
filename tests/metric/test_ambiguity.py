"""Ambiguity of sets of images whose distances are known."""

import math

import torch

from visprior.metric.ambiguity import ambiguity
from visprior.metric.ssim import ssim


def test_distances_of_constant_images():
    levels = torch.tensor([10.0, 20.0, 50.0]).reshape(3, 1, 1, 1)
    _, distance = ambiguity(levels.expand(3, 3, 16, 16))
    assert math.isclose(distance, (10 + 40 + 30) / 3)


def test_equal_images_are_not_ambiguous():
    x = torch.rand(1, 3, 16, 16) * 255
    likeness, distance = ambiguity(x.expand(4, -1, -1, -1))
    assert math.isclose(likeness, 1.0)
    assert distance == 0


def test_likeness_is_the_mean_over_pairs():
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 255
    pairs = [ssim(x[i : i + 1], x[j : j + 1]).item() for i, j in [(0, 1), (0, 2), (1, 2)]]
    assert math.isclose(ambiguity(x)[0], sum(pairs) / 3)


def test_one_image_has_no_pairs():
    assert all(math.isnan(value) for value in ambiguity(torch.zeros(1, 3, 16, 16)))
