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
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

BLOCK = 16
# The layer by its name here and in lucent (modules joined by _), and the network's normalisation.
NETS = {
    "vgg19": ("relu4_1", "features_20", None),
    "shapes_vgg": ("relu3_1", "block3_relu1", ([0.43, 0.40, 0.40], [0.27, 0.25, 0.27])),
}


def start(python: str, name: str, job: dict[str, Any]) -> subprocess.Popen:
    """A process that waits for its first turn."""
    command = [python, str(Path(__file__).with_name("bench_peers_worker.py")), name]
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
        from visprior.net.shapes.shapes_net import ShapesNet

        torch.save(shipped(net, ShapesNet).trained_state(), path)
    return path


def shipped(net: str, kind: type, **keys: str) -> Any:
    """A representation as its YAML file has it."""
    from hydra import compose, initialize_config_dir

    from visprior.config.build import build
    from visprior.config.schema import config_dir, register

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
    parser.add_argument(
        "--peer", required=True, help="the python of an environment with torch-lucent"
    )
    parser.add_argument("--net", choices=list(NETS), default="vgg19")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", help="a folder for the pictures")
    args = parser.parse_args()
    if args.steps % BLOCK or args.steps < 4 * BLOCK:
        parser.error(f"--steps must be {4 * BLOCK} or more, and a multiple of {BLOCK}")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        compare(args, folder)


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
            "normalise": normalise, "folder": str(folder), "block": BLOCK,
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
