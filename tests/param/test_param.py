"""Parametrizations: round trips, closed forms, colours, starts, gradients, and whole runs."""

import itertools
import math
import re

import numpy as np
import pytest
import torch

from visprior.config.build import build
from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.optimizer.adam import Adam
from visprior.optimizer.gd import GD
from visprior.param.fourier import Fourier, pack, spectrum_scale, unpack
from visprior.param.pixel import Pixel
from visprior.regularizer.base import Regularizer
from visprior.regularizer.crop import Crop
from visprior.regularizer.jitter import Jitter
from visprior.regularizer.tv import TV
from visprior.schedule.schedule import Schedule
from visprior.streams import generator

SIZES = [(8, 8), (9, 8), (8, 9), (9, 9), (7, 12), (1, 5), (5, 1), (2, 2)]
EACH = [
    (kind, bound, colours)
    for kind, bound, colours in itertools.product(
        (Pixel, Fourier), ("sigmoid", "clip", "none"), ("lucid", False)
    )
]


def grey_levels(shape, seed=0, low=1.0, high=254.0):
    g = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("size", SIZES)
def test_packing_is_that_of_rfft2(size):
    """Any image's coefficients can be packed, any packed numbers are an image's coefficients."""
    x = grey_levels((2, 3, *size)).numpy()
    c = torch.from_numpy(np.fft.rfft2(x))
    z = pack(c, size[1])
    assert z.shape == x.shape and (unpack(z) - c).abs().max() < 1e-11
    any_z = torch.from_numpy(x - 127)
    image = np.fft.irfft2(unpack(any_z).numpy(), s=size)
    again = pack(torch.from_numpy(np.fft.rfft2(image)), size[1])
    assert (again - any_z).abs().max() < 1e-11


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [(24, 24), (15, 22), (21, 13)])
@pytest.mark.parametrize(("kind", "bound", "colours"), EACH)
def test_images_come_back(kind, bound, colours, size, dtype):
    param = kind(bound, colours)
    x = grey_levels((2, 3, *size)).to(dtype)
    z = param.encode(x)
    assert z.shape == x.shape and z.dtype == x.dtype
    loose = 1e-9 if dtype == torch.float64 else 2e-3 if bound == "sigmoid" else 5e-4
    assert (param.decode(z) - x).abs().max() < loose
    rounding = 1e-11 if dtype == torch.float64 else 1e-5
    assert (param.encode(param.decode(z)) - z).abs().max() < rounding * z.abs().max()


@pytest.mark.parametrize("kind", [Pixel, Fourier])
def test_bounds_keep_what_they_can_show(kind):
    x = torch.tensor([-20, 0, 0.1, 60, 255, 300], dtype=torch.float64).view(1, 1, 2, 3)
    for bound, shown in (
        ("clip", [0, 0, 0.1, 60, 255, 255]),
        ("sigmoid", [0.25, 0.25, 0.25, 60, 254.75, 254.75]),
        ("none", [-20, 0, 0.1, 60, 255, 300]),
    ):
        param = kind(bound, False)
        again = param.decode(param.encode(x)).flatten().tolist()
        assert again == pytest.approx(shown, abs=1e-9)
    assert float(kind("sigmoid", False).decode(1e4 * torch.randn(1, 1, 8, 8)).min()) >= 0


def test_plain_pixels_are_left_alone():
    param, x = Pixel(), grey_levels((1, 3, 8, 8))
    assert param.identity and param.decode(x) is x and param.encode(x) is x
    assert not Pixel("clip").identity and not Pixel("none", "lucid").identity


@pytest.mark.parametrize(
    ("size", "ky", "kx"), [((12, 16), 3, 2), ((9, 15), 7, 4), ((12, 16), 2, 0)]
)
def test_one_coefficient_is_a_cosine(size, ky, kx):
    """x = 127.5 + 2 a s / (4 H W) cos(2 pi (ky y / H + kx x / W)), of one real part a."""
    height, width = size
    z = torch.zeros(1, 1, *size, dtype=torch.float64)
    z[0, 0, ky, kx] = 40.0
    fy, fx = min(ky, height - ky) / height, kx / width
    scale = math.sqrt(height * width) / max(math.hypot(fy, fx), 1 / max(size))
    y, x = np.mgrid[:height, :width]
    wave = np.cos(2 * np.pi * (ky * y / height + kx * x / width))
    expected = 127.5 + 2 * 40 * scale / (4 * height * width) * wave
    found = Fourier("none", False).decode(z)[0, 0].numpy()
    assert np.abs(found - expected).max() < 1e-9


