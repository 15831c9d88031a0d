"""What lucent does in the same time: the same channel, size and 512 steps of lucid's recipe.

    python -m venv PEER && PEER/bin/pip install torch-lucent==0.1.8
    python scripts/bench_peers.py --peer PEER/bin/python [--net shapes_vgg] [--size 128]

Both programs run as they are shipped, in two processes of one thread each that take turns in
blocks of 16 steps: `visprior +experiment=lucid` with all that it records, lucent's render_vis with
its defaults (Fourier coefficients, decorrelated colour, transforms, Adam 0.05). lucent resizes what
the network sees to `fixed_image_size`; it is given the image's size, so that both networks see
equally many pixels (as it is, it shows the network 224 pixels or more, which takes it longer).

Both get the same weights: vgg19 with He's normal initialisation from a seed (no pretrained weights
are needed), or those of a shipped network. The channels are those in the middle of the layer's list
of channels, one after the other, which is no choice for what they show. Printed are the process
time of a step (the median over blocks), and the mean of the channel on both final pictures (8 bits
per colour, no transforms), measured by one function. lucent's is measured twice: its network saw
the picture with a margin of 12 pixels resized to the size, so also at that scale.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

BLOCK = 16
ROOT = Path(__file__).resolve().parents[1]
# The layer by its name here and in lucent (modules joined by _), and the network's normalisation.
NETS = {
    "vgg19": ("relu4_1", "features_20", None),
    "shapes_vgg": ("relu3_1", "block3_relu1", ([0.43, 0.40, 0.40], [0.27, 0.25, 0.27])),
}


class Turns:
    """Lets the other process run after every block of steps; counts this process' time."""

    def __init__(self) -> None:
        self.steps = 0
        self.begun = 0.0

    def before_a_step(self) -> None:
        """Called at the start of each step."""
        if self.steps % BLOCK == 0:
            if self.steps:
                self.end_of_block()
            sys.stdin.readline()  # until it is this process' turn
            self.begun = time.process_time()
        self.steps += 1

    def end_of_block(self) -> None:
        """Tell the time of the block."""
        print(json.dumps({"seconds": time.process_time() - self.begun}), flush=True)


def visprior_worker(job: dict[str, Any], turns: Turns) -> np.ndarray:
    """`visprior +experiment=lucid`, (H, W, 3) in 0..1."""
    from hydra import compose, initialize_config_dir

    from visprior.config import config_dir, register
    from visprior.experiment import run
    from visprior.solver import Solver

    own_step = Solver._step

    def step(self: Solver, m: Any) -> Any:
        turns.before_a_step()
        return own_step(self, m)

    Solver._step = step
    register()
    keys = ["+experiment=lucid", f"net={job['net']}", f"layer={job['layer']}", "device=cpu"]
    keys += [f"channel={job['channel']}", f"size={job['size']}", f"schedule.steps={job['steps']}"]
    keys += [f"net.weights={job['weights']}", f"seed={job['seed']}"]
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", overrides=keys)
    folder = Path(job["folder"]) / f"visprior_{job['channel']}"
    run(cfg, folder, {"task": "maximization", "net": job["net"]})
    turns.end_of_block()
    from imageio.v3 import imread

    return imread(folder / "preimage.png") / 255.0


def peer_model(job: dict[str, Any]) -> torch.nn.Module:
    """The same network without visprior."""
    if job["net"] == "vgg19":
        from torchvision.models import vgg19

        model = vgg19(weights=None)
    else:
        spec = importlib.util.spec_from_file_location("vgg", ROOT / "visprior" / "net" / "vgg.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        model = module.VGG([16, 32, 64, 96, 128], 128, 10)
    model.load_state_dict(torch.load(job["weights"], weights_only=True))
    return model.eval()


def lucent_worker(job: dict[str, Any], turns: Turns) -> np.ndarray:
    """lucent's render_vis, (H, W, 3) in 0..1."""
    from lucent.optvis import objectives, param, render, transform  # pyright: ignore

    torch.manual_seed(job["seed"])
    np.random.seed(job["seed"])  # noqa: NPY002 - its transforms draw from it
    channel = objectives.channel(job["peer_layer"], job["channel"])

    def objective(hook: Any) -> torch.Tensor:
        return channel(hook)

    def image() -> tuple[Any, Any]:
        params, image_f = param.image(job["size"])
        count = 0

        def counted() -> torch.Tensor:
            nonlocal count
            count += 1
            if 1 < count <= job["steps"] + 1:  # once before the loop, once more after it
                turns.before_a_step()
            return image_f()

        return params, counted

    transforms, normalise = transform.standard_transforms.copy(), job["normalise"]
    if normalise:
        mean, std = (torch.tensor(v)[:, None, None] for v in normalise)
        transforms.append(lambda x: (x - mean) / std)
    images = render.render_vis(
        peer_model(job),
        objectives.Objective(objective),
        image,
        transforms=transforms,
        thresholds=(job["steps"],),
        preprocess=not normalise,
        progress=False,
        show_image=False,
        fixed_image_size=job["size"],
    )
    turns.end_of_block()
    return images[0][0]


def work(name: str) -> None:
    """One process: its job from the first line of stdin; blocks, then the final picture's file."""
    torch.set_num_threads(1)
    job = json.loads(sys.stdin.readline())
    worker = {"visprior": visprior_worker, "lucent": lucent_worker}[name]
    picture = worker(job, Turns())
    file = Path(job["folder"]) / f"{name}_{job['channel']}.npy"
    np.save(file, np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8))
    print(json.dumps({"file": str(file)}), flush=True)


