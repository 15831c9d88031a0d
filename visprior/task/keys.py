"""Keys that several tasks have a use for, as their `uses` name them."""

from omegaconf import DictConfig

# What the loop is made of, and the images that it computes.
LOOP = {"regularizer", "param", "optimizer", "schedule", "seed", "seeds", "metric.spectrum"}
LOOP |= {"record.snapshots", "record.stretch"}
CLASSES = {"metric.classify"}


def picture_keys(cfg: DictConfig) -> set[str]:
    """What says which pictures a task takes: data, or else image."""
    return {"data", "sample"} if cfg.data is not None else {"image", "data"}


def kernel_keys(cfg: DictConfig) -> set[str]:
    """The filters that a regularizer uses."""
    chosen = {str(k): v for k, v in cfg.regularizer.items() if v}
    own = {f"{k}_kernel" for k in chosen}
    shared = any("kernel" in v and not cfg.get(f"{k}_kernel") for k, v in chosen.items())
    return own | ({"kernel"} if shared else set())
