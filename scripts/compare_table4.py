"""Which recipe inverts HOG and dense SIFT best: mean error, error in DPM's features, and SSIM.

The errors are of the float images (unclipped), as in the paper's table; SSIM is of the pictures.

    python scripts/compare_table4.py [--size 192] [--images astronaut ...] [--recipes NAME ...]

A recipe is a list of overrides of the default job, with the paper's own networks. One line is
printed per recipe and representation as it is done: the means over the photographs, and seconds
per photograph. --keep FOLDER keeps the pictures.
"""

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from visprior.config.schema import config_dir, register
from visprior.files.whole import read_json
from visprior.job.run import run

NETS = ["hog", "hog_through", "hogb", "hogr", "dsift"]
COMMON = [
    "net.variant=paper",
    "metric.error_in.nets={dpm: {net: hog, variant: dpm}}",
    "metric.classify.nets=null",
    "metric.spectrum=false",
]


SOFT = ["regularizer=[tv,alpha_norm,fluid]", "kernel=gaussian"]


def adam(high: float, tv: float, *more: str, steps: int = 350) -> list[str]:
    """Adam, its step size a cosine from high to 0.1, within 0..255, from noise."""
    stage = f"{{steps: {steps}, step_size: {{from: {high}, to: 0.1, curve: cosine}}}}"
    return [
        "optimizer=adam",
        f"schedule.stages=[{stage}]",
        "schedule.per_pixel=false",
        "regularizer=[tv,alpha_norm]",
        f"regularizer.tv.weight={tv}",
        "regularizer.alpha_norm.weight=0.01",
        "regularizer.alpha_norm.bound=128",
        "task.C=100",
        *more,
    ]


BETAS = "optimizer.betas=[0.95,0.99]"
PAPER = [
    "net.mean=0",
    "record.stretch=true",
    "regularizer=[tv,alpha_norm]",
    "schedule.stages=[{steps: 300, step_size: 53.333333333333336}]",
]
RECIPES: dict[str, list[str]] = {
    "paper, C 100": [*PAPER, "task.C=100"],
    "paper, C 20": [*PAPER, "task.C=20"],
    "paper, C 100, centre 128": [*PAPER, "net.mean=128", "task.C=100"],
    "adam 10, tv 0.1": adam(10, 0.1),
    "adam 10, tv 0.3": adam(10, 0.3),
    "adam 10, tv 0.03": adam(10, 0.03),
    "adam 10, tv 0.1, betas": adam(10, 0.1, BETAS),
    "adam 20, tv 0.1, betas": adam(20, 0.1, BETAS),
    "adam 20, betas, filter 5": adam(20, 0.1, BETAS, *SOFT, "kernel.size=5"),
    "adam 20, betas, filter 9": adam(20, 0.1, BETAS, *SOFT, "kernel.size=9"),
    "adam 20, betas, filter 15": adam(20, 0.1, BETAS, *SOFT, "kernel.size=15"),
    "adam 20, betas, filter 9, 500": adam(20, 0.1, BETAS, *SOFT, "kernel.size=9", steps=500),
    "adam 20, betas, filter 9, 1000": adam(20, 0.1, BETAS, *SOFT, "kernel.size=9", steps=1000),
}


def measure(net: str, overrides: list[str], args: argparse.Namespace, folder: Path) -> Any:
    """The summary of a run's metrics and its seconds."""
    keys = [f"net={net}", f"image=[{','.join(args.images)}]", f"size={args.size}", *COMMON]
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", overrides=[*keys, *overrides, *args.more])
    run(cfg, folder, {"task": "inversion", "net": net})
    return read_json(folder / "metrics.json")["summary"], read_json(folder / "run.json")["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--nets", nargs="+", default=NETS)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--images", nargs="+", default=["astronaut", "camera"])
    parser.add_argument("--more", nargs="+", default=[], help="overrides of every recipe")
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    register()
    logging.disable(logging.INFO)
    print(
        f"{args.size} px, {' '.join(args.images)}: mean error, DPM error (unclipped), SSIM, s each"
    )
    for name in args.recipes:
        for net in args.nets:
            with tempfile.TemporaryDirectory() as scratch:
                kept = args.keep and args.keep / f"{name}_{net}".replace(" ", "_")
                found, seconds = measure(net, RECIPES[name], args, Path(kept or scratch))
            errors = f"{found['error_unclipped']:.4f} {found['error_dpm_unclipped']:.4f}"
            numbers = f"{errors} {found['ssim']:.3f}"
            print(f"{name:32} {net:12} {numbers} {seconds / len(args.images):.1f} s", flush=True)


if __name__ == "__main__":
    main()
