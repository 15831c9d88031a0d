"""Networks as a user gets them: from the YAML files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.net.representation import Representation


@pytest.fixture(scope="session")
def make_net() -> Callable[..., Representation]:
    """make_net("vgg19", size=[64, 64]) with random weights, unless told otherwise."""

    def make(name: str, **settings: Any) -> Representation:
        cfg = cast(DictConfig, OmegaConf.load(Path(config_dir()) / "net" / f"{name}.yaml"))
        given = settings if name == "python" else {"weights": "random", **settings}
        for key, value in given.items():
            cfg[key] = value
        return build(cfg, [str(cfg.target).partition(":")[0]] if name == "python" else ())

    return make


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
