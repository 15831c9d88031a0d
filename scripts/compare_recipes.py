"""Which recipe inverts best: mean error and SSIM over layers and photographs, in 350 steps.

    python scripts/compare_recipes.py [--size 224] [--images astronaut ...] [--recipes NAME ...]

A recipe is a list of overrides of the default job (update rule, start, schedule, weights). Random
He weights of VGG-19; every recipe sees the same weights, targets and seed. One line is printed per
recipe as it is done.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

from hydra import compose, initialize_config_dir

from visprior.config import config_dir, register
from visprior.experiment import run
from visprior.record.files import read_json

LAYERS = ["relu2_2", "relu3_1", "relu4_1"]
COSINE = "{steps: 350, step_size: {from: %g, to: %g, curve: cosine}}"


def adam(high: float, low: float, *more: str) -> list[str]:
    """Adam over 350 steps, its step size a cosine from high to low, without jitter."""
    stage = COSINE % (high, low)
    return [
        "optimizer=adam",
        f"schedule.stages=[{stage}]",
        "schedule.per_pixel=false",
        "regularizer.jitter=null",
        *more,
    ]


def weights(tv: float, alpha: float, bound: str = "null") -> list[str]:
    """Weights of the two regularizers and the bound."""
    return [
        f"regularizer.tv.weight={tv}",
        f"regularizer.alpha_norm.weight={alpha}",
        f"regularizer.alpha_norm.bound={bound}",
    ]


RECIPES = {
    "mahendran2016": ["regularizer.jitter=null"],
    "mahendran2016, weights / 10": ["regularizer.jitter=null", *weights(0.1, 0.1)],
    "mahendran2016, mean start, weights / 10": [
        "regularizer.jitter=null", "task.start=mean", *weights(0.1, 0.1),
    ],
    "adam 10, weights / 10": adam(10, 0.1, *weights(0.1, 0.1)),
    "adam 10, mean start, weights / 10": adam(10, 0.1, "task.start=mean", *weights(0.1, 0.1)),
    "adam 10, mean start, tv 0.1": adam(10, 0.1, "task.start=mean", *weights(0.1, 0.01)),
    "adam 10, mean start, tv 0.02": adam(10, 0.1, "task.start=mean", *weights(0.02, 0.01)),
    "adam 10, mean start, tv 0.3": adam(10, 0.1, "task.start=mean", *weights(0.3, 0.01)),
    "adam 20, mean start, tv 0.1": adam(20, 0.1, "task.start=mean", *weights(0.1, 0.01)),
    "adam 5, mean start, tv 0.1": adam(5, 0.1, "task.start=mean", *weights(0.1, 0.01)),
    "best_inversion": ["+experiment=best_inversion"],  # adam 40, mean start, tv 0.1
    "adam 40, mean start, tv 0.3": adam(40, 0.1, "task.start=mean", *weights(0.3, 0.01)),
    "adam 30, mean start, tv 0.1, betas 0.9 0.99": adam(
        30, 0.1, "task.start=mean", "optimizer.betas=[0.9,0.99]", *weights(0.1, 0.01)
    ),
}  # fmt: skip


def measure(overrides: list[str], images: list[str], size: int, net: list[str]) -> list[dict]:
    """One row per layer: the summary of its metrics."""
    rows = []
    for layer in LAYERS:
        keys = [
            "net=vgg19",
            f"layer={layer}",
            f"image=[{','.join(images)}]",
            f"size={size}",
            *net,
            *overrides,
        ]
        with initialize_config_dir(config_dir(), version_base="1.3"):
            cfg = compose("config", overrides=keys)
        with tempfile.TemporaryDirectory() as folder:
            run(cfg, Path(folder), {"task": "inversion", "net": "vgg19"})
            rows.append(read_json(Path(folder) / "metrics.json")["summary"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", nargs="+", default=["astronaut", "chelsea", "coffee"])
    parser.add_argument("--net", nargs="+", default=["net.weights=random"])
    args = parser.parse_args()
    register()
    logging.disable(logging.INFO)
    print(f"{args.size} px, {' '.join(args.images)}; error / SSIM at {' '.join(LAYERS)}, mean")
    for name in args.recipes or RECIPES:
        begin = time.perf_counter()
        rows = measure(RECIPES[name], args.images, args.size, args.net)
        cells = [f"{r['error']:.4f}/{r['ssim']:.3f}" for r in rows]
        error = sum(r["error"] for r in rows) / len(rows)
        ssim = sum(r["ssim"] for r in rows) / len(rows)
        seconds = time.perf_counter() - begin
        print(
            f"{name}: {' '.join(cells)}, mean {error:.4f}/{ssim:.3f} ({seconds:.0f} s)", flush=True
        )


if __name__ == "__main__":
    main()
