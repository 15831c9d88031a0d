"""transforms: random moves in one resampling, differentiated through or kept."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from visprior.config.build import build
from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.optimizer.gd import GD
from visprior.regularizer.base import Scene
from visprior.regularizer.resample import PADDINGS, resample
from visprior.regularizer.transforms import Transforms
from visprior.regularizer.transforms_in_place import TransformsInPlace
from visprior.schedule.schedule import Schedule
from visprior.streams import Streams

THESIS: Any = (
    [6, 3],
    [0.975, 0.99, 1.01, 1.025, 1, 1, 1, 1],
    [-3, -2, -1, 0, 1, 2, 3, 0, 0, 0, 0, 0],
)
SCIPY = {"mirror": "reflect", "reflect": "mirror", "wrap": "grid-wrap", "constant": "constant"}


def part(*schedule: Any, kind: Any = Transforms, **keys: Any):
    made = kind(*(schedule or THESIS), **keys)
    made.prepare(Scene((16, 16), [100.0, 110.0, 120.0], 2.0))
    return made


def at(k, steps=64):
    return Progress(k, steps, 0, k, steps)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(16, 16), (13, 20)])
def test_against_scipy(padding, size):
    """Scale, rotation and both jitters one after the other, as a chain of coordinates."""
    p = part([5, 4], [0.8, 1.3], [-20, 35], padding=padding, colour=30.0)
    rng = Streams([3], 6)
    x = torch.rand(1, 3, *size, dtype=torch.float64) * 255
    for k in range(6):
        row, column, scale, angle, last_row, last_column = p.draws(rng)[k, 0]
        u = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in size), indexing="ij"))
        u = u + np.array([last_row, last_column])[:, None, None]
        a = np.deg2rad(angle)
        turned = np.stack(
            [np.cos(a) * u[0] - np.sin(a) * u[1], np.sin(a) * u[0] + np.cos(a) * u[1]]
        )
        v = turned / scale + np.array([row, column])[:, None, None]
        v = v + (np.array(size)[:, None, None] - 1) / 2
        expected = [
            map_coordinates(c, v, order=1, mode=SCIPY[padding], cval=30.0) for c in x[0].numpy()
        ]
        seen = p.perturb(x, at(k, 6), rng)[0].numpy()
        inside = np.ones(size, bool)
        if padding == "constant":  # scipy does not mix the border with the colour outside
            inside = np.all((v >= 0) & (v <= np.array(size)[:, None, None] - 1), axis=0)
        np.testing.assert_allclose(seen[:, inside], np.stack(expected)[:, inside], atol=1e-9)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_move_is_exact(padding, dtype):
    x = torch.rand(2, 3, 37, 20, dtype=dtype) * 255
    seen = part([0, 0], [1], [0], padding=padding).perturb(x, at(0), Streams([0, 1], 64))
    assert torch.equal(seen, x)


@pytest.mark.parametrize(
    ("padding", "pad"), [("mirror", "symmetric"), ("reflect", "reflect"), ("wrap", "wrap")]
)
def test_jitter_alone_is_an_exact_crop_of_the_padded_picture(padding, pad):
    x, rng = torch.rand(2, 3, 18, 25) * 255, Streams([4, 9], 12)
    p = part([6, 3], [1], [0], padding=padding)
    for k in range(12):
        d = p.draws(rng)[k]
        seen = p.perturb(x, at(k, 12), rng)
        for b in range(2):
            i, j = (9 + d[b, :2] + d[b, 4:]).astype(int)
            wide = np.pad(x[b].numpy(), ((0, 0), (9, 9), (9, 9)), pad)
            np.testing.assert_array_equal(seen[b].numpy(), wide[:, i : i + 18, j : j + 25])


def test_outside_a_constant_border_is_the_colour():
    x, rng = torch.zeros(1, 3, 8, 8), Streams([0], 1)
    for colour, shown in (
        (None, [100, 110, 120]),
        (127.5, [127.5] * 3),
        ([1.0, 2.0, 3.0], [1, 2, 3]),
    ):
        seen = part([0, 0], [0.5], [0], padding="constant", colour=colour).perturb(x, at(0), rng)
        assert seen[0, :, 0, 0].tolist() == shown and seen[0, :, 4, 4].tolist() == [0, 0, 0]


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_gradcheck(padding, how):
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64, requires_grad=True)
    turn = torch.tensor([0.3, -0.1], dtype=torch.float64)
    matrix = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], -1).view(2, 2, 2) / 0.9
    shift, colour = torch.randn(2, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda v: resample(v, matrix, shift, padding, colour, how), (x,)
    )


def test_half_a_pixel_past_a_constant_border():
    """Cubic convolution (a = -3/4) half way past the edge e: the colour c and an undershoot.

    Its weights of e, c, c, c there are 3/32 less than 0 for e: c - 3/32 (e - c).
    """
    x = torch.full((1, 1, 8, 8), 90.0, dtype=torch.float64)
    shift = torch.tensor([[0.0, 1.5]], dtype=torch.float64)
    colour = torch.tensor([10.0], dtype=torch.float64)
    seen = resample(x, torch.eye(2)[None].double(), shift, "constant", colour, "bicubic")
    assert seen[0, 0, 4, -1].item() == pytest.approx(10 - 3 / 32 * 80)


def test_every_draw_is_as_frequent_as_it_should_be():
    steps = 20000
    d = part().draws(Streams([11], steps))[:, 0]
    six, three = np.full(7, 1 / 7), np.array([1, 2, 2, 2, 1]) / 8  # a half pixel to either side
    for column, share in ((0, six), (1, six), (4, three), (5, three)):
        values, counts = np.unique(d[:, column], return_counts=True)
        reach = len(share) // 2
        assert values.tolist() == list(range(-reach, reach + 1))
        chi2 = ((counts - steps * share) ** 2 / (steps * share)).sum()
        assert chi2 < 22.5  # 6 degrees of freedom, 0.1 %
    assert abs((d[:, 2] == 1).mean() - 0.5) < 0.015
    assert abs((d[:, 3] == 0).mean() - 0.5) < 0.015
    assert abs(d[:, 2].mean() - 1) < 5e-4 and abs(d[:, 3].mean()) < 0.04
    assert np.abs(np.corrcoef(d.T) - np.eye(6)).max() < 0.03  # none is drawn from another's


def test_a_draw_is_the_seeds_own_and_a_longer_run_begins_alike():
    p = part()
    alone, batch = p.draws(Streams([7], 20)), p.draws(Streams([5, 7], 30))
    np.testing.assert_array_equal(alone[:, 0], batch[:20, 1])
    assert not np.array_equal(batch[:, 0], batch[:, 1])


def test_shared_draws_are_those_of_the_first_image():
    d = part(shared=True).draws(Streams([5, 7, 8], 30))
    np.testing.assert_array_equal(d[:, 2], part().draws(Streams([5], 30))[:, 0])
    assert np.array_equal(d[:, 0], d[:, 1])


def test_a_batch_sees_what_each_image_would(run_small):
    def run(seeds, micro_batch=None):
        schedule = Schedule([{"steps": 8, "step_size": 3000.0}])
        parts = {"transforms": part()}
        return run_small(seeds, parts, GD(), schedule, micro_batch=micro_batch).x

    both = run([1, 2])
    torch.testing.assert_close(both[1:], run([2]), atol=1e-8, rtol=0)
    torch.testing.assert_close(both, run([1, 2], 1), atol=1e-8, rtol=0)


def test_in_place_moves_add_up():
    p, rng = part([6, 0], [1], [0], kind=TransformsInPlace), Streams([2], 5)
    x = torch.rand(1, 3, 40, 40)
    moved = x
    assert p.perturb(x, at(0, 5), rng) is x
    for k in range(5):
        moved = p.move(moved, at(k, 5), rng)
    i, j = p.draws(rng)[1:, 0, :2].sum(0).astype(int)  # the first step sees the start
    inner = slice(14, 26)
    expected = x[..., 14 + i : 26 + i, 14 + j : 26 + j]
    torch.testing.assert_close(moved[..., inner, inner], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "scales", "angles"),
    [
        ("transforms", 8, 12),
        ("transforms_in_place", 8, 12),
        ("transforms_distill", 5, 16),
        ("transforms_lucid", 11, 26),
    ],
)
def test_the_files(compose_job, name, scales, angles):
    cfg = compose_job(f"regularizer=[{name}]")
    made = build(cfg.regularizer.transforms, [])
    assert len(made.scale) == scales and len(made.rotate) == angles
    assert (made.rotate == 0).sum() == 6
    assert sum(made.scale) == pytest.approx(scales) and sum(made.rotate) == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"jitter": [3]}, r"jitter must be two whole numbers >= 0, got \[3\]"),
        ({"jitter": [-1, 3]}, "jitter must be two whole numbers >= 0"),
        ({"jitter": [3, 1.5]}, "jitter must be two whole numbers >= 0"),
        ({"scale": [1.0, 0.0]}, "scale must be a list of numbers > 0"),
        ({"rotate": []}, r"rotate is empty; \[0\] is no rotation"),
        ({"padding": "mirrored"}, "did you mean 'mirror'"),
        ({"colour": [1.0, 2.0]}, "colour has 2 numbers for 3 channels"),
    ],
)
def test_refuses(keys, message):
    valid: dict[str, Any] = {"jitter": [1, 1], "scale": [1.0], "rotate": [0]}
    with pytest.raises(UserError, match=message):
        Transforms(**(valid | keys)).prepare(Scene((8, 8), [0.0] * 3, 2.0))
