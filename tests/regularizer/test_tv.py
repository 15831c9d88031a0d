import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.tv import TV, total_variation

T0 = Progress(0, 1, 0, 0, 1)


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 3.0])
def test_gradcheck(beta):
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: total_variation(v, beta), (x,))


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_known_images(beta):
    step = torch.zeros(1, 1, 4, 6)
    step[..., 3:] = 10  # one vertical edge of height 10 over 4 rows
    assert total_variation(step, beta).item() == pytest.approx(4 * 10**beta)
    ramp = torch.arange(6.0).repeat(4, 1)[None, None]  # slope 1 at 5 of 6 columns
    assert total_variation(ramp, beta).item() == pytest.approx(4 * 5)
    corner = torch.zeros(1, 1, 5, 5)
    corner[..., 2, 2] = 3  # at the pixel dx = dy = -3; above and to the left 3
    assert total_variation(corner, beta).item() == pytest.approx(
        (2 * 9) ** (beta / 2) + 2 * 3**beta, rel=1e-6
    )


def test_identity_of_piq():
    """piq's known answer for beta = 2 without its reduction: the sum over eye(10) is 36."""
    assert total_variation(torch.eye(10)[None, None], 2.0).item() == 36


def test_weight_multiplies_the_papers_constant():
    x = torch.rand(2, 3, 8, 8) * 255
    expected = total_variation(x, 2.0) * (6.5 / 80) ** 2 / 64
    torch.testing.assert_close(TV(weight=1).energy(x, {}, T0), expected)
    torch.testing.assert_close(TV(weight=[1, 3]).energy(x, {}, T0), expected * torch.tensor([1, 3]))
    for weight in (0, 0.25):
        torch.testing.assert_close(TV(weight=weight).energy(x, {}, T0), weight * expected)
    summed = TV(weight=2.0, norm="sum").energy(x, {}, T0)
    torch.testing.assert_close(summed, 2 * total_variation(x, 2.0))


def test_flat_regions_have_a_finite_slope():
    """For beta = 1 the closed gradient of the 2016 program: value floored at 1e-6."""
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    x[0, 0, 0, 0] = 1e-9
    x.requires_grad_()
    (g,) = torch.autograd.grad(total_variation(x, 1.0).sum(), x)
    # d/dx of 0.5 * floor^-1 * (dx^2 + dy^2) with dx = dy = -1e-9: 0.5 * 1e6 * 4e-9
    assert g[0, 0, 0, 0].item() == pytest.approx(0.5e6 * 4e-9, rel=1e-6)


def test_no_floor_where_the_slope_is_finite():
    """|d|^2.5 at d = 1e-3: its slope is 2.5 d^1.5, far below the floor of beta < 2."""
    x = torch.tensor([0.0, 1e-3], dtype=torch.float64).view(1, 1, 1, 2).requires_grad_()
    (g,) = torch.autograd.grad(total_variation(x, 2.5).sum(), x)
    slope = 2.5 * 1e-3**1.5
    assert g.flatten().tolist() == pytest.approx([-slope, slope])


def test_gradient_rotates_with_the_image():
    """Of the symmetrised energy: forward differences are not symmetric, their sum over turns is."""
    x = torch.rand(1, 3, 7, 7, dtype=torch.float64)

    def gradient(v):
        v = v.clone().requires_grad_()
        energy = torch.stack([total_variation(v.rot90(k, (2, 3)), 1.5) for k in range(4)]).sum()
        return torch.autograd.grad(energy, v)[0]

    torch.testing.assert_close(gradient(x.rot90(1, (2, 3))), gradient(x).rot90(1, (2, 3)))


@pytest.mark.parametrize("bad", [{"weight": -1}, {"beta": 0.5}, {"V": 0}, {"norm": "mean"}])
def test_refuses(bad):
    with pytest.raises(UserError, match=next(iter(bad))):
        TV(**bad)
