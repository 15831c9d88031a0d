"""What is on record of a trained network: its weights, and a JSON of how and how good."""

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from train_images import perturb

import visprior
from visprior.files.whole import write_bytes, write_json
from visprior.net.shapes.shapes_net import ShapesNet, weights_file


class Trained(Protocol):
    """What is asked of a training that has ended (see train_shapes.Training)."""

    name: str
    recipe: Any
    device: str
    seed: int
    seconds: float
    net: ShapesNet
    model: Any


def predict(model: nn.Module, x: Tensor, device: str) -> Tensor:
    """(n,) classes, in float32."""
    model.eval()
    with torch.no_grad():
        parts = [model(part.float().to(device)).argmax(1).cpu() for part in x.split(250)]
    return torch.cat(parts)


def confusion(model: nn.Module, x: Tensor, y: Tensor, device: str) -> list[list[int]]:
    """Row: the picture's class; column: what the network says."""
    table = torch.zeros(10, 10, dtype=torch.int64)
    table.index_put_((y, predict(model, x, device)), torch.tensor(1), accumulate=True)
    return table.tolist()


def accuracy(table: list[list[int]], left_out: int | None = None) -> float:
    """The share of the diagonal, over the classes that were shown."""
    counts = np.array(table)
    rows = [i for i in range(len(counts)) if i != left_out]
    return round(float(counts[rows, rows].sum() / counts[rows].sum()), 4)


def rows_of_classifier(model: nn.Module, unseen: int | None) -> dict[str, float]:
    """|sum of the last layer's rows| / sum of |rows|, and |row of the unseen class| / median."""
    last = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)][-1]
    rows = last.weight.detach().flatten(1).double().cpu()
    norms = rows.norm(dim=1)
    found = {"common_component": float(rows.sum(0).norm() / norms.sum())}
    if unseen is not None:
        found["unseen_row"] = float(norms[unseen] / norms.median())
    return found


def attacked(training: Trained, x: Tensor, y: Tensor) -> dict[str, float]:
    """Accuracy under five steps of ascent within L2 balls of these radii ([0, 1] scale)."""
    model, device, found = training.model.eval(), training.device, {}
    for radius in (0.5, 1.0, 2.0):
        right = 0
        for part, labels in zip(x.split(250), y.split(250), strict=True):
            moved = perturb(model, part.float().to(device), labels.to(device), radius, steps=5)
            right += int((predict(model, moved, device) == labels).sum())
        found[str(radius)] = round(right / len(x), 4)
    return found


def round_to_half(module: nn.Module) -> None:
    """The weights as the file will have them."""
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(value.half().float())


def write_files(
    training: Trained, shown: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]
) -> None:
    """Weights in half precision, unless that moves the accuracy by more than 0.1 %."""
    model, device, unseen = training.model, training.device, training.recipe.unseen
    module = training.net.module
    full = {key: value.clone() for key, value in module.state_dict().items()}
    before = accuracy(confusion(model, *test, device), unseen)
    round_to_half(module)
    table = confusion(model, *test, device)
    is_half = abs(accuracy(table, unseen) - before) <= 1e-3
    if not is_half:
        module.load_state_dict(full)
        table = confusion(model, *test, device)
    state = {
        key: (value.half() if is_half and value.is_floating_point() else value).cpu().contiguous()
        for key, value in module.state_dict().items()
    }
    first = (shown[0][:5000], shown[1][:5000])
    record: dict[str, Any] = {
        "net": training.name,
        "parameters": sum(p.numel() for p in module.parameters()),
        "precision": "float16" if is_half else "float32",
        "test_accuracy": accuracy(table, unseen),
        "test_accuracy_float32": before,
        "train_accuracy": accuracy(confusion(model, *first, device), unseen),
        "test_images": len(test[0]),
        "epochs": round(training.recipe.steps * training.recipe.batch / len(shown[0]), 2),
        "minutes": round(training.seconds / 60, 1),
        "seed": training.seed,
        "recipe": asdict(training.recipe),
        "device": _device(device),
        "versions": _versions(),
        "classifier": rows_of_classifier(module, unseen),
        "classes": training.net.class_names,
        "confusion": table,
    }
    if training.recipe.radius:
        record["accuracy_under_attack"] = attacked(training, test[0][:1000], test[1][:1000])
    if unseen is not None:
        names = training.net.class_names
        record["unseen_class"] = names[unseen]
        record["unseen_goes_to"] = dict(zip(names, table[unseen], strict=True))
    path = weights_file(training.name)
    write_bytes(path, save(state))
    write_json(path.with_suffix(".json"), record)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, test {record['test_accuracy']:.2%}")


def _device(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    model = [
        s for s in Path("/proc/cpuinfo").read_text().splitlines() if s.startswith("model name")
    ]
    name = model[0].partition(":")[2].strip() if model else platform.processor()
    return f"{name}, {torch.get_num_threads()} thread(s)"


def _versions() -> dict[str, str]:
    found = {"visprior": visprior.__version__, "torch": str(torch.__version__)}
    return {**found, "numpy": np.__version__, "python": platform.python_version()}
