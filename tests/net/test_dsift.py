"""Dense SIFT: VLFeat's reference values, its C library, the formulas once more, and gradients."""

import ctypes
import ctypes.util
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.errors import UserError
from visprior.net.sift.dsift import Dsift, PaperDsift, VlfeatDsift
from visprior.net.sift.features import exact_angle, polynomial_angle

REFERENCE = np.load(Path(__file__).parents[1] / "data" / "vlfeat_reference.npz")


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """(1, 1, H, W): waves and some noise, grey levels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = sum(
        a * np.sin(b * x + c * y + d)
        for a, b, c, d in rng.uniform([20, -0.5, -0.5, 0], [40, 0.5, 0.5, 6], (4, 4))
    )
    noisy = 128 + waves + rng.normal(0, 4, (height, width))
    return torch.from_numpy(noisy)[None, None]


def frames(phi: torch.Tensor) -> np.ndarray:
    """(B, 128, H', W') as VLFeat lists it: (frames, 128), the row of frames slowest."""
    return phi[0].flatten(1).T.numpy()


@pytest.mark.parametrize(("image", "key", "bin"), [("gray", "gray", 8), ("syn_gray", "syn", 4)])
@pytest.mark.parametrize(("window", "short"), [("flat", "flat"), ("gaussian", "gauss")])
def test_is_vlfeats(image: str, key: str, bin: int, window: str, short: str) -> None:
    x = 255 * torch.from_numpy(REFERENCE[image])[None, None]
    phi = VlfeatDsift(bin, bin, window=window)(x)
    np.testing.assert_allclose(frames(phi), REFERENCE[f"dsift_{key}_{short}"], atol=1e-5, rtol=0)
    exact = VlfeatDsift(bin, bin, window=window, arctangent="exact")(x)
    off = np.abs(frames(exact) - REFERENCE[f"dsift_{key}_{short}"]).max()
    assert 1e-3 < off < 5e-3  # what the polynomial costs


def test_frames_are_where_vlfeat_has_them() -> None:
    cfg = cast(DictConfig, OmegaConf.load(Path(config_dir()) / "net" / "dsift.yaml"))
    layer = build(cfg).layer("dsift", [128, 128])
    centres = REFERENCE["dsift_gray_flat_frames"][:, :2]
    x = [layer.offset + layer.stride * i for i in range(layer.shape[2])]
    assert sorted(set(centres[:, 0])) == x
    assert sorted(set(centres[:, 1])) == x


class Frame(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("x", "y", "s", "norm")]


class Filter(ctypes.Structure):
    """VlDsiftFilter of vl/dsift.h, up to the descriptors."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("width", "height", "step_x", "step_y")),
        *((name, ctypes.c_int) for name in ("left", "top", "right", "bottom")),
        *((name, ctypes.c_int) for name in ("bins_t", "bins_x", "bins_y", "size_x", "size_y")),
        ("flat", ctypes.c_int),
        ("window_size", ctypes.c_double),
        ("frames", ctypes.c_int),
        ("length", ctypes.c_int),
        ("places", ctypes.POINTER(Frame)),
        ("descriptors", ctypes.POINTER(ctypes.c_float)),
    ]


def vl_dsift(x: np.ndarray, bin: int, step: int, flat: bool, size: float) -> np.ndarray:
    """VLFeat's C library, (frames, 128)."""
    found = ctypes.util.find_library("vl")
    if found is None:
        pytest.skip("needs VLFeat's library (Debian: libvlfeat1)")
    library = ctypes.CDLL(found)
    library.vl_dsift_new_basic.restype = ctypes.POINTER(Filter)
    library.vl_dsift_process.argtypes = [ctypes.POINTER(Filter), ctypes.c_void_p]
    library.vl_dsift_delete.argtypes = [ctypes.POINTER(Filter)]
    image = np.ascontiguousarray(x, np.float32)
    dsift = library.vl_dsift_new_basic(image.shape[1], image.shape[0], step, bin)
    dsift[0].flat, dsift[0].window_size = int(flat), size
    library.vl_dsift_process(dsift, image.ctypes.data)
    shape = dsift[0].frames, dsift[0].length
    result = np.ctypeslib.as_array(dsift[0].descriptors, shape).copy()
    library.vl_dsift_delete(dsift)
    return result


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize(
    ("shape", "bin", "step", "size"),
    [((61, 83), 5, 3, 1.5), ((50, 47), 3, 2, 2.0), ((97, 130), 8, 24, 2.0), ((9, 4), 1, 1, 1.0)],
)
def test_is_the_c_librarys(
    shape: tuple[int, int], bin: int, step: int, size: float, flat: bool
) -> None:
    x = picture(*shape).float()
    expected = vl_dsift(x[0, 0].numpy(), bin, step, flat, size)
    module = VlfeatDsift(bin, step, window="flat" if flat else "gaussian", window_size=size)
    np.testing.assert_allclose(frames(module(x)), expected, atol=1e-5, rtol=0)


