"""Which recipe inverts best: error and SSIM of the saved pictures over networks and depths.

    python scripts/compare_recipes.py [--nets vgg19 ...] [--images rocket ...] [--keep FOLDER]

Prints a Markdown table. A recipe is a list of overrides; each one gets 350 steps (--steps), the
same photographs, weights and seeds. The error ||Phi(x) - Phi0|| / ||Phi0|| and SSIM are those of
the picture in the file, clipped to 0..255 and rounded to 8 bits, and means over photographs and
seeds. A seed is that of start and jitter, and of the weights where they are random. best_inversion
was tuned on astronaut, chelsea, coffee, clock and moon: those are not for this table.
"""

import argparse
import logging
import tempfile
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor

from visprior.config.build import build
from visprior.config.schema import config_dir, register
from visprior.data.picture import find_pictures, load_picture
from visprior.files.whole import read_json
from visprior.job.run import run
from visprior.metric.ssim import ssim

RECIPES = {
    "mahendran2016": ["+experiment=mahendran2016"],  # C and jitter by the layer's depth
    "mahendran2016, C = 300": ["+experiment=mahendran2016", "task.C=300"],
    "best_inversion": ["+recipe=best_inversion"],
    "adam_from_the_mean": [  # lower at shallow layers, much higher at deep ones
        "optimizer=adam",
        "regularizer=[tv,alpha_norm]",
        "task.start=mean",
        "regularizer.tv.weight=0.1",
        "regularizer.alpha_norm.weight=0.01",
        "regularizer.alpha_norm.bound=null",
        "schedule.per_pixel=false",
        "schedule.stages=[{steps: 350, step_size: {from: 40, to: 0.1, curve: cosine}}]",
    ],
}
PAIR = ["mahendran2016", "best_inversion"]
NETS = {
    "vgg19": ["net=vgg19", "net.weights=random", "size=112"],
    "shapes_vgg": ["net=shapes_vgg"],
    "shapes_vgg_robust": ["net=shapes_vgg_robust"],
    "shapes_alex": ["net=shapes_alex"],
}
DEPTHS = ["shallow", "middle", "deep"]
QUIET = ["metric.spectrum=false", "metric.classify.nets=null", "metric.ssim=false"]
Score = tuple[float, float]  # error, SSIM


def measure(recipe: str, net: str, depth: str, args: argparse.Namespace) -> Score:
    """Mean error and SSIM of the pictures of a recipe, over photographs and seeds."""
    found = []
    for seed in args.seeds:
        keys = [*NETS[net], f"layer={depth}", f"image=[{','.join(args.images)}]", f"seed={seed}"]
        keys += [f"net.seed={seed}"] if "net.weights=random" in keys else []
        keys += [*QUIET, *RECIPES[recipe], *args.more]
        keys += [f"schedule.steps={args.steps}"] if args.steps else []
        with initialize_config_dir(config_dir(), version_base="1.3"):
            cfg = compose("config", overrides=keys)
        with tempfile.TemporaryDirectory() as scratch:
            name = f"{net}_{depth}_{recipe}_{seed}".replace(" ", "")
            folder = Path(args.keep, name) if args.keep else Path(scratch)
            run(cfg, folder, {"task": "inversion", "net": net})
            rows = read_json(folder / "metrics.json")["images"]
            found.append(score_files(cfg, [folder / row["file"] for row in rows]))
    scores = torch.cat(found).mean(0)
    return float(scores[0]), float(scores[1])


def score_files(cfg: DictConfig, files: list[Path]) -> Tensor:
    """Error and SSIM of pre-images as their files hold them, (n, 2)."""
    net = build(cfg.net)
    size = (cfg.size, cfg.size) if cfg.size else net.size
    cut = net.cut([cfg.layer], "cpu", size=size)
    scores = []
    for file, (_, source) in zip(files, find_pictures(list(cfg.image)), strict=True):
        x, target = load_picture(file, None, net.channels), load_picture(source, size, net.channels)
        with torch.no_grad():
            phi, phi0 = cut(x)[cfg.layer], cut(target)[cfg.layer]
        error = ((phi - phi0).norm() / phi0.norm()).double()
        scores.append(torch.stack([error, ssim(x, target)[0]]))
    return torch.stack(scores)


def table(args: argparse.Namespace) -> None:
    """Print a row per network and recipe as it is done, then what the cells say together."""
    header = [*args.depths, "mean"]
    print(f"| network | recipe | {' | '.join(header)} |\n|{'---|' * (len(header) + 2)}")
    cells: dict[str, dict[str, Score]] = {name: {} for name in args.recipes}
    for net in args.nets:
        for name in args.recipes:
            row = {f"{net} {d}": measure(name, net, d, args) for d in args.depths}
            cells[name] |= row
            print(
                f"| {net} | {name} | {written([*row.values(), mean(row.values())])} |", flush=True
            )
    for name in args.recipes:
        print(
            f"| all | {name} | {'| ' * len(args.depths)}{written([mean(cells[name].values())])} |"
        )
    first, last = cells[args.recipes[0]], cells[args.recipes[-1]]
    lost = [cell for cell in last if last[cell][0] >= first[cell][0]]
    duller = [cell for cell in last if last[cell][1] < first[cell][1]]
    print(f"\n{args.recipes[-1]} against {args.recipes[0]}, {len(last)} cells")
    print(f"error not lower: {', '.join(lost) or 'nowhere'}")
    print(f"SSIM lower: {', '.join(duller) or 'nowhere'}")


def mean(scores: object) -> Score:
    """The mean error and SSIM of several cells."""
    both = torch.tensor(list(scores), dtype=torch.float64).mean(0)  # pyright: ignore
    return float(both[0]), float(both[1])


def written(scores: list[Score]) -> str:
    """`error / SSIM | error / SSIM`."""
    return " | ".join(f"{error:.3f} / {likeness:.3f}" for error, likeness in scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--depths", nargs="+", default=DEPTHS, help="layers; aliases or names")
    parser.add_argument("--recipes", nargs="+", default=PAIR, choices=list(RECIPES))
    parser.add_argument("--images", nargs="+", default=["rocket", "motorcycle_left", "camera"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--steps", type=int, help="shortens every recipe to so many")
    parser.add_argument("--keep", help="folder for the runs; those that are there are not repeated")
    parser.add_argument("--more", nargs="+", default=[], help="further overrides of every job")
    args = parser.parse_args()
    register()
    logging.disable(logging.INFO)
    print(f"Photographs {', '.join(args.images)}; seeds {args.seeds}; error / SSIM\n")
    table(args)


if __name__ == "__main__":
    main()
