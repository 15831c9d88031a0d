"""The error of pre-images in other representations than the one that was inverted."""

from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from visprior.config.member import member
from visprior.errors import UserError
from visprior.job.services import Elements, Services
from visprior.net.cut import Cut


class OtherErrors:
    """||Psi(x) - Psi(x0)|| / ||Psi(x0)|| for each Psi that metric.error_in names.

    Mahendran & Vedaldi 2016, Table 4: HOG is inverted from their network's features, its error
    measured in those of DPM. Whatever is wrong with the choice is found here, before the run.

    Errors: UserError for an unknown net, or one of other channels than the run's.
    """

    def __init__(self, s: Services, elements: Elements) -> None:
        self.s = s
        self.cuts: dict[str, tuple[str, Cut]] = {}
        asked = s.cfg.metric.error_in or {}
        if not isinstance(asked, dict | DictConfig):
            raise UserError(f"metric.error_in={asked} must be {{NAME: NET, ...}}")
        for name, spec in asked.items():
            given = dict(spec) if isinstance(spec, DictConfig) else {"net": spec}
            layer = str(given.pop("layer", "logits"))
            _, net = member("net", given, s.cfg.trust)
            if net.channels != s.net.channels:
                takes = f"takes {net.channels} channels, the run's net {s.net.channels}"
                raise UserError(f"metric.error_in.{name}: {net.name} {takes}")
            if net.why_random:
                random = f"{net.name} has random weights ({net.why_random})"
                s.recorder.warn(f"metric.error_in.{name}: {random}")
            self.cuts[str(name)] = layer, net.cut([layer], s.device, s.dtype, s.size)
        self.targets = elements.pictures

    def add(self, rows: list[dict[str, Any]], x: Tensor) -> None:
        """To the row of each image x, (B, C, H, W): error_NAME of its picture as it is saved, and
        error_NAME_unclipped of the float image."""
        images = {"": self.s.saved(x), "_unclipped": x}
        for name, (layer, cut) in self.cuts.items():
            assert self.targets is not None
            target = self.s.features(cut, self.targets, layer).flatten(1)
            for ending, image in images.items():
                off = (self.s.features(cut, image, layer).flatten(1) - target).norm(dim=1)
                for row, error in zip(rows, (off / target.norm(dim=1)).tolist(), strict=True):
                    row[f"error_{name}{ending}"] = error
