"""A whole run of Mahendran & Vedaldi's recipe against a literal transcription of their program.

The transcription shares the weights, the start, the jitter's offsets and the target, and nothing
of the loop: its regularizers' gradients are the closed forms of the 2016 program.
"""

import logging

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from visprior.config.build import build
from visprior.data.picture import find_pictures, load_picture
from visprior.loop.solver import solve
from visprior.loop.start import noise
from visprior.objective.data_terms import FeatureDistance
from visprior.record.images import Batch
from visprior.streams import Streams
from visprior.task.problem import problem_for, regularizers_for

SIZE, T, C, SEED = 96, 2, 300.0, 0


def transcription(phi, mean, x, target, offsets, lr0):
    """x: the start on the canvas, minus the mean. Returns the image, minus the mean."""
    B, alpha, beta, V, bound = 80.0, 6, 2, 80 / 6.5, 160.0

    def regularizer_gradient(x):
        area = x.shape[2] * x.shape[3]
        square = (x * x).sum(1, keepdim=True)
        g = B**-alpha * alpha / area * x * square ** (alpha / 2 - 1)
        dx = torch.cat([x[..., :, 1:] - x[..., :, :-1], torch.zeros_like(x[..., :, :1])], 3)
        dy = torch.cat([x[..., 1:, :] - x[..., :-1, :], torch.zeros_like(x[..., :1, :])], 2)
        d = -dx - dy
        d[..., :, 1:] += dx[..., :, :-1]
        d[..., 1:, :] += dy[..., :-1, :]
        return g + V**-beta * beta / area * d

    def phase(x, steps, lr, T, first):
        G, mu = torch.zeros_like(x), torch.zeros_like(x)
        for k in range(steps):
            i, j = offsets[first + k] if T > 1 else (0, 0)
            n = x.shape[2] - (T - 1)
            seen = x[:, :, i : i + n, j : j + n].clone().requires_grad_()
            loss = C * (phi(seen + mean) - target).square().sum() / target.square().sum()
            (data,) = torch.autograd.grad(loss, seen)
            g = regularizer_gradient(x)
            g[:, :, i : i + n, j : j + n] += data
            G = 0.9 * G + g * g
            mu = 0.9 * mu - g / (1 / lr + G.sqrt())
            x = x + mu
            norm = (x * x).sum(1, keepdim=True).sqrt()
            x = x * (bound / norm).clamp(max=1)
        return x

    x = phase(x, 300, lr0, T, 0)
    middle = (T - 1) // 2
    x = x[:, :, middle : middle + SIZE, middle : middle + SIZE]
    return phase(x, 50, 0.1 * lr0, 1, 300)


def test_a_whole_run(job_of, caplog):
    caplog.set_level(logging.ERROR)
    overrides = [
        "net=vgg19",
        "layer=relu2_1",
        f"size={SIZE}",
        f"regularizer.jitter.T={T}",
        "net.seed=3",
    ]
    job = job_of(*overrides)
    cut = job.cut(["relu2_1"])
    x0 = load_picture(find_pictures("astronaut")[0][1], (SIZE, SIZE), 3)
    phi0 = job.features(cut, x0, "relu2_1")
    objective, regularizers = (
        FeatureDistance("relu2_1", phi0, None, C),
        regularizers_for(job, "relu2_1"),
    )
    ours = solve(problem_for(job, objective, Batch(["a"], [SEED]), "noise", regularizers, cut))

    mean = torch.tensor(job.net.center)[:, None, None]
    start = noise([SEED], (SIZE + T - 1, SIZE + T - 1), list(job.net.center)).float() - mean
    offsets = (Streams([SEED], 350).uniform("jitter", 2)[:, 0] * T).astype(int)
    lr = SIZE * SIZE * 0.05 * 80**2 / 6
    theirs = transcription(lambda v: cut(v)["relu2_1"], mean, start, phi0, offsets, lr) + mean

    def error(x):
        return float((cut(x)["relu2_1"] - phi0).norm() / phi0.norm())

    def ssim(x):
        a, b = (v[0].permute(1, 2, 0).double().numpy() for v in (x, x0))
        value = structural_similarity(
            a, b, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        return np.asarray(value, dtype=float).item()

    assert ours.steps == 350
    assert error(ours.x) == pytest.approx(error(theirs), abs=0.005)
    assert ssim(ours.x) == pytest.approx(ssim(theirs), abs=0.02)
    assert error(ours.x) < 0.35 and ssim(ours.x) > 0.5, "the run must have got somewhere"


def test_the_start_is_the_programs():
    """Uniform, about +-51.3 grey levels around the mean colour (M&V 2016, code)."""
    x = noise([0, 1], (64, 64), [100.0, 110.0, 120.0])
    d = (x - torch.tensor([100.0, 110.0, 120.0])[:, None, None]).numpy()
    assert np.abs(d).max() == pytest.approx(51.3, rel=0.02)
    assert np.quantile(d[0], 0.95) == pytest.approx(80 / 3**0.5, rel=1e-6)
    assert F.mse_loss(x[0], x[1]) > 100


@pytest.mark.parametrize("channels", [1, 4])
def test_the_start_is_as_strong_for_any_number_of_channels(channels):
    """The program divides by sqrt(3) for grey images too (HOG, dense SIFT)."""
    d = noise([0], (64, 64), [120.0] * channels).numpy() - 120
    assert np.quantile(d, 0.95) == pytest.approx(80 / 3**0.5, rel=1e-6)


def test_a_configured_part_is_built(compose_job):
    assert build(compose_job().optimizer).rho == 0.9
