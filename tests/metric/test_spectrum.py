"""Octave bands of sinusoids, whose frequency is known."""

import math

import pytest
import torch

from visprior.metric.spectrum import band_edges, mean_colour, octave_bands


def wave(fy: float, fx: float, size: tuple[int, int] = (64, 64)) -> torch.Tensor:
    """cos(2 pi (fy y + fx x)) around 100 in one channel, frequencies in cycles per pixel."""
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij")
    return 100 + 30 * torch.cos(2 * math.pi * (fy * y + fx * x))[None, None]


@pytest.mark.parametrize(
    "fy, fx, band",
    [
        (0.5, 0.5, 0),  # the corner, f = 0.71
        (0.5, 0, 1),  # an octave holds its upper end
        (0, 17 / 64, 1),
        (0.25, 0, 2),
        (9 / 64, 0, 2),
        (0, 8 / 64, 3),
        (3 / 64, 4 / 64, 3),  # f = 5/64
        (1 / 64, 0, 6),
    ],
)
def test_a_sinusoid_is_in_one_band(fy, fx, band):
    shares, centroid = octave_bands(wave(fy, fx))
    assert shares.shape == (1, 7)
    assert shares[0, band] == pytest.approx(1, abs=1e-9)
    assert centroid.item() == pytest.approx(math.hypot(fy, fx), abs=1e-9)
    low, high = band_edges(64, 64)[band]
    assert low < math.hypot(fy, fx) <= high


def test_shares_follow_the_power_of_each_wave():
    fine, coarse = wave(16 / 64, 0) - 100, wave(0, 2 / 64) - 100
    x = torch.cat([2 * fine, coarse], dim=1)  # power 4 : 1, in different channels
    shares, centroid = octave_bands(x)
    assert shares[0, 2].item() == pytest.approx(0.8)
    assert shares[0, 5].item() == pytest.approx(0.2)
    assert centroid.item() == pytest.approx(0.8 * 0.25 + 0.2 / 32)


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (1, 9), (224, 224)])
def test_shares_sum_to_one_and_bands_tile_all_frequencies(size):
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 255
    shares, _ = octave_bands(x)
    edges = band_edges(*size)
    torch.testing.assert_close(shares.sum(1), torch.ones(2, dtype=torch.float64))
    assert shares.shape[1] == len(edges)
    assert all(edges[i][0] == edges[i + 1][1] for i in range(len(edges) - 1))
    assert edges[-1][0] < 1 / max(size) <= edges[-1][1]


def test_the_bands_of_an_image_do_not_depend_on_the_others():
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    together, alone = octave_bands(x)[0], octave_bands(x[1:2])[0]
    torch.testing.assert_close(together[1:2], alone)


def test_one_colour_has_no_spectrum():
    shares, centroid = octave_bands(torch.full((2, 3, 30, 30), 100.1))
    assert shares.isnan().all()
    assert centroid.isnan().all()


def test_mean_colour():
    x = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1).expand(2, 3, 4, 5)
    assert mean_colour(x).tolist() == [[1, 2, 3], [1, 2, 3]]