def start(python: str, name: str, job: dict[str, Any]) -> subprocess.Popen:
    """A process that waits for its first turn."""
    command = [python, __file__, "--work", name]
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet
    )
    assert process.stdin
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()
    return process


def answer(process: subprocess.Popen) -> dict[str, Any]:
    """The next line that is one of ours."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise SystemExit(f"a worker ended: exit code {process.wait()}")


def race(peer: str, job: dict[str, Any]) -> dict[str, tuple[list[float], np.ndarray]]:
    """{program: (seconds of each block, its picture)}."""
    workers = {
        "visprior": start(sys.executable, "visprior", job),
        "lucent": start(peer, "lucent", job),
    }
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    blocks = -(-job["steps"] // BLOCK)
    for _ in range(blocks):
        for name, process in workers.items():
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
            seconds[name].append(answer(process)["seconds"])
    return {n: (seconds[n], np.load(answer(p)["file"])) for n, p in workers.items()}


def weights_of(net: str, folder: Path) -> Path:
    """A file of weights that both programs read."""
    path = folder / f"{net}.pth"
    if net == "vgg19":
        from torchvision.models import vgg19

        torch.manual_seed(0)
        model = vgg19(weights=None)
        for part in model.modules():
            if isinstance(part, torch.nn.Conv2d | torch.nn.Linear):
                torch.nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                assert part.bias is not None
                torch.nn.init.zeros_(part.bias)
        torch.save(model.state_dict(), path)
    else:
        from visprior.net.shapes import ShapesNet

        torch.save(shipped(net, ShapesNet).trained_state(), path)
    return path


def shipped(net: str, kind: type, **keys: str) -> Any:
    """A representation as its YAML file has it."""
    from hydra import compose, initialize_config_dir

    from visprior.build import build
    from visprior.config import config_dir, register

    register()
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose(
            "config", overrides=[f"net={net}", *(f"net.{k}={v}" for k, v in keys.items())]
        )
    found = build(cfg.net)
    assert isinstance(found, kind)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="the python of an environment with torch-lucent")
    parser.add_argument("--net", choices=list(NETS), default="vgg19")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", help="a folder for the pictures")
    parser.add_argument("--work", choices=["visprior", "lucent"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args.work)
    if not args.peer:
        parser.error("--peer is missing")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        compare(args, folder)
    return None


def compare(args: argparse.Namespace, folder: Path) -> None:
    """Race over the channels and print a line for each."""
    from visprior.net.representation import Representation

    layer, peer_layer, normalise = NETS[args.net]
    weights = weights_of(args.net, folder)
    net = shipped(args.net, Representation, weights=str(weights))
    size = (args.size, args.size)
    count = net.layer(layer, size).shape[0]
    print(f"{args.net} {layer}, {args.size} px, {args.steps} steps, torch {torch.__version__}")
    first = count // 2 - args.channels // 2
    for channel in range(first, first + args.channels):
        job = {
            "net": args.net, "layer": layer, "peer_layer": peer_layer, "channel": channel,
            "size": args.size, "steps": args.steps, "seed": args.seed, "weights": str(weights),
            "normalise": normalise, "folder": str(folder),
        }  # fmt: skip
        found = race(args.peer, job)
        step = {
            name: 1000 * statistics.median(seconds[1:] or seconds) / BLOCK
            for name, (seconds, _) in found.items()
        }
        ours, theirs = (found[name][1] for name in ("visprior", "lucent"))
        smaller = round(args.size**2 / (args.size + 12))
        ratio = statistics.median(
            v / p for v, p in zip(found["visprior"][0], found["lucent"][0], strict=True)
        )
        print(
            f"channel {channel}: visprior {step['visprior']:.1f} ms a step, lucent "
            f"{step['lucent']:.1f}, ratio {ratio:.3f} (aim 0.5); activation visprior "
            f"{activation(net, layer, channel, ours, args.size):.4g}, lucent "
            f"{activation(net, layer, channel, theirs, args.size):.4g} "
            f"({activation(net, layer, channel, theirs, smaller):.4g} at its own scale)",
            flush=True,
        )


def activation(net: Any, layer: str, channel: int, picture: np.ndarray, size: int) -> float:
    """The mean of a channel on a picture of 8 bits per colour, at a size."""
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    if x.shape[-1] != size:
        x = functional.interpolate(x, (size, size), mode="bilinear", align_corners=True)
    with torch.no_grad():
        phi = net.cut([layer], "cpu", size=(size, size))(x)[layer]
    return float(phi[:, channel].mean())


if __name__ == "__main__":
    main()
