"""One of the two programs that bench_peers.py compares: its job on stdin, times and picture out."""

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]


class Turns:
    """Lets the other process run after every block of steps; counts this process' time."""

    def __init__(self, block: int) -> None:
        self.block = block
        self.steps = 0
        self.begun = 0.0

    def before_a_step(self) -> None:
        """Called at the start of each step."""
        if self.steps % self.block == 0:
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

    from visprior.config.schema import config_dir, register
    from visprior.job.run import run
    from visprior.loop.solver import Solver

    own_step = Solver.step

    def step(self: Solver, m: Any) -> Any:
        turns.before_a_step()
        return own_step(self, m)

    Solver.step = step
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
    picture = worker(job, Turns(job["block"]))
    file = Path(job["folder"]) / f"{name}_{job['channel']}.npy"
    np.save(file, np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8))
    print(json.dumps({"file": str(file)}), flush=True)


if __name__ == "__main__":
    work(sys.argv[1])
