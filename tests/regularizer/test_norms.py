"""alpha_norm, l1, l2."""

import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.alpha_norm import AlphaNorm, alpha_norm
from visprior.regularizer.base import Scene
from visprior.regularizer.l1 import L1
from visprior.regularizer.l2 import L2

T0 = Progress(0, 1, 0, 0, 1)
SCENE = Scene((4, 4), [100.0, 110.0, 120.0], 2.0)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("alpha", [2.0, 3.0, 6.0])
def test_gradcheck(alpha, isotropic):
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: alpha_norm(v, alpha, isotropic), (x,))


def test_closed_gradient():
    """(alpha / (H W)) B^-alpha x (sum_k x_k^2)^(alpha/2 - 1), as in the 2016 program."""
    part = AlphaNorm()
    part.prepare(SCENE)
    x = (torch.rand(1, 3, 4, 4, dtype=torch.float64) * 255).requires_grad_()
    (g,) = torch.autograd.grad(part.energy(x, {}, T0).sum(), x)
    d = x.detach() - torch.tensor(SCENE.mean, dtype=torch.float64)[:, None, None]
    expected = 6 / 16 * 80**-6 * d * d.square().sum(1, keepdim=True) ** 2
    torch.testing.assert_close(g, expected)


def test_known_values():
    x = torch.zeros(1, 3, 2, 2)
    x[0, :, 0, 0] = torch.tensor([3.0, 4.0, 12.0])  # norm 13
    assert alpha_norm(x, 6).item() == pytest.approx(13**6)
    assert alpha_norm(x, 6, isotropic=False).item() == pytest.approx(3**6 + 4**6 + 12**6)
    l1, l2 = L1(norm="sum", center=[0.0]), L2(norm="sum", center=[0.0])
    assert l1.energy(x, {}, T0).item() == 19
    assert l2.energy(x, {}, T0).item() == 169
    assert L1(center=[0.0]).energy(x, {}, T0).item() == pytest.approx(19 / (80 * 4))
    assert L2(center=[0.0]).energy(x, {}, T0).item() == pytest.approx(169 / (80**2 * 4))


@pytest.mark.parametrize("part", [AlphaNorm, L1, L2])
@pytest.mark.parametrize("level", [0, 128])
def test_a_number_as_center_is_that_grey(part, level):
    x = torch.rand(2, 3, 4, 4) * 255
    found = []
    for center in (level, [level], [level] * 3):
        regularizer = part(center=center)
        regularizer.prepare(SCENE)
        found.append(regularizer.energy(x, {}, T0))
        found.append(regularizer.project(x, T0).sum((1, 2, 3)))
    assert all(torch.equal(a, b) for a, b in zip(found, found[2:], strict=False))
    black = part(center=0)
    black.prepare(SCENE)
    torch.testing.assert_close(found[0], black.energy(x - level, {}, T0))


def test_bound_shortens_only_what_is_longer():
    part = AlphaNorm(bound=10.0)
    part.prepare(SCENE)
    mean = torch.tensor(SCENE.mean)[:, None, None]
    d = torch.randn(1, 3, 6, 6) * 9
    x = part.project(mean + d, T0) - mean
    norm = d.norm(dim=1, keepdim=True)
    torch.testing.assert_close(x, d * (10 / norm).clamp(max=1), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(part.project(mean + 0 * d, T0), mean + 0 * d)


@pytest.mark.parametrize("bad", [{"weight": "a"}, {"alpha": 0.5}, {"B": 0}, {"bound": -1}])
def test_refuses(bad):
    with pytest.raises(UserError, match=next(iter(bad))):
        AlphaNorm(**bad)
