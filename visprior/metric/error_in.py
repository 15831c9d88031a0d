"""The error of pre-images in other representations than the one that was inverted."""

from typing import Any

from torch import Tensor

from visprior.config.compose import part_of_group
from visprior.errors import UserError
from visprior.metric.base import Metric, Subject
from visprior.net.representation import Cut


class ErrorIn(Metric):
    """error_NAME = ||Psi(x) - Psi(x0)|| / ||Psi(x0)|| for each representation Psi, of the picture
    as it is saved, and error_NAME_unclipped of the float image.

    Mahendran & Vedaldi 2016, Table 4: HOG is inverted from their network's features, its error
    measured in those of DPM. nets: {NAME: NET} or {NAME: {net: NET, layer: LAYER, key: value}};
    the layer is logits unless it is given.

    Raises:
        UserError: an unknown net, or one of other channels than the run's.
    """

    tasks = ("inversion",)

    def __init__(self, nets: dict[str, Any] | None = None) -> None:
        if not isinstance(nets or {}, dict):
            raise UserError(f"metric.error_in.nets={nets} must be {{NAME: NET, ...}}")
        self.nets = nets or {}

    def prepare(self, subject: Subject) -> None:
        """See Metric.prepare."""
        super().prepare(subject)
        self.cuts: dict[str, tuple[str, Cut]] = {}
        for name, spec in self.nets.items():
            given = dict(spec) if isinstance(spec, dict) else {"net": spec}
            layer = str(given.pop("layer", "logits"))
            _, net = part_of_group("net", given, subject.trust)
            if net.channels != subject.net.channels:
                takes = f"takes {net.channels} channels, the run's net {subject.net.channels}"
                raise UserError(f"metric.error_in.{name}: {net.name} {takes}")
            if net.why_random:
                random = f"{net.name} has random weights ({net.why_random})"
                subject.warn(f"metric.error_in.{name}: {random}")
            cut = net.cut([layer], subject.device, subject.dtype, subject.size)
            self.cuts[str(name)] = layer, cut

    def measure(self, saved: Tensor, x: Tensor) -> list[dict[str, Any]]:
        """See Metric.measure."""
        rows: list[dict[str, Any]] = [{} for _ in x]
        for name, (layer, cut) in self.cuts.items():
            assert self.subject.pictures is not None
            target = self.subject.features(cut, self.subject.pictures, layer).flatten(1)
            for ending, image in {"": saved, "_unclipped": x}.items():
                off = (self.subject.features(cut, image, layer).flatten(1) - target).norm(dim=1)
                for row, error in zip(rows, (off / target.norm(dim=1)).tolist(), strict=True):
                    row[f"error_{name}{ending}"] = error
        return rows
