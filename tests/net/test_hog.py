"""HOG against VLFeat, against loops, and what holds for any HOG."""

from pathlib import Path

import numpy as np
import pytest
import torch

from visprior.net.hog.hog import HogFeatures

from . import hog_loops as loops

REFERENCE = Path(__file__).parents[1] / "data" / "vlfeat_reference.npz"
BINNINGS = ["hard", "bilinear", "relu"]
VARIANTS = ["uoctti", "dalal_triggs", "paper", "dpm"]
KINDS = [(v, b) for v in VARIANTS for b in BINNINGS if v != "dpm" or b == "hard"]


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Grey levels with edges of all strengths."""
    g = torch.Generator().manual_seed(seed)
    return (255 * torch.rand(*shape, generator=g, dtype=torch.float64) ** 2).to(dtype)


@pytest.mark.parametrize(
    ("binning", "key", "within"), [("hard", "nn", 1e-6), ("bilinear", "bil", 1e-4)]
)
@pytest.mark.parametrize("image", ["gray", "syn", "rgb"])
def test_is_vlfeat(image, binning, key, within):
    """VLFeat's own acosf keeps bilinear bins from being closer."""
    data = np.load(REFERENCE)
    x = data["rgb_u8"].transpose(2, 0, 1) / np.float32(255) if image == "rgb" else None
    x = data["syn_gray" if image == "syn" else "gray"][None] if x is None else x
    expected = data[f"hog_{image}_{key}"].transpose(2, 0, 1)
    phi = HogFeatures(binning=binning)(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(phi, expected, rtol=0, atol=within)


@pytest.mark.parametrize("binning", BINNINGS)
@pytest.mark.parametrize(
    ("size", "cell", "orientations", "channels"),
    [((29, 43), 8, 9, 1), ((36, 27), 6, 9, 3), ((20, 23), 5, 8, 1), ((13, 12), 8, 4, 1)],
)
def test_any_size_is_what_loops_give(size, cell, orientations, channels, binning):
    x = noise(channels, *size)
    cells = loops.vlfeat_cells(x.numpy(), cell, orientations, binning)
    for variant, expected in (
        ("uoctti", loops.uoctti(cells)),
        ("dalal_triggs", loops.dalal_triggs(cells)),
    ):
        phi = HogFeatures(variant, cell, orientations, binning)(x[None])[0].numpy()
        np.testing.assert_allclose(phi, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", ["uoctti", "dpm"])
@pytest.mark.parametrize(("gx", "gy"), [(0, 5), (0, -5), (5, 0), (-5, 0)])
def test_upright_gradients_go_to_the_lower_bin(variant, gx, gy):
    """They lie midway between two orientations; whole grey levels have many of them."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    phi = HogFeatures(variant)((gx * x + gy * y)[None, None])[0, :18, 2, 2]
    bins = {(0, 5): 4, (0, -5): 13, (5, 0): 0, (-5, 0): 9}
    assert phi.nonzero().flatten().tolist() == [bins[gx, gy]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("orientations", "bins"),
    [(2, [0, 2, 2, 0]), (6, [1, 4, 7, 10]), (10, [2, 7, 12, 17]), (14, [3, 10, 17, 24])],
)
def test_diagonal_gradients_go_to_the_lower_bin_of_the_first_half(orientations, bins, dtype):
    """Midway between two orientations too; VLFeat's loop keeps the first, opposite or not."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    for (gx, gy), expected in zip(((3, 3), (-3, 3), (-3, -3), (3, -3)), bins, strict=True):
        image = (gx * x + gy * y)[None, None].to(dtype)
        phi = HogFeatures(orientations=orientations)(image)[0, : 2 * orientations, 2, 2]
        assert phi.nonzero().flatten().tolist() == [expected]


def test_without_texture_are_the_first_27():
    x = noise(1, 1, 40, 32)
    full, less = HogFeatures()(x), HogFeatures(texture=False)(x)
    assert less.shape == (1, 27, 5, 4)
    assert torch.equal(full[:, :27], less)


@pytest.mark.parametrize("binning", BINNINGS)
def test_mirrored_image_is_a_permutation(binning):
    """Directed k becomes 9 - k (mod 18), undirected 9 - k (mod 9), left blocks right ones."""
    x = noise(1, 1, 48, 40)
    order = [(9 - k) % 18 for k in range(18)] + [18 + (9 - k) % 9 for k in range(9)]
    order += [28, 27, 30, 29]
    hog = HogFeatures(binning=binning)
    torch.testing.assert_close(hog(x.flip(-1)), hog(x).flip(-1)[:, order], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("variant", "binning"), KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_image_is_zero_and_its_gradients_are_finite(variant, binning, dtype):
    x = torch.full((1, 3, 40, 40), 128.0, dtype=dtype)
    x.requires_grad_()
    phi = HogFeatures(variant, binning=binning)(x)
    if variant != "paper":  # which has black around the image
        assert not phi.any()
    (g,) = torch.autograd.grad(phi.sum(), x, create_graph=True)
    assert g.isfinite().all()
    if variant != "paper":
        assert not g.any()


def test_gradients_are_finite_at_contrasts_without_a_square():
    """In float32 (1e-30)^2 is zero, and (1e-22)^2 has few digits left."""
    for contrast in (1e-30, 1e-22, 1e-18):
        x = torch.zeros(1, 1, 24, 24)
        x[..., 12:] = contrast
        x.requires_grad_()
        (g,) = torch.autograd.grad(HogFeatures(binning="bilinear")(x).sum(), x)
        assert g.isfinite().all()


@pytest.mark.parametrize("binning", BINNINGS)
def test_gradients_are_finite_where_parts_of_the_image_are_flat(binning):
    x = noise(1, 1, 40, 40, dtype=torch.float32)
    x[..., :20] = 77
    x.requires_grad_()
    g = torch.autograd.grad(HogFeatures(binning=binning)(x).square().sum(), x)[0]
    assert g.isfinite().all()
    assert g.any()


@pytest.mark.parametrize(("variant", "binning"), KINDS)
def test_gradient_is_that_of_finite_differences(variant, binning):
    """Noise has no gradient on a border between bins and no value at 0.2."""
    hog = HogFeatures(variant, 6, binning=binning)
    x = noise(1, 1, 19, 20, seed=3).requires_grad_()
    phi = hog(x)
    direction = noise(*phi.shape, seed=4) / 255
    (g,) = torch.autograd.grad((phi * direction).sum(), x)
    v, h = noise(*x.shape, seed=5) / 255 - 0.3, 1e-5
    with torch.no_grad():
        slope = ((hog(x + h * v) - hog(x - h * v)) * direction).sum() / (2 * h)
    torch.testing.assert_close((g * v).sum(), slope, rtol=1e-5, atol=1e-8)
    assert torch.autograd.gradcheck(
        HogFeatures(variant, 4, 3, binning), noise(1, 1, 12, 12, seed=8).requires_grad_()
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_images_of_a_batch_are_as_alone(variant):
    x = noise(3, 3, 41, 46, dtype=torch.float32)
    hog = HogFeatures(variant)
    assert torch.equal(hog(x), torch.cat([hog(one[None]) for one in x]))


def test_an_image_that_is_not_finite_spoils_itself_only():
    x = noise(3, 1, 40, 40, dtype=torch.float32)
    x[1, 0, 10, 10], x[1, 0, 30, 9] = torch.nan, torch.inf
    phi = HogFeatures()(x)
    assert phi[[0, 2]].isfinite().all()
    assert not phi[1].isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("binning", BINNINGS)
def test_a_gpu_gives_the_same_bits_every_time(binning):
    x, hog = noise(2, 1, 200, 300, dtype=torch.float32).cuda(), HogFeatures(binning=binning)
    first = hog(x)
    assert all(torch.equal(hog(x), first) for _ in range(20))
    x = x.double()
    torch.testing.assert_close(hog(x).cpu(), hog(x.cpu()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_are_computed_in_float32(dtype):
    x = noise(1, 1, 32, 32).to(dtype)
    assert torch.equal(HogFeatures()(x), HogFeatures()(x.float()).to(dtype))
