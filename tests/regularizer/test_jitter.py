"""jitter and crop: windows of a larger canvas."""

import itertools

import numpy as np
import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.base import Scene
from visprior.regularizer.crop import Crop, crop
from visprior.regularizer.jitter import Jitter, quarter
from visprior.schedule.schedule import Schedule
from visprior.streams import Streams


@pytest.mark.parametrize(
    ("stride", "T"), [(1, 1), (2, 1), (4, 1), (8, 2), (16, 4), (32, 8), (6, 2), (10, 3)]
)
def test_quarter_of_the_stride(stride, T):
    """The 2016 program's rule; halves are rounded away from zero."""
    assert quarter(stride) == T


def test_gradcheck_of_windows_at_different_places():
    x = torch.randn(3, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    offsets = np.array([[0, 2], [1, 0], [2, 3]])
    assert torch.autograd.gradcheck(lambda v: crop(v, offsets, (4, 4)), (x,))
    assert torch.equal(crop(x, offsets, (4, 4))[2], x[2, :, 2:6, 3:7])


def test_mean_gradient_over_offsets_is_the_gradient_of_the_mean_energy():
    """The defining property of jitter as a stochastic gradient."""
    T, size = 3, 8
    weight = torch.randn(1, 2, size, size, dtype=torch.float64)

    def energy(seen):
        return (seen.sin() * weight).sum((1, 2, 3))

    x = torch.randn(1, 2, size + T - 1, size + T - 1, dtype=torch.float64, requires_grad=True)
    offsets = [np.array([o]) for o in itertools.product(range(T), repeat=2)]
    mean_energy = torch.stack([energy(crop(x, o, (size, size))) for o in offsets]).mean()
    (expected,) = torch.autograd.grad(mean_energy, x)
    grads = [torch.autograd.grad(energy(crop(x, o, (size, size))).sum(), x)[0] for o in offsets]
    torch.testing.assert_close(torch.stack(grads).mean(0), expected)


def test_every_offset_is_drawn_equally():
    part, streams = Jitter(T=4), Streams([0], 4000)
    draws = np.stack([part.offsets(_at(k, 4000), streams)[0] for k in range(4000)])
    counts = np.histogram2d(draws[:, 0], draws[:, 1], bins=4)[0]
    assert draws.min() == 0 and draws.max() == 3
    chi2 = ((counts - 250) ** 2 / 250).sum()
    assert chi2 < 30.6  # 15 degrees of freedom, 1 %


def test_octave_crops_lie_around_the_middle():
    part = Crop()
    part.prepare(Scene((100, 100), [0.0] * 3, 1.0))
    stage = Schedule([{"steps": 2000, "step_size": 1, "scale": 1.2}]).stages("x")[0]
    assert part.margin(stage) == 20
    streams = Streams([3], 2000)
    draws = np.stack([part.offsets(20, _at(k, 2000), streams)[0] for k in range(2000)])
    assert draws.min() >= 0 and draws.max() <= 20
    assert abs(draws.mean() - 10) < 0.5
    # a normal of deviation 6 clipped at +-10 has deviation 5.6
    assert abs(draws.std() - 5.6) < 0.3
    # whole pixels by truncation, as the program has them
    normal = streams.normal("crop", 2)[:, 0]
    assert (draws == np.clip(10 + normal * 0.3 * 20, 0, 20).astype(int)).all()


def test_octave_crops_change_only_what_was_seen():
    part, streams = Crop(), Streams([5], 3)
    part.prepare(Scene((6, 6), [0.0] * 3, 1.0))
    stage = Schedule([{"steps": 3, "step_size": 1, "scale": 1.5}]).stages("x")[0]
    old, t = torch.zeros(1, 3, 9, 9), _at(1, 3)
    assert part.window(old, t, streams, stage).shape == (1, 3, 6, 6)
    out = part.confine(torch.ones(1, 3, 6, 6), old, t, streams)
    assert out.sum() == 3 * 36
    assert torch.equal(part.window(out, t, streams, stage), torch.ones(1, 3, 6, 6))
    whole = Crop(update="canvas")
    whole.prepare(Scene((6, 6), [0.0] * 3, 1.0))
    assert whole.window(old, t, streams, stage) is old
    assert torch.equal(whole.perturb(out, t, streams), torch.ones(1, 3, 6, 6))
    assert whole.confine(out, old, t, streams) is out


def test_jitter_of_one_pixel_is_none():
    part, x = Jitter(T=1), torch.zeros(1, 3, 6, 6)
    stage = Schedule([{"steps": 1, "step_size": 1}]).stages("x")[0]
    assert part.margin(stage) == 0 and part.perturb(x, _at(0, 1), Streams([0], 1)) is x


def test_uniform_crops_come_from_everywhere_equally():
    part, streams = Crop("uniform"), Streams([0], 4000)
    draws = np.stack([part.offsets(3, _at(k, 4000), streams)[0] for k in range(4000)])
    counts = np.histogram2d(draws[:, 0], draws[:, 1], bins=4)[0]
    assert draws.min() == 0 and draws.max() == 3
    assert ((counts - 250) ** 2 / 250).sum() < 30.6  # 15 degrees of freedom, 1 %


def test_refuses():
    with pytest.raises(UserError, match=r"jitter\.T"):
        Jitter(T=0)


def test_without_a_stride_there_is_no_jitter_and_that_is_said(caplog):
    part = Jitter()
    part.prepare(Scene((8, 8), [0.0], None))
    assert part.T == 1 and "stride is not known" in caplog.text


def _at(k, steps):
    return Progress(k, steps, 0, k, steps)