def test_an_imaginary_part_is_a_sine_and_the_first_number_the_mean():
    z = torch.zeros(1, 1, 10, 14, dtype=torch.float64)
    z[0, 0, 1, 8 + 2] = 1.0  # behind 8 columns of real parts: column 3
    y, x = np.mgrid[:10, :14]
    s = math.sqrt(140) / math.hypot(0.1, 3 / 14)
    wave = -np.sin(2 * np.pi * (y / 10 + 3 * x / 14))
    found = Fourier("none", False).decode(z)[0, 0].numpy()
    assert np.abs(found - 127.5 - 2 * s / 560 * wave).max() < 1e-9
    z = torch.zeros(1, 1, 10, 14, dtype=torch.float64)
    z[0, 0, 0, 0] = 2.0
    found = Fourier("none", False).decode(z)
    assert (found - 127.5 - 2 * 14 * math.sqrt(140) / 560).abs().max() < 1e-9


def test_spectrum_scale():
    s = spectrum_scale((224, 224))
    assert s.shape == (224, 113)
    assert s[0, 0] == s[0, 1] == pytest.approx(224 * 224)  # frequencies 0 and 1 / 224
    assert s[0, 112] == s[112, 0] == pytest.approx(448)  # 1 / 2
    assert s[56, 56] == s[168, 56] == pytest.approx(224 * 4 / math.sqrt(2))
    assert spectrum_scale((8, 16), 0.0) == pytest.approx(math.sqrt(128))
    assert spectrum_scale((8, 16))[1, 0] == pytest.approx(math.sqrt(128) * 8)


def test_lucids_colours():
    """The matrix divided by its longest column, to six decimals."""
    matrix = Pixel("none", "lucid").colour.matrix
    assert matrix is not None
    assert matrix.numpy().round(6).tolist() == [
        [0.562829, 0.194825, 0.043295],
        [0.584476, 0.0, -0.108236],
        [0.584476, -0.194825, 0.064942],
    ]
    z = torch.tensor([30.0, -10.0, 5.0], dtype=torch.float64).view(1, 3, 1, 1)
    rgb = [
        0.48 * 255 + 0.562829 * 30 - 0.194825 * 10 + 0.043295 * 5,
        0.46 * 255 + 0.584476 * 30 - 0.108236 * 5,
        0.41 * 255 + 0.584476 * 30 + 0.194825 * 10 + 0.064942 * 5,
    ]
    for bound in ("none", "clip"):
        assert Pixel(bound, "lucid").decode(z).flatten().tolist() == pytest.approx(rgb, abs=1e-4)
    small = Pixel("sigmoid", "lucid").decode(z / 100).flatten()
    logits = np.array([0.562829 * 30 - 0.194825 * 10 + 0.043295 * 5]) / 100
    assert float(small[0]) == pytest.approx(float(255 / (1 + np.exp(-logits[0]))), abs=1e-4)


@pytest.mark.parametrize(("kind", "bound", "colours"), EACH)
def test_gradients_are_finite_differences(kind, bound, colours):
    param = kind(bound, colours)
    z = param.encode(grey_levels((1, 3, 5, 6), low=90, high=160))
    assert torch.autograd.gradcheck(param.decode, z.requires_grad_())


