"""What the loop costs: visprior's step against a bare PyTorch step of the same energy and update.

    python scripts/bench_loop.py [--pairs 60] [--device cpu|cuda] [--size 224]

Both use the same cut net (frozen, channels_last) and record nothing. The steps are interleaved;
printed are the medians of the ratios of each pair, and of the bare loop against itself as a measure
of the machine's noise. On a CPU: one thread, process time. On CUDA: wall time, synchronised.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from hydra import compose, initialize_config_dir

from visprior.config.build import build
from visprior.config.schema import config_dir, register
from visprior.data.picture import find_pictures, load_picture
from visprior.loop.problem import Problem
from visprior.loop.solver import Solver
from visprior.loop.start import noise
from visprior.objective.data_terms import FeatureDistance
from visprior.regularizer.base import Scene

CASES = [("vgg19", "conv3_1", 0.03), ("mobilenet_v2", "block_12_add", 0.10)]


def visprior_step(net: str, layer: str, device: str, size: int) -> tuple[Callable, Callable]:
    """(a step of the solver, the cut net) for an inversion of a photograph."""
    keys = [f"net={net}", "net.weights=random", "regularizer.jitter=null", "schedule.steps=100000"]
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", overrides=keys)
    phi, schedule = build(cfg.net), build(cfg.schedule)
    cut = phi.cut([layer], device, torch.float32, (size, size))
    parts = {str(k): build(node) for k, node in cfg.regularizer.items() if node}
    for part in parts.values():
        part.prepare(Scene((size, size), phi.center, phi.layer(layer).stride))
    picture = load_picture(find_pictures("astronaut")[0][1], (size, size), 3).to(device)
    with torch.no_grad():
        target = cut(picture)[layer]
    problem = Problem(
        features=cut,
        objective=FeatureDistance(layer, target, None, 300.0),
        optimizer=build(cfg.optimizer),
        stages=schedule.stages("inversion"),
        seeds=[0],
        size=(size, size),
        fill=phi.center,
        regularizers=parts,
        per_pixel=schedule.per_pixel,
        device=torch.device(device),
    )
    solver = Solver(problem)
    moment = solver.first

    def step() -> None:
        nonlocal moment
        moment = solver.step(moment)

    return step, cut


def bare_step(cut: Callable, layer: str, device: str, size: int, mean: list[float]) -> Callable:
    """The same energy and update, written as one would without a library."""
    centre = torch.tensor(mean, device=device)[:, None, None]
    picture = load_picture(find_pictures("astronaut")[0][1], (size, size), 3).to(device)
    with torch.no_grad():
        target = cut(picture)[layer]
    norm = float(target.square().sum())
    x = noise([0], (size, size), mean).float().to(device)
    window, momentum = torch.zeros_like(x), torch.zeros_like(x)
    lr, area = size * size * 53.3333, size * size
    tv, alpha = (6.5 / 80) ** 2 / area, 80.0**-6 / area

    def step() -> None:
        nonlocal x
        leaf = x.detach().requires_grad_()
        loss = 300 * (cut(leaf)[layer] - target).square().sum() / norm
        dx, dy = leaf[..., 1:] - leaf[..., :-1], leaf[..., 1:, :] - leaf[..., :-1, :]
        loss = loss + tv * (dx.square().sum() + dy.square().sum())
        loss = loss + alpha * ((leaf - centre).square().sum(1) ** 3).sum()
        (g,) = torch.autograd.grad(loss, leaf)
        with torch.no_grad():
            window.mul_(0.9).addcmul_(g, g)
            momentum.mul_(0.9).sub_(g / (1 / lr + window.sqrt()))
            d = x + momentum - centre
            length = d.square().sum(1, keepdim=True).sqrt()
            x = centre + d * (160 / length).clamp(max=1)

    return step


def timed(step: Callable, device: str) -> float:
    """Seconds of one step."""
    if device == "cuda":
        torch.cuda.synchronize()
        begin = time.perf_counter()
        step()
        torch.cuda.synchronize()
        return time.perf_counter() - begin
    begin = time.process_time()
    step()
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    register()
    mean = [123.675, 116.28, 103.53]
    print(f"{args.device}, {args.size} px, batch 1, {args.pairs} pairs, torch {torch.__version__}")
    for net, layer, aim in CASES:
        ours, cut = visprior_step(net, layer, args.device, args.size)
        bare = bare_step(cut, layer, args.device, args.size, mean)
        twin = bare_step(cut, layer, args.device, args.size, mean)
        for step in (ours, bare, twin) * 3:
            step()
        rows = [[timed(f, args.device) for f in (bare, ours, twin)] for _ in range(args.pairs)]
        ratio = statistics.median(o / b for b, o, _ in rows)
        noise_ratio = statistics.median(t / b for b, _, t in rows)
        bare_ms = 1000 * statistics.median(b for b, _, _ in rows)
        print(
            f"{net} {layer}: bare {bare_ms:.1f} ms a step; visprior / bare {ratio:.3f} "
            f"(aim {1 + aim:.2f}), bare / bare {noise_ratio:.3f}"
        )


if __name__ == "__main__":
    main()