def loop_dsift(x: np.ndarray, bin: int, step: int, gaussian: bool, size: float) -> np.ndarray:
    """VLFeat's dense SIFT with loops over pixels, frames and bins, exact arctangent."""
    height, width = x.shape
    votes = np.zeros((8, height, width))
    for v in range(height):
        for u in range(width):
            left, right = max(u - 1, 0), min(u + 1, width - 1)
            top, bottom = max(v - 1, 0), min(v + 1, height - 1)
            gx = (x[v, right] - x[v, left]) / (right - left)
            gy = (x[bottom, u] - x[top, u]) / (bottom - top)
            t = math.atan2(gy, gx) % (2 * math.pi) * 8 / (2 * math.pi)
            votes[int(t) % 8, v, u] += math.hypot(gx, gy) * (1 - t % 1)
            votes[(int(t) + 1) % 8, v, u] += math.hypot(gx, gy) * (t % 1)

    def weights(i: int) -> list[float]:
        place = [(d - bin * (1.5 - i)) / (bin * size) for d in range(1 - bin, bin)]
        gauss = [math.exp(-p * p / 2) for p in place]
        mean = sum(gauss) / len(gauss)
        triangle = [1 - abs(d) / bin for d in range(1 - bin, bin)]
        return [k * (g if gaussian else mean) for k, g in zip(triangle, gauss, strict=True)]

    found = []
    for top in range(0, height - 3 * bin, step):
        for left in range(0, width - 3 * bin, step):
            values = []
            for j in range(4):
                for i in range(4):
                    value = np.zeros(8)
                    for dy, wy in zip(range(1 - bin, bin), weights(j), strict=True):
                        for dx, wx in zip(range(1 - bin, bin), weights(i), strict=True):
                            row = min(max(top + j * bin + dy, 0), height - 1)
                            column = min(max(left + i * bin + dx, 0), width - 1)
                            value += wy * wx * votes[:, row, column]
                    values += value.tolist()
            v = np.array(values) / np.linalg.norm(values)
            v = np.minimum(v, 0.2)
            found.append(v / np.linalg.norm(v))
    return np.array(found)


@pytest.mark.parametrize("window", ["flat", "gaussian"])
@pytest.mark.parametrize(("shape", "bin", "step"), [((17, 22), 4, 3), ((23, 14), 3, 5)])
def test_is_the_formula(shape: tuple[int, int], bin: int, step: int, window: str) -> None:
    x = picture(*shape)
    module = VlfeatDsift(bin, step, window=window, window_size=1.5, arctangent="exact")
    expected = loop_dsift(x[0, 0].numpy(), bin, step, window == "gaussian", 1.5)
    np.testing.assert_allclose(frames(module(x)), expected, atol=1e-6, rtol=0)


