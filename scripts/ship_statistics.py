"""Measure the statistics that ship with the networks of shapes10, and put them beside the weights.

    python scripts/ship_statistics.py shapes_vgg shapes_alex      (no names: all that have weights)

Maxima, means, deviations and nine examples of every channel of every layer, over 2000 training
pictures: visprior/weights/NAME.statistics.safetensors (120 bytes a channel), and .json to read.
To be made again whenever weights change; statistics of other weights are not used.
"""

import logging
import shutil
import sys
import tempfile
from pathlib import Path

from hydra import compose, initialize_config_dir

import visprior
from visprior.config.schema import config_dir, register
from visprior.job.run import run
from visprior.metric.statistics_file import NAME

WEIGHTS = Path(visprior.__file__).parent / "weights"
PICTURES = ["layer=all", "data=shapes10", "sample.split=train", "sample.count=2000"]


def measure(name: str, folder: Path) -> Path:
    """Run task=statistics; the file."""
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", overrides=["task=statistics", f"net={name}", *PICTURES])
    run(cfg, folder, {"task": "statistics", "net": name})
    return folder / NAME


def main() -> None:
    """Of the nets named, or of all whose weights are there."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    register()
    trained = [path.stem for path in sorted(WEIGHTS.glob("*.safetensors")) if "." not in path.stem]
    for name in sys.argv[1:] or trained:
        with tempfile.TemporaryDirectory() as folder:
            made = measure(name, Path(folder))
            for suffix in (".safetensors", ".json"):
                target = WEIGHTS / f"{name}.statistics{suffix}"
                shutil.copyfile(made.with_suffix(suffix), target)
        print(f"{name}: {target.with_suffix('.safetensors').stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