def test_adam_moves_as_it_would_on_all_real_and_imaginary_parts():
    """Against torch's Adam on a full half spectrum, where conjugates are two coefficients."""
    size, steps = (10, 12), 25
    g = torch.Generator().manual_seed(1)
    raw = 0.01 * torch.randn(2, 1, 1, 10, 7, generator=g, dtype=torch.float64)
    target = torch.rand(1, 1, *size, generator=g, dtype=torch.float64)
    scale = torch.from_numpy(spectrum_scale(size))

    def image(parts):
        return torch.sigmoid(
            torch.fft.irfft2(torch.complex(parts[0], parts[1]) * scale, s=size) / 4
        )

    param, rule = Fourier("sigmoid", False), Adam(eps=1e-14)
    z = param.encode(255 * image(raw))
    whole = raw.clone().requires_grad_()
    peer = torch.optim.Adam([whole], lr=0.05, eps=1e-14)
    state = rule.init(z)
    for k in range(steps):
        peer.zero_grad()
        (image(whole) - target).square().sum().backward()
        peer.step()
        leaf = z.detach().requires_grad_()
        (param.decode(leaf) / 255 - target).square().sum().backward()
        assert leaf.grad is not None
        z, state = rule.update(
            z, leaf.grad, state, 0.05, Progress(k, steps, 0, k, steps), lambda z: (z, z)
        )
    assert (param.decode(z) / 255 - image(whole.detach())).abs().max() < 1e-9
    assert (param.decode(z) / 255 - image(raw)).abs().max() > 0.1