def test_bounds_pick_frames() -> None:
    x, whole = picture(60, 70), VlfeatDsift(4, 2)(picture(60, 70))
    inside = VlfeatDsift(4, 2, bounds=[10, 6, 40, 90])(x)
    assert inside.shape[-2:] == ((59 - 6 - 12) // 2 + 1, (40 - 10 - 12) // 2 + 1)
    rows, columns = inside.shape[-2:]
    torch.testing.assert_close(inside, whole[..., 3 : 3 + rows, 5 : 5 + columns])


def test_angles() -> None:
    turn = torch.linspace(-math.pi + 1e-6, math.pi, 10_001, dtype=torch.float64)
    x, y = 3 * turn.cos(), 3 * turn.sin()
    torch.testing.assert_close(exact_angle(x, y), turn)
    off = (polynomial_angle(x, y) - turn).abs().max()
    assert 0.006 < off < 0.0062


PAPER_CELLS = {(224, 224): (8, 8), (227, 227): (8, 8), (140, 80): (5, 2)}


@pytest.mark.parametrize(("size", "cells"), PAPER_CELLS.items())
def test_the_papers_network_has_its_sizes(size: tuple[int, int], cells: tuple[int, int]) -> None:
    assert PaperDsift()(picture(*size)).shape == (1, 128, *cells)


def test_the_papers_window() -> None:
    module = PaperDsift(8)
    # Everywhere the same gradient, along x: one bin of every cell, weighed, of norm 1.
    ramp = torch.arange(66.0).expand(1, 1, 66, 66)
    phi = module(ramp)[0, :, 0, 0].view(4, 4, 8)
    axis = [0.606531, 0.945959, 0.945959, 0.606531]
    weight = np.outer(axis, axis)
    expected = np.minimum(weight / np.linalg.norm(weight), 0.2)
    np.testing.assert_allclose(phi[..., 0], expected, rtol=1e-5)
    assert phi[..., 1:].abs().max() == 0


def test_the_papers_network_is_near_vlfeats() -> None:
    x = picture(224, 224)
    paper = PaperDsift(8)(x)
    # The paper's frame 0 is centred at 20.5, VLFeat's with a corner at 8 or 9 at 20 or 21.
    near = VlfeatDsift(8, 24, bounds=[8, 8, 223, 223], window_size=1.5)(x)[..., :8, :8]
    off = float((paper - near).norm() / near.norm())
    assert 0.05 < off < 0.15


MODULES = [
    VlfeatDsift(3, 2),
    VlfeatDsift(3, 4, window="gaussian"),
    VlfeatDsift(3, 4, arctangent="exact"),
    PaperDsift(3),
]


@pytest.mark.parametrize("module", MODULES)
def test_gradient(module: torch.nn.Module) -> None:
    x = picture(15, 17).requires_grad_()
    assert torch.autograd.gradcheck(module, (x,), eps=1e-5, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("arctangent", ["polynomial", "exact"])
@pytest.mark.parametrize("variant", ["vlfeat", "paper"])
def test_a_constant_image_is_harmless(variant: str, arctangent: str) -> None:
    module = Dsift(variant, 4, arctangent=arctangent).cut(["dsift"], "cpu", size=48)
    x = torch.full((2, 1, 48, 48), 128.0)
    x[1, :, 20:] = 160.0  # flat on both sides of an edge
    x.requires_grad_()
    phi = module(x)["dsift"]
    assert phi[0].abs().max() == 0
    assert phi[1].abs().max() > 0.1
    (phi - 1).square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad[1].abs().max() > 0


def test_the_clamp_passes_gradient_below_it() -> None:
    v = torch.zeros(1, 128, 1, 1, dtype=torch.float64)
    v[0, :60] = 1.0
    v[0, 0] = 100.0
    v.requires_grad_()
    # Of the paper's only norm: 100 / |v| is clamped, the others still see their own values.
    PaperDsift().normalise(v)[0, 0].sum().backward()
    assert v.grad is not None
    assert v.grad.abs().max() == 0
    PaperDsift().normalise(v)[0, 1].sum().backward()
    assert v.grad[0, 1] > 0


def test_a_batch_is_separable() -> None:
    x = torch.cat([picture(61, 50, seed) for seed in range(3)])
    for module in (VlfeatDsift(4, 3), PaperDsift(4)):
        singles = torch.cat([module(one[None]) for one in x])
        torch.testing.assert_close(module(x), singles, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"variant": "vlfeet"}, "did you mean 'vlfeat'"),
        ({"bin": 0}, "net.bin must be a whole number >= 1"),
        ({"bin": 2.5}, "net.bin must be a whole number >= 1"),
        ({"step": 0}, "net.step must be a whole number >= 1"),
        ({"step": "8px"}, "net.step must be a whole number >= 1"),
        ({"window": "gauss"}, "net.window=gauss"),
        ({"window_size": 0.0}, "net.window_size must be > 0"),
        ({"arctangent": "fast"}, "net.arctangent=fast"),
        ({"bounds": [0, 0, 9]}, "net.bounds must be"),
        ({"bounds": [0, 0, 60.5, 60]}, "net.bounds must be"),
        ({"variant": "paper", "step": 8}, "net.step=8 needs net.variant=vlfeat"),
    ],
)
def test_mistakes(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        Dsift(**settings)


def test_an_image_without_a_frame() -> None:
    net = Dsift("paper", 8)
    with pytest.raises(UserError, match="40x40 pixels do not get to layer 'dsift'"):
        net.layer("dsift", 40)
    with pytest.raises(UserError, match="2x2 pixels do not get to layer 'dsift'"):
        net.layer("dsift", 2)
    assert net.layer("dsift", 42).shape == (128, 1, 1)


@pytest.mark.parametrize("variant", ["vlfeat", "paper"])
def test_what_a_frame_sees(variant: str) -> None:
    net = Dsift(variant, 4)
    layer = net.layer("dsift", 80)
    x = picture(80, 80).requires_grad_()
    phi = net.cut(["dsift"], "cpu", torch.float64, 80)(x)["dsift"]
    phi[0, :, 2, 2].square().dot(torch.linspace(1, 2, 128, dtype=torch.float64)).backward()
    assert x.grad is not None
    seen = x.grad[0, 0].abs().amax(0).nonzero().flatten()
    first, end = layer.box(2, 2)
    assert (int(seen[0]), int(seen[-1]) + 1) == (max(first, 0), min(end, 80))
