from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from scipy.signal import convolve2d
from scipy.sparse import eye_array, kron
from scipy.sparse.linalg import spsolve

from visprior.errors import UserError
from visprior.kernel.base import SUPPORT, Kernel
from visprior.kernel.gaussian import Gaussian, gaussian, sigma_for
from visprior.kernel.sobolev import Sobolev, gamma_for, sobolev

# size: sigma hi, gamma hi, centre of the Sobolev and of the Gaussian kernel (solved independently)
TABLE = {
    5: (0.4764, 0.01064, 0.95959, 0.67040),
    7: (0.7528, 0.06081, 0.81222, 0.28081),
    9: (1.0484, 0.17613, 0.61447, 0.14479),
    11: (1.3601, 0.37541, 0.44558, 0.08604),
}


@pytest.mark.parametrize("size", TABLE)
def test_support_rule(size):
    sigma, gamma, sobolev_centre, gaussian_centre = TABLE[size]
    assert sigma_for(size) == pytest.approx(sigma, abs=1e-4)
    assert gamma_for(size) == pytest.approx(gamma, abs=1e-5)
    half = size // 2
    for kernel, centre in ((Sobolev(size), sobolev_centre), (Gaussian(size), gaussian_centre)):
        entries = kernel.entries
        assert entries[half, half] == pytest.approx(centre, abs=1e-4)
        ring = np.concatenate([entries[0], entries[-1], entries[:, 0], entries[:, -1]])
        assert ring.max() == pytest.approx(SUPPORT, rel=1e-6)
        assert entries[half, 1] > SUPPORT


def test_sobolev_axis_and_diagonal():
    entries = sobolev(11, 0.37541)
    axis = [0.445583, 0.076379, 0.013746, 0.002580, 0.000501, 0.000100]
    assert np.allclose(entries[5, 5:], axis, atol=1e-4)
    assert np.allclose(np.diag(entries)[6:9], [0.024820, 0.002072, 0.000192], atol=1e-4)


@pytest.mark.parametrize("order", [1, 2])
def test_sobolev_against_a_sparse_solve(order):
    n, gamma = 101, 0.37541
    line: Any = eye_array(n, k=-1) - 2 * eye_array(n) + eye_array(n, k=1)
    laplacian = kron(line, eye_array(n)) + kron(eye_array(n), line)
    system = (eye_array(n * n) - gamma * laplacian).tocsc()
    grid: Any = np.zeros(n * n)
    grid[n * n // 2] = 1
    for _ in range(order):
        grid = spsolve(system, grid)
    grid = grid.reshape(n, n)[45:56, 45:56]
    assert np.abs(grid - sobolev(11, gamma, order)).max() < 1e-6


@pytest.mark.parametrize("order", [1, 2, 3])
def test_sobolev_variance_is_two_gamma_order(order):
    entries = sobolev(101, 0.4, order)
    y = np.arange(-50, 51)[:, None]
    assert entries.sum() == pytest.approx(1, abs=1e-9)
    assert (entries * y**2).sum() == pytest.approx(2 * 0.4 * order, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "size"),
    [(Gaussian, n) for n in (5, 7, 9, 11)]  # larger ones dip below 0 where they are cut
    + [(Sobolev, n) for n in (5, 7, 9, 11, 15, 21)]
    + [(lambda n: Sobolev(n, order=2), n) for n in (5, 7, 9, 11)],
)
def test_transfer_function_damps_every_frequency(make, size):
    kernel = make(size)
    padded = np.zeros((64, 64))
    padded[:size, :size] = kernel.entries / kernel.entries.sum()
    transfer = np.fft.fft2(np.roll(padded, (-(size // 2),) * 2, (0, 1)))
    assert np.abs(transfer.imag).max() < 1e-12
    assert transfer.real.max() <= 1 + 1e-12 and transfer.real.min() >= 0


@pytest.mark.parametrize("size", [7, 9, 11])
def test_repeated_gaussian_filtering(size):
    """n passes are the n-fold convolution exactly, and a Gaussian of sqrt(n) sigma to 1e-3."""
    n, kernel = 4, Gaussian(size)
    point = torch.zeros(1, 1, 81, 81, dtype=torch.float64)
    point[..., 40, 40] = 1
    for _ in range(n):
        point = kernel.filter(point)
    weights = kernel.entries / kernel.entries.sum()
    fold = weights
    for _ in range(n - 1):
        fold = convolve2d(fold, weights)
    half = fold.shape[0] // 2
    assert np.allclose(point[0, 0, 40 - half : 41 + half, 40 - half : 41 + half], fold, atol=1e-15)
    wide = gaussian(81, np.sqrt(n) * kernel.sigma)
    assert np.abs(point[0, 0].numpy() - wide).max() < 1e-3


def test_borders_are_reflected_and_constants_stay():
    kernel, x = Sobolev(7), torch.rand(2, 3, 12, 13, dtype=torch.float64)
    weights = kernel.entries / kernel.entries.sum()
    expected = [[convolve(c, weights, mode="mirror") for c in image] for image in x.numpy()]
    torch.testing.assert_close(kernel.filter(x), torch.from_numpy(np.array(expected)))
    flat = torch.full((1, 3, 9, 9), 77.0)
    torch.testing.assert_close(kernel.filter(flat), flat)


def test_filter_is_self_adjoint_inside():
    kernel = Kernel(gaussian(5, 0.8))
    a, b = torch.zeros(2, 1, 1, 20, 20, dtype=torch.float64)
    a[..., 6:14, 6:14], b[..., 6:14, 6:14] = torch.randn(2, 8, 8, dtype=torch.float64)
    assert torch.allclose((kernel.filter(a) * b).sum(), (a * kernel.filter(b)).sum())


@pytest.mark.parametrize("bad", [{"size": 4}, {"size": 1}, {"gamma": 0}, {"order": 0}])
def test_refuses(bad):
    with pytest.raises(UserError, match=next(iter(bad))):
        Sobolev(**bad)
    with pytest.raises(UserError, match="too large"):
        Sobolev(11).filter(torch.zeros(1, 1, 5, 5))
