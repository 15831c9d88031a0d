"""blur and bilateral: filters of the image after the step. clip."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.base import Scene
from visprior.regularizer.bilateral import Bilateral
from visprior.regularizer.blur import Blur
from visprior.regularizer.clip import Clip

X = torch.rand(2, 3, 12, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 255


def at(k, steps=64):
    return Progress(k, steps, 0, k, steps)


def gaussian(x, sigma, size=7):
    """Separable, border reflected without its edge: OpenCV's default."""
    k = np.exp(-0.5 * (np.arange(size) - size // 2) ** 2 / sigma**2)
    for axis in (-2, -1):
        x = convolve1d(x, k / k.sum(), axis, mode="mirror")
    return x


def bilateral(x, size, color, space):
    """A loop over pixels and neighbours; agrees with OpenCV 4.13's bilateralFilter to 1e-6."""
    half, (_, height, width) = size // 2, x.shape
    wide = np.pad(x, ((0, 0), (half, half), (half, half)), "reflect")
    out = np.zeros_like(x)
    for i, j in np.ndindex(height, width):
        total, weights = 0.0, 0.0
        for a, b in np.ndindex(size, size):
            r2 = (a - half) ** 2 + (b - half) ** 2
            if r2 > half**2:
                continue
            other = wide[:, i + a, j + b]
            d = np.abs(other - x[:, i, j]).sum()
            w = np.exp(-r2 / (2 * space**2) - d**2 / (2 * color**2))
            total, weights = total + w * other, weights + w
        out[:, i, j] = total / weights
    return out


@pytest.mark.parametrize("sigma", [0.7, 1.482, 0.518])
def test_gaussian_against_scipy(sigma):
    got = Blur(7, sigma).project(X, at(0)).numpy()
    np.testing.assert_allclose(got, gaussian(X.numpy(), sigma), atol=1e-9)


def test_a_sigma_per_image_and_a_ramp():
    got = Blur(5, [0.5, 2.0]).project(X, at(0)).numpy()
    for b, sigma in enumerate((0.5, 2.0)):
        np.testing.assert_allclose(got[b], gaussian(X[b].numpy(), sigma, 5), atol=1e-9)
    ramp = Blur(7, {"from": 2.0, "to": 1.0}).project(X, at(32, 65)).numpy()
    np.testing.assert_allclose(ramp, gaussian(X.numpy(), 1.5), atol=1e-9)


@pytest.mark.parametrize(("size", "color", "space"), [(7, 102.0, 1.0), (5, 30.0, 2.0)])
def test_bilateral_against_a_loop(size, color, space):
    got = Bilateral(size, color, space, every=1).project(X, at(0)).numpy()
    for b in range(2):
        np.testing.assert_allclose(got[b], bilateral(X[b].numpy(), size, color, space), atol=1e-9)


def test_bilateral_takes_a_sigma_per_image():
    got = Bilateral(3, [20.0, 200.0], [0.5, 1.0], every=1).project(X, at(0)).numpy()
    for b, (color, space) in enumerate(((20.0, 0.5), (200.0, 1.0))):
        np.testing.assert_allclose(got[b], bilateral(X[b].numpy(), 3, color, space), atol=1e-9)


def test_bilateral_keeps_a_high_edge_where_the_gaussian_does_not():
    x = torch.zeros(1, 3, 8, 16)
    x[..., 8:] = 255
    torch.testing.assert_close(Bilateral(7, 30.0).project(x, at(0)), x, atol=1e-3, rtol=0)
    assert (Blur().project(x, at(0)) - x).abs().max() > 30


def test_the_thesis_program_calls_them_so():
    """cv2.GaussianBlur(x, (7, 7), 0.7) and cv2.bilateralFilter(x, 7, 102, 1) every second step."""
    x = X[:1].numpy()
    np.testing.assert_allclose(Blur().project(X, at(1))[:1].numpy(), gaussian(x, 0.7), atol=1e-9)
    got = Bilateral().project(X, at(2))[0].numpy()
    np.testing.assert_allclose(got, bilateral(x[0], 7, 102.0, 1.0), atol=1e-9)
    assert torch.equal(Bilateral().project(X, at(1)), X)


def test_every():
    """The first step and each so many after it."""
    for part, expected in ((Blur(every=3), [0, 3, 6]), (Bilateral(every=2), [0, 2, 4, 6, 8])):
        changed = [k for k in range(9) if not torch.equal(part.project(X, at(k)), X)]
        assert changed == expected


def test_clip():
    x = torch.tensor([-3.0, 0.0, 7.0, 300.0])
    assert Clip().project(x, at(0)).tolist() == [0, 0, 7, 255]
    with pytest.raises(UserError, match=r"clip\.low"):
        Clip(3, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blur(size=4), "blur.size must be an odd"),
        (lambda: Blur(sigma=0), "blur.sigma must be >= 0.001"),
        (lambda: Bilateral(sigma_color=0), "bilateral.sigma_color must be >= 0.001"),
        (lambda: Bilateral(sigma_space=0), "bilateral.sigma_space must be >= 0.001"),
        (lambda: Bilateral(every=0), "bilateral.every must be"),
        (lambda: Blur(size=9).prepare(Scene((4, 20), [0.0], 1.0)), "too large for 4x20 pixels"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(UserError, match=message):
        make()
