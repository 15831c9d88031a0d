"""Hard binning with a share of another one's gradient: the values of the one, mixed gradients."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from visprior.errors import UserError
from visprior.net.hog import contrast
from visprior.net.hog.hog import Hog, HogFeatures

X = np.load(Path(__file__).parents[1] / "data" / "vlfeat_reference.npz")["syn_gray"]
SHARES = (0.0, 0.3, 1.0)


def image() -> torch.Tensor:
    return 255 * torch.from_numpy(X).double()[None, None].requires_grad_()


@pytest.mark.parametrize("variant", ["uoctti", "paper"])
@pytest.mark.parametrize("share", SHARES)
def test_the_values_are_those_of_hard_binning(variant: str, share: float) -> None:
    found = HogFeatures(variant, 8, through=share)(image())
    torch.testing.assert_close(found, HogFeatures(variant, 8)(image()), rtol=0, atol=0)


@pytest.mark.parametrize("share", SHARES)
def test_the_gradient_is_the_mean_of_both_where_hard_binning_is(share: float) -> None:
    module = HogFeatures("paper", 8, through=share)
    weight = torch.randn(module(image()).shape, generator=torch.Generator().manual_seed(3)).double()
    x = image()
    (found,) = torch.autograd.grad((module(x) * weight).sum(), x)
    # What the loss wants of the histograms, at those of hard binning; then either binning's part.
    hard, bilinear = HogFeatures("paper", 8), HogFeatures("paper", 8, binning="bilinear")
    wanted: list[torch.Tensor] = []
    y = image()
    histograms = hard.histograms(y)
    histograms.register_hook(wanted.append)
    (contrast.paper(histograms) * weight).sum().backward()
    expected = torch.zeros_like(found)
    for part, factor in ((hard, 1 - share), (bilinear, share)):
        z = image()
        (g,) = torch.autograd.grad(part.histograms(z), z, wanted[0])
        expected += factor * g
    torch.testing.assert_close(found, expected)
    assert found.abs().max() > 0


WRONG = [{"through": 1.5}, {"through": 0.5, "binning": "relu"}, {"through": 0.5, "variant": "dpm"}]


@pytest.mark.parametrize("settings", WRONG)
def test_mistakes(settings: Any) -> None:
    with pytest.raises(UserError, match=r"net\.through must be from 0 to 1"):
        Hog(**settings)
