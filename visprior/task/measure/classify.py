"""What networks say of the pre-images: agreement with the class of the target."""

from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import ListConfig
from torch import Tensor
from torch.nn import functional as F

from visprior.config.member import member
from visprior.errors import UserError, did_you_mean
from visprior.job.services import Elements, Services
from visprior.meter import Meter
from visprior.metric.agreement import Verdict, verdict
from visprior.net.cut import Cut
from visprior.net.representation import Representation
from visprior.render.picture import as_saved

BATCH = 32  # images per forward pass


@dataclass
class Judge:
    """A network that classifies."""

    name: str  # in the names of the metrics
    net: Representation
    own: bool  # the run's own
    _cut: Cut | None = None

    def __call__(self, s: Services, x: Tensor, k: int) -> Verdict:
        """Of pictures (B, C, H, W) as they are saved, at the net's own size."""
        if x.shape[1] != self.net.channels:
            raise UserError(f"{self.name} takes {self.net.channels} channels, not {x.shape[1]}")
        self._cut = cut = self._cut or self.net.cut(["logits"], s.device)
        logits = []
        with torch.no_grad(), Meter(len(x), "picture", f"{self.name} classifies") as meter:
            for part in x.split(BATCH):
                seen = part.to(s.device, torch.float32)
                if seen.shape[2:] != self.net.size:
                    seen = F.interpolate(seen, self.net.size, mode="bicubic", antialias=True)
                logits.append(cut(seen.clamp(0, 255))["logits"].flatten(1).cpu())
                meter.add(len(part))
        return verdict(torch.cat(logits), k)


def judges(s: Services) -> list[Judge]:
    """The networks that metric.classify_with names, the run's own first where it has classes.

    Errors: UserError for a network without classes, or with others than the first's.
    """
    asked, own = s.cfg.metric.classify_with, str(s.recorder.run["net"])
    if not asked:
        return []
    specs = list(asked) if isinstance(asked, ListConfig) else [asked] if asked != "auto" else []
    found = []
    if own in specs or (not s.net.random_weights and _classes(s.net)):
        found.append(Judge(own, s.net, own=True))
    for spec in specs:
        if spec != own:
            name, net = member("net", spec, s.cfg.trust)
            found.append(Judge(name, net, own=False))
    names = [judge.name for judge in found]
    for judge in found:
        where = f"metric.classify_with: {judge.name}"
        if names.count(judge.name) > 1:
            raise UserError(f"{where} is named twice")
        if not _classes(judge.net):
            raise UserError(f"{where} has no names of classes")
        if judge.net.class_names != found[0].net.class_names:
            raise UserError(f"{where} has other classes than {found[0].name}")
    return found


def _classes(net: Representation) -> bool:
    """Whether the last layer has a number for each of the net's class names."""
    return bool(net.class_names) and net.layer("logits").length == len(net.class_names)


class Panel:
    """The networks that judge the pre-images of a run, and what they should see in them.

    The class of a maximized logit; of a photograph, that of its folder or of shapes10, else what
    the first network sees in it (Baust et al. 2021, Table 1). Whatever is wrong with the choice of
    networks or the names of classes is found here, before the run.
    """

    def __init__(self, s: Services, elements: Elements) -> None:
        wanted = elements.classes or elements.originals
        self.s = s
        self.judges = judges(s) if wanted else []
        for judge in self.judges:
            if judge.net.random_weights:
                why = f" ({judge.net.why_random})" if judge.net.why_random else ""
                line = f"{judge.net.name} has random weights{why}: what it sees means nothing"
                s.recorder.warn(f"metric.classify_with: {line}")
        if not self.judges:
            return
        self.names = self.judges[0].net.class_names
        if s.cfg.metric.top_k < 1:
            raise UserError(f"metric.top_k must be >= 1, got {s.cfg.metric.top_k}")
        self.k = min(s.cfg.metric.top_k, len(self.names))
        pictures = elements.pictures if elements.originals else None
        self.photographs = (
            []
            if pictures is None
            else [judge(s, as_saved(pictures), self.k) for judge in self.judges]
        )
        self.targets = self._targets(elements)

    def _targets(self, elements: Elements) -> Tensor:
        """(B,) the index of each image's class."""
        try:
            if elements.classes:
                return torch.tensor([class_of(name, self.names) for name in elements.classes])
        except UserError:
            if self.s.cfg.metric.classify_with != "auto":
                raise
        return self.photographs[0].predicted

    def add(self, rows: list[dict[str, Any]], x: Tensor) -> None:
        """To the row of each picture x, (B, C, H, W) as it is saved, for every network NET:

        NET_top1, NET_topK (0 or 1): the target's class is the likeliest, among the K likeliest;
        NET_class, NET_probability: what it sees; NET_target_probability. NET_photograph_top1,
        _topK and _class: the same of the photograph. cross_top1, cross_topk: means over the
        networks that are not the run's own.
        """
        if not self.judges:
            return
        columns = {"class": [self.names[c] for c in self.targets.tolist()]}
        for i, judge in enumerate(self.judges):
            columns |= self._columns(judge(self.s, x, self.k), judge.name)
            if self.photographs:
                before = self._columns(self.photographs[i], f"{judge.name}_photograph")
                columns |= {k: v for k, v in before.items() if not k.endswith("probability")}
        others = [judge.name for judge in self.judges if not judge.own]
        for b, row in enumerate(rows):
            row |= {key: values[b] for key, values in columns.items()}
            for key, own in (("cross_top1", "top1"), ("cross_topk", f"top{self.k}")):
                if others:
                    row[key] = sum(row[f"{name}_{own}"] for name in others) / len(others)

    def _columns(self, said: Verdict, prefix: str) -> dict[str, list[Any]]:
        of_target = said.probabilities.gather(1, self.targets[:, None])[:, 0]
        return {
            f"{prefix}_top1": said.top1(self.targets).int().tolist(),
            f"{prefix}_top{self.k}": said.topk(self.targets).int().tolist(),
            f"{prefix}_class": [self.names[c] for c in said.predicted.tolist()],
            f"{prefix}_probability": said.probability.tolist(),
            f"{prefix}_target_probability": of_target.tolist(),
        }


def class_of(folder: str, names: list[str]) -> int:
    """A class by the name of its folder: the class's name, or its number, or NUMBER_anything.

    Errors: UserError when it is none.
    """
    plain = [_plain(name) for name in names]
    if _plain(folder) in plain:
        return plain.index(_plain(folder))
    number = folder.split("_")[0]
    if number.isdigit() and int(number) < len(names):
        return int(number)
    raise UserError(
        f"'{folder}' is no class of the networks{did_you_mean(folder, names)} (name the folders "
        "of data by the classes, or by their numbers)"
    )


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
