import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.tv import total_variation
from visprior.regularizer.tv_anisotropic import TVAnisotropic, anisotropic_variation

T0 = Progress(0, 1, 0, 0, 1)


def test_known_images():
    edge = torch.zeros(1, 1, 4, 6)
    edge[..., 3:] = 10  # along an axis both kinds of total variation agree
    assert anisotropic_variation(edge).item() == total_variation(edge).item() == 40
    pixel = torch.zeros(1, 1, 5, 5)
    pixel[..., 2, 2] = 3  # four sides of 3
    assert anisotropic_variation(pixel).item() == 12
    slope = torch.arange(5.0)[:, None] * 2 + torch.arange(6.0) * 3
    assert anisotropic_variation(slope[None, None]).item() == 4 * 6 * 2 + 5 * 5 * 3


def test_weights_and_gradient():
    x = (torch.randn(2, 3, 5, 4, dtype=torch.float64) * 50).requires_grad_()
    bare = anisotropic_variation(x)
    torch.testing.assert_close(
        TVAnisotropic([2.0, 3.0], V=5.0).energy(x, {}, T0), bare * torch.tensor([2, 3]) / 100
    )
    torch.testing.assert_close(TVAnisotropic(0.5, norm="sum").energy(x, {}, T0), bare * 0.5)
    assert torch.autograd.gradcheck(anisotropic_variation, (x,))
    with pytest.raises(UserError, match=r"tv\.V must be > 0"):
        TVAnisotropic(V=0)
