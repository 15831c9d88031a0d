"""normalize: the gradient divided by its size."""

import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.base import Scene
from visprior.regularizer.normalize import Normalize

T0 = Progress(0, 1, 0, 0, 1)
G = torch.tensor([[[[3.0, -1.0], [0.0, 4.0]]], [[[0.0, 0.0], [0.0, 0.0]]]], dtype=torch.float64)


def force(part, g):
    return part.force(g, torch.zeros_like(g), torch.zeros(len(g)), {}, T0)


def test_by_the_mean():
    """|g| is 2 on average; a zero gradient stays zero."""
    torch.testing.assert_close(force(Normalize(), G), G / 2)


def test_the_mean_is_over_as_many_values_as_the_input_has():
    """Of a canvas of 2 x 2 around an input of one pixel: sum |g| = 8 is the mean of one value."""
    part = Normalize()
    part.prepare(Scene((1, 1), [0.0], 1.0))
    torch.testing.assert_close(force(part, G), G / 8)


@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_by_the_deviation(eps):
    """Values 3, -1, 0, 4: mean 3/2, squares 26/4, deviation sqrt(26/4 - 9/4) = sqrt(17)/2."""
    expected = G / (17**0.5 / 2 + eps)
    torch.testing.assert_close(force(Normalize("std", eps), G), expected)
    assert not force(Normalize("std", eps), G)[1].any()


def test_a_gradient_of_mean_one_is_left_alone():
    g = torch.tensor([1.0, -1.0, 2.0, 0.0]).view(1, 1, 2, 2)
    assert torch.equal(force(Normalize(), g), g)


@pytest.mark.parametrize("bad", [{"by": "max"}, {"eps": 0}])
def test_refuses(bad):
    with pytest.raises(UserError, match=next(iter(bad))):
        Normalize(**bad)