def deviation_of_start(size):
    """Of t: coefficients between the first and the last column count twice in the image."""
    height, width = size
    twice = np.full(width // 2 + 1, 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    return 0.01 * np.sqrt(np.sum((twice * spectrum_scale(size)) ** 2)) / (4 * height * width)


@pytest.mark.parametrize("size", [(32, 32), (21, 30), (30, 21)])
def test_the_start_has_the_deviation_of_its_formula(size):
    seeds = list(range(400))
    x = Fourier("sigmoid", False).start(seeds, size, 1)
    logits = torch.logit(x / 255)
    # A pixel of 400 images: its variance is known to 7 %, the mean over the pixels to less.
    assert float(logits.var(0).mean()) == pytest.approx(deviation_of_start(size) ** 2, rel=0.1)
    assert float(logits.mean().abs()) < 3 * deviation_of_start(size) / 20
    coloured = torch.logit(Fourier().start(seeds, size, 3) / 255).var(0).mean((1, 2)).sqrt()
    rows = torch.tensor([0.597167, 0.594414, 0.619513])  # norms of the rows of A / m
    assert coloured.tolist() == pytest.approx((rows * deviation_of_start(size)).tolist(), rel=0.06)


def test_starts_around_grey():
    x = Pixel().start([3], (64, 64), 3)
    assert float(x.std()) == pytest.approx(2.55, rel=0.05)
    assert float(x.mean()) == pytest.approx(127.5, abs=0.2)
    x = Pixel("clip", "lucid").start([3], (64, 64), 3)
    assert x.mean((0, 2, 3)).tolist() == pytest.approx([122.4, 117.3, 104.55], abs=0.2)
    logits = torch.logit(Pixel("sigmoid").start([3], (64, 64), 3) / 255)
    assert float(logits.std()) == pytest.approx(0.01, rel=0.05)
    n = 0.01 * generator(3, "start").standard_normal((3, 64, 64))
    assert np.abs(logits[0].numpy() - n).max() < 1e-9


@pytest.mark.parametrize("param", [Pixel("sigmoid"), Fourier()], ids=["pixel", "fourier"])
def test_an_image_starts_the_same_in_any_batch(param):
    together = param.start([5, 8, 1], (16, 17), 3)
    assert torch.equal(together[1:2], param.start([8], (16, 17), 3))


@pytest.mark.parametrize("colours", ["lucid", False])
def test_a_clipped_pixel_comes_back(colours):
    """It is put at the bound, where it still has a gradient."""
    param = Pixel("clip", colours)
    z = param.encode(grey_levels((1, 3, 4, 4)))
    z[:, 0] += 1000
    if colours is False:
        z[:, 1:] += 1000
    z = param.settle(z).requires_grad_()
    x = param.decode(z)
    assert (x - 255).abs().max() < 2e-3
    (g,) = torch.autograd.grad(x.sum(), z)
    assert bool((g[:, 0] != 0).all())
    moved = param.decode(z - g)
    assert bool((moved.sum(1) < x.sum(1) - 1).all())


COLOURS = {"pixel in logits": lambda: Pixel("sigmoid", "lucid"), "fourier": Fourier}
COLOURS |= {"fourier, clipped": lambda: Fourier("clip"), "pixel, clipped": lambda: Pixel("clip")}
STAGES = Schedule([{"steps": 6, "step_size": 0.05}, {"steps": 4, "step_size": 0.02}])


def step_of(param, schedule=STAGES):
    """In grey levels where z is."""
    specs = [
        s | {"step_size": s["step_size"] * (1 if param.logits else 255)} for s in schedule.specs
    ]
    return Schedule(specs)


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("size", [24, 21])
def test_a_batch_equals_single_runs(run_small, name, size):
    def run(seeds, **parts):
        param = COLOURS[name]()
        return run_small(seeds, parts, Adam(), step_of(param), size=size, param=param)

    def jittered(seeds):
        return run(seeds, jitter=Jitter(T=4), tv=TV())

    still, together = run([3, 11]).history[:, 1], jittered([3, 11])
    assert bool((still[-1] < 0.9 * still[0]).all())
    assert together.x.shape == (2, 3, size, size) and not together.failures
    for b, seed in enumerate([3, 11]):
        assert (together.x[b] - jittered([seed]).x[0]).abs().max() < 1e-8


def test_stages_of_several_sizes(run_small):
    """The image is taken over to a larger canvas, whatever its coefficients mean there."""
    octaves = [{"steps": 5, "step_size": 0.05}, {"steps": 5, "step_size": 0.05, "scale": 1.25}]

    class Watch:
        images: list = []  # noqa: RUF012

        def step(self, moment, seen):
            self.images.append(seen.problem.param.decode(moment.z))
            return False

    watch = Watch()
    solution = run_small(
        [1], {"crop": Crop()}, Adam(), Schedule(octaves), watch=watch, param=Fourier()
    )
    assert solution.x.shape[-1] == 24 and watch.images[5].shape[-1] == 30
    before = torch.nn.functional.interpolate(
        watch.images[4], size=(30, 30), mode="bicubic", align_corners=False
    )
    change = (watch.images[5] - before).abs().mean()
    assert 0 < change < 12 < before.std()


class Halve(Regularizer):
    """Halfway to grey level 100 after each step."""

    def project(self, x, t):
        return (x + 100) / 2


@pytest.mark.parametrize("name", COLOURS)
def test_projections_act_on_images(run_small, name):
    """Six of them and steps of nothing: what remains of the start is 1/64."""
    still = Schedule([{"steps": 6, "step_size": 0.0}])
    whole, part = (
        run_small([4], parts, GD(), still, param=COLOURS[name]())
        for parts in ({}, {"halve": Halve()})
    )
    expected = 100 + (whole.x - 100) / 64
    assert (part.x - expected).abs().max() < 1e-8 and whole.x.std() > 10


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["bound=sigmoit"], "param.bound=sigmoit is not known; did you mean 'sigmoid'?"),
        (["decorrelate=lucit"], "param.decorrelate=lucit is not known; did you mean 'lucid'?"),
        (["decorrelate=true"], "param.decorrelate=True is not known; allowed: lucid, measured"),
        (["decorrelate=measured"], "param.decorrelate=measured needs param.factor=FILE"),
        (["factor=x"], "param.factor=x is for param.decorrelate=measured"),
        (["decorrelate=measured", "factor=x"], "param.factor=x: there is no 'x'"),
    ],
)
@pytest.mark.parametrize("param", ["pixel", "fourier"])
def test_mistakes(compose_job, param, keys, message):
    cfg = compose_job(f"param={param}", *(f"param.{k}" for k in keys))
    with pytest.raises(UserError, match=re.escape(message)):
        build(cfg.param)


def test_other_channels(compose_job):
    with pytest.raises(UserError, match="decorrelate=lucid is for 3 channels, the net takes 1"):
        build(compose_job("param=fourier").param).prepare(1)
    free = build(compose_job("param=fourier", "param.decorrelate=false").param)
    free.prepare(5)
    x = grey_levels((1, 5, 9, 6))
    assert (free.decode(free.encode(x)) - x).abs().max() < 1e-9
    with pytest.raises(UserError, match=r"param\.decay must be >= 0"):
        build(compose_job("param=fourier", "param.decay=-1").param)
