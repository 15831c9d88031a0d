"""The update rules against torch.optim and against literal transcriptions."""

import numpy as np
import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.optimizer.adam import Adam
from visprior.optimizer.gd import GD
from visprior.optimizer.mahendran import Mahendran
from visprior.optimizer.momentum import Momentum

SHAPE = (2, 3, 4, 4)


def no_energy(z):
    raise AssertionError("a rule of the first order needs the gradient only")


def drive(rule, grads, step_size, z0):
    z, state = z0, rule.init(z0)
    for k, g in enumerate(grads):
        z, state = rule.update(
            z, g, state, step_size, Progress(k, len(grads), 0, k, len(grads)), no_energy
        )
    return z


def gradients(n=25):
    g = torch.Generator().manual_seed(0)
    return [torch.randn(SHAPE, generator=g, dtype=torch.float64) for _ in range(n)]


@pytest.mark.parametrize(
    ("rule", "reference"),
    [
        (GD(), lambda p: torch.optim.SGD(p, lr=0.3)),
        (Momentum(0.8), lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.8)),
        (Adam(), lambda p: torch.optim.Adam(p, lr=0.3)),
        (
            Adam([0.5, 0.99], 1e-6),
            lambda p: torch.optim.Adam(p, lr=0.3, betas=(0.5, 0.99), eps=1e-6),
        ),
    ],
)
def test_like_torch(rule, reference):
    z0 = torch.zeros(SHAPE, dtype=torch.float64)
    p = z0.clone().requires_grad_()
    optimizer = reference([p])
    for g in gradients():
        p.grad = g.clone()
        optimizer.step()
    torch.testing.assert_close(drive(rule, gradients(), 0.3, z0), p.detach(), rtol=0, atol=1e-12)


def test_mahendran_transcribed():
    """The 2016 program's update, in numpy, float64."""
    lr, rho = 37.5, 0.9
    x, G, mu = np.zeros(SHAPE), np.zeros(SHAPE), np.zeros(SHAPE)
    for g in gradients():
        g = g.numpy()
        G = rho * G + g * g
        mu = rho * mu - g / (1 / lr + np.sqrt(G))
        x = x + mu
    got = drive(Mahendran(), gradients(), lr, torch.zeros(SHAPE, dtype=torch.float64))
    assert np.abs(got.numpy() - x).max() < 1e-12


def test_mahendran_saturates_at_sqrt_ten():
    """A constant gradient moves sqrt(1 - rho) / (1 - rho) = 3.16 grey levels a step."""
    rule, g = Mahendran(), torch.full(SHAPE, 5.0, dtype=torch.float64)
    z = before = torch.zeros(SHAPE, dtype=torch.float64)
    state = rule.init(z)
    for k in range(400):
        before = z
        z, state = rule.update(z, g, state, 1e12, Progress(k, 400, 0, k, 400), no_energy)
    assert (before - z).mean().item() == pytest.approx(10**0.5, rel=1e-6)


@pytest.mark.parametrize("rule", [GD(), Momentum(), Adam(), Mahendran()])
def test_one_step_size_per_image(rule):
    z0 = torch.zeros(SHAPE, dtype=torch.float64)
    both = drive(
        rule, gradients(), torch.tensor([0.1, 2.0], dtype=torch.float64)[:, None, None, None], z0
    )
    for b, s in enumerate((0.1, 2.0)):
        alone = drive(rule, [g[b : b + 1] for g in gradients()], s, z0[b : b + 1])
        torch.testing.assert_close(both[b : b + 1], alone, rtol=0, atol=1e-13)


def test_refuses():
    with pytest.raises(UserError, match="rho"):
        Momentum(1.0)
    with pytest.raises(UserError, match="eps"):
        Adam(eps=0)
