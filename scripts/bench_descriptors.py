"""What descriptors cost against VLFeat's C library, one core each.

    python scripts/bench_descriptors.py [--size 512] [--rounds 25]

Each round runs every contender once; printed are the medians of milliseconds and of the ratio to
VLFeat in the same round. Forward passes of a grey and a colour image, and forward with backward.
Without the library (Debian: libvlfeat1) there is nothing to compare with: one line says so.
"""

import argparse
import ctypes
import ctypes.util
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from visprior.data.picture import find_pictures, load_picture
from visprior.net.hog.hog import HogFeatures
from visprior.net.sift.dsift import VlfeatDsift

Contender = tuple[str, Callable[[], object]]  # its name and one run of it


def vl_hog(lib: ctypes.CDLL, image: np.ndarray, bilinear: bool) -> Callable[[], np.ndarray]:
    """One run of vl_hog, UoCTTI, cells of 8: (C, H, W) float32 -> (31, rows, columns)."""
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    lib.vl_hog_new.restype = pointer
    for side in ("width", "height", "dimension"):
        getattr(lib, f"vl_hog_get_{side}").restype = size
    channels, height, width = map(size, image.shape)

    def extract() -> np.ndarray:
        hog = pointer(lib.vl_hog_new(ctypes.c_int(1), size(9), ctypes.c_int(0)))
        lib.vl_hog_set_use_bilinear_orientation_assignments(hog, int(bilinear))
        lib.vl_hog_put_image(hog, pointer(image.ctypes.data), width, height, channels, size(8))
        shape = [getattr(lib, f"vl_hog_get_{s}")(hog) for s in ("dimension", "height", "width")]
        out = np.empty(shape, np.float32)
        lib.vl_hog_extract(hog, pointer(out.ctypes.data))
        lib.vl_hog_delete(hog)
        return out

    return extract


class DsiftFilter(ctypes.Structure):
    """The head of VlDsiftFilter (vl/dsift.h), which has no functions to set these."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("width", "height", "step_x", "step_y")),
        *((name, ctypes.c_int) for name in ("left", "top", "right", "bottom")),
        *((name, ctypes.c_int) for name in ("bins_t", "bins_x", "bins_y", "size_x", "size_y")),
        ("flat", ctypes.c_int),
        ("window_size", ctypes.c_double),
    ]


def vl_dsift(lib: ctypes.CDLL, image: np.ndarray, step: int, flat: bool) -> Callable[[], None]:
    """One run of vl_dsift, bins of 8: (H, W) float32."""
    lib.vl_dsift_new_basic.restype = ctypes.POINTER(DsiftFilter)
    height, width = image.shape

    def extract() -> None:
        dsift = lib.vl_dsift_new_basic(width, height, step, 8)
        dsift[0].flat = int(flat)
        lib.vl_dsift_process(dsift, ctypes.c_void_p(image.ctypes.data))
        lib.vl_dsift_delete(dsift)

    return extract


def both_ways(module: torch.nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """Forward and backward to the image."""
    x = x.clone().requires_grad_()
    return lambda: torch.autograd.grad(module(x).square().sum(), x)


def hog(lib: ctypes.CDLL, size: int) -> list[list[Contender]]:
    """VLFeat first, then visprior, for each kind of image and binning."""
    path = find_pictures("astronaut")[0][1]
    lines = []
    for channels, word in ((1, "grey"), (3, "colour")):
        x = load_picture(path, (size, size), channels).contiguous()
        for binning in ("hard", "bilinear"):
            module = HogFeatures(binning=binning)
            c = vl_hog(lib, x[0].numpy(), binning == "bilinear")
            name = f"hog {binning} {word}"
            forward: Contender = (f"{name}, forward", lambda m=module, x=x: m(x))
            backward: Contender = (f"{name}, and backward", both_ways(module, x))
            lines.append([(f"{name}, VLFeat", c), forward, backward])
    return lines


def dsift(lib: ctypes.CDLL, size: int) -> list[list[Contender]]:
    """VLFeat first, then visprior, for both windows and two steps."""
    x = load_picture(find_pictures("astronaut")[0][1], (size, size), 1).contiguous()
    lines = []
    for window, step in (("flat", 8), ("flat", 24), ("gaussian", 8)):
        module = VlfeatDsift(8, step, window=window)
        c = vl_dsift(lib, x[0, 0].numpy(), step, window == "flat")
        name = f"dsift {window} step {step}"
        forward: Contender = (f"{name}, forward", lambda m=module: m(x))
        backward: Contender = (f"{name}, and backward", both_ways(module, x))
        lines.append([(f"{name}, VLFeat", c), forward, backward])
    return lines


def compare(contenders: list[Contender], rounds: int) -> None:
    """Print the medians of times and of ratios to the first contender."""
    times = []
    for _ in range(rounds + 2):
        row = []
        for _, go in contenders:
            start = time.perf_counter()
            go()
            row.append(time.perf_counter() - start)
        times.append(row)
    for i, (name, _) in enumerate(contenders):
        own = statistics.median(row[i] for row in times[2:])
        ratio = statistics.median(row[i] / row[0] for row in times[2:])
        print(f"{name:36s} {1e3 * own:7.2f} ms   {ratio:5.2f} x VLFeat")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    torch.set_num_threads(1)
    name = ctypes.util.find_library("vl")
    if name is None:
        print("VLFeat is not installed (Debian: apt-get install libvlfeat1); nothing to compare")
        return
    lib = ctypes.CDLL(name)
    for contenders in [*hog(lib, args.size), *dsift(lib, args.size)]:
        compare(contenders, args.rounds)


if __name__ == "__main__":
    main()
