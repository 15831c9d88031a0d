"""A made-up sweep: folders with the files that jobs leave behind."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visprior.render.picture import save_png

Make = Callable[..., Path]


@pytest.fixture
def make_job(tmp_path) -> Make:
    """make_job(n, overrides, ...) writes one job's folder below tmp_path."""

    def make(
        n: int,
        overrides: Sequence[str],
        status: str = "finished",
        reason: str | None = None,
        summary: dict[str, Any] | None = None,
        labels: Sequence[str] = ("astronaut",),
        report: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / f"{n}_{','.join(overrides).replace('/', '_')}"
        (folder / ".hydra").mkdir(parents=True)
        stored = {"report": report or {}, **(config or {})}
        (folder / ".hydra" / "config.yaml").write_text(json.dumps(stored))
        (folder / ".hydra" / "overrides.yaml").write_text(json.dumps(list(overrides)))
        run = {"status": status, "reason": reason, "task": "inversion", "net": "vgg19",
               "seconds": 1.5, "overrides": list(overrides),
               "main": {"name": "error", "value": 0.1}}  # fmt: skip
        (folder / "run.json").write_text(json.dumps(run))
        if status == "finished":
            images = [_image(folder, n, i, label) for i, label in enumerate(labels)]
            metrics = {"summary": summary or {"ssim": 0.5, "error": 0.1 * (n + 1)}}
            (folder / "metrics.json").write_text(json.dumps(metrics | {"images": images}))
        return folder

    return make


def _image(folder: Path, n: int, i: int, label: str) -> dict[str, Any]:
    """Pictures of one colour that tells job, image and kind: (n, i, 1 = pre-image, 2 = target)."""
    for kind, name in ((1, "preimage"), (2, "target")):
        colour = np.array([10 * n + 5, 40 * i % 250 + 5, 60 * kind], dtype=np.uint8)
        save_png(folder / f"{name}_{label}.png", np.tile(colour, (32, 32, 1)))
    return {"label": label, "file": f"preimage_{label}.png", "target": f"target_{label}.png",
            "picture": label, "status": "ok", "error": 0.1}  # fmt: skip
