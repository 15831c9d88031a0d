"""What networks say of the pre-images: agreement with the class of the target."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from visprior.config.compose import part_of_group
from visprior.errors import UserError, did_you_mean, whole_number
from visprior.meter import Meter
from visprior.metric.agreement import Verdict, verdict
from visprior.metric.base import Metric, Subject
from visprior.net.representation import Cut, Representation
from visprior.render.picture import as_saved as clipped

BATCH = 32  # images per forward pass


@dataclass
class Classifier:
    """A network that says what it sees in pictures."""

    name: str  # in the names of the columns
    net: Representation
    own: bool  # the run's own
    _cut: Cut | None = None

    def __call__(self, x: Tensor, device: torch.device, k: int) -> Verdict:
        """Of pictures (B, C, H, W) as they are saved, at the net's own size.

        Raises:
            UserError: they have other channels than the net takes.
        """
        if x.shape[1] != self.net.channels:
            raise UserError(f"{self.name} takes {self.net.channels} channels, not {x.shape[1]}")
        self._cut = cut = self._cut or self.net.cut(["logits"], device)
        logits = []
        with torch.no_grad(), Meter(len(x), "picture", f"{self.name} classifies") as meter:
            for part in x.split(BATCH):
                seen = part.to(device, torch.float32)
                if seen.shape[2:] != self.net.size:
                    seen = F.interpolate(seen, self.net.size, mode="bicubic", antialias=True)
                logits.append(cut(seen.clamp(0, 255))["logits"].flatten(1).cpu())
                meter.add(len(part))
        return verdict(torch.cat(logits), k)


class Classify(Metric):
    """What networks see in the pre-images, and whether it is the class that they should show.

    That is the class of a maximized logit; of a photograph, that of its folder or of shapes10, else
    what the first network sees in it (Baust et al. 2021, Table 1). The columns for a network NET:
    NET_top1, NET_topK (0 or 1): the class is the likeliest, among the K likeliest; NET_class,
    NET_probability: what it sees; NET_target_probability; NET_photograph_top1, _topK and _class:
    the same of the photograph. cross_top1, cross_topk: means over the networks that are not the
    run's own.

    nets: names or {net: NAME, key: value}, the run's own first where it has classes; auto: that one
    unless its weights are random; null: none. top_k: K.

    Raises:
        UserError: a network without classes, with others than the first's, or named twice; a
            folder's name that is no class; top_k below 1.
    """

    def __init__(self, nets: Any = "auto", top_k: int = 5) -> None:
        self.nets = nets
        self.top_k = whole_number("metric.classify.top_k", top_k, 1)

    def prepare(self, subject: Subject) -> None:
        """See Metric.prepare."""
        super().prepare(subject)
        self.classifiers = self._classifiers() if subject.classes or subject.originals else []
        for classifier in self.classifiers:
            if classifier.net.random_weights:
                why = f" ({classifier.net.why_random})" if classifier.net.why_random else ""
                line = f"{classifier.net.name} has random weights{why}: what it sees means nothing"
                subject.warn(f"metric.classify.nets: {line}")
        if not self.classifiers:
            return
        self.names = self.classifiers[0].net.class_names
        self.k = min(self.top_k, len(self.names))
        self.photographs = []
        if subject.originals and subject.pictures is not None:
            pictures = clipped(subject.pictures)
            self.photographs = [see(pictures, subject.device, self.k) for see in self.classifiers]
        self.targets = self._targets()

    def _classifiers(self) -> list[Classifier]:
        """The networks, the run's own first."""
        own, net = self.subject.net_name, self.subject.net
        if not self.nets:
            return []
        listed = self.nets if isinstance(self.nets, list) else [self.nets]
        specs = [spec for spec in listed if spec != "auto"]
        found = []
        if own in specs or (not net.random_weights and _has_classes(net)):
            found.append(Classifier(own, net, own=True))
        for spec in specs:
            if spec != own:
                name, other = part_of_group("net", spec, self.subject.trust)
                found.append(Classifier(name, other, own=False))
        names = [classifier.name for classifier in found]
        for classifier in found:
            where = f"metric.classify.nets: {classifier.name}"
            if names.count(classifier.name) > 1:
                raise UserError(f"{where} is named twice")
            if not _has_classes(classifier.net):
                raise UserError(f"{where} has no names of classes")
            if classifier.net.class_names != found[0].net.class_names:
                raise UserError(f"{where} has other classes than {found[0].name}")
        return found

    def _targets(self) -> Tensor:
        """(B,) the index of each image's class."""
        try:
            if self.subject.classes:
                numbers = [class_of(name, self.names) for name in self.subject.classes]
                return torch.tensor(numbers)
        except UserError:
            if self.nets != "auto":
                raise
        return self.photographs[0].predicted

    def measure(self, saved: Tensor, x: Tensor) -> list[dict[str, Any]]:
        """See Metric.measure."""
        if not self.classifiers:
            return [{} for _ in saved]
        columns = {"class": [self.names[c] for c in self.targets.tolist()]}
        for i, classifier in enumerate(self.classifiers):
            verdict = classifier(saved, self.subject.device, self.k)
            columns |= self._columns(verdict, classifier.name)
            if self.photographs:
                before = self._columns(self.photographs[i], f"{classifier.name}_photograph")
                columns |= {k: v for k, v in before.items() if not k.endswith("probability")}
        others = [classifier.name for classifier in self.classifiers if not classifier.own]
        for key, column in (("cross_top1", "top1"), ("cross_topk", f"top{self.k}")):
            if others:
                each = zip(*(columns[f"{name}_{column}"] for name in others), strict=True)
                columns[key] = [sum(found) / len(others) for found in each]
        return [{key: values[b] for key, values in columns.items()} for b in range(len(saved))]

    def _columns(self, said: Verdict, prefix: str) -> dict[str, list[Any]]:
        of_target = said.probabilities.gather(1, self.targets[:, None])[:, 0]
        return {
            f"{prefix}_top1": said.top1(self.targets).int().tolist(),
            f"{prefix}_top{self.k}": said.topk(self.targets).int().tolist(),
            f"{prefix}_class": [self.names[c] for c in said.predicted.tolist()],
            f"{prefix}_probability": said.probability.tolist(),
            f"{prefix}_target_probability": of_target.tolist(),
        }


def _has_classes(net: Representation) -> bool:
    """Whether the last layer has a number for each of the net's class names."""
    return bool(net.class_names) and net.layer("logits").length == len(net.class_names)


def class_of(folder: str, names: list[str]) -> int:
    """A class by the name of its folder: the class's name, or its number, or NUMBER_anything.

    Raises:
        UserError: it is none.
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
