"""fluid and elastic demons, and gradient normalisation (Baust et al. 2021, eq. 6 to 18)."""

import torch

from visprior.hyper import Progress
from visprior.kernel.gaussian import Gaussian
from visprior.kernel.sobolev import Sobolev
from visprior.optimizer.gd import GD
from visprior.regularizer.base import Scene
from visprior.regularizer.elastic import Elastic
from visprior.regularizer.fluid import Fluid
from visprior.regularizer.normalize import Normalize

T0 = Progress(0, 1, 0, 0, 1)


def test_fluid_steps_with_given_gradients_are_one_filter_of_their_sum():
    """Eq. 10: u = u0 - tau K * sum of the gradients."""
    part, rule = Fluid(Sobolev(7)), GD()
    grads = [torch.randn(2, 3, 16, 16, dtype=torch.float64) for _ in range(5)]
    x0 = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    x = x0
    for g in grads:
        x, _ = rule.update(x, part.precondition(g, x, T0), {}, 0.7, T0, lambda z: (z, z))
    total = torch.stack(grads).sum(0)
    torch.testing.assert_close(x, x0 - 0.7 * part.kernel.filter(total))


def test_elastic_filters_the_image_and_not_the_gradient():
    part = Elastic(Gaussian(5))
    g = torch.randn(1, 3, 9, 9)
    assert torch.equal(part.precondition(g, g, T0), g)
    torch.testing.assert_close(part.project(g, T0), Gaussian(5).filter(g))


def test_fluid_elastic_step_is_equation_18(run_small):
    """One whole step of the loop against u <- K_e * (u - tau K_f * grad D) by hand."""
    from tests.conftest import MEAN, SmallNet  # pyright: ignore[reportMissingImports]
    from visprior.loop.start import noise
    from visprior.schedule.schedule import Schedule

    fluid, elastic = Fluid(Sobolev(7)), Elastic(Gaussian(5))
    schedule = Schedule([{"steps": 1, "step_size": 50.0}])
    got = run_small([3], {"fluid": fluid, "elastic": elastic}, GD(), schedule).x
    x = noise([3], (24, 24), MEAN).requires_grad_()
    net = SmallNet()
    target = net(noise([1003], (24, 24), MEAN))["f"]
    d = 300 * (net(x)["f"] - target).square().sum() / target.square().sum()
    (g,) = torch.autograd.grad(d, x)
    expected = elastic.kernel.filter(x.detach() - 50.0 * fluid.kernel.filter(g))
    torch.testing.assert_close(got, expected)


def test_normalised_gradients():
    g = torch.randn(3, 3, 8, 8) * torch.tensor([1.0, 1e-6, 0.0])[:, None, None, None]
    g[0, :, :2] = 0
    part = Normalize("mean")
    out = part.force(g, g, torch.zeros(3), {}, T0)
    assert torch.allclose(out[0].abs().mean(), torch.tensor(1.0))
    assert torch.allclose(out[1].abs().mean(), torch.tensor(1.0))
    assert torch.equal(out[2], g[2])
    # A canvas of 8 x 8 of which the network sees 4 x 8: the mean is over all of these.
    g[0, :, :4] = 0
    part.prepare(Scene((4, 8), [0.0] * 3, None))
    g[0, :, 5] = 0
    out = part.force(g, g, torch.zeros(3), {}, T0)
    assert torch.allclose(out[0, :, 4:].abs().mean(), torch.tensor(1.0))
    out = Normalize("std").force(g[1:2], g[1:2], torch.zeros(1), {}, T0)
    expected = g[1:2] / (g[1:2].std(unbiased=False) + 1e-8)
    torch.testing.assert_close(out, expected)


def test_each_scheme_may_have_its_own_kernel(compose_job):
    """K_e and K_f of eq. 18: the root choice for both, or one of its own."""
    from visprior.config.build import build

    def kernels(*overrides):
        cfg = compose_job("regularizer=[fluid,elastic]", "kernel.size=7", *overrides)
        return build(cfg.regularizer.fluid).kernel, build(cfg.regularizer.elastic).kernel

    fluid, elastic = kernels()
    assert isinstance(fluid, Sobolev) and isinstance(elastic, Sobolev) and elastic.size == 7
    fluid, elastic = kernels("+kernel@elastic_kernel=gaussian", "elastic_kernel.size=5")
    assert isinstance(fluid, Sobolev) and fluid.size == 7
    assert isinstance(elastic, Gaussian) and elastic.size == 5
