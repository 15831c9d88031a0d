"""The paper's network, DPM v5's features, and VLFeat's library where it is installed."""

import ctypes
import ctypes.util
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from visprior.data.image_file import read_image
from visprior.net.hog.hog import HogFeatures

from . import hog_loops as loops


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return 255 * torch.rand(*shape, generator=g, dtype=torch.float64) ** 2


def smooth(side: int) -> torch.Tensor:
    """Blurred noise over all grey levels."""
    return interpolate(noise(1, 1, side // 4, side // 4), (side, side), mode="bicubic")


def photograph(name: str) -> torch.Tensor:
    """The middle of a grey photograph, whole grey levels, (1, H, W)."""
    x = torch.from_numpy(read_image(Path(str(files("skimage") / "data" / name))))
    return x[:, 20:180, 20:220]


@pytest.mark.parametrize("size", [(40, 33), (36, 44), (43, 47)])
@pytest.mark.parametrize("channels", [1, 3])
def test_dpm_is_what_loops_give(size, channels):
    """Sizes that round up and down; the last rows repeat or are left out."""
    x = noise(channels, *size)
    phi = HogFeatures("dpm")(x[None])[0].numpy()
    np.testing.assert_allclose(phi, loops.dpm(x.numpy()), rtol=0, atol=1e-12)


def test_dpm_of_grey_is_that_of_three_equal_channels():
    x = noise(1, 1, 48, 40)
    hog = HogFeatures("dpm")
    assert torch.equal(hog(x), hog(x.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("binning", ["hard", "bilinear"])
@pytest.mark.parametrize(("size", "cell"), [((40, 32), 8), ((29, 38), 6)])
def test_paper_is_what_loops_give(size, cell, binning):
    x = noise(*size)
    phi = HogFeatures("paper", cell, binning=binning)(x[None, None])[0].numpy()
    np.testing.assert_allclose(phi, loops.paper(x.numpy(), cell, binning), rtol=0, atol=1e-10)


@pytest.mark.parametrize("binning", ["hard", "bilinear"])
def test_paper_is_uoctti_two_cells_from_the_border(binning):
    x = smooth(96)
    paper = HogFeatures("paper", binning=binning)(x)
    vlfeat = HogFeatures(binning=binning, texture=False)(x)
    inside = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(paper[inside], vlfeat[inside], rtol=0, atol=1e-7)
    assert (paper - vlfeat).abs().max() > 0.01


def test_relu_binning_is_near_bilinear():
    """It has the same two bins; at an angle t from a bin (cos t - a) / (1 - a) for 1 - t K / pi."""
    a = np.cos(np.pi / 9)
    t = np.linspace(0, np.pi / 9, 1001)
    worst = np.abs((np.cos(t) - a) / (1 - a) - (1 - 9 / np.pi * t)).max()
    x = smooth(96)
    cells = {b: HogFeatures(binning=b).histograms(x) for b in ("relu", "bilinear")}
    whole = HogFeatures().histograms(x).sum(1, keepdim=True)
    difference = (cells["relu"] - cells["bilinear"]).abs() / whole
    assert 0.01 < difference.max() < worst


def test_second_derivatives_are_finite_and_right():
    hog = HogFeatures(cell=4, orientations=3, binning="bilinear")
    x = noise(1, 1, 8, 8, seed=8).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: hog(x).square().sum(), x)


@pytest.fixture
def vl_hog():
    """VLFeat's C library, called as its manual says."""
    name = ctypes.util.find_library("vl")
    if name is None:
        pytest.skip("libvlfeat1 is not installed")
    lib = ctypes.CDLL(name)
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    lib.vl_hog_new.restype = pointer
    for side in ("width", "height", "dimension"):
        getattr(lib, f"vl_hog_get_{side}").restype = size

    def vl_hog(x: np.ndarray, variant: str, cell: int, orientations: int, binning: str):
        kind = ctypes.c_int(variant == "uoctti")
        hog = pointer(lib.vl_hog_new(kind, size(orientations), ctypes.c_int(0)))
        lib.vl_hog_set_use_bilinear_orientation_assignments(hog, int(binning == "bilinear"))
        x = np.ascontiguousarray(x, dtype=np.float32)
        channels, height, width = map(size, x.shape)
        lib.vl_hog_put_image(hog, pointer(x.ctypes.data), width, height, channels, size(cell))
        shape = [getattr(lib, f"vl_hog_get_{s}")(hog) for s in ("dimension", "height", "width")]
        out = np.empty(shape, np.float32)
        lib.vl_hog_extract(hog, pointer(out.ctypes.data))
        lib.vl_hog_delete(hog)
        return out

    return vl_hog


@pytest.mark.parametrize(("binning", "within"), [("hard", 1e-5), ("bilinear", 1e-4)])
@pytest.mark.parametrize("variant", ["uoctti", "dalal_triggs"])
def test_is_the_installed_vlfeat(vl_hog, variant, binning, within):
    cases = [((61, 83), 8, 9), ((67, 45), 6, 9), ((64, 64), 7, 4), ((4, 90), 8, 9)]
    if binning == "hard":  # of 25 pixels a cell, VLFeat's acosf alone is off by more than 1e-4
        cases.append(((60, 50), 5, 8))
    for i, (size, cell, orientations) in enumerate(cases):
        x = noise(1 + 2 * (i % 2), *size, seed=i).float() / 255
        phi = HogFeatures(variant, cell, orientations, binning)(x[None])[0].numpy()
        expected = vl_hog(x.numpy(), variant, cell, orientations, binning)
        np.testing.assert_allclose(phi, expected, rtol=0, atol=within)


@pytest.mark.parametrize("unit", [1, 255])
@pytest.mark.parametrize("orientations", [2, 6, 9, 10, 12, 14, 18])
@pytest.mark.parametrize("image", ["camera.png", "coins.png", "page.png", "text.png"])
def test_hard_bins_of_photographs_are_vlfeats(vl_hog, image, orientations, unit):
    """Ties of whole grey levels, and what rounding makes of ties between 0 and 1."""
    x = photograph(image) / unit
    expected = vl_hog(x.numpy(), "uoctti", 8, orientations, "hard")
    for dtype in (torch.float32, torch.float64):
        phi = HogFeatures(orientations=orientations)(x[None].to(dtype))[0].numpy()
        np.testing.assert_allclose(phi, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("orientations", "within"), [(6, 2e-4), (9, 4e-4), (12, 2e-3)])
@pytest.mark.parametrize("image", ["camera.png", "coins.png", "page.png", "text.png"])
def test_bilinear_bins_of_photographs_are_near_vlfeats(vl_hog, image, orientations, within):
    """As near as its acosf is to the angle."""
    x = photograph(image)
    expected = vl_hog(x.numpy(), "uoctti", 8, orientations, "bilinear")
    phi = HogFeatures(orientations=orientations, binning="bilinear")(x[None])[0].numpy()
    np.testing.assert_allclose(phi, expected, rtol=0, atol=within)
