"""Train a network of configs/net/shapes_*.yaml on shapes10 and write the files that ship.

    python scripts/train_shapes.py shapes_vgg [--threads 1] [--steps N] [--device auto]

Interrupted, the same command goes on from its last checkpoint, one every five minutes, under
outputs/training/NET. shapes_vgg_robust starts from the shipped weights of shapes_vgg. The weights
go to visprior/weights/NET.safetensors, what is known about them to NET.json.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm
from train_images import draw_batch, perturb, pictures
from train_record import write_files

from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.net.shapes.shapes_net import ShapesNet

CHECKPOINT_SECONDS = 300
UNSEEN = 4  # the class that shapes_densenet_no4 is never shown


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    radius: final L2 norm of the perturbations that it is trained against, on the [0, 1] scale.
    """

    steps: int
    rate: float
    radius: float = 0.0
    start: str | None = None
    unseen: int | None = None
    batch: int = 64
    images: int = 40_000
    decay: float = 5e-4


RECIPES = {
    "shapes_vgg": Recipe(steps=3000, rate=0.03),
    "shapes_vgg_robust": Recipe(steps=700, rate=0.02, radius=2.0, start="shapes_vgg"),
    "shapes_alex": Recipe(steps=1200, rate=0.03),
    "shapes_mobilenet": Recipe(steps=1000, rate=0.15),
    "shapes_densenet": Recipe(steps=900, rate=0.15),
    "shapes_densenet_no4": Recipe(steps=900, rate=0.15, unseen=UNSEEN),
}


def load_net(name: str, weights: str = "random") -> ShapesNet:
    """The representation of configs/net/NAME.yaml."""
    cfg = cast(DictConfig, OmegaConf.load(Path(config_dir()) / "net" / f"{name}.yaml"))
    cfg["weights"] = weights
    net = build(cfg)
    assert isinstance(net, ShapesNet)
    return net


class Normalised(nn.Module):
    """The network on RGB grey levels 0..255."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: ShapesNet, device: str) -> None:
        super().__init__()
        self.module = net.module.to(device, memory_format=torch.channels_last)  # pyright: ignore
        self.register_buffer("mean", torch.tensor(net.mean).view(1, -1, 1, 1).to(device))
        self.register_buffer("std", torch.tensor(net.std).view(1, -1, 1, 1).to(device))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, classes), computed in bfloat16 while training."""
        z = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.training):
            return self.module(z).float()


def initialise(model: nn.Module, seed: int, unseen: int | None) -> None:
    """He weights; a last layer of zeros, whose rows then keep the sum 0 under softmax.

    A class that is never shown starts with a small prior, so that its row hardly moves at all.
    """
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    last = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)][-1]
    nn.init.zeros_(last.weight)
    if unseen is not None and last.bias is not None:
        with torch.no_grad():
            last.bias[unseen] = -6


class Training:
    """A network, its optimiser, and where both are in the recipe."""

    def __init__(self, name: str, recipe: Recipe, device: str, seed: int) -> None:
        self.name, self.recipe, self.device, self.seed = name, recipe, device, seed
        self.net = load_net(name)
        self.model = Normalised(self.net, device)
        initialise(self.net.module, seed, recipe.unseen)
        if recipe.start:
            start = load_net(recipe.start, "default")
            self.net.module.load_state_dict(start.trained_state())
        weights = [p for p in self.net.module.parameters() if p.dim() > 1]
        others = [p for p in self.net.module.parameters() if p.dim() <= 1]
        groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.SGD(
            groups, recipe.rate, momentum=0.9, nesterov=True, weight_decay=recipe.decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.rate, recipe.steps, pct_start=0.2, cycle_momentum=False
        )
        self.step, self.seconds = 0, 0.0
        self.checkpoint = Path("outputs/training") / name / "checkpoint.pt"

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | object]:
        return {"net": self.net.module, "optimizer": self.optimizer, "schedule": self.schedule}

    def save(self) -> None:
        """Write the checkpoint in one step."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        content = {key: part.state_dict() for key, part in self._parts().items()}  # pyright: ignore
        content |= {"step": self.step, "seconds": self.seconds, "steps": self.recipe.steps}
        torch.save(content, self.checkpoint.with_suffix(".tmp"))
        self.checkpoint.with_suffix(".tmp").replace(self.checkpoint)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one of the same recipe."""
        if not self.checkpoint.exists():
            return
        content = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if content["steps"] != self.recipe.steps:
            return
        for key, part in self._parts().items():
            part.load_state_dict(content[key])  # pyright: ignore
        self.step, self.seconds = content["step"], content["seconds"]

    def radius(self) -> float:
        """Of the perturbations: grows from an eighth of the last one over 60 % of the steps."""
        return self.recipe.radius * min(1.0, 0.125 + self.step / (0.6 * self.recipe.steps))

    def run(self, x: Tensor, y: Tensor) -> None:
        """All steps that are left."""
        begun = saved = time.monotonic()
        before, total = self.seconds, self.recipe.steps
        bar = tqdm(total=total, initial=self.step, desc=self.name, mininterval=5)
        try:
            while self.step < total:
                batch, labels = draw_batch(x, y, self.recipe.batch, self.seed, self.step)
                loss = self._advance(batch.to(self.device), labels.to(self.device))
                self.step += 1
                bar.update()
                if self.step % 50 == 0:
                    bar.set_postfix(loss=f"{float(loss):.3f}")
                self.seconds = before + time.monotonic() - begun
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.monotonic()
        finally:  # also after Ctrl-C
            bar.close()
            self.save()

    def _advance(self, x: Tensor, y: Tensor) -> Tensor:
        self.model.train()
        if self.recipe.radius:
            x = perturb(self.model, x, y, self.radius())
        loss = F.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        return loss.detach()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("net", choices=list(RECIPES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = RECIPES[args.net]
    if args.steps:
        recipe = replace(recipe, steps=args.steps)
    training = Training(
        args.net, recipe, device if args.device == "auto" else args.device, args.seed
    )
    training.resume()
    size = training.net.size[0]
    shown = pictures("train", size, recipe.images, recipe.unseen)
    training.run(*shown)
    write_files(training, shown, pictures("test", size, 5000, None))


if __name__ == "__main__":
    main()
